//! What happened to an operation or a request, in order of time, and why it was rejected.

use hypha_chain::ports::Store;
use hypha_protocol::status::{RootStatus, Status};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{
    BatchRecord, LedgerError, Milestone, ProgressRecord, Rejection, Sighting, queries, tables,
};

/// Why an operation or a request was rejected.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReasonView {
    /// A code of the problem documents; of a request `void_` and why it is void.
    code: String,
    detail: String,
}

impl From<Rejection> for ReasonView {
    fn from(rejection: Rejection) -> Self {
        Self { code: rejection.code, detail: rejection.detail }
    }
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageView {
    /// A status word; for a chain, of its root.
    stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<String>,
    /// Milliseconds since it was submitted, or first seen on a chain.
    at_ms: u64,
    /// Unix milliseconds.
    at: u64,
    /// The transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<String>,
    /// Height of its block.
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
    /// The index that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// Gas that the transaction used, for all operations together that it carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<String>,
}

impl StageView {
    pub(super) fn new(stage: &'static str, at: u64, submitted_at: u64) -> Self {
        let at_ms = at.saturating_sub(submitted_at);
        Self { stage, chain_id: None, at_ms, at, tx: None, block: None, index: None, gas: None }
    }

    fn on_chain(stage: &'static str, chain_id: u64, seen: &Milestone, submitted_at: u64) -> Self {
        Self {
            chain_id: Some(chain_id.to_string()),
            tx: Some(seen.tx.to_string()),
            block: Some(seen.block.to_string()),
            index: Some(seen.index.to_string()),
            gas: seen.gas.map(|gas| gas.to_string()),
            ..Self::new(stage, seen.at, submitted_at)
        }
    }

    pub(super) fn seen(stage: &'static str, chain_id: u64, seen: &Sighting, since: u64) -> Self {
        Self {
            chain_id: Some(chain_id.to_string()),
            tx: Some(seen.tx.to_string()),
            block: Some(seen.block.to_string()),
            ..Self::new(stage, seen.at, since)
        }
    }
}

/// A root came this far on a chain.
pub(super) type Reached = (RootStatus, u64, Milestone);

/// How far the root of a batch has come on these chains, once the hub has it.
pub(super) fn reached(
    store: &dyn Store,
    batch: Option<&BatchRecord>,
    chains: &[u64],
) -> Result<Vec<Reached>, LedgerError> {
    let mut reached = Vec::new();
    let Some(batch) = batch.filter(|batch| batch.delivered.is_some()) else { return Ok(reached) };
    for chain_id in chains {
        for (word, table) in
            [(RootStatus::Relayed, tables::RELAYED), (RootStatus::Reported, tables::REPORTED)]
        {
            let seen = queries::milestone(store, table, *chain_id, batch.index)?;
            reached.extend(seen.map(|seen| (word, *chain_id, seen)));
        }
    }
    Ok(reached)
}

/// All that happened: how it came in, what its batch went through, and how it ended.
pub(super) fn stages(
    first: Vec<StageView>,
    since: u64,
    progress: &ProgressRecord,
    batch: Option<&BatchRecord>,
    reached: &[Reached],
    hub: u64,
) -> Vec<StageView> {
    let mut stages = first;
    if let Some(batch) = batch {
        stages.push(StageView::new(Status::Batched.as_str(), batch.batched_at, since));
        let committed = batch.committed_at.map(|at| StageView::new(Status::Committed.as_str(), at, since));
        stages.extend(committed);
        let delivered = batch.delivered.as_ref();
        stages
            .extend(delivered.map(|seen| StageView::on_chain(Status::Delivered.as_str(), hub, seen, since)));
    }
    stages.extend(
        reached
            .iter()
            .map(|(word, chain_id, seen)| StageView::on_chain(word.as_str(), *chain_id, seen, since)),
    );
    stages.extend(progress.ended_at.map(|at| StageView::new(progress.status.as_str(), at, since)));
    // Stable, so that what happened in one millisecond keeps the order of the pipeline.
    stages.sort_by_key(|stage| stage.at);
    stages
}
