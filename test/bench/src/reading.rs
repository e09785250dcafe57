//! Proofs at random recent roots, with and without a writer on the other core.

use std::{
    collections::VecDeque,
    hint::black_box,
    num::NonZeroUsize,
    sync::{
        RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use hypha_tree::{Tree, internal_hashes};

use crate::{
    Scale,
    keys::{self, Random},
    machine::{cores, median, pin},
    report::Report,
};

/// Versions that are proved from.
const VERSIONS: usize = 64;
/// The writer inserts so many leaves again and again, which are new the first time: the tree does not grow
/// without end.
const NEW_LEAVES: u64 = 100_000;
/// Nodes that are hashed at a time by the thread that only hashes.
const HASHED_NODES: usize = 1_024;
/// A reader that loses more than this, in percent, beside a thread that only hashes did not have a core to itself.
const LOST_AT_MOST: f64 = 10.0;
/// Names of cases.
const HASHING: &str = "/beside=hashing";
const WRITING: &str = "/beside=writer";

struct Counts {
    leaves: u64,
    /// Keys of the writer's batches.
    batch: u64,
    /// How often each kind is measured.
    turns: u64,
    /// How long.
    time: Duration,
}

/// Proofs a second with nothing beside the reader, beside a thread that only hashes, and beside the writer.
struct Turn {
    idle: f64,
    hashing: f64,
    writing: f64,
    /// Keys a second that the writer commits.
    written: f64,
}

/// What reader and writer share.
struct Shared {
    versions: RwLock<VecDeque<Tree>>,
    /// Batches so far.
    batches: AtomicU64,
}

/// Measures in turns without and with the writer.
pub(crate) fn measure(scale: Scale) -> anyhow::Result<Report> {
    let counts = match scale {
        Scale::Full => {
            Counts { leaves: 1_000_000, batch: 10_000, turns: 40, time: Duration::from_millis(300) }
        }
        Scale::Quick => Counts { leaves: 10_000, batch: 1_000, turns: 3, time: Duration::from_millis(100) },
    };
    let mut report = Report::default();
    report.note(format!(
        "reading: one reader proves and encodes random leaves at random ones of the last {VERSIONS} \
         versions; on another core nothing, or a thread that only hashes, or a writer that commits batches \
         of {} keys without pause. {} turns of {} ms each. What is lost beside mere hashing is the \
         machine's, not the tree's: some hosts give a guest of two cores one only, now and then. \
         loss_with_both_cores is over the turns in which the reader lost at most {LOST_AT_MOST} % beside \
         mere hashing.",
        counts.batch,
        counts.turns,
        counts.time.as_millis()
    ));
    if cores() < 2 {
        report.note("reading: there is only one core, so the reader and the writer take turns on it");
    }
    let shared = prepare(&counts);
    pin(0)?;
    let turns =
        (0..counts.turns).map(|number| turn(&shared, &counts, number)).collect::<anyhow::Result<Vec<_>>>()?;
    report_turns(&counts, &turns, &mut report);
    Ok(report)
}

fn prepare(counts: &Counts) -> Shared {
    let tree = Tree::with_threads(NonZeroUsize::MIN).with(keys::leaves(0, counts.leaves));
    let shared = Shared { versions: RwLock::new(VecDeque::from([tree])), batches: AtomicU64::new(0) };
    for _ in 0..VERSIONS {
        commit(&shared, counts);
    }
    shared
}

/// Makes the next version, and lets go of the oldest.
fn commit(shared: &Shared, counts: &Counts) {
    let number = shared.batches.load(Relaxed);
    let inserts = counts.batch / 2;
    let from = counts.leaves + number * inserts % NEW_LEAVES;
    let newest = shared.versions.read().expect("no holder panics").back().cloned().unwrap_or_default();
    let next = newest.with(keys::batch(number, counts.batch, inserts, from, counts.leaves));
    let oldest = {
        let mut versions = shared.versions.write().expect("no holder panics");
        versions.push_back(next);
        if versions.len() > VERSIONS { versions.pop_front() } else { None }
    };
    // Let go of outside of the lock.
    drop(oldest);
    shared.batches.store(number + 1, Relaxed);
}

/// How many proofs a second this thread makes.
fn read(shared: &Shared, counts: &Counts, turn: u64) -> f64 {
    let mut random = Random::new(turn);
    let started = Instant::now();
    let mut proofs = 0;
    while started.elapsed() < counts.time {
        let tree = {
            let versions = shared.versions.read().expect("no holder panics");
            versions[random.below(versions.len() as u64) as usize].clone()
        };
        black_box(tree.prove(&[keys::key(random.below(counts.leaves))]).encode());
        proofs += 1;
    }
    f64::from(proofs) / started.elapsed().as_secs_f64()
}

/// The same while another core does this work over and over.
fn read_beside(shared: &Shared, counts: &Counts, turn: u64, work: impl Fn() + Sync) -> anyhow::Result<f64> {
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            pin(1)?;
            while !done.load(Relaxed) {
                work();
                begun.store(true, Relaxed);
            }
            anyhow::Ok(())
        });
        // Measured only once it is under way.
        while !begun.load(Relaxed) && !worker.is_finished() {
            thread::yield_now();
        }
        let speed = read(shared, counts, turn);
        done.store(true, Relaxed);
        worker.join().expect("neither a batch nor a hash panics")?;
        Ok(speed)
    })
}

