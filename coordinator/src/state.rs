//! What the coordinator holds in memory: versions of the tree, the notes in its head, and the operations and batches
//! that are under way. All of it is rebuilt from the store at start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alloy::primitives::B256;
use hypha_protocol::ids::{resource_id, word};
use hypha_protocol::operations::Operation;
use hypha_protocol::status::Status;
use hypha_tree::Root;

use crate::notes::Notes;
use crate::pace::Pace;
use crate::pipeline::timing::{Cause, Decision};
use crate::requests::{RequestEntry, Requests};
use crate::store::{BatchRecord, BatchState, ChainRecord, Class, Guard, ProgressRecord};
pub(crate) use crate::version::Keep;
pub use crate::version::{SnapshotMark, Version};

/// An operation under way.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Admission number.
    pub number: u64,
    /// Content hash.
    pub id: B256,
    /// The operation.
    pub operation: Arc<Operation>,
    /// Bytes that it takes in a batch.
    pub size: usize,
    /// Unix milliseconds.
    pub submitted_at: u64,
    /// In which class it waits for a batch.
    pub class: Class,
    /// How far it has come.
    pub progress: ProgressRecord,
}

impl Entry {
    /// Chain ids of the notes it spends and creates.
    pub fn domains(&self) -> BTreeSet<u64> {
        let created = self.operation.created();
        let notes = self.operation.inputs().iter().chain(&created);
        notes.map(|note| u64::try_from(note.domainId).unwrap_or(u64::MAX)).collect()
    }

    /// Whether it still waits for the tree to take it, so that it holds a claim on its inputs and outputs.
    fn is_open(&self) -> bool {
        matches!(self.progress.status, Status::Admitted | Status::Batched)
    }
}

/// Where a chain stands, as far as seen.
#[derive(Clone, Debug)]
pub struct ChainView {
    /// What is also on disk.
    pub record: ChainRecord,
    /// Height of its newest block.
    pub head: Option<u64>,
    /// Height of its newest final block.
    pub last_final: Option<u64>,
    /// What went wrong when it was last asked; `None` after a success.
    pub error: Option<String>,
}

/// Everything in memory.
pub struct State {
    /// Notes in the head of the tree.
    pub notes: Notes,
    /// Operations under way, by admission number.
    pub entries: BTreeMap<u64, Entry>,
    /// Requests under way.
    pub requests: Requests,
    /// Batches that are not final, or carry something that is not finalized.
    pub batches: BTreeMap<u64, BatchRecord>,
    /// Every configured chain.
    pub chains: BTreeMap<u64, ChainView>,
    /// Domains in which notes may be created: the hub and its registered spokes.
    pub domains: BTreeSet<u64>,
    /// Time of the hub's newest block, Unix seconds.
    pub hub_time: u64,
    /// Height from which on the hub is followed without a break: what a reorg dropped before can have come again in no earlier block.
    /// `None` at a start and after a reorg, until the hub is looked at.
    pub followed_from: Option<u64>,
    /// Set when the writers have stopped.
    pub guard: Option<Guard>,
    /// The snapshot that the next one follows on.
    pub snapshot: SnapshotMark,
    /// What the sequence of batches waits for, when it does.
    pub trouble: Option<String>,
    /// What the hub has shown of its fees and its speed.
    pub pace: Pace,
    /// What was decided last about the next batch.
    pub last_decision: Decision,
    /// How many operations of the urgent class have gone into batches since the last normal one.
    pub urgent_in_a_row: usize,
    /// Most operations of the next batch, when a batch turned out too large for a transaction.
    pub most_operations: Option<usize>,
    pub(crate) next_number: u64,
    pub(crate) next_sequence: u64,
    ids: HashMap<B256, u64>,
    claims: HashMap<B256, u64>,
    promised: HashMap<B256, u64>,
    admitted: BTreeSet<u64>,
    versions: BTreeMap<u64, Version>,
    /// Bytes that are there only for versions before the newest.
    replaced_bytes: usize,
    final_index: u64,
    keep: Keep,
}

impl State {
    /// The state before the first operation, but for the tree: that is the snapshot's, or the empty one.
    pub(crate) fn new(base: Version, keep: Keep) -> Self {
        Self {
            snapshot: SnapshotMark { index: base.index, written: base.written },
            replaced_bytes: 0,
            final_index: base.index,
            versions: BTreeMap::from([(base.index, base)]),
            notes: Notes::default(),
            entries: BTreeMap::new(),
            requests: Requests::default(),
            batches: BTreeMap::new(),
            chains: BTreeMap::new(),
            domains: BTreeSet::new(),
            hub_time: 0,
            followed_from: None,
            guard: None,
            trouble: None,
            pace: Pace::default(),
            last_decision: Decision::Wait(Cause::Nothing),
            urgent_in_a_row: 0,
            most_operations: None,
            next_number: 1,
            next_sequence: 1,
            ids: HashMap::new(),
            claims: HashMap::new(),
            promised: HashMap::new(),
            admitted: BTreeSet::new(),
            keep,
        }
    }

