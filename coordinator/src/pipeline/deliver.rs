//! In: committed batches, and the hub's newest blocks. Out: requests that came to the hub's queue; batches that the hub has taken,
//! ours or another's. Sets `delivered`, and of requests `admitted`; back to `committed` what a reorg dropped, and back to
//! `admitted` what the hub will not have.

use hypha_chain::follow::{Follower, Step};
use hypha_chain::ports::{Block, Change, Log};
use hypha_chain::submit::Submitter;
use hypha_protocol::contracts::IRootHub::{BatchApplied, RequestEnqueued, SpokeRegistered};
use hypha_protocol::status::Status;

use super::adopt::adopt;
use super::commit::move_members;
use super::enqueue::{enqueue, enqueued_in, leave};
use super::follow::{STEPS_PER_ROUND, decode, milestone, next_step};
use super::rollback::{roll_back, withdraw};
use super::unstick::{Patience, unstick};
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::store::{BatchRecord, BatchState, ChainRecord, LedgerError, Milestone, queries};

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
    if context.ledger.state().batches.values().any(|batch| batch.state < BatchState::Final && !batch.foreign)
    {
        submitter.drive().await?;
    }
    for _ in 0..STEPS_PER_ROUND {
        match next_step(&context.hub, follower).await? {
            Some(step) => follow(context, step).await?,
            None => return unstick(context, submitter, patience).await,
        }
    }
    Ok(())
}

/// Takes one step along the hub's newest blocks.
async fn follow(context: &Context, step: Step) -> Result<(), CoordinatorError> {
    if !step.removed.is_empty() {
        context.ledger.observe(|state| state.followed_from = None);
        take_back(context, &step.removed).await?;
        context.learn_domains().await?;
    }
    for (_, logs) in &step.added {
        for log in logs {
            follow_log(context, log).await?;
        }
    }
    finish(context, step.cursor).await
}

/// A reorg of the hub: our batches in it are `committed` again and their transactions go out again; another's are gone, those that
/// resolve a request which is gone from the queue, and all that was built on either.
async fn take_back(context: &Context, removed: &[Block]) -> Result<(), CoordinatorError> {
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            let is_removed = |batch: &&BatchRecord| {
                let delivered = batch.delivered.as_ref();
                delivered.is_some_and(|seen| removed.iter().any(|block| block.hash == seen.block_hash))
            };
            let gone: Vec<&BatchRecord> = state.batches.values().filter(is_removed).collect();
            if let Some(batch) = gone.iter().find(|batch| batch.state == BatchState::Final) {
                return Err(CoordinatorError::HubLog(format!("batch {} was final and is gone", batch.index)));
            }
            let requests = enqueued_in(state, removed);
            let foreign = gone.iter().filter(|batch| batch.foreign).map(|batch| batch.index);
            let carried = requests.iter().filter_map(|entry| entry.record.progress.index);
            let lost = foreign.chain(carried).min().unwrap_or(u64::MAX);
            roll_back(state, update, lost, now);
            leave(update, &requests, context.hub_id(), now);
            for batch in gone.into_iter().filter(|batch| batch.index < lost) {
                tracing::warn!(index = batch.index, "a reorg of the hub dropped a batch");
                move_members(state, update, batch, Status::Committed, None, now);
                update.batch(BatchRecord { state: BatchState::Committed, delivered: None, ..batch.clone() });
            }
            Ok(())
        })
        .await
}

async fn follow_log(context: &Context, log: &Log) -> Result<(), CoordinatorError> {
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
            take_in(context, &applied, milestone).await
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
    applied: &BatchApplied,
    milestone: Milestone,
) -> Result<(), CoordinatorError> {
    match relation(context, applied).await? {
        Relation::Same => mark_delivered(context, applied.index, milestone).await,
        Relation::Next => adopt(context, applied, milestone).await,
        Relation::Other => {
            withdraw(context, applied.index).await?;
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
    context
        .ledger
        .update(|state, update| {
            let batch = state.batches.get(&index).filter(|batch| batch.state == BatchState::Committed);
            if let Some(batch) = batch {
                tracing::info!(index, tx = %milestone.tx, block = milestone.block, "delivered");
                move_members(state, update, batch, Status::Delivered, Some(hub), now);
                let delivered = Some(milestone);
                update.batch(BatchRecord { state: BatchState::Delivered, delivered, ..batch.clone() });
            }
            Ok::<_, LedgerError>(())
        })
        .await?;
    let most = context.batch.max_operations;
    context.ledger.observe(|state| {
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
