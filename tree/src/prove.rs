//! The prover.

use crate::{
    Key, Multiproof, Terminal, TerminalKind, Tree,
    tree::{Place, View},
};

/// A path in a tree of some million leaves is seldom longer.
const DEPTH_OF_MOST: usize = 32;

impl Tree {
    /// A proof about `keys`, in any order, repeated ones counting once: membership of those that are there, absence
    /// of the others, and what is needed to compute the next root from their new values.
    ///
    /// Without a key the proof is empty, and no verifier accepts it.
    pub fn prove(&self, keys: &[Key]) -> Multiproof {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let mut proof = Multiproof::default();
        proof.siblings.reserve(DEPTH_OF_MOST);
        proof.hashes.reserve(DEPTH_OF_MOST);
        if keys.len() > 1 {
            self.fetch(&keys);
        }
        if !keys.is_empty() {
            descend(self.top(), 0, &keys, &mut proof);
        }
        proof
    }
}

/// Adds what proves `keys` (at least one, ascending, repeated or not, all below this place).
///
/// A sibling is added after everything below its brother: so siblings come bottom up after the terminal that the
/// walk folds with them, and terminals from left to right.
fn descend(place: Place<'_>, depth: u16, keys: &[Key], proof: &mut Multiproof) {
    let kind = match place.open() {
        View::Empty => TerminalKind::Empty,
        View::Leaf { key, .. } if keys.binary_search(&key).is_ok() => TerminalKind::Own,
        View::Leaf { key, value_hash } => {
            proof.foreign.push((key, value_hash));
            TerminalKind::Foreign
        }
        View::Internal { left, right } => {
            let (on_left, on_right) = keys.split_at(keys.partition_point(|key| !key.bit(depth)));
            if !on_left.is_empty() {
                descend(left, depth + 1, on_left, proof);
            }
            if !on_right.is_empty() {
                descend(right, depth + 1, on_right, proof);
            }
            if on_left.is_empty() {
                add_sibling(left, proof);
            }
            if on_right.is_empty() {
                add_sibling(right, proof);
            }
            return;
        }
    };
    proof.terminals.push(Terminal { kind, depth });
}

fn add_sibling(sibling: Place<'_>, proof: &mut Multiproof) {
    proof.siblings.push(!sibling.is_empty());
    proof.hashes.extend((!sibling.is_empty()).then(|| sibling.hash()));
}
