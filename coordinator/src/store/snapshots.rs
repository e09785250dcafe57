//! The tree on disk: its leaves, in a file beside the store. The store knows nothing of it and does without it, so nothing that
//! befalls the file befalls the store.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use alloy::primitives::B256;
use hypha_chain::ports::Store;
use hypha_protocol::ids::word;
use hypha_tree::{LEAVES_PER_PAGE, Opening, Pages, SnapshotError, SnapshotHeader, Tree};

use super::{BatchState, LedgerError, queries};
use crate::state::Version;

/// What the file begins with: a name and the version of the format.
const MAGIC: [u8; 16] = *b"hypha tree file1";
/// Bytes before the pages: name, index, batch chain and the header of the pages.
const HEAD: usize = 16 + 8 + 32 + SnapshotHeader::LENGTH;
/// Bytes of a full page: key and value hash of each leaf.
const PAGE: usize = LEAVES_PER_PAGE * 64;

/// Why there is no tree in a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The ledger's own disk or rows: no fault of the file.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system gives no file, or ends before its end.
    #[error("the file cannot be read: {0}")]
    File(#[from] io::Error),
    /// It begins with something else.
    #[error("this is no snapshot of version 1")]
    UnknownFormat,
    /// Bytes are missing at its end, or too many.
    #[error("the file has {actual} bytes, not {expected}")]
    Length {
        /// Bytes that the header takes.
        expected: u64,
        /// Bytes that there are.
        actual: u64,
    },
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

/// What stands before the pages.
struct Head {
    index: u64,
    batch_chain: B256,
    header: SnapshotHeader,
}

impl Head {
    fn of(version: &Version) -> Self {
        let header = SnapshotHeader::of(&version.tree);
        Self { index: version.index, batch_chain: version.batch_chain, header }
    }

    fn encode(&self) -> Vec<u8> {
        let (index, header) = (self.index.to_be_bytes(), self.header.encode());
        [MAGIC.as_slice(), &index, self.batch_chain.as_slice(), &header].concat()
    }

    fn read(file: &mut impl Read) -> Result<Self, OpenError> {
        let (mut magic, mut index, mut chain) = ([0; 16], [0; 8], [0; 32]);
        let mut header = [0; SnapshotHeader::LENGTH];
        for field in [magic.as_mut_slice(), &mut index, &mut chain, &mut header] {
            file.read_exact(field)?;
        }
        if magic != MAGIC {
            return Err(OpenError::UnknownFormat);
        }
        let header = SnapshotHeader::decode(&header)?;
        Ok(Self { index: u64::from_be_bytes(index), batch_chain: chain.into(), header })
    }

    /// Bytes of the whole file.
    fn length(&self) -> u64 {
        self.header.bytes().saturating_add(HEAD as u64)
    }

    fn root(&self) -> B256 {
        word(self.header.root())
    }
}

/// The file that holds the newest snapshot. A new one is written beside it and takes its name once it is durable, so at any
/// moment the name stands for a whole one.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
}

impl SnapshotFile {
    /// The file with this name, there or not.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where the next one grows; whatever is left there by a process that was killed is written over.
    fn unfinished(&self) -> PathBuf {
        with_suffix(&self.path, ".new")
    }

    /// Puts this version in place of the one before. Gives the bytes of the file; `None` when `go_on` said no before a page.
    /// Blocks, so never on a thread of the runtime.
    ///
    /// # Errors
    /// What the system says. The one before is still there then, unless all that failed is to make its successor's name durable.
    pub(crate) fn write(&self, version: &Version, go_on: impl Fn() -> bool) -> io::Result<Option<u64>> {
        let outcome = self.replace(version, go_on);
        if !matches!(outcome, Ok(Some(_))) {
            // It may not be there at all; and if it stays, the next one is written over it.
            fs::remove_file(self.unfinished()).ok();
        }
        outcome
    }

    fn replace(&self, version: &Version, go_on: impl Fn() -> bool) -> io::Result<Option<u64>> {
        let unfinished = self.unfinished();
        let written = fill(File::create(&unfinished)?, version, go_on)?;
        if written.is_some() {
            fs::rename(&unfinished, &self.path)?;
            File::open(folder(&self.path))?.sync_all()?;
        }
        Ok(written)
    }

