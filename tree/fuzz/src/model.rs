//! The tree as the specification defines it: a map of leaves, everything else by plain recursion over slices.

use std::collections::BTreeMap;

use hypha_tree::{Key, Root, Touch, ValueHash, keccak};

use crate::{forgery::Parts, source::Source};

/// Leaves of a chosen model, at most.
const LEAVES: usize = 24;

pub(crate) type Leaf = (Key, ValueHash);

/// The leaves of one version.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) leaves: BTreeMap<Key, ValueHash>,
}

impl Model {
    pub(crate) fn choose(source: &mut Source<'_>) -> Self {
        let size = source.below(LEAVES + 1);
        Self { leaves: (0..size).map(|_| source.leaf()).collect() }
    }

    pub(crate) fn root(&self) -> Root {
        Root::from(subtree(&self.list(), 0))
    }

    /// The only proof about `keys` (ascending, distinct) that a verifier accepts.
    pub(crate) fn prove(&self, keys: &[Key]) -> Vec<u8> {
        self.prove_paths(keys, |key| keys.contains(key))
    }

    /// The only proof about the leaves from one key to another that a verifier accepts.
    pub(crate) fn prove_range(&self, from: Key, to: Key) -> Vec<u8> {
        let paths = if from == to { vec![from] } else { vec![from, to] };
        self.prove_paths(&paths, |key| (from..=to).contains(key))
    }

    fn prove_paths(&self, paths: &[Key], covers: impl Fn(&Key) -> bool) -> Vec<u8> {
        let mut proof = Proof { covers: &covers, parts: Parts::default() };
        if !paths.is_empty() {
            proof.descend(&self.list(), 0, paths);
        }
        proof.parts.encode()
    }

    /// The root after `touches` when `proof` shows them under `root`; none when a verifier has to refuse.
    pub(crate) fn judge(&self, root: Root, touches: &[Touch], proof: &[u8]) -> Option<Root> {
        let keys: Vec<Key> = touches.iter().map(|touch| touch.key).collect();
        let valid = !keys.is_empty() && !keys[0].is_zero() && keys.is_sorted_by(|one, next| one < next);
        let claimed = |touch: &Touch| touch.old.filter(|hash| !hash.is_zero());
        let true_claims = touches.iter().all(|touch| self.leaves.get(&touch.key).copied() == claimed(touch));
        if !valid || !true_claims || root != self.root() || proof != self.prove(&keys) {
            return None;
        }
        let mut next = self.clone();
        next.leaves.extend(
            touches.iter().filter_map(|touch| Some((touch.key, touch.new.filter(|hash| !hash.is_zero())?))),
        );
        Some(next.root())
    }

    pub(crate) fn list(&self) -> Vec<Leaf> {
        self.leaves.iter().map(|(key, value_hash)| (*key, *value_hash)).collect()
    }
}

/// How many of `sorted` (which share their first `depth` bits) go left at that depth.
fn on_left<T>(sorted: &[T], depth: usize, key: impl Fn(&T) -> Key) -> usize {
    sorted.iter().filter(|item| key(item).as_bytes()[depth / 8] & (0x80 >> (depth % 8)) == 0).count()
}

/// The hash of the subtree at `depth` that holds `leaves`.
pub(crate) fn subtree(leaves: &[Leaf], depth: usize) -> [u8; 32] {
    match leaves {
        [] => *b"SPARSE_MERKLE_PLACEHOLDER_HASH__",
        [(key, value_hash)] => leaf(key, value_hash),
        _ => {
            let (left, right) = leaves.split_at(on_left(leaves, depth, |leaf| leaf.0));
            let (left, right) = (subtree(left, depth + 1), subtree(right, depth + 1));
            internal(&left, &right)
        }
    }
}

pub(crate) fn leaf(key: &Key, value_hash: &ValueHash) -> [u8; 32] {
    hash(*b"JMT::LeafNode", key.as_bytes(), value_hash.as_bytes())
}

pub(crate) fn internal(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash(*b"JMT::IntrnalNode", left, right)
}

fn hash<const TAG: usize>(tag: [u8; TAG], one: &[u8; 32], other: &[u8; 32]) -> [u8; 32] {
    let mut preimage = [0; 80];
    preimage[..TAG].copy_from_slice(&tag);
    preimage[TAG..TAG + 32].copy_from_slice(one);
    preimage[TAG + 32..TAG + 64].copy_from_slice(other);
    keccak(&preimage[..TAG + 64])
}

/// A proof on its way.
struct Proof<'claim> {
    /// Whether the verifier knows of a key if it has a leaf.
    covers: &'claim dyn Fn(&Key) -> bool,
    parts: Parts,
}

impl Proof<'_> {
    /// Adds what proves where `paths` (at least one) end, in the subtree at `depth` that holds `leaves`.
    fn descend(&mut self, leaves: &[Leaf], depth: usize, paths: &[Key]) {
        let kind = match leaves {
            [] => 0,
            [(key, _)] if (self.covers)(key) => 1,
            [leaf] => {
                self.parts.foreign.push(*leaf);
                2
            }
            _ => return self.descend_both(leaves, depth, paths),
        };
        self.parts.headers.push(kind << 14 | depth as u16);
    }

    /// Both sides of an internal node: first where paths lead, then a sibling where none does and none is covered.
    fn descend_both(&mut self, leaves: &[Leaf], depth: usize, paths: &[Key]) {
        let leaves = leaves.split_at(on_left(leaves, depth, |leaf| leaf.0));
        let parted = paths.split_at(on_left(paths, depth, |key| *key));
        let sides = [(leaves.0, parted.0), (leaves.1, parted.1)];
        for (leaves, paths) in sides.iter().filter(|(_, paths)| !paths.is_empty()) {
            self.descend(leaves, depth + 1, paths);
        }
        // No path ends there, so all of that side is covered or nothing of it.
        let beside = flip(paths[0], depth);
        for (leaves, _) in sides.iter().filter(|(_, paths)| paths.is_empty() && !(self.covers)(&beside)) {
            self.parts.bits.push(!leaves.is_empty());
            self.parts.hashes.extend((!leaves.is_empty()).then(|| subtree(leaves, depth + 1)));
        }
    }
}

fn flip(key: Key, depth: usize) -> Key {
    let mut bytes: [u8; 32] = key.into();
    bytes[depth / 8] ^= 0x80 >> (depth % 8);
    Key::from(bytes)
}
