//! Measures the tree and prints rows as JSON: `bench_tree [LEAVES…]`, by default 10,000 and 100,000.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use hypha_tree::{Key, Tree, ValueHash, keccak};
use serde_json::{Value, json};

const DEFAULT_LEAVES: [usize; 2] = [10_000, 100_000];
/// Keys of one batch of updates.
const BATCHES: [usize; 3] = [100, 1_000, 10_000];
const MULTIPROOF_KEYS: usize = 1_000;
/// Each number is the best of the runs that fit in this time, and of at least [`MINIMUM_RUNS`]: the least disturbed one.
const TIME_FOR_A_NUMBER: Duration = Duration::from_millis(500);
const MINIMUM_RUNS: usize = 3;

fn main() -> anyhow::Result<()> {
    let named = std::env::args()
        .skip(1)
        .map(|text| text.parse::<usize>().with_context(|| format!("not a number of leaves: {text}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let sizes = if named.is_empty() { DEFAULT_LEAVES.to_vec() } else { named };
    let rows: Vec<Value> = sizes.into_iter().flat_map(measure).collect();
    println!("{}", json!({ "rows": rows }));
    Ok(())
}

fn measure(leaves: usize) -> Vec<Value> {
    let tree = Tree::new().with((0..leaves).map(|number| (key(number), value(0, number))));
    let updates = BATCHES.into_iter().filter(|keys| *keys <= leaves);
    let mut rows: Vec<Value> = updates.map(|keys| update_row(&tree, leaves, keys)).collect();
    rows.extend(single_proof_rows(&tree, leaves));
    if leaves >= MULTIPROOF_KEYS {
        rows.extend(multiproof_rows(&tree, leaves));
    }
    rows
}

/// A batch of updates of present keys, spread over the tree, up to and with its new root.
fn update_row(tree: &Tree, leaves: usize, keys: usize) -> Value {
    let batch: Vec<(Key, ValueHash)> =
        spread(leaves, keys).map(|number| (key(number), value(1, number))).collect();
    let time = best(|| {
        black_box(tree.with(batch.iter().copied()).root());
    });
    row(&format!("hypha/n={leaves}/k={keys}"), "updates_per_second", keys as f64 / time.as_secs_f64(), "1/s")
}

fn single_proof_rows(tree: &Tree, leaves: usize) -> [Value; 2] {
    let keys: Vec<Key> = spread(leaves, MULTIPROOF_KEYS.min(leaves)).map(key).collect();
    let time = best(|| {
        for one in &keys {
            black_box(tree.prove(&[*one]).encode());
        }
    });
    let bytes: usize = keys.iter().map(|one| tree.prove(&[*one]).encode().len()).sum();
    let case = format!("hypha/n={leaves}/proof=1");
    let count = keys.len() as f64;
    [
        row(&case, "prove_ns", time.as_nanos() as f64 / count, "ns"),
        row(&case, "proof_bytes", bytes as f64 / count, "bytes"),
    ]
}

fn multiproof_rows(tree: &Tree, leaves: usize) -> [Value; 2] {
    let keys: Vec<Key> = spread(leaves, MULTIPROOF_KEYS).map(key).collect();
    let time = best(|| {
        black_box(tree.prove(&keys).encode());
    });
    let case = format!("hypha/n={leaves}/proof={MULTIPROOF_KEYS}");
    [
        row(&case, "prove_ms", time.as_secs_f64() * 1e3, "ms"),
        row(&case, "proof_bytes", tree.prove(&keys).encode().len() as f64, "bytes"),
    ]
}

fn row(case: &str, metric: &str, value: f64, unit: &str) -> Value {
    // Three digits after the point: more would be noise.
    json!({ "case": case, "metric": metric, "value": (value * 1e3).round() / 1e3, "unit": unit })
}

fn best(mut run: impl FnMut()) -> Duration {
    let started = Instant::now();
    let mut best = Duration::MAX;
    let mut runs = 0;
    while runs < MINIMUM_RUNS || started.elapsed() < TIME_FOR_A_NUMBER {
        let before = Instant::now();
        run();
        best = best.min(before.elapsed());
        runs += 1;
    }
    best
}

/// So many of the leaves' numbers, evenly spread.
fn spread(leaves: usize, keys: usize) -> impl Iterator<Item = usize> {
    (0..keys).map(move |number| number * leaves / keys)
}

fn key(number: usize) -> Key {
    Key::from(keccak(&number.to_be_bytes()))
}

fn value(version: u8, number: usize) -> ValueHash {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.push(version);
    ValueHash::of(&bytes)
}
