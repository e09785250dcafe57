//! The prover.

use crate::{
    Key, Multiproof, Tree, ValueHash,
    tree::{Place, View},
};

impl Tree {
    /// A proof about `keys`, in any order, repeated ones counting once: membership of those that are there, absence
    /// of the others, and what is needed to compute the next root from their new values.
    ///
    /// Without a key the proof is empty, and no verifier accepts it.
    pub fn prove(&self, keys: &[Key]) -> Multiproof {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let mut proof = Multiproof::default();
        if keys.is_empty() {
            return proof;
        }
        let siblings = keys.len() * self.siblings_of_a_key(keys.len());
        proof.siblings.reserve(siblings);
        proof.hashes.reserve(siblings);
        if keys.len() > 1 {
            self.fetch(&keys);
        }
        descend(self.top(), 0, &keys, &mut proof);
        proof
    }

    /// About how many siblings a proof of so many keys has for each: a guess for the room that they take.
    fn siblings_of_a_key(&self, keys: usize) -> usize {
        2 + (self.len() / keys).max(1).ilog2() as usize
    }
}

/// Adds what proves `keys` (at least one, ascending, repeated or not, all below this place).
///
/// A sibling is added after everything below its brother: so siblings come bottom up after the terminal that the
/// walk folds with them, and terminals from left to right.
fn descend(place: Place<'_>, depth: u16, keys: &[Key], proof: &mut Multiproof) {
    if let [key] = keys {
        return add_path(place, depth, key, proof);
    }
    match place.open() {
        View::Internal { left, right } => {
            let (on_left, on_right) = keys.split_at(keys.partition_point(|key| !key.bit(depth)));
            if !on_left.is_empty() {
                descend(left, depth + 1, on_left, proof);
            }
            if !on_right.is_empty() {
                descend(right, depth + 1, on_right, proof);
            }
            if on_left.is_empty() {
                proof.add_sibling(left);
            }
            if on_right.is_empty() {
                proof.add_sibling(right);
            }
        }
        View::Leaf { key, value_hash } => add_terminal(Some((key, value_hash)), depth, keys, proof),
        View::Empty => add_terminal(None, depth, keys, proof),
    }
}

/// The same for a single key: one loop instead of a call for each level.
fn add_path(place: Place<'_>, depth: u16, key: &Key, proof: &mut Multiproof) {
    let (siblings, hashes) = (proof.siblings.len(), proof.hashes.len());
    let (leaf, depth) = place.follow(depth, key, |_, sibling| proof.add_sibling(sibling));
    proof.siblings[siblings..].reverse();
    proof.hashes[hashes..].reverse();
    add_terminal(leaf, depth, std::slice::from_ref(key), proof);
}

fn add_terminal(leaf: Option<(Key, ValueHash)>, depth: u16, keys: &[Key], proof: &mut Multiproof) {
    let is_touched = leaf.is_some_and(|(key, _)| keys.binary_search(&key).is_ok());
    proof.add_terminal(depth, leaf, is_touched);
}
