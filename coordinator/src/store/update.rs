//! One atomic write: each method adds the same change to the disk's side and to memory's side, so that they cannot part.

use std::sync::Arc;

use hypha_chain::ports::Change;
use hypha_protocol::operations::Operation;
use serde::Serialize;

use super::tables::{self, milestone_key};
use super::{
    BatchBody, BatchRecord, ChainRecord, EventRecord, Guard, IdentityRecord, JournalRecord, Milestone,
    ProgressRecord, RequestName,
};
use crate::metrics::Moved;
use crate::requests::RequestEntry;
use crate::state::{Entry, State, Version};

/// A batch on top of the head.
pub struct Extension {
    /// The tree with it.
    pub version: Version,
    /// Its operations.
    pub operations: Vec<Arc<Operation>>,
}

/// What memory does once the disk has taken the write.
enum Effect {
    Entry(Box<Entry>),
    Request(Box<RequestEntry>),
    DropRequest(RequestName),
    Batch(BatchRecord),
    DropBatch(u64),
    Extend(Extension),
    Retract(Vec<Arc<Operation>>),
    Chain(u64, ChainRecord),
    Guard(Guard),
}

/// Changes that are made together.
pub struct Update {
    pub(super) changes: Vec<Change>,
    effects: Vec<Effect>,
    next_number: u64,
    next_sequence: u64,
    moved: Vec<Moved>,
}

impl Update {
    pub(super) fn new(state: &State) -> Self {
        Self {
            changes: Vec::new(),
            effects: Vec::new(),
            next_number: state.next_number,
            next_sequence: state.next_sequence,
            moved: Vec::new(),
        }
    }

    /// Changes made elsewhere (a follower's cursor, a submitter's intent) that must come together with these.
    pub fn also(&mut self, changes: Vec<Change>) {
        self.changes.extend(changes);
    }

