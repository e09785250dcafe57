//! The same keys and batches for every engine, from numbers alone.

use std::collections::HashSet;

use hypha_tree::{Key, ValueHash};

/// A leaf of a batch.
pub(crate) type Leaf = (Key, ValueHash);

/// How many parts of the key space a large tree is built from, each a run of keys that lie together.
const RUNS: u64 = 128;

/// The key of leaf `number`: 256 bits that look random.
pub(crate) fn key(number: u64) -> Key {
    let mut bytes = [0; 32];
    for (index, word) in bytes.chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&mix(4 * number + index as u64).to_be_bytes());
    }
    Key::from(bytes)
}

/// The value hash of leaf `number` when it was written by what has this seed. It is given, never computed in
/// a measured time, except by `jmt`, which hashes values itself.
pub(crate) fn value(seed: u64, number: u64) -> ValueHash {
    let mut bytes = *key(number).as_bytes();
    bytes[..8].copy_from_slice(&mix(seed).to_be_bytes());
    ValueHash::from(bytes)
}

/// The leaves `from` to `to` as they are before any batch.
pub(crate) fn leaves(from: u64, to: u64) -> impl Iterator<Item = Leaf> {
    (from..to).map(|number| (key(number), value(0, number)))
}

/// The same leaves as `leaves(0, count)` in runs of which each lies in another part of the key space, in
/// order.
pub(crate) fn runs(count: u64) -> impl Iterator<Item = Vec<Leaf>> {
    (0..RUNS).map(move |run| {
        let here = |number: &u64| mix(4 * number) / (u64::MAX / RUNS + 1) == run;
        (0..count).filter(here).map(|number| (key(number), value(0, number))).collect()
    })
}

/// A batch: so many `inserts`, of the leaves from number `first_new` on, and for the rest updates of random
/// ones among the `present` first leaves; all distinct, in no order.
pub(crate) fn batch(seed: u64, keys: u64, inserts: u64, first_new: u64, present: u64) -> Vec<Leaf> {
    let inserted = (first_new..first_new + inserts).collect();
    let updated = distinct(seed, keys - inserts, present);
    [inserted, updated].concat().into_iter().map(|number| (key(number), value(seed, number))).collect()
}

/// The keys of the leaves before number `count`, in ascending order.
pub(crate) fn sorted(count: u64) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count).map(key).collect();
    keys.sort_unstable();
    keys
}

/// The keys of so many random ones among the `present` first leaves, all distinct, in ascending order.
pub(crate) fn present(seed: u64, count: u64, present: u64) -> Vec<Key> {
    let mut keys: Vec<Key> = shuffled(seed, count, present);
    keys.sort_unstable();
    keys
}

/// The same, in no order.
pub(crate) fn shuffled(seed: u64, count: u64, present: u64) -> Vec<Key> {
    distinct(seed, count, present).into_iter().map(key).collect()
}

/// So many distinct random numbers below `below`.
fn distinct(seed: u64, count: u64, below: u64) -> Vec<u64> {
    let mut random = Random::new(seed);
    let mut seen = HashSet::new();
    let mut numbers = Vec::new();
    while numbers.len() < count.min(below) as usize {
        let number = random.below(below);
        if seen.insert(number) {
            numbers.push(number);
        }
    }
    numbers
}

/// Random numbers from a seed.
pub(crate) struct Random(u64);

impl Random {
    /// Of another sequence than the keys are made from.
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(!seed))
    }

    /// Evenly distributed, for all that a measurement can tell.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        ((u128::from(mix(self.0)) * u128::from(bound)) >> 64) as u64
    }
}

/// SplitMix64: the output function over a counter.
fn mix(counter: u64) -> u64 {
    let mut word = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}
