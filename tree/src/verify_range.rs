//! The verifier of range proofs: the walk of the specification over the bytes of a proof. It shares nothing with the
//! prover but the hash rules.

use crate::{
    Key, ProofError, Root, Terminal, TerminalKind, ValueHash,
    hash::{EMPTY, internal_hash, leaf_hash},
    sections::Sections,
    verify::fold_leaves,
};

/// The reason why a range proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The range's first key is greater than its last.
    #[error("the range ends before it begins")]
    BoundsReversed,
    /// A leaf is listed whose key is not in the range.
    #[error("leaf {index} is out of range")]
    LeafOutOfRange {
        /// Position of the leaf among those listed.
        index: u64,
    },
    /// A leaf is listed with a value hash of zero, which no leaf has.
    #[error("leaf {index} has a value hash of zero")]
    ZeroValueHash {
        /// Position of the leaf among those listed.
        index: u64,
    },
    /// A leaf that is called foreign lies in the range, so that it should be listed.
    #[error("the foreign leaf of terminal {index} lies in the range")]
    ForeignInRange {
        /// Position of the terminal.
        index: u64,
    },
    /// A reason that a multiproof can be refused for too; keys and touches stand for the leaves that are listed.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// What is claimed: just these leaves lie between two keys, the bounds included.
#[derive(Clone, Copy)]
struct Claim<'leaves> {
    from: Key,
    to: Key,
    leaves: &'leaves [(Key, ValueHash)],
}

/// Checks that `leaves` (strictly ascending by key) are all leaves with `from <= key <= to` under `root`. Folds at most
/// 256 times for each leaf and each bound.
///
/// # Errors
/// The first reason in the specification's order of checks.
pub fn verify_range(
    root: Root,
    from: Key,
    to: Key,
    leaves: &[(Key, ValueHash)],
    proof: &[u8],
) -> Result<(), RangeError> {
    let claim = Claim { from, to, leaves };
    claim.check(root)?;
    let mut sections = Sections::split(proof)?;
    let (depth, mut hash) = fold_bounds(&claim, &mut sections)?;
    for depth in (0..depth).rev() {
        let sibling = sections.sibling()?.unwrap_or(EMPTY);
        hash = parent_hash(&from, depth, hash, sibling);
    }
    sections.finish()?;
    let actual = Root::from(hash);
    if actual != root {
        return Err(ProofError::RootMismatch { expected: root, actual }.into());
    }
    Ok(())
}

impl Claim<'_> {
    fn check(&self, root: Root) -> Result<(), RangeError> {
        if root.is_zero() {
            return Err(ProofError::ZeroRoot.into());
        }
        if self.from > self.to {
            return Err(RangeError::BoundsReversed);
        }
        let mut before = None;
        for ((key, value_hash), index) in self.leaves.iter().zip(0..) {
            if key.is_zero() {
                return Err(ProofError::ZeroKey.into());
            }
            if before == Some(*key) {
                return Err(ProofError::KeyRepeated { key: *key }.into());
            }
            if before > Some(*key) {
                return Err(ProofError::KeysNotAscending { index }.into());
            }
            if !self.covers(key) {
                return Err(RangeError::LeafOutOfRange { index });
            }
            if value_hash.is_zero() {
                return Err(RangeError::ZeroValueHash { index });
            }
            before = Some(*key);
        }
        Ok(())
    }

    fn covers(&self, key: &Key) -> bool {
        self.from <= *key && *key <= self.to
    }
}

