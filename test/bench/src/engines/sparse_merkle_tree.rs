//! `sparse-merkle-tree` over its own maps in memory, with Keccak-256; which of its two engines, the build
//! says.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use hypha_tree::Key;
use keccak_asm::{Digest, Keccak256};
use sparse_merkle_tree::{H256, SparseMerkleTree, default_store::DefaultStore, traits::Hasher};

use super::{Proved, time_of_each};
use crate::keys::Leaf;

/// The name of the engine that this build has.
pub(super) const NAME: &str =
    if cfg!(feature = "trie") { "sparse-merkle-tree/trie" } else { "sparse-merkle-tree" };

#[derive(Default)]
struct Keccak(Keccak256);

impl Hasher for Keccak {
    fn write_h256(&mut self, hash: &H256) {
        self.0.update(hash.as_slice());
    }

    fn write_byte(&mut self, byte: u8) {
        self.0.update([byte]);
    }

    fn finish(self) -> H256 {
        H256::from(<[u8; 32]>::from(self.0.finalize()))
    }
}

/// The tree.
#[derive(Default)]
pub(super) struct Engine(SparseMerkleTree<Keccak, H256, DefaultStore<H256>>);

fn word(bytes: impl Into<[u8; 32]>) -> H256 {
    H256::from(bytes.into())
}

impl super::Engine for Engine {
    fn load(&mut self, batch: Vec<Leaf>) -> anyhow::Result<()> {
        self.update(batch, 1).map(|_| ())
    }

    fn update(&mut self, batch: Vec<Leaf>, _versions: usize) -> anyhow::Result<Duration> {
        let batch = batch.into_iter().map(|(key, value)| (word(key), word(value))).collect();
        let started = Instant::now();
        black_box(self.0.update_all(batch).map_err(|error| anyhow!("{error:?}"))?);
        Ok(started.elapsed())
    }

    fn prove_each(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        let mut bytes = 0;
        let time = time_of_each(keys, |key| {
            bytes += self.prove(&[*key])?;
            Ok(())
        })?;
        Ok(Proved { time, encoded: Some(time), bytes, sibling_bytes: None })
    }

    fn prove_all(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        let started = Instant::now();
        let bytes = self.prove(keys)?;
        let time = started.elapsed();
        Ok(Proved { time, encoded: Some(time), bytes, sibling_bytes: None })
    }
}

impl Engine {
    /// The bytes of a proof, which is data only once it is compiled.
    fn prove(&self, keys: &[Key]) -> anyhow::Result<usize> {
        let keys: Vec<H256> = keys.iter().map(|key| word(*key)).collect();
        let compiled = self.0.merkle_proof(keys.clone()).and_then(|proof| proof.compile(keys));
        Ok(compiled.map_err(|error| anyhow!("{error:?}"))?.0.len())
    }
}
