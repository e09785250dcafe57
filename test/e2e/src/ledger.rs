//! What happened, according to the hub chain's logs alone.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolEvent;
use hypha_protocol::contracts::{IRootHub, Resource};
use hypha_protocol::ids::{nullifier_of_id, resource_id};
use hypha_protocol::operations::{Operation, decode_operations};
use hypha_protocol::replay::Replica;

use crate::devnet::Devnet;
use crate::rpc::{Log, Rpc};

/// All notes and operations of one hub.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Ids of the operations that the hub took, in order.
    pub operations: Vec<B256>,
    /// Notes that are not spent.
    pub unspent: BTreeMap<B256, Resource>,
    /// The root at the latest index, rebuilt.
    pub root: B256,
    issued: BTreeMap<B256, U256>,
    created: Vec<B256>,
    marked: Vec<B256>,
}

impl Ledger {
    /// Reads the hub's logs and rebuilds everything from the operations in them, every signature checked again.
    ///
    /// # Panics
    /// When a batch is not valid or does not give the root that its event says.
    pub fn of(devnet: &Devnet) -> Self {
        let hub = devnet.hub();
        let mut ledger = Self::default();
        let mut replica = Replica::new(hub.id, hub.verifier);
        for Log { topics, data, .. } in Rpc::new(&hub.rpc).logs(hub.verifier) {
            let topic = topics[0];
            let event = || (topics.iter().copied(), data.as_ref());
            if topic == IRootHub::ResourceCreated::SIGNATURE_HASH {
                let (topics, data) = event();
                let note = IRootHub::ResourceCreated::decode_raw_log(topics, data).expect("it is this event");
                let there = &ledger.unspent[&note.resourceId]; // the batch itself is announced first
                assert_eq!(there.owner, note.owner, "a note is announced to another owner");
                ledger.created.push(note.resourceId);
            } else if topic == IRootHub::NullifiersMarked::SIGNATURE_HASH {
                let (topics, data) = event();
                let spent =
                    IRootHub::NullifiersMarked::decode_raw_log(topics, data).expect("it is this event");
                ledger.marked.extend(spent.nullifiers);
            } else if topic == IRootHub::BatchApplied::SIGNATURE_HASH {
                let (topics, data) = event();
                let batch = IRootHub::BatchApplied::decode_raw_log(topics, data).expect("it is this event");
                let step =
                    replica.apply(batch.index, &batch.operations).expect("the hub takes only valid batches");
                ledger.root = B256::new(step.root.into());
                assert_eq!(ledger.root, batch.root, "batch {}", batch.index);
                ledger.take(&batch.operations);
            }
        }
        ledger
    }

    /// What spends nothing brings its notes into being: an issue, whether it was signed or requested.
    fn issue(&mut self, operation: &Operation) {
        for note in operation.created() {
            *self.issued.entry(note.kind).or_default() += note.quantity;
        }
    }

    fn take(&mut self, operations: &[u8]) {
        for operation in decode_operations(operations).expect("the replica has read them") {
            self.operations.push(operation.id());
            if operation.inputs().is_empty() {
                self.issue(&operation);
            }
            for input in operation.input_ids() {
                assert!(self.unspent.remove(&input).is_some(), "{input} was spent twice, or never there");
            }
            for note in operation.created() {
                let id = resource_id(&note);
                assert!(self.unspent.insert(id, note).is_none(), "{id} was created twice");
            }
        }
    }

    /// Requires that every operation was taken once, every note created once and spent at most once (by the contract's own
    /// events), and that for each kind there is as much as was issued.
    ///
    /// # Panics
    /// When not.
    pub fn require_consistent(&self) {
        let distinct = |words: &[B256]| words.iter().collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(&self.operations), self.operations.len(), "an operation was applied twice");
        assert_eq!(distinct(&self.created), self.created.len(), "a note was created twice");
        assert_eq!(distinct(&self.marked), self.marked.len(), "a nullifier was marked twice");
        let spent: BTreeSet<_> = self
            .created
            .iter()
            .filter(|id| !self.unspent.contains_key(*id))
            .map(|id| nullifier_of_id(*id))
            .collect();
        assert_eq!(spent, self.marked.iter().copied().collect(), "other notes are spent than the events say");
        assert_eq!(self.created.len(), self.unspent.len() + self.marked.len());
        let mut held: BTreeMap<B256, U256> = BTreeMap::new();
        for note in self.unspent.values() {
            *held.entry(note.kind).or_default() += note.quantity;
        }
        assert_eq!(held, self.issued, "a kind is not conserved");
    }

    /// Unspent notes of an owner.
    pub fn notes_of(&self, owner: Address) -> Vec<&Resource> {
        self.unspent.values().filter(|note| note.owner == owner).collect()
    }
}
