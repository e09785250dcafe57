//! report: the latest of a spoke's final roots becomes a `confirm` on the hub.

use alloy::primitives::U256;
use alloy::sol_types::SolCall;
use hypha_protocol::contracts::IRootHub;
use hypha_protocol::fact::{Fact, FactName, applied_value};
use hypha_protocol::tree::Root;

use super::Progress;
use crate::destination::view;
use crate::error::RelayerError;
use crate::lane::Turn;
use crate::service::{Relayer, blocking};
use crate::spoke::Spoke;
use crate::store::AppliedRecord;

/// Takes the spoke's latest final root; carries the fact of its index home, which confirms the lower ones too. That root is then `reported`.
///
/// # Errors
/// When the chains, the attestors or the store do not give what is needed, when the spoke's root is not the hub's, and
/// once for each failed transaction.
pub(crate) async fn report(relayer: &Relayer, spoke: &Spoke) -> Result<Progress, RelayerError> {
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

fn fact(spoke: &Spoke, applied: &AppliedRecord) -> Fact {
    let name = FactName::RootApplied { index: applied.index };
    let value = applied_value(Root::from(applied.root.0));
    Fact { src_chain: spoke.chain.id(), emitter: spoke.contract, key: name.key(), value }
}

async fn confirmed_index(relayer: &Relayer, spoke: &Spoke) -> Result<u64, RelayerError> {
    let call = IRootHub::confirmedIndexCall { chainId: U256::from(spoke.chain.id()) };
    let (hub, contract) = (relayer.hub_chain.as_ref(), relayer.hub.contract);
    let index = view(hub, contract, call, "confirmedIndex").await?;
    spoke.note_confirmed(index);
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
