//! The committed corpora without a fuzzer: each file as it is, and a few fixed alterations of it.

use std::{fs, path::Path};

use hypha_tree::keccak;

use crate::{TARGETS, forgery::alter_bytes, source::Source};

/// Alterations of each file of a corpus.
const ALTERATIONS: usize = 48;

/// The files of a corpus in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry of the folder").path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file of the corpus")).collect()
}

/// The same alterations in every run: they follow from the bytes.
fn altered(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut seed = keccak(bytes);
    (0..ALTERATIONS).map(move |_| {
        seed = keccak(&seed);
        let mut altered = bytes.to_vec();
        let mut choices = Source::new(&seed);
        (0..=choices.below(3)).for_each(|_| alter_bytes(&mut altered, &mut choices));
        altered
    })
}

/// Runs one target; on a panic the input is shown first.
fn run(target: &str, bytes: &[u8]) {
    struct Shown<'run>(&'run str, &'run [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let input: String = self.1.iter().map(|byte| format!("{byte:02x}")).collect();
                eprintln!("{} fails on {input}", self.0);
            }
        }
    }
    let _shown = Shown(target, bytes);
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of the table");
    body(bytes);
}

fn replay(target: &str) {
    let files = corpus(target);
    assert!(!files.is_empty(), "{target} has no corpus");
    for bytes in &files {
        run(target, bytes);
        altered(bytes).for_each(|bytes| run(target, &bytes));
    }
}

#[test]
fn multiproof_decode() {
    replay("multiproof_decode");
}

#[test]
fn multiproof_verify() {
    replay("multiproof_verify");
}

#[test]
fn membership() {
    replay("membership");
}

#[test]
fn range_decode() {
    replay("range_decode");
}

#[test]
fn range_verify() {
    replay("range_verify");
}

#[test]
fn snapshot_open() {
    replay("snapshot_open");
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let manifest = include_str!("../Cargo.toml");
    let programs: Vec<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(programs, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}
