//! What one thread makes of some subtrees.

use std::ops::Range;

use super::{Batch, Top};
use crate::{
    arena::{Link, Linked, Nodes, Side, Spare},
    hash::{EMPTY, Group, Words, words_of},
    versions::Changes,
};

/// How many of the next nodes' slots are fetched while one group is hashed.
const FETCHED_AHEAD: usize = Group::WIDTH;

/// Where a subtree belongs.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// It is the whole of a task's subtree with this number.
    Top(u32),
    /// It is a child of the staged node with this number.
    Child(u32, Side),
}

/// A place, the link to what stands there in the old version, and the keys of the batch that lie below it.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) link: Link,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Job {
    pub(super) fn keys(&self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// An internal node in the making.
struct Staged {
    /// Of its children, by [`Side`].
    links: [Link; 2],
    hashes: [Words; 2],
    place: Place,
    /// The internal node that stood there in the old version, if one did.
    replaced: Link,
}

/// A leaf in the making: its number in the batch.
struct StagedLeaf {
    number: u32,
    place: Place,
}

/// What one thread makes. Its buffers serve one task after another.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) spare: Spare,
    pub(super) changes: Changes,
    pub(super) inserted: usize,
    pub(super) hashes: u64,
    /// The subtrees of the task: the old ones, and in the end the new ones.
    pub(crate) tops: Vec<Top>,
    /// New nodes, level by level from the top.
    staged: Vec<Staged>,
    /// The number of the first staged node of each level.
    levels: Vec<usize>,
    leaves: Vec<StagedLeaf>,
    /// Slots for the staged nodes, in the order in which they will stand in the arena.
    slots: Vec<u32>,
    /// The place of each staged node in that order.
    order: Vec<u32>,
    /// What each of them replaces, in that order.
    replaced: Vec<Link>,
}

impl Worker {
    /// Forgets what a batch that did not come to its end has left. Slots that it had taken stay unused.
    pub(crate) fn forget(&mut self) {
        *self = Self { spare: std::mem::take(&mut self.spare), ..Self::default() };
    }

    /// Makes new subtrees of some at `depth`. Gives them in the order of the jobs.
    pub(super) fn run(
        &mut self,
        nodes: &Nodes,
        batch: Batch<'_>,
        depth: u16,
        task: &[Job],
        tops: impl Iterator<Item = Top>,
    ) -> &mut Vec<Top> {
        self.tops.extend(tops);
        let jobs = task.iter().zip(0..).map(|(job, number)| Job { place: Place::Top(number), ..*job });
        self.descend(nodes, batch, depth, jobs.collect(), usize::MAX);
        self.ascend(nodes, batch);
        &mut self.tops
    }

    /// Stages what lies below the jobs' places, down to the leaves or to the first depth with `enough` places. Gives that
    /// depth and its jobs.
    pub(super) fn descend(
        &mut self,
        nodes: &Nodes,
        batch: Batch<'_>,
        mut depth: u16,
        mut jobs: Vec<Job>,
        enough: usize,
    ) -> (u16, Vec<Job>) {
        let mut next = Vec::new();
        jobs.iter().for_each(|job| nodes.prefetch(job.link));
        while !jobs.is_empty() && jobs.len() < enough {
            self.levels.push(self.staged.len());
            for job in &jobs {
                self.stage(nodes, batch, depth, job, &mut next);
            }
            jobs.clear();
            std::mem::swap(&mut jobs, &mut next);
            depth += 1;
        }
        (depth, jobs)
    }

