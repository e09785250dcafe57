//! The tree on disk: its leaves in pages, in one of two slots. A row names the slot that counts, so that the other can be
//! filled piece by piece, and a power cut on the way leaves the one before as it was.

use alloy::primitives::{B256, Bytes};
use hypha_chain::ports::{Change, Store};
use hypha_protocol::ids::word;
use hypha_tree::{Opening, Pages, SnapshotError, SnapshotHeader, Tree};
use serde::{Deserialize, Serialize};

use super::queries::{self, parse};
use super::tables::{META, SNAPSHOT_KEY, SNAPSHOTS};
use super::{BatchState, LedgerError};
use crate::state::Version;

/// Pages in one write, about 1 MiB: what a batch waits for at most when it comes in between.
const PAGES_PER_WRITE: usize = 4;

/// Where a snapshot's pages lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The one that is named when there is no snapshot.
    #[default]
    A,
    /// The one that the first snapshot is written to.
    B,
}

impl Slot {
    /// The slot for the next snapshot.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn page_key(self, page: u64) -> Vec<u8> {
        let prefix = match self {
            Self::A => b"a",
            Self::B => b"b",
        };
        [prefix.as_slice(), &page.to_be_bytes()].concat()
    }
}

/// The snapshot that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Where its pages are.
    pub slot: Slot,
    /// The index of its root, that of a batch which is final on the hub.
    pub index: u64,
    /// The batch chain at that index.
    pub batch_chain: B256,
    /// The header that the pages belong to.
    pub header: Bytes,
}

impl SnapshotRecord {
    /// The snapshot of this version.
    pub fn of(version: &Version, slot: Slot) -> Self {
        let header = SnapshotHeader::of(&version.tree).encode();
        Self { slot, index: version.index, batch_chain: version.batch_chain, header: header.into() }
    }
}

/// Why there is no tree in a snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The disk, or a row that does not read as what its table holds.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The header, or the pages under it.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// There is no such batch, or it is not final, or gave another root.
    #[error("the snapshot is not that of batch {index}")]
    Batch {
        /// The index that the snapshot says.
        index: u64,
    },
}

