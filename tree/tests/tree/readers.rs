//! Readers at any version while a writer makes, forks and drops versions.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use hypha_tree::{Key, Root, Touch, Tree, ValueHash, verify};

use crate::{
    model::{self, Leaf},
    random::Random,
};

/// Versions that the writer makes.
const VERSIONS: usize = 400;
/// Versions that readers may choose from.
const RECENT: usize = 8;
/// Threads that read.
const READERS: usize = 3;
/// Proofs that each reader makes, at least.
const PROOFS: usize = 2_000;
/// Keys there are: so most batches are mostly updates.
const KEYS: usize = 160;

/// A version with what a reader must find there.
#[derive(Clone)]
struct Published {
    tree: Tree,
    leaves: BTreeMap<Key, ValueHash>,
    root: Root,
}

/// What the writer shares with the readers.
struct Board {
    recent: Mutex<VecDeque<Published>>,
    done: AtomicBool,
    proofs: AtomicUsize,
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

fn batch(random: &mut Random, keys: &[Key]) -> Vec<Leaf> {
    (0..=random.below(40)).map(|_| (*random.pick(keys), random.value_hash())).collect()
}

/// Moves on from the newest version; beside it makes forks of any recent one that nobody else ever sees.
fn write(board: &Board, keys: &[Key]) {
    let _done = Done(board);
    let mut random = Random::new("writer");
    let mut newest = board.any(&mut random);
    for _ in 0..VERSIONS {
        let abandoned = board.any(&mut random).tree.with(batch(&mut random, keys));
        let leaves = batch(&mut random, keys);
        newest.tree = newest.tree.with(leaves.iter().copied());
        drop(abandoned);
        newest.leaves.extend(leaves);
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
    board.proofs.fetch_add(proofs, Ordering::SeqCst);
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

#[test]
fn readers_prove_at_their_versions_while_the_writer_forks_and_drops() {
    let mut random = Random::new("keys");
    let mut keys: Vec<Key> = (0..KEYS).map(|_| random.key()).collect();
    keys.extend((0..16).map(|depth| crate::random::flip(keys[0], 255 - depth)).collect::<Vec<_>>());
    let first = Published { tree: Tree::new(), leaves: BTreeMap::new(), root: Root::EMPTY };
    let board = Board {
        recent: Mutex::new(VecDeque::from([first])),
        done: AtomicBool::new(false),
        proofs: AtomicUsize::new(0),
    };
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (board, keys) = (&board, &keys);
            scope.spawn(move || read(board, keys, reader));
        }
        write(&board, &keys);
    });
    assert!(board.proofs.into_inner() >= READERS * PROOFS);
}
