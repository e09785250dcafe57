//! The fuzzer's bytes as a sequence of choices.

use hypha_tree::{Key, ValueHash, keccak};

/// Choices in the order of the bytes; when none is left each further one is zero.
pub(crate) struct Source<'data> {
    rest: &'data [u8],
}

impl<'data> Source<'data> {
    pub(crate) fn new(data: &'data [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `bound`, zero when the bound is. Bounds up to 256 take one byte, others two.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let high = if bound > 256 { self.byte() } else { 0 };
        let number = usize::from(high) << 8 | usize::from(self.byte());
        number.checked_rem(bound).unwrap_or_default()
    }

    /// One of few keys, or one that differs from it in up to three bits anywhere: so keys are equal often, and share
    /// long prefixes. None is zero.
    pub(crate) fn key(&mut self) -> Key {
        let choice = self.byte();
        let mut key = keccak(&[choice & 3]);
        for _ in 0..choice >> 6 {
            let depth = usize::from(self.byte());
            key[depth / 8] ^= 0x80 >> (depth % 8);
        }
        Key::from(key)
    }

    /// An end of a range: also the first and the last key of all.
    pub(crate) fn bound(&mut self) -> Key {
        match self.byte() & 15 {
            14 => Key::from([0; 32]),
            15 => Key::from([0xff; 32]),
            _ => self.key(),
        }
    }

    /// The value whose hash [`Source::value_hash`] would choose.
    pub(crate) fn value(&mut self) -> [u8; 1] {
        [self.byte() & 7]
    }

    pub(crate) fn value_hash(&mut self) -> ValueHash {
        ValueHash::of(&self.value())
    }

    pub(crate) fn leaf(&mut self) -> (Key, ValueHash) {
        (self.key(), self.value_hash())
    }
}
