//! A tree at rest: a header, and its leaves in pages. What is read back is a tree only once its own root says so.

use crate::{Key, Leaves, Root, Tree, ValueHash};

/// Leaves in a page; the last page has the rest. A full one takes 256,000 bytes, so that with its key it fits a block of
/// 256 KiB in stores whose blocks are powers of two.
pub const LEAVES_PER_PAGE: usize = 4_000;

/// Bytes of an encoded leaf: key and value hash.
const LEAF: usize = 64;
/// What an encoded header begins with: a name and the version of the format.
const MAGIC: [u8; 16] = *b"hypha snapshot 1";
/// Leaves that go into the tree at a time while it is opened: bounds the memory that opening takes besides the tree, and is
/// enough for the tree to hash many side by side.
const RUN: usize = 65_536;

/// Why a snapshot is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The header has another length.
    #[error("the header has {actual} bytes, not {expected}")]
    HeaderLength {
        /// Bytes of a header.
        expected: usize,
        /// Bytes that there are.
        actual: usize,
    },
    /// The header begins with something else: no snapshot, or one of another version.
    #[error("this is no header of a snapshot of version 1")]
    UnknownFormat,
    /// The header's number of pages is not that which its number of leaves takes.
    #[error("the header says {actual} pages, its leaves take {expected}")]
    PageCount {
        /// Pages that the leaves take.
        expected: u64,
        /// Pages that the header says.
        actual: u64,
    },
    /// A page has another length than its place gives it.
    #[error("page {page} has {actual} bytes, not {expected}")]
    PageLength {
        /// Position of the page.
        page: u64,
        /// Bytes of the page at that position; 0 where none follows.
        expected: usize,
        /// Bytes that there are.
        actual: usize,
    },
    /// A key is not greater than the one before; the first not greater than zero.
    #[error("the key of leaf {leaf} is not greater than the one before")]
    NotAscending {
        /// Position of the leaf.
        leaf: u64,
    },
    /// A value hash is zero, which no leaf has.
    #[error("the value hash of leaf {leaf} is zero")]
    ZeroValueHash {
        /// Position of the leaf.
        leaf: u64,
    },
    /// Pages are missing at the end.
    #[error("there are {actual} pages, not {expected}")]
    PagesMissing {
        /// Pages that the header says.
        expected: u64,
        /// Pages that came.
        actual: u64,
    },
    /// The leaves are those of another tree.
    #[error("the leaves give root {actual}, not {expected}")]
    RootMismatch {
        /// The root that the header says.
        expected: Root,
        /// The root of the leaves.
        actual: Root,
    },
}

/// What a snapshot says of itself; nothing of it is checked against leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    root: Root,
    leaves: u64,
}

impl SnapshotHeader {
    /// Bytes of an encoded header.
    pub const LENGTH: usize = 64;

    /// The header of this tree's only snapshot.
    pub fn of(tree: &Tree) -> Self {
        Self { root: tree.root(), leaves: tree.len() as u64 }
    }

    /// The root that the leaves must give.
    pub fn root(&self) -> Root {
        self.root
    }

    /// The number of leaves.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The number of pages.
    pub fn pages(&self) -> u64 {
        self.leaves.div_ceil(LEAVES_PER_PAGE as u64)
    }

    /// Bytes of all pages together.
    pub fn bytes(&self) -> u64 {
        self.leaves.saturating_mul(LEAF as u64)
    }

    /// Bytes of the page at this position; 0 where there is none.
    fn page_length(&self, page: u64) -> usize {
        let before = page.saturating_mul(LEAVES_PER_PAGE as u64);
        // At most a page of leaves, so nothing is cut short by `as`.
        self.leaves.saturating_sub(before).min(LEAVES_PER_PAGE as u64) as usize * LEAF
    }

