//! Requests on their way in: the queue of a spoke, then that of the hub. Sets `queued` and `admitted`, and takes back what a reorg
//! dropped.

use alloy::primitives::B256;
use hypha_chain::ports::{Block, Log};
use hypha_protocol::contracts::IRequestQueue::RequestQueued;
use hypha_protocol::contracts::IRootHub::RequestEnqueued;
use hypha_protocol::operations::check_request;

use crate::blocking::blocking;
use crate::context::{Context, Link};
use crate::error::CoordinatorError;
use crate::requests::RequestEntry;
use crate::state::State;
use crate::store::{Enqueued, ProgressRecord, RequestName, RequestRecord, Sighting, Update, requests};

/// A request came to the hub's queue.
///
/// # Errors
/// [`CoordinatorError::HubLog`] when it is not the next one, or the hub should not have taken it.
pub(super) async fn enqueue(
    context: &Context,
    event: RequestEnqueued,
    log: &Log,
) -> Result<(), CoordinatorError> {
    let now = context.now();
    let enqueued = Enqueued { position: event.position, due_at: event.dueAt, seen: Sighting::of(log, now) };
    let name = RequestName { chain_id: event.chainId.saturating_to(), number: event.number };
    let row = context.ledger.read(move |store| requests::request(store, name)).await?;
    let known = row.and_then(|record| record.enqueued);
    // Its step was taken, and a crash came before its end.
    if known.as_ref().is_some_and(|known| is_same(known, &enqueued)) {
        return Ok(());
    }
    let record = RequestRecord {
        name,
        request_type: event.requestType,
        sender: event.sender,
        content: event.content,
        queued: None,
        enqueued: Some(enqueued),
        progress: ProgressRecord::admitted(),
        void: None,
    };
    let entry = check(context, record).await?;
    let wrong = |detail: String| CoordinatorError::HubLog(format!("{name} came to the queue {detail}"));
    if known.is_some() {
        return Err(wrong("twice".to_owned()));
    }
    context
        .ledger
        .update(|state, update| {
            let (position, expected) = (event.position, state.requests.enqueued());
            if position != expected {
                return Err(wrong(format!("at position {position}, the next is {expected}")));
            }
            tracing::info!(request = %name, position, "admitted");
            update.move_request(with_queued(state, entry), Some(context.hub_id()), now);
            Ok(())
        })
        .await
}

fn is_same(known: &Enqueued, other: &Enqueued) -> bool {
    (known.position, known.seen.block_hash) == (other.position, other.seen.block_hash)
}

/// What the hub checked: a request that fails this could never be resolved.
async fn check(context: &Context, record: RequestRecord) -> Result<RequestEntry, CoordinatorError> {
    let (name, rules) = (record.name, context.rules());
    let checked = blocking(move || {
        let RequestName { chain_id, number } = name;
        check_request(chain_id, number, record.sender, record.request_type, &record.content, &rules)?;
        RequestEntry::read(record)
    });
    checked.await?.map_err(|error| CoordinatorError::HubLog(format!("{name} is not valid: {error}")))
}

/// The request with where its own chain queued it, as far as that was seen. What the hub says of it counts.
fn with_queued(state: &State, mut entry: RequestEntry) -> RequestEntry {
    let name = entry.name();
    if let Some(known) = state.requests.get(&name) {
        if known.request.hash() != entry.request.hash() {
            tracing::error!(request = %name, "the hub has another request than its own chain");
        }
        entry.record.queued.clone_from(&known.record.queued);
    }
    entry
}

/// Requests that came to the hub in blocks that a reorg removed: back to their own chain's queue, or gone with it.
pub(super) fn leave(update: &mut Update, gone: &[&RequestEntry], hub: u64, now: u64) {
    for entry in gone {
        tracing::warn!(request = %entry.name(), "a reorg of the hub dropped a request");
        if entry.record.queued.is_none() {
            update.drop_request(entry.name());
            continue;
        }
        let mut back = entry.unresolved(ProgressRecord::queued());
        back.record.enqueued = None;
        update.move_request(back, Some(hub), now);
    }
}

fn holds(blocks: &[Block], hash: B256) -> bool {
    blocks.iter().any(|block| block.hash == hash)
}

/// A request that a spoke queued, as its log says.
///
/// # Errors
/// [`CoordinatorError::SpokeLog`] when its content does not read as what its type says.
pub(super) fn read_queued(
    context: &Context,
    spoke: &Link,
    event: RequestQueued,
    log: &Log,
) -> Result<RequestEntry, CoordinatorError> {
    let chain_id = spoke.config.chain_id;
    let name = RequestName { chain_id, number: event.number };
    let entry = RequestEntry::read(RequestRecord {
        name,
        request_type: event.requestType,
        sender: event.sender,
        content: event.content,
        queued: Some(Sighting::of(log, context.now())),
        enqueued: None,
        progress: ProgressRecord::queued(),
        void: None,
    });
    entry.map_err(|error| CoordinatorError::SpokeLog { chain_id, detail: format!("{name}: {error}") })
}

/// Takes in a request that a spoke queued. When the hub has it already, only where it was queued is added, and that no more once
/// it is over: what is over is not in memory, and never written again.
pub(super) fn queue(state: &State, update: &mut Update, entry: RequestEntry, now: u64) {
    let name = entry.name();
    match state.requests.get(&name) {
        Some(known) if known.record.queued.is_none() => {
            let record = RequestRecord { queued: entry.record.queued, ..known.record.clone() };
            update.request(RequestEntry { record, ..known.clone() });
        }
        None if !state.requests.is_enqueued(&name) => {
            update.move_request(entry, Some(name.chain_id), now);
        }
        _ => {}
    }
}

/// A reorg of a spoke removed these blocks: what was queued in them and is not on the hub is gone.
pub(super) fn unqueue(state: &State, update: &mut Update, removed: &[Block]) {
    for entry in state.requests.iter() {
        let Some(queued) = entry.record.queued.as_ref() else { continue };
        if !holds(removed, queued.block_hash) {
            continue;
        }
        tracing::warn!(request = %entry.name(), "a reorg of its chain dropped a request");
        if entry.record.enqueued.is_none() {
            update.drop_request(entry.name());
        } else {
            let record = RequestRecord { queued: None, ..entry.record.clone() };
            update.request(RequestEntry { record, ..entry.clone() });
        }
    }
}
