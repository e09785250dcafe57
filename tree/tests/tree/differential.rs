//! Roots against the published `jmt` crate and against the model.

use std::{collections::BTreeMap, num::NonZeroUsize};

use hypha_tree::{Key, Root, Tree, ValueHash};
use jmt::{JellyfishMerkleTree, KeyHash, mock::MockTreeStore, storage::TreeWriter};
use keccak_asm::Keccak256;
use proptest::prelude::*;

use crate::{
    model::{self, leaves},
    random::{Random, flip},
};

/// `jmt` with Keccak-256.
#[derive(Default)]
struct Jmt {
    store: MockTreeStore,
    version: u64,
}

impl Jmt {
    fn apply(&mut self, batch: &BTreeMap<Key, Vec<u8>>) -> Root {
        let tree = JellyfishMerkleTree::<_, Keccak256>::new(&self.store);
        let values = batch.iter().map(|(key, value)| (KeyHash((*key).into()), Some(value.clone())));
        let (root, update) = tree.put_value_set(values, self.version).expect("the store is complete");
        self.store.write_node_batch(&update.node_batch).expect("the store takes each version once");
        self.version += 1;
        Root::from(root.0)
    }
}

/// Batches of up to `largest` inserts and updates, with `jmt` beside. Gives the number of keys in the end.
fn compare_history(seed: &str, batches: usize, largest: usize) -> usize {
    let mut random = Random::new(seed);
    let (mut tree, mut jmt, mut model) = (Tree::new(), Jmt::default(), BTreeMap::new());
    let mut known: Vec<Key> = vec![random.key()];
    for batch in 0..batches {
        let mut writes = BTreeMap::new();
        for _ in 0..=random.below(largest) {
            let length = 1 + random.below(40);
            writes.insert(choose_key(&mut random, &known), random.word().repeat(2)[..length].to_vec());
        }
        known.extend(writes.keys().filter(|key| !model.contains_key(*key)));
        let leaves: Vec<_> = writes.iter().map(|(key, value)| (*key, ValueHash::of(value))).collect();
        model.extend(leaves.iter().copied());
        tree = tree.with(leaves);
        assert_eq!(tree.root(), jmt.apply(&writes), "seed {seed}, batch {batch}");
        assert_eq!(tree.len(), model.len());
    }
    assert_eq!(tree.root(), model::root(&model));
    assert!(tree.iter().eq(model));
    tree.len()
}

/// An update, a neighbour at any depth, a neighbour at the deepest, one of a crowd that shares all but some last bits
/// with a key, or any key.
fn choose_key(random: &mut Random, known: &[Key]) -> Key {
    let near = *random.pick(known);
    match random.below(10) {
        0..3 => near,
        3 => flip(near, random.below(256) as u16),
        4 => flip(near, 255),
        5 => {
            let mut crowded: [u8; 32] = known[0].into();
            crowded[29..].copy_from_slice(&random.word()[..3]);
            Key::from(crowded)
        }
        _ => random.key(),
    }
}

#[test]
fn roots_of_small_random_histories_are_those_of_jmt() {
    for seed in 0..40 {
        compare_history(&format!("small {seed}"), 40, 3);
    }
}

#[test]
fn roots_of_a_history_of_large_batches_are_those_of_jmt() {
    assert!(compare_history("large", 60, 400) > 7_000);
}

/// Thousands of batches; with `HYPHA_FULL=1` tens of thousands of keys.
#[test]
fn roots_of_a_long_history_are_those_of_jmt() {
    if std::env::var("HYPHA_FULL").as_deref() == Ok("1") {
        assert!(compare_history("long and full", 8_000, 16) > 40_000);
    } else {
        assert!(compare_history("long", 2_000, 6) > 4_000);
    }
}

proptest! {
    #[test]
    fn leaves_in_any_order_and_any_batches_give_the_root_of_the_model(
        leaves in leaves(40),
        cuts in prop::collection::vec(1usize..10, 40),
        others in leaves(4),
    ) {
        let mut tree = Tree::new();
        let mut rest = &leaves[..];
        for cut in cuts {
            let (batch, later) = rest.split_at(cut.min(rest.len()));
            tree = tree.with(batch.iter().copied());
            rest = later;
        }
        tree = tree.with(rest.iter().copied());
        let model: BTreeMap<_, _> = leaves.into_iter().collect();
        prop_assert_eq!(tree.root(), model::root(&model));
        prop_assert_eq!(tree.len(), model.len());
        prop_assert_eq!(tree.is_empty(), model.is_empty());
        prop_assert!(tree.iter().eq(model.iter().map(|(key, value_hash)| (*key, *value_hash))));
        prop_assert_eq!(Tree::new().with(model.clone().into_iter().rev()).root(), tree.root());
        for (key, _) in &others {
            prop_assert_eq!(tree.get(key), model.get(key).copied());
        }

        let before = tree.root();
        let next = tree.with(others.iter().copied());
        prop_assert_eq!(tree.root(), before);
        let mut model = model;
        model.extend(others);
        prop_assert_eq!(next.root(), model::root(&model));
        prop_assert_eq!(next.len(), model.len());
    }
}

/// A key that shares its first 100 bits with all others of these, and rarely more than the next dozen.
fn crowded(random: &mut Random) -> Key {
    let mut bytes = random.word();
    bytes[..12].fill(0x5a);
    bytes[12] &= 0x0f;
    Key::from(bytes)
}

/// Batches that several threads share are applied where they all go down one path.
#[track_caller]
fn assert_crowds_are_those_of_the_model(base: &[Key], threads: NonZeroUsize) {
    let mut random = Random::new("crowds");
    let (mut tree, mut model) = (Tree::with_threads(threads), BTreeMap::new());
    let mut keys = base.to_vec();
    for inserted in [1_500, 513, 0, 600] {
        let leaves: Vec<_> = keys.iter().map(|key| (*key, random.value_hash())).collect();
        model.extend(leaves.iter().copied());
        tree = tree.with(leaves);
        assert_eq!(tree.root(), model::root(&model));
        assert_eq!(tree.len(), model.len());
        keys.retain(|_| random.below(2) == 0);
        keys.extend((0..inserted).map(|_| crowded(&mut random)));
    }
    assert!(tree.iter().eq(model));
}

#[test]
fn a_crowd_below_one_long_path_is_that_of_the_model_on_any_number_of_threads() {
    let mut random = Random::new("before the crowd");
    let inside = crowded(&mut random);
    let elsewhere: Vec<Key> = (0..1_000).map(|_| random.key()).collect();
    for threads in [1, 4].map(|threads| NonZeroUsize::new(threads).expect("it is not zero")) {
        for base in [&[][..], &[inside], &[flip(inside, 50)], &elsewhere] {
            assert_crowds_are_those_of_the_model(base, threads);
        }
    }
}
