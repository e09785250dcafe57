//! Range proofs: all leaves between two keys, with the boundary that shows that none was left out. The prover's side.

use std::num::NonZeroUsize;

use crate::{
    Key, Multiproof, ProofError, RangeError, Root, Tree, ValueHash,
    tree::{Place, View},
    verify_range,
};

/// All leaves of a tree from one key to another, with their proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafRange {
    /// The first key of the range, whether it has a leaf or not.
    pub from: Key,
    /// The last key of the range, whether it has a leaf or not.
    pub to: Key,
    /// Every leaf with `from <= key <= to`, in ascending order of key.
    pub leaves: Vec<(Key, ValueHash)>,
    /// Shows that these are the leaves, and that there are no others.
    pub proof: RangeProof,
}

impl LeafRange {
    /// Where the next page begins: the key after `to`, none when `to` is the last key of all.
    pub fn next_from(&self) -> Option<Key> {
        let mut bytes: [u8; 32] = self.to.into();
        let carried = bytes.iter().rposition(|byte| *byte != 0xff)?;
        bytes[carried] += 1;
        bytes[carried + 1..].fill(0);
        Some(Key::from(bytes))
    }
}

/// A proof about the leaves between two keys that is well formed but has not been checked against a root. Its bytes
/// have the sections of a multiproof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeProof(Multiproof);

impl RangeProof {
    /// The encoding of the specification.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// Reads an encoding, so that what is read encodes to the same bytes. Needs memory in proportion to `bytes`.
    ///
    /// # Errors
    /// As [`Multiproof::decode`], then when there is not one terminal or two.
    pub fn decode(bytes: &[u8]) -> Result<Self, RangeError> {
        let proof = Multiproof::decode(bytes)?;
        match proof.terminals().len() {
            0 => Err(ProofError::TerminalMissing.into()),
            1 | 2 => Ok(Self(proof)),
            _ => Err(ProofError::TerminalUnused.into()),
        }
    }

    /// Checks the proof as [`verify_range`] does.
    ///
    /// # Errors
    /// As [`verify_range`].
    pub fn verify(
        &self,
        root: Root,
        from: Key,
        to: Key,
        leaves: &[(Key, ValueHash)],
    ) -> Result<(), RangeError> {
        verify_range(root, from, to, leaves, &self.encode())
    }
}

impl Tree {
    /// The leaves with `from <= key <= to`, and the proof that there are no others.
    ///
    /// At most `most` leaves are taken: when there are more, the range ends at the key of the last one taken, and
    /// [`LeafRange::next_from`] is where the next page begins.
    ///
    /// # Errors
    /// [`RangeError::BoundsReversed`] when `from` is greater than `to`.
    pub fn prove_range(&self, from: Key, to: Key, most: NonZeroUsize) -> Result<LeafRange, RangeError> {
        if from > to {
            return Err(RangeError::BoundsReversed);
        }
        let within = self.iter_from(&from).take_while(|(key, _)| *key <= to);
        let mut leaves: Vec<_> = within.take(most.get().saturating_add(1)).collect();
        let is_cut = leaves.len() > most.get();
        leaves.truncate(most.get());
        let to = leaves.last().filter(|_| is_cut).map_or(to, |(key, _)| *key);

        let mut boundary = Boundary { from, to, proof: Multiproof::default() };
        boundary.descend(self.top(), 0, Paths { of_from: true, of_to: true });
        Ok(LeafRange { from, to, leaves, proof: RangeProof(boundary.proof) })
    }
}

/// Which of the two bounds' paths lead through a place.
#[derive(Clone, Copy)]
struct Paths {
    of_from: bool,
    of_to: bool,
}

impl Paths {
    fn any(self) -> bool {
        self.of_from || self.of_to
    }
}

/// The proof of a range, while its two paths are walked.
struct Boundary {
    from: Key,
    to: Key,
    proof: Multiproof,
}

impl Boundary {
    /// Adds what lies on `paths` (at least one) at this place and below, and the siblings outside the range. As in a
    /// multiproof, a sibling comes after everything below its brother.
    fn descend(&mut self, place: Place<'_>, depth: u16, paths: Paths) {
        let leaf = match place.open() {
            View::Empty => None,
            View::Leaf { key, value_hash } => Some((key, value_hash)),
            View::Internal { left, right } => return self.descend_both(left, right, depth, paths),
        };
        let is_inside = leaf.is_some_and(|(key, _)| self.from <= key && key <= self.to);
        self.proof.add_terminal(depth, leaf, is_inside);
    }

    fn descend_both(&mut self, left: Place<'_>, right: Place<'_>, depth: u16, paths: Paths) {
        let to_right = Paths {
            of_from: paths.of_from && self.from.bit(depth),
            of_to: paths.of_to && self.to.bit(depth),
        };
        let to_left =
            Paths { of_from: paths.of_from && !to_right.of_from, of_to: paths.of_to && !to_right.of_to };
        if to_left.any() {
            self.descend(left, depth + 1, to_left);
        }
        if to_right.any() {
            self.descend(right, depth + 1, to_right);
        }
        // What lies before the path of `from` or after that of `to` is outside.
        if to_right.of_from {
            self.proof.add_sibling(left);
        }
        if to_left.of_to {
            self.proof.add_sibling(right);
        }
    }
}
