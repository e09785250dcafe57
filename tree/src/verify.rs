//! The verifier: the walk of the specification, step by step, over the bytes of a proof. It shares nothing with the
//! prover but the hash rules.

use crate::{
    Key, ProofError, Root, Terminal, TerminalKind, ValueHash,
    hash::{EMPTY, internal_hash, leaf_hash},
    sections::Sections,
};

/// What is claimed about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The key.
    pub key: Key,
    /// The value hash that the key has in the old tree, none when it is absent there. Zero counts as none.
    pub old: Option<ValueHash>,
    /// The value hash that the key gets, none when it is only read. Zero counts as none.
    pub new: Option<ValueHash>,
}

impl Touch {
    fn before(&self) -> Option<ValueHash> {
        self.old.filter(|hash| !hash.is_zero())
    }

    fn written(&self) -> Option<ValueHash> {
        self.new.filter(|hash| !hash.is_zero())
    }
}

/// A step from one root to the next that a proof has shown. Only a verifier makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The root that the touches' old values were checked against.
    pub old: Root,
    /// The root of the tree with the touches' new values; the old one when all were only read.
    pub new: Root,
}

/// The fold of some subtree in the old and in the new tree.
struct Folded {
    depth: u16,
    old: [u8; 32],
    new: [u8; 32],
}

/// Checks an encoded multiproof of `touches` (strictly ascending by key) against the old tree's root, and computes
/// the new tree's. Folds at most 256 times for each touch, in each of the two trees; keeps at most 256 folds.
///
/// # Errors
/// The first reason in the specification's order of checks.
pub fn verify(root: Root, touches: &[Touch], proof: &[u8]) -> Result<Transition, ProofError> {
    check_touches(root, touches)?;
    let mut sections = Sections::split(proof)?;
    // Depths on the stack rise strictly from 1 to 256, so that many entries are the most.
    let mut stack: Vec<Folded> = Vec::new();
    let mut walked = 0;
    let mut index = 0;
    while walked < touches.len() {
        let terminal = sections.terminal()?;
        let first = touches[walked].key;
        if walked > 0 && terminal.depth <= first.common_prefix(&touches[walked - 1].key) {
            return Err(ProofError::TerminalOverlap { index });
        }
        let shares_path = |touch: &Touch| first.common_prefix(&touch.key) >= terminal.depth;
        let served = touches[walked..].iter().take_while(|touch| shares_path(touch)).count();
        let (served, left) = touches[walked..].split_at(served);
        let folded = fold_terminal(terminal, index, served, &mut sections)?;
        let target = left.first().map_or(0, |next| served[served.len() - 1].key.common_prefix(&next.key) + 1);
        let folded = fold_up(folded, target, &first, &mut stack, &mut sections)?;
        stack.push(folded);
        walked += served.len();
        index += 1;
    }
    sections.finish()?;
    let folded = stack.pop().expect("there is a touch, so the last terminal was folded to depth 0");
    let (actual, new) = (Root::from(folded.old), Root::from(folded.new));
    if actual != root {
        return Err(ProofError::RootMismatch { expected: root, actual });
    }
    Ok(Transition { old: root, new })
}

/// Checks that `key` holds `value` under `root`.
///
/// # Errors
/// [`ProofError::EmptyValue`] before anything else, then as [`verify`].
pub fn verify_membership(root: Root, key: Key, value: &[u8], proof: &[u8]) -> Result<(), ProofError> {
    if value.is_empty() {
        return Err(ProofError::EmptyValue);
    }
    verify(root, &[Touch { key, old: Some(ValueHash::of(value)), new: None }], proof).map(|_| ())
}

/// Checks that `key` is absent under `root`.
///
/// # Errors
/// As [`verify`].
pub fn verify_absence(root: Root, key: Key, proof: &[u8]) -> Result<(), ProofError> {
    verify(root, &[Touch { key, old: None, new: None }], proof).map(|_| ())
}

fn check_touches(root: Root, touches: &[Touch]) -> Result<(), ProofError> {
    let first = touches.first().ok_or(ProofError::NoKeys)?;
    if root.is_zero() {
        return Err(ProofError::ZeroRoot);
    }
    if first.key.is_zero() {
        return Err(ProofError::ZeroKey);
    }
    for (before, pair) in touches.windows(2).enumerate() {
        if pair[0].key == pair[1].key {
            return Err(ProofError::KeyRepeated { key: pair[1].key });
        }
        if pair[0].key > pair[1].key {
            return Err(ProofError::KeysNotAscending { index: before as u64 + 1 });
        }
    }
    Ok(())
}

