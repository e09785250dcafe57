//! The tree: versions that share all that did not change.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};

use crate::{
    Key, Root, ValueHash,
    apply::{Applied, Top, Worker, apply},
    arena::{LEAF_BYTES, Link, Linked, NODE_BYTES, Nodes, Side},
    hash::{EMPTY, bytes_of, words_of},
    sort::Sorter,
    versions::{Changes, Id, Versions},
};

/// A version of a compact sparse Merkle tree.
///
/// A clone is another handle on the same version, and [`Tree::with`] makes a new version beside this one: several made
/// from the same one are forks. Nothing ever changes a version, so any number of threads read it without a lock while new
/// versions are made. When its last handle goes, the memory that only this version needs is used again by the next
/// [`Tree::with`] on any version that shares its nodes; when the last version goes, all of it is given back.
#[derive(Clone)]
pub struct Tree {
    version: Arc<Version>,
}

struct Version {
    arena: Arc<Arena>,
    id: Id,
    top: Top,
    len: usize,
    replaced_bytes: usize,
    hashes: u64,
}

/// The nodes of all versions, and what is needed to make another one.
struct Arena {
    nodes: Nodes,
    writer: Mutex<Writer>,
    /// Versions whose last handle has gone go here, so that whoever drops it never waits for the writer. There are never
    /// more of them than versions were held at once.
    released: mpsc::Sender<Id>,
}

struct Writer {
    versions: Versions,
    released: mpsc::Receiver<Id>,
    sorter: Sorter,
    main: Worker,
    /// At least one, for what is worth a thread of its own.
    workers: Vec<Worker>,
}

impl Tree {
    /// The tree without a leaf. Its versions are made on as many threads as the machine has cores.
    pub fn new() -> Self {
        static CORES: OnceLock<NonZeroUsize> = OnceLock::new();
        let count = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::with_threads(*CORES.get_or_init(count))
    }

    /// The tree without a leaf, whose versions are made on at most so many threads. A batch of few keys never takes more
    /// than the calling one.
    pub fn with_threads(threads: NonZeroUsize) -> Self {
        let (released, receiver) = mpsc::channel();
        let mut versions = Versions::default();
        let id = versions.add(None, Changes::default());
        let workers = (0..threads.get()).map(|_| Worker::default()).collect();
        let writer = Mutex::new(Writer {
            versions,
            released: receiver,
            sorter: Sorter::default(),
            main: Worker::default(),
            workers,
        });
        let arena = Arc::new(Arena { nodes: Nodes::new(), writer, released });
        let top = Top { link: Link::NOTHING, hash: words_of(&EMPTY) };
        Self { version: Arc::new(Version { arena, id, top, len: 0, replaced_bytes: 0, hashes: 0 }) }
    }

    /// The commitment to this version.
    pub fn root(&self) -> Root {
        Root::from(bytes_of(&self.version.top.hash))
    }

    /// The number of leaves.
    pub fn len(&self) -> usize {
        self.version.len
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value hash that `key` has, none when it is absent.
    pub fn get(&self, key: &Key) -> Option<ValueHash> {
        let (leaf, _) = self.top().follow(0, key, |_, _| ());
        leaf.filter(|(found, _)| found == key).map(|(_, value_hash)| value_hash)
    }

    /// All leaves in ascending order of key.
    pub fn iter(&self) -> Leaves<'_> {
        Leaves { ahead: vec![self.top()] }
    }

    /// The leaves from a key on, in ascending order.
    pub(crate) fn iter_from(&self, from: &Key) -> impl Iterator<Item = (Key, ValueHash)> {
        let mut ahead = Vec::new();
        let (leaf, _) = self.top().follow(0, from, |side, sibling| {
            if side == Side::Right {
                ahead.push(sibling);
            }
        });
        leaf.filter(|(key, _)| key >= from).into_iter().chain(Leaves { ahead })
    }

