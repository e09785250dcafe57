//! The tree: persistent, so that a version costs only what differs from the one before.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Key, Root, ValueHash,
    hash::{EMPTY, internal_hash, leaf_hash},
};

/// A compact sparse Merkle tree. A clone is cheap and shares all nodes; nothing ever changes a version in place.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub(crate) top: Subtree,
    len: usize,
}

/// A subtree, none when it holds no leaf.
pub(crate) type Subtree = Option<Arc<Node>>;

#[derive(Debug)]
pub(crate) enum Node {
    Leaf { key: Key, value_hash: ValueHash, hash: [u8; 32] },
    Internal { left: Subtree, right: Subtree, hash: [u8; 32] },
}

impl Tree {
    /// The tree without a leaf.
    pub fn new() -> Self {
        Self::default()
    }

    /// The commitment to this version.
    pub fn root(&self) -> Root {
        Root::from(hash_of(&self.top))
    }

    /// The number of leaves.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value hash that `key` has, none when it is absent.
    pub fn get(&self, key: &Key) -> Option<ValueHash> {
        let mut subtree = &self.top;
        let mut depth = 0;
        loop {
            match subtree.as_deref()? {
                Node::Leaf { key: found, value_hash, .. } => return (found == key).then_some(*value_hash),
                Node::Internal { left, right, .. } => subtree = if key.bit(depth) { right } else { left },
            }
            depth += 1;
        }
    }

    /// All leaves in ascending order of key.
    pub fn iter(&self) -> Leaves<'_> {
        Leaves { ahead: self.top.as_deref().into_iter().collect() }
    }

    /// The next version: each leaf inserted, or updated when its key is there already. Of several leaves with one
    /// key the last counts. No key and no value hash is zero; no verifier accepts a touch of one that is.
    pub fn with(&self, leaves: impl IntoIterator<Item = (Key, ValueHash)>) -> Self {
        let leaves: Vec<(Key, ValueHash)> =
            leaves.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        let mut len = self.len;
        let top = insert(&self.top, 0, &leaves, &mut len);
        Self { top, len }
    }
}

impl<'tree> IntoIterator for &'tree Tree {
    type Item = (Key, ValueHash);
    type IntoIter = Leaves<'tree>;

    fn into_iter(self) -> Leaves<'tree> {
        self.iter()
    }
}

/// The leaves of a tree in ascending order of key.
#[derive(Debug)]
pub struct Leaves<'tree> {
    /// Subtrees to come, the next one last: at most one for each depth.
    ahead: Vec<&'tree Node>,
}

impl Iterator for Leaves<'_> {
    type Item = (Key, ValueHash);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ahead.pop()? {
                Node::Leaf { key, value_hash, .. } => return Some((*key, *value_hash)),
                Node::Internal { left, right, .. } => {
                    self.ahead.extend(right.as_deref());
                    self.ahead.extend(left.as_deref());
                }
            }
        }
    }
}

/// The hash of a subtree.
pub(crate) fn hash_of(subtree: &Subtree) -> [u8; 32] {
    match subtree.as_deref() {
        None => EMPTY,
        Some(Node::Leaf { hash, .. } | Node::Internal { hash, .. }) => *hash,
    }
}

/// The subtree at `depth` with `leaves` (ascending, distinct, all below this place); `len` grows by each new key.
fn insert(subtree: &Subtree, depth: u16, leaves: &[(Key, ValueHash)], len: &mut usize) -> Subtree {
    let Some(first) = leaves.first() else { return subtree.clone() };
    match subtree.as_deref() {
        None if leaves.len() == 1 => {
            *len += 1;
            Some(leaf(first.0, first.1))
        }
        None => Some(branch(&None, &None, depth, leaves, len)),
        Some(Node::Internal { left, right, .. }) => Some(branch(left, right, depth, leaves, len)),
        Some(Node::Leaf { key, .. }) if leaves.len() == 1 && first.0 == *key => Some(leaf(first.0, first.1)),
        Some(Node::Leaf { key, .. }) => {
            // The leaf moves down, or is replaced, on the side that its key says.
            let right = key.bit(depth);
            let (on_left, on_right) = if right { (&None, subtree) } else { (subtree, &None) };
            Some(branch(on_left, on_right, depth, leaves, len))
        }
    }
}

fn leaf(key: Key, value_hash: ValueHash) -> Arc<Node> {
    Arc::new(Node::Leaf { key, value_hash, hash: leaf_hash(&key, &value_hash) })
}

/// The internal node at `depth` over two subtrees that take up `leaves`.
fn branch(
    left: &Subtree,
    right: &Subtree,
    depth: u16,
    leaves: &[(Key, ValueHash)],
    len: &mut usize,
) -> Arc<Node> {
    let (to_left, to_right) = leaves.split_at(leaves.partition_point(|(key, _)| !key.bit(depth)));
    let left = insert(left, depth + 1, to_left, len);
    let right = insert(right, depth + 1, to_right, len);
    let hash = internal_hash(&hash_of(&left), &hash_of(&right));
    Arc::new(Node::Internal { left, right, hash })
}
