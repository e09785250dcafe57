//! What was promised, beside what was measured.

use crate::report::Report;

use Bound::{AtLeast, AtMost};

/// A number, and what it must be.
struct Target {
    what: &'static str,
    case: &'static str,
    metric: &'static str,
    bound: Bound,
    unit: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const BATCH: &str = "hypha/n=1000000/k=10000";
const MULTIPROOF: &str = "hypha/n=1000000/proof=1000";
const UPDATES: &str = "updates_per_second";

const TARGETS: [Target; 13] = [
    target("updates a second, n = 10^6, k = 10,000", BATCH, "updates_per_second", AtLeast(1e6), ""),
    target(
        "share of the hash bound, n = 10^6, k = 10,000",
        BATCH,
        "share_of_hash_bound",
        AtLeast(35.0),
        " %",
    ),
    target(
        "updates a second, n = 10^6, k = 100",
        "hypha/n=1000000/k=100",
        "updates_per_second",
        AtLeast(250e3),
        "",
    ),
    target("one proof, n = 10^6", "hypha/n=1000000/proof=1", "prove_ns", AtMost(2_000.0), " ns"),
    target(
        "one proof with its encoding, n = 10^6",
        "hypha/n=1000000/proof=1",
        "prove_and_encode_ns",
        AtMost(2_000.0),
        " ns",
    ),
    target("multiproof of 1,000 keys, n = 10^6", MULTIPROOF, "prove_ms", AtMost(1.0), " ms"),
    target("multiproof with its encoding, n = 10^6", MULTIPROOF, "prove_and_encode_ms", AtMost(1.0), " ms"),
    target(
        "sibling bytes to the least, multiproof of 1,000 keys",
        MULTIPROOF,
        "sibling_bytes_to_least",
        AtMost(1.03),
        "",
    ),
    target("bytes a leaf, n = 10^7", "hypha/n=10000000", "bytes_per_leaf", AtMost(200.0), ""),
    target("resident at the highest, n = 10^7", "hypha/n=10000000", "highest_mib", AtMost(2_048.0), " MiB"),
    target("reopening, n = 10^6", "hypha/n=1000000/reopen", "reopen_s", AtMost(1.0), " s"),
    target("reopening, n = 10^7", "hypha/n=10000000/reopen", "reopen_s", AtMost(10.0), " s"),
    target(
        "proofs lost beside the writer, where the reader has a core to itself",
        "hypha/n=1000000/reading/beside=writer",
        "loss_with_both_cores",
        AtMost(15.0),
        " %",
    ),
];

/// How many times as fast as these ours must be, both at [`BATCH`]. nomt on one thread is nomt as it comes.
const PEERS: [(&str, f64); 3] = [("nomt/threads=1", 15.0), ("nomt", 15.0), ("jmt", 40.0)];

const fn target(
    what: &'static str,
    case: &'static str,
    metric: &'static str,
    bound: Bound,
    unit: &'static str,
) -> Target {
    Target { what, case, metric, bound, unit }
}

/// Compares what was measured with all targets.
pub(crate) fn check(report: &mut Report) {
    for target in TARGETS {
        compare(target.what, target.bound, report.find(target.case, target.metric), target.unit, report);
    }
    for (peer, factor) in PEERS {
        let theirs = report.find(&BATCH.replace("hypha", peer), UPDATES);
        let ratio = report.find(BATCH, UPDATES).zip(theirs).map(|(ours, theirs)| ours / theirs);
        let what = format!("updates a second against {peer}, n = 10^6, k = 10,000");
        compare(&what, AtLeast(factor), ratio, " times", report);
    }
}

fn compare(what: &str, bound: Bound, measured: Option<f64>, unit: &str, report: &mut Report) {
    let (words, limit) = match bound {
        AtLeast(limit) => ("at least", limit),
        AtMost(limit) => ("at most", limit),
    };
    let met = measured.is_some_and(|measured| match bound {
        AtLeast(limit) => measured >= limit,
        AtMost(limit) => measured <= limit,
    });
    report.check(what, words, limit, measured, unit, met);
}
