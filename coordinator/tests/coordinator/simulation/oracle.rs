//! What must be true once all is calm. That the hub has one sequence of batches, without a gap, each valid on the one before, and that
//! the queue is resolved in order, is what the strict hub itself requires; the hub's tip is compared here.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::B256;
use hypha_protocol::contracts::IRootHub::BatchApplied;
use hypha_protocol::contracts::IRootVerifier::RootUpdated;
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::Operation;
use serde_json::Value;

use super::super::asking::head;
use super::super::world::*;
use super::Tally;
use super::chains::{Chains, Taken};
use super::client::Client;

/// Seconds before its deadline from which on an operation is not sent any more: the default.
const MARGIN_S: u64 = 10;

/// What the hub's batches did.
#[derive(Default)]
struct History {
    /// Ids of what was executed, each with its batch.
    executed: BTreeMap<B256, u64>,
    /// Notes, each with when it was.
    created: BTreeMap<B256, u64>,
    spent: BTreeSet<B256>,
}

impl History {
    fn of(taken: &[Taken]) -> Self {
        let mut history = Self::default();
        for Taken { index, mined_at, operation } in taken {
            if let Operation::Void(_) = operation {
                continue;
            }
            let again = history.executed.insert(operation.id(), *index);
            assert_eq!(again, None, "{} is in two batches", operation.id());
            for note in operation.input_ids() {
                assert!(
                    history.created.contains_key(&note) && history.spent.insert(note),
                    "{note} is spent twice"
                );
            }
            for note in operation.created().iter().map(resource_id) {
                let again = history.created.insert(note, *mined_at);
                assert_eq!(again, None, "{note} is created twice");
            }
        }
        history
    }

    /// Whether the chains show what the code of a rejection says.
    fn justifies(&self, code: &str, operation: &Operation, time: u64, rejected_at: u64) -> bool {
        let inputs = operation.input_ids();
        match code {
            "deadline_passed" => operation.deadline().is_some_and(|deadline| deadline < time + MARGIN_S),
            "input_spent" => inputs.iter().any(|note| self.spent.contains(note)),
            "input_absent" => {
                inputs.iter().any(|note| self.created.get(note).is_none_or(|created| *created > rejected_at))
            }
            _ => false,
        }
    }
}

pub(super) async fn check(client: &Client, chains: &Chains, running: &Running, tally: &mut Tally) {
    assert_eq!(chains.tip().1, head(running), "the coordinator's root is the hub's");
    let operations = chains.operations().await;
    let history = History::of(&operations);
    for (id, operation) in &client.acknowledged {
        let (_, view) = running.get(&format!("/v1/transfers/{id}")).await;
        check_end(&history, *id, operation, &view, chains);
        let count = if view["status"] == "finalized" { &mut tally.finalized } else { &mut tally.rejected };
        *count += 1;
        assert!(!client.finalized.contains(id) || view["status"] == "finalized", "taken back: {view:#}");
    }
    check_requests(&operations, running).await;
    let of = |wanted: fn(&Operation) -> bool| operations.iter().filter(|one| wanted(&one.operation)).count();
    tally.executed = of(|operation| matches!(operation, Operation::Queued(_)));
    tally.void = of(|operation| matches!(operation, Operation::Void(_)));
    check_spoke(chains).await;
}

/// It has one end, and the chains show it.
fn check_end(history: &History, id: B256, operation: &Operation, view: &Value, chains: &Chains) {
    let code = view["reason"]["code"].as_str().unwrap_or_default();
    match history.executed.get(&id) {
        Some(index) => {
            assert_eq!(view["status"], "finalized", "it is in batch {index}: {view:#}");
            assert_eq!(view["index"], index.to_string(), "{view:#}");
        }
        None => {
            assert_eq!(view["status"], "rejected", "it is in no batch: {view:#}");
            let stages = view["stages"].as_array().unwrap();
            let rejected = stages.iter().find(|stage| stage["stage"] == "rejected").unwrap();
            let rejected_at = rejected["at"].as_u64().unwrap();
            let is_justified = history.justifies(code, operation, chains.time(), rejected_at);
            assert!(is_justified, "the chains show no {code}: {view:#}");
        }
    }
}

/// Each is finalized when it was executed, and rejected when it was void.
async fn check_requests(taken: &[Taken], running: &Running) {
    for Taken { index, operation, .. } in taken {
        let (request, status) = match operation {
            Operation::Queued(request) => (request, "finalized"),
            Operation::Void(void) => (void.request(), "rejected"),
            _ => continue,
        };
        let path = format!("/v1/requests/{}/{}", request.chain_id(), request.number());
        let (_, view) = running.get(&path).await;
        assert_eq!(
            (&view["status"], &view["index"]),
            (&status.into(), &index.to_string().into()),
            "{view:#}"
        );
    }
}

/// The spoke has only roots of the hub.
async fn check_spoke(chains: &Chains) {
    let hub = chains.hub_logs().await;
    let roots: BTreeMap<u64, B256> =
        hub.iter().filter_map(read::<BatchApplied>).map(|event| (event.index, event.root)).collect();
    for event in chains.spoke_logs().await.iter().filter_map(read::<RootUpdated>) {
        assert_eq!(roots.get(&event.index), Some(&event.newRoot), "a root that the hub does not have");
    }
}
