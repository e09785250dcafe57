//! Proofs of random leaves: how long they take, and how large they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ANSWER_DEADLINE, OURS, Size, least_of, number};
use crate::{keys, machine::median, model, report::Report};

/// Keys proved one by one in a round.
const SINGLE: u64 = 10_000;
/// Keys of a multiproof.
const MULTIPROOF: u64 = 1_000;
/// Bytes of a sibling's hash.
const HASH: f64 = 32.0;

/// What each engine answered, round by round.
type Answers = BTreeMap<&'static str, Vec<Value>>;

impl Size {
    /// Proofs of one key and of many, on the tree as it was built.
    pub(super) fn measure_proofs(&mut self, report: &mut Report) -> anyhow::Result<()> {
        eprintln!("bench: {} leaves: proofs", self.leaves);
        let (single, _) = self.ask_in_rounds("prove", SINGLE, report)?;
        for (name, answers) in single {
            let case = format!("{name}/n={}/proof=1", self.leaves);
            report_proofs(&case, &answers, ("ns", 1.0), report);
        }
        let (multiproofs, last_seed) = self.ask_in_rounds("multiprove", MULTIPROOF, report)?;
        for (name, answers) in multiproofs {
            let case = format!("{name}/n={}/proof={MULTIPROOF}", self.leaves);
            report_proofs(&case, &answers, ("ms", 1e-6), report);
            if name == OURS {
                let least = HASH * self.least_siblings(last_seed);
                let ratio = answers.last().map_or(f64::NAN, |last| number(last, "sibling_bytes")) / least;
                report.row(&case, "sibling_bytes_to_least", ratio, "");
            }
        }
        Ok(())
    }

    /// Asks all engines for proofs, other keys in every round. Gives also which keys were the last.
    fn ask_in_rounds(
        &mut self,
        question: &str,
        keys: u64,
        report: &mut Report,
    ) -> anyhow::Result<(Answers, u64)> {
        let mut answers = Answers::new();
        for _ in 0..self.rounds {
            let question = format!("{question} {keys} {}", self.next_seed());
            for (name, answer) in self.each(report, |_, served| served.ask(&question, ANSWER_DEADLINE))? {
                answers.entry(name).or_default().push(answer);
            }
        }
        Ok((answers, self.seed))
    }

    fn least_siblings(&self, seed: u64) -> f64 {
        let touched = keys::present(seed, MULTIPROOF, self.leaves);
        model::siblings(&keys::sorted(self.leaves), &touched) as f64
    }
}

/// `unit`: its name, and how many of it a nanosecond is.
fn report_proofs(case: &str, answers: &[Value], unit: (&str, f64), report: &mut Report) {
    let numbers =
        |field: &str| -> Vec<f64> { answers.iter().filter_map(|answer| answer[field].as_f64()).collect() };
    for (field, metric) in [("nanoseconds", "prove"), ("encoded", "prove_and_encode")] {
        let times = numbers(field);
        if !times.is_empty() {
            report.row(case, &format!("{metric}_{}", unit.0), median(times.clone()) * unit.1, unit.0);
            report.row(case, &format!("best_{metric}_{}", unit.0), least_of(&times) * unit.1, unit.0);
        }
    }
    for (field, metric) in [("bytes", "proof_bytes"), ("sibling_bytes", "sibling_bytes")] {
        let bytes = numbers(field);
        if !bytes.is_empty() {
            report.row(case, metric, median(bytes), "bytes");
        }
    }
}
