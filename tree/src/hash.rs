//! The hash rules, the only code that the tree, the prover and the verifier have in common.

use keccak_asm::Keccak256;

use crate::{Key, ValueHash};

/// The hash of a subtree without a leaf. It is not the output of a hash.
pub const EMPTY: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

const LEAF_TAG: &[u8; 13] = b"JMT::LeafNode";
const INTERNAL_TAG: &[u8; 16] = b"JMT::IntrnalNode";

/// Keccak-256.
pub fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The hash of a leaf, which does not depend on where it stands.
pub(crate) fn leaf_hash(key: &Key, value_hash: &ValueHash) -> [u8; 32] {
    let mut preimage = [0; 77];
    preimage[..13].copy_from_slice(LEAF_TAG);
    preimage[13..45].copy_from_slice(key.as_bytes());
    preimage[45..].copy_from_slice(value_hash.as_bytes());
    keccak(&preimage)
}

/// The hash of an internal node.
pub(crate) fn internal_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut preimage = [0; 80];
    preimage[..16].copy_from_slice(INTERNAL_TAG);
    preimage[16..48].copy_from_slice(left);
    preimage[48..].copy_from_slice(right);
    keccak(&preimage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak_is_the_one_of_ethereum() {
        let empty = keccak(b"").map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(empty, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    }

    #[test]
    fn preimages_are_those_of_the_specification() {
        let (key, value_hash) = (Key::from([1; 32]), ValueHash::from([2; 32]));
        let leaf = [&b"JMT::LeafNode"[..], &[1; 32], &[2; 32]].concat();
        assert_eq!(leaf_hash(&key, &value_hash), keccak(&leaf));
        let internal = [&b"JMT::IntrnalNode"[..], &[3; 32], &[4; 32]].concat();
        assert_eq!(internal_hash(&[3; 32], &[4; 32]), keccak(&internal));
    }
}
