//! Start: memory is rebuilt from the store, and every root and batch chain on the way is computed again and compared.

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use hypha_chain::ports::{Row, Store};
use hypha_protocol::batch::{genesis_batch_chain, next_batch_chain};
use hypha_protocol::operations::{Operation, decode_operations};
use hypha_protocol::status::Status;
use hypha_tree::Root;

use super::queries::{self, parse};
use super::snapshots::{OpenError, SnapshotFile};
use super::tables::{self, number_of};
use super::{
    BatchRecord, BatchState, ChainRecord, Guard, IdentityRecord, JournalRecord, LedgerError, ProgressRecord,
    RequestRecord,
};
use crate::metrics;
use crate::requests::RequestEntry;
use crate::state::{ChainView, Entry, Keep, State, Version};

/// Rows read from the store at a time: bounds what a start holds besides the state itself.
const PAGE: usize = 1_000;

/// Why a store cannot be started from.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A row or the disk.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What the stored operations give is not what was stored with them.
    #[error("batch {index}: its operations give the {what} {actual}, stored is {expected}")]
    Mismatch {
        /// The batch.
        index: u64,
        /// Root, old root or batch chain.
        what: &'static str,
        /// As stored.
        expected: B256,
        /// As computed.
        actual: B256,
    },
    /// A batch is missing between others.
    #[error("batch {expected} is missing, the next one is {actual}")]
    Gap {
        /// The missing index.
        expected: u64,
        /// The index found.
        actual: u64,
    },
    /// The store belongs to another chain, or to another deployment on it.
    #[error("this store belongs to {what} {expected}, chain {chain_id} has {actual}")]
    OtherChain {
        /// The chain.
        chain_id: u64,
        /// What differs.
        what: &'static str,
        /// As stored at the first start.
        expected: String,
        /// As it is now.
        actual: String,
    },
}

