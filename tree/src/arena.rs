//! Where the nodes of all versions of a tree stand: two pools of fixed-size slots, named by 32-bit links.
//!
//! Readers and the writer share the pools without a lock. A slot is written only while no version that a reader can have
//! leads to it; a version is handed over, and let go, by means that order memory (an `Arc`, a channel). So plain (relaxed)
//! atomic words are enough: they cost what ordinary words cost, and a mistake here could never be undefined behaviour.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::{
    Key, ValueHash,
    hash::{Words, bytes_of, words_of},
    machine::{prefer_large_pages, prefetch},
};

/// Slots of the first chunk, as a power of two; every chunk is twice as large as the one before.
const FIRST_CHUNK: u32 = 10;
/// Slots that are handed out at a time; a divisor of every chunk's size, so that none of them straddles two.
const RUN: u32 = 1 << FIRST_CHUNK;
/// So many chunks hold 2^31 - 2^10 slots, all that a link can name.
const CHUNKS: usize = 21;

/// Words of an internal node: the links to both children in one, then the hash of the left and of the right child,
/// which together are what its own hash is made of. Its own hash stands in its parent.
const NODE: usize = LINKS + 2 * HASH;
const LINKS: usize = 1;
const HASH: usize = 4;
/// Words of a leaf: its key and its value hash.
const LEAF: usize = 2 * HASH;
/// Bytes of an internal node.
pub(crate) const NODE_BYTES: usize = 8 * NODE;
/// Bytes of a leaf.
pub(crate) const LEAF_BYTES: usize = 8 * LEAF;

/// What stands at a place, in 32 bits: zero where there is nothing, else the number of a slot (never zero) and which pool
/// it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link(u32);

/// A link, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linked {
    Nothing,
    Leaf(u32),
    Internal(u32),
}

impl Link {
    pub(crate) const NOTHING: Link = Link(0);
    const IS_LEAF: u32 = 1 << 31;

    pub(crate) fn leaf(slot: u32) -> Self {
        Self(slot | Self::IS_LEAF)
    }

    pub(crate) fn internal(slot: u32) -> Self {
        Self(slot)
    }

    pub(crate) fn linked(self) -> Linked {
        match self.0 {
            0 => Linked::Nothing,
            bits if bits & Self::IS_LEAF == 0 => Linked::Internal(bits),
            bits => Linked::Leaf(bits & !Self::IS_LEAF),
        }
    }
}

/// One of an internal node's two children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    /// The side on which a path goes on, by its next bit.
    pub(crate) fn of(bit: bool) -> Self {
        if bit { Self::Right } else { Self::Left }
    }

    pub(crate) fn other(self) -> Self {
        Self::of(self == Self::Left)
    }
}

/// Slots of one size. Memory is taken from the system in chunks, and used from it only as slots are first written.
struct Pool<const WORDS: usize> {
    chunks: [OnceLock<Box<[[AtomicU64; WORDS]]>>; CHUNKS],
    /// The first slot that was never handed out.
    next: AtomicU32,
}

impl<const WORDS: usize> Pool<WORDS> {
    fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], next: AtomicU32::new(0) }
    }

    /// The chunk of a slot, and its place there.
    fn place(slot: u32) -> (usize, usize) {
        let slot = slot + RUN;
        let size = slot.ilog2();
        ((size - FIRST_CHUNK) as usize, (slot - (1 << size)) as usize)
    }

    fn slot(&self, slot: u32) -> &[AtomicU64; WORDS] {
        let (chunk, place) = Self::place(slot);
        &self.chunks[chunk].get().expect("a slot is handed out only once its chunk is there")[place]
    }

    /// Hands out slots that were never used.
    fn run(&self) -> Range<u32> {
        let first = self.next.fetch_add(RUN, Relaxed);
        let (number, _) = Self::place(first);
        let chunk =
            self.chunks.get(number).expect("2^31 nodes take 150 GB: no tree of one machine has so many");
        chunk.get_or_init(|| {
            let chunk = bytemuck::zeroed_slice_box((RUN as usize) << number);
            prefer_large_pages(&chunk);
            chunk
        });
        // Slot zero stands for nothing.
        first.max(1)..first + RUN
    }

    /// Slots that were handed out or are about to be.
    fn handed_out(&self) -> usize {
        self.next.load(Relaxed) as usize
    }
}

/// The slots that one thread may fill.
#[derive(Default)]
struct Slots {
    free: Vec<u32>,
    fresh: Range<u32>,
}

impl Slots {
    /// Adds so many slots to `taken`: free ones first, then such as were never used.
    fn take<const WORDS: usize>(&mut self, count: usize, pool: &Pool<WORDS>, taken: &mut Vec<u32>) {
        let reused = count.min(self.free.len());
        taken.extend(self.free.drain(self.free.len() - reused..));
        let wanted = taken.len() + count - reused;
        while taken.len() < wanted {
            if self.fresh.is_empty() {
                self.fresh = pool.run();
            }
            let missing = (wanted - taken.len()) as u32;
            let end = self.fresh.end.min(self.fresh.start + missing);
            taken.extend(self.fresh.start..end);
            self.fresh.start = end;
        }
    }

