//! What differs between two trees, found without a look at what does not.

use crate::{
    EMPTY, Key, Tree, ValueHash,
    tree::{Place, View},
};

/// A leaf that is not the same in two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedLeaf {
    /// The key.
    pub key: Key,
    /// The value hash in the old tree, none when the key is absent there.
    pub old: Option<ValueHash>,
    /// The value hash in the new tree, none when the key is absent there.
    pub new: Option<ValueHash>,
}

/// A place whose subtree is not the same in two trees: all keys that share the first `depth` bits of `prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedSubtree {
    /// How many bits lead to the place, 0 to 256.
    pub depth: u16,
    /// These bits; those after them are zero.
    pub prefix: Key,
    /// The subtree's hash in the old tree.
    pub old: [u8; 32],
    /// The subtree's hash in the new tree.
    pub new: [u8; 32],
    /// The changed leaves that lie in it, at least one, in ascending order of key.
    pub leaves: Vec<ChangedLeaf>,
}

impl Tree {
    /// What differs in `newer`: the changed leaves, by the subtrees at `depth` in which they lie. The subtrees are
    /// disjoint and in ascending order, so the leaves are too. A place is shallower than `depth` where neither tree
    /// goes deeper, each having an empty slot or a single leaf there. With a depth of 0 the whole tree is the
    /// only subtree; beyond 256 there is none.
    ///
    /// A leaf that only moved, because a neighbour came in or is absent, has not changed. Places with the same
    /// hash in both trees are not opened, so the work is in proportion to the changed leaves and to how deep they stand. The
    /// two need no common history.
    pub fn diff(&self, newer: &Tree, depth: u16) -> Vec<ChangedSubtree> {
        let mut changed = Vec::new();
        let whole = Pair { old: Some(self.top()), new: Some(newer.top()) };
        whole.add_subtrees(0, [0; 32], depth, &mut changed);
        changed
    }
}

/// One place in both trees. Where the tree has a leaf further up, the leaf stands for its subtree at each place of its
/// path below: its hash is the same there. All other places below it are empty: none.
#[derive(Clone, Copy)]
struct Pair<'trees> {
    old: Option<Place<'trees>>,
    new: Option<Place<'trees>>,
}

/// What a pair of places that differ has below it.
enum Below<'trees> {
    /// Neither goes deeper: the leaves that stand there.
    Leaves([Option<(Key, ValueHash)>; 2]),
    Places {
        left: Pair<'trees>,
        right: Pair<'trees>,
    },
}

impl<'trees> Pair<'trees> {
    fn hashes(self) -> [[u8; 32]; 2] {
        [self.old, self.new].map(|place| place.map_or(EMPTY, |place| place.hash()))
    }

    fn is_changed(self) -> bool {
        let [old, new] = self.hashes();
        old != new
    }

    /// Adds the changed subtrees at this place, whose bits are `prefix`, or below, down to `deepest`.
    fn add_subtrees(self, depth: u16, prefix: [u8; 32], deepest: u16, changed: &mut Vec<ChangedSubtree>) {
        if !self.is_changed() {
            return;
        }
        if depth < deepest
            && let Below::Places { left, right } = self.open(depth)
        {
            left.add_subtrees(depth + 1, prefix, deepest, changed);
            right.add_subtrees(depth + 1, with_bit(prefix, depth), deepest, changed);
            return;
        }
        let [old, new] = self.hashes();
        let mut leaves = Vec::new();
        self.add_leaves(depth, &mut leaves);
        changed.push(ChangedSubtree { depth, prefix: Key::from(prefix), old, new, leaves });
    }

    /// Adds the changed leaves at this place or below.
    fn add_leaves(self, depth: u16, changed: &mut Vec<ChangedLeaf>) {
        if !self.is_changed() {
            return;
        }
        match self.open(depth) {
            Below::Leaves(leaves) => changed.extend(changes(leaves)),
            Below::Places { left, right } => {
                left.add_leaves(depth + 1, changed);
                right.add_leaves(depth + 1, changed);
            }
        }
    }

