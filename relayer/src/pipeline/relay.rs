//! relay: a packed range becomes an `advance` on the spoke.

use hypha_protocol::contracts::{IRootSpoke, IRootVerifier};

use super::{Progress, Range, pack};
use crate::config::RelayConfig;
use crate::destination::view;
use crate::error::RelayerError;
use crate::lane::Turn;
use crate::service::Relayer;
use crate::spoke::Spoke;

/// Takes a spoke one range forward: asks it for its index, packs what is next and hands it to the submitter. Its root is
/// then `relayed`.
///
/// # Errors
/// When the spoke, the attestors or the store do not give what is needed, when the spoke is frozen, and once for each
/// failed transaction.
pub(crate) async fn relay(relayer: &Relayer, spoke: &Spoke) -> Result<Progress, RelayerError> {
    let held = held_index(spoke).await?;
    let tries = match spoke.advancing.turn(held).await? {
        Turn::Busy => return Ok(Progress::Waiting),
        Turn::Free { tries } => tries,
    };
    let up_to = *relayer.observer.index().borrow();
    if held >= up_to {
        return Ok(Progress::Idle);
    }
    refuse_frozen(spoke, held).await?;
    let range = Range { from: held.saturating_add(1), up_to };
    let bounds = narrowed(relayer.bounds, tries);
    let (rows, attestors) = (&spoke.advancing.rows, &relayer.attestors);
    let packed =
        pack(range, bounds, spoke.attested, relayer.hub, rows, attestors, &spoke.destination).await?;
    // Gathering may have taken a while: perhaps another relayer was faster.
    if held_index(spoke).await? > held {
        return Ok(Progress::Moved);
    }
    let name = format!("{:010}-{:010}", range.from, packed.to);
    spoke.advancing.take_up(&name, tries, packed.to, spoke.contract, packed.calldata).await?;
    Ok(Progress::Moved)
}

/// After each failure half as much: what was too large for a transaction then fits.
fn narrowed(bounds: RelayConfig, tries: u32) -> RelayConfig {
    let halved = |bound: usize| bound.checked_shr(tries).unwrap_or(0).max(1);
    RelayConfig {
        max_batches: halved(bounds.max_batches),
        max_calldata_bytes: halved(bounds.max_calldata_bytes),
    }
}

async fn held_index(spoke: &Spoke) -> Result<u64, RelayerError> {
    let chain = spoke.chain.as_ref();
    let index = view(chain, spoke.contract, IRootVerifier::indexCall {}, "index").await?;
    spoke.note_index(index);
    Ok(index)
}

/// A frozen spoke takes nothing until governance thaws it: nothing is sent, and the status says so.
async fn refuse_frozen(spoke: &Spoke, held: u64) -> Result<(), RelayerError> {
    let chain = spoke.chain.as_ref();
    let frozen = view(chain, spoke.contract, IRootSpoke::frozenAtCall {}, "frozenAt").await?;
    if frozen == u64::MAX {
        return Ok(());
    }
    tracing::warn!(chain = chain.id(), held, frozen, "the spoke is frozen");
    Err(RelayerError::Frozen { chain_id: chain.id(), index: frozen })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_halved_with_each_failure_down_to_one() {
        let bounds = RelayConfig { max_batches: 8, max_calldata_bytes: 120_000 };
        let narrow = |tries| narrowed(bounds, tries).max_batches;
        assert_eq!([narrow(0), narrow(1), narrow(3), narrow(4), narrow(200)], [8, 4, 1, 1, 1]);
        assert_eq!(narrowed(bounds, 2).max_calldata_bytes, 30_000);
    }
}