    /// The next version: each leaf inserted, or updated when its key is there already. Of several leaves with one
    /// key the last counts. Without a leaf it is this version again. No verifier and no snapshot accepts a zero.
    ///
    /// Waits while another thread makes a version that shares nodes with this one.
    ///
    /// # Panics
    /// When a key or a value hash is zero; when memory runs out; and when all versions that share nodes have 2^31 leaves or
    /// internal nodes together, which take 150 GB each. No version changes by that, and others can be made afterwards.
    pub fn with(&self, leaves: impl IntoIterator<Item = (Key, ValueHash)>) -> Self {
        let leaves: Vec<_> = leaves.into_iter().collect();
        if leaves.is_empty() {
            return self.clone();
        }
        assert!(
            leaves.iter().all(|(key, value_hash)| !key.is_zero() && !value_hash.is_zero()),
            "no key and no value hash is zero"
        );
        let version = self.version.arena.extend(&self.version, &leaves);
        Self { version: Arc::new(version) }
    }

    /// Bytes that stay in use only because the version is kept that this one was made from: what this version's batch
    /// replaced.
    pub fn replaced_bytes(&self) -> usize {
        self.version.replaced_bytes
    }

    /// How many hashes it took to make this version from the one before.
    pub fn hashes(&self) -> u64 {
        self.version.hashes
    }

    /// Bytes of the nodes of all versions that share nodes with this one and are held, and of those let go since the last
    /// one was made. Waits as [`Tree::with`] does.
    pub fn allocated_bytes(&self) -> usize {
        let writer = self.version.arena.writer();
        let workers = std::iter::once(&writer.main).chain(&writer.workers);
        self.version.arena.nodes.allocated(workers.map(|worker| &worker.spare))
    }

    /// Has the nodes fetched that lead to `keys` (ascending): walks down to all of them at the same time, level by level, so
    /// that many are under way at once. Whoever walks to the keys then finds them in the processor's caches.
    pub(crate) fn fetch(&self, keys: &[Key]) {
        let nodes = &self.version.arena.nodes;
        let mut level = vec![(self.version.top.link, keys)];
        let mut next = Vec::new();
        for depth in 0.. {
            for (link, keys) in level.drain(..) {
                let Linked::Internal(node) = link.linked() else { continue };
                let (on_left, on_right) = keys.split_at(keys.partition_point(|key| !key.bit(depth)));
                for (side, below) in [(Side::Left, on_left), (Side::Right, on_right)] {
                    if !below.is_empty() {
                        let link = nodes.child(node, side);
                        nodes.prefetch(link);
                        next.push((link, below));
                    }
                }
            }
            if next.is_empty() {
                return;
            }
            std::mem::swap(&mut level, &mut next);
        }
    }

    /// The place of the whole tree.
    pub(crate) fn top(&self) -> Place<'_> {
        Place { nodes: &self.version.arena.nodes, top: self.version.top }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tree").field("root", &self.root()).field("len", &self.len()).finish()
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        // The receiver lives as long as the arena, which this version keeps.
        let _ = self.arena.released.send(self.id);
    }
}

impl Arena {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            // A batch panicked, for want of memory most likely. No version leads to what it had begun to make.
            let mut writer = poisoned.into_inner();
            let Writer { main, workers, .. } = &mut *writer;
            std::iter::once(main).chain(workers).for_each(Worker::forget);
            self.writer.clear_poison();
            writer
        })
    }

    /// Makes a version from another one.
    fn extend(self: &Arc<Self>, from: &Version, leaves: &[(Key, ValueHash)]) -> Version {
        let mut writer = self.writer();
        let Writer { versions, released, sorter, main, workers } = &mut *writer;
        // What only versions led to whose last handle has gone is used again.
        while let Ok(id) = released.try_recv() {
            versions.release(id, &mut |link| main.spare.put(link));
        }
        let batch = sorter.sort(leaves);
        let Applied { top, changes, inserted, hashes } = apply(&self.nodes, from.top, batch, main, workers);
        let replaced_bytes = bytes(&changes);
        let id = versions.add(Some(from.id), changes);
        Version { arena: self.clone(), id, top, len: from.len + inserted, replaced_bytes, hashes }
    }
}

/// Bytes of what a batch replaced, and of the lists of it.
fn bytes(changes: &Changes) -> usize {
    let node = |link: &Link| match link.linked() {
        Linked::Nothing => 0,
        Linked::Leaf(_) => LEAF_BYTES,
        Linked::Internal(_) => NODE_BYTES,
    };
    let lists = size_of::<Link>() * (changes.born.len() + changes.died.len());
    changes.died.iter().map(node).sum::<usize>() + lists
}

impl<'tree> IntoIterator for &'tree Tree {
    type Item = (Key, ValueHash);
    type IntoIter = Leaves<'tree>;

