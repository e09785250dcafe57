//! Random choices that are the same in every run.

use hypha_tree::{Key, ValueHash, keccak};

/// A sequence of random words, fixed by its seed.
pub(crate) struct Random {
    state: [u8; 32],
}

impl Random {
    pub(crate) fn new(seed: &str) -> Self {
        Self { state: keccak(seed.as_bytes()) }
    }

    pub(crate) fn word(&mut self) -> [u8; 32] {
        self.state = keccak(&self.state);
        self.state
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let word = self.word();
        let number = u64::from_be_bytes(word[..8].try_into().expect("8 bytes"));
        (number % bound as u64) as usize
    }

    pub(crate) fn key(&mut self) -> Key {
        Key::from(self.word())
    }

    pub(crate) fn value_hash(&mut self) -> ValueHash {
        ValueHash::from(self.word())
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// `key` with the bit at `depth` flipped.
pub(crate) fn flip(key: Key, depth: u16) -> Key {
    let mut bytes: [u8; 32] = key.into();
    bytes[usize::from(depth) / 8] ^= 0x80 >> (depth % 8);
    Key::from(bytes)
}
