//! A batch of leaves becomes the next version: down once over the sorted keys, level by level, then up again, hashing
//! eight nodes at a time.
//!
//! New nodes are *staged* on the way: what is read of the old version and what is hashed stays in buffers that fit the
//! cache, and is written to the arena once, when it is finished. The lower part of the tree is worked through in tasks of
//! some hundred keys each, which threads share out among themselves.

mod worker;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(crate) use worker::Worker;
use worker::{Job, Place};

use crate::{
    Key, ValueHash,
    arena::{Link, Nodes},
    hash::Words,
    versions::Changes,
};

/// Keys of a task, about: so many that what they stage fits the cache of a core.
const TASK_KEYS: usize = 512;
/// Places at which the lower part of the tree starts, at least, for each task, so that tasks are about equal.
const PLACES_PER_TASK: usize = 4;
/// A batch of fewer keys is not worth a second thread.
const FEWEST_KEYS_TO_SHARE: usize = 512;

/// Leaves in strictly ascending order of key, fewer than 2^32.
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

/// Applies a batch that is not empty. What is not worth a thread of its own is done by `main`, all else by `workers`
/// (at least one), each on a thread of its own.
pub(crate) fn apply(
    nodes: &Nodes,
    top: Top,
    batch: Batch<'_>,
    main: &mut Worker,
    workers: &mut [Worker],
) -> Applied {
    main.tops.push(top);
    let start = vec![Job { place: Place::Top(0), link: top.link, from: 0, to: batch.len() as u32 }];
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
    collect(top, main, workers)
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
            // When there can be no thread for it, the others do its work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || work(worker));
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
fn collect(top: Top, main: &mut Worker, workers: &mut [Worker]) -> Applied {
    let mut applied = Applied { top, changes: Changes::default(), inserted: 0, hashes: 0 };
    let all = || std::iter::once(&*main).chain(&*workers);
    applied.changes.born.reserve_exact(all().map(|worker| worker.changes.born.len()).sum());
    applied.changes.died.reserve_exact(all().map(|worker| worker.changes.died.len()).sum());
    for worker in std::iter::once(main).chain(workers) {
        applied.changes.born.append(&mut worker.changes.born);
        applied.changes.died.append(&mut worker.changes.died);
        applied.inserted += std::mem::take(&mut worker.inserted);
        applied.hashes += std::mem::take(&mut worker.hashes);
    }
    applied
}
