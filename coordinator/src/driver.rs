//! Runs the stages: one task for the sequence of batches, one for what is final on the hub, one for each spoke, one for
//! snapshots.

use std::sync::Arc;
use std::time::Duration;

use hypha_chain::config::{Finality, Role};
use hypha_chain::error::ChainError;
use hypha_chain::follow::{FollowConfig, FollowError, Follower};
use hypha_chain::ports::BlockTag;
use hypha_chain::submit::Submitter;
use tokio_util::sync::CancellationToken;

use crate::context::{Context, Link};
use crate::error::{CoordinatorError, LedgerError, LoadError};
use crate::metrics;
use crate::mode::Mode;
use crate::pipeline::unstick::Patience;
use crate::pipeline::{batch, commit, deliver, finalize, snapshot};
use crate::service::check_identity;
use crate::store::Guard;

/// Shortest pause between two rounds, so that a stream of admissions does not become a stream of questions to the hub.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause after a chain failed: one that comes back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A follower of a chain's contract. Table names live as long as the process; there is one for each configured chain.
fn follower(context: &Context, link: &Link, what: &str, finality: Finality) -> Follower {
    let config = &link.config;
    let table = Box::leak(format!("follow-{what}-{}", config.chain_id).into_boxed_str());
    let follow = FollowConfig {
        address: config.verifier,
        start_block: config.start_block,
        finality,
        table,
        max_blocks_per_step: config.max_logs_range,
    };
    Follower::new(link.chain.clone(), context.ledger.store().clone(), follow)
}

/// The sequence of batches: deliver, batch, commit, again and again.
pub(crate) async fn sequence(
    context: Arc<Context>,
    submitter: Arc<Submitter>,
    shutdown: CancellationToken,
) -> Result<(), CoordinatorError> {
    let follower = follower(&context, &context.hub, "newest", Finality::Confirmations(0));
    let mut patience = Patience::default();
    let mut rounds = Rounds::new(&context.hub);
    while !shutdown.is_cancelled() {
        let round = async {
            observe(&context, &context.hub).await?;
            deliver::deliver(&context, &submitter, &follower, &mut patience).await?;
            choose(&context).await?;
            commit::commit(&context, &submitter).await.map(|committed| committed.is_some())
        };
        let outcome = round.await;
        let committed = *outcome.as_ref().unwrap_or(&false);
        if rounds.settle(&context, &context.hub, outcome).await?.is_stopped() {
            return Ok(());
        }
        let mut asked = false;
        // What was committed is sent at once.
        let woken = async {
            if !committed {
                tokio::select! {
                    () = context.ledger.changed() => {}
                    () = context.retry.notified() => asked = true,
                }
            }
        };
        rounds.pause(&context, woken, &shutdown).await;
        if asked {
            patience = Patience::default();
        }
    }
    Ok(())
}

/// Chooses the next batch, unless the operator has paused that.
async fn choose(context: &Context) -> Result<(), CoordinatorError> {
    let held = context.mode.hold().await;
    if held.mode != Mode::Paused {
        batch::batch(context).await?;
    }
    Ok(())
}

/// What is final on the hub.
pub(crate) async fn follow_hub(
    context: Arc<Context>,
    shutdown: CancellationToken,
) -> Result<(), CoordinatorError> {
    let follower = follower(&context, &context.hub, "final", context.hub.config.finality);
    let mut rounds = Rounds::new(&context.hub);
    while !shutdown.is_cancelled() {
        let outcome = finalize::finalize(&context, &follower).await;
        if rounds.settle(&context, &context.hub, outcome).await?.is_stopped() {
            return Ok(());
        }
        rounds.pause(&context, std::future::pending(), &shutdown).await;
    }
    Ok(())
}

/// What a spoke has applied.
pub(crate) async fn follow_spoke(
    context: Arc<Context>,
    spoke: Link,
    shutdown: CancellationToken,
) -> Result<(), CoordinatorError> {
    let follower = follower(&context, &spoke, "newest", Finality::Confirmations(0));
    let mut rounds = Rounds::new(&spoke);
    let mut identified = false;
    while !shutdown.is_cancelled() {
        let round = async {
            if !identified {
                check_identity(&context.ledger, &spoke).await?;
                identified = true;
            }
            observe(&context, &spoke).await?;
            finalize::follow_spoke(&context, &spoke, &follower).await
        };
        let outcome = round.await;
        if rounds.settle(&context, &spoke, outcome).await?.is_stopped() {
            return Ok(());
        }
        rounds.pause(&context, std::future::pending(), &shutdown).await;
    }
    Ok(())
}

