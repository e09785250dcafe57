//! Versions of the tree, and how many of them are kept.

use alloy::primitives::B256;
use hypha_protocol::batch::next_batch_chain;
use hypha_protocol::ids::word;
use hypha_protocol::replay::with_touches;
use hypha_tree::{Touch, Tree};

use crate::config::LimitsConfig;

/// The tree after one batch.
#[derive(Clone)]
pub struct Version {
    /// Number of the root.
    pub index: u64,
    /// The root.
    pub root: B256,
    /// The batch chain.
    pub batch_chain: B256,
    /// Leaves written by all batches since this process's first version: what lies between two versions costs the difference.
    pub written: u64,
    /// The tree itself.
    pub tree: Tree,
}

impl Version {
    /// Index 0: the empty tree.
    pub fn genesis(batch_chain: B256) -> Self {
        let tree = Tree::new();
        Self { index: 0, root: word(tree.root()), batch_chain, written: 0, tree }
    }

    /// The version after this one, by a batch of these packed operations, which touch these keys.
    pub fn next(&self, touches: &[Touch], operations: &[u8]) -> Self {
        let (index, tree) = (self.index + 1, with_touches(&self.tree, touches));
        let root = tree.root();
        let batch_chain = next_batch_chain(self.batch_chain, index, root, operations);
        let written = self.written + touches.iter().filter(|touch| touch.new.is_some()).count() as u64;
        Self { index, root: word(root), batch_chain, written, tree }
    }
}

/// The snapshot on disk, or the first version where there is none.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotMark {
    /// Its index.
    pub index: u64,
    /// [`Version::written`] of its version.
    pub written: u64,
}

/// How much of the tree's past is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Most versions.
    pub(crate) versions: usize,
    /// Most bytes that are there only for versions before the newest.
    pub(crate) bytes: usize,
}

impl From<&LimitsConfig> for Keep {
    fn from(limits: &LimitsConfig) -> Self {
        Self { versions: limits.versions, bytes: limits.version_bytes }
    }
}
