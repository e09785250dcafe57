//! Range proofs against a plain map, against alterations and against claims of other ranges.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
};

use hypha_tree::{Key, LeafRange, RangeError, RangeProof, Root, Tree, ValueHash, keccak, verify_range};
use proptest::prelude::*;

use crate::{
    model::{Leaf, cases, keys, leaves, value_hashes},
    random::{Random, flip},
};

const ZERO: [u8; 32] = [0; 32];
const ONES: [u8; 32] = [0xff; 32];
const ALL: NonZeroUsize = NonZeroUsize::MAX;

fn range(tree: &Tree, from: Key, to: Key) -> LeafRange {
    tree.prove_range(from, to, ALL).expect("the bounds are in order")
}

fn verify(root: Root, range: &LeafRange) -> Result<(), RangeError> {
    verify_range(root, range.from, range.to, &range.leaves, &range.proof.encode())
}

fn bounds() -> impl Strategy<Value = Key> {
    prop_oneof![6 => keys(), 1 => Just(Key::from(ZERO)), 1 => Just(Key::from(ONES))]
}

fn ordered(one: Key, other: Key) -> (Key, Key) {
    (one.min(other), one.max(other))
}

/// Only what is true is accepted, and only with the honest proof.
fn assert_sound(tree: &Tree, from: Key, to: Key, leaves: &[Leaf], proof: &[u8]) {
    let honest = range(tree, from, to);
    let is_honest = honest.leaves == leaves && honest.proof.encode() == proof;
    let result = verify_range(tree.root(), from, to, leaves, proof);
    assert_eq!(result.is_ok(), is_honest, "{result:?} for {leaves:?} from {from} to {to}");
    if let Ok(decoded) = RangeProof::decode(proof) {
        assert_eq!(decoded.encode(), proof);
        assert_eq!(decoded.verify(tree.root(), from, to, leaves), result);
    }
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn a_range_has_the_leaves_of_the_map_and_no_other_claim_is_accepted(
        leaves in leaves(24),
        (one, other) in (bounds(), bounds()),
        extra in (keys(), value_hashes()),
    ) {
        let model: BTreeMap<_, _> = leaves.iter().copied().collect();
        let tree = Tree::new().with(leaves);
        let (from, to) = ordered(one, other);
        let honest = range(&tree, from, to);
        let expected: Vec<Leaf> = model.range(from..=to).map(|(key, value_hash)| (*key, *value_hash)).collect();
        prop_assert_eq!(&honest.leaves, &expected);
        prop_assert_eq!((honest.from, honest.to), (from, to));
        prop_assert_eq!(verify(tree.root(), &honest), Ok(()));
        let proof = honest.proof.encode();
        prop_assert_eq!(RangeProof::decode(&proof), Ok(honest.proof));

        for position in 0..expected.len() {
            let mut lie = expected.clone();
            lie[position].1 = ValueHash::from([7; 32]);
            assert_sound(&tree, from, to, &lie, &proof);
            lie.remove(position);
            assert_sound(&tree, from, to, &lie, &proof);
        }
        let mut lie = model;
        lie.insert(extra.0, extra.1);
        let lie: Vec<Leaf> = lie.range(from..=to).map(|(key, value_hash)| (*key, *value_hash)).collect();
        assert_sound(&tree, from, to, &lie, &proof);
        // The proof that would be honest if the lie were true.
        let other = Tree::new().with(tree.iter().chain([extra]));
        assert_sound(&tree, from, to, &lie, &range(&other, from, to).proof.encode());
    }

    #[test]
    fn a_proof_of_another_range_is_accepted_only_where_it_is_the_same(
        leaves in leaves(12),
        bounds in prop::array::uniform4(bounds()),
    ) {
        let tree = Tree::new().with(leaves);
        let (one, other) = (ordered(bounds[0], bounds[1]), ordered(bounds[2], bounds[3]));
        let honest = range(&tree, one.0, one.1);
        let proof = honest.proof.encode();
        assert_sound(&tree, other.0, other.1, &honest.leaves, &proof);
        assert_sound(&tree, other.0, other.1, &range(&tree, other.0, other.1).leaves, &proof);
    }

    #[test]
    fn pages_together_are_the_whole_range(
        leaves in leaves(24),
        (one, other) in (bounds(), bounds()),
        most in 1usize..6,
    ) {
        let model: BTreeMap<_, _> = leaves.iter().copied().collect();
        let tree = Tree::new().with(leaves);
        let (from, to) = ordered(one, other);
        let (mut next, mut paged) = (Some(from), Vec::new());
        while let Some(from) = next.filter(|from| *from <= to) {
            let page = tree.prove_range(from, to, NonZeroUsize::new(most).unwrap()).unwrap();
            prop_assert_eq!(verify(tree.root(), &page), Ok(()));
            prop_assert!(page.leaves.len() == most || page.to == to);
            prop_assert!(page.leaves.len() <= most && page.to <= to);
            next = page.next_from();
            paged.extend(page.leaves);
        }
        let expected: Vec<Leaf> = model.range(from..=to).map(|(key, value_hash)| (*key, *value_hash)).collect();
        prop_assert_eq!(paged, expected);
    }

    #[test]
    fn bytes_from_anyone_never_panic_and_show_nothing_false(
        leaves in leaves(6),
        (one, other) in (bounds(), bounds()),
        listed in prop::collection::btree_map(keys(), value_hashes(), 0..4),
        counts in prop::array::uniform3(0u32..4),
        body in prop::collection::vec(prop_oneof![Just(0u8), Just(0x40), Just(0x80), any::<u8>()], 0..300),
    ) {
        let tree = Tree::new().with(leaves);
        let (from, to) = ordered(one, other);
        let mut bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
        bytes.extend(body);
        let fixed = 12 + 2 * counts[0] as usize + 64 * counts[1] as usize + usize::from(counts[2] > 0);
        bytes.truncate(fixed + 32 * counts[2] as usize);
        let listed: Vec<Leaf> = listed.into_iter().collect();
        assert_sound(&tree, from, to, &listed, &bytes);
        let within: Vec<Leaf> = listed.into_iter().filter(|(key, _)| (from..=to).contains(key)).collect();
        assert_sound(&tree, from, to, &within, &bytes);
    }
}

