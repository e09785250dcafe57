//! The snapshot: its header, its pages and the tree that they open as.

use hypha_tree::{LEAVES_PER_PAGE, Opening, Pages, Root, SnapshotError, SnapshotHeader, Tree};

use crate::{
    forgery::alter_bytes,
    model::{Leaf, Model},
    source::Source,
};

/// Alterations of one snapshot, at most.
const ALTERATIONS: usize = 4;

/// A tree's snapshot, chosen by the bytes, then altered by what is left of them. It opens just when the model calls it
/// the snapshot of a tree, and then as that tree.
pub fn snapshot_open(data: &[u8]) {
    let mut source = Source::new(data);
    let model = Model::choose(&mut source);
    let tree = Tree::new().with(model.list());
    let mut header = SnapshotHeader::of(&tree).encode().to_vec();
    let mut pages: Vec<Vec<u8>> = Pages::of(&tree).collect();
    assert!(judge(&header, &pages).is_some_and(|judged| judged.leaves == model.leaves));
    check(&header, &pages);

    for _ in 0..ALTERATIONS {
        if !source.is_exhausted() {
            alter(&mut header, &mut pages, &mut source);
        }
    }
    check(&header, &pages);
}

fn open(header: &[u8], pages: &[Vec<u8>]) -> Result<Tree, SnapshotError> {
    let opening = Opening::new(SnapshotHeader::decode(header)?);
    pages.iter().try_fold(opening, |opening, page| opening.page(page))?.finish()
}

fn check(header: &[u8], pages: &[Vec<u8>]) {
    if let Ok(decoded) = SnapshotHeader::decode(header) {
        assert_eq!(decoded.encode(), header, "another encoding of the same header");
    }
    match (open(header, pages), judge(header, pages)) {
        (Ok(tree), Some(model)) => {
            assert_eq!(tree.root(), model.root());
            assert_eq!(tree.len(), model.leaves.len());
            assert!(tree.iter().eq(model.leaves));
        }
        (Err(_), None) => {}
        (opened, judged) => panic!("{opened:?}, but the model says {}", judged.is_some()),
    }
}

/// The tree of which header and pages are the snapshot by the specification, if of any.
fn judge(header: &[u8], pages: &[Vec<u8>]) -> Option<Model> {
    let leaves = leaves_of(pages)?;
    let ascending = leaves.is_sorted_by(|one, next| one.0 < next.0);
    let zeros = leaves.iter().any(|(key, value_hash)| key.is_zero() || value_hash.is_zero());
    let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
    let model = Model { leaves: leaves.into_iter().collect() };
    let expected: Vec<usize> = model.list().chunks(LEAVES_PER_PAGE).map(|page| 64 * page.len()).collect();
    let honest = header_of(model.root(), model.leaves.len(), pages.len());
    (ascending && !zeros && lengths == expected && header == honest).then_some(model)
}

fn leaves_of(pages: &[Vec<u8>]) -> Option<Vec<Leaf>> {
    let word = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
    let leaf = |bytes: &[u8]| Some((word(bytes.get(..32)?)?.into(), word(&bytes[32..])?.into()));
    pages.concat().chunks(64).map(leaf).collect()
}

fn header_of(root: Root, leaves: usize, pages: usize) -> Vec<u8> {
    let counts = [leaves, pages].map(|count| (count as u64).to_be_bytes());
    [&b"hypha snapshot 1"[..], root.as_bytes(), counts.as_flattened()].concat()
}

/// Alters header or pages; or makes the header say what altered pages hold, as one would who may choose the root.
fn alter(header: &mut Vec<u8>, pages: &mut Vec<Vec<u8>>, source: &mut Source<'_>) {
    let page = source.below(pages.len());
    match source.below(9) {
        0 => alter_bytes(header, source),
        1 => pages.push(vec![source.byte(); 64 * source.below(3)]),
        2 => {
            let leaves = leaves_of(pages).unwrap_or_default();
            let root = Model { leaves: leaves.iter().copied().collect() }.root();
            let counts = header.split_off(header.len().min(48));
            *header = header_of(root, leaves.len(), pages.len());
            if source.byte() & 1 == 1 {
                header.splice(48.., counts);
            }
        }
        _ if pages.is_empty() => {}
        3 => drop(pages.remove(page)),
        4 => pages.swap(0, page),
        5 => {
            let half = pages[page].len() / 128 * 64;
            let rest = pages[page].split_off(half);
            pages.push(rest);
        }
        6 => {
            let leaves = pages[page].len() / 64;
            let (one, other) = (64 * source.below(leaves), 64 * source.below(leaves));
            if leaves > 0 {
                pages[page].copy_within(one..one + 64, other);
            }
        }
        7 => {
            let word = source.below(pages[page].len() / 32);
            pages[page].iter_mut().skip(32 * word).take(32).for_each(|byte| *byte = 0);
        }
        _ => alter_bytes(&mut pages[page], source),
    }
}