    fn open(self, depth: u16) -> Below<'trees> {
        #[cfg(test)]
        tests::OPENED.with(|opened| opened.set(opened.get() + 1));
        let [old, new] = [self.old, self.new].map(|place| place.map_or(View::Empty, |place| place.open()));
        if !is_internal(&old) && !is_internal(&new) {
            return Below::Leaves([leaf(&old), leaf(&new)]);
        }
        let (old, new) = (halves(self.old, old, depth), halves(self.new, new, depth));
        Below::Places { left: Pair { old: old[0], new: new[0] }, right: Pair { old: old[1], new: new[1] } }
    }
}

fn is_internal(view: &View<'_>) -> bool {
    matches!(view, View::Internal { .. })
}

fn leaf(view: &View<'_>) -> Option<(Key, ValueHash)> {
    match view {
        View::Leaf { key, value_hash } => Some((*key, *value_hash)),
        View::Empty | View::Internal { .. } => None,
    }
}

/// What lies left and right below `place` at `depth`, where `view` was seen.
fn halves<'tree>(place: Option<Place<'tree>>, view: View<'tree>, depth: u16) -> [Option<Place<'tree>>; 2] {
    match view {
        View::Empty => [None, None],
        View::Leaf { key, .. } if key.bit(depth) => [None, place],
        View::Leaf { .. } => [place, None],
        View::Internal { left, right } => [Some(left), Some(right)],
    }
}

/// The changes, in ascending order of key, where the old tree has one of these leaves and the new one the other.
fn changes([old, new]: [Option<(Key, ValueHash)>; 2]) -> Vec<ChangedLeaf> {
    match (old, new) {
        (Some((key, old)), Some((same, new))) if key == same => {
            vec![ChangedLeaf { key, old: Some(old), new: Some(new) }]
        }
        _ => {
            let gone = old.map(|(key, old)| ChangedLeaf { key, old: Some(old), new: None });
            let added = new.map(|(key, new)| ChangedLeaf { key, old: None, new: Some(new) });
            let mut changes: Vec<_> = gone.into_iter().chain(added).collect();
            changes.sort_unstable_by_key(|change| change.key);
            changes
        }
    }
}

/// `bits` with the bit at `depth` set.
fn with_bit(mut bits: [u8; 32], depth: u16) -> [u8; 32] {
    bits[usize::from(depth / 8)] |= 0x80 >> (depth % 8);
    bits
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::keccak;

    thread_local! {
        /// Pairs of places that this thread has opened.
        pub(super) static OPENED: Cell<usize> = const { Cell::new(0) };
    }

    fn leaf(number: u32, value: u8) -> (Key, ValueHash) {
        (Key::from(keccak(&number.to_be_bytes())), ValueHash::of(&[value]))
    }

    /// How many pairs of places are opened for the difference, and how many leaves have changed.
    fn opened(old: &Tree, new: &Tree, depth: u16) -> (usize, usize) {
        OPENED.set(0);
        let changed = old.diff(new, depth).iter().map(|subtree| subtree.leaves.len()).sum();
        (OPENED.get(), changed)
    }

    #[test]
    fn only_places_on_the_paths_of_changed_leaves_are_opened() {
        let old = Tree::new().with((0..100_000).map(|number| leaf(number, 0)));
        let alike = Tree::new().with((0..100_000).rev().map(|number| leaf(number, 0)));
        assert_eq!(opened(&old, &alike, 8), (0, 0));
        for changed in [1, 10, 100] {
            let updated = (0..changed).map(|number| leaf(number * 997, 1));
            let new = alike.with(updated.chain((0..changed).map(|number| leaf(100_000 + number, 0))));
            for (old, new) in [(&old, &new), (&new, &old)] {
                for depth in [0, 8, 256] {
                    let (opened, leaves) = opened(old, new, depth);
                    assert_eq!(leaves, 2 * changed as usize);
                    // The deepest of 100,000 leaves with random keys stands at depth 40 or less; a place at which the
                    // walk turns from subtrees to leaves is opened twice.
                    assert!(opened <= leaves * 42, "{opened} places for {leaves} leaves");
                }
            }
        }
    }
}
