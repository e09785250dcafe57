//! A batch that somebody else brought to the hub: verified here, and taken into the tree and the journal.

use std::sync::Arc;

use alloy::primitives::Bytes;
use hypha_chain::ports::Store;
use hypha_protocol::batch::{BatchError, build_witness, verify_witness};
use hypha_protocol::contracts::IRootHub::BatchApplied;
use hypha_protocol::operations::{Checked, Resolution, Rules, check_operations, encode_operations};
use hypha_protocol::status::Status;

use crate::blocking::blocking;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::requests::RequestEntry;
use crate::state::{Entry, State, Version};
use crate::store::load::stored_entry;
use crate::store::{
    BatchBody, BatchRecord, BatchState, Class, EventRecord, Extension, JournalRecord, Milestone,
    ProgressRecord, RequestName,
};

/// Takes in the batch after the head.
///
/// # Errors
/// [`CoordinatorError::HubLog`] when the hub should not have taken it, or says another root than it gives.
pub(super) async fn adopt(
    context: &Context,
    applied: &BatchApplied,
    milestone: Milestone,
) -> Result<(), CoordinatorError> {
    let head = context.ledger.state().head().clone();
    let (old_root, bytes, rules) = (head.root, applied.operations.clone(), context.rules());
    let replayed = blocking(move || replay(&head, &bytes, &rules)).await?;
    let index = applied.index;
    let (checked, body, version) =
        replayed.map_err(|error| CoordinatorError::HubLog(format!("batch {index} is not valid: {error}")))?;
    if (version.root, version.batch_chain) != (applied.root, applied.batchChain) {
        let (ours, theirs) = (version.root, applied.root);
        return Err(CoordinatorError::HubLog(format!("batch {index} gives {ours}, the hub says {theirs}")));
    }
    tracing::info!(index, root = %version.root, "adopted");
    let batch = BatchRecord {
        index,
        state: BatchState::Delivered,
        requests: Vec::new(),
        members: Vec::new(),
        old_root,
        root: version.root,
        batch_chain: version.batch_chain,
        foreign: true,
        attempt: 0,
        batched_at: milestone.at,
        committed_at: Some(milestone.at),
        delivered: Some(milestone),
        final_at: None,
    };
    write(context, batch, &checked, &body, version).await
}

fn replay(head: &Version, bytes: &Bytes, rules: &Rules) -> Result<(Checked, BatchBody, Version), BatchError> {
    let checked = check_operations(bytes, rules)?;
    let witness = build_witness(&head.tree, checked.touches());
    let version = head.next(checked.touches(), bytes);
    verify_witness(head.tree.root(), &checked, &witness, version.tree.root())?;
    let body = BatchBody { operations: bytes.clone(), witness: witness.into() };
    Ok((checked, body, version))
}

async fn write(
    context: &Context,
    mut batch: BatchRecord,
    checked: &Checked,
    body: &BatchBody,
    version: Version,
) -> Result<(), CoordinatorError> {
    let (hub, now) = (context.hub_id(), context.now());
    let finished = finished(context, checked).await?;
    let operations: Vec<_> = checked.operations().iter().cloned().map(Arc::new).collect();
    // What resolves requests comes first.
    let (resolving, others) = operations.split_at(checked.resolutions().len());
    context
        .ledger
        .update(|state, update| {
            let progress = || ProgressRecord::in_batch(Status::Delivered, batch.index);
            let mut requests = Vec::with_capacity(resolving.len());
            for (entry, operation) in
                resolved(state, batch.index, checked.resolutions())?.iter().zip(resolving)
            {
                update.move_request(entry.resolved(operation.clone(), progress()), Some(hub), now);
                requests.push(entry.name());
            }
            let mut members = Vec::with_capacity(others.len());
            for (operation, finished) in others.iter().zip(&finished) {
                let id = operation.id();
                if let Some(entry) = state.entry_of(&id).or(finished.as_ref()) {
                    update.progress(entry, progress(), Some(hub), now);
                    members.push(entry.number);
                    continue;
                }
                let packed = encode_operations(std::slice::from_ref(operation.as_ref()))
                    .map_err(|error| CoordinatorError::HubLog(error.to_string()))?;
                let record =
                    JournalRecord { id, operation: packed.into(), submitted_at: now, class: Class::Normal };
                let event = EventRecord::of(id, None, Status::Delivered.as_str(), now);
                update.event(EventRecord { chain_id: Some(hub), index: Some(batch.index), ..event });
                members.push(update.admit(&record, operation.clone(), progress()));
            }
            (batch.requests, batch.members) = (requests, members);
            update.extend(body, Extension { version, operations: operations.clone() });
            update.batch(batch);
            Ok(())
        })
        .await
}

/// The requests that a batch resolves: the next ones of the hub's queue, or the hub should not have taken it.
fn resolved<'state>(
    state: &'state State,
    index: u64,
    resolutions: &[Resolution],
) -> Result<Vec<&'state RequestEntry>, CoordinatorError> {
    let mut waiting = state.requests.waiting();
    let next = |resolution: &Resolution| {
        let Resolution { chain_id, number, hash, .. } = *resolution;
        let name = RequestName { chain_id, number };
        let entry = waiting.next().filter(|entry| (entry.name(), entry.request.hash()) == (name, hash));
        entry.ok_or_else(|| {
            CoordinatorError::HubLog(format!("batch {index} resolves {name}, which is not next"))
        })
    };
    resolutions.iter().map(next).collect()
}

/// For each operation that resolves no request its entry, where it is not under way but on disk: rejected here, and taken by the hub
/// all the same.
async fn finished(context: &Context, checked: &Checked) -> Result<Vec<Option<Entry>>, CoordinatorError> {
    let ids = checked.ids()[checked.resolutions().len()..].to_vec();
    let read = move |store: &dyn Store| ids.iter().map(|id| stored_entry(store, *id)).collect();
    Ok(context.ledger.read(read).await?)
}
