//! What the stages that follow chains have in common: decoding logs, and when and where something was seen.

use alloy::sol_types::SolEvent;
use hypha_chain::follow::{FollowError, Follower, Step};
use hypha_chain::ports::Log;

use crate::context::{Context, Link};
use crate::error::CoordinatorError;
use crate::store::Milestone;

/// Steps that one round takes before others get their turn.
pub(super) const STEPS_PER_ROUND: usize = 64;

/// The next step of a follower.
pub(super) async fn next_step(link: &Link, follower: &Follower) -> Result<Option<Step>, CoordinatorError> {
    let chain_id = link.config.chain_id;
    match follower.next().await {
        Err(FollowError::Moved(number)) => {
            tracing::debug!(chain = chain_id, number, "the chain moved during a read");
            Ok(None)
        }
        step => step.map_err(|error| CoordinatorError::Follow { chain_id, error }),
    }
}

/// Reads a log of the hub as this event; `None` when it is another.
pub(super) fn decode<E: SolEvent>(log: &Log) -> Result<Option<E>, CoordinatorError> {
    read(log).map_err(CoordinatorError::HubLog)
}

/// Reads a log of a spoke as this event; `None` when it is another.
pub(super) fn decode_of_spoke<E: SolEvent>(spoke: &Link, log: &Log) -> Result<Option<E>, CoordinatorError> {
    let chain_id = spoke.config.chain_id;
    read(log).map_err(|detail| CoordinatorError::SpokeLog { chain_id, detail })
}

/// The event, or why a log that bears its name is none.
fn read<E: SolEvent>(log: &Log) -> Result<Option<E>, String> {
    if log.topics.first() != Some(&E::SIGNATURE_HASH) {
        return Ok(None);
    }
    let event = E::decode_raw_log(log.topics.iter().copied(), &log.data);
    event.map(Some).map_err(|error| format!("{}: {error}", E::SIGNATURE))
}

/// Where a log was seen, now; the gas of its transaction where the chain still says it.
pub(super) async fn milestone(context: &Context, link: &Link, log: &Log, index: u64) -> Milestone {
    let receipt = link.chain.receipt(log.tx_hash).await.ok().flatten();
    Milestone {
        index,
        at: context.now(),
        tx: log.tx_hash,
        block: log.block_number,
        block_hash: log.block_hash,
        gas: receipt.map(|receipt| receipt.gas_used),
    }
}
