//! Differences against those of two plain maps.

use std::collections::BTreeMap;

use hypha_tree::{ChangedLeaf, Key, Tree, ValueHash};
use proptest::{prelude::*, sample::select};

use crate::{
    model::{self, Leaf, leaves},
    random::flip,
};

fn changed(old: &BTreeMap<Key, ValueHash>, new: &BTreeMap<Key, ValueHash>) -> Vec<ChangedLeaf> {
    let mut keys: Vec<Key> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let change = |key: Key| ChangedLeaf { key, old: old.get(&key).copied(), new: new.get(&key).copied() };
    keys.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

/// What lies at a place.
fn below(leaves: &BTreeMap<Key, ValueHash>, prefix: Key, depth: u16) -> Vec<Leaf> {
    let lies_there = |key: &Key| key.common_prefix(&prefix) >= depth;
    leaves.iter().filter(|(key, _)| lies_there(key)).map(|(key, value_hash)| (*key, *value_hash)).collect()
}

fn assert_diff(old: &[Leaf], new: &[Leaf], depth: u16) {
    let (old_map, new_map) = (old.iter().copied().collect(), new.iter().copied().collect());
    let (old, new) = (Tree::new().with(old.iter().copied()), Tree::new().with(new.iter().copied()));
    let subtrees = old.diff(&new, depth);
    let listed: Vec<ChangedLeaf> = subtrees.iter().flat_map(|subtree| subtree.leaves.clone()).collect();
    assert_eq!(listed, changed(&old_map, &new_map));
    for subtree in &subtrees {
        let place = |leaves| below(leaves, subtree.prefix, subtree.depth);
        let (old, new) = (place(&old_map), place(&new_map));
        assert_eq!(subtree.old, model::subtree(&old, subtree.depth.into()));
        assert_eq!(subtree.new, model::subtree(&new, subtree.depth.into()));
        assert_ne!(subtree.old, subtree.new);
        assert!((subtree.depth..256).all(|bit| !subtree.prefix.bit(bit)), "bits of {}", subtree.prefix);
        let inside = |leaf: &ChangedLeaf| leaf.key.common_prefix(&subtree.prefix) >= subtree.depth;
        assert!(!subtree.leaves.is_empty() && subtree.leaves.iter().all(inside));
        let is_shallow = subtree.depth < depth && old.len() < 2 && new.len() < 2;
        assert!(subtree.depth == depth || is_shallow, "a subtree at {} of {depth}", subtree.depth);
    }
    let keys: Vec<Key> = subtrees.iter().map(|subtree| subtree.prefix).collect();
    assert!(keys.is_sorted_by(|one, next| one < next));
}

proptest! {
    #![proptest_config(model::cases(4))]

    #[test]
    fn a_difference_is_that_of_the_maps(
        old in leaves(16),
        new in leaves(16),
        depth in select(vec![0u16, 1, 2, 3, 8, 127, 128, 253, 254, 255, 256]),
    ) {
        assert_diff(&old, &new, depth);
        assert_diff(&new, &old, depth);
        assert_diff(&old, &old, depth);
        let newer = [old.clone(), new].concat();
        assert_diff(&old, &newer, depth);
        assert_diff(&newer, &old, depth);
    }
}

#[test]
fn a_leaf_that_only_moved_has_not_changed() {
    let (here, value) = (Key::from([0x5a; 32]), ValueHash::of(b"1"));
    let old = Tree::new().with([(here, value)]);
    for depth in 0..256 {
        let neighbour = flip(here, depth);
        let new = old.with([(neighbour, value)]);
        let added = ChangedLeaf { key: neighbour, old: None, new: Some(value) };
        let gone = ChangedLeaf { key: neighbour, old: Some(value), new: None };
        for (from, to, change) in [(&old, &new, added), (&new, &old, gone)] {
            let subtrees = from.diff(to, 256);
            assert_eq!(subtrees.len(), 1);
            assert_eq!(subtrees[0].leaves, [change]);
            assert_eq!(subtrees[0].depth, depth + 1);
        }
    }
}

#[test]
fn equal_trees_have_no_difference() {
    assert_eq!(Tree::new().diff(&Tree::new(), 0), []);
    let leaf = (Key::from([1; 32]), ValueHash::of(b"1"));
    assert_eq!(Tree::new().with([leaf]).diff(&Tree::new().with([leaf]), 0), []);
}