    /// Stages what will stand at a job's place, and adds the jobs of its children that keys of the batch lie below.
    fn stage(&mut self, nodes: &Nodes, batch: Batch<'_>, depth: u16, job: &Job, next: &mut Vec<Job>) {
        let mut replaced = Link::NOTHING;
        let (links, hashes) = match (job.link.linked(), job.keys().len()) {
            (Linked::Internal(node), _) => {
                replaced = job.link;
                nodes.internal(node)
            }
            (Linked::Nothing, 1) => {
                self.inserted += 1;
                self.leaves.push(StagedLeaf { number: job.from, place: job.place });
                return;
            }
            (Linked::Nothing, _) => self.make_room(job, Side::Left),
            (Linked::Leaf(leaf), count) => {
                let (key, value_hash) = nodes.leaf(leaf);
                let new = &batch[job.from as usize];
                if count == 1 && new.0 == key {
                    if new.1 != value_hash {
                        self.changes.died.push(job.link);
                        self.leaves.push(StagedLeaf { number: job.from, place: job.place });
                    }
                    return;
                }
                self.make_room(job, Side::of(key.bit(depth)))
            }
        };
        let number = self.staged.len() as u32;
        self.staged.push(Staged { links, hashes, place: job.place, replaced });
        part(nodes, batch, depth, job, number, links, next);
    }

    /// What an internal node starts with that takes the place of a leaf or of nothing, which goes one down, on `side`.
    fn make_room(&self, job: &Job, side: Side) -> ([Link; 2], [Words; 2]) {
        let (mut links, mut hashes) = ([Link::NOTHING; 2], [words_of(&EMPTY); 2]);
        links[side as usize] = job.link;
        hashes[side as usize] = self.hash_at(job.place);
        (links, hashes)
    }

    /// The hash at a place as it was before the batch, or is once it is settled.
    pub(super) fn hash_at(&self, place: Place) -> Words {
        match place {
            Place::Top(number) => self.tops[number as usize].hash,
            Place::Child(parent, side) => self.staged[parent as usize].hashes[side as usize],
        }
    }

    /// Puts a finished subtree at its place.
    pub(super) fn settle(&mut self, place: Place, top: Top) {
        match place {
            Place::Top(number) => self.tops[number as usize] = top,
            Place::Child(parent, side) => {
                let parent = &mut self.staged[parent as usize];
                parent.links[side as usize] = top.link;
                parent.hashes[side as usize] = top.hash;
            }
        }
    }

    /// Hashes all that is staged, and writes it to the arena.
    pub(super) fn ascend(&mut self, nodes: &Nodes, batch: Batch<'_>) {
        self.hashes += (self.leaves.len() + self.staged.len()) as u64;
        self.settle_leaves(nodes, batch);
        self.slots.clear();
        self.spare.take_internal(self.staged.len(), nodes, &mut self.slots);
        self.changes.born.extend(self.slots.iter().map(|slot| Link::internal(*slot)));
        self.put_in_order();
        self.settle_levels(nodes);
        self.staged.clear();
    }

    fn settle_leaves(&mut self, nodes: &Nodes, batch: Batch<'_>) {
        let mut leaves = std::mem::take(&mut self.leaves);
        self.slots.clear();
        self.spare.take_leaves(leaves.len(), nodes, &mut self.slots);
        self.changes.born.extend(self.slots.iter().map(|slot| Link::leaf(*slot)));
        let slots = std::mem::take(&mut self.slots);
        slots.iter().for_each(|slot| nodes.prefetch(Link::leaf(*slot)));
        let mut group = Group::new();
        for (leaves, slots) in leaves.chunks(Group::WIDTH).zip(slots.chunks(Group::WIDTH)) {
            for (leaf, slot) in leaves.iter().zip(slots) {
                let (key, value_hash) = &batch[leaf.number as usize];
                group.add_leaf(key, value_hash);
                nodes.put_leaf(*slot, key, value_hash);
            }
            for ((leaf, slot), hash) in leaves.iter().zip(slots).zip(group.hash()) {
                self.settle(leaf.place, Top { link: Link::leaf(*slot), hash });
            }
        }
        leaves.clear();
        (self.leaves, self.slots) = (leaves, slots);
    }

