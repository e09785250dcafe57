//! The tree's definition over a plain map, as simply as it can be said.

use std::collections::BTreeMap;

use hypha_tree::{Key, Root, Touch, Tree, ValueHash, keccak};
use proptest::{prelude::*, sample::select};

use crate::random::flip;

pub(crate) type Leaf = (Key, ValueHash);

/// As many times the cases that `PROPTEST_CASES` says, which are 256 unless it is set.
pub(crate) fn cases(times: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.saturating_mul(times), ..usual }
}

/// The root of the tree with these leaves.
pub(crate) fn root(leaves: &BTreeMap<Key, ValueHash>) -> Root {
    Root::from(subtree(&leaves.iter().map(|(key, value_hash)| (*key, *value_hash)).collect::<Vec<_>>(), 0))
}

pub(crate) fn subtree(leaves: &[Leaf], depth: usize) -> [u8; 32] {
    match leaves {
        [] => *b"SPARSE_MERKLE_PLACEHOLDER_HASH__",
        [(key, value_hash)] => {
            keccak(&[&b"JMT::LeafNode"[..], key.as_bytes(), value_hash.as_bytes()].concat())
        }
        _ => {
            let goes_right = |leaf: &Leaf| leaf.0.as_bytes()[depth / 8] & (1 << (7 - depth % 8)) != 0;
            let (right, left): (Vec<Leaf>, Vec<Leaf>) = leaves.iter().partition(|leaf| goes_right(leaf));
            let (left, right) = (subtree(&left, depth + 1), subtree(&right, depth + 1));
            keccak(&[&b"JMT::IntrnalNode"[..], &left, &right].concat())
        }
    }
}

/// Keys that often are equal, or share long prefixes.
pub(crate) fn keys() -> impl Strategy<Value = Key> {
    let base = select(vec![Key::from([0x11; 32]), Key::from([0xa7; 32])]);
    let depth = select(vec![0u16, 1, 2, 7, 8, 9, 127, 128, 253, 254, 255]);
    let near = (base, depth.clone(), depth, any::<bool>())
        .prop_map(|(base, one, two, both)| if both { flip(flip(base, one), two) } else { flip(base, one) });
    // A key of zero is not valid; a random one never is.
    prop_oneof![3 => near, 1 => any::<[u8; 32]>().prop_map(|bytes| Key::from(keccak(&bytes)))]
}

pub(crate) fn value_hashes() -> impl Strategy<Value = ValueHash> {
    (0u8..8).prop_map(|value| ValueHash::of(&[value]))
}

pub(crate) fn leaves(most: usize) -> impl Strategy<Value = Vec<Leaf>> {
    prop::collection::vec((keys(), value_hashes()), 0..=most)
}

/// Honest touches of `tree`: each key once, with what is to be written there, if anything.
pub(crate) fn honest_touches(tree: &Tree, writes: &[(Key, Option<ValueHash>)]) -> Vec<Touch> {
    let writes: BTreeMap<Key, Option<ValueHash>> = writes.iter().copied().collect();
    writes.into_iter().map(|(key, new)| Touch { key, old: tree.get(&key), new }).collect()
}

/// What `touches` write.
pub(crate) fn written(touches: &[Touch]) -> impl Iterator<Item = Leaf> + '_ {
    touches.iter().filter_map(|touch| Some((touch.key, touch.new?)))
}

/// The encoded proof of just the keys that are touched.
pub(crate) fn honest_proof(tree: &Tree, touches: &[Touch]) -> Vec<u8> {
    tree.prove(&touches.iter().map(|touch| touch.key).collect::<Vec<_>>()).encode()
}