    /// The version in the file, checked by its root and by the batch that gave it; `None` when there is no file.
    ///
    /// # Errors
    /// [`OpenError::Ledger`] when the store could not be asked; everything else is damage to the file.
    pub(crate) fn open(&self, store: &dyn Store) -> Result<Option<Version>, OpenError> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let (actual, head) = (file.metadata()?.len(), Head::read(&mut file)?);
        let expected = head.length();
        if expected != actual {
            return Err(OpenError::Length { expected, actual });
        }
        check_batch(store, &head)?;
        let (index, root, batch_chain) = (head.index, head.root(), head.batch_chain);
        let tree = read(&mut file, head.header)?;
        Ok(Some(Version { index, root, batch_chain, written: 0, tree }))
    }
}

/// A path with this at the end of its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes head and pages and makes them durable. The tree moves on meanwhile, this version stays.
fn fill(file: File, version: &Version, go_on: impl Fn() -> bool) -> io::Result<Option<u64>> {
    let (head, mut writer) = (Head::of(version), BufWriter::new(file));
    writer.write_all(&head.encode())?;
    for page in Pages::of(&version.tree) {
        if !go_on() {
            return Ok(None);
        }
        writer.write_all(&page)?;
    }
    writer.into_inner()?.sync_all()?;
    Ok(Some(head.length()))
}

fn check_batch(store: &dyn Store, head: &Head) -> Result<(), OpenError> {
    let batch = queries::batch(store, head.index)?.filter(|batch| batch.state == BatchState::Final);
    let is_its =
        batch.is_some_and(|batch| (batch.root, batch.batch_chain) == (head.root(), head.batch_chain));
    if is_its { Ok(()) } else { Err(OpenError::Batch { index: head.index }) }
}