impl From<hypha_chain::error::StoreError> for LoadError {
    fn from(error: hypha_chain::error::StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Reads everything. The tree's versions begin with that of the snapshot.
pub(crate) fn load(
    store: &dyn Store,
    snapshot: &SnapshotFile,
    hub_chain_id: u64,
    hub: Address,
    chains: &[u64],
    keep: Keep,
) -> Result<State, LoadError> {
    let genesis = Version::genesis(genesis_batch_chain(hub_chain_id, hub));
    let begin = Tip::of(&genesis);
    let mut state = State::new(open_snapshot(store, snapshot)?.unwrap_or(genesis), keep);
    state.guard = guard(store)?;
    state.next_number = next(store, tables::JOURNAL)?;
    state.next_sequence = next(store, tables::EVENTS)?;
    load_entries(store, &mut state)?;
    load_requests(store, &mut state)?;
    load_batches(store, &mut state, begin)?;
    state.drop_finished();
    for chain_id in chains {
        let record = load_chain(store, &state, *chain_id)?;
        state.chains.insert(*chain_id, ChainView { record, head: None, last_final: None, error: None });
    }
    Ok(state)
}

/// The snapshot's version. A damaged snapshot counts as none, and is told; the store's own errors are errors.
fn open_snapshot(store: &dyn Store, snapshot: &SnapshotFile) -> Result<Option<Version>, LoadError> {
    match snapshot.open(store) {
        Ok(opened) => {
            metrics::snapshot_index(opened.as_ref().map_or(0, |version| version.index));
            Ok(opened)
        }
        Err(OpenError::Ledger(error)) => Err(error.into()),
        Err(damage) => {
            tracing::warn!(%damage, "the snapshot is damaged: the tree is built again from all batches");
            metrics::snapshot_damaged();
            Ok(None)
        }
    }
}

/// Where a chain stood; at the start of everything when it was never seen.
fn load_chain(store: &dyn Store, state: &State, chain_id: u64) -> Result<ChainRecord, LoadError> {
    Ok(match store.get(tables::CHAINS, &chain_id.to_be_bytes())? {
        Some(value) => parse(tables::CHAINS, &value)?,
        None => ChainRecord { index: 0, root: state.genesis_root(), updated_at: None, confirmed_index: 0 },
    })
}

/// Compares a chain's identity with the one stored at the first start; `true` when none is stored yet.
pub(crate) fn is_new_chain(store: &dyn Store, found: &IdentityRecord) -> Result<bool, LoadError> {
    let Some(value) = store.get(tables::META, &tables::identity_key(found.chain_id))? else {
        return Ok(true);
    };
    let stored: IdentityRecord = parse(tables::META, &value)?;
    let differs = |what, expected: String, actual: String| {
        Err(LoadError::OtherChain { chain_id: found.chain_id, what, expected, actual })
    };
    if stored.genesis != found.genesis {
        return differs("first block", stored.genesis.to_string(), found.genesis.to_string());
    }
    if stored.verifier != found.verifier {
        return differs("verifier", stored.verifier, found.verifier.clone());
    }
    Ok(false)
}

/// A guard that cannot be read counts as set.
fn guard(store: &dyn Store) -> Result<Option<Guard>, LoadError> {
    let value = store.get(tables::META, tables::GUARD_KEY)?;
    Ok(value.map(|value| {
        parse(tables::META, &value)
            .unwrap_or_else(|_| Guard { reason: "the guard's row is unreadable".to_owned(), at: 0 })
    }))
}

/// The number after the greatest key of a table.
fn next(store: &dyn Store, table: &'static str) -> Result<u64, LoadError> {
    Ok(store.last(table)?.and_then(|(key, _)| number_of(&key)).map_or(1, |last| last + 1))
}

/// Calls `each` with every row of a table, in order.
fn for_each_row(
    store: &dyn Store,
    table: &'static str,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let mut from = Vec::new();
    loop {
        let rows: Vec<Row> = store.scan(table, &from, PAGE)?;
        for (key, value) in &rows {
            let number = number_of(key)
                .ok_or_else(|| LedgerError::Corrupt { table, detail: "short key".to_owned() })?;
            each(number, value)?;
        }
        match rows.last() {
            // The smallest key after the last one.
            Some((key, _)) if rows.len() == PAGE => from = [key.as_slice(), &[0]].concat(),
            _ => return Ok(()),
        }
    }
}

fn load_entries(store: &dyn Store, state: &mut State) -> Result<(), LoadError> {
    for_each_row(store, tables::PROGRESS, |number, value| {
        let progress: ProgressRecord = parse(tables::PROGRESS, value)?;
        if !matches!(progress.status, Status::Finalized | Status::Rejected) {
            state.put_entry(load_entry(store, number, progress)?);
        }
        Ok(())
    })
}

fn load_requests(store: &dyn Store, state: &mut State) -> Result<(), LoadError> {
    for_each_row(store, tables::REQUESTS, |_, value| {
        let record: RequestRecord = parse(tables::REQUESTS, value)?;
        let name = record.name;
        let entry = RequestEntry::read(record).map_err(|error| LedgerError::Corrupt {
            table: tables::REQUESTS,
            detail: format!("{name} does not read: {error}"),
        })?;
        state.requests.put(entry);
        Ok(())
    })
}

fn load_entry(store: &dyn Store, number: u64, progress: ProgressRecord) -> Result<Entry, LedgerError> {
    let corrupt = |detail: String| LedgerError::Corrupt { table: tables::JOURNAL, detail };
    let value = store
        .get(tables::JOURNAL, &number.to_be_bytes())?
        .ok_or_else(|| corrupt(format!("no row for number {number}")))?;
    let record: JournalRecord = parse(tables::JOURNAL, &value)?;
    let operation =
        single(&record.operation).ok_or_else(|| corrupt(format!("number {number} is no operation")))?;
    Ok(Entry {
        number,
        id: record.id,
        operation: Arc::new(operation),
        size: record.operation.len(),
        submitted_at: record.submitted_at,
        class: record.class,
        progress,
    })
}

/// An operation by its id, also one that is over and so not in memory any more.
pub(crate) fn stored_entry(store: &dyn Store, id: B256) -> Result<Option<Entry>, LedgerError> {
    match (queries::number(store, id)?, queries::progress(store, id)?) {
        (Some(number), Some(progress)) => load_entry(store, number, progress).map(Some),
        _ => Ok(None),
    }
}

/// The only operation in packed bytes.
pub(crate) fn single(bytes: &[u8]) -> Option<Operation> {
    let mut operations = decode_operations(bytes).ok()?;
    if operations.len() == 1 { operations.pop() } else { None }
}

/// How far the sequence of batches has been read.
struct Tip {
    index: u64,
    root: B256,
    batch_chain: B256,
}

impl Tip {
    fn of(version: &Version) -> Self {
        Self { index: version.index, root: version.root, batch_chain: version.batch_chain }
    }
}

fn load_batches(store: &dyn Store, state: &mut State, mut tip: Tip) -> Result<(), LoadError> {
    for_each_row(store, tables::BATCHES, |index, value| {
        let batch: BatchRecord = parse(tables::BATCHES, value)?;
        let expected = tip.index + 1;
        if index != expected || batch.index != expected {
            return Err(LoadError::Gap { expected, actual: index });
        }
        compare(index, "old root", batch.old_root, tip.root)?;
        if batch.state >= BatchState::Committed {
            replay(store, state, &tip, &batch)?;
            tip = Tip { index, root: batch.root, batch_chain: batch.batch_chain };
        }
        state.put_batch(batch);
        Ok(())
    })
}

/// Puts a stored batch on top of the tip. Up to the snapshot its notes are all that is needed, and the batch chain tells whether
/// its operations are those that gave its root.
fn replay(store: &dyn Store, state: &mut State, tip: &Tip, batch: &BatchRecord) -> Result<(), LoadError> {
    let index = batch.index;
    let corrupt = |detail: String| LedgerError::Corrupt { table: tables::BODIES, detail };
    let body = queries::body(store, index)?.ok_or_else(|| corrupt(format!("no row for batch {index}")))?;
    let operations = decode_operations(&body.operations)
        .map_err(|error| corrupt(format!("batch {index} does not decode: {error}")))?;
    if index <= state.head().index {
        let root = Root::from(batch.root.0);
        let batch_chain = next_batch_chain(tip.batch_chain, index, root, &body.operations);
        compare(index, "batch chain", batch.batch_chain, batch_chain)?;
        state.notes.apply(index, &operations);
        return Ok(());
    }
    let touches: Vec<_> = operations.iter().flat_map(Operation::touches).collect();
    let version = state.head().next(&touches, &body.operations);
    compare(index, "root", batch.root, version.root)?;
    compare(index, "batch chain", batch.batch_chain, version.batch_chain)?;
    state.extend(version, &operations);
    Ok(())
}

fn compare(index: u64, what: &'static str, expected: B256, actual: B256) -> Result<(), LoadError> {
    if expected == actual { Ok(()) } else { Err(LoadError::Mismatch { index, what, expected, actual }) }
}