    /// The encoding of the specification.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..16].copy_from_slice(&MAGIC);
        bytes[16..48].copy_from_slice(self.root.as_bytes());
        bytes[48..56].copy_from_slice(&self.leaves.to_be_bytes());
        bytes[56..].copy_from_slice(&self.pages().to_be_bytes());
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Anything but the encoding of a header; [`Self::encode`] gives back the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let length = SnapshotError::HeaderLength { expected: Self::LENGTH, actual: bytes.len() };
        let (magic, rest) = bytes.split_first_chunk::<16>().ok_or(length)?;
        let (root, rest) = rest.split_first_chunk::<32>().ok_or(length)?;
        let (leaves, pages) = rest.split_first_chunk::<8>().ok_or(length)?;
        let pages: [u8; 8] = pages.try_into().map_err(|_| length)?;
        if *magic != MAGIC {
            return Err(SnapshotError::UnknownFormat);
        }
        let header = Self { root: Root::from(*root), leaves: u64::from_be_bytes(*leaves) };
        let (expected, actual) = (header.pages(), u64::from_be_bytes(pages));
        if expected == actual { Ok(header) } else { Err(SnapshotError::PageCount { expected, actual }) }
    }
}

/// The pages of a tree's snapshot, each made when it is asked for: the tree moves on meanwhile, this version stays.
#[derive(Debug)]
pub struct Pages<'tree> {
    leaves: Leaves<'tree>,
}

impl<'tree> Pages<'tree> {
    /// All pages of this tree.
    pub fn of(tree: &'tree Tree) -> Self {
        Self { leaves: tree.iter() }
    }
}

impl Iterator for Pages<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut page = Vec::new();
        for (key, value_hash) in self.leaves.by_ref().take(LEAVES_PER_PAGE) {
            page.extend_from_slice(key.as_bytes());
            page.extend_from_slice(value_hash.as_bytes());
        }
        (!page.is_empty()).then_some(page)
    }
}

/// A snapshot on its way back to a tree. Nothing can be read from it: the tree is there once everything is checked. What is
/// refused is gone.
#[derive(Debug)]
pub struct Opening {
    header: SnapshotHeader,
    pages: u64,
    last: Key,
    run: Vec<(Key, ValueHash)>,
    tree: Tree,
}

impl Opening {
    /// Begins with what the snapshot says of itself.
    pub fn new(header: SnapshotHeader) -> Self {
        Self { header, pages: 0, last: Key::from([0; 32]), run: Vec::new(), tree: Tree::new() }
    }

    /// Takes the next page.
    ///
    /// # Errors
    /// A page of another length than belongs here, or more pages than the header says; leaves that no tree has, or not in
    /// ascending order of key.
    pub fn page(mut self, page: &[u8]) -> Result<Self, SnapshotError> {
        let (expected, actual) = (self.header.page_length(self.pages), page.len());
        if expected == 0 || expected != actual {
            return Err(SnapshotError::PageLength { page: self.pages, expected, actual });
        }
        let first = self.pages * LEAVES_PER_PAGE as u64;
        for (leaf, bytes) in (first..).zip(page.as_chunks::<LEAF>().0) {
            self.leaf(leaf, bytes)?;
        }
        self.pages += 1;
        if self.run.len() >= RUN {
            self.grow();
        }
        Ok(self)
    }

    fn leaf(&mut self, leaf: u64, bytes: &[u8; LEAF]) -> Result<(), SnapshotError> {
        let (words, _) = bytes.as_chunks::<32>();
        let (key, value_hash) = (Key::from(words[0]), ValueHash::from(words[1]));
        if key <= self.last {
            return Err(SnapshotError::NotAscending { leaf });
        }
        if value_hash.is_zero() {
            return Err(SnapshotError::ZeroValueHash { leaf });
        }
        self.last = key;
        self.run.push((key, value_hash));
        Ok(())
    }

    /// Puts the leaves that wait into the tree. They stand to the right of all others, so only one path is hashed twice.
    fn grow(&mut self) {
        self.tree = self.tree.with(self.run.drain(..));
    }

    /// The tree, whose root and number of leaves are those of the header.
    ///
    /// # Errors
    /// When pages are missing, or the leaves give another root.
    pub fn finish(mut self) -> Result<Tree, SnapshotError> {
        let (expected, actual) = (self.header.pages(), self.pages);
        if expected != actual {
            return Err(SnapshotError::PagesMissing { expected, actual });
        }
        self.grow();
        let (expected, actual) = (self.header.root, self.tree.root());
        if expected == actual { Ok(self.tree) } else { Err(SnapshotError::RootMismatch { expected, actual }) }
    }
}
