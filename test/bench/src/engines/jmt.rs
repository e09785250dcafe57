//! `jmt` over maps in memory, stale nodes dropped, with Keccak-256.

use std::{
    collections::HashMap,
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::bail;
use hypha_tree::Key;
use jmt::{
    JellyfishMerkleTree, KeyHash, OwnedValue, Version,
    storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch},
};
use keccak_asm::Keccak256;

use super::{Engine, Proved, time_of_each};
use crate::keys::Leaf;

/// The tree's newest version.
#[derive(Default)]
pub(super) struct Jmt {
    store: Store,
    next: Version,
}

#[derive(Default)]
struct Store {
    nodes: HashMap<NodeKey, Node>,
    values: HashMap<KeyHash, OwnedValue>,
}

impl TreeReader for Store {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    /// Only the newest version's values are here, and only it is asked for.
    fn get_value_option(&self, _version: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.values.get(&key).cloned())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        bail!("only restoring from a snapshot asks for it")
    }
}

impl Store {
    fn write(&mut self, update: &TreeUpdateBatch) {
        let nodes = update.node_batch.nodes();
        self.nodes.extend(nodes.iter().map(|(key, node)| (key.clone(), node.clone())));
        let values = update.node_batch.values().iter();
        self.values.extend(values.filter_map(|((_, key), value)| Some((*key, value.clone()?))));
    }

    fn drop_stale(&mut self, update: &TreeUpdateBatch) {
        for stale in &update.stale_node_index_batch {
            self.nodes.remove(&stale.node_key);
        }
    }
}

impl Jmt {
    fn tree(&self) -> JellyfishMerkleTree<'_, Store, Keccak256> {
        JellyfishMerkleTree::new(&self.store)
    }
}

impl Engine for Jmt {
    fn load(&mut self, batch: Vec<Leaf>) -> anyhow::Result<()> {
        self.update(batch, 1).map(|_| ())
    }

    /// The time has the root and the new nodes' way into the maps; the end of the stale ones is not in it.
    fn update(&mut self, batch: Vec<Leaf>, _versions: usize) -> anyhow::Result<Duration> {
        let batch: Vec<_> = batch
            .into_iter()
            .map(|(key, value)| (KeyHash(key.into()), Some(value.as_bytes().to_vec())))
            .collect();
        let started = Instant::now();
        let (root, update) = self.tree().put_value_set(batch, self.next)?;
        self.store.write(&update);
        let time = started.elapsed();
        black_box(root);
        self.store.drop_stale(&update);
        self.next += 1;
        Ok(time)
    }

    fn prove_each(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        let (tree, version) = (self.tree(), self.next - 1);
        let prove = |key: &Key| Ok(tree.get_with_proof(KeyHash((*key).into()), version)?.1);
        let time = time_of_each(keys, prove)?;
        let sizes = keys.iter().map(|key| Ok(borsh::to_vec(&prove(key)?)?.len()));
        let bytes = sizes.sum::<anyhow::Result<usize>>()?;
        Ok(Proved { time, encoded: None, bytes, sibling_bytes: None })
    }

    /// It has no multiproof.
    fn prove_all(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        self.prove_each(keys)
    }
}
