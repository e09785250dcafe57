//! pack: a spoke's index becomes the next range of batches, with the hub's fact for its last index.

use alloy::primitives::{Address, B256, Bytes};
use alloy::sol_types::SolCall;
use hypha_protocol::contracts::{Batch, IRootSpoke};
use hypha_protocol::fact::{Fact, FactName, accepted_value};
use hypha_protocol::tree::Root;

use crate::attestations::Attestors;
use crate::config::RelayConfig;
use crate::destination::Destination;
use crate::error::RelayerError;
use crate::service::blocking;
use crate::store::Rows;

/// Calldata beside the batches: selector, heads, and a proof by the largest set that a majority of 64 can be.
const CALLDATA_BASE: usize = 4 + 6 * 32 + 56 + 64 * 65;

/// Which indexes a spoke is to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first index that the spoke does not hold.
    pub(crate) from: u64,
    /// The hub's latest final index, not below `from`.
    pub(crate) up_to: u64,
}

/// A call that takes a spoke forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// The index in which it ends.
    pub(crate) to: u64,
    /// `advance` or `advanceAttested`.
    pub(crate) calldata: Bytes,
}

/// The contract whose facts are proved: the hub.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hub {
    pub(crate) chain_id: u64,
    pub(crate) contract: Address,
}

/// The batches of one call, and what the hub asserts of the last.
struct Chosen {
    batches: Vec<Batch>,
    to: u64,
    root: B256,
    batch_chain: B256,
}

/// Takes the range a spoke is behind by; gives the call for its first part, as much as the bounds allow and never less
/// than one batch, with the attestors' proof that the hub accepted its end. An attested spoke is taken to the end at once.
///
/// # Errors
/// When the store, the destination or the attestors do not give what is needed.
pub(crate) async fn pack(
    range: Range,
    bounds: RelayConfig,
    attested: bool,
    hub: Hub,
    rows: &Rows,
    attestors: &Attestors,
    destination: &Destination,
) -> Result<Packed, RelayerError> {
    let stored = rows.clone();
    let chosen = if attested {
        blocking(move || choose_last(&stored, range)).await?
    } else {
        blocking(move || choose(&stored, range, bounds)).await?
    };
    let name = FactName::RootAccepted { index: chosen.to };
    let value = accepted_value(Root::from(chosen.root.0), chosen.batch_chain);
    let fact = Fact { src_chain: hub.chain_id, emitter: hub.contract, key: name.key(), value };
    let proof = attestors.prove(&fact, destination).await?;
    Ok(Packed { to: chosen.to, calldata: chosen.calldata(attested, proof) })
}

impl Chosen {
    fn calldata(self, attested: bool, proof: Bytes) -> Bytes {
        let (to, root, chain) = (self.to, self.root, self.batch_chain);
        if attested {
            return IRootSpoke::advanceAttestedCall { toIndex: to, root, chain, factProof: proof }
                .abi_encode()
                .into();
        }
        IRootSpoke::advanceCall { batches: self.batches, toIndex: to, factProof: proof }.abi_encode().into()
    }
}

fn choose(rows: &Rows, range: Range, bounds: RelayConfig) -> Result<Chosen, RelayerError> {
    let mut chosen = choose_nothing(range);
    let mut bytes = CALLDATA_BASE;
    let last = range.up_to.min(range.from.saturating_add(bounds.max_batches as u64 - 1));
    for index in range.from..=last {
        let Some(batch) = rows.batch(index)? else { break };
        bytes += calldata_bytes(&batch.operations, &batch.witness);
        if bytes > bounds.max_calldata_bytes && !chosen.batches.is_empty() {
            break;
        }
        (chosen.to, chosen.root, chosen.batch_chain) = (index, batch.root, batch.batch_chain);
        let (operations, witness) = (batch.operations, batch.witness);
        chosen.batches.push(Batch { operations, witness, newRoot: batch.root });
    }
    if chosen.batches.is_empty() { Err(RelayerError::Row { table: "batches" }) } else { Ok(chosen) }
}

