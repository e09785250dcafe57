//! observe_spoke: a spoke's final roots and requests become rows, for `report` and `request` to carry home.

use alloy::sol_types::SolEvent;
use hypha_chain::ports::Log;
use hypha_protocol::contracts::IRequestQueue::RequestQueued;
use hypha_protocol::contracts::IRootVerifier::RootUpdated;

use super::Progress;
use crate::error::RelayerError;
use crate::service::blocking;
use crate::spoke::Spoke;
use crate::store::{AppliedRecord, RequestRecord, put_applied};

/// One step along the spoke's final blocks: stores the highest index that they show and all their requests, together with
/// the position.
///
/// # Errors
/// When the chain or the store fails; the position then has not moved.
pub(crate) async fn observe_spoke(spoke: &Spoke) -> Result<Progress, RelayerError> {
    let Some(step) = spoke.follower.next().await? else { return Ok(Progress::Idle) };
    let logs = || step.added.iter().flat_map(|(_, logs)| logs);
    let (chain_id, requests) = (spoke.chain.id(), &spoke.requests);
    let mut news: Vec<_> = logs().filter_map(queued).map(|record| requests.put(&record)).collect();
    news.extend(logs().filter_map(updated).last().map(|applied| put_applied(chain_id, &applied)));
    let any_news = !news.is_empty();
    let (rows, changes) = (spoke.rows.clone(), [step.cursor, news].concat());
    blocking(move || rows.write(changes)).await?;
    if any_news {
        spoke.observed.send_replace(step.position.number);
    }
    Ok(Progress::Moved)
}

/// What the log says, when it is the event. One that does not decode cannot come from the contract's code.
fn updated(log: &Log) -> Option<AppliedRecord> {
    let event: RootUpdated = decoded(log)?;
    Some(AppliedRecord { index: event.index, root: event.newRoot })
}

/// Likewise.
fn queued(log: &Log) -> Option<RequestRecord> {
    let event: RequestQueued = decoded(log)?;
    let RequestQueued { number, requestType: request_type, sender, content, .. } = event;
    Some(RequestRecord { number, request_type, sender, content })
}

fn decoded<E: SolEvent>(log: &Log) -> Option<E> {
    (log.topics.first() == Some(&E::SIGNATURE_HASH)).then_some(())?;
    E::decode_raw_log(log.topics.iter().copied(), &log.data).ok()
}
