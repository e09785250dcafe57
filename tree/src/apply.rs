//! A batch of leaves becomes the next version: down once over the sorted keys, level by level, then up again, hashing
//! eight nodes at a time.
//!
//! New nodes are *staged* on the way: what is read of the old version and what is hashed stays in buffers that fit the
//! cache, and is written to the arena once, when it is finished. The lower part of the tree is worked through in tasks of
//! some hundred keys each, which threads share out among themselves.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::{
    Key, ValueHash,
    arena::{Link, Linked, Nodes, Side, Spare},
    hash::{EMPTY, Group, Words, words_of},
    versions::Changes,
};

/// Keys of a task, about: so many that what they stage fits the cache of a core.
const TASK_KEYS: usize = 256;
/// Places at which the lower part of the tree starts, at least, for each task, so that tasks are about equal.
const PLACES_PER_TASK: usize = 4;
/// A batch of fewer keys is not worth a second thread.
const FEWEST_KEYS_TO_SHARE: usize = 512;

/// How many of the next nodes' slots are fetched while one group is hashed.
const FETCHED_AHEAD: usize = Group::WIDTH;

/// Leaves in strictly ascending order of key.
pub(crate) type Batch<'batch> = &'batch [(Key, ValueHash)];

/// A subtree: the link to its top, and its hash.
#[derive(Clone, Copy)]
pub(crate) struct Top {
    pub(crate) link: Link,
    pub(crate) hash: Words,
}

/// A batch, applied.
pub(crate) struct Applied {
    pub(crate) top: Top,
    pub(crate) changes: Changes,
    /// How many keys were absent before.
    pub(crate) inserted: usize,
    /// How many hashes that took.
    pub(crate) hashes: u64,
}

/// Where a subtree belongs.
#[derive(Clone, Copy)]
enum Place {
    /// It is the whole of a task's subtree with this number.
    Top(u32),
    /// It is a child of the staged node with this number.
    Child(u32, Side),
}

/// A place, the link to what stands there in the old version, and the keys of the batch that lie below it.
#[derive(Clone, Copy)]
struct Job {
    place: Place,
    link: Link,
    from: u32,
    to: u32,
}

impl Job {
    fn keys(&self) -> Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// An internal node in the making.
struct Staged {
    /// Of its children, by [`Side`].
    links: [Link; 2],
    hashes: [Words; 2],
    place: Place,
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
    changes: Changes,
    inserted: usize,
    hashes: u64,
    /// The subtrees of the task: the old ones, and in the end the new ones.
    tops: Vec<Top>,
    /// New nodes, level by level from the top.
    staged: Vec<Staged>,
    /// The number of the first staged node of each level.
    levels: Vec<usize>,
    leaves: Vec<StagedLeaf>,
    /// Slots for the staged nodes, in the order in which they will stand in the arena.
    slots: Vec<u32>,
    /// The place of each staged node in that order.
    order: Vec<u32>,
}

/// Applies a batch that is not empty. What is not worth a thread of its own is done by `main`, all else by `workers`
/// (at least one), each on a thread of its own.
pub(crate) fn apply(
    nodes: &Nodes,
    top: Top,
    batch: Batch<'_>,
    main: &mut Worker,
    workers: &mut [Worker],
) -> Applied {
    let keys = u32::try_from(batch.len()).expect("more keys than a tree can hold leaves");
    main.tops.push(top);
    let start = vec![Job { place: Place::Top(0), link: top.link, from: 0, to: keys }];
    let tasks = batch.len().div_ceil(TASK_KEYS);
    let enough = if batch.len() < FEWEST_KEYS_TO_SHARE { usize::MAX } else { tasks * PLACES_PER_TASK };
    let (depth, jobs) = main.descend(nodes, batch, 0, start, enough);
    if !jobs.is_empty() {
        workers.iter_mut().for_each(|worker| main.spare.share_with(&mut worker.spare));
        for (job, top) in run_tasks(nodes, batch, depth, main, &jobs, workers) {
            main.settle(job.place, top);
        }
    }
    main.ascend(nodes, batch);
    let top = main.tops.pop().expect("the one that was pushed above");
    collect(top, std::iter::once(main).chain(workers))
}

/// Jobs, and the subtrees that they have become.
type Done = Vec<(Job, Top)>;

/// Works through the jobs in tasks of about [`TASK_KEYS`] keys, each worker taking the next one that none has taken.
fn run_tasks(
    nodes: &Nodes,
    batch: Batch<'_>,
    depth: u16,
    main: &Worker,
    jobs: &[Job],
    workers: &mut [Worker],
) -> Done {
    let tasks: Vec<&[Job]> = split(jobs).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = |worker: &mut Worker| {
        while let Some(task) = tasks.get(next.fetch_add(1, Relaxed)) {
            let tops = task.iter().map(|job| Top { link: job.link, hash: main.hash_at(job.place) });
            let tops = worker.run(nodes, batch, depth, task, tops);
            let mut done = done.lock().expect("nothing under this lock panics");
            done.extend(task.iter().copied().zip(tops.drain(..)));
        }
    };
    std::thread::scope(|scope| {
        let mut workers = workers.iter_mut().take(tasks.len());
        let here = workers.next();
        for worker in workers {
            scope.spawn(|| work(worker));
        }
        here.map(work);
    });
    done.into_inner().expect("as above")
}

/// Cuts jobs into tasks of about [`TASK_KEYS`] keys.
fn split(jobs: &[Job]) -> impl Iterator<Item = &[Job]> {
    let mut keys = 0;
    jobs.chunk_by(move |job, _| {
        keys += job.keys().len();
        let go_on = keys < TASK_KEYS;
        if !go_on {
            keys = 0;
        }
        go_on
    })
}

/// Puts together what the workers have done.
fn collect<'worker>(top: Top, workers: impl Iterator<Item = &'worker mut Worker>) -> Applied {
    let mut applied = Applied { top, changes: Changes::default(), inserted: 0, hashes: 0 };
    for worker in workers {
        applied.changes.born.append(&mut worker.changes.born);
        applied.changes.died.append(&mut worker.changes.died);
        applied.inserted += std::mem::take(&mut worker.inserted);
        applied.hashes += std::mem::take(&mut worker.hashes);
    }
    applied
}

