//! Requests under way: queued on their own chain, waiting in the hub's queue, or carried by a batch that is not final.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alloy::primitives::B256;
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{
    Operation, OperationError, Request, RequestError, Void, VoidReason, decode_request,
};
use hypha_protocol::status::Status;

use crate::store::{ProgressRecord, RequestName, RequestRecord, VoidRecord};

/// A request under way.
#[derive(Clone, Debug)]
pub struct RequestEntry {
    /// Its row.
    pub record: RequestRecord,
    /// What it asks for.
    pub request: Arc<Request>,
    /// What resolves it: its queued operation, or the void that the batch which carries it says.
    pub operation: Arc<Operation>,
}

impl RequestEntry {
    /// A request whose row was read, or is to be written.
    ///
    /// # Errors
    /// When its content does not read as what its type says, or no request is void as its row says.
    pub(crate) fn read(record: RequestRecord) -> Result<Self, OperationError> {
        let RequestName { chain_id, number } = record.name;
        let request = decode_request(chain_id, number, record.sender, record.request_type, &record.content)?;
        let operation = match record.void {
            Some(void) => Operation::Void(void_of(&request, void)?),
            None => Operation::Queued(request.clone()),
        };
        Ok(Self { record, request: Arc::new(request), operation: Arc::new(operation) })
    }

    /// Its queue and number.
    pub fn name(&self) -> RequestName {
        self.record.name
    }

    /// The id of its queued operation.
    pub fn id(&self) -> B256 {
        self.request.operation_id()
    }

    /// Its position in the hub's queue, once it has come there.
    pub fn position(&self) -> Option<u64> {
        self.record.enqueued.as_ref().map(|enqueued| enqueued.position)
    }

    /// Its status word.
    pub fn status(&self) -> Status {
        self.record.progress.status
    }

    /// Chain ids of its queue and of the notes that it spends and creates.
    pub fn domains(&self) -> BTreeSet<u64> {
        let created = self.request.created();
        let notes = self.request.inputs().iter().chain(&created);
        let notes = notes.map(|note| u64::try_from(note.domainId).unwrap_or(u64::MAX));
        notes.chain([self.name().chain_id]).collect()
    }

    /// As it is when it has this progress.
    pub(crate) fn at(&self, progress: ProgressRecord) -> Self {
        Self { record: RequestRecord { progress, ..self.record.clone() }, ..self.clone() }
    }

    /// As it is when a batch resolves it by this operation.
    pub(crate) fn resolved(&self, operation: Arc<Operation>, progress: ProgressRecord) -> Self {
        let void = match operation.as_ref() {
            Operation::Void(void) => {
                Some(VoidRecord { reason: void.reason() as u8, position: void.position() })
            }
            _ => None,
        };
        Self { record: RequestRecord { progress, void, ..self.record.clone() }, operation, ..self.clone() }
    }

    /// As it is when no batch carries it.
    pub(crate) fn unresolved(&self, progress: ProgressRecord) -> Self {
        self.resolved(Arc::new(Operation::Queued(self.request.as_ref().clone())), progress)
    }

    /// Whether it waits in the hub's queue for the tree to take it, so that it comes before every transfer that touches its notes.
    fn is_open(&self) -> bool {
        matches!(self.status(), Status::Admitted | Status::Batched)
    }

    /// Ids of the notes that it would spend and create.
    fn note_ids(&self) -> impl Iterator<Item = B256> {
        let created = self.request.created();
        let ids: Vec<B256> = self.request.inputs().iter().chain(&created).map(resource_id).collect();
        ids.into_iter()
    }
}

fn void_of(request: &Request, void: VoidRecord) -> Result<Void, RequestError> {
    Void::new(request.clone(), VoidReason::try_from(void.reason)?, void.position)
}

/// All requests under way.
#[derive(Debug, Default)]
pub struct Requests {
    entries: BTreeMap<RequestName, RequestEntry>,
    /// Those in the hub's queue that no batch carries, by position.
    waiting: BTreeMap<u64, RequestName>,
    /// How many have ever come to the hub's queue.
    enqueued: u64,
    /// Of each chain the greatest number that has come there.
    numbers: BTreeMap<u64, u64>,
    /// Notes of open requests, and which ones these are.
    open_notes: HashMap<B256, BTreeSet<RequestName>>,
}

