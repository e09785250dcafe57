//! A [`Store`] in memory, for tests and simulation: nothing survives the process.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::error::StoreError;
use crate::ports::{Change, Row, Store};

type Tables = BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Ordered tables in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: RwLock<Tables>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, table: &'static str, read: impl FnOnce(&BTreeMap<Vec<u8>, Vec<u8>>) -> T) -> Option<T> {
        // A panic elsewhere cannot leave a table half written: `write` below has no step that panics.
        self.tables.read().unwrap_or_else(PoisonError::into_inner).get(table).map(read)
    }
}

impl Store for MemoryStore {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.with(table, |rows| rows.get(key).cloned()).flatten())
    }

    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let rows = self.with(table, |rows| {
            let range = rows.range(from.to_vec()..).take(limit);
            range.map(|(key, value)| (key.clone(), value.clone())).collect()
        });
        Ok(rows.unwrap_or_default())
    }

    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError> {
        let row =
            self.with(table, |rows| rows.last_key_value().map(|(key, value)| (key.clone(), value.clone())));
        Ok(row.flatten())
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                Change::Put { table, key, value } => {
                    tables.entry(table).or_default().insert(key, value);
                }
                Change::Delete { table, key } => {
                    tables.entry(table).or_default().remove(&key);
                }
            }
        }
        Ok(())
    }
}
