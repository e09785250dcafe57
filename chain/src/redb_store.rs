//! The embedded store: redb behind [`Store`], every write durable before it returns.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableError,
};

use crate::error::StoreError;
use crate::ports::{Change, Row, Store};

/// Bytes of the file that stay in memory. What is read again and again is far less; a table that is read once from end to end,
/// as batches are at a start, must not push out what its reader builds from it.
const CACHE: usize = 64 << 20;

/// Ordered tables in one file. A second process that opens it is refused.
///
/// After any failure of the disk the store is poisoned: every later call fails with [`StoreError::Poisoned`], since
/// an fsync that is tried again may report success for pages that were dropped. Exit, and open again.
pub struct RedbStore {
    database: Database,
    poisoned: AtomicBool,
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RedbStore").field("poisoned", &self.poisoned).finish_non_exhaustive()
    }
}

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

const fn definition(table: &'static str) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table)
}

impl RedbStore {
    /// Opens the store in this file, which is created when there is none (its folder as well).
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it open, [`StoreError::Open`] for anything else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let failed = |reason: String| StoreError::Open { path: path.to_path_buf(), reason };
        std::fs::create_dir_all(&folder).map_err(|error| failed(error.to_string()))?;
        let opened = Database::builder().set_cache_size(CACHE).create(path);
        let database = opened.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::Locked(path.to_path_buf()),
            other => failed(other.to_string()),
        })?;
        // The file is durable only once its name is: the folder's entry needs its own fsync.
        File::open(&folder).and_then(|entry| entry.sync_all()).map_err(|error| failed(error.to_string()))?;
        Ok(Self { database, poisoned: AtomicBool::new(false) })
    }

    /// Runs one access, and poisons the store when it fails.
    fn guarded<T>(&self, access: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        access().map_err(|error| {
            self.poisoned.store(true, Ordering::Release);
            StoreError::Failed(error.to_string())
        })
    }

    /// Reads from a table; the default where the table does not exist yet.
    fn read<T: Default>(
        &self,
        table: &'static str,
        access: impl FnOnce(&Rows) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.guarded(|| match self.database.begin_read()?.open_table(definition(table)) {
            Ok(open) => access(&open),
            Err(TableError::TableDoesNotExist(_)) => Ok(T::default()),
            Err(error) => Err(error.into()),
        })
    }
}

impl Store for RedbStore {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(table, |open| Ok(open.get(key)?.map(|value| value.value().to_vec())))
    }

    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.read(table, |open| {
            let mut rows = Vec::new();
            for row in open.range::<&[u8]>(from..)?.take(limit) {
                let (key, value) = row?;
                rows.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(rows)
        })
    }

    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError> {
        self.read(table, |open| {
            Ok(open.last()?.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        })
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.guarded(|| {
            let mut transaction = self.database.begin_write()?;
            // One-phase commits rest on a checksum which whoever controls the keys can attack.
            transaction.set_two_phase_commit(true);
            for change in changes {
                match change {
                    Change::Put { table, key, value } => {
                        transaction
                            .open_table(definition(table))?
                            .insert(key.as_slice(), value.as_slice())?;
                    }
                    Change::Delete { table, key } => {
                        transaction.open_table(definition(table))?.remove(key.as_slice())?;
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_store::MemoryStore;

    fn put(table: &'static str, key: &[u8], value: &[u8]) -> Change {
        Change::Put { table, key: key.to_vec(), value: value.to_vec() }
    }

    fn row(key: &[u8], value: &[u8]) -> Row {
        (key.to_vec(), value.to_vec())
    }

    /// What every store does: the same for both implementations.
    fn check_contract(store: &dyn Store) {
        assert_eq!(store.get("a", b"1").unwrap(), None);
        assert_eq!(store.last("a").unwrap(), None);
        assert_eq!(store.scan("a", b"", 10).unwrap(), vec![]);
        store.write(vec![put("a", b"2", b"two"), put("a", b"1", b"one"), put("b", b"1", b"other")]).unwrap();
        store.write(vec![put("a", b"3", b"three"), put("a", b"1", b"uno")]).unwrap();
        assert_eq!(store.get("a", b"1").unwrap(), Some(b"uno".to_vec()));
        assert_eq!(store.get("b", b"1").unwrap(), Some(b"other".to_vec()));
        assert_eq!(store.last("a").unwrap(), Some(row(b"3", b"three")));
        assert_eq!(store.scan("a", b"2", 10).unwrap(), vec![row(b"2", b"two"), row(b"3", b"three")]);
        assert_eq!(store.scan("a", b"", 1).unwrap(), vec![row(b"1", b"uno")]);
        let delete = |key: &[u8]| Change::Delete { table: "a", key: key.to_vec() };
        store.write(vec![delete(b"3"), delete(b"absent")]).unwrap();
        assert_eq!(store.last("a").unwrap(), Some(row(b"2", b"two")));
    }

    #[test]
    fn both_stores_keep_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        check_contract(&MemoryStore::new());
        check_contract(&RedbStore::open(&folder.path().join("new/folder/store")).unwrap());
    }

    #[test]
    fn what_was_written_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        RedbStore::open(&path).unwrap().write(vec![put("a", b"1", b"one")]).unwrap();
        assert_eq!(RedbStore::open(&path).unwrap().get("a", b"1").unwrap(), Some(b"one".to_vec()));
    }

    #[test]
    fn a_second_opener_is_told_that_the_store_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let _first = RedbStore::open(&path).unwrap();
        assert!(matches!(RedbStore::open(&path), Err(StoreError::Locked(locked)) if locked == path));
    }

    #[test]
    fn a_file_that_is_no_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        std::fs::write(&path, vec![7; 8192]).unwrap();
        assert!(matches!(RedbStore::open(&path), Err(StoreError::Open { .. })));
    }

    #[test]
    fn a_failure_poisons_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(&folder.path().join("store")).unwrap();
        store.write(vec![put("a", b"1", b"one")]).unwrap();
        let disk = |_: ()| Err::<(), _>(redb::Error::Io(std::io::Error::other("disk")));
        assert!(matches!(store.guarded(|| disk(())), Err(StoreError::Failed(_))));
        assert!(matches!(store.get("a", b"1"), Err(StoreError::Poisoned)));
        assert!(matches!(store.write(vec![]), Err(StoreError::Poisoned)));
    }
}
