//! The hash rules, the only code that the tree, the prover and the verifier have in common.

use keccak_asm::Keccak256;

use crate::{
    Key, ValueHash,
    machine::{LANES, Preimages, WIDTH, kernel},
};

/// The hash of a subtree without a leaf. It is not the output of a hash.
pub const EMPTY: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

pub(crate) const LEAF_TAG: &[u8; 13] = b"JMT::LeafNode";
pub(crate) const INTERNAL_TAG: &[u8; 16] = b"JMT::IntrnalNode";

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

/// A hash as the tree keeps it: four little-endian words.
pub(crate) type Words = [u64; 4];

/// The words of 32 bytes.
pub(crate) fn words_of(bytes: &[u8; 32]) -> Words {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|word| u64::from_le_bytes(words[word]))
}

/// The bytes of four words.
pub(crate) fn bytes_of(words: &Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (places, _) = bytes.as_chunks_mut();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    bytes
}

/// Up to eight preimages that are hashed together.
pub(crate) struct Group {
    preimages: Preimages,
    len: usize,
}

impl Group {
    /// How many preimages a group holds.
    pub(crate) const WIDTH: usize = WIDTH;

    pub(crate) fn new() -> Self {
        Self { preimages: [[0; WIDTH]; LANES], len: 0 }
    }

    /// Adds the preimage of a leaf.
    pub(crate) fn add_leaf(&mut self, key: &Key, value_hash: &ValueHash) {
        let mut bytes = [0; 8 * LANES];
        bytes[..13].copy_from_slice(LEAF_TAG);
        bytes[13..45].copy_from_slice(key.as_bytes());
        bytes[45..77].copy_from_slice(value_hash.as_bytes());
        bytes[77] = 1;
        let (words, _) = bytes.as_chunks();
        self.add(std::array::from_fn(|lane| u64::from_le_bytes(words[lane])));
    }

    /// Adds the preimage of an internal node: the hashes of its left and of its right child.
    pub(crate) fn add_internal(&mut self, [[a, b, c, d], [e, f, g, h]]: [Words; 2]) {
        let (tag, _) = INTERNAL_TAG.as_chunks();
        let [first, second] = [tag[0], tag[1]].map(u64::from_le_bytes);
        self.add([first, second, a, b, c, d, e, f, g, h, 1]);
    }

    fn add(&mut self, lanes: [u64; LANES]) {
        for (column, lane) in self.preimages.iter_mut().zip(lanes) {
            column[self.len] = lane;
        }
        self.len += 1;
    }

    /// The hashes of what was added, in its order. The group is empty then.
    pub(crate) fn hash(&mut self) -> impl Iterator<Item = Words> + use<> {
        let digests = (kernel().hash)(&self.preimages);
        let len = std::mem::take(&mut self.len);
        (0..len).map(move |preimage| digests.map(|lane| lane[preimage]))
    }
}

/// The hashes of many internal nodes, each given by the hashes of its left and its right child, on one core: what a
/// batch costs at least.
///
/// # Panics
/// When the two slices differ in length.
pub fn internal_hashes(children: &[[[u8; 32]; 2]], hashes: &mut [[u8; 32]]) {
    assert_eq!(children.len(), hashes.len(), "one place for each hash");
    let mut group = Group::new();
    for (children, hashes) in children.chunks(WIDTH).zip(hashes.chunks_mut(WIDTH)) {
        for [left, right] in children {
            group.add_internal([words_of(left), words_of(right)]);
        }
        for (place, hash) in hashes.iter_mut().zip(group.hash()) {
            *place = bytes_of(&hash);
        }
    }
}

/// The name of the vector instructions that batches are hashed with on this machine: `avx512`, `avx2`, `neon` or `portable`.
pub fn keccak_kernel() -> &'static str {
    kernel().name
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

    #[test]
    fn groups_hash_as_single_hashes_do() {
        let leaf = |number: u8| (Key::from([number; 32]), ValueHash::from([number + 100; 32]));
        let node = |number: u8| [[number; 32], [number + 1; 32]];
        for count in 1..=Group::WIDTH as u8 {
            let mut group = Group::new();
            (0..count).map(leaf).for_each(|(key, value_hash)| group.add_leaf(&key, &value_hash));
            let hashes: Vec<_> = group.hash().map(|words| bytes_of(&words)).collect();
            let single = (0..count).map(leaf).map(|(key, value_hash)| leaf_hash(&key, &value_hash));
            assert_eq!(hashes, single.collect::<Vec<_>>());
        }
        for count in [0, 1, 8, 9, 50] {
            let nodes: Vec<_> = (0..count).map(node).collect();
            let mut hashes = vec![[0; 32]; nodes.len()];
            internal_hashes(&nodes, &mut hashes);
            let single = nodes.iter().map(|[left, right]| internal_hash(left, right));
            assert_eq!(hashes, single.collect::<Vec<_>>());
        }
    }
}
