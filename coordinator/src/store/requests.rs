//! The rows of requests.

use alloy::primitives::{Address, B256, Bytes};
use hypha_chain::ports::{Log, Store};
use hypha_protocol::status::Status;
use serde::{Deserialize, Serialize};

use super::queries::parse;
use super::{LedgerError, ProgressRecord, tables};

/// What a request is called: its queue, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestName {
    /// Chain id of its queue.
    pub chain_id: u64,
    /// Its number there, from 1.
    pub number: u64,
}

impl RequestName {
    /// Key of its row: rows are in order of chain, then of number.
    pub(crate) fn key(self) -> Vec<u8> {
        tables::milestone_key(self.chain_id, self.number)
    }
}

impl std::fmt::Display for RequestName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "request {} of chain {}", self.number, self.chain_id)
    }
}

/// Where and when a log was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Unix milliseconds at which the coordinator saw it.
    pub at: u64,
    /// The transaction.
    pub tx: B256,
    /// Height of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: B256,
}

impl Sighting {
    /// This log, seen at this time.
    pub(crate) fn of(log: &Log, at: u64) -> Self {
        Self { at, tx: log.tx_hash, block: log.block_number, block_hash: log.block_hash }
    }
}

/// How a request came to the hub's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueued {
    /// Its position there, from 0.
    pub position: u64,
    /// When a batch must resolve it at the latest, Unix seconds.
    pub due_at: u64,
    /// The hub's log.
    pub seen: Sighting,
}

/// Why a batch says that a request cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidRecord {
    /// Number of the reason, as in a packed void.
    pub reason: u8,
    /// Which input or output is at fault, from 0.
    pub position: u8,
}

/// A request of a chain's queue, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its queue and number.
    pub name: RequestName,
    /// Tag of its queued operation.
    pub request_type: u8,
    /// Who asked.
    pub sender: Address,
    /// What is asked for, packed.
    pub content: Bytes,
    /// The log of its own chain; of the hub's own requests and until it is seen, none.
    pub queued: Option<Sighting>,
    /// How it came to the hub; none as long as it has not.
    pub enqueued: Option<Enqueued>,
    /// How far it has come.
    pub progress: ProgressRecord,
    /// Set when the batch that carries it says that it is void.
    pub void: Option<VoidRecord>,
}

impl RequestRecord {
    /// Unix milliseconds at which it was first seen on any chain.
    pub fn first_seen_at(&self) -> u64 {
        let enqueued = self.enqueued.as_ref().map(|enqueued| &enqueued.seen);
        self.queued.iter().chain(enqueued).map(|seen| seen.at).min().unwrap_or(0)
    }
}

/// Which requests a listing asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestFilter {
    /// Only of this chain's queue.
    pub(crate) chain_id: Option<u64>,
    /// Only with this status.
    pub(crate) status: Option<Status>,
}

/// Rows that one page looks at for each that it may hold. A filter that takes few of them gives short pages rather than long
/// waits.
const LOOKED_AT_PER_ROW: usize = 16;

/// A request.
pub(crate) fn request(store: &dyn Store, name: RequestName) -> Result<Option<RequestRecord>, LedgerError> {
    let row = store.get(tables::REQUESTS, &name.key())?;
    row.map(|value| parse(tables::REQUESTS, &value)).transpose()
}

/// Up to `limit` requests that the filter takes, in order of chain and number, after `after`; and where the next page begins.
pub(crate) fn page(
    store: &dyn Store,
    filter: RequestFilter,
    after: Option<RequestName>,
    limit: usize,
) -> Result<(Vec<RequestRecord>, Option<RequestName>), LedgerError> {
    let first = RequestName { chain_id: filter.chain_id.unwrap_or(0), number: 0 };
    // The smallest key after that of the last one.
    let from = after.map_or(first.key(), |after| [after.max(first).key(), vec![0]].concat());
    let rows = store.scan(tables::REQUESTS, &from, limit.saturating_mul(LOOKED_AT_PER_ROW))?;
    let more = rows.len() == limit.saturating_mul(LOOKED_AT_PER_ROW);
    let (mut requests, mut last) = (Vec::new(), None);
    for (_, value) in rows {
        let record: RequestRecord = parse(tables::REQUESTS, &value)?;
        if filter.chain_id.is_some_and(|chain_id| chain_id != record.name.chain_id) {
            return Ok((requests, None));
        }
        if requests.len() == limit {
            return Ok((requests, last));
        }
        last = Some(record.name);
        if filter.status.is_none_or(|status| status == record.progress.status) {
            requests.push(record);
        }
    }
    Ok((requests, last.filter(|_| more)))
}
