//! The walk of the specification, its steps in its order, over plain lists: so the verifier is held not only to what it
//! accepts but to the reason of every refusal.

use std::collections::VecDeque;

use hypha_tree::{EMPTY, Key, ProofError, Root, Touch, ValueHash};

use crate::model::{Leaf, internal, leaf, subtree};

/// What is left of a proof's sections.
struct Sections {
    headers: VecDeque<u16>,
    foreign: VecDeque<Leaf>,
    bits: VecDeque<bool>,
    hashes: VecDeque<[u8; 32]>,
    padding: bool,
    siblings_taken: u64,
}

/// A place with its hash in the old and in the new tree.
type Folded = (u16, [u8; 32], [u8; 32]);

/// The new root, or the reason why the proof is refused.
pub(crate) fn walk(root: Root, touches: &[Touch], proof: &[u8]) -> Result<Root, ProofError> {
    check_touches(root, touches)?;
    let mut sections = Sections::split(proof)?;
    let mut stack: Vec<Folded> = Vec::new();
    let (mut walked, mut index) = (0, 0);
    while walked < touches.len() {
        let (kind, depth) = sections.terminal()?;
        let first = touches[walked].key;
        if walked > 0 && depth <= shared(&first, &touches[walked - 1].key) {
            return Err(ProofError::TerminalOverlap { index });
        }
        let served: Vec<Touch> = touches[walked..]
            .iter()
            .take_while(|touch| shared(&touch.key, &first) >= depth)
            .copied()
            .collect();
        let mut folded = sections.fold_terminal(kind, depth, index, &served)?;
        walked += served.len();
        let last = touches[walked - 1].key;
        let target = touches.get(walked).map_or(0, |next| shared(&last, &next.key) + 1);
        while folded.0 > target {
            folded = sections.fold_up(folded, &first, &mut stack)?;
        }
        stack.push((target, folded.1, folded.2));
        index += 1;
    }
    sections.check_used()?;
    let (_, old, new) = stack.pop().expect("there is a touch, so a terminal was folded");
    let actual = Root::from(old);
    if actual == root { Ok(new.into()) } else { Err(ProofError::RootMismatch { expected: root, actual }) }
}

/// Step 1.
fn check_touches(root: Root, touches: &[Touch]) -> Result<(), ProofError> {
    let keys: Vec<Key> = touches.iter().map(|touch| touch.key).collect();
    if keys.is_empty() {
        return Err(ProofError::NoKeys);
    }
    if root.is_zero() {
        return Err(ProofError::ZeroRoot);
    }
    if keys[0].is_zero() {
        return Err(ProofError::ZeroKey);
    }
    match (1..keys.len()).find(|index| keys[*index] <= keys[index - 1]) {
        None => Ok(()),
        Some(index) if keys[index] == keys[index - 1] => Err(ProofError::KeyRepeated { key: keys[index] }),
        Some(index) => Err(ProofError::KeysNotAscending { index: index as u64 }),
    }
}

/// The number of leading bits that two keys share.
fn shared(one: &Key, other: &Key) -> u16 {
    let bit = |key: &Key, depth: usize| key.as_bytes()[depth / 8] >> (7 - depth % 8) & 1;
    (0..256).take_while(|depth| bit(one, *depth) == bit(other, *depth)).count() as u16
}

fn some(hash: Option<ValueHash>) -> Option<ValueHash> {
    hash.filter(|hash| !hash.is_zero())
}