impl From<hypha_chain::error::StoreError> for OpenError {
    fn from(error: hypha_chain::error::StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

/// The version that the snapshot holds, checked by its root and by the batch that gave it; `None` when there is no snapshot.
pub(crate) fn open(store: &dyn Store) -> Result<Option<(Slot, Version)>, OpenError> {
    let Some(value) = store.get(META, SNAPSHOT_KEY)? else { return Ok(None) };
    let record: SnapshotRecord = parse(META, &value)?;
    let SnapshotRecord { slot, index, batch_chain, ref header } = record;
    let header = SnapshotHeader::decode(header)?;
    let root = word(header.root());
    let batch = queries::batch(store, index)?.filter(|batch| batch.state == BatchState::Final);
    if batch.is_none_or(|batch| (batch.root, batch.batch_chain) != (root, batch_chain)) {
        return Err(OpenError::Batch { index });
    }
    let tree = read(store, slot, header)?;
    Ok(Some((slot, Version { index, root, batch_chain, written: 0, tree })))
}

/// Reads as many pages as the header says: what lies beyond them is of another snapshot.
fn read(store: &dyn Store, slot: Slot, header: SnapshotHeader) -> Result<Tree, OpenError> {
    let mut opening = Opening::new(header);
    for page in 0..header.pages() {
        let Some(leaves) = store.get(SNAPSHOTS, &slot.page_key(page))? else { break };
        opening = opening.page(&leaves)?;
    }
    Ok(opening.finish()?)
}

/// Fills a slot with the pages of a tree. The tree only grows, so these take the places of all that an older snapshot left there.
pub(crate) fn fill(
    tree: &Tree,
    slot: Slot,
    mut write: impl FnMut(Vec<Change>) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let put = |(page, value)| Change::Put { table: SNAPSHOTS, key: slot.page_key(page), value };
    let mut changes = (0..).zip(Pages::of(tree)).map(put);
    loop {
        let some: Vec<Change> = changes.by_ref().take(PAGES_PER_WRITE).collect();
        if some.is_empty() {
            return Ok(());
        }
        write(some)?;
    }
}

#[cfg(test)]
mod tests {
    use hypha_chain::MemoryStore;
    use hypha_tree::{Key, LEAVES_PER_PAGE, ValueHash, keccak};

    use super::*;

    fn tree(leaves: u64) -> Tree {
        let leaf = |number: u64| {
            let bytes = keccak(&number.to_be_bytes());
            (Key::from(bytes), ValueHash::from(bytes))
        };
        Tree::new().with((0..leaves).map(leaf))
    }

    /// Fills a slot and gives how many changes each write had.
    fn filled(store: &MemoryStore, tree: &Tree, slot: Slot) -> Vec<usize> {
        let mut writes = Vec::new();
        let write = |changes: Vec<Change>| {
            writes.push(changes.len());
            Ok(store.write(changes)?)
        };
        fill(tree, slot, write).unwrap();
        writes
    }

    #[test]
    fn pages_come_in_bounded_writes_and_are_read_back() {
        let (store, tree) = (MemoryStore::new(), tree(4 * LEAVES_PER_PAGE as u64 + 1));
        assert_eq!(filled(&store, &tree, Slot::A), [4, 1]);
        let read = read(&store, Slot::A, SnapshotHeader::of(&tree)).unwrap();
        assert_eq!(read.root(), tree.root());
    }

    #[test]
    fn slots_do_not_touch_each_other() {
        let (store, large, small) = (MemoryStore::new(), tree(5 * LEAVES_PER_PAGE as u64), tree(10));
        filled(&store, &large, Slot::A);
        filled(&store, &small, Slot::B);
        for (slot, tree) in [(Slot::A, &large), (Slot::B, &small)] {
            assert_eq!(read(&store, slot, SnapshotHeader::of(tree)).unwrap().root(), tree.root());
        }
    }

    #[test]
    fn what_lay_in_the_slot_before_does_not_matter() {
        let (store, two, three) =
            (MemoryStore::new(), tree(2 * LEAVES_PER_PAGE as u64), tree(3 * LEAVES_PER_PAGE as u64));
        for tree in [&two, &three, &two] {
            filled(&store, tree, Slot::A);
            assert_eq!(read(&store, Slot::A, SnapshotHeader::of(tree)).unwrap().root(), tree.root());
        }
    }

    #[test]
    fn a_slot_that_is_half_written_over_holds_no_snapshot() {
        let (store, before) = (MemoryStore::new(), tree(5 * LEAVES_PER_PAGE as u64));
        filled(&store, &before, Slot::A);
        let after = tree(6 * LEAVES_PER_PAGE as u64);
        let mut writes = 0;
        let cut = fill(&after, Slot::A, |changes| {
            writes += 1;
            if writes > 1 { Err(LedgerError::ShuttingDown) } else { Ok(store.write(changes)?) }
        });
        assert!(matches!(cut, Err(LedgerError::ShuttingDown)));
        let (expected, actual) = (6, 5);
        assert!(matches!(
            read(&store, Slot::A, SnapshotHeader::of(&after)),
            Err(OpenError::Snapshot(error)) if error == SnapshotError::PagesMissing { expected, actual }
        ));
        assert!(matches!(
            read(&store, Slot::A, SnapshotHeader::of(&before)),
            Err(OpenError::Snapshot(SnapshotError::NotAscending { .. } | SnapshotError::RootMismatch { .. }))
        ));
    }

    #[test]
    fn a_write_that_fails_ends_it() {
        let failed = |_: Vec<Change>| Err(LedgerError::ShuttingDown);
        assert!(matches!(fill(&tree(10), Slot::A, failed), Err(LedgerError::ShuttingDown)));
    }
}