impl Requests {
    /// A request under way.
    pub fn get(&self, name: &RequestName) -> Option<&RequestEntry> {
        self.entries.get(name)
    }

    /// Every request under way.
    pub fn iter(&self) -> impl Iterator<Item = &RequestEntry> {
        self.entries.values()
    }

    /// Those in the hub's queue that no batch carries, in order of position.
    pub fn waiting(&self) -> impl Iterator<Item = &RequestEntry> {
        self.waiting.values().filter_map(|name| self.entries.get(name))
    }

    /// How many have ever come to the hub's queue: the position of the next one.
    pub fn enqueued(&self) -> u64 {
        self.enqueued
    }

    /// Whether this request has come to the hub's queue, even if it is over.
    pub fn is_enqueued(&self, name: &RequestName) -> bool {
        self.numbers.get(&name.chain_id).is_some_and(|last| name.number <= *last)
    }

    /// The request that would spend or create this note, is in the hub's queue, and not in the tree.
    pub fn of_note(&self, note: &B256) -> Option<&RequestEntry> {
        self.open_notes.get(note).and_then(|names| self.entries.get(names.first()?))
    }

    /// The open request that would spend this note.
    pub fn claimant(&self, input: &B256) -> Option<&RequestEntry> {
        self.named(input).find(|entry| entry.request.inputs().iter().any(|note| resource_id(note) == *input))
    }

    /// The open request that would create this note.
    pub fn promiser(&self, output: &B256) -> Option<&RequestEntry> {
        self.named(output)
            .find(|entry| entry.request.created().iter().any(|note| resource_id(note) == *output))
    }

    /// Whether an open request asks for this very transfer, which spends this note.
    pub fn asks_for(&self, transfer: &B256, input: &B256) -> bool {
        self.named(input).any(|entry| entry.id() == *transfer)
    }

    fn named(&self, note: &B256) -> impl Iterator<Item = &RequestEntry> {
        self.open_notes.get(note).into_iter().flatten().filter_map(|name| self.entries.get(name))
    }

    /// A request has come to the queue; those of one chain come in the order of their numbers.
    fn enter(&mut self, name: RequestName, position: u64) {
        self.enqueued = self.enqueued.max(position + 1);
        let last = self.numbers.entry(name.chain_id).or_default();
        *last = name.number.max(*last);
    }

    /// A request has left the queue, with all behind it.
    fn leave(&mut self, name: RequestName, position: u64) {
        self.enqueued = self.enqueued.min(position);
        if let Some(last) = self.numbers.get_mut(&name.chain_id) {
            *last = (name.number - 1).min(*last);
        }
    }

    /// Sets a request; one that is finalized or rejected is dropped, the store has it. One that was in the hub's queue and is not
    /// any more leaves it with all behind it.
    pub(crate) fn put(&mut self, entry: RequestEntry) {
        let name = entry.name();
        let before = self.forget(&name).and_then(|before| before.position());
        match (before, entry.position()) {
            (_, Some(position)) => self.enter(name, position),
            (Some(position), None) => self.leave(name, position),
            (None, None) => {}
        }
        if matches!(entry.status(), Status::Finalized | Status::Rejected) {
            return;
        }
        if let (Some(position), Status::Admitted) = (entry.position(), entry.status()) {
            self.waiting.insert(position, name);
        }
        if entry.is_open() {
            for note in entry.note_ids() {
                self.open_notes.entry(note).or_default().insert(name);
            }
        }
        self.entries.insert(name, entry);
    }

    /// Drops a request that no chain has any more.
    pub(crate) fn remove(&mut self, name: &RequestName) {
        if let Some(position) = self.forget(name).and_then(|entry| entry.position()) {
            self.leave(*name, position);
        }
    }

    fn forget(&mut self, name: &RequestName) -> Option<RequestEntry> {
        let entry = self.entries.remove(name)?;
        if let Some(position) = entry.position() {
            self.waiting.remove(&position);
        }
        for note in entry.note_ids() {
            if let Some(names) = self.open_notes.get_mut(&note) {
                names.remove(name);
                if names.is_empty() {
                    self.open_notes.remove(&note);
                }
            }
        }
        Some(entry)
    }
}