impl Sections {
    /// Step 2.
    fn split(proof: &[u8]) -> Result<Self, ProofError> {
        let actual = proof.len() as u64;
        if actual < 12 {
            return Err(ProofError::ProofLength { expected: 12, actual });
        }
        let count = |at: usize| proof[at..at + 4].iter().fold(0, |count, byte| count << 8 | u64::from(*byte));
        let [terminals, foreign, siblings] = [0, 4, 8].map(count);
        let fixed = 12 + 2 * terminals + 64 * foreign + siblings.div_ceil(8);
        let expected = fixed + 32 * siblings.min(actual.saturating_sub(fixed) / 32);
        if expected != actual {
            return Err(ProofError::ProofLength { expected, actual });
        }
        let (headers, rest) = proof[12..].split_at(2 * terminals as usize);
        let (foreign, rest) = rest.split_at(64 * foreign as usize);
        let (bitmap, hashes) = rest.split_at(siblings.div_ceil(8) as usize);
        let word = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).expect("cut into pieces of 32 bytes");
        let bit = |bit: usize| bitmap[bit / 8] & (0x80 >> (bit % 8)) != 0;
        Ok(Self {
            headers: headers
                .chunks(2)
                .map(|header| u16::from(header[0]) << 8 | u16::from(header[1]))
                .collect(),
            foreign: foreign
                .chunks(64)
                .map(|leaf| (word(&leaf[..32]).into(), word(&leaf[32..]).into()))
                .collect(),
            bits: (0..siblings as usize).map(bit).collect(),
            hashes: hashes.chunks(32).map(word).collect(),
            padding: (siblings as usize..8 * bitmap.len()).any(bit),
            siblings_taken: 0,
        })
    }

    /// Step 3.1: the kind and the depth.
    fn terminal(&mut self) -> Result<(u16, u16), ProofError> {
        let header = self.headers.pop_front().ok_or(ProofError::TerminalMissing)?;
        let (kind, depth) = (header >> 14, header & 0x1ff);
        if kind == 3 || header & 0x3e00 != 0 {
            return Err(ProofError::TerminalHeader { header });
        }
        if depth > 256 { Err(ProofError::DepthTooLarge { depth }) } else { Ok((kind, depth)) }
    }

    /// Steps 3.4 to 3.6.
    fn fold_terminal(
        &mut self,
        kind: u16,
        depth: u16,
        index: u64,
        served: &[Touch],
    ) -> Result<Folded, ProofError> {
        let mut old: Vec<Leaf> =
            served.iter().filter_map(|touch| Some((touch.key, some(touch.old)?))).collect();
        if old.len() != usize::from(kind == 1) {
            return Err(ProofError::ClaimMismatch { index });
        }
        let mut new: Vec<Leaf> = served
            .iter()
            .filter_map(|touch| Some((touch.key, some(touch.new).or(some(touch.old))?)))
            .collect();
        if kind == 2 {
            let leaf = self.foreign.pop_front().ok_or(ProofError::ForeignMissing)?;
            if shared(&leaf.0, &served[0].key) < depth {
                return Err(ProofError::ForeignOffPath { index });
            }
            if served.iter().any(|touch| touch.key == leaf.0) {
                return Err(ProofError::ForeignIsTouched { index });
            }
            old.push(leaf);
            new.push(leaf);
        }
        new.sort();
        let old = old.first().map_or(EMPTY, |(key, value_hash)| leaf(key, value_hash));
        Ok((depth, old, subtree(&new, depth.into())))
    }

    /// One step of 3.7.
    fn fold_up(&mut self, folded: Folded, key: &Key, stack: &mut Vec<Folded>) -> Result<Folded, ProofError> {
        let (depth, old, new) = folded;
        if let Some((_, left_old, left_new)) = stack.pop_if(|left| left.0 == depth) {
            return Ok((depth - 1, internal(&left_old, &old), internal(&left_new, &new)));
        }
        let sibling = self.sibling()?;
        let goes_right = key.as_bytes()[usize::from(depth - 1) / 8] << ((depth - 1) % 8) & 0x80 != 0;
        let parent = |hash| if goes_right { internal(&sibling, hash) } else { internal(hash, &sibling) };
        Ok((depth - 1, parent(&old), parent(&new)))
    }

    fn sibling(&mut self) -> Result<[u8; 32], ProofError> {
        let index = self.siblings_taken;
        self.siblings_taken += 1;
        if !self.bits.pop_front().ok_or(ProofError::SiblingMissing)? {
            return Ok(EMPTY);
        }
        match self.hashes.pop_front() {
            None => Err(ProofError::SiblingMissing),
            Some(EMPTY) => Err(ProofError::SiblingIsEmpty { index }),
            Some(hash) => Ok(hash),
        }
    }

    /// Step 4.
    fn check_used(&self) -> Result<(), ProofError> {
        let left = [
            (self.headers.is_empty(), ProofError::TerminalUnused),
            (self.foreign.is_empty(), ProofError::ForeignUnused),
            (self.bits.is_empty() && self.hashes.is_empty(), ProofError::SiblingUnused),
            (!self.padding, ProofError::SiblingPadding),
        ];
        left.into_iter().find(|(fine, _)| !fine).map_or(Ok(()), |(_, reason)| Err(reason))
    }
}
