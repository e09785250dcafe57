//! The guard: a durable row under which nothing new is signed.

use alloy::primitives::B256;
use hypha_chain::ports::{Change, Store};
use serde::{Deserialize, Serialize};

use super::{GUARD, IDENTITIES, PASSES, positions, records};
use crate::error::AttestorError;

const ROW: &[u8] = b"guard";
/// Rows read or removed at once when the chains are to be read again; bounds the memory of one write.
const PAGE: usize = 1_000;

/// Why nothing new is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason", deny_unknown_fields)]
pub enum GuardReason {
    /// One key has two final values.
    Conflict {
        /// Chain that asserted both.
        chain_id: u64,
        /// The key.
        key: B256,
    },
    /// A block that was final is no longer on its chain.
    FinalityBroken {
        /// The chain.
        chain_id: u64,
    },
    /// The guard's row is there and cannot be read.
    Unreadable,
}

/// The guard, with the time at which it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Why.
    pub why: GuardReason,
    /// When, Unix milliseconds.
    pub at_ms: u64,
}

impl Guard {
    /// What the store holds. A row that cannot be read, or a store that does not answer, counts as set.
    pub(crate) fn read(store: &dyn Store) -> Option<Self> {
        let unreadable = Self { why: GuardReason::Unreadable, at_ms: 0 };
        match store.get(GUARD, ROW) {
            Ok(None) => None,
            Ok(Some(row)) => Some(serde_json::from_slice(&row).unwrap_or(unreadable)),
            Err(_) => Some(unreadable),
        }
    }

    pub(crate) fn put(&self) -> Change {
        Change::Put { table: GUARD, key: ROW.to_vec(), value: records::encode(self) }
    }
}

/// Clears the guard after a person has looked; returns what it said, `None` when it was not set. The service must not be
/// running (the store opens once only). Keys with two values stay unsigned. After a broken finality the positions
/// are dropped too, so that the chains are read again from their first blocks; until a fact is met there, it is unknown.
///
/// # Errors
/// When the store cannot be read or written.
pub fn resume(store: &dyn Store) -> Result<Option<Guard>, AttestorError> {
    let Some(guard) = Guard::read(store) else { return Ok(None) };
    if !matches!(guard.why, GuardReason::Conflict { .. }) {
        read_again(store)?;
    }
    store.write(vec![Change::Delete { table: GUARD, key: ROW.to_vec() }])?;
    Ok(Some(guard))
}

/// Drops the followers' positions and begins a new pass. The pass is counted up first: after a kill in between the
/// guard still stands and this runs once more.
fn read_again(store: &dyn Store) -> Result<(), AttestorError> {
    let pass = current_pass(store)? + 1;
    store.write(vec![Change::Put {
        table: PASSES,
        key: ROW.to_vec(),
        value: pass.to_be_bytes().to_vec(),
    }])?;
    for (chain, _) in store.scan(IDENTITIES, &[], PAGE)? {
        let chain = <[u8; 8]>::try_from(chain.as_slice());
        let chain = chain.map_err(|_| AttestorError::RowLength { table: IDENTITIES })?;
        empty(store, positions(u64::from_be_bytes(chain)))?;
    }
    Ok(())
}

fn empty(store: &dyn Store, table: &'static str) -> Result<(), AttestorError> {
    loop {
        let rows = store.scan(table, &[], PAGE)?;
        if rows.is_empty() {
            return Ok(());
        }
        store.write(rows.into_iter().map(|(key, _)| Change::Delete { table, key }).collect())?;
    }
}

/// How often the chains were read again from their first blocks.
pub(crate) fn current_pass(store: &dyn Store) -> Result<u64, AttestorError> {
    let Some(row) = store.get(PASSES, ROW)? else { return Ok(0) };
    let bytes =
        <[u8; 8]>::try_from(row.as_slice()).map_err(|_| AttestorError::RowLength { table: PASSES })?;
    Ok(u64::from_be_bytes(bytes))
}
