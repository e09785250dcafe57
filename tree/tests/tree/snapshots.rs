//! Snapshots: what is written opens as the same tree, and anything else is refused.

use hypha_tree::{
    Key, LEAVES_PER_PAGE, Opening, Pages, Root, SnapshotError, SnapshotHeader, Tree, ValueHash,
};
use proptest::prelude::*;

use super::random::Random;

/// Bytes of a leaf.
const LEAF: usize = 64;

fn random_tree(seed: &str, leaves: usize) -> Tree {
    let mut random = Random::new(seed);
    Tree::new().with((0..leaves).map(|_| (random.key(), random.value_hash())))
}

fn pages(tree: &Tree) -> Vec<Vec<u8>> {
    Pages::of(tree).collect()
}

fn open(header: &[u8], pages: &[Vec<u8>]) -> Result<Tree, SnapshotError> {
    let opening = Opening::new(SnapshotHeader::decode(header)?);
    pages.iter().try_fold(opening, |opening, page| opening.page(page))?.finish()
}

/// The same snapshot with other pages.
fn open_with(tree: &Tree, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Result<Tree, SnapshotError> {
    let mut pages = pages(tree);
    change(&mut pages);
    open(&SnapshotHeader::of(tree).encode(), &pages)
}

#[test]
fn a_snapshot_opens_as_the_tree_that_was_written() {
    let full = LEAVES_PER_PAGE;
    for leaves in [0, 1, 2, 100, full - 1, full, full + 1, 3 * full, 70_000] {
        let tree = random_tree("round trip", leaves);
        let (header, pages) = (SnapshotHeader::of(&tree), pages(&tree));
        assert_eq!(header.pages(), pages.len() as u64, "{leaves} leaves");
        assert_eq!(header.bytes(), pages.iter().map(|page| page.len() as u64).sum::<u64>());
        let opened = open(&header.encode(), &pages).expect("nothing was altered");
        assert_eq!((opened.root(), opened.len()), (tree.root(), leaves));
        assert!(opened.iter().eq(tree.iter()), "the same leaves");
    }
}

#[test]
fn a_snapshot_is_of_the_version_it_was_begun_with() {
    let tree = random_tree("version", 2 * LEAVES_PER_PAGE);
    let mut pages = Pages::of(&tree);
    let first = pages.next().expect("two pages");
    let moved = tree.with(random_tree("moved on", 100).iter());
    let all: Vec<_> = std::iter::once(first).chain(pages).collect();
    let opened = open(&SnapshotHeader::of(&tree).encode(), &all).expect("nothing was altered");
    assert_eq!(opened.root(), tree.root());
    assert_ne!(opened.root(), moved.root());
}

#[test]
fn an_opened_tree_is_as_good_as_the_one_written() {
    let tree = random_tree("goes on", 1_000);
    let opened = open(&SnapshotHeader::of(&tree).encode(), &pages(&tree)).expect("nothing was altered");
    let more = random_tree("more", 100);
    let mut keys: Vec<Key> = tree.iter().take(50).chain(&more).map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(opened.with(&more).root(), tree.with(&more).root());
    assert_eq!(opened.prove(&keys).encode(), tree.prove(&keys).encode());
}

#[test]
fn a_header_with_any_bit_altered_is_refused_or_opens_nothing() {
    let tree = random_tree("header", LEAVES_PER_PAGE + 10);
    let (header, pages) = (SnapshotHeader::of(&tree).encode(), pages(&tree));
    for bit in 0..8 * header.len() {
        let mut altered = header;
        altered[bit / 8] ^= 0x80 >> (bit % 8);
        if let Ok(decoded) = SnapshotHeader::decode(&altered) {
            assert_eq!(decoded.encode(), altered);
        }
        assert!(open(&altered, &pages).is_err(), "bit {bit}");
    }
}

#[test]
fn headers_of_another_form_are_refused() {
    let header = SnapshotHeader::of(&random_tree("form", 5)).encode();
    let expected = SnapshotHeader::LENGTH;
    for actual in 0..expected {
        let error = SnapshotError::HeaderLength { expected, actual };
        assert_eq!(SnapshotHeader::decode(&header[..actual]), Err(error));
    }
    let longer = [header.as_slice(), &[0]].concat();
    let error = SnapshotError::HeaderLength { expected, actual: expected + 1 };
    assert_eq!(SnapshotHeader::decode(&longer), Err(error));
    let mut other = header;
    other[15] = b'2';
    assert_eq!(SnapshotHeader::decode(&other), Err(SnapshotError::UnknownFormat));
    let mut other = header;
    other[63] = 2;
    assert_eq!(SnapshotHeader::decode(&other), Err(SnapshotError::PageCount { expected: 1, actual: 2 }));
}

#[test]
fn a_page_with_any_byte_altered_is_refused() {
    let tree = random_tree("bytes", 40);
    for byte in 0..40 * LEAF {
        for bit in 0..8 {
            let opened = open_with(&tree, |pages| pages[0][byte] ^= 1 << bit);
            assert!(opened.is_err(), "byte {byte}, bit {bit}");
        }
    }
}

#[test]
fn a_page_that_is_cut_short_or_too_long_is_refused() {
    let tree = random_tree("lengths", LEAVES_PER_PAGE + 3);
    let full = LEAVES_PER_PAGE * LEAF;
    for (page, expected) in [(0, full), (1, 3 * LEAF)] {
        for actual in [0, 1, LEAF - 1, expected - LEAF, expected - 1, expected + 1, expected + LEAF] {
            let error = SnapshotError::PageLength { page: page as u64, expected, actual };
            assert_eq!(open_with(&tree, |pages| pages[page].resize(actual, 0xff)).err(), Some(error));
        }
    }
}

#[test]
fn pages_that_are_missing_repeated_or_out_of_order_are_refused() {
    let tree = random_tree("order", 3 * LEAVES_PER_PAGE);
    let first_of_second = LEAVES_PER_PAGE as u64;
    let missing = SnapshotError::PagesMissing { expected: 3, actual: 2 };
    let too_many = SnapshotError::PageLength { page: 3, expected: 0, actual: LEAVES_PER_PAGE * LEAF };
    let unordered = SnapshotError::NotAscending { leaf: first_of_second };
    for removed in 0..3 {
        assert_eq!(open_with(&tree, |pages| drop(pages.remove(removed))).err(), Some(missing));
    }
    assert_eq!(
        open_with(&tree, Vec::clear).err(),
        Some(SnapshotError::PagesMissing { expected: 3, actual: 0 })
    );
    assert_eq!(open_with(&tree, |pages| pages.swap(0, 1)).err(), Some(unordered));
    assert_eq!(open_with(&tree, |pages| pages[1] = pages[0].clone()).err(), Some(unordered));
    assert_eq!(open_with(&tree, |pages| pages.push(pages[2].clone())).err(), Some(too_many));
    let empty = SnapshotError::PageLength { page: 3, expected: 0, actual: 0 };
    assert_eq!(open_with(&tree, |pages| pages.push(Vec::new())).err(), Some(empty));
}

#[test]
fn leaves_that_no_tree_has_are_refused() {
    let tree = random_tree("leaves", 10);
    let zero_key = open_with(&tree, |pages| pages[0][..32].fill(0));
    assert_eq!(zero_key.err(), Some(SnapshotError::NotAscending { leaf: 0 }));
    let zero_value = open_with(&tree, |pages| pages[0][4 * LEAF + 32..5 * LEAF].fill(0));
    assert_eq!(zero_value.err(), Some(SnapshotError::ZeroValueHash { leaf: 4 }));
    let repeated = open_with(&tree, |pages| pages[0].copy_within(..LEAF, LEAF));
    assert_eq!(repeated.err(), Some(SnapshotError::NotAscending { leaf: 1 }));
}

#[test]
fn a_good_snapshot_of_another_tree_is_refused() {
    let (tree, other) = (random_tree("this", 500), random_tree("that", 500));
    let error = SnapshotError::RootMismatch { expected: tree.root(), actual: other.root() };
    assert_eq!(open(&SnapshotHeader::of(&tree).encode(), &pages(&other)).err(), Some(error));
}

#[test]
fn a_header_without_leaves_opens_as_the_empty_tree_only() {
    let mut header = SnapshotHeader::of(&Tree::new()).encode();
    assert_eq!(open(&header, &[]).map(|tree| tree.root()), Ok(Root::EMPTY));
    header[16..48].fill(7);
    let error = SnapshotError::RootMismatch { expected: Root::from([7; 32]), actual: Root::EMPTY };
    assert_eq!(open(&header, &[]).err(), Some(error));
}

proptest! {
    #[test]
    fn what_decodes_encodes_as_the_same_bytes(root: [u8; 32], leaves: u64, pages in any::<Option<u64>>()) {
        let mut bytes = SnapshotHeader::of(&Tree::new()).encode();
        bytes[16..48].copy_from_slice(&root);
        bytes[48..56].copy_from_slice(&leaves.to_be_bytes());
        let right = leaves.div_ceil(LEAVES_PER_PAGE as u64);
        bytes[56..].copy_from_slice(&pages.unwrap_or(right).to_be_bytes());
        match SnapshotHeader::decode(&bytes) {
            Ok(header) => prop_assert_eq!(header.encode(), bytes),
            Err(error) => {
                let actual = pages.unwrap_or(right);
                prop_assert_eq!(error, SnapshotError::PageCount { expected: right, actual });
                prop_assert_ne!(actual, right);
            }
        }
    }

    /// Keys that share long prefixes, in any order and with updates, come back as they are.
    #[test]
    fn any_tree_comes_back(leaves in prop::collection::vec((1..=40u8, 0..=3u8, 1..=255u8), 0..60)) {
        let key = |first: u8, last: u8| {
            let mut bytes = [0; 32];
            (bytes[0], bytes[31]) = (first, last);
            Key::from(bytes)
        };
        let tree = Tree::new().with(
            leaves.into_iter().map(|(first, last, value)| (key(first, last), ValueHash::from([value; 32]))),
        );
        let opened = open(&SnapshotHeader::of(&tree).encode(), &pages(&tree));
        prop_assert_eq!(opened.map(|opened| opened.root()), Ok(tree.root()));
    }
}