    /// A new operation, under the next admission number, which is returned. Its event is the caller's to add.
    pub fn admit(
        &mut self,
        record: &JournalRecord,
        operation: Arc<Operation>,
        progress: ProgressRecord,
    ) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.put(tables::JOURNAL, number.to_be_bytes().to_vec(), record);
        self.put(tables::IDS, record.id.to_vec(), &number);
        self.put(tables::PROGRESS, number.to_be_bytes().to_vec(), &progress);
        self.moved.push(Moved::transfer(progress.status, 0));
        self.effects.push(Effect::Entry(Box::new(Entry {
            number,
            id: record.id,
            operation,
            size: record.operation.len(),
            submitted_at: record.submitted_at,
            class: record.class,
            progress,
        })));
        number
    }

    /// Moves an operation under way, and tells those who follow.
    pub fn progress(&mut self, entry: &Entry, progress: ProgressRecord, chain_id: Option<u64>, at: u64) {
        self.put(tables::PROGRESS, entry.number.to_be_bytes().to_vec(), &progress);
        let event = EventRecord::of(entry.id, None, progress.status.as_str(), at);
        self.event(EventRecord { chain_id, index: progress.index, ..event });
        self.moved.push(Moved::transfer(progress.status, at.saturating_sub(entry.submitted_at)));
        self.effects.push(Effect::Entry(Box::new(Entry { progress, ..entry.clone() })));
    }

    /// Sets a request without telling those who follow: its status is the same.
    pub fn request(&mut self, entry: RequestEntry) {
        self.put(tables::REQUESTS, entry.name().key(), &entry.record);
        self.effects.push(Effect::Request(Box::new(entry)));
    }

    /// Moves a request, and tells those who follow.
    pub fn move_request(&mut self, entry: RequestEntry, chain_id: Option<u64>, at: u64) {
        let progress = &entry.record.progress;
        self.moved.push(Moved::request(progress.status, at.saturating_sub(entry.record.first_seen_at())));
        let event = EventRecord::of(entry.id(), Some(entry.name()), progress.status.as_str(), at);
        self.event(EventRecord { chain_id, index: progress.index, ..event });
        self.request(entry);
    }

    /// Removes a request that no chain has any more.
    pub fn drop_request(&mut self, name: RequestName) {
        self.changes.push(Change::Delete { table: tables::REQUESTS, key: name.key() });
        self.effects.push(Effect::DropRequest(name));
    }

    /// Tells those who follow.
    pub fn event(&mut self, record: EventRecord) {
        self.put(tables::EVENTS, self.next_sequence.to_be_bytes().to_vec(), &record);
        self.next_sequence += 1;
    }

    /// Sets a batch.
    pub fn batch(&mut self, batch: BatchRecord) {
        self.put(tables::BATCHES, batch.index.to_be_bytes().to_vec(), &batch);
        self.effects.push(Effect::Batch(batch));
    }

    /// Removes a batch and its bytes.
    pub fn drop_batch(&mut self, index: u64) {
        let key = index.to_be_bytes().to_vec();
        self.changes.push(Change::Delete { table: tables::BATCHES, key: key.clone() });
        self.changes.push(Change::Delete { table: tables::BODIES, key });
        self.effects.push(Effect::DropBatch(index));
    }

    /// Puts a batch on top of the head.
    pub fn extend(&mut self, body: &BatchBody, extension: Extension) {
        self.put(tables::BODIES, extension.version.index.to_be_bytes().to_vec(), body);
        self.effects.push(Effect::Extend(extension));
    }

    /// Takes back the head, whose operations these are.
    pub fn retract(&mut self, operations: Vec<Arc<Operation>>) {
        self.effects.push(Effect::Retract(operations));
    }

    /// Where a chain's verifier stands.
    pub fn chain(&mut self, chain_id: u64, record: ChainRecord) {
        self.put(tables::CHAINS, chain_id.to_be_bytes().to_vec(), &record);
        self.effects.push(Effect::Chain(chain_id, record));
    }

    /// The spoke applied every index up to the milestone's.
    pub fn relayed(&mut self, chain_id: u64, milestone: &Milestone) {
        self.put(tables::RELAYED, milestone_key(chain_id, milestone.index), milestone);
    }

    /// A milestone that a reorg took back.
    pub fn not_relayed(&mut self, chain_id: u64, index: u64) {
        self.changes.push(Change::Delete { table: tables::RELAYED, key: milestone_key(chain_id, index) });
    }

    /// The hub took home that the spoke applied every index up to the milestone's.
    pub fn reported(&mut self, chain_id: u64, milestone: &Milestone) {
        self.put(tables::REPORTED, milestone_key(chain_id, milestone.index), milestone);
    }

    /// Which chain this store belongs to.
    pub fn identity(&mut self, record: &IdentityRecord) {
        self.put(tables::META, tables::identity_key(record.chain_id), record);
    }

    /// Stops the writers.
    pub fn guard(&mut self, guard: Guard) {
        self.put(tables::META, tables::GUARD_KEY.to_vec(), &guard);
        self.effects.push(Effect::Guard(guard));
    }

    fn put(&mut self, table: &'static str, key: Vec<u8>, record: &impl Serialize) {
        let value = serde_json::to_vec(record).expect("records have no map with keys that are not text");
        self.changes.push(Change::Put { table, key, value });
    }

    /// Makes the changes in memory. Gives the statuses that were taken.
    pub(super) fn apply(self, state: &mut State) -> Vec<Moved> {
        for effect in self.effects {
            match effect {
                Effect::Entry(entry) => state.put_entry(*entry),
                Effect::Request(entry) => state.requests.put(*entry),
                Effect::DropRequest(name) => state.requests.remove(&name),
                Effect::Batch(batch) => state.put_batch(batch),
                Effect::DropBatch(index) => {
                    state.batches.remove(&index);
                }
                Effect::Extend(extension) => {
                    state.extend(extension.version, extension.operations.iter().map(AsRef::as_ref));
                }
                Effect::Retract(operations) => state.retract(operations.iter().map(AsRef::as_ref)),
                Effect::Chain(chain_id, record) => {
                    if let Some(view) = state.chains.get_mut(&chain_id) {
                        view.record = record;
                    }
                }
                Effect::Guard(guard) => state.guard = Some(guard),
            }
        }
        state.next_number = self.next_number;
        state.next_sequence = self.next_sequence;
        state.drop_finished();
        self.moved
    }
}