/// The old and the new hash of the place where the `served` touches' paths end.
fn fold_terminal(
    terminal: Terminal,
    index: u64,
    served: &[Touch],
    sections: &mut Sections<'_>,
) -> Result<Folded, ProofError> {
    let depth = terminal.depth;
    let mut present = served.iter().filter_map(|touch| Some((touch.key, touch.before()?)));
    let (own, another) = (present.next(), present.next());
    if another.is_some() || own.is_some() != (terminal.kind == TerminalKind::Own) {
        return Err(ProofError::ClaimMismatch { index });
    }
    let foreign = match terminal.kind {
        TerminalKind::Foreign => Some(take_foreign(depth, index, served, sections)?),
        TerminalKind::Empty | TerminalKind::Own => None,
    };
    let old = own.or(foreign).map_or(EMPTY, |(key, value_hash)| leaf_hash(&key, &value_hash));
    if served.iter().all(|touch| touch.written().is_none()) {
        return Ok(Folded { depth, old, new: old });
    }

    let after = |touch: &Touch| Some((touch.key, touch.written().or(touch.before())?));
    let below = foreign.map_or(0, |(key, _)| served.partition_point(|touch| touch.key < key));
    let (below, above) = served.split_at(below);
    let leaves = below.iter().filter_map(after).chain(foreign).chain(above.iter().filter_map(after));
    Ok(Folded { depth, old, new: fold_leaves(depth, leaves) })
}

fn take_foreign(
    depth: u16,
    index: u64,
    served: &[Touch],
    sections: &mut Sections<'_>,
) -> Result<(Key, ValueHash), ProofError> {
    let (key, value_hash) = sections.foreign()?;
    if key.common_prefix(&served[0].key) < depth {
        return Err(ProofError::ForeignOffPath { index });
    }
    if served.binary_search_by_key(&key, |touch| touch.key).is_ok() {
        return Err(ProofError::ForeignIsTouched { index });
    }
    Ok((key, value_hash))
}

/// Folds a node on the path of `key` up to depth `target`, its siblings taken from the stack where an earlier
/// terminal has given them, from the proof elsewhere.
fn fold_up(
    mut folded: Folded,
    target: u16,
    key: &Key,
    stack: &mut Vec<Folded>,
    sections: &mut Sections<'_>,
) -> Result<Folded, ProofError> {
    while folded.depth > target {
        let depth = folded.depth;
        let (left, right) = match stack.pop_if(|left| left.depth == depth) {
            Some(left) => (left, folded),
            None => {
                let hash = sections.sibling()?.unwrap_or(EMPTY);
                let sibling = Folded { depth, old: hash, new: hash };
                if key.bit(depth - 1) { (sibling, folded) } else { (folded, sibling) }
            }
        };
        let unchanged = left.old == left.new && right.old == right.new;
        let old = internal_hash(&left.old, &right.old);
        let new = if unchanged { old } else { internal_hash(&left.new, &right.new) };
        folded = Folded { depth: depth - 1, old, new };
    }
    Ok(folded)
}

/// The hash of the compact subtree at `depth` that holds just these leaves, in ascending order of key.
///
/// It is the same fold as the walk's, from each leaf's own place: one below the last bit that it shares with a
/// neighbour. All other subtrees are empty.
pub(crate) fn fold_leaves(depth: u16, leaves: impl Iterator<Item = (Key, ValueHash)>) -> [u8; 32] {
    let mut leaves = leaves.peekable();
    // As in the walk, depths rise strictly.
    let mut stack: Vec<(u16, [u8; 32])> = Vec::new();
    let mut from_left = depth;
    while let Some((key, value_hash)) = leaves.next() {
        let target = leaves.peek().map_or(depth, |(next, _)| key.common_prefix(next) + 1);
        let mut place = from_left.max(target);
        let mut hash = leaf_hash(&key, &value_hash);
        while place > target {
            hash = match stack.pop_if(|(left, _)| *left == place) {
                Some((_, left)) => internal_hash(&left, &hash),
                None if key.bit(place - 1) => internal_hash(&EMPTY, &hash),
                None => internal_hash(&hash, &EMPTY),
            };
            place -= 1;
        }
        stack.push((target, hash));
        from_left = target;
    }
    stack.pop().map_or(EMPTY, |(_, hash)| hash)
}
