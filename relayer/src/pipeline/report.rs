//! report: a spoke's final root becomes a `confirm` on the hub.

use alloy::primitives::U256;
use alloy::sol_types::{SolCall, SolEvent};
use hypha_chain::ports::Log;
use hypha_protocol::contracts::IRootHub;
use hypha_protocol::contracts::IRootVerifier::RootUpdated;
use hypha_protocol::fact::{Fact, FactName, applied_value};
use hypha_protocol::tree::Root;

use super::Progress;
use crate::destination::view;
use crate::error::RelayerError;
use crate::lane::Turn;
use crate::service::{Relayer, Spoke, blocking};
use crate::store::{AppliedRecord, put_applied};

/// Takes the spoke's final `RootUpdated`; carries the fact of the highest index home, which confirms the lower ones too.
/// That root is then `reported`.
///
/// # Errors
/// When the chains, the attestors or the store do not give what is needed, when the spoke's root is not the hub's, and
/// once for each failed transaction.
pub(crate) async fn report(relayer: &Relayer, spoke: &Spoke) -> Result<Progress, RelayerError> {
    if follow(spoke).await? {
        return Ok(Progress::Moved);
    }
    let confirmed = confirmed_index(relayer, spoke).await?;
    let tries = match spoke.confirming.turn(confirmed).await? {
        Turn::Busy => return Ok(Progress::Waiting),
        Turn::Free { tries } => tries,
    };
    let (rows, chain_id) = (spoke.confirming.rows.clone(), spoke.chain.id());
    let applied = blocking(move || rows.applied(chain_id)).await?;
    let Some(applied) = applied.filter(|applied| applied.index > confirmed) else {
        return Ok(Progress::Idle);
    };
    let proof = relayer.attestors.prove(&fact(spoke, &applied), &relayer.hub_destination).await?;
    if confirmed_index(relayer, spoke).await? >= applied.index {
        return Ok(Progress::Moved);
    }
    let (index, root) = (applied.index, applied.root);
    // The hub itself says so in an event, once; confirming it again and again would change nothing.
    if tries > 0 {
        refuse_diverged(spoke, &applied).await?;
    }
    let call =
        IRootHub::confirmCall { chainId: U256::from(chain_id), atIndex: index, root, factProof: proof };
    let name = format!("{index:010}");
    let data = call.abi_encode().into();
    spoke.confirming.take_up(&name, tries, index, relayer.hub.contract, data).await?;
    Ok(Progress::Moved)
}

/// One step along the spoke's final blocks: stores the highest index they show, with the position. Whether there was one.
async fn follow(spoke: &Spoke) -> Result<bool, RelayerError> {
    let Some(step) = spoke.follower.next().await? else { return Ok(false) };
    let (rows, chain_id) = (spoke.confirming.rows.clone(), spoke.chain.id());
    let highest = step.added.iter().flat_map(|(_, logs)| logs).filter_map(updated).last();
    blocking(move || {
        let mut changes = step.cursor;
        changes.extend(highest.map(|applied| put_applied(chain_id, &applied)));
        rows.write(changes)
    })
    .await?;
    Ok(true)
}

/// What the log says, when it is the event.
fn updated(log: &Log) -> Option<AppliedRecord> {
    (log.topics.first() == Some(&RootUpdated::SIGNATURE_HASH)).then_some(())?;
    let event = RootUpdated::decode_raw_log(log.topics.iter().copied(), &log.data).ok()?;
    Some(AppliedRecord { index: event.index, root: event.newRoot })
}

fn fact(spoke: &Spoke, applied: &AppliedRecord) -> Fact {
    let name = FactName::RootApplied { index: applied.index };
    let value = applied_value(Root::from(applied.root.0));
    Fact { src_chain: spoke.chain.id(), emitter: spoke.contract, key: name.key(), value }
}

async fn confirmed_index(relayer: &Relayer, spoke: &Spoke) -> Result<u64, RelayerError> {
    let call = IRootHub::confirmedIndexCall { chainId: U256::from(spoke.chain.id()) };
    let (hub, contract) = (relayer.hub_chain.as_ref(), relayer.hub.contract);
    let index = view(hub, contract, call, "confirmedIndex").await?;
    spoke.confirmed.set(index);
    Ok(index)
}

async fn refuse_diverged(spoke: &Spoke, applied: &AppliedRecord) -> Result<(), RelayerError> {
    let (rows, index) = (spoke.confirming.rows.clone(), applied.index);
    match blocking(move || rows.batch(index)).await? {
        Some(batch) if batch.root != applied.root => Err(RelayerError::Diverged {
            chain_id: spoke.chain.id(),
            index,
            expected: batch.root,
            actual: applied.root,
        }),
        _ => Ok(()),
    }
}
