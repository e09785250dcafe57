//! The requests of one spoke that the hub does not have for good. A reorg of the hub can take back what it took in, so a
//! request is dropped only when that is final.

use alloy::primitives::{Address, Bytes};
use hypha_chain::ports::{Change, Row};
use serde::{Deserialize, Serialize};

use super::{Rows, json, table};
use crate::error::RelayerError;

/// The greatest number of each spoke's queue that the hub took in for good: chain id → number.
const ENQUEUED: &str = "enqueued";
/// Requests dropped in one write; bounds its memory.
const PAGE: usize = 64;

/// A request that a spoke's final blocks show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestRecord {
    pub(crate) number: u64,
    pub(crate) request_type: u8,
    pub(crate) sender: Address,
    pub(crate) content: Bytes,
}

/// The rows of one spoke's requests, by number. Every call blocks on the disk.
#[derive(Clone)]
pub(crate) struct Requests {
    rows: Rows,
    chain_id: u64,
    table: &'static str,
}

impl Requests {
    pub(crate) fn new(rows: &Rows, chain_id: u64) -> Self {
        Self { rows: rows.clone(), chain_id, table: table("requests", chain_id) }
    }

    pub(crate) fn put(&self, record: &RequestRecord) -> Change {
        let key = record.number.to_be_bytes().to_vec();
        Change::Put { table: self.table, key, value: json(record) }
    }

    pub(crate) fn get(&self, number: u64) -> Result<Option<RequestRecord>, RelayerError> {
        self.rows.json(self.table, &number.to_be_bytes())
    }

    /// How many are stored above this number. The numbers of a queue have no gaps, so the ends say it.
    pub(crate) fn waiting(&self, enqueued: u64) -> Result<u64, RelayerError> {
        let first = self.rows.0.scan(self.table, &enqueued.saturating_add(1).to_be_bytes(), 1)?;
        let (Some(first), Some(last)) = (first.first(), self.rows.0.last(self.table)?) else { return Ok(0) };
        Ok((self.number(&last)? - self.number(first)?).saturating_add(1))
    }

    /// Drops the lowest of those that the hub took in for good; whether there were any.
    pub(crate) fn drop_enqueued(&self) -> Result<bool, RelayerError> {
        let enqueued: u64 = self.rows.json(ENQUEUED, &self.chain_id.to_be_bytes())?.unwrap_or(0);
        let mut changes = Vec::new();
        for row in self.rows.0.scan(self.table, &[], PAGE)? {
            if self.number(&row)? <= enqueued {
                changes.push(Change::Delete { table: self.table, key: row.0 });
            }
        }
        let any = !changes.is_empty();
        self.rows.write(changes)?;
        Ok(any)
    }

    fn number(&self, (key, _): &Row) -> Result<u64, RelayerError> {
        let key = <[u8; 8]>::try_from(key.as_slice());
        Ok(u64::from_be_bytes(key.map_err(|_| RelayerError::Row { table: self.table })?))
    }
}

/// The hub took in the requests of this chain up to this number, and that is final.
pub(crate) fn put_enqueued(chain_id: u64, number: u64) -> Change {
    Change::Put { table: ENQUEUED, key: chain_id.to_be_bytes().to_vec(), value: json(&number) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hypha_chain::MemoryStore;

    use super::*;

    fn requests(numbers: impl IntoIterator<Item = u64>) -> Requests {
        let requests = Requests::new(&Rows(Arc::new(MemoryStore::new())), 5);
        let record = |number| RequestRecord {
            number,
            request_type: 3,
            sender: Address::ZERO,
            content: Bytes::from_static(b"content"),
        };
        let changes = numbers.into_iter().map(|number| requests.put(&record(number))).collect();
        requests.rows.write(changes).expect("a store in memory takes it");
        requests
    }

    #[test]
    fn those_above_what_the_hub_has_wait() {
        let requests = requests(4..=300);
        let waiting = |enqueued| requests.waiting(enqueued).expect("the rows can be read");
        assert_eq!([0, 3, 4, 299, 300, 301, u64::MAX].map(waiting), [297, 297, 296, 1, 0, 0, 0]);
    }

    #[test]
    fn only_what_the_hub_has_for_good_is_dropped() {
        let requests = requests(1..=200);
        assert!(!requests.drop_enqueued().expect("nothing is final"));
        requests.rows.write(vec![put_enqueued(6, 200), put_enqueued(5, 130)]).expect("it takes it");
        while requests.drop_enqueued().expect("the rows can be read") {}
        let kept = |number| requests.get(number).expect("the row can be read").is_some();
        assert_eq!([1, 130, 131, 200].map(kept), [false, false, true, true]);
        assert_eq!(requests.waiting(0).expect("the rows can be read"), 70);
    }
}
