//! Which versions of a tree share which nodes, so that what no version leads to any more is used again.
//!
//! Versions form a tree of their own: each is made from another one, its parent. A version remembers the nodes that it
//! brought (*born*) and those of its parent that it no longer leads to (*died*). When it is let go:
//! - a version without children takes what it brought with it;
//! - a version with one child becomes part of it: what the one brought and the other no longer leads to is free, and of the
//!   oldest version all that its child no longer leads to;
//! - a version with several children stays until all but one of them are gone.
//!
//! So the cost of letting a version go is in proportion to what its batch changed; only of one that was held while many
//! others went, it is in proportion to all that they changed.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::arena::Link;

/// Names a version among those of one arena. Never used again.
pub(crate) type Id = u64;

/// What a batch changed.
#[derive(Default)]
pub(crate) struct Changes {
    /// Nodes that are new in this version.
    pub(crate) born: Vec<Link>,
    /// Nodes of the version before that this one does not lead to.
    pub(crate) died: Vec<Link>,
}

#[derive(Default)]
struct Record {
    parent: Option<Id>,
    children: Vec<Id>,
    changes: Changes,
    /// What was born in versions that have become part of this one; empty unless an older version is still held.
    inherited: HashSet<Link, BuildHasherDefault<LinkHasher>>,
    /// Whether somebody can still read it.
    held: bool,
}

/// All versions that are held, and those between them that still matter.
#[derive(Default)]
pub(crate) struct Versions {
    records: HashMap<Id, Record>,
    next: Id,
}

impl Versions {
    /// Enters a version that was made from `parent` (none for the empty tree), and is held from now on.
    pub(crate) fn add(&mut self, parent: Option<Id>, changes: Changes) -> Id {
        let id = self.next;
        self.next += 1;
        if let Some(parent) = parent {
            self.record(parent).children.push(id);
        }
        self.records.insert(id, Record { parent, changes, held: true, ..Record::default() });
        id
    }

    /// Lets a version go; `free` gets every node that no version leads to any more.
    pub(crate) fn release(&mut self, id: Id, free: &mut impl FnMut(Link)) {
        self.record(id).held = false;
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let record = self.record(id);
            match record.children[..] {
                _ if record.held => {}
                [] => next = self.remove(id, free),
                [child] => self.merge(id, child, free),
                _ => {}
            }
        }
    }

    /// Removes a version without children. Gives its parent, which may have waited for that.
    fn remove(&mut self, id: Id, free: &mut impl FnMut(Link)) -> Option<Id> {
        let record = self.take(id);
        record.changes.born.into_iter().chain(record.inherited).for_each(free);
        let parent = record.parent?;
        self.record(parent).children.retain(|child| *child != id);
        Some(parent)
    }

    /// Makes a version part of its only child.
    fn merge(&mut self, id: Id, child: Id, free: &mut impl FnMut(Link)) {
        let record = self.take(id);
        let heir = self.record(child);
        heir.parent = record.parent;
        let died = std::mem::take(&mut heir.changes.died);
        let Some(parent) = record.parent else {
            // The oldest version owns all that it leads to. It goes with the whole arena, so it needs no lists.
            heir.changes = Changes::default();
            heir.inherited = HashSet::default();
            died.into_iter().for_each(free);
            return;
        };
        let mut inherited = record.inherited;
        inherited.extend(record.changes.born);
        heir.changes.died = record.changes.died;
        for link in died {
            if inherited.remove(&link) {
                free(link);
            } else {
                heir.changes.died.push(link);
            }
        }
        if inherited.len() > heir.inherited.len() {
            std::mem::swap(&mut inherited, &mut heir.inherited);
        }
        heir.inherited.extend(inherited);
        for sibling in &mut self.record(parent).children {
            if *sibling == id {
                *sibling = child;
            }
        }
    }

    fn record(&mut self, id: Id) -> &mut Record {
        self.records
            .get_mut(&id)
            .expect("a version is entered before it is named, and removed once it is let go")
    }

    fn take(&mut self, id: Id) -> Record {
        self.records.remove(&id).expect("as above")
    }
}

/// Links are numbers that nobody outside chooses, so one multiplication spreads them well enough.
#[derive(Default)]
struct LinkHasher(u64);

impl Hasher for LinkHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        /// 2^64 divided by the golden ratio.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(SPREAD);
    }

    fn finish(&self) -> u64 {
        // The table takes its place from the low bits, the product is best in the high ones.
        self.0.rotate_left(32)
    }
}