    fn into_iter(self) -> Leaves<'tree> {
        self.iter()
    }
}

/// A place in a version of the tree, for those who walk it: the subtree that stands there.
#[derive(Clone, Copy)]
pub(crate) struct Place<'tree> {
    nodes: &'tree Nodes,
    top: Top,
}

/// What stands at a place.
pub(crate) enum View<'tree> {
    Empty,
    Leaf { key: Key, value_hash: ValueHash },
    Internal { left: Place<'tree>, right: Place<'tree> },
}

impl<'tree> Place<'tree> {
    /// The commitment to the subtree, known without looking into it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        bytes_of(&self.top.hash)
    }

    /// Whether there is no leaf, known without looking into it.
    pub(crate) fn is_empty(&self) -> bool {
        self.top.link == Link::NOTHING
    }

    /// Looks into the subtree, one level deep.
    pub(crate) fn open(&self) -> View<'tree> {
        match self.top.link.linked() {
            Linked::Nothing => View::Empty,
            Linked::Leaf(leaf) => {
                let (key, value_hash) = self.nodes.leaf(leaf);
                View::Leaf { key, value_hash }
            }
            Linked::Internal(node) => {
                View::Internal { left: self.child(node, Side::Left), right: self.child(node, Side::Right) }
            }
        }
    }

    /// Follows the path of `key` from this place, which stands at `depth`, to where it ends; `sibling` gets what stands
    /// beside the path, and on which side of it, from the top down. Gives the leaf at the end, if there is one, and its
    /// depth.
    pub(crate) fn follow(
        &self,
        mut depth: u16,
        key: &Key,
        mut sibling: impl FnMut(Side, Place<'tree>),
    ) -> (Option<(Key, ValueHash)>, u16) {
        let mut link = self.top.link;
        loop {
            match link.linked() {
                Linked::Nothing => return (None, depth),
                Linked::Leaf(leaf) => return (Some(self.nodes.leaf(leaf)), depth),
                Linked::Internal(node) => {
                    let side = Side::of(key.bit(depth));
                    sibling(side.other(), self.child(node, side.other()));
                    link = self.nodes.child(node, side);
                    depth += 1;
                }
            }
        }
    }

    fn child(&self, node: u32, side: Side) -> Place<'tree> {
        let top = Top { link: self.nodes.child(node, side), hash: self.nodes.child_hash(node, side) };
        Place { nodes: self.nodes, top }
    }
}

/// The leaves of a tree in ascending order of key.
pub struct Leaves<'tree> {
    /// Subtrees to come, the next one last: at most one for each depth.
    ahead: Vec<Place<'tree>>,
}

impl std::fmt::Debug for Leaves<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Leaves").field("subtrees_ahead", &self.ahead.len()).finish()
    }
}

impl Iterator for Leaves<'_> {
    type Item = (Key, ValueHash);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ahead.pop()?.open() {
                View::Empty => {}
                View::Leaf { key, value_hash } => return Some((key, value_hash)),
                View::Internal { left, right } => self.ahead.extend([right, left]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn leaf(number: u8) -> (Key, ValueHash) {
        (Key::from([number; 32]), ValueHash::from([number; 32]))
    }

    #[test]
    fn a_batch_that_panicked_does_not_spoil_the_next_one() {
        let tree = Tree::new().with((1..100).map(leaf));
        let broken = catch_unwind(AssertUnwindSafe(|| {
            let mut writer = tree.version.arena.writer();
            let Writer { main, workers, .. } = &mut *writer;
            let batch: Vec<_> = (100..200).map(leaf).collect();
            apply(&tree.version.arena.nodes, tree.version.top, &batch, main, workers);
            main.tops.push(tree.version.top);
            panic!("in the middle of a batch");
        }));
        assert!(broken.is_err());
        let next = tree.with((100..200).map(leaf));
        assert_eq!(next.root(), Tree::new().with((1..200).map(leaf)).root());
        assert_eq!(tree.root(), Tree::new().with((1..100).map(leaf)).root());
    }

    #[test]
    #[should_panic(expected = "no key and no value hash is zero")]
    fn a_zero_key_is_refused() {
        let _ = Tree::new().with([(Key::from([0; 32]), ValueHash::from([1; 32]))]);
    }
}