/// Reads the pages that the header says, one at a time.
fn read(file: &mut impl Read, header: SnapshotHeader) -> Result<Tree, OpenError> {
    let (mut opening, mut left, mut page) = (Opening::new(header), header.bytes(), Vec::new());
    while left > 0 {
        let length = left.min(PAGE as u64);
        // At most a page, so nothing is cut short by `as`.
        page.resize(length as usize, 0);
        file.read_exact(&mut page)?;
        opening = opening.page(&page)?;
        left -= length;
    }
    Ok(opening.finish()?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hypha_chain::MemoryStore;
    use hypha_chain::ports::Change;
    use hypha_tree::{Key, ValueHash, keccak};
    use tempfile::TempDir;

    use super::*;
    use crate::store::{tables, tests::batch};

    fn version(index: u64, leaves: u64) -> Version {
        let leaf = |number: u64| {
            let bytes = keccak(&number.to_be_bytes());
            (Key::from(bytes), ValueHash::from(bytes))
        };
        let tree = Tree::new().with((0..leaves).map(leaf));
        let batch_chain = B256::with_last_byte(index as u8);
        Version { index, root: word(tree.root()), batch_chain, written: 0, tree }
    }

    /// A store with the batch that gave this version.
    fn store(version: &Version) -> MemoryStore {
        let store = MemoryStore::new();
        let batch = batch(version, BatchState::Final);
        let (key, value) = (version.index.to_be_bytes().to_vec(), serde_json::to_vec(&batch).unwrap());
        store.write(vec![Change::Put { table: tables::BATCHES, key, value }]).unwrap();
        store
    }

    fn file() -> (TempDir, SnapshotFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::at(folder.path().join("store.redb.snapshot"));
        (folder, file)
    }

    /// Checks that the file holds this version, and that nothing lies beside it.
    fn assert_holds(file: &SnapshotFile, version: &Version) {
        let opened = file.open(&store(version)).unwrap().unwrap();
        assert_eq!((opened.index, opened.batch_chain), (version.index, version.batch_chain));
        assert_eq!((opened.root, opened.tree.root()), (version.root, version.tree.root()));
        assert!(!file.unfinished().exists());
    }

    #[test]
    fn what_is_written_is_read_back_at_every_number_of_pages() {
        let (page, (_folder, file)) = (LEAVES_PER_PAGE as u64, file());
        assert!(file.open(&MemoryStore::new()).unwrap().is_none(), "there is no file yet");
        for (index, leaves) in (1..).zip([0, 1, page - 1, page, page + 1, 3 * page, 2 * page]) {
            let version = version(index, leaves);
            let bytes = file.write(&version, || true).unwrap().unwrap();
            assert_eq!(bytes, fs::metadata(&file.path).unwrap().len());
            assert_holds(&file, &version);
        }
    }

    #[test]
    fn one_that_is_stopped_leaves_the_one_before() {
        let ((_folder, file), before) = (file(), version(1, 10));
        file.write(&before, || true).unwrap();
        let pages = Cell::new(0);
        let two = || pages.replace(pages.get() + 1) < 2;
        assert_eq!(file.write(&version(2, 3 * LEAVES_PER_PAGE as u64), two).unwrap(), None);
        assert_eq!(pages.get(), 3, "asked before each page");
        assert_holds(&file, &before);
    }

    #[test]
    fn what_a_killed_process_left_is_no_snapshot_and_is_written_over() {
        let ((_folder, file), before) = (file(), version(1, 10));
        file.write(&before, || true).unwrap();
        let large = vec![7; 2 * PAGE];
        fs::write(file.unfinished(), large).unwrap();
        assert_eq!(file.open(&store(&before)).unwrap().unwrap().root, before.root);
        let after = version(2, 20);
        file.write(&after, || true).unwrap();
        assert_holds(&file, &after);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_one_before() {
        let ((_folder, file), before) = (file(), version(1, 10));
        file.write(&before, || true).unwrap();
        for leaves in [20, 3 * LEAVES_PER_PAGE as u64] {
            std::os::unix::fs::symlink("/dev/full", file.unfinished()).unwrap();
            let error = file.write(&version(2, leaves), || true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            assert_holds(&file, &before);
        }
    }

    #[test]
    fn folders_in_the_way_are_errors() {
        let ((_folder, file), version) = (file(), version(1, 10));
        fs::create_dir(file.unfinished()).unwrap();
        assert!(file.write(&version, || true).is_err());
        fs::remove_dir(file.unfinished()).unwrap();
        fs::create_dir(&file.path).unwrap();
        assert!(file.write(&version, || true).is_err());
        assert!(!file.unfinished().exists());
        assert!(matches!(file.open(&store(&version)), Err(OpenError::File(_))));
    }

    #[test]
    fn cut_short_anywhere_or_longer_it_is_refused() {
        let ((_folder, file), version) = (file(), version(1, LEAVES_PER_PAGE as u64 + 1));
        let length = file.write(&version, || true).unwrap().unwrap() as usize;
        let whole = fs::read(&file.path).unwrap();
        for cut in [0, 1, 15, 16, 24, 56, HEAD - 1, HEAD, HEAD + 63, HEAD + PAGE, length - 64, length - 1] {
            fs::write(&file.path, &whole[..cut]).unwrap();
            let refused = file.open(&store(&version)).err();
            assert!(
                matches!(refused, Some(OpenError::File(_) | OpenError::Length { .. })),
                "{cut}: {refused:?}"
            );
        }
        for more in [1, 64, PAGE] {
            fs::write(&file.path, [whole.as_slice(), &vec![0; more]].concat()).unwrap();
            let refused = file.open(&store(&version)).err();
            assert!(matches!(refused, Some(OpenError::Length { .. })), "{more} more: {refused:?}");
        }
    }

    #[test]
    fn with_any_byte_flipped_it_is_refused() {
        let ((_folder, file), version) = (file(), version(1, 3));
        file.write(&version, || true).unwrap();
        let whole = fs::read(&file.path).unwrap();
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            fs::write(&file.path, flipped).unwrap();
            let refused = file.open(&store(&version)).err().expect("a byte is another");
            assert!(!matches!(refused, OpenError::Ledger(_)), "{place}: {refused}");
        }
    }

    #[test]
    fn of_another_batch_it_is_refused() {
        let ((_folder, file), version) = (file(), version(1, 10));
        file.write(&version, || true).unwrap();
        let other_root = Version { root: B256::ZERO, ..version.clone() };
        let other_chain = Version { batch_chain: B256::ZERO, ..version.clone() };
        let other_index = Version { index: 2, ..version };
        for other in [other_root, other_chain, other_index] {
            assert!(matches!(file.open(&store(&other)), Err(OpenError::Batch { index: 1 })));
        }
    }
}
