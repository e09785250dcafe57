//! In: committed batches, and the hub's newest blocks. Out: requests that came to the hub's queue; batches that the hub has taken,
//! ours or another's. Sets `delivered`, and of requests `admitted`; back to `committed` what a reorg dropped, and back to
//! `admitted` what the hub will not have.

use alloy::primitives::B256;
use hypha_chain::follow::{Follower, Step};
use hypha_chain::ports::{Change, Log};
use hypha_chain::submit::Submitter;
use hypha_protocol::contracts::IRootHub::{BatchApplied, RequestEnqueued, SpokeRegistered};
use hypha_protocol::status::Status;

use super::adopt::adopt;
use super::commit::move_members;
use super::enqueue::{enqueue, leave};
use super::follow::{STEPS_PER_ROUND, decode, milestone, next_step};
use super::rollback::{roll_back, withdraw};
use super::unstick::{Patience, unstick};
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::requests::RequestEntry;
use crate::store::{BatchRecord, BatchState, ChainRecord, Enqueued, LedgerError, Milestone, queries};

/// One round: pushes transactions, follows the hub, and deals with a batch that is stuck.
///
/// # Errors
/// Those of the hub, of which many go away by themselves; and of the store.
pub async fn deliver(
    context: &Context,
    submitter: &Submitter,
    follower: &Follower,
    patience: &mut Patience,
) -> Result<(), CoordinatorError> {
    // What the hub has taken is looked at also while nothing can be sent.
    let mut driven = Ok(());
    if context.ledger.state().batches.values().any(|batch| batch.state < BatchState::Final && !batch.foreign)
    {
        driven = submitter.drive().await;
    }
    for _ in 0..STEPS_PER_ROUND {
        match next_step(&context.hub, follower).await? {
            Some(step) => follow(context, submitter, step).await?,
            None => {
                unstick(context, submitter, patience).await?;
                break;
            }
        }
    }
    Ok(driven?)
}

/// Takes one step along the hub's newest blocks. Its logs are written one after another and its cursor last: what a step that did not
/// come to its end wrote of blocks which a reorg then removed is taken back as well.
async fn follow(context: &Context, submitter: &Submitter, step: Step) -> Result<(), CoordinatorError> {
    let gone = Gone {
        reached: step.reached,
        removed: step.removed.iter().map(|block| block.hash).collect(),
        added: step.added.iter().map(|(block, _)| block.hash).collect(),
    };
    if take_back(context, submitter, &gone).await? || !step.removed.is_empty() {
        context.ledger.observe(|state| state.followed_from = None);
        context.learn_domains().await?;
    }
    for (_, logs) in &step.added {
        for log in logs {
            follow_log(context, submitter, log).await?;
        }
    }
    finish(context, step.cursor).await
}

/// Which blocks are not there any more.
struct Gone {
    /// Height up to which steps came to their end.
    reached: u64,
    removed: Vec<B256>,
    added: Vec<B256>,
}

impl Gone {
    /// Whether a step that came to its end had it.
    fn is_removed(&self, hash: B256) -> bool {
        self.removed.contains(&hash)
    }

    /// Whether only a step that did not come to its end had it. When a later step has it, it comes again.
    fn is_left_over(&self, height: u64, hash: B256) -> bool {
        height > self.reached && !self.added.contains(&hash)
    }

    fn has_batch(&self, batch: &BatchRecord) -> bool {
        let is_open = batch.state < BatchState::Final;
        batch.delivered.as_ref().is_some_and(|seen| {
            self.is_removed(seen.block_hash) || (is_open && self.is_left_over(seen.block, seen.block_hash))
        })
    }

    fn has_request(&self, entry: &RequestEntry, final_index: u64) -> bool {
        let is_open = entry.record.progress.index.is_none_or(|index| index > final_index);
        entry.record.enqueued.as_ref().is_some_and(|Enqueued { seen, .. }| {
            self.is_removed(seen.block_hash) || (is_open && self.is_left_over(seen.block, seen.block_hash))
        })
    }
}

/// A reorg of the hub: our batches in it are `committed` again and their transactions go out again; another's are gone, those that
/// resolve a request which is gone from the queue, and all that was built on either. Gives whether there were any.
async fn take_back(context: &Context, submitter: &Submitter, gone: &Gone) -> Result<bool, CoordinatorError> {
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            let batches: Vec<_> = state.batches.values().filter(|batch| gone.has_batch(batch)).collect();
            if let Some(batch) = batches.iter().find(|batch| batch.state == BatchState::Final) {
                return Err(CoordinatorError::HubLog(format!("batch {} was final and is gone", batch.index)));
            }
            let final_index = state.final_index();
            let requests: Vec<_> =
                state.requests.iter().filter(|entry| gone.has_request(entry, final_index)).collect();
            let foreign = batches.iter().filter(|batch| batch.foreign).map(|batch| batch.index);
            let carried = requests.iter().filter_map(|entry| entry.record.progress.index);
            let lost = foreign.chain(carried).min().unwrap_or(u64::MAX);
            roll_back(state, update, submitter, lost, now);
            leave(update, &requests, context.hub_id(), now);
            let any = !batches.is_empty() || !requests.is_empty();
            for batch in batches.into_iter().filter(|batch| batch.index < lost) {
                tracing::warn!(index = batch.index, "a reorg of the hub dropped a batch");
                move_members(state, update, batch, Status::Committed, None, now);
                update.batch(BatchRecord { state: BatchState::Committed, delivered: None, ..batch.clone() });
            }
            Ok(any)
        })
        .await
}