    /// The newest version of the tree.
    pub fn head(&self) -> &Version {
        self.versions
            .last_key_value()
            .expect("a version is never removed without a newer one, or an older one, left")
            .1
    }

    /// The oldest version that is kept: final on the hub, or the one that this process began with.
    pub fn oldest(&self) -> &Version {
        self.versions.first_key_value().expect("as for the newest: one is always left").1
    }

    /// The version with this index, if it is kept.
    pub fn version(&self, index: u64) -> Option<&Version> {
        self.versions.get(&index)
    }

    /// The root at index 0.
    pub fn genesis_root(&self) -> B256 {
        word(Root::EMPTY)
    }

    /// The newest index that is final on the hub.
    pub fn final_index(&self) -> u64 {
        self.final_index
    }

    /// The newest index that is mined on the hub, as far as this coordinator knows the batch.
    pub fn delivered_index(&self) -> u64 {
        let waiting = self.batches.values().find(|batch| batch.state < BatchState::Delivered);
        waiting.map_or(self.head().index, |batch| batch.index - 1)
    }

    /// Whether what is not in the tree will not come back: all blocks that were there at the start, or at the last reorg, are final.
    pub fn is_settled(&self, hub: u64) -> bool {
        let last_final = self.chains.get(&hub).and_then(|view| view.last_final);
        self.followed_from.is_some_and(|from| last_final.is_some_and(|last_final| last_final >= from))
    }

    /// An operation under way, by its id.
    pub fn entry_of(&self, id: &B256) -> Option<&Entry> {
        self.ids.get(id).and_then(|number| self.entries.get(number))
    }

    /// The operation that wants to spend this note and is not in the tree yet.
    pub fn claimant(&self, input: &B256) -> Option<&Entry> {
        self.claims.get(input).and_then(|number| self.entries.get(number))
    }

    /// The operation that will create this note and is not in the tree yet.
    pub fn promiser(&self, output: &B256) -> Option<&Entry> {
        self.promised.get(output).and_then(|number| self.entries.get(number))
    }

    /// The operation or request that wants to spend this note and is not in the tree yet.
    pub fn claimed_by(&self, input: &B256) -> Option<B256> {
        let request = || self.requests.claimant(input).map(RequestEntry::id);
        self.claimant(input).map(|entry| entry.id).or_else(request)
    }

    /// Whether an operation or request that is not in the tree yet will create this note.
    pub fn is_promised(&self, output: &B256) -> bool {
        self.promiser(output).is_some() || self.requests.promiser(output).is_some()
    }

