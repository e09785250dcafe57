//! What the verdict is made of: what clients handed in and were told, and what stands on the chains.

use std::collections::BTreeMap;

use alloy::primitives::B256;
use alloy::primitives::Bytes;
use alloy::sol_types::SolEvent;
use hypha_protocol::contracts::{IRootHub, IRootVerifier};
use hypha_protocol::operations::Operation;

use crate::rpc::Log;

/// How an operation that was acknowledged ended, as the service says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is in the batch with this index, which is final on the hub and confirmed by all chains that it concerns.
    Finalized(u64),
    /// No batch carries it, and none will; with the code of the reason.
    Rejected(String),
}

/// How far a chain was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Height of its newest block.
    pub newest: u64,
    /// Height of its newest final block.
    pub last_final: u64,
    /// Time of its newest block, Unix seconds.
    pub time: u64,
}

/// What a client was told of an operation, and how far each chain was by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The end.
    pub end: End,
    /// By chain id, read *after* the client was told: what came later was certainly not there.
    pub heads: BTreeMap<u64, Head>,
}

/// A batch that the hub took.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The number of its root.
    pub index: u64,
    /// The root after it.
    pub root: B256,
    /// Its operations, packed.
    pub operations: Bytes,
    /// Height of its block.
    pub block: u64,
}

/// What the hub took home: a spoke has this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The spoke's chain.
    pub chain_id: u64,
    /// The index.
    pub index: u64,
    /// Height of the hub's block.
    pub block: u64,
}

/// A root that a spoke took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its index.
    pub index: u64,
    /// The root.
    pub root: B256,
    /// Height of the spoke's block.
    pub block: u64,
}

/// Roots that a spoke took, in the order of its logs.
#[derive(Clone, Debug)]
pub struct Spoke {
    /// Its chain.
    pub chain_id: u64,
    /// Its roots.
    pub roots: Vec<Root>,
}

/// All that the verdict is made of.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Operations that were answered 202, by id.
    pub acknowledged: BTreeMap<B256, Operation>,
    /// The ends that clients were told of each of them, in order of time; those under way are not in it.
    pub told: BTreeMap<B256, Vec<Told>>,
    /// The hub's chain id.
    pub hub: u64,
    /// The hub's batches, in the order of its logs.
    pub batches: Vec<Batch>,
    /// The hub's confirmations, in the order of its logs.
    pub confirmations: Vec<Confirmation>,
    /// The spokes.
    pub spokes: Vec<Spoke>,
}

impl Batch {
    /// The batches in the logs of a hub.
    pub fn in_logs(logs: &[Log]) -> Vec<Self> {
        let of = |(event, block): (IRootHub::BatchApplied, u64)| Self {
            index: event.index,
            root: event.root,
            operations: event.operations,
            block,
        };
        events(logs).into_iter().map(of).collect()
    }
}

impl Confirmation {
    /// The confirmations in the logs of a hub.
    pub fn in_logs(logs: &[Log]) -> Vec<Self> {
        let of = |(event, block): (IRootHub::Confirmed, u64)| Self {
            chain_id: event.chainId.saturating_to(),
            index: event.index,
            block,
        };
        events(logs).into_iter().map(of).collect()
    }
}

impl Spoke {
    /// The roots in the logs of a spoke.
    pub fn in_logs(chain_id: u64, logs: &[Log]) -> Self {
        let of = |(event, block): (IRootVerifier::RootUpdated, u64)| Root {
            index: event.index,
            root: event.newRoot,
            block,
        };
        Self { chain_id, roots: events(logs).into_iter().map(of).collect() }
    }
}

/// The events of one kind, each with the height of its block.
fn events<E: SolEvent>(logs: &[Log]) -> Vec<(E, u64)> {
    let ours = logs.iter().filter(|log| log.topics.first() == Some(&E::SIGNATURE_HASH));
    let read = |log: &Log| E::decode_raw_log(log.topics.iter().copied(), &log.data);
    ours.map(|log| (read(log).expect("a contract of ours logged it"), log.block)).collect()
}
