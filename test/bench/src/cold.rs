//! What a tree would cost whose leaves lie on disk: the design of docs/bigger-than-memory.md, built of the
//! same crate.
//!
//! A page holds all leaves of a subtree. In memory stands only the top: a tree with one leaf for each page,
//! whose value is the page's root. A page's root is that of a tree of its own with the page's leaves; it has
//! the same commitments to its leaves as the subtree would, and is somewhat dearer, since its hashes go up to
//! depth 0.

use std::{
    fs::{self, File},
    hint::black_box,
    io::{BufWriter, Write},
    num::NonZeroUsize,
    os::unix::fs::FileExt,
    thread,
    time::Instant,
};

use anyhow::ensure;
use hypha_tree::{Key, Root, Tree, ValueHash};
use rustix::fs::{Advice, fadvise};

use crate::{
    Scale,
    compare::DIRECTORY,
    keys::{self, Leaf},
    machine::{forget, median, nanoseconds},
    report::Report,
};

/// The most leaves of a page.
const PAGES: [usize; 4] = [16, 64, 256, 1_024];
/// Bytes of a leaf: key and value hash.
const LEAF: usize = 64;
/// Reads of a batch that are on their way at the same time.
const READERS: usize = 16;

struct Counts {
    leaves: u64,
    proofs: u64,
    batch: u64,
}

/// A page as the memory knows it.
struct Page {
    /// The first key of its part of the key space.
    start: Key,
    depth: u16,
    root: Root,
    leaves: usize,
    /// Where in the file, in pages.
    slot: u64,
}

/// The tree on disk.
struct Cold {
    file: File,
    leaves_in_a_page: usize,
    pages: Vec<Page>,
    top: Tree,
    /// What a page's own tree is made from; all of them share its memory.
    empty: Tree,
}

/// Measures all sizes of page.
pub(crate) fn measure(scale: Scale) -> anyhow::Result<Report> {
    let counts = match scale {
        Scale::Full => Counts { leaves: 4_000_000, proofs: 3_000, batch: 10_000 },
        Scale::Quick => Counts { leaves: 20_000, proofs: 100, batch: 1_000 },
    };
    let mut report = Report::default();
    report.note(format!(
        "cold: {} leaves in a file on disk, one thread. A cold read comes after the file was written, synced \
         and put out of the kernel's memory; what the host of a virtual disk keeps, nobody here can tell. A \
         batch has {} keys, half of them new; its pages are read by {READERS} threads, checked, written to \
         new places and synced.",
        counts.leaves, counts.batch
    ));
    let mut leaves: Vec<Leaf> = keys::leaves(0, counts.leaves).collect();
    leaves.sort_unstable();
    for leaves_in_a_page in PAGES {
        eprintln!("bench: cold: pages of {leaves_in_a_page} leaves");
        measure_page_size(leaves_in_a_page, &leaves, &counts, &mut report)?;
    }
    Ok(report)
}

fn measure_page_size(
    leaves_in_a_page: usize,
    leaves: &[Leaf],
    counts: &Counts,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut cold = Cold::write(leaves_in_a_page, leaves)?;
    let case = format!("cold/page={leaves_in_a_page}");
    let memory = cold.top.allocated_bytes() as f64;
    report.row(&case, "leaves_per_page", leaves.len() as f64 / cold.pages.len() as f64, "");
    report.row(&case, "memory_per_leaf", memory / leaves.len() as f64, "bytes");
    let wanted = keys::shuffled(counts.leaves, counts.proofs, counts.leaves);
    forget(&cold.file)?;
    // The second time all pages are in the kernel's memory.
    for kind in ["cold", "warm"] {
        let times = wanted.iter().map(|key| cold.prove(key)).collect::<anyhow::Result<Vec<_>>>()?;
        let middle = |part: fn(&(f64, f64)) -> f64| median(times.iter().map(part).collect()) / 1e3;
        report.row(&case, &format!("read_{kind}_us"), middle(|(read, _)| *read), "µs");
        report.row(&case, &format!("prove_{kind}_us"), middle(|(_, all)| *all), "µs");
    }
    cold.notices_damage(&wanted[0])?;
    forget(&cold.file)?;
    let batch = keys::batch(0, counts.batch, counts.batch / 2, counts.leaves, counts.leaves);
    cold.update(batch, &case, report)
}

