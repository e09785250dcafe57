//! In: committed batches, and the hub's newest blocks. Out: batches that the hub has taken, ours or another's. Sets `delivered`;
//! back to `committed` what a reorg dropped, and back to `admitted` what the hub will not have.

use std::time::Duration;

use hypha_chain::follow::{Follower, Step};
use hypha_chain::ports::{Block, Change, Log};
use hypha_chain::submit::{IntentStatus, Submitter};
use hypha_protocol::contracts::IRootHub::{BatchApplied, SpokeRegistered};
use hypha_protocol::status::Status;

use super::adopt::adopt;
use super::commit::{calldata, intent_id, move_members, shrink};
use super::follow::{STEPS_PER_ROUND, decode, milestone, next_step};
use super::rollback::{roll_back, withdraw};
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::state::State;
use crate::store::{BatchRecord, BatchState, ChainRecord, LedgerError, Milestone, Update, queries};

/// First pause before a batch that the hub refuses is tried again; it doubles with each refusal.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When a refused batch is tried again; lost at a restart, which only tries it sooner.
#[derive(Default)]
pub struct Patience {
    not_before: u64,
    pause: Option<Duration>,
}

impl Patience {
    fn is_over(&self, now: u64) -> bool {
        now >= self.not_before
    }

    fn extend(&mut self, now: u64) {
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.not_before = now.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    }
}

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
        take_back(context, &step.removed).await?;
    }
    for (_, logs) in &step.added {
        for log in logs {
            follow_log(context, log).await?;
        }
    }
    finish(context, step.cursor).await
}

/// A reorg of the hub: our batches in it are `committed` again and their transactions go out again; another's are gone, and
/// all that was built on them.
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
            let lost = gone.iter().find(|batch| batch.foreign).map_or(u64::MAX, |batch| batch.index);
            roll_back(state, update, lost, now);
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

/// Looks after the transaction of the oldest batch that the hub has not taken.
async fn unstick(
    context: &Context,
    submitter: &Submitter,
    patience: &mut Patience,
) -> Result<(), CoordinatorError> {
    let Some((batch, expired)) = stuck(&context.ledger.state()) else {
        *patience = Patience::default();
        context.ledger.observe(|state| state.trouble = None);
        return Ok(());
    };
    let id = intent_id(&batch);
    let trouble = match submitter.status(&id).await? {
        Some(IntentStatus::Queued | IntentStatus::Sent { .. } | IntentStatus::Final { .. }) => return Ok(()),
        Some(IntentStatus::Mined { receipt }) if receipt.success => return Ok(()),
        Some(IntentStatus::Mined { .. } | IntentStatus::Reverted { .. }) => {
            "its transaction reverted".to_owned()
        }
        Some(IntentStatus::Refused { data }) => format!("the hub refuses it with {data}"),
        Some(IntentStatus::TooMuchGas { .. }) if batch.members.len() > 1 => {
            return shrink(context, batch.index, batch.members.len()).await;
        }
        Some(IntentStatus::TooMuchGas { needed, maximum }) => format!("it needs {needed} gas of {maximum}"),
        None => "its transaction is missing".to_owned(),
    };
    let now = context.now();
    if expired {
        tracing::warn!(
            index = batch.index,
            trouble,
            "a deadline has passed: its operations are chosen again"
        );
        return Ok(withdraw(context, batch.index).await?);
    }
    context.ledger.observe(|state| state.trouble = Some(format!("batch {}: {trouble}", batch.index)));
    if !patience.is_over(now) {
        return Ok(());
    }
    patience.extend(now);
    tracing::error!(index = batch.index, trouble, "trying again");
    send_again(context, submitter, batch).await
}

/// The oldest batch that is not on the hub, and whether the deadline of one of its operations is over.
fn stuck(state: &State) -> Option<(BatchRecord, bool)> {
    let batch = state.batches.values().find(|batch| batch.state == BatchState::Committed)?;
    let entries = batch.members.iter().filter_map(|number| state.entries.get(number));
    let expired = entries
        .into_iter()
        .any(|entry| entry.operation.deadline().is_some_and(|deadline| deadline < state.hub_time));
    Some((batch.clone(), expired))
}

/// A refused transaction goes back to the queue; a reverted or missing one gets a successor. The hub takes a batch once, so
/// that two can do no harm.
async fn send_again(
    context: &Context,
    submitter: &Submitter,
    batch: BatchRecord,
) -> Result<(), CoordinatorError> {
    let retried = submitter.retry(&intent_id(&batch)).await?;
    let index = batch.index;
    let body = context.ledger.read(move |store| queries::body(store, index)).await?;
    context
        .ledger
        .update(|_: &State, update: &mut Update| {
            match body {
                Some(body) if retried.is_empty() => {
                    let next = BatchRecord { attempt: batch.attempt + 1, ..batch };
                    let hub = context.hub.config.verifier;
                    update.also(submitter.intent(&intent_id(&next), hub, calldata(&next, &body)));
                    update.batch(next);
                }
                _ => update.also(retried),
            }
            Ok::<_, LedgerError>(())
        })
        .await?;
    Ok(())
}