/// A tree and ranges of it with each pair of kinds of terminals, by their bounds.
fn example() -> (Tree, Vec<(Key, Key)>) {
    let mut random = Random::new("ranges");
    let mut leaves: Vec<Leaf> = (0..12).map(|_| (random.key(), random.value_hash())).collect();
    for depth in [12, 200, 255] {
        leaves.push((flip(leaves[0].0, depth), random.value_hash()));
    }
    let tree = Tree::new().with(leaves);
    let keys: Vec<Key> = tree.iter().map(|(key, _)| key).collect();
    let mut bounds: Vec<Key> = keys.iter().flat_map(|key| [*key, flip(*key, 3), flip(*key, 254)]).collect();
    bounds.sort_unstable();
    let (mut chosen, mut shapes) = (Vec::new(), BTreeSet::new());
    for from in &bounds {
        for to in bounds.iter().filter(|to| *to >= from) {
            let bytes = range(&tree, *from, *to).proof.encode();
            let kinds: Vec<u8> = (0..bytes[3]).map(|at| bytes[12 + 2 * usize::from(at)] >> 6).collect();
            if shapes.insert(kinds) {
                chosen.push((*from, *to));
            }
        }
    }
    assert_eq!(shapes.len(), 3 + 9, "one terminal or two, of three kinds each: {shapes:?}");
    (tree, chosen)
}

