//! Every note and nullifier in the head of the tree, by id, by owner, by key and in order of creation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy::primitives::{Address, B256};
use hypha_protocol::contracts::Resource;
use hypha_protocol::ids::{nullifier_key, nullifier_of_id, resource_id, resource_key, void_key};
use hypha_protocol::operations::Operation;
use hypha_tree::Key;

/// Which operation did something, in which batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The batch.
    pub index: u64,
    /// The operation's id.
    pub operation: B256,
}

/// A note.
#[derive(Clone, Debug)]
pub struct Note {
    /// Content address.
    pub id: B256,
    /// What it says.
    pub resource: Resource,
    /// Place in the order of creation, the same after every restart: the batch's index and the place in the batch.
    pub position: u64,
    /// What brought it into being.
    pub created: Origin,
    /// What spent it.
    pub spent: Option<Origin>,
}

/// What stands under a key of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The note with this id.
    Resource(B256),
    /// The nullifier of the note with this id.
    Nullifier(B256),
    /// That a request was void.
    Void,
}

/// Which notes a listing asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only this owner's.
    pub owner: Option<Address>,
    /// Only of this domain.
    pub domain: Option<u64>,
    /// Only of this kind.
    pub kind: Option<B256>,
    /// Only unspent ones, or only spent ones.
    pub unspent: Option<bool>,
}

impl Filter {
    fn takes(&self, note: &Note) -> bool {
        let resource = &note.resource;
        self.owner.is_none_or(|owner| owner == resource.owner)
            && self.domain.is_none_or(|domain| resource.domainId == alloy::primitives::U256::from(domain))
            && self.kind.is_none_or(|kind| kind == resource.kind)
            && self.unspent.is_none_or(|unspent| unspent == note.spent.is_none())
    }
}

/// One page of a listing.
#[derive(Debug)]
pub struct Page {
    /// Notes in order of creation.
    pub notes: Vec<Note>,
    /// Position after which the next page begins; `None` when there is nothing more.
    pub next: Option<u64>,
}

/// Notes that one page looks at for each note it may hold. A filter that takes few of them gives short pages rather than
/// long waits.
const LOOKED_AT_PER_NOTE: usize = 64;

/// Operations of one batch that [`Notes::position`] can tell apart, times the most notes one creates: far above what fits in a batch.
const POSITION_BITS: u32 = 24;

/// The key that says for ever that a request was void, where the operation is one that says so.
fn void_key_of(operation: &Operation) -> Option<Key> {
    let Operation::Void(void) = operation else { return None };
    Some(void_key(void.request().chain_id(), void.request().number()))
}

/// All notes.
#[derive(Debug, Default)]
pub struct Notes {
    by_id: HashMap<B256, Note>,
    by_key: HashMap<Key, Holder>,
    by_nullifier: HashMap<B256, B256>,
    by_owner: HashMap<Address, BTreeSet<u64>>,
    order: BTreeMap<u64, B256>,
}

impl Notes {
    /// The note with this id.
    pub fn get(&self, id: &B256) -> Option<&Note> {
        self.by_id.get(id)
    }

    /// The note whose nullifier this is, spent or not.
    pub fn of_nullifier(&self, nullifier: &B256) -> Option<&Note> {
        self.by_nullifier.get(nullifier).and_then(|id| self.by_id.get(id))
    }

    /// What a key stands for, if anything known does.
    pub fn holder(&self, key: &Key) -> Option<Holder> {
        self.by_key.get(key).copied()
    }

    /// One page of at most `limit` notes that the filter takes, created after position `after`.
    pub fn page(&self, filter: &Filter, after: Option<u64>, limit: usize) -> Page {
        let from = after.map_or(0, |after| after.saturating_add(1));
        match filter.owner {
            Some(owner) => match self.by_owner.get(&owner) {
                Some(owned) => self.collect(owned.range(from..).copied(), filter, limit),
                None => Page { notes: Vec::new(), next: None },
            },
            None => self.collect(self.order.range(from..).map(|(position, _)| *position), filter, limit),
        }
    }

    fn collect(&self, positions: impl Iterator<Item = u64>, filter: &Filter, limit: usize) -> Page {
        let mut notes = Vec::new();
        let mut last = None;
        for (looked_at, position) in positions.enumerate() {
            if notes.len() == limit || looked_at == limit * LOOKED_AT_PER_NOTE {
                return Page { notes, next: last };
            }
            last = Some(position);
            let note = self.order.get(&position).and_then(|id| self.by_id.get(id));
            notes.extend(note.filter(|note| filter.takes(note)).cloned());
        }
        Page { notes, next: None }
    }

    /// Takes in a batch that the tree took.
    pub(crate) fn apply<'op>(&mut self, index: u64, operations: impl IntoIterator<Item = &'op Operation>) {
        let mut position = index << POSITION_BITS;
        for operation in operations {
            let origin = Origin { index, operation: operation.id() };
            if let Some(key) = void_key_of(operation) {
                self.by_key.insert(key, Holder::Void);
            }
            for id in operation.input_ids() {
                if let Some(note) = self.by_id.get_mut(&id) {
                    note.spent = Some(origin);
                }
            }
            for resource in operation.created() {
                self.insert(Note {
                    id: resource_id(&resource),
                    resource,
                    position,
                    created: origin,
                    spent: None,
                });
                position += 1;
            }
        }
    }

    /// Takes back a batch that [`Self::apply`] took in; the newest first.
    pub(crate) fn undo<'op>(&mut self, operations: impl IntoIterator<Item = &'op Operation>) {
        for operation in operations {
            if let Some(key) = void_key_of(operation) {
                self.by_key.remove(&key);
            }
            for id in operation.input_ids() {
                if let Some(note) = self.by_id.get_mut(&id) {
                    note.spent = None;
                }
            }
            for resource in operation.created() {
                self.remove(&resource_id(&resource));
            }
        }
    }

    fn insert(&mut self, note: Note) {
        let nullifier = nullifier_of_id(note.id);
        self.by_key.insert(resource_key(note.resource.domainId, note.id), Holder::Resource(note.id));
        self.by_key.insert(nullifier_key(nullifier), Holder::Nullifier(note.id));
        self.by_nullifier.insert(nullifier, note.id);
        self.by_owner.entry(note.resource.owner).or_default().insert(note.position);
        self.order.insert(note.position, note.id);
        self.by_id.insert(note.id, note);
    }

    fn remove(&mut self, id: &B256) {
        let Some(note) = self.by_id.remove(id) else { return };
        let nullifier = nullifier_of_id(note.id);
        self.by_key.remove(&resource_key(note.resource.domainId, note.id));
        self.by_key.remove(&nullifier_key(nullifier));
        self.by_nullifier.remove(&nullifier);
        self.order.remove(&note.position);
        if let Some(owned) = self.by_owner.get_mut(&note.resource.owner) {
            owned.remove(&note.position);
            if owned.is_empty() {
                self.by_owner.remove(&note.resource.owner);
            }
        }
    }
}