/// The deepest place above the whole range that the proof shows: its depth and its hash. It is the terminal of both
/// bounds, or the place where their paths part.
fn fold_bounds(claim: &Claim<'_>, sections: &mut Sections<'_>) -> Result<(u16, [u8; 32]), RangeError> {
    let parting = claim.from.common_prefix(&claim.to);
    let first = sections.terminal()?;
    if first.depth <= parting {
        return Ok((first.depth, fold_terminal(first, 0, &claim.from, claim.leaves, claim, sections)?));
    }
    // All leaves share the bits above, so the next one tells to whose side each belongs.
    let (on_left, on_right) =
        claim.leaves.split_at(claim.leaves.partition_point(|(key, _)| !key.bit(parting)));
    let mut left = Side { bound: claim.from, is_right: false, index: 0, leaves: on_left };
    let mut right = Side { bound: claim.to, is_right: true, index: 1, leaves: on_right };
    let left = left.fold(first, parting, claim, sections)?;
    let second = sections.terminal()?;
    if second.depth <= parting {
        return Err(ProofError::TerminalOverlap { index: 1 }.into());
    }
    let right = right.fold(second, parting, claim, sections)?;
    Ok((parting, internal_hash(&left, &right)))
}

/// One side of the place where the bounds' paths part.
struct Side<'leaves> {
    bound: Key,
    /// Whether this is the side of `to`: then what lies left of the path is inside the range.
    is_right: bool,
    /// Position of the side's terminal.
    index: u64,
    /// The listed leaves of this side that are not folded yet.
    leaves: &'leaves [(Key, ValueHash)],
}

impl<'leaves> Side<'leaves> {
    /// Folds the path of the bound from its terminal up to the depth below `parting`.
    fn fold(
        &mut self,
        terminal: Terminal,
        parting: u16,
        claim: &Claim<'_>,
        sections: &mut Sections<'_>,
    ) -> Result<[u8; 32], RangeError> {
        let served = self.take_sharing(terminal.depth);
        let mut hash = fold_terminal(terminal, self.index, &self.bound, served, claim, sections)?;
        for depth in (parting + 1..terminal.depth).rev() {
            let is_inside = self.bound.bit(depth) == self.is_right;
            let sibling = if is_inside {
                fold_leaves(depth + 1, self.take_sharing(depth).iter().copied())
            } else {
                sections.sibling()?.unwrap_or(EMPTY)
            };
            hash = parent_hash(&self.bound, depth, hash, sibling);
        }
        Ok(hash)
    }

    /// Takes the leaves that share at least `depth` bits with the bound: those nearest to it.
    fn take_sharing(&mut self, depth: u16) -> &'leaves [(Key, ValueHash)] {
        let shares = |key: &Key| key.common_prefix(&self.bound) >= depth;
        let (taken, left) = if self.is_right {
            let (left, taken) = self.leaves.split_at(self.leaves.partition_point(|(key, _)| !shares(key)));
            (taken, left)
        } else {
            self.leaves.split_at(self.leaves.partition_point(|(key, _)| shares(key)))
        };
        self.leaves = left;
        taken
    }
}

/// The hash of the place where the path of `bound` ends; `served` are the listed leaves that lie there.
fn fold_terminal(
    terminal: Terminal,
    index: u64,
    bound: &Key,
    served: &[(Key, ValueHash)],
    claim: &Claim<'_>,
    sections: &mut Sections<'_>,
) -> Result<[u8; 32], RangeError> {
    match (terminal.kind, served) {
        (TerminalKind::Empty, []) => Ok(EMPTY),
        (TerminalKind::Own, [(key, value_hash)]) => Ok(leaf_hash(key, value_hash)),
        (TerminalKind::Foreign, []) => {
            let (key, value_hash) = sections.foreign()?;
            if key.common_prefix(bound) < terminal.depth {
                return Err(ProofError::ForeignOffPath { index }.into());
            }
            if claim.covers(&key) {
                return Err(RangeError::ForeignInRange { index });
            }
            Ok(leaf_hash(&key, &value_hash))
        }
        _ => Err(ProofError::ClaimMismatch { index }.into()),
    }
}

/// The hash of the node at `depth` on the path of `key`, from that of its child on the path and of the other child.
fn parent_hash(key: &Key, depth: u16, child: [u8; 32], sibling: [u8; 32]) -> [u8; 32] {
    if key.bit(depth) { internal_hash(&sibling, &child) } else { internal_hash(&child, &sibling) }
}
