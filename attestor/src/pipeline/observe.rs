//! observe: final logs become stored facts.

use alloy::primitives::B256;
use alloy::sol_types::SolEvent;
use hypha_chain::config::Role;
use hypha_chain::follow::FollowError;
use hypha_chain::ports::{Block, Log};
use hypha_protocol::contracts::{IRequestQueue, IRootHub, IRootVerifier};
use hypha_protocol::fact::{FactName, accepted_value, applied_value};
use hypha_protocol::ids::request_hash;
use hypha_protocol::tree::Root;

use crate::error::AttestorError;
use crate::service::{Attestor, Source, blocking};
use crate::store::{FactId, GuardReason, Observation, Place, Recorded};

/// Takes the next final blocks of one source; stores the facts that its contract asserted in them, with the position, in
/// one write. `None` when there was no new block. A second value for a key, and a final block that went away, set the
/// guard.
///
/// # Errors
/// When the chain or the store fails; the position then has not moved.
pub async fn observe(attestor: &Attestor, source: &Source) -> Result<Option<Recorded>, AttestorError> {
    let step = match source.follower.next().await {
        Ok(None) => return Ok(None),
        Ok(Some(step)) if step.removed.is_empty() => step,
        Ok(Some(_)) | Err(FollowError::FinalityBroken { .. } | FollowError::TooDeep(_)) => {
            return finality_broken(attestor, source).await;
        }
        Err(error) => return Err(error.into()),
    };
    let mut observations = Vec::new();
    for (block, logs) in &step.added {
        for log in logs {
            observations.extend(fact_of(source, block, log)?);
        }
    }
    let (ledger, at_ms) = (attestor.ledger.clone(), attestor.clock.now_ms());
    let position = step.cursor;
    let recorded = blocking(move || ledger.record(&observations, position, at_ms)).await?;
    if recorded.conflicts > 0 {
        tracing::error!(chain = source.chain_id, "two final values for one key: nothing new is signed");
    }
    Ok(Some(recorded))
}

async fn finality_broken<T>(attestor: &Attestor, source: &Source) -> Result<T, AttestorError> {
    let chain_id = source.chain_id;
    let (ledger, at_ms) = (attestor.ledger.clone(), attestor.clock.now_ms());
    blocking(move || ledger.set_guard(GuardReason::FinalityBroken { chain_id }, at_ms)).await?;
    Err(AttestorError::FinalityBroken { chain_id })
}

/// The fact that a log asserts, if it asserts one.
fn fact_of(source: &Source, block: &Block, log: &Log) -> Result<Option<Observation>, AttestorError> {
    if log.address != source.emitter || log.block_hash != block.hash {
        return Err(AttestorError::ForeignLog { chain_id: source.chain_id, block: block.hash });
    }
    let root = match source.role {
        Role::Hub => root_accepted(log),
        Role::Spoke => root_applied(log),
    };
    Ok(root.or_else(|| request_queued(log)).map(|(key, value)| Observation {
        id: FactId { src_chain: source.chain_id, emitter: source.emitter, key },
        value,
        place: Place { number: block.number, hash: block.hash, time: block.time },
    }))
}

fn root_accepted(log: &Log) -> Option<(B256, B256)> {
    let event = decoded::<IRootHub::BatchApplied>(log)?;
    let name = FactName::RootAccepted { index: event.index };
    Some((name.key(), accepted_value(Root::from(event.root.0), event.batchChain)))
}

fn root_applied(log: &Log) -> Option<(B256, B256)> {
    let event = decoded::<IRootVerifier::RootUpdated>(log)?;
    let name = FactName::RootApplied { index: event.index };
    Some((name.key(), applied_value(Root::from(event.newRoot.0))))
}

/// The value is made from the whole content in the log, so what is signed is what anybody can read there.
fn request_queued(log: &Log) -> Option<(B256, B256)> {
    let event = decoded::<IRequestQueue::RequestQueued>(log)?;
    let name = FactName::RequestQueued { number: event.number };
    Some((name.key(), request_hash(event.requestType, &event.content, event.sender)))
}

/// The event, when the log is one of these. A log of the configured contract under this signature that does not decode
/// cannot come from the contract's code, so it asserts nothing.
fn decoded<E: SolEvent>(log: &Log) -> Option<E> {
    (log.topics.first() == Some(&E::SIGNATURE_HASH))
        .then(|| E::decode_raw_log(log.topics.iter().copied(), &log.data).ok())
        .flatten()
}