    /// Decides where staged nodes stand in the arena: each before what lies below it, left before right, so that a path
    /// stays in few pages of memory.
    fn put_in_order(&mut self) {
        self.order.clear();
        self.order.resize(self.staged.len(), 1);
        // First how many nodes there are in each subtree, from the last level up.
        for (number, staged) in self.staged.iter().enumerate().rev() {
            if let Place::Child(parent, _) = staged.place {
                self.order[parent as usize] += self.order[number];
            }
        }
        // Then, from the top down, each subtree gets its places; `free` is the next one below a node.
        let mut free = Vec::with_capacity(self.staged.len());
        let mut next_top = 0;
        for (number, staged) in self.staged.iter().enumerate() {
            let size = self.order[number];
            let next = match staged.place {
                Place::Top(_) => &mut next_top,
                Place::Child(parent, _) => &mut free[parent as usize],
            };
            let first = *next;
            *next += size;
            self.order[number] = first;
            free.push(first + 1);
        }
        self.bury();
    }

    /// Lists the nodes that staged ones replace, in the order of the latter: slots that lie side by side because one path was
    /// written there are free side by side later, and take a path again.
    fn bury(&mut self) {
        self.replaced.clear();
        self.replaced.resize(self.staged.len(), Link::NOTHING);
        for (staged, order) in self.staged.iter().zip(&self.order) {
            self.replaced[*order as usize] = staged.replaced;
        }
        self.changes.died.extend(self.replaced.iter().filter(|link| **link != Link::NOTHING));
    }

    /// Writes the levels to the arena and hashes them, from the deepest up, because a node is made of its children's
    /// hashes. The memory is fetched, and written, while the processor is busy with hashing.
    fn settle_levels(&mut self, nodes: &Nodes) {
        let mut group = Group::new();
        let mut end = self.staged.len();
        while let Some(start) = self.levels.pop() {
            for first in (start..end).step_by(Group::WIDTH) {
                self.slots_of(first + Group::WIDTH..end).take(FETCHED_AHEAD).for_each(|slot| {
                    nodes.prefetch(Link::internal(slot));
                });
                let numbers = first..end.min(first + Group::WIDTH);
                for (staged, slot) in self.staged[numbers.clone()].iter().zip(self.slots_of(numbers.clone()))
                {
                    nodes.put_internal(slot, staged.links, &staged.hashes);
                    group.add_internal(staged.hashes);
                }
                for (number, hash) in numbers.zip(group.hash()) {
                    let link = Link::internal(self.slots[self.order[number] as usize]);
                    self.settle(self.staged[number].place, Top { link, hash });
                }
            }
            end = start;
        }
    }

    /// The slots of staged nodes.
    fn slots_of(&self, numbers: Range<usize>) -> impl Iterator<Item = u32> {
        let orders = self.order.get(numbers).unwrap_or_default();
        orders.iter().map(|order| self.slots[*order as usize])
    }
}

/// Adds the jobs of a staged node's children that keys of the batch lie below. Has them fetched, so that they are there once
/// their level begins.
fn part(
    nodes: &Nodes,
    batch: Batch<'_>,
    depth: u16,
    job: &Job,
    number: u32,
    links: [Link; 2],
    next: &mut Vec<Job>,
) {
    let keys = &batch[job.keys()];
    let mut go_on = |side, from, to| {
        let link = links[side as usize];
        nodes.prefetch(link);
        next.push(Job { place: Place::Child(number, side), link, from, to });
    };
    if let [(key, _)] = keys {
        // Most jobs. Nobody can guess the side, so it must not decide a jump.
        return go_on(Side::of(key.bit(depth)), job.from, job.to);
    }
    let middle = job.from + keys.partition_point(|(key, _)| !key.bit(depth)) as u32;
    if job.from < middle {
        go_on(Side::Left, job.from, middle);
    }
    if middle < job.to {
        go_on(Side::Right, middle, job.to);
    }
}
