//! Readers at any version while a writer makes, forks and drops versions.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use hypha_tree::{Key, Root, Touch, Tree, ValueHash, verify};

use crate::{
    model::{self, Leaf},
    random::{Random, flip},
};

/// Versions that readers may choose from.
const RECENT: usize = 8;
/// Threads that read.
const READERS: usize = 3;
/// Proofs that each reader makes, at least.
const PROOFS: usize = 2_000;

/// What the writer does.
struct Work {
    versions: usize,
    /// Leaves of a batch.
    batch: Range<usize>,
    /// Keys there are: so few that most batches are mostly updates.
    keys: Vec<Key>,
}

impl Work {
    fn new(versions: usize, batch: Range<usize>, keys: usize) -> Self {
        let mut random = Random::new("keys");
        let mut keys: Vec<Key> = (0..keys).map(|_| random.key()).collect();
        keys.extend((0..16).map(|depth| flip(keys[0], 255 - depth)).collect::<Vec<_>>());
        Self { versions, batch, keys }
    }

    fn batch(&self, random: &mut Random) -> Vec<Leaf> {
        let size = self.batch.start + random.below(self.batch.len());
        (0..size).map(|_| (*random.pick(&self.keys), random.value_hash())).collect()
    }
}

/// A version with what a reader must find there.
#[derive(Clone)]
struct Published {
    tree: Tree,
    leaves: Arc<BTreeMap<Key, ValueHash>>,
    root: Root,
}

/// What the writer shares with the readers.
struct Board {
    recent: Mutex<VecDeque<Published>>,
    done: AtomicBool,
}

impl Board {
    fn any(&self, random: &mut Random) -> Published {
        let recent = self.recent.lock().expect("no thread panics while it holds the lock");
        recent[random.below(recent.len())].clone()
    }

    fn publish(&self, published: Published) {
        let mut recent = self.recent.lock().expect("no thread panics while it holds the lock");
        recent.push_back(published);
        let oldest = if recent.len() > RECENT { recent.pop_front() } else { None };
        drop(recent);
        drop(oldest); // outside the lock, so that a version goes while readers read
    }
}

/// Ends the readers' work however the writer's ends.
struct Done<'board>(&'board Board);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::SeqCst);
    }
}

/// Moves on from the newest version; beside it makes forks of any recent one that nobody else ever sees.
fn write(board: &Board, work: &Work) {
    let _done = Done(board);
    let mut random = Random::new("writer");
    let mut newest = board.any(&mut random);
    for _ in 0..work.versions {
        let abandoned = board.any(&mut random).tree.with(work.batch(&mut random));
        let leaves = work.batch(&mut random);
        newest.tree = newest.tree.with(leaves.iter().copied());
        drop(abandoned);
        Arc::make_mut(&mut newest.leaves).extend(leaves);
        newest.root = model::root(&newest.leaves);
        assert_eq!(newest.tree.root(), newest.root);
        board.publish(newest.clone());
    }
}

/// Proves keys at recent versions until the writer is done, and often enough.
fn read(board: &Board, keys: &[Key], reader: usize) {
    let mut random = Random::new(&format!("reader {reader}"));
    let mut proofs = 0;
    while proofs < PROOFS || !board.done.load(Ordering::SeqCst) {
        let version = board.any(&mut random);
        for _ in 0..4 {
            check(&version, &mut random, keys);
            proofs += 1;
        }
    }
}

fn check(version: &Published, random: &mut Random, keys: &[Key]) {
    let mut chosen: Vec<Key> = (0..3).map(|_| *random.pick(keys)).collect();
    let proof = version.tree.prove(&chosen).encode();
    chosen.sort();
    chosen.dedup();
    let touch = |key| Touch { key, old: version.leaves.get(&key).copied(), new: None };
    let touches: Vec<Touch> = chosen.into_iter().map(touch).collect();
    assert!(touches.iter().all(|touch| version.tree.get(&touch.key) == touch.old));
    assert_eq!(verify(version.root, &touches, &proof).map(|step| step.new), Ok(version.root));
}

fn write_and_read(tree: Tree, work: &Work) {
    let first = Published { tree, leaves: Arc::default(), root: Root::EMPTY };
    let board = Board { recent: Mutex::new(VecDeque::from([first])), done: AtomicBool::new(false) };
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (board, keys) = (&board, &work.keys);
            scope.spawn(move || read(board, keys, reader));
        }
        write(&board, work);
    });
}

#[test]
fn readers_prove_at_their_versions_while_the_writer_forks_and_drops() {
    write_and_read(Tree::new(), &Work::new(400, 1..41, 160));
}

#[test]
fn readers_prove_at_their_versions_while_four_threads_make_the_next() {
    let threads = NonZeroUsize::new(4).expect("four are not zero");
    write_and_read(Tree::with_threads(threads), &Work::new(60, 600..2_000, 5_000));
}