impl Worker {
    /// Makes new subtrees of some at `depth`. Gives them in the order of the jobs.
    fn run(
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
    fn descend(
        &mut self,
        nodes: &Nodes,
        batch: Batch<'_>,
        mut depth: u16,
        mut jobs: Vec<Job>,
        enough: usize,
    ) -> (u16, Vec<Job>) {
        let mut next = Vec::new();
        while !jobs.is_empty() && jobs.len() < enough {
            // A loop that does nothing else has many nodes fetched at the same time.
            jobs.iter().for_each(|job| nodes.prefetch(job.link));
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
        let (links, hashes) = match (job.link.linked(), job.keys().len()) {
            (Linked::Internal(node), _) => {
                self.changes.died.push(job.link);
                nodes.internal(node)
            }
            (Linked::Nothing, 1) => {
                self.inserted += 1;
                self.leaves.push(StagedLeaf { number: job.from, place: job.place });
                return;
            }
            (Linked::Nothing, _) => self.fork(job, Side::Left),
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
                self.fork(job, Side::of(key.bit(depth)))
            }
        };
        let number = self.staged.len() as u32;
        self.staged.push(Staged { links, hashes, place: job.place });
        part(batch, depth, job, number, links, next);
    }

    /// What an internal node starts with that takes the place of a leaf or of nothing, which goes one down, on `side`.
    fn fork(&self, job: &Job, side: Side) -> ([Link; 2], [Words; 2]) {
        let (mut links, mut hashes) = ([Link::NOTHING; 2], [words_of(&EMPTY); 2]);
        links[side as usize] = job.link;
        hashes[side as usize] = self.hash_at(job.place);
        (links, hashes)
    }

    /// The hash at a place as it was before the batch, or is once it is settled.
    fn hash_at(&self, place: Place) -> Words {
        match place {
            Place::Top(number) => self.tops[number as usize].hash,
            Place::Child(parent, side) => self.staged[parent as usize].hashes[side as usize],
        }
    }

    /// Puts a finished subtree at its place.
    fn settle(&mut self, place: Place, top: Top) {
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
    fn ascend(&mut self, nodes: &Nodes, batch: Batch<'_>) {
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

/// Adds the jobs of a staged node's children that keys of the batch lie below.
fn part(batch: Batch<'_>, depth: u16, job: &Job, number: u32, links: [Link; 2], next: &mut Vec<Job>) {
    let keys = &batch[job.keys()];
    let mut go_on = |side, from, to| {
        next.push(Job { place: Place::Child(number, side), link: links[side as usize], from, to });
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