fn choose_last(rows: &Rows, range: Range) -> Result<Chosen, RelayerError> {
    let batch = rows.batch(range.up_to)?.ok_or(RelayerError::Row { table: "batches" })?;
    let (root, batch_chain) = (batch.root, batch.batch_chain);
    Ok(Chosen { to: range.up_to, root, batch_chain, ..choose_nothing(range) })
}

fn choose_nothing(range: Range) -> Chosen {
    Chosen { batches: Vec::new(), to: range.from, root: B256::ZERO, batch_chain: B256::ZERO }
}

/// What one batch adds to the calldata: its offset, three heads, and two byte strings with their lengths, padded.
fn calldata_bytes(operations: &[u8], witness: &[u8]) -> usize {
    let padded = |bytes: &[u8]| 32 + bytes.len().next_multiple_of(32);
    4 * 32 + padded(operations) + padded(witness)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hypha_chain::MemoryStore;

    use super::*;
    use crate::store::{BatchRecord, put_batch};

    fn rows(sizes: &[usize]) -> Rows {
        let rows = Rows(Arc::new(MemoryStore::new()));
        for (place, size) in sizes.iter().enumerate() {
            let index = place as u64 + 1;
            let record = BatchRecord {
                root: B256::with_last_byte(index as u8),
                batch_chain: B256::repeat_byte(index as u8),
                operations: vec![1; *size].into(),
                witness: vec![2; *size].into(),
            };
            rows.write(vec![put_batch(index, &record)]).expect("a store in memory holds these batches");
        }
        rows
    }

    fn ends(rows: &Rows, from: u64, up_to: u64, max_batches: usize, max_calldata_bytes: usize) -> u64 {
        choose(rows, Range { from, up_to }, RelayConfig { max_batches, max_calldata_bytes })
            .expect("a store in memory holds these batches")
            .to
    }

    #[test]
    fn a_range_keeps_to_both_bounds_and_has_at_least_one_batch() {
        let rows = rows(&[1_000; 6]);
        assert_eq!(ends(&rows, 1, 6, 8, 1_000_000), 6);
        assert_eq!(ends(&rows, 2, 6, 3, 1_000_000), 4);
        assert_eq!(ends(&rows, 1, 2, 8, 1_000_000), 2);
        let one = calldata_bytes(&[0; 1_000], &[0; 1_000]);
        assert_eq!(ends(&rows, 1, 6, 8, CALLDATA_BASE + 2 * one), 2);
        assert_eq!(ends(&rows, 1, 6, 8, CALLDATA_BASE + 2 * one - 1), 1);
        assert_eq!(ends(&rows, 3, 6, 8, 1), 3);
    }

    #[test]
    fn the_size_is_that_of_the_calldata() {
        let rows = rows(&[1, 33, 64, 1_000]);
        let bounds = RelayConfig { max_batches: 8, max_calldata_bytes: 1_000_000 };
        let chosen = choose(&rows, Range { from: 1, up_to: 4 }, bounds)
            .expect("a store in memory holds these batches");
        let counted: usize =
            chosen.batches.iter().map(|batch| calldata_bytes(&batch.operations, &batch.witness)).sum();
        let calldata = chosen.calldata(false, vec![0; 56 + 64 * 65].into());
        let counted = counted + CALLDATA_BASE;
        assert!(calldata.len() <= counted && counted < calldata.len() + 64, "{} {counted}", calldata.len());
    }

    #[test]
    fn an_attested_spoke_is_taken_to_the_end_at_once() {
        let chosen = choose_last(&rows(&[10; 5]), Range { from: 2, up_to: 5 })
            .expect("a store in memory holds these batches");
        assert_eq!((chosen.to, chosen.root), (5, B256::with_last_byte(5)));
        assert_eq!((chosen.batch_chain, chosen.batches.len()), (B256::repeat_byte(5), 0));
    }
}
