//! The 32-byte words of the tree, each its own type, and the order of a key's bits.

use std::fmt;

use crate::hash::{EMPTY, keccak};

macro_rules! word {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Whether all bytes are zero, which stands for "none" and is never valid.
            pub fn is_zero(&self) -> bool {
                self.0 == [0; 32]
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl From<$name> for [u8; 32] {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }
    };
}

word!(
    /// The place of a leaf: 256 bits, most significant bit first.
    Key
);
word!(
    /// Keccak-256 of the value that a leaf holds.
    ValueHash
);
word!(
    /// The commitment to a whole tree.
    Root
);

impl Key {
    /// The bit that decides at depth `depth` (0 to 255) whether the path goes right.
    ///
    /// # Panics
    /// When `depth` is greater than 255: no path goes on from depth 256.
    pub fn bit(&self, depth: u16) -> bool {
        let depth = usize::from(depth);
        self.0[depth / 8] >> (7 - depth % 8) & 1 == 1
    }

    /// The number of leading bits that both keys share, 0 to 256.
    pub fn common_prefix(&self, other: &Key) -> u16 {
        let mut shared = 0;
        for (mine, theirs) in self.0.iter().zip(&other.0) {
            let difference = mine ^ theirs;
            if difference != 0 {
                return shared + difference.leading_zeros() as u16;
            }
            shared += 8;
        }
        shared
    }

    /// The first 64 bits: their order is that of keys which differ there.
    pub(crate) fn first_word(&self) -> u64 {
        let (words, _) = self.0.as_chunks();
        u64::from_be_bytes(words[0])
    }
}

impl ValueHash {
    /// The hash of `value`, which by the rules of the protocol is never empty.
    pub fn of(value: &[u8]) -> Self {
        Self(keccak(value))
    }
}

impl Root {
    /// The root of the tree without a leaf.
    pub const EMPTY: Root = Root(EMPTY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_from_the_most_significant() {
        let mut bytes = [0; 32];
        bytes[0] = 0b1000_0000;
        bytes[1] = 0b0100_0000;
        bytes[31] = 0b0000_0001;
        let key = Key::from(bytes);
        let set: Vec<u16> = (0..256).filter(|depth| key.bit(*depth)).collect();
        assert_eq!(set, [0, 9, 255]);
    }

    #[test]
    fn common_prefix_ends_at_the_first_differing_bit() {
        let zero = Key::from([0; 32]);
        for depth in 0..256 {
            let mut bytes = [0; 32];
            bytes[usize::from(depth) / 8] = 0x80 >> (depth % 8);
            assert_eq!(zero.common_prefix(&Key::from(bytes)), depth);
        }
        assert_eq!(zero.common_prefix(&zero), 256);
    }

    #[test]
    fn words_are_shown_as_hex() {
        assert_eq!(format!("{:?}", Key::from([0xab; 32])), format!("0x{}", "ab".repeat(32)));
    }
}
