//! What becomes of a batch that the hub refuses, or whose transaction failed: tried again, cut smaller, or chosen again.

use std::time::Duration;

use alloy::sol_types::SolError;
use hypha_chain::ports::Receipt;
use hypha_chain::submit::{IntentStatus, Submitter};
use hypha_protocol::contracts::IOperationErrors::{KnownDomain, UnknownDomain};
use hypha_protocol::contracts::IRequestQueue::RequestMismatch;
use hypha_protocol::contracts::IRootHub::{QueueEmpty, RequestDue, RequestOrder};

use super::commit::{calldata, intent_id, shrink};
use super::rollback::{roll_back, withdraw};
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::state::State;
use crate::store::{BatchRecord, BatchState, LedgerError, Update, queries};

/// First pause before a batch that the hub refuses is tried again; it doubles with each refusal.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When a refused batch is tried again; lost at a restart, which only tries it sooner.
#[derive(Default)]
pub struct Patience {
    batch: u64,
    not_before: u64,
    pause: Option<Duration>,
}

impl Patience {
    /// What was waited for another batch does not count.
    fn turn_to(&mut self, batch: u64) {
        if self.batch != batch {
            *self = Self { batch, ..Self::default() };
        }
    }

    fn is_over(&self, now: u64) -> bool {
        now >= self.not_before
    }

    fn extend(&mut self, now: u64) {
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.not_before = now.saturating_add(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    }
}

/// Looks after the transaction of the oldest batch that the hub has not taken.
pub(super) async fn unstick(
    context: &Context,
    submitter: &Submitter,
    patience: &mut Patience,
) -> Result<(), CoordinatorError> {
    let Some((batch, expired)) = stuck(&context.ledger.state()) else {
        *patience = Patience::default();
        no_trouble(context);
        return Ok(());
    };
    patience.turn_to(batch.index);
    let count = batch.operation_count();
    let (trouble, moved) = match submitter.status(&intent_id(&batch)).await? {
        Some(
            IntentStatus::Queued
            | IntentStatus::Sent { .. }
            | IntentStatus::Mined { receipt: Receipt { success: true, .. } }
            | IntentStatus::Final { .. },
        ) => {
            no_trouble(context);
            return Ok(());
        }
        Some(IntentStatus::Mined { .. } | IntentStatus::Reverted { .. }) => {
            ("its transaction reverted".to_owned(), false)
        }
        Some(IntentStatus::Refused { data }) => (format!("the hub refuses it with {data}"), has_moved(&data)),
        Some(IntentStatus::TooMuchGas { .. }) if count > 1 => {
            return shrink(context, submitter, batch.index, count).await;
        }
        Some(IntentStatus::TooMuchGas { needed, maximum }) => {
            (format!("it needs {needed} gas of {maximum}"), false)
        }
        None => ("its transaction is missing".to_owned(), false),
    };
    if expired {
        tracing::warn!(
            index = batch.index,
            trouble,
            "a deadline has passed: its operations are chosen again"
        );
        return Ok(withdraw(context, submitter, batch.index).await?);
    }
    context.ledger.observe(|state| state.trouble = Some(format!("batch {}: {trouble}", batch.index)));
    let now = context.now();
    if !patience.is_over(now) {
        return Ok(());
    }
    patience.extend(now);
    if moved {
        return choose_again(context, submitter, &batch, &trouble).await;
    }
    tracing::error!(index = batch.index, trouble, "trying again");
    send_again(context, submitter, batch).await
}

/// The sequence of batches waits for nothing but the hub's next block.
fn no_trouble(context: &Context) {
    context.ledger.observe(|state| state.trouble = None);
}

/// Whether the hub refuses a batch because its queue, or the chains registered there, are others than when it was chosen.
fn has_moved(data: &[u8]) -> bool {
    let errors = [
        RequestOrder::SELECTOR,
        RequestMismatch::SELECTOR,
        RequestDue::SELECTOR,
        QueueEmpty::SELECTOR,
        KnownDomain::SELECTOR,
        UnknownDomain::SELECTOR,
    ];
    errors.iter().any(|selector| data.starts_with(selector))
}

/// Takes back a batch that cannot follow any more, and those on top of it. That their transactions were refused is forgotten with
/// them: the same batch may be right again, and would not be sent then.
async fn choose_again(
    context: &Context,
    submitter: &Submitter,
    batch: &BatchRecord,
    trouble: &str,
) -> Result<(), CoordinatorError> {
    tracing::warn!(index = batch.index, trouble, "chosen again");
    context.learn_domains().await?;
    let intents = intents_from(&context.ledger.state(), batch.index);
    let mut forgotten = Vec::new();
    for id in intents {
        forgotten.extend(submitter.forget(&id).await?);
    }
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            roll_back(state, update, submitter, batch.index, now);
            update.also(forgotten);
            Ok::<_, LedgerError>(())
        })
        .await?;
    Ok(())
}

/// The oldest batch that is not on the hub, and whether the deadline of one of its operations is over.
fn stuck(state: &State) -> Option<(BatchRecord, bool)> {
    let batch = state.batches.values().find(|batch| batch.state == BatchState::Committed)?;
    let expired = state
        .members_of(batch)
        .any(|entry| entry.operation.deadline().is_some_and(|deadline| deadline < state.hub_time));
    Some((batch.clone(), expired))
}

/// The names of the transactions of this batch and those on top of it, as far as they are committed.
fn intents_from(state: &State, index: u64) -> Vec<String> {
    let committed = |batch: &&BatchRecord| batch.state == BatchState::Committed;
    state.batches.range(index..).map(|(_, batch)| batch).filter(committed).map(intent_id).collect()
}

/// A refused transaction goes back to the queue, and with it those that were refused because they follow it; a reverted or missing
/// one gets a successor. The hub takes a batch once, so that two can do no harm.
async fn send_again(
    context: &Context,
    submitter: &Submitter,
    batch: BatchRecord,
) -> Result<(), CoordinatorError> {
    let mut retried = submitter.retry(&intent_id(&batch)).await?;
    let needs_successor = retried.is_empty();
    let following = intents_from(&context.ledger.state(), batch.index + 1);
    for id in following {
        retried.extend(submitter.retry(&id).await?);
    }
    let index = batch.index;
    let body = context.ledger.read(move |store| queries::body(store, index)).await?;
    context
        .ledger
        .update(|_: &State, update: &mut Update| {
            update.also(retried);
            if let Some(body) = body.filter(|_| needs_successor) {
                let next = BatchRecord { attempt: batch.attempt + 1, ..batch };
                let hub = context.hub.config.verifier;
                update.also(submitter.intent(&intent_id(&next), hub, calldata(&next, &body)));
                update.batch(next);
            }
            Ok::<_, LedgerError>(())
        })
        .await?;
    Ok(())
}