    /// Operations that wait for a batch, in order of admission.
    pub fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.admitted.iter().filter_map(|number| self.entries.get(number))
    }

    /// Of those the ones of one class.
    pub fn waiting_in(&self, class: Class) -> impl Iterator<Item = &Entry> {
        self.waiting().filter(move |entry| entry.class == class)
    }

    /// How many operations wait for a batch.
    pub fn queue_depth(&self) -> usize {
        self.admitted.len()
    }

    /// Of these chains those that must confirm a batch before what it carries is finalized: registered, and not the hub.
    pub fn concerned(&self, domains: BTreeSet<u64>, hub: u64) -> impl Iterator<Item = u64> {
        domains.into_iter().filter(move |domain| *domain != hub && self.domains.contains(domain))
    }

    /// Sets an operation; one that is finalized or rejected is dropped, the store has it.
    pub(crate) fn put_entry(&mut self, entry: Entry) {
        self.release(entry.number);
        if matches!(entry.progress.status, Status::Finalized | Status::Rejected) {
            self.ids.remove(&entry.id);
            self.entries.remove(&entry.number);
            return;
        }
        self.ids.insert(entry.id, entry.number);
        if entry.is_open() {
            self.claims.extend(entry.operation.input_ids().into_iter().map(|id| (id, entry.number)));
            let created = entry.operation.created();
            self.promised.extend(created.iter().map(|resource| (resource_id(resource), entry.number)));
        }
        if entry.progress.status == Status::Admitted {
            self.admitted.insert(entry.number);
        }
        self.entries.insert(entry.number, entry);
    }

    /// Frees what an operation claims.
    fn release(&mut self, number: u64) {
        self.admitted.remove(&number);
        let Some(entry) = self.entries.get(&number) else { return };
        for input in entry.operation.input_ids() {
            if self.claims.get(&input) == Some(&number) {
                self.claims.remove(&input);
            }
        }
        for resource in entry.operation.created() {
            let id = resource_id(&resource);
            if self.promised.get(&id) == Some(&number) {
                self.promised.remove(&id);
            }
        }
    }

    /// Sets a batch. Final ones go once no member is under way.
    pub(crate) fn put_batch(&mut self, batch: BatchRecord) {
        if batch.state == BatchState::Final {
            self.final_index = self.final_index.max(batch.index);
        }
        self.batches.insert(batch.index, batch);
    }

    /// The requests that a batch carries and that are under way, in their order.
    pub fn requests_of<'batch>(
        &'batch self,
        batch: &'batch BatchRecord,
    ) -> impl Iterator<Item = &'batch RequestEntry> {
        batch.requests.iter().filter_map(|name| self.requests.get(name))
    }

    /// The operations that a batch carries and that are under way, in their order; without what resolves requests.
    pub fn members_of<'batch>(
        &'batch self,
        batch: &'batch BatchRecord,
    ) -> impl Iterator<Item = &'batch Entry> {
        batch.members.iter().filter_map(|number| self.entries.get(number))
    }

    /// All operations of a batch that is not final, in their order.
    pub fn operations_of(&self, batch: &BatchRecord) -> Vec<Arc<Operation>> {
        let resolved = self.requests_of(batch).map(|entry| entry.operation.clone());
        resolved.chain(self.members_of(batch).map(|entry| entry.operation.clone())).collect()
    }

    /// Drops the batches that are over: final, and all that they carry finalized or rejected.
    pub(crate) fn drop_finished(&mut self) {
        let (entries, requests) = (&self.entries, &self.requests);
        self.batches.retain(|_, batch| {
            batch.state != BatchState::Final
                || batch.members.iter().any(|number| entries.contains_key(number))
                || batch.requests.iter().any(|name| requests.get(name).is_some())
        });
    }

    /// Puts a version on top of the head.
    pub(crate) fn extend<'op>(
        &mut self,
        version: Version,
        operations: impl IntoIterator<Item = &'op Operation>,
    ) {
        self.notes.apply(version.index, operations);
        self.replaced_bytes += version.tree.replaced_bytes();
        self.versions.insert(version.index, version);
        while self.keeps_too_much() && self.drop_oldest() {}
    }

    fn keeps_too_much(&self) -> bool {
        self.versions.len() > self.keep.versions.max(1) || self.replaced_bytes > self.keep.bytes
    }

    /// Drops the oldest version, unless it can still be needed: a lost batch goes back to the version before it. Gives whether
    /// it did.
    fn drop_oldest(&mut self) -> bool {
        let is_over = self.versions.first_key_value().is_some_and(|(index, _)| *index < self.final_index);
        if is_over {
            self.versions.pop_first();
            // What the next version replaced was there only for the one that went.
            self.replaced_bytes -= self.versions.values().next().map_or(0, |next| next.tree.replaced_bytes());
        }
        is_over
    }

    /// Takes back the head, whose operations these are.
    pub(crate) fn retract<'op>(&mut self, operations: impl IntoIterator<Item = &'op Operation>) {
        self.notes.undo(operations);
        if self.versions.len() > 1
            && let Some((_, lost)) = self.versions.pop_last()
        {
            self.replaced_bytes -= lost.tree.replaced_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use hypha_tree::{Key, Touch, ValueHash};

    use super::*;

    /// A state with versions up to `newest`, of which those up to `last_final` are final, that keeps this much.
    fn state(keep: Keep, newest: u8, last_final: u64) -> State {
        let mut state = State::new(Version::genesis(B256::ZERO), keep);
        state.final_index = last_final;
        (1..=newest).for_each(|number| grow(&mut state, number));
        state
    }

    fn grow(state: &mut State, number: u8) {
        let (key, new) = (Key::from([number; 32]), Some(ValueHash::from([number; 32])));
        let version = state.head().next(&[Touch { key, old: None, new }], &[]);
        state.extend(version, []);
    }

    fn kept(state: &State) -> Vec<u64> {
        state.versions.keys().copied().collect()
    }

    #[test]
    fn versions_go_when_they_are_too_many_or_too_large_but_never_one_that_is_not_final() {
        let endless = Keep { versions: usize::MAX, bytes: usize::MAX };
        assert_eq!(kept(&state(endless, 5, 3)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(&state(Keep { versions: 4, ..endless }, 5, 3)), [2, 3, 4, 5]);
        assert_eq!(kept(&state(Keep { versions: 1, ..endless }, 5, 3)), [3, 4, 5]);
        assert_eq!(kept(&state(Keep { bytes: 0, ..endless }, 5, 3)), [3, 4, 5]);
        let all = state(endless, 5, 3).replaced_bytes;
        assert_eq!(kept(&state(Keep { bytes: all, ..endless }, 5, 3)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(&state(Keep { bytes: all - 1, ..endless }, 5, 3)).len(), 5);
    }

    #[test]
    fn bytes_of_versions_that_went_count_no_more() {
        let endless = Keep { versions: usize::MAX, bytes: usize::MAX };
        let mut state = state(endless, 5, 3);
        let before = state.replaced_bytes;
        grow(&mut state, 6);
        assert!(state.replaced_bytes > before);
        state.retract([]);
        assert_eq!(state.replaced_bytes, before);
        while state.drop_oldest() {}
        state.retract([]);
        state.retract([]);
        assert_eq!((kept(&state), state.replaced_bytes), (vec![3], 0));
    }
}