impl Cold {
    fn write(leaves_in_a_page: usize, leaves: &[Leaf]) -> anyhow::Result<Self> {
        fs::create_dir_all(DIRECTORY)?;
        let empty = Tree::with_threads(NonZeroUsize::MIN);
        let file = tempfile::tempfile_in(DIRECTORY)?;
        let mut cold = Self { file, leaves_in_a_page, pages: Vec::new(), top: empty.clone(), empty };
        let mut writer = BufWriter::with_capacity(1 << 20, cold.file.try_clone()?);
        let mut pages = Vec::new();
        cut(leaves, 0, leaves_in_a_page, &mut |depth, leaves| {
            let page = cold.page(depth, leaves, pages.len() as u64);
            writer.write_all(&cold.encode(leaves))?;
            pages.push(page);
            Ok(())
        })?;
        writer.flush()?;
        // The kernel shall not read on: proofs are for random keys.
        fadvise(&cold.file, 0, None, Advice::Random)?;
        cold.top = Tree::new().with(pages.iter().map(Page::as_leaf));
        cold.pages = pages;
        Ok(cold)
    }

    fn page(&self, depth: u16, leaves: &[Leaf], slot: u64) -> Page {
        let start = start_of(&leaves[0].0, depth);
        let root = self.empty.with(leaves.iter().copied()).root();
        Page { start, depth, root, leaves: leaves.len(), slot }
    }

    /// The page that `key` belongs to.
    fn page_of(&self, key: &Key) -> usize {
        self.pages.partition_point(|page| page.start <= *key).saturating_sub(1)
    }

    fn page_bytes(&self) -> usize {
        self.leaves_in_a_page * LEAF
    }

