//! What a relayer keeps, all of which it can read again from the chains.

mod requests;

use std::sync::Arc;

use alloy::primitives::{B256, Bytes};
use alloy::sol_types::SolValue;
use hypha_chain::ports::{Change, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::RelayerError;

pub(crate) use requests::{RequestRecord, Requests, put_enqueued};

/// The hub's final batches: index → [`BatchRecord`].
const BATCHES: &str = "batches";
/// The latest final root of each spoke: chain id → [`AppliedRecord`].
const APPLIED: &str = "applied";
/// The errand in hand of each lane: its name → [`Errand`].
const LANES: &str = "lanes";
/// Chain id → hash of its first block, as first seen.
const IDENTITIES: &str = "identities";

/// The name of a table of one chain. Tables have static names, so it is leaked: some twenty bytes for each table of each
/// configured chain, when the service is put together.
pub(crate) fn table(name: &str, chain_id: u64) -> &'static str {
    Box::leak(format!("{name}_{chain_id}").into_boxed_str())
}

/// A batch that the hub accepted, with the witness that a spoke needs to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchRecord {
    pub(crate) root: B256,
    pub(crate) batch_chain: B256,
    pub(crate) operations: Bytes,
    pub(crate) witness: Bytes,
}

/// The latest root that a spoke's final blocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppliedRecord {
    pub(crate) index: u64,
    pub(crate) root: B256,
}

/// What a lane has in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Errand {
    /// Its intent; `None` when there is none.
    pub(crate) intent: Option<String>,
    /// The index, or number, at which the chain shows that it is done.
    pub(crate) goal: u64,
    /// Failures in a row.
    pub(crate) tries: u32,
    /// Intents that are done with, but perhaps not decided on their chain yet; oldest first.
    pub(crate) past: Vec<String>,
}

/// Intents remembered until they are decided: more than are ever under way between a block and its finality. What is
/// dropped from the list only stays in the store.
const MAX_PAST: usize = 256;

impl Errand {
    /// The past, with the intent in hand at its end.
    pub(crate) fn with_past(&self) -> Vec<String> {
        let all: Vec<String> = self.past.iter().chain(&self.intent).cloned().collect();
        all[all.len().saturating_sub(MAX_PAST)..].to_vec()
    }
}

/// The relayer's rows. Every call blocks on the disk.
#[derive(Clone)]
pub(crate) struct Rows(pub(crate) Arc<dyn Store>);

impl Rows {
    pub(crate) fn batch(&self, index: u64) -> Result<Option<BatchRecord>, RelayerError> {
        self.0.get(BATCHES, &index.to_be_bytes())?.map(|row| decode_batch(&row)).transpose()
    }

    /// Number of the latest batch, 0 when there is none.
    pub(crate) fn last_index(&self) -> Result<u64, RelayerError> {
        let Some((key, _)) = self.0.last(BATCHES)? else { return Ok(0) };
        let key = <[u8; 8]>::try_from(key.as_slice()).map_err(|_| RelayerError::Row { table: BATCHES })?;
        Ok(u64::from_be_bytes(key))
    }

    pub(crate) fn applied(&self, chain_id: u64) -> Result<Option<AppliedRecord>, RelayerError> {
        self.json(APPLIED, &chain_id.to_be_bytes())
    }

    pub(crate) fn errand(&self, lane: &str) -> Result<Errand, RelayerError> {
        Ok(self.json(LANES, lane.as_bytes())?.unwrap_or_default())
    }

    pub(crate) fn write(&self, changes: Vec<Change>) -> Result<(), RelayerError> {
        if changes.is_empty() { Ok(()) } else { Ok(self.0.write(changes)?) }
    }

    /// Compares the hash of a chain's first block with the one seen first; stores it when there is none.
    pub(crate) fn check_identity(&self, chain_id: u64, genesis: B256) -> Result<(), RelayerError> {
        let key = chain_id.to_be_bytes().to_vec();
        match self.0.get(IDENTITIES, &key)? {
            Some(row) if row == genesis.as_slice() => Ok(()),
            Some(_) => Err(RelayerError::OtherChain { chain_id }),
            None => self.write(vec![Change::Put { table: IDENTITIES, key, value: genesis.to_vec() }]),
        }
    }

    fn json<T: DeserializeOwned>(&self, table: &'static str, key: &[u8]) -> Result<Option<T>, RelayerError> {
        let decode = |row: Vec<u8>| serde_json::from_slice(&row).map_err(|_| RelayerError::Row { table });
        self.0.get(table, key)?.map(decode).transpose()
    }
}

pub(crate) fn put_batch(index: u64, record: &BatchRecord) -> Change {
    let fields = (record.root, record.batch_chain, record.operations.clone(), record.witness.clone());
    Change::Put { table: BATCHES, key: index.to_be_bytes().to_vec(), value: fields.abi_encode_params() }
}

pub(crate) fn put_applied(chain_id: u64, record: &AppliedRecord) -> Change {
    Change::Put { table: APPLIED, key: chain_id.to_be_bytes().to_vec(), value: json(record) }
}

pub(crate) fn put_errand(lane: &str, errand: &Errand) -> Change {
    Change::Put { table: LANES, key: lane.as_bytes().to_vec(), value: json(errand) }
}

fn json<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text keys and no failing serializer")
}

fn decode_batch(row: &[u8]) -> Result<BatchRecord, RelayerError> {
    let (root, batch_chain, operations, witness) = <(B256, B256, Bytes, Bytes)>::abi_decode_params(row)
        .map_err(|_| RelayerError::Row { table: BATCHES })?;
    Ok(BatchRecord { root, batch_chain, operations, witness })
}