/// Snapshots of the tree. No chain is asked, so only a write can make one due.
pub(crate) async fn snapshots(
    context: Arc<Context>,
    shutdown: CancellationToken,
) -> Result<(), CoordinatorError> {
    let mut written = context.ledger.sequence();
    let rounds = async {
        let mut tried = 0;
        while !shutdown.is_cancelled() {
            tried = snapshot::snapshot(&context, &shutdown, tried).await?;
            tokio::select! {
                _ = written.changed() => {}
                () = shutdown.cancelled() => {}
            }
        }
        Ok(())
    };
    match rounds.await {
        Err(LedgerError::ShuttingDown) => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Looks at a chain's newest and newest final blocks.
async fn observe(context: &Context, link: &Link) -> Result<(), CoordinatorError> {
    let chain_id = link.config.chain_id;
    let failed = |error| CoordinatorError::Chain { chain_id, error };
    let head = link.chain.block(BlockTag::Latest).await.map_err(failed)?;
    let last_final = link.config.finality.head(link.chain.as_ref()).await.map_err(failed)?;
    context.ledger.observe(|state| {
        if let (Some(head), true) = (&head, chain_id == context.hub.config.chain_id) {
            state.hub_time = head.time;
            state.pace.observe(head);
            state.followed_from.get_or_insert(head.number);
        }
        if let Some(view) = state.chains.get_mut(&chain_id) {
            view.head = head.as_ref().map(|block| block.number);
            view.last_final = last_final.as_ref().map(|block| block.number);
            metrics::chain(chain_id, "index", view.record.index);
        }
    });
    for (what, block) in [("head", head), ("final", last_final)] {
        block.into_iter().for_each(|block| metrics::chain(chain_id, what, block.number));
    }
    Ok(())
}

/// Whether a task goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    On,
    Stopped,
}

impl Course {
    fn is_stopped(self) -> bool {
        self == Self::Stopped
    }
}

/// The rhythm of one task.
struct Rounds {
    poll: Duration,
    pause: Duration,
}

impl Rounds {
    fn new(link: &Link) -> Self {
        let poll = Duration::from_millis(link.config.poll_ms);
        Self { poll, pause: poll }
    }

    /// What follows from how a round ended: on, on after a pause, stopped with the guard set, or the end of the service. A
    /// spoke never does more than slow its own task down, unless it is the store that failed.
    async fn settle<T>(
        &mut self,
        context: &Context,
        link: &Link,
        outcome: Result<T, CoordinatorError>,
    ) -> Result<Course, CoordinatorError> {
        let chain_id = link.config.chain_id;
        let shown = outcome.as_ref().err().map(ToString::to_string);
        context.ledger.observe(|state| {
            if let Some(view) = state.chains.get_mut(&chain_id) {
                view.error.clone_from(&shown);
            }
        });
        let Err(error) = outcome else {
            self.pause = self.poll;
            if link.config.role == Role::Spoke {
                metrics::followed(chain_id, true);
            }
            return Ok(Course::On);
        };
        match consequence(&error, link.config.role) {
            Consequence::Retry => {
                self.slow_down();
                tracing::warn!(chain = chain_id, %error, "trying again");
                Ok(Course::On)
            }
            Consequence::Leave => {
                self.slow_down();
                metrics::followed(chain_id, false);
                tracing::error!(chain = chain_id, %error, "this spoke is not followed until that is over");
                Ok(Course::On)
            }
            Consequence::Guard => {
                tracing::error!(chain = chain_id, %error, "writers stopped");
                set_guard(context, error.to_string()).await?;
                Ok(Course::Stopped)
            }
            Consequence::Stop => Ok(Course::Stopped),
            Consequence::Fail => Err(error),
        }
    }

    fn slow_down(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_PAUSE.max(self.poll));
    }

    async fn pause(&self, context: &Context, woken: impl Future<Output = ()>, shutdown: &CancellationToken) {
        let shortest = context.clock.sleep(SHORTEST_PAUSE.min(self.pause));
        let longest = context.clock.sleep(self.pause);
        tokio::select! {
            () = async { shortest.await; woken.await } => {}
            () = longest => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// What an error means for the task that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// It can go away by itself.
    Retry,
    /// What was thought impossible happened on a spoke. Batches do not depend on it, so only this spoke waits for a person:
    /// its step is not taken, and is tried again in case the spoke's endpoint comes back to its senses.
    Leave,
    /// What was thought impossible happened on the hub: nobody writes until a person has looked.
    Guard,
    /// The writers have stopped already.
    Stop,
    /// The process must end.
    Fail,
}

fn consequence(error: &CoordinatorError, role: Role) -> Consequence {
    let (broken, foreign) = match role {
        Role::Hub => (Consequence::Guard, Consequence::Fail),
        Role::Spoke => (Consequence::Leave, Consequence::Leave),
    };
    match error {
        CoordinatorError::Follow {
            error: FollowError::FinalityBroken { .. } | FollowError::TooDeep(_),
            ..
        } => broken,
        CoordinatorError::HubLog(_) => Consequence::Guard,
        CoordinatorError::SpokeLog { .. } => Consequence::Leave,
        CoordinatorError::Follow { error: FollowError::Store(_), .. } => Consequence::Fail,
        CoordinatorError::Follow { .. } => Consequence::Retry,
        CoordinatorError::Chain {
            error: ChainError::IdentityMismatch { .. } | ChainError::GenesisMismatch { .. },
            ..
        }
        | CoordinatorError::Load(LoadError::OtherChain { .. }) => foreign,
        CoordinatorError::Chain { .. } => Consequence::Retry,
        CoordinatorError::Submit(hypha_chain::submit::SubmitError::Store(_)) => Consequence::Fail,
        CoordinatorError::Submit(_) => Consequence::Retry,
        CoordinatorError::Ledger(LedgerError::Halted(_)) => Consequence::Stop,
        _ => Consequence::Fail,
    }
}

/// Stops the writers for good. When another task was first, its reason stays.
async fn set_guard(context: &Context, reason: String) -> Result<(), CoordinatorError> {
    let guard = Guard { reason, at: context.now() };
    let set = context
        .ledger
        .update(|_, update| {
            update.guard(guard);
            Ok::<_, LedgerError>(())
        })
        .await;
    match set {
        Err(LedgerError::Halted(_)) => Ok(()),
        set => Ok(set?),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    fn chain(error: ChainError) -> CoordinatorError {
        CoordinatorError::Chain { chain_id: 1, error }
    }

    fn follow(error: FollowError) -> CoordinatorError {
        CoordinatorError::Follow { chain_id: 1, error }
    }

    #[test]
    fn a_spoke_is_left_alone_where_the_hub_would_stop_everything() {
        let (expected, actual) = (B256::ZERO, B256::repeat_byte(1));
        let (found, stored) = (String::new(), String::new());
        let other =
            LoadError::OtherChain { chain_id: 1, what: "first block", expected: stored, actual: found };
        for (error, hub) in [
            (follow(FollowError::TooDeep(5)), Consequence::Guard),
            (follow(FollowError::FinalityBroken { number: 5, expected, actual }), Consequence::Guard),
            (chain(ChainError::IdentityMismatch { expected: 1, actual: 2 }), Consequence::Fail),
            (chain(ChainError::GenesisMismatch { expected, actual }), Consequence::Fail),
            (CoordinatorError::Load(other), Consequence::Fail),
        ] {
            assert_eq!(consequence(&error, Role::Hub), hub, "{error}");
            assert_eq!(consequence(&error, Role::Spoke), Consequence::Leave, "{error}");
        }
    }

    #[test]
    fn a_failed_store_ends_the_process_whoever_meets_it() {
        let failed = || hypha_chain::StoreError::Failed("disk full".into());
        for error in [follow(FollowError::Store(failed())), failed().into()] {
            for role in [Role::Hub, Role::Spoke] {
                assert_eq!(consequence(&error, role), Consequence::Fail, "{error}");
            }
        }
    }
}
