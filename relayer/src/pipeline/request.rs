//! request: a spoke's final request becomes an `enqueueRemote` on the hub.

use alloy::primitives::U256;
use alloy::sol_types::SolCall;
use hypha_protocol::contracts::IRootHub;
use hypha_protocol::fact::{Fact, FactName};
use hypha_protocol::ids::request_hash;

use super::Progress;
use crate::destination::view;
use crate::error::RelayerError;
use crate::lane::Turn;
use crate::service::{Relayer, blocking};
use crate::spoke::Spoke;
use crate::store::RequestRecord;

/// Takes the request that the hub's queue has to take in next from this spoke, whoever carried those before; carries it with
/// its content and the fact that it was queued. It is then `admitted`.
///
/// # Errors
/// When the chains, the attestors or the store do not give what is needed, when the next request was not read though later
/// ones were, and once for each failed transaction.
pub(crate) async fn request(relayer: &Relayer, spoke: &Spoke) -> Result<Progress, RelayerError> {
    if drop_enqueued(spoke).await? {
        return Ok(Progress::Moved);
    }
    let enqueued = enqueued_number(relayer, spoke).await?;
    let tries = match spoke.enqueuing.turn(enqueued).await? {
        Turn::Busy => return Ok(Progress::Waiting),
        Turn::Free { tries } => tries,
    };
    let Some(next) = next(spoke, enqueued).await? else { return Ok(Progress::Idle) };
    let proof = relayer.attestors.prove(&fact(spoke, &next), &relayer.hub_destination).await?;
    // Gathering may have taken a while: perhaps another relayer was faster.
    if enqueued_number(relayer, spoke).await? >= next.number {
        return Ok(Progress::Moved);
    }
    let (number, name) = (next.number, format!("{:010}", next.number));
    let call = IRootHub::enqueueRemoteCall {
        chainId: U256::from(spoke.chain.id()),
        number,
        requestType: next.request_type,
        sender: next.sender,
        content: next.content,
        factProof: proof,
    };
    let data = call.abi_encode().into();
    spoke.enqueuing.take_up(&name, tries, number, relayer.hub.contract, data).await?;
    Ok(Progress::Moved)
}

/// The request after those that the hub has; `None` when it is not final on the spoke yet.
async fn next(spoke: &Spoke, enqueued: u64) -> Result<Option<RequestRecord>, RelayerError> {
    let (requests, number) = (spoke.requests.clone(), enqueued.saturating_add(1));
    let (next, waiting) = blocking(move || Ok((requests.get(number)?, requests.waiting(enqueued)?))).await?;
    spoke.note_waiting(waiting);
    if next.is_none() && waiting > 0 {
        return Err(RelayerError::RequestNotRead { chain_id: spoke.chain.id(), number });
    }
    Ok(next)
}

async fn drop_enqueued(spoke: &Spoke) -> Result<bool, RelayerError> {
    let requests = spoke.requests.clone();
    blocking(move || requests.drop_enqueued()).await
}

fn fact(spoke: &Spoke, request: &RequestRecord) -> Fact {
    let name = FactName::RequestQueued { number: request.number };
    let value = request_hash(request.request_type, &request.content, request.sender);
    Fact { src_chain: spoke.chain.id(), emitter: spoke.contract, key: name.key(), value }
}

async fn enqueued_number(relayer: &Relayer, spoke: &Spoke) -> Result<u64, RelayerError> {
    let call = IRootHub::enqueuedNumberCall { chainId: U256::from(spoke.chain.id()) };
    let (hub, contract) = (relayer.hub_chain.as_ref(), relayer.hub.contract);
    let number = view(hub, contract, call, "enqueuedNumber").await?;
    spoke.enqueued.set(number);
    Ok(number)
}