async fn follow_log(context: &Context, submitter: &Submitter, log: &Log) -> Result<(), CoordinatorError> {
    if let Some(registered) = decode::<SpokeRegistered>(log)? {
        let chain_id = u64::try_from(registered.chainId).unwrap_or(u64::MAX);
        context.ledger.observe(|state| {
            state.domains.insert(chain_id);
        });
    }
    if let Some(enqueued) = decode::<RequestEnqueued>(log)? {
        return enqueue(context, enqueued, log).await;
    }
    match decode::<BatchApplied>(log)? {
        Some(applied) => {
            let milestone = milestone(context, &context.hub, log, applied.index).await;
            take_in(context, submitter, &applied, milestone).await
        }
        None => Ok(()),
    }
}

/// How what is here relates to a batch that the hub took.
enum Relation {
    /// It is the same.
    Same,
    /// Nothing is here at this index.
    Next,
    /// Another batch is here: from this index on ours are lost.
    Other,
}

/// The hub took a batch.
async fn take_in(
    context: &Context,
    submitter: &Submitter,
    applied: &BatchApplied,
    milestone: Milestone,
) -> Result<(), CoordinatorError> {
    match relation(context, applied).await? {
        Relation::Same => mark_delivered(context, applied.index, milestone).await,
        Relation::Next => adopt(context, applied, milestone).await,
        Relation::Other => {
            withdraw(context, submitter, applied.index).await?;
            adopt(context, applied, milestone).await
        }
    }
}

async fn relation(context: &Context, applied: &BatchApplied) -> Result<Relation, CoordinatorError> {
    let index = applied.index;
    let (head, known) = {
        let state = context.ledger.state();
        (state.head().index, state.batches.get(&index).cloned())
    };
    let known = match known {
        None if index <= head => context.ledger.read(move |store| queries::batch(store, index)).await?,
        known => known,
    };
    let said = (applied.root, applied.batchChain);
    match known {
        Some(ours) if ours.state >= BatchState::Committed && (ours.root, ours.batch_chain) == said => {
            Ok(Relation::Same)
        }
        Some(ours) if ours.state == BatchState::Final => {
            Err(CoordinatorError::HubLog(format!("batch {index} was final and is another now")))
        }
        Some(_) => Ok(Relation::Other),
        None if index == head + 1 => Ok(Relation::Next),
        None => Err(CoordinatorError::HubLog(format!("batch {index} follows, the head is {head}"))),
    }
}

async fn mark_delivered(context: &Context, index: u64, milestone: Milestone) -> Result<(), CoordinatorError> {
    let (hub, now) = (context.hub_id(), context.now());
    let is_new = context
        .ledger
        .update(|state, update| {
            let batch = state.batches.get(&index).filter(|batch| batch.state == BatchState::Committed);
            if let Some(batch) = batch {
                tracing::info!(index, tx = %milestone.tx, block = milestone.block, "delivered");
                move_members(state, update, batch, Status::Delivered, Some(hub), now);
                let delivered = Some(milestone);
                update.batch(BatchRecord { state: BatchState::Delivered, delivered, ..batch.clone() });
            }
            Ok::<_, LedgerError>(batch.is_some())
        })
        .await?;
    if !is_new {
        return Ok(());
    }
    let most = context.batch.max_operations;
    context.ledger.observe(|state| {
        let committed_at = state.batches.get(&index).and_then(|batch| batch.committed_at);
        committed_at.into_iter().for_each(|at| state.pace.delivered(now.saturating_sub(at)));
        state.most_operations = state.most_operations.map(|fewer| 2 * fewer).filter(|fewer| *fewer < most);
    });
    Ok(())
}

/// The step is taken: its cursor, and where the hub stands now.
async fn finish(context: &Context, cursor: Vec<Change>) -> Result<(), CoordinatorError> {
    let (hub, now) = (context.hub_id(), context.now());
    context
        .ledger
        .update(|state, update| {
            update.also(cursor);
            let index = state.delivered_index();
            let root = state.version(index).map(|version| version.root);
            let before = state.chains.get(&hub).map(|view| &view.record);
            if let (Some(root), Some(before)) = (root, before)
                && (before.index, before.root) != (index, root)
            {
                update.chain(hub, ChainRecord { index, root, updated_at: Some(now), ..before.clone() });
            }
            Ok::<_, LedgerError>(())
        })
        .await?;
    Ok(())
}
