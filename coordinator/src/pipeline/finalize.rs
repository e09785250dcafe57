//! In: the hub's final blocks, and each spoke's newest. Out: batches that are final, what each chain has confirmed, and requests that
//! spokes have queued. Sets `finalized`, of void requests `rejected`, of those not on the hub `queued`; and, of roots, `relayed`
//! and `reported`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use alloy::primitives::B256;
use hypha_chain::follow::{Follower, Step};
use hypha_chain::ports::Log;
use hypha_protocol::contracts::IRequestQueue::RequestQueued;
use hypha_protocol::contracts::IRootHub::{BatchApplied, Confirmed, Diverged};
use hypha_protocol::contracts::IRootVerifier::RootUpdated;
use hypha_protocol::operations::{Operation, Void, VoidReason};
use hypha_protocol::status::{RootStatus, Status};

use super::enqueue::{queue, read_queued, unqueue};
use super::follow::{STEPS_PER_ROUND, decode, decode_of_spoke, milestone, next_step};
use crate::context::{Context, Link};
use crate::error::CoordinatorError;
use crate::requests::RequestEntry;
use crate::state::{Entry, State};
use crate::store::load::stored_entry;
use crate::store::{
    BatchRecord, BatchState, ChainRecord, EventRecord, LedgerError, Milestone, ProgressRecord, Rejection,
    Update, queries, tables,
};

/// What a step of the hub's final blocks says.
#[derive(Default)]
struct Finals {
    applied: Vec<BatchApplied>,
    confirmed: Vec<(u64, Milestone)>,
}

