//! Proofs made by an attacker, who may also choose the root.

use std::collections::BTreeMap;

use hypha_tree::{Key, ProofError, Root, Touch, Tree, ValueHash, verify};
use proptest::prelude::*;

use crate::{
    forgery::Forgery,
    model::{Leaf, cases, keys, leaves},
    random::Random,
};

/// The root for which `proof` shows the claim, when there is one.
fn root_shown(touch: Touch, proof: &[u8]) -> Option<Root> {
    match verify(Root::from([1; 32]), &[touch], proof) {
        Err(ProofError::RootMismatch { actual, .. }) => Some(actual),
        _ => None,
    }
}

/// Proofs about `key` that an attacker could make from the trees with `leaves` and some of them.
fn forgeries(key: Key, leaves: &[Leaf], random: &mut Random) -> Vec<Vec<u8>> {
    let mut proofs = Vec::new();
    for size in 0..=leaves.len() {
        let tree = Tree::new().with(leaves[..size].iter().copied());
        for other in leaves.iter().map(|leaf| leaf.0).chain([key]) {
            let honest = Forgery::from(&tree.prove(&[other]));
            proofs.push(honest.encode());
            for alterations in 1..4 {
                let mut forgery = honest.clone();
                (0..alterations).for_each(|_| forgery.alter(random, leaves));
                proofs.push(forgery.encode());
            }
        }
    }
    proofs
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn no_root_has_both_membership_and_absence_nor_two_values(
        key in keys(),
        others in leaves(8),
        seed in any::<u64>(),
    ) {
        let mut random = Random::new(&seed.to_string());
        let values = [1, 2].map(|value: u8| ValueHash::of(&[value]));
        let mut leaves = others;
        leaves.insert(leaves.len() / 2, (key, values[0]));
        leaves.push((key, values[1]));
        let claims = [None, Some(values[0]), Some(values[1])];
        let mut shown: BTreeMap<Root, Option<ValueHash>> = BTreeMap::new();
        for proof in forgeries(key, &leaves, &mut random) {
            for old in claims {
                if let Some(root) = root_shown(Touch { key, old, new: None }, &proof) {
                    prop_assert_eq!(*shown.entry(root).or_insert(old), old, "two claims at root {}", root);
                }
            }
        }
        // The attack was one: all three claims were shown, each for roots of its own.
        for claim in claims {
            prop_assert!(shown.values().any(|old| *old == claim));
        }
    }
}

#[test]
fn a_members_own_leaf_never_shows_its_absence() {
    let (key, value_hash) = (Key::from([0x42; 32]), ValueHash::of(b"1"));
    let tree = Tree::new().with([(key, value_hash), (Key::from([0xf0; 32]), value_hash)]);
    let mut forgery = Forgery::from(&tree.prove(&[key]));
    forgery.headers[0] ^= 0xc000;
    forgery.foreign.push((key, value_hash));
    let verdict = verify(tree.root(), &[Touch { key, old: None, new: None }], &forgery.encode());
    assert_eq!(verdict, Err(ProofError::ForeignIsTouched { index: 0 }));
}
