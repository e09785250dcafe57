//! The engines, each behind the same few questions.

pub(crate) mod hypha;
mod jmt;
mod nomt;
mod sparse_merkle_tree;

use std::{
    hint::black_box,
    io::stdin,
    num::NonZeroUsize,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use hypha_tree::{Key, Tree};
use serde_json::{Value, json};

use crate::{
    keys::{self, Leaf},
    machine::{cores, memory},
};

/// From this many leaves on a tree is built in runs of keys that lie together, so that building it needs
/// little more memory than it has in the end.
const SORTED_FROM: u64 = 5_000_000;
/// Otherwise, and for peers, it is built in batches of this many random keys.
const BUILDING_BATCH: u64 = 10_000;

/// Proofs of other keys that are made before the measured ones.
const WARMING: u64 = 5;

/// What measuring proofs gave.
pub(crate) struct Proved {
    /// Until the proofs are there as data.
    pub(crate) time: Duration,
    /// The same and their encoding, where the engine has one.
    pub(crate) encoded: Option<Duration>,
    /// All bytes of the proofs.
    pub(crate) bytes: usize,
    /// The bytes among them that carry siblings, with all that says where they belong; without keys and
    /// values.
    pub(crate) sibling_bytes: Option<usize>,
}

/// What every engine can do.
pub(crate) trait Engine {
    /// Takes up a batch for good; how long does not matter.
    fn load(&mut self, batch: Vec<Leaf>) -> anyhow::Result<()>;

    /// The time in which a batch gives its new root, with so many versions kept if the engine has versions.
    fn update(&mut self, batch: Vec<Leaf>, versions: usize) -> anyhow::Result<Duration>;

    /// How many hashes the last batch took, if the engine counts them.
    fn hashes(&self) -> Option<u64> {
        None
    }

    /// Proves each key by itself.
    fn prove_each(&mut self, keys: &[Key]) -> anyhow::Result<Proved>;

    /// Proves all keys, which ascend, by one proof, or by one each when the engine has no other.
    fn prove_all(&mut self, keys: &[Key]) -> anyhow::Result<Proved>;

    /// Writes a snapshot, if the engine has any.
    fn snapshot(&self) -> anyhow::Result<()> {
        bail!("this engine has no snapshots")
    }
}

/// Builds the engine with so many leaves, says what memory that took, and answers questions until they end.
pub(crate) fn serve(name: &str, leaves: u64, directory: &Path) -> anyhow::Result<()> {
    let before = memory()?.resident;
    let mut engine = engine(name, leaves, directory)?;
    build(&mut *engine, leaves)?;
    let after = memory()?;
    println!("{}", json!({ "bytes": after.resident.saturating_sub(before), "highest": after.highest }));
    for line in stdin().lines() {
        println!("{}", answer(&mut *engine, leaves, &line?)?);
    }
    Ok(())
}

fn engine(name: &str, leaves: u64, directory: &Path) -> anyhow::Result<Box<dyn Engine>> {
    Ok(match name {
        "hypha" => Box::new(hypha::Hypha::new(Tree::new(), directory)),
        "hypha/threads=1" => Box::new(hypha::Hypha::new(Tree::with_threads(NonZeroUsize::MIN), directory)),
        "jmt" => Box::new(jmt::Jmt::default()),
        "nomt" => Box::new(nomt::open(leaves, cores(), directory)?),
        "nomt/threads=1" => Box::new(nomt::open(leaves, 1, directory)?),
        sparse_merkle_tree::NAME => Box::new(sparse_merkle_tree::Engine::default()),
        _ => bail!("this program has no engine {name}"),
    })
}

fn build(engine: &mut dyn Engine, leaves: u64) -> anyhow::Result<()> {
    if leaves >= SORTED_FROM {
        return keys::runs(leaves).try_for_each(|run| engine.load(run));
    }
    let starts = (0..leaves).step_by(BUILDING_BATCH as usize);
    starts
        .into_iter()
        .try_for_each(|from| engine.load(keys::leaves(from, leaves.min(from + BUILDING_BATCH)).collect()))
}

/// The questions: `update KEYS INSERTS BATCHES FIRST_NEW VERSIONS SEED`, `prove KEYS SEED`, `multiprove KEYS
/// SEED`, `snapshot`.
fn answer(engine: &mut dyn Engine, leaves: u64, question: &str) -> anyhow::Result<Value> {
    let mut words = question.split_whitespace();
    let name = words.next().unwrap_or_default();
    let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().context("a word is no number")?;
    match (name, numbers.as_slice()) {
        ("update", [keys, inserts, batches, first_new, versions, seed]) => {
            let batch =
                |number| keys::batch(seed + number, *keys, *inserts, first_new + number * inserts, leaves);
            let time = |batch| Ok(engine.update(batch, *versions as usize)?.as_nanos() as u64);
            let times = (0..*batches).map(batch).map(time).collect::<anyhow::Result<Vec<u64>>>()?;
            Ok(json!({ "nanoseconds": times, "hashes": engine.hashes() }))
        }
        ("prove", [count, seed]) => {
            engine.prove_each(&keys::shuffled(seed + WARMING, *count, leaves))?;
            Ok(proved(&engine.prove_each(&keys::shuffled(*seed, *count, leaves))?, *count as f64))
        }
        ("multiprove", [count, seed]) => {
            for turn in 0..WARMING {
                engine.prove_all(&keys::present(seed + 1 + turn, *count, leaves))?;
            }
            Ok(proved(&engine.prove_all(&keys::present(*seed, *count, leaves))?, 1.0))
        }
        ("snapshot", []) => Ok(json!(engine.snapshot()?)),
        _ => bail!("no such question: {question}"),
    }
}

/// The time of proving each key by itself, every proof gone before the next.
fn time_of_each<T>(
    keys: &[Key],
    mut prove: impl FnMut(&Key) -> anyhow::Result<T>,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for key in keys {
        black_box(prove(key)?);
    }
    Ok(started.elapsed())
}

fn proved(proved: &Proved, count: f64) -> Value {
    let share = |time: Duration| time.as_secs_f64() * 1e9 / count;
    json!({
        "nanoseconds": share(proved.time),
        "encoded": proved.encoded.map(share),
        "bytes": proved.bytes as f64 / count,
        "sibling_bytes": proved.sibling_bytes.map(|bytes| bytes as f64 / count),
    })
}