/// Hashes without touching the tree.
fn hash() {
    let mut hashes = [[0; 32]; HASHED_NODES];
    internal_hashes(black_box(&[[[1; 32]; 2]; HASHED_NODES]), &mut hashes);
    black_box(hashes);
}

/// One turn of each kind.
fn turn(shared: &Shared, counts: &Counts, turn: u64) -> anyhow::Result<Turn> {
    let idle = read(shared, counts, turn);
    let hashing = read_beside(shared, counts, turn, hash)?;
    let (started, before) = (Instant::now(), shared.batches.load(Relaxed));
    let writing = read_beside(shared, counts, turn, || commit(shared, counts))?;
    let batches = shared.batches.load(Relaxed) - before;
    let written = (batches * counts.batch) as f64 / started.elapsed().as_secs_f64();
    Ok(Turn { idle, hashing, writing, written })
}

fn report_turns(counts: &Counts, turns: &[Turn], report: &mut Report) {
    let middle = |of: fn(&Turn) -> f64| median(turns.iter().map(of).collect());
    let case = |beside: &str| format!("hypha/n={}/reading{beside}", counts.leaves);
    report.row(&case(""), "proofs_per_second", middle(|turn| turn.idle), "1/s");
    report.row(&case(HASHING), "proofs_per_second", middle(|turn| turn.hashing), "1/s");
    report.row(&case(HASHING), "loss", middle(|turn| loss(turn.hashing, turn.idle)), "%");
    report.row(&case(WRITING), "proofs_per_second", middle(|turn| turn.writing), "1/s");
    report.row(&case(WRITING), "loss", middle(|turn| loss(turn.writing, turn.idle)), "%");
    let both = turns.iter().filter(|turn| loss(turn.hashing, turn.idle) <= LOST_AT_MOST);
    let losses: Vec<f64> = both.map(|turn| loss(turn.writing, turn.idle)).collect();
    report.row(&case(WRITING), "turns_with_both_cores", losses.len() as f64, "");
    if !losses.is_empty() {
        report.row(&case(WRITING), "loss_with_both_cores", median(losses), "%");
    }
    report.row(&case(WRITING), "written_keys_per_second", middle(|turn| turn.written), "1/s");
}

/// In percent of what it was when idle.
fn loss(proofs: f64, idle: f64) -> f64 {
    100.0 * (1.0 - proofs / idle)
}