    fn encode(&self, leaves: &[Leaf]) -> Vec<u8> {
        let mut bytes: Vec<u8> = leaves
            .iter()
            .flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()])
            .flatten()
            .copied()
            .collect();
        bytes.resize(self.page_bytes(), 0);
        bytes
    }

    fn read(&self, page: &Page) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; page.leaves * LEAF];
        self.file.read_exact_at(&mut bytes, page.slot * self.page_bytes() as u64)?;
        Ok(bytes)
    }

    /// The page as a tree, once its root says that it is undamaged.
    fn check(&self, page: &Page, bytes: &[u8]) -> anyhow::Result<Tree> {
        let tree = self.empty.with(decode(bytes));
        ensure!(tree.root() == page.root, "page {} is damaged", page.slot);
        Ok(tree)
    }

    /// One wrong bit in a page, and nothing is proved from it.
    fn notices_damage(&self, key: &Key) -> anyhow::Result<()> {
        let page = &self.pages[self.page_of(key)];
        let mut bytes = self.read(page)?;
        bytes[0] ^= 1;
        ensure!(self.check(page, &bytes).is_err(), "a damaged page was taken for a good one");
        Ok(())
    }

    /// Nanoseconds of the read, and of the proof with its read.
    fn prove(&self, key: &Key) -> anyhow::Result<(f64, f64)> {
        let started = Instant::now();
        let page = &self.pages[self.page_of(key)];
        let above = self.top.prove(&[page.as_leaf().0]);
        let reading = Instant::now();
        let bytes = self.read(page)?;
        let read = nanoseconds(reading);
        let below = self.check(page, &bytes)?.prove(&[*key]);
        black_box((above.encode(), below.encode()));
        Ok((read, nanoseconds(started)))
    }

    /// Reads, checks and writes the pages of a batch.
    fn update(&mut self, mut batch: Vec<Leaf>, case: &str, report: &mut Report) -> anyhow::Result<()> {
        let keys = batch.len();
        let started = Instant::now();
        batch.sort_unstable();
        let touched: Vec<(&Page, &[Leaf])> = batch
            .chunk_by(|(one, _), (other, _)| self.page_of(one) == self.page_of(other))
            .map(|leaves| (&self.pages[self.page_of(&leaves[0].0)], leaves))
            .collect();
        let contents = self.read_all(&touched)?;
        let read = nanoseconds(started);
        let (mut written, mut bytes) = (Vec::new(), Vec::new());
        let first = self.pages.len() as u64;
        for ((page, leaves), content) in touched.iter().zip(&contents) {
            let after = self.check(page, content)?.with(leaves.iter().copied());
            for (page, content) in self.rewritten(page, &after, first + written.len() as u64)? {
                written.push(page);
                bytes.extend(content);
            }
        }
        self.file.write_all_at(&bytes, first * self.page_bytes() as u64)?;
        self.file.sync_data()?;
        black_box(self.top.with(written.iter().map(Page::as_leaf)).root());
        report.row(case, "batch_ms", nanoseconds(started) / 1e6, "ms");
        report.row(case, "batch_read_ms", read / 1e6, "ms");
        report.row(case, "batch_pages", written.len() as f64, "");
        report.row(case, "batch_mib", bytes.len() as f64 / f64::from(1 << 20), "MiB");
        report.row(case, "write_amplification", bytes.len() as f64 / (keys * LEAF) as f64, "");
        Ok(())
    }

    /// The page with its new leaves, at a new place: two pages, or more, when it has become too full.
    fn rewritten(&self, page: &Page, after: &Tree, slot: u64) -> anyhow::Result<Vec<(Page, Vec<u8>)>> {
        let leaves: Vec<Leaf> = after.iter().collect();
        if leaves.len() <= self.leaves_in_a_page {
            let page = Page { root: after.root(), leaves: leaves.len(), slot, ..*page };
            return Ok(vec![(page, self.encode(&leaves))]);
        }
        let mut pages = Vec::new();
        cut(&leaves, page.depth, self.leaves_in_a_page, &mut |depth, leaves| {
            pages.push((self.page(depth, leaves, slot + pages.len() as u64), self.encode(leaves)));
            Ok(())
        })?;
        Ok(pages)
    }

    fn read_all(&self, touched: &[(&Page, &[Leaf])]) -> anyhow::Result<Vec<Vec<u8>>> {
        let share = touched.len().div_ceil(READERS);
        let read = |part: &[(&Page, &[Leaf])]| part.iter().map(|(page, _)| self.read(page)).collect();
        thread::scope(|scope| {
            let readers: Vec<_> = touched.chunks(share).map(|part| scope.spawn(move || read(part))).collect();
            let parts: anyhow::Result<Vec<Vec<_>>> =
                readers.into_iter().map(|reader| reader.join().expect("reading does not panic")).collect();
            Ok(parts?.concat())
        })
    }
}

impl Page {
    /// What stands for it in the top.
    fn as_leaf(&self) -> Leaf {
        let mut key = *self.start.as_bytes();
        // No key is zero; so deep no path of the top goes.
        key[31] |= 1;
        (Key::from(key), ValueHash::from(<[u8; 32]>::from(self.root)))
    }
}

fn decode(bytes: &[u8]) -> impl Iterator<Item = Leaf> {
    bytes.as_chunks::<LEAF>().0.iter().map(|leaf| {
        let (words, _) = leaf.as_chunks::<32>();
        (Key::from(words[0]), ValueHash::from(words[1]))
    })
}

/// The first `depth` bits of a key, and zeros.
fn start_of(key: &Key, depth: u16) -> Key {
    let mut bytes = *key.as_bytes();
    for (index, byte) in bytes.iter_mut().enumerate() {
        let kept = usize::from(depth).saturating_sub(8 * index).min(8);
        *byte &= !(0xff_u32 >> kept) as u8;
    }
    Key::from(bytes)
}

/// Divides the leaves of the subtree at `depth` into the largest subtrees that fit a page.
fn cut(
    leaves: &[Leaf],
    depth: u16,
    leaves_in_a_page: usize,
    page: &mut impl FnMut(u16, &[Leaf]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if leaves.is_empty() {
        return Ok(());
    }
    if leaves.len() <= leaves_in_a_page {
        return page(depth, leaves);
    }
    let (left, right) = leaves.split_at(leaves.partition_point(|(key, _)| !key.bit(depth)));
    cut(left, depth + 1, leaves_in_a_page, page)?;
    cut(right, depth + 1, leaves_in_a_page, page)
}
