//! `nomt` with Keccak-256. What is measured never reaches its disk: a session is finished, which gives the
//! root, and not committed; all pages fit into its cache.

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use hypha_tree::Key;
use keccak_asm::Keccak256;
use nomt::{
    KeyReadWrite, Options, SessionParams,
    hasher::{BinaryHash, BinaryHasher, NodeHasher, ValueHasher},
    proof::MultiProof,
    trie::{InternalData, LeafData, Node, NodeKind},
};

use super::{Engine, Proved, time_of_each};
use crate::keys::Leaf;

/// Room for the pages of the largest tree, in MiB.
const CACHE: usize = 4096;
/// Buckets of its hash table, at the least and for each leaf: a page of the tree takes one.
const BUCKETS: (u64, f64) = (64_000, 0.6);
/// A leaf in a proof: a key and a value hash.
const LEAF: usize = 64;
const HASH: usize = 32;

/// Keccak-256 for nodes; values are hashes already.
pub(super) struct Hasher;

struct Keccak;

impl BinaryHash for Keccak {
    fn hash(input: &[u8]) -> [u8; HASH] {
        Keccak256::digest(input).into()
    }
}

impl NodeHasher for Hasher {
    fn hash_leaf(data: &LeafData) -> [u8; HASH] {
        BinaryHasher::<Keccak>::hash_leaf(data)
    }

    fn hash_internal(data: &InternalData) -> [u8; HASH] {
        BinaryHasher::<Keccak>::hash_internal(data)
    }

    fn node_kind(node: &Node) -> NodeKind {
        BinaryHasher::<Keccak>::node_kind(node)
    }
}

impl ValueHasher for Hasher {
    fn hash_value(value: &[u8]) -> [u8; HASH] {
        value.try_into().unwrap_or_else(|_| Keccak::hash(value))
    }
}

/// The database.
pub(super) struct Nomt(nomt::Nomt<Hasher>);

/// Opens a new database in this folder, whose sessions are finished on so many threads.
pub(super) fn open(leaves: u64, threads: usize, directory: &Path) -> anyhow::Result<Nomt> {
    let mut options = Options::new();
    options.path(directory.join(format!("nomt-{threads}")));
    options.commit_concurrency(threads);
    options.io_workers(1);
    options.page_cache_size(CACHE);
    options.leaf_cache_size(CACHE);
    options.preallocate_ht(false);
    options.hashtable_buckets(BUCKETS.0.max((leaves as f64 * BUCKETS.1) as u64) as u32);
    Ok(Nomt(nomt::Nomt::open(options)?))
}

fn writes(mut batch: Vec<Leaf>) -> Vec<([u8; HASH], KeyReadWrite)> {
    batch.sort_unstable();
    let write = |value: [u8; HASH]| KeyReadWrite::Write(Some(value.to_vec()));
    batch.into_iter().map(|(key, value)| (key.into(), write(value.into()))).collect()
}

impl Engine for Nomt {
    fn load(&mut self, batch: Vec<Leaf>) -> anyhow::Result<()> {
        let session = self.0.begin_session(SessionParams::default());
        session.finish(writes(batch))?.commit(&self.0)
    }

    /// The batch is sorted before, as `nomt` wants it.
    fn update(&mut self, batch: Vec<Leaf>, _versions: usize) -> anyhow::Result<Duration> {
        let batch = writes(batch);
        let started = Instant::now();
        let finished = self.0.begin_session(SessionParams::default()).finish(batch)?;
        black_box(finished.root());
        Ok(started.elapsed())
    }

    fn prove_each(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        let session = self.0.begin_session(SessionParams::default());
        let prove = |key: &Key| session.prove((*key).into());
        let time = time_of_each(keys, prove)?;
        let siblings = keys.iter().map(|key| Ok(prove(key)?.siblings.len()));
        let sibling_bytes = HASH * siblings.sum::<anyhow::Result<usize>>()?;
        Ok(Proved {
            time,
            encoded: None,
            bytes: sibling_bytes + LEAF * keys.len(),
            sibling_bytes: Some(sibling_bytes),
        })
    }

    fn prove_all(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        let session = self.0.begin_session(SessionParams::default());
        let started = Instant::now();
        let proofs = keys.iter().map(|key| session.prove((*key).into())).collect::<anyhow::Result<_>>()?;
        let proof = MultiProof::from_path_proofs(proofs);
        let time = started.elapsed();
        let sibling_bytes = HASH * proof.siblings.len();
        let bytes = sibling_bytes + LEAF * proof.paths.len();
        Ok(Proved { time, encoded: None, bytes, sibling_bytes: Some(sibling_bytes) })
    }
}
