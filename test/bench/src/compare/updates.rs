//! Batches: how fast they give a new root, and how far that is from hashing alone.

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use hypha_tree::internal_hashes;
use serde_json::Value;

use super::{ANSWER_DEADLINE, OURS, Size, VERSIONS, is_ours, least_of};
use crate::{
    keys,
    machine::{cores, median, nanoseconds},
    model,
    report::Report,
};

/// Keys that each engine writes in a round, at least one batch.
const KEYS_IN_A_ROUND: u64 = 50_000;
/// How often nodes are hashed, and how many at a time, to know how long one hash takes.
const HASHINGS: usize = 20;
const HASHED_NODES: usize = 4_096;

/// What the rounds gave.
#[derive(Default)]
struct Rounds {
    /// For each engine the nanoseconds of every batch.
    times: BTreeMap<&'static str, Vec<f64>>,
    /// The hashes of the last batch, as each engine of ours counts them.
    hashes: BTreeMap<&'static str, f64>,
    /// Nanoseconds of one hash on one core, in every round.
    keccak: Vec<f64>,
    /// Which random keys the last batch had.
    last_seed: u64,
}

impl Size {
    /// Measures batches of so many keys, ours with so many versions kept.
    pub(super) fn measure_updates(
        &mut self,
        keys: u64,
        versions: u64,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        eprintln!("bench: {} leaves: batches of {keys} keys, {versions} versions", self.leaves);
        // Updates only, so that the tree does not grow: until ours keeps as many versions as it shall.
        let (from, seed) = (self.next_new, self.next_seed());
        self.each(report, |name, served| {
            let batches = if is_ours(name) { versions } else { 1 };
            served.ask(&format!("update {keys} 0 {batches} {from} {versions} {seed}"), ANSWER_DEADLINE)
        })?;
        let rounds = self.rounds(keys, versions, report)?;
        let least = self.least_hashes(keys, rounds.last_seed);
        let suffix = if versions == VERSIONS { String::new() } else { format!("/versions={versions}") };
        for (name, times) in &rounds.times {
            let case = format!("{name}/n={}/k={keys}{suffix}", self.leaves);
            let nanoseconds = median(times.clone()) / keys as f64;
            report.row(&case, "updates_per_second", 1e9 / nanoseconds, "1/s");
            report.row(&case, "best_updates_per_second", 1e9 * keys as f64 / least_of(times), "1/s");
            if let Some(hashes) = rounds.hashes.get(name) {
                let keccak = median(rounds.keccak.clone());
                let threads = if *name == OURS { cores() } else { 1 };
                report.row(&case, "hashes_per_update", hashes / keys as f64, "");
                report.row(&case, "least_hashes_per_update", least / keys as f64, "");
                report.row(&case, "keccak_ns", keccak, "ns");
                let bound = least / keys as f64 * keccak / threads as f64;
                report.row(&case, "share_of_hash_bound", 100.0 * bound / nanoseconds, "%");
            }
        }
        Ok(())
    }

    /// So many batches that the tree grows by a quarter at the most, and that there is one.
    fn rounds(&mut self, keys: u64, versions: u64, report: &mut Report) -> anyhow::Result<Rounds> {
        let most = self.rounds * (KEYS_IN_A_ROUND / keys).max(1);
        let mut left = (self.leaves / (2 * keys)).clamp(1, most);
        let in_a_round = left.div_ceil(self.rounds);
        let mut rounds = Rounds::default();
        while left > 0 {
            let batches = in_a_round.min(left);
            let (inserts, from, seed) = (keys / 2, self.next_new, self.next_seed());
            let question = format!("update {keys} {inserts} {batches} {from} {versions} {seed}");
            let answers = self.each(report, |_, served| served.ask(&question, ANSWER_DEADLINE))?;
            rounds.add(&answers);
            rounds.keccak.push(keccak_nanoseconds());
            rounds.last_seed = seed + batches - 1;
            self.next_new += batches * inserts;
            left -= batches;
        }
        Ok(rounds)
    }

    /// How many hashes the last batch took at the least.
    fn least_hashes(&self, keys: u64, last_seed: u64) -> f64 {
        let inserts = keys / 2;
        let batch = keys::batch(last_seed, keys, inserts, self.next_new - inserts, self.leaves);
        let mut touched: Vec<_> = batch.into_iter().map(|(key, _)| key).collect();
        touched.sort_unstable();
        model::hashes(&keys::sorted(self.next_new), &touched) as f64
    }
}

impl Rounds {
    fn add(&mut self, answers: &[(&'static str, Value)]) {
        for (name, answer) in answers {
            let times = answer["nanoseconds"].as_array().into_iter().flatten();
            self.times.entry(name).or_default().extend(times.filter_map(Value::as_f64));
            if let Some(hashes) = answer["hashes"].as_f64() {
                self.hashes.insert(name, hashes);
            }
        }
    }
}

/// What one hash of an internal node takes on one core when many are hashed at once.
fn keccak_nanoseconds() -> f64 {
    let nodes = vec![[[1; 32], [2; 32]]; HASHED_NODES];
    let mut hashes = vec![[0; 32]; HASHED_NODES];
    let times = (0..HASHINGS).map(|_| {
        let started = Instant::now();
        internal_hashes(black_box(&nodes), &mut hashes);
        black_box(&hashes);
        nanoseconds(started) / HASHED_NODES as f64
    });
    median(times.collect())
}
