//! Ours, as a service uses it: every batch makes a version, and the last ones are kept.

use std::{
    collections::VecDeque,
    fs::File,
    hint::black_box,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hypha_tree::{Key, LEAVES_PER_PAGE, Multiproof, Opening, Pages, SnapshotHeader, Tree};
use serde_json::json;

use super::{Engine, Proved, time_of_each};
use crate::{
    keys::Leaf,
    machine::{forget, nanoseconds},
};

/// The bytes of a leaf in a snapshot, and of a foreign leaf in a proof: a key and a value hash.
const LEAF: usize = 64;

/// The file of a snapshot.
const SNAPSHOT: &str = "snapshot";

/// The versions that are kept, the newest last; there is always one.
pub(super) struct Hypha {
    versions: VecDeque<Tree>,
    snapshot: PathBuf,
}

impl Hypha {
    /// Begins with this tree; snapshots go into this folder.
    pub(super) fn new(tree: Tree, directory: &Path) -> Self {
        Self { versions: VecDeque::from([tree]), snapshot: directory.join(SNAPSHOT) }
    }

    fn newest(&self) -> &Tree {
        self.versions.back().expect("the newest version is never let go")
    }
}

impl Engine for Hypha {
    fn load(&mut self, batch: Vec<Leaf>) -> anyhow::Result<()> {
        self.update(batch, 1).map(|_| ())
    }

    /// The time has the batch's sorting, and the end of the versions that are no longer kept.
    fn update(&mut self, batch: Vec<Leaf>, versions: usize) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let next = self.newest().with(batch);
        black_box(next.root());
        self.versions.push_back(next);
        while self.versions.len() > versions {
            self.versions.pop_front();
        }
        Ok(started.elapsed())
    }

    fn hashes(&self) -> Option<u64> {
        Some(self.newest().hashes())
    }

    fn prove_each(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        // Half of the keys for each time, so that no key is in a cache because it was proved before.
        let (first, second) = keys.split_at(keys.len() / 2);
        let tree = self.newest();
        let time = 2 * time_of_each(first, |key| Ok(tree.prove(&[*key])))?;
        let encoded = Some(2 * time_of_each(second, |key| Ok(tree.prove(&[*key]).encode()))?);
        let proofs: Vec<Multiproof> = keys.iter().map(|key| tree.prove(&[*key])).collect();
        let bytes = proofs.iter().map(|proof| proof.encode().len()).sum();
        Ok(Proved { time, encoded, bytes, sibling_bytes: Some(proofs.iter().map(sibling_bytes).sum()) })
    }

    fn prove_all(&mut self, keys: &[Key]) -> anyhow::Result<Proved> {
        let started = Instant::now();
        let proof = self.newest().prove(keys);
        let time = started.elapsed();
        let bytes = proof.encode();
        let encoded = started.elapsed();
        Ok(Proved {
            time,
            encoded: Some(encoded),
            bytes: bytes.len(),
            sibling_bytes: Some(sibling_bytes(&proof)),
        })
    }

    fn snapshot(&self) -> anyhow::Result<()> {
        let mut file = File::create(&self.snapshot)?;
        file.write_all(&SnapshotHeader::of(self.newest()).encode())?;
        Pages::of(self.newest()).try_for_each(|page| file.write_all(&page))?;
        Ok(file.sync_all()?)
    }
}

/// Opens the snapshot in this folder, from the disk and not from the kernel's memory, and says how long that
/// took.
pub(crate) fn reopen(directory: &Path) -> anyhow::Result<()> {
    let snapshot = directory.join(SNAPSHOT);
    forget(&File::open(&snapshot)?)?;
    let started = Instant::now();
    let tree = open(&snapshot)?;
    println!("{}", json!({ "nanoseconds": nanoseconds(started), "leaves": tree.len() }));
    Ok(())
}

fn open(snapshot: &Path) -> anyhow::Result<Tree> {
    let mut file = File::open(snapshot)?;
    let mut header = [0; SnapshotHeader::LENGTH];
    file.read_exact(&mut header)?;
    let header = SnapshotHeader::decode(&header)?;
    let mut opening = Opening::new(header);
    let mut left = header.leaves() as usize;
    let mut page = vec![0; LEAVES_PER_PAGE * LEAF];
    while left > 0 {
        let leaves = left.min(LEAVES_PER_PAGE);
        file.read_exact(&mut page[..leaves * LEAF])?;
        opening = opening.page(&page[..leaves * LEAF])?;
        left -= leaves;
    }
    Ok(opening.finish()?)
}

/// All of a proof but its foreign leaves: counts, headers, bitmap and hashes.
fn sibling_bytes(proof: &Multiproof) -> usize {
    proof.encode().len() - LEAF * proof.foreign_leaves().len()
}