    fn unused(&self) -> usize {
        self.free.len() + self.fresh.len()
    }
}

/// The slots of both pools that one thread may fill.
#[derive(Default)]
pub(crate) struct Spare {
    nodes: Slots,
    leaves: Slots,
}

impl Spare {
    /// Takes slots for so many internal nodes.
    pub(crate) fn take_internal(&mut self, count: usize, nodes: &Nodes, taken: &mut Vec<u32>) {
        self.nodes.take(count, &nodes.internal, taken);
    }

    /// Takes slots for so many leaves.
    pub(crate) fn take_leaves(&mut self, count: usize, nodes: &Nodes, taken: &mut Vec<u32>) {
        self.leaves.take(count, &nodes.leaves, taken);
    }

    /// Takes back the slot of what no version leads to any more.
    pub(crate) fn put(&mut self, link: Link) {
        match link.linked() {
            Linked::Nothing => {}
            Linked::Leaf(slot) => self.leaves.free.push(slot),
            Linked::Internal(slot) => self.nodes.free.push(slot),
        }
    }

    /// Shares the free slots of both out evenly.
    pub(crate) fn share_with(&mut self, other: &mut Spare) {
        for (mine, theirs) in [(&mut self.nodes, &mut other.nodes), (&mut self.leaves, &mut other.leaves)] {
            let (less, more) =
                if mine.free.len() < theirs.free.len() { (mine, theirs) } else { (theirs, mine) };
            let half = (more.free.len() - less.free.len()) / 2;
            less.free.extend(more.free.drain(more.free.len() - half..));
        }
    }
}

/// The nodes of all versions.
pub(crate) struct Nodes {
    internal: Pool<NODE>,
    leaves: Pool<LEAF>,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        Self { internal: Pool::new(), leaves: Pool::new() }
    }

    /// A child of an internal node.
    pub(crate) fn child(&self, node: u32, side: Side) -> Link {
        links_of(self.internal.slot(node)[0].load(Relaxed))[side as usize]
    }

    /// The hash of a child of an internal node.
    pub(crate) fn child_hash(&self, node: u32, side: Side) -> Words {
        let words = self.internal.slot(node);
        let first = LINKS + HASH * side as usize;
        std::array::from_fn(|word| words[first + word].load(Relaxed))
    }

    /// An internal node: the links to its children and their hashes, by [`Side`].
    pub(crate) fn internal(&self, node: u32) -> ([Link; 2], [Words; 2]) {
        let words = self.internal.slot(node);
        let hash = |first: usize| std::array::from_fn(|word| words[first + word].load(Relaxed));
        (links_of(words[0].load(Relaxed)), [hash(LINKS), hash(LINKS + HASH)])
    }

    /// The key and the value hash of a leaf.
    pub(crate) fn leaf(&self, slot: u32) -> (Key, ValueHash) {
        let words = self.leaves.slot(slot);
        let half = |first: usize| bytes_of(&std::array::from_fn(|word| words[first + word].load(Relaxed)));
        (Key::from(half(0)), ValueHash::from(half(HASH)))
    }

    /// Has what stands at a link fetched, because it will be read soon.
    pub(crate) fn prefetch(&self, link: Link) {
        match link.linked() {
            Linked::Nothing => {}
            Linked::Leaf(leaf) => prefetch(self.leaves.slot(leaf)),
            Linked::Internal(node) => prefetch(self.internal.slot(node)),
        }
    }

    /// Fills a slot, which only the calling thread can reach, with an internal node.
    pub(crate) fn put_internal(&self, slot: u32, [left, right]: [Link; 2], hashes: &[Words; 2]) {
        let words = self.internal.slot(slot);
        words[0].store(u64::from(left.0) | u64::from(right.0) << 32, Relaxed);
        for (word, value) in words[LINKS..].iter().zip(hashes.as_flattened()) {
            word.store(*value, Relaxed);
        }
    }

    /// Fills a slot, which only the calling thread can reach, with a leaf.
    pub(crate) fn put_leaf(&self, slot: u32, key: &Key, value_hash: &ValueHash) {
        let words = words_of(key.as_bytes()).into_iter().chain(words_of(value_hash.as_bytes()));
        for (word, value) in self.leaves.slot(slot).iter().zip(words) {
            word.store(value, Relaxed);
        }
    }

    /// Bytes of the slots that hold something, `spare` being all that do not.
    pub(crate) fn allocated<'spare>(&self, spare: impl Iterator<Item = &'spare Spare>) -> usize {
        // Slot zero of each pool is never handed out.
        let (mut nodes, mut leaves) = (self.internal.handed_out(), self.leaves.handed_out());
        for spare in spare {
            nodes -= spare.nodes.unused();
            leaves -= spare.leaves.unused();
        }
        nodes.saturating_sub(1) * NODE_BYTES + leaves.saturating_sub(1) * LEAF_BYTES
    }
}

/// The links in a node's first word: to its left and to its right child.
fn links_of(word: u64) -> [Link; 2] {
    [Link(word as u32), Link((word >> 32) as u32)]
}
