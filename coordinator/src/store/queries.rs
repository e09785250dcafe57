//! Reads of the store for the API: what is over is only there.

use alloy::primitives::B256;
use hypha_chain::ports::Store;
use serde::de::DeserializeOwned;

use super::tables::{self, milestone_key, number_of};
use super::{BatchBody, BatchRecord, EventRecord, JournalRecord, LedgerError, Milestone, ProgressRecord};

/// An operation and all that is known of it.
pub(crate) struct OperationRow {
    /// As it was admitted.
    pub(crate) journal: JournalRecord,
    /// How far it has come.
    pub(crate) progress: ProgressRecord,
    /// The batch that carries it.
    pub(crate) batch: Option<BatchRecord>,
}

/// A row read as its record.
pub(crate) fn parse<T: DeserializeOwned>(table: &'static str, value: &[u8]) -> Result<T, LedgerError> {
    serde_json::from_slice(value).map_err(|error| LedgerError::Corrupt { table, detail: error.to_string() })
}

fn get<T: DeserializeOwned>(
    store: &dyn Store,
    table: &'static str,
    key: &[u8],
) -> Result<Option<T>, LedgerError> {
    store.get(table, key)?.map(|value| parse(table, &value)).transpose()
}

/// The admission number of an operation.
pub(crate) fn number(store: &dyn Store, id: B256) -> Result<Option<u64>, LedgerError> {
    get(store, tables::IDS, id.as_slice())
}

/// How far an operation has come, by its id.
pub(crate) fn progress(store: &dyn Store, id: B256) -> Result<Option<ProgressRecord>, LedgerError> {
    match number(store, id)? {
        Some(number) => get(store, tables::PROGRESS, &number.to_be_bytes()),
        None => Ok(None),
    }
}

/// An operation by its id.
pub(crate) fn operation(store: &dyn Store, id: B256) -> Result<Option<OperationRow>, LedgerError> {
    let Some(number) = number(store, id)? else { return Ok(None) };
    let missing = |table| LedgerError::Corrupt { table, detail: format!("no row for number {number}") };
    let key = number.to_be_bytes();
    let journal = get(store, tables::JOURNAL, &key)?.ok_or_else(|| missing(tables::JOURNAL))?;
    let progress: ProgressRecord =
        get(store, tables::PROGRESS, &key)?.ok_or_else(|| missing(tables::PROGRESS))?;
    let batch = match progress.index {
        Some(index) => batch(store, index)?,
        None => None,
    };
    Ok(Some(OperationRow { journal, progress, batch }))
}

/// The batch with this index.
pub(crate) fn batch(store: &dyn Store, index: u64) -> Result<Option<BatchRecord>, LedgerError> {
    get(store, tables::BATCHES, &index.to_be_bytes())
}

/// The bytes of the batch with this index.
pub(crate) fn body(store: &dyn Store, index: u64) -> Result<Option<BatchBody>, LedgerError> {
    get(store, tables::BODIES, &index.to_be_bytes())
}

/// Up to `limit` batches from `from` on, ascending.
pub(crate) fn batches(store: &dyn Store, from: u64, limit: usize) -> Result<Vec<BatchRecord>, LedgerError> {
    let rows = store.scan(tables::BATCHES, &from.to_be_bytes(), limit)?;
    rows.iter().map(|(_, value)| parse(tables::BATCHES, value)).collect()
}

/// Up to `limit` events after a sequence, ascending, each with its own.
pub(crate) fn events(
    store: &dyn Store,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, EventRecord)>, LedgerError> {
    let rows = store.scan(tables::EVENTS, &after.saturating_add(1).to_be_bytes(), limit)?;
    let mut events = Vec::with_capacity(rows.len());
    for (key, value) in rows {
        let sequence = number_of(&key)
            .ok_or_else(|| LedgerError::Corrupt { table: tables::EVENTS, detail: "short key".to_owned() })?;
        events.push((sequence, parse(tables::EVENTS, &value)?));
    }
    Ok(events)
}

/// Up to `limit` milestones of a chain from an index on.
pub(crate) fn milestones(
    store: &dyn Store,
    table: &'static str,
    chain_id: u64,
    from: u64,
    limit: usize,
) -> Result<Vec<Milestone>, LedgerError> {
    let mut milestones = Vec::new();
    for (key, value) in store.scan(table, &milestone_key(chain_id, from), limit)? {
        if !key.starts_with(&chain_id.to_be_bytes()) {
            break;
        }
        milestones.push(parse(table, &value)?);
    }
    Ok(milestones)
}

/// When and where a chain reached an index: the first milestone at or above it.
pub(crate) fn milestone(
    store: &dyn Store,
    table: &'static str,
    chain_id: u64,
    index: u64,
) -> Result<Option<Milestone>, LedgerError> {
    Ok(milestones(store, table, chain_id, index, 1)?.pop())
}
