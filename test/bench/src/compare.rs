//! The engines of one size side by side, in rounds.

mod proofs;
mod reopening;
mod updates;

use std::{fs, time::Duration};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Scale, machine::cores, process::Served, report::Report};

/// Where databases and files may lie for the time of a run.
pub(crate) const DIRECTORY: &str = "target/bench";
const SIZES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// Sizes from here on are for ours only.
const OURS_ONLY_FROM: u64 = 10_000_000;
/// The largest size of sparse-merkle-tree without `trie`, which takes some 70 KB for each leaf.
const SPARSE_MERKLE_TREE_UP_TO: u64 = 10_000;

/// Ours on all cores; what else begins with this name is ours too.
const OURS: &str = "hypha";
const OURS_ON_ONE_THREAD: &str = "hypha/threads=1";
/// Versions that ours keeps while it is measured.
const VERSIONS: u64 = 64;
/// Keys of a batch.
const BATCHES: [u64; 3] = [100, 1_000, 10_000];
/// For a case more: a batch of these keys, and the coordinator's default number of versions.
const MOST_VERSIONS: (u64, u64) = (100, 1_024);
/// Turns that each engine has in every case; fewer when it is only to be seen that all still runs.
const ROUNDS: u64 = 7;
const QUICK_ROUNDS: u64 = 2;

const BUILD_DEADLINE: Duration = Duration::from_secs(400);
const ANSWER_DEADLINE: Duration = Duration::from_secs(90);

/// Measures all sizes, or the smallest.
pub(crate) fn measure(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let (sizes, rounds, batches) = match scale {
        Scale::Full => (&SIZES[..], ROUNDS, &BATCHES[..]),
        Scale::Quick => (&SIZES[..1], QUICK_ROUNDS, &BATCHES[..2]),
    };
    explain(rounds, report);
    sizes.iter().try_for_each(|leaves| measure_size(*leaves, rounds, batches, report))
}

fn explain(rounds: u64, report: &mut Report) {
    report.note(format!(
        "Numbers are medians over {rounds} rounds in which the engines of a size take turns; the best stand \
         beside them. The machine has {} cores, ours hashes with {}. Batches are half inserts, half updates \
         of random leaves; keys and value hashes are given. Every engine hashes with Keccak-256, the peers \
         with keccak-asm.",
        cores(),
        hypha_tree::keccak_kernel()
    ));
    report.note(
        "Before each turn's measured proofs others are made, because the engine that had its turn before has emptied \
         the caches.",
    );
    report.note(
        "share_of_hash_bound: the time that the least hashes would take on all cores that the engine may \
         use, by the nanoseconds of one hash on one core in the same rounds, as a share of the time that was \
         taken. The least hashes and the least sibling bytes are counted from the keys alone.",
    );
    report.note(format!(
        "hypha keeps the last {VERSIONS} versions unless it says otherwise; sorting a batch and letting go \
         of the oldest version are in its time. nomt: a session up to its root, not committed, all pages \
         cached, the batch sorted before; on all cores, and on one thread as it comes. jmt: one version in hash maps, stale nodes dropped outside of its \
         time; it hashes the values too, and its multiproof is single ones. sparse-merkle-tree without its \
         feature trie: only {SPARSE_MERKLE_TREE_UP_TO} leaves, because of its memory."
    ));
}

fn measure_size(leaves: u64, rounds: u64, batches: &[u64], report: &mut Report) -> anyhow::Result<()> {
    eprintln!("bench: {leaves} leaves");
    let mut size = Size::start(leaves, rounds, report)?;
    size.snapshot()?;
    size.measure_proofs(report)?;
    for keys in batches {
        size.measure_updates(*keys, VERSIONS, report)?;
    }
    size.engines.retain(|(name, _)| *name == OURS);
    size.measure_updates(MOST_VERSIONS.0, MOST_VERSIONS.1, report)?;
    size.measure_reopening(report)
}

fn names(leaves: u64) -> Vec<&'static str> {
    let mut names = vec![OURS];
    if leaves < OURS_ONLY_FROM {
        names.extend([OURS_ON_ONE_THREAD, "nomt", "nomt/threads=1", "jmt", "sparse-merkle-tree/trie"]);
    }
    if leaves <= SPARSE_MERKLE_TREE_UP_TO {
        names.push("sparse-merkle-tree");
    }
    names
}

/// The engines with so many leaves.
struct Size {
    leaves: u64,
    rounds: u64,
    engines: Vec<(&'static str, Served)>,
    /// The number of the first leaf that no batch has inserted yet.
    next_new: u64,
    /// Grows, so that no two questions are about the same random keys.
    seed: u64,
    /// Here databases and the snapshot lie as long as this lives.
    directory: TempDir,
}

impl Size {
    fn start(leaves: u64, rounds: u64, report: &mut Report) -> anyhow::Result<Self> {
        fs::create_dir_all(DIRECTORY)?;
        let directory = TempDir::new_in(DIRECTORY)?;
        let start = |name| Ok((name, Served::start(name, leaves, directory.path())?));
        let engines = names(leaves).into_iter().map(start).collect::<anyhow::Result<_>>()?;
        let mut size = Self { leaves, rounds, engines, next_new: leaves, seed: leaves, directory };
        for (name, built) in size.each(report, |_, served| served.answer(BUILD_DEADLINE))? {
            let case = format!("{name}/n={leaves}");
            report.row(&case, "bytes_per_leaf", number(&built, "bytes") / leaves as f64, "bytes");
            report.row(&case, "highest_mib", number(&built, "highest") / f64::from(1 << 20), "MiB");
        }
        Ok(size)
    }

    /// Asks every engine in turn. A peer that does not answer is left out from then on; ours must.
    fn each(
        &mut self,
        report: &mut Report,
        ask: impl Fn(&str, &mut Served) -> anyhow::Result<Value>,
    ) -> anyhow::Result<Vec<(&'static str, Value)>> {
        let mut answers = Vec::new();
        for (name, mut served) in std::mem::take(&mut self.engines) {
            match ask(name, &mut served) {
                Ok(answer) => answers.push((name, answer)),
                Err(error) if is_ours(name) => return Err(error).context(name),
                Err(error) => {
                    report.note(format!(
                        "{name} at {} leaves is left out from here on: {error:#}",
                        self.leaves
                    ));
                    continue;
                }
            }
            self.engines.push((name, served));
        }
        Ok(answers)
    }

    fn next_seed(&mut self) -> u64 {
        self.seed += u64::from(u32::MAX);
        self.seed
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(OURS)
}

/// A number of an answer, if it has one there.
fn number(answer: &Value, field: &str) -> f64 {
    answer[field].as_f64().unwrap_or(f64::NAN)
}

fn least_of(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}