/// Follows the hub's final blocks.
///
/// # Errors
/// Those of the hub, of which many go away by themselves; and of the store.
pub async fn finalize(context: &Context, follower: &Follower) -> Result<(), CoordinatorError> {
    for _ in 0..STEPS_PER_ROUND {
        let Some(step) = next_step(&context.hub, follower).await? else { return Ok(()) };
        let mut finals = Finals::default();
        for log in step.added.iter().flat_map(|(_, logs)| logs) {
            read_log(context, log, &mut finals).await?;
        }
        if !take(context, finals, step).await? {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_log(context: &Context, log: &Log, finals: &mut Finals) -> Result<(), CoordinatorError> {
    if let Some(applied) = decode::<BatchApplied>(log)? {
        finals.applied.push(applied);
    } else if let Some(confirmed) = decode::<Confirmed>(log)? {
        let chain_id = u64::try_from(confirmed.chainId).unwrap_or(u64::MAX);
        finals.confirmed.push((chain_id, milestone(context, &context.hub, log, confirmed.index).await));
    } else if let Some(diverged) = decode::<Diverged>(log)? {
        tracing::error!(chain = %diverged.chainId, index = diverged.index, "a spoke says another root than the hub");
    }
    Ok(())
}

/// Takes a step, unless it is ahead of what `deliver` has seen; then it comes again. Gives whether it was taken.
async fn take(context: &Context, finals: Finals, step: Step) -> Result<bool, CoordinatorError> {
    let (hub, now) = (context.hub_id(), context.now());
    let rejected = rejected_before(context).await?;
    context
        .ledger
        .update(|state, update| {
            if !finals.applied.iter().all(|applied| is_delivered(state, applied)) {
                return Ok(false);
            }
            update.also(step.cursor);
            let last = finals.applied.iter().map(|applied| applied.index).max();
            let final_index = last.unwrap_or(0).max(state.final_index());
            let confirmed = confirmations(state, update, &finals, hub, final_index, now);
            for applied in &finals.applied {
                if let Some(batch) = state.batches.get(&applied.index) {
                    let final_at = batch.final_at.or(Some(now));
                    update.batch(BatchRecord { state: BatchState::Final, final_at, ..batch.clone() });
                }
            }
            finalize_members(state, update, hub, final_index, &confirmed, &rejected, now);
            Ok(true)
        })
        .await
}

/// Transfers that are over although a batch executes a request for the same, by their ids: rejected before the request came.
async fn rejected_before(context: &Context) -> Result<BTreeMap<B256, Entry>, LedgerError> {
    let ids: Vec<B256> = {
        let state = context.ledger.state();
        let requests = state.requests.iter().filter(|entry| entry.status() == Status::Delivered);
        let executed = requests.filter(|entry| matches!(entry.operation.as_ref(), Operation::Queued(_)));
        executed.map(RequestEntry::id).filter(|id| state.entry_of(id).is_none()).collect()
    };
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    context
        .ledger
        .read(move |store| {
            let stored = ids.iter().map(|id| stored_entry(store, *id));
            let known = stored.filter_map(Result::transpose);
            known.map(|entry| entry.map(|entry| (entry.id, entry))).collect()
        })
        .await
}

/// Whether the batch is here as the hub has it. Batches that are over are not in memory any more.
fn is_delivered(state: &State, applied: &BatchApplied) -> bool {
    match state.batches.get(&applied.index) {
        Some(batch) => batch.state >= BatchState::Delivered && batch.batch_chain == applied.batchChain,
        None => applied.index <= state.final_index(),
    }
}

/// Writes what was confirmed, and gives the confirmed index of every chain as it is then.
fn confirmations(
    state: &State,
    update: &mut Update,
    finals: &Finals,
    hub: u64,
    final_index: u64,
    now: u64,
) -> BTreeMap<u64, u64> {
    let mut confirmed: BTreeMap<u64, u64> =
        state.chains.iter().map(|(chain_id, view)| (*chain_id, view.record.confirmed_index)).collect();
    for (chain_id, milestone) in &finals.confirmed {
        let before = confirmed.get(chain_id).copied().unwrap_or(0);
        if milestone.index > before {
            update.reported(*chain_id, milestone);
            let reached = before + 1..=milestone.index;
            tell(state, update, *chain_id, reached, RootStatus::Reported, now);
            confirmed.insert(*chain_id, milestone.index);
        }
    }
    confirmed.insert(hub, final_index);
    for (chain_id, view) in &state.chains {
        let confirmed_index = confirmed[chain_id];
        if confirmed_index != view.record.confirmed_index {
            update.chain(*chain_id, ChainRecord { confirmed_index, ..view.record.clone() });
        }
    }
    confirmed
}

/// What final batches carry, once every concerned spoke has confirmed the batch. A void is the last word as soon as it is final.
/// A transfer that was handed in ends with the request for the same, also one that was rejected before that came.
fn finalize_members(
    state: &State,
    update: &mut Update,
    hub: u64,
    final_index: u64,
    confirmed: &BTreeMap<u64, u64>,
    rejected: &BTreeMap<B256, Entry>,
    now: u64,
) {
    for (index, batch) in state.batches.range(..=final_index) {
        let is_confirmed = |domains| {
            let reached = |chain_id| confirmed.get(&chain_id).is_some_and(|confirmed| confirmed >= index);
            state.concerned(domains, hub).all(reached)
        };
        for entry in state.requests_of(batch).filter(|entry| entry.status() == Status::Delivered) {
            if let Operation::Void(void) = entry.operation.as_ref() {
                let progress =
                    ProgressRecord { index: Some(*index), ..ProgressRecord::rejected(rejection(void), now) };
                update.move_request(entry.at(progress), None, now);
            } else if is_confirmed(entry.domains()) {
                update.move_request(entry.at(ProgressRecord::finalized(*index, now)), None, now);
                if let Some(same) = state.entry_of(&entry.id()).or_else(|| rejected.get(&entry.id())) {
                    update.progress(same, ProgressRecord::finalized_by(entry.name(), *index, now), None, now);
                }
            }
        }
        for entry in state.members_of(batch) {
            if entry.progress.status == Status::Delivered && is_confirmed(entry.domains()) {
                update.progress(entry, ProgressRecord::finalized(*index, now), None, now);
            }
        }
    }
}

/// Why a void request is rejected.
fn rejection(void: &Void) -> Rejection {
    let (code, what) = match void.reason() {
        VoidReason::InputAbsent => ("void_input_absent", "input has a note that did not exist"),
        VoidReason::InputSpent => ("void_input_spent", "input has a note that was spent"),
        VoidReason::OutputExists => ("void_output_exists", "output existed already"),
        VoidReason::UnknownDomain => ("void_unknown_domain", "output is for a chain that was not registered"),
    };
    Rejection { code: code.to_owned(), detail: format!("{what}: number {}", void.position()) }
}

/// Tells those who follow that a root with their operation came this far on a spoke that it concerns.
fn tell(
    state: &State,
    update: &mut Update,
    chain_id: u64,
    reached: RangeInclusive<u64>,
    status: RootStatus,
    now: u64,
) {
    if reached.is_empty() {
        return;
    }
    for (index, batch) in state.batches.range(reached) {
        let requests = state.requests_of(batch).filter(|entry| entry.domains().contains(&chain_id));
        let members = state.members_of(batch).filter(|entry| entry.domains().contains(&chain_id));
        let requests = requests.map(|entry| (entry.id(), Some(entry.name())));
        for (id, request) in requests.chain(members.map(|entry| (entry.id, None))) {
            let event = EventRecord::of(id, request, status.as_str(), now);
            update.event(EventRecord { chain_id: Some(chain_id), index: Some(*index), ..event });
        }
    }
}

/// Follows a spoke's newest blocks.
///
/// # Errors
/// Those of the spoke, of which many go away by themselves; and of the store.
pub async fn follow_spoke(
    context: &Context,
    spoke: &Link,
    follower: &Follower,
) -> Result<(), CoordinatorError> {
    for _ in 0..STEPS_PER_ROUND {
        let Some(step) = next_step(spoke, follower).await? else { return Ok(()) };
        if !step.removed.is_empty() {
            take_back_roots(context, spoke, step).await?;
        } else if !take_roots(context, spoke, step).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes a step, unless it is ahead of what `deliver` has seen of the hub; then it comes again. Gives whether it was taken.
async fn take_roots(context: &Context, spoke: &Link, step: Step) -> Result<bool, CoordinatorError> {
    let (mut moves, mut queued) = (Vec::new(), Vec::new());
    for log in step.added.iter().flat_map(|(_, logs)| logs) {
        if let Some(event) = decode_of_spoke::<RequestQueued>(spoke, log)? {
            queued.push(read_queued(context, spoke, event, log)?);
        }
        if let Some(moved) = decode_of_spoke::<RootUpdated>(spoke, log)? {
            let milestone = milestone(context, spoke, log, moved.index).await;
            moves.push((moved.newRoot, milestone));
        }
    }
    let (chain_id, now) = (spoke.config.chain_id, context.now());
    context
        .ledger
        .update(|state, update| {
            if moves.iter().any(|(_, milestone)| milestone.index > state.delivered_index()) {
                return Ok(false);
            }
            update.also(step.cursor);
            queued.into_iter().for_each(|entry| queue(state, update, entry, now));
            let Some(view) = state.chains.get(&chain_id) else { return Ok(true) };
            let mut record = view.record.clone();
            for (root, milestone) in &moves {
                update.relayed(chain_id, milestone);
                tell(state, update, chain_id, record.index + 1..=milestone.index, RootStatus::Relayed, now);
                record = ChainRecord { index: milestone.index, root: *root, updated_at: Some(now), ..record };
            }
            if !moves.is_empty() {
                update.chain(chain_id, record);
            }
            Ok(true)
        })
        .await
}

/// Milestones read at a time after a reorg: what attestors have not seen final is far less.
const MILESTONES: usize = 1_024;

/// A reorg of a spoke: milestones in its blocks are gone. Only such above the confirmed index can be, attestors sign final
/// blocks only.
async fn take_back_roots(context: &Context, spoke: &Link, step: Step) -> Result<(), CoordinatorError> {
    let chain_id = spoke.config.chain_id;
    let confirmed =
        context.ledger.state().chains.get(&chain_id).map_or(0, |view| view.record.confirmed_index);
    let (kept, gone): (Vec<_>, Vec<_>) = context
        .ledger
        .read(move |store| queries::milestones(store, tables::RELAYED, chain_id, confirmed, MILESTONES))
        .await?
        .into_iter()
        .partition(|milestone| step.removed.iter().all(|block| block.hash != milestone.block_hash));
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            gone.iter().for_each(|milestone| update.not_relayed(chain_id, milestone.index));
            unqueue(state, update, &step.removed);
            let index = kept.last().map_or(confirmed, |milestone| milestone.index);
            let root = state.version(index).map(|version| version.root);
            if let (Some(view), Some(root)) = (state.chains.get(&chain_id), root) {
                update.chain(
                    chain_id,
                    ChainRecord { index, root, updated_at: Some(now), ..view.record.clone() },
                );
            }
            update.also(step.cursor);
            Ok::<_, LedgerError>(())
        })
        .await?;
    Ok(())
}
