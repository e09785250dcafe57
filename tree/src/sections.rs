//! The sections of an encoded multiproof, each consumed from its front.

use crate::{Key, ProofError, Terminal, TerminalKind, ValueHash, hash::EMPTY};

/// Bytes of the three counts.
const COUNTS: usize = 12;
/// Depth of the deepest leaf: a key has no more bits.
pub(crate) const DEEPEST: u16 = 256;

/// What is left of each section of a proof whose length agrees with its counts.
pub(crate) struct Sections<'proof> {
    headers: &'proof [[u8; 2]],
    foreign: &'proof [[u8; 64]],
    bitmap: &'proof [u8],
    siblings: usize,
    siblings_taken: usize,
    hashes: &'proof [[u8; 32]],
}

impl<'proof> Sections<'proof> {
    /// Splits a proof by its counts, or refuses its length.
    pub(crate) fn split(proof: &'proof [u8]) -> Result<Self, ProofError> {
        let actual = proof.len() as u64;
        let wrong = |expected| ProofError::ProofLength { expected, actual };
        let (counts, _) = proof.split_first_chunk::<COUNTS>().ok_or_else(|| wrong(COUNTS as u64))?;
        let [terminals, foreign, siblings] = [0, 4, 8]
            .map(|at| u32::from_be_bytes([counts[at], counts[at + 1], counts[at + 2], counts[at + 3]]));
        let bitmap = u64::from(siblings).div_ceil(8);
        // The counts are 32 bits wide, so 64 bits hold this sum.
        let fixed = COUNTS as u64 + 2 * u64::from(terminals) + 64 * u64::from(foreign) + bitmap;
        let expected = fixed + 32 * (actual.saturating_sub(fixed) / 32).min(u64::from(siblings));
        if actual != expected {
            return Err(wrong(expected));
        }

        // Every count is now smaller than the length of a slice, so none is cut short by `as`.
        let (headers, rest) = proof[COUNTS..].split_at(2 * terminals as usize);
        let (foreign, rest) = rest.split_at(64 * foreign as usize);
        let (bitmap, hashes) = rest.split_at(bitmap as usize);
        Ok(Self {
            headers: headers.as_chunks().0,
            foreign: foreign.as_chunks().0,
            bitmap,
            siblings: siblings as usize,
            siblings_taken: 0,
            hashes: hashes.as_chunks().0,
        })
    }

    /// How many terminals, and how many siblings, have not been taken.
    pub(crate) fn left(&self) -> (usize, usize) {
        (self.headers.len(), self.siblings - self.siblings_taken)
    }

    /// Takes the next terminal.
    pub(crate) fn terminal(&mut self) -> Result<Terminal, ProofError> {
        let (header, rest) = self.headers.split_first().ok_or(ProofError::TerminalMissing)?;
        let header = u16::from_be_bytes(*header);
        let kind = match header >> 9 {
            0b00_00000 => TerminalKind::Empty,
            0b01_00000 => TerminalKind::Own,
            0b10_00000 => TerminalKind::Foreign,
            _ => return Err(ProofError::TerminalHeader { header }),
        };
        let depth = header & 0x1ff;
        if depth > DEEPEST {
            return Err(ProofError::DepthTooLarge { depth });
        }
        self.headers = rest;
        Ok(Terminal { kind, depth })
    }

    /// Takes the next foreign leaf.
    pub(crate) fn foreign(&mut self) -> Result<(Key, ValueHash), ProofError> {
        let (leaf, rest) = self.foreign.split_first().ok_or(ProofError::ForeignMissing)?;
        self.foreign = rest;
        let (words, _) = leaf.as_chunks::<32>();
        Ok((Key::from(words[0]), ValueHash::from(words[1])))
    }

    /// Takes the next sibling: its hash, or none when it is empty.
    pub(crate) fn sibling(&mut self) -> Result<Option<[u8; 32]>, ProofError> {
        let index = self.siblings_taken;
        if index == self.siblings {
            return Err(ProofError::SiblingMissing);
        }
        self.siblings_taken += 1;
        if self.bitmap[index / 8] << (index % 8) & 0x80 == 0 {
            return Ok(None);
        }
        let (hash, rest) = self.hashes.split_first().ok_or(ProofError::SiblingMissing)?;
        if *hash == EMPTY {
            return Err(ProofError::SiblingIsEmpty { index: index as u64 });
        }
        self.hashes = rest;
        Ok(Some(*hash))
    }

    /// Nothing is left over.
    pub(crate) fn finish(self) -> Result<(), ProofError> {
        if !self.headers.is_empty() {
            return Err(ProofError::TerminalUnused);
        }
        if !self.foreign.is_empty() {
            return Err(ProofError::ForeignUnused);
        }
        if self.siblings_taken < self.siblings || !self.hashes.is_empty() {
            return Err(ProofError::SiblingUnused);
        }
        let used = self.siblings % 8;
        match self.bitmap.last() {
            Some(last) if used > 0 && last << used != 0 => Err(ProofError::SiblingPadding),
            _ => Ok(()),
        }
    }
}