#[test]
fn every_alteration_of_one_byte_is_refused() {
    let (tree, ranges) = example();
    for (from, to) in ranges {
        let honest = range(&tree, from, to);
        let proof = honest.proof.encode();
        let mut altered = Vec::new();
        for position in 0..proof.len() {
            for difference in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = proof.clone();
                bytes[position] ^= difference;
                altered.push(bytes);
            }
            let mut bytes = proof.clone();
            bytes.remove(position);
            altered.push(bytes);
            altered.push(proof[..position].to_vec());
        }
        for position in 0..=proof.len() {
            for byte in [0, 1, 0x40, 0x80, 0xff] {
                let mut bytes = proof.clone();
                bytes.insert(position, byte);
                // Before an equal byte and after it is the same.
                altered.push(bytes);
            }
        }
        assert_eq!(verify(tree.root(), &honest), Ok(()));
        for bytes in altered {
            assert_sound(&tree, from, to, &honest.leaves, &bytes);
        }
    }
}

/// Bounds beside, on and around leaves, in trees with very long common prefixes.
#[test]
fn ranges_at_the_edges_are_those_of_the_map() {
    let base = Key::from([0x5a; 32]);
    let trees: [&[Key]; 6] = [
        &[],
        &[base],
        &[base, flip(base, 255)],
        &[base, flip(base, 0)],
        &[base, flip(base, 255), flip(base, 254), flip(base, 128)],
        &[Key::from(ONES), flip(Key::from(ONES), 255), flip(Key::from(ZERO), 255)],
    ];
    let mut bounds = vec![Key::from(ZERO), Key::from(ONES), base];
    bounds.extend([0, 1, 127, 128, 253, 254, 255].map(|depth| flip(base, depth)));
    bounds.extend([0, 254, 255].map(|depth| flip(Key::from(ONES), depth)));
    for keys in trees {
        let model: BTreeMap<Key, ValueHash> = keys.iter().map(|key| (*key, ValueHash::of(b"1"))).collect();
        let tree = Tree::new().with(model.clone());
        for from in &bounds {
            for to in &bounds {
                let proved = tree.prove_range(*from, *to, ALL);
                if from > to {
                    assert_eq!(proved, Err(RangeError::BoundsReversed));
                    assert_eq!(
                        verify_range(tree.root(), *from, *to, &[], &[]),
                        Err(RangeError::BoundsReversed)
                    );
                    continue;
                }
                let proved = proved.unwrap();
                assert!(
                    proved.leaves.iter().copied().eq(model.range(*from..=*to).map(|leaf| (*leaf.0, *leaf.1)))
                );
                assert_eq!(verify(tree.root(), &proved), Ok(()));
                assert_eq!(proved.next_from().is_none(), *to == Key::from(ONES));
            }
        }
    }
}

#[test]
fn the_whole_of_a_large_tree_needs_no_sibling() {
    let tree = Tree::new().with((0u32..10_000).map(|number| {
        let key = keccak(&number.to_be_bytes());
        (Key::from(key), ValueHash::from(key))
    }));
    let whole = range(&tree, Key::from(ZERO), Key::from(ONES));
    assert_eq!(whole.leaves.len(), 10_000);
    assert_eq!(verify(tree.root(), &whole), Ok(()));
    // The two outermost leaves are foreign to no range: nothing but the counts and two headers.
    assert_eq!(whole.proof.encode().len(), 12 + 2 * 2);
    let page = tree.prove_range(Key::from(ZERO), Key::from(ONES), NonZeroUsize::new(100).unwrap()).unwrap();
    assert_eq!(page.leaves, whole.leaves[..100]);
    assert_eq!(verify(tree.root(), &page), Ok(()));
}

#[test]
fn the_next_page_begins_at_the_key_after_the_range() {
    let next_from = |to: Key| range(&Tree::new(), Key::from(ZERO), to).next_from();
    let mut carrying = ONES;
    carrying[3] = 7;
    let mut carried = ONES;
    carried[3] = 8;
    carried[4..].fill(0);
    assert_eq!(next_from(Key::from(carrying)), Some(Key::from(carried)));
    assert_eq!(next_from(Key::from(ZERO)), Some(flip(Key::from(ZERO), 255)));
    assert_eq!(next_from(Key::from(ONES)), None);
}
