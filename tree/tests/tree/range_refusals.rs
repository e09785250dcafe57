//! Range proofs that are refused, each for the reason that the specification names.

use std::num::NonZeroUsize;

use hypha_tree::{Key, ProofError, RangeError, RangeProof, Root, Tree, ValueHash, keccak, verify_range};

use crate::{forgery::Forgery, model::Leaf};

const ZERO: [u8; 32] = [0; 32];

fn key(first: u8) -> Key {
    let mut bytes = ZERO;
    (bytes[0], bytes[31]) = (first, 1);
    Key::from(bytes)
}

/// Six leaves; the range from 0x50 to 0xb0 holds three, one of which stands where the path of 0xb0 ends.
struct Example {
    root: Root,
    bounds: (Key, Key),
    leaves: Vec<Leaf>,
    forgery: Forgery,
}

fn example() -> Example {
    let all: Vec<Leaf> =
        [0x10, 0x40, 0x60, 0x80, 0xa0, 0xc0].map(|first| (key(first), ValueHash::of(&[first]))).to_vec();
    let tree = Tree::new().with(all.clone());
    let bounds = (key(0x50), key(0xb0));
    let hash = |leaf: &Leaf| keccak(&[&b"JMT::LeafNode"[..], leaf.0.as_bytes(), leaf.1.as_bytes()].concat());
    // 0x50 ends at the leaf 0x40 (010), a foreign one; 0xb0 at the leaf 0xa0 (101), a listed one.
    let forgery = Forgery {
        headers: vec![2 << 14 | 3, 1 << 14 | 3],
        foreign: vec![all[1]],
        bits: vec![true, true],
        padding: 0,
        hashes: vec![hash(&all[0]), hash(&all[5])],
    };
    let example = Example { root: tree.root(), bounds, leaves: all[2..5].to_vec(), forgery };
    let honest = tree.prove_range(bounds.0, bounds.1, NonZeroUsize::MAX).expect("the bounds are in order");
    assert_eq!(honest.proof.encode(), example.forgery.encode());
    assert_eq!(example.verify(), Ok(()));
    example
}

impl Example {
    fn verify(&self) -> Result<(), RangeError> {
        verify_range(self.root, self.bounds.0, self.bounds.1, &self.leaves, &self.forgery.encode())
    }
}

/// What the example is refused for when it is altered.
#[track_caller]
fn refused(expected: impl Into<RangeError>, alter: impl Fn(&mut Example)) {
    let mut example = example();
    alter(&mut example);
    assert_eq!(example.verify(), Err(expected.into()));
}

#[test]
fn each_false_claim_has_its_reason() {
    refused(ProofError::ZeroRoot, |example| example.root = Root::from(ZERO));
    refused(RangeError::BoundsReversed, |example| example.bounds = (key(0xb0), key(0x50)));
    refused(ProofError::ZeroKey, |example| {
        example.bounds.0 = Key::from(ZERO);
        example.leaves[0].0 = Key::from(ZERO);
    });
    refused(ProofError::KeyRepeated { key: key(0x60) }, |example| example.leaves[1].0 = key(0x60));
    refused(ProofError::KeysNotAscending { index: 2 }, |example| example.leaves.swap(1, 2));
    refused(RangeError::LeafOutOfRange { index: 0 }, |example| example.leaves[0].0 = key(0x4f));
    refused(RangeError::LeafOutOfRange { index: 2 }, |example| example.leaves[2].0 = key(0xb1));
    refused(RangeError::ZeroValueHash { index: 1 }, |example| example.leaves[1].1 = ValueHash::from(ZERO));
    refused(ProofError::ClaimMismatch { index: 1 }, |example| {
        example.leaves.pop();
    });
    refused(ProofError::ClaimMismatch { index: 0 }, |example| {
        example.leaves.insert(0, (key(0x58), ValueHash::of(b"2")))
    });
    for leaf in 0..3 {
        let mut example = example();
        example.leaves[leaf].1 = ValueHash::of(b"2");
        assert!(matches!(example.verify(), Err(RangeError::Proof(ProofError::RootMismatch { .. }))));
        example.leaves.remove(leaf);
        assert!(example.verify().is_err());
    }
}

#[test]
fn each_false_terminal_has_its_reason() {
    refused(ProofError::TerminalMissing, |example| example.forgery.headers.clear());
    refused(ProofError::TerminalMissing, |example| {
        example.forgery.headers.pop();
    });
    refused(ProofError::TerminalUnused, |example| example.forgery.headers.push(0));
    refused(ProofError::TerminalHeader { header: 3 << 14 }, |example| example.forgery.headers[0] = 3 << 14);
    refused(ProofError::DepthTooLarge { depth: 257 }, |example| example.forgery.headers[0] = 257);
    refused(ProofError::TerminalOverlap { index: 1 }, |example| example.forgery.headers[1] = 1 << 14);
    refused(ProofError::ClaimMismatch { index: 0 }, |example| example.forgery.headers[0] = 1 << 14 | 3);
    refused(ProofError::ClaimMismatch { index: 1 }, |example| example.forgery.headers[1] = 3);
    refused(ProofError::ForeignMissing, |example| example.forgery.foreign.clear());
    refused(ProofError::ForeignUnused, |example| example.forgery.foreign.push((key(1), ValueHash::of(b"1"))));
    refused(ProofError::ForeignOffPath { index: 0 }, |example| example.forgery.foreign[0].0 = key(0x10));
    // A leaf that is left out is not to be had as a foreign one.
    refused(RangeError::ForeignInRange { index: 1 }, |example| {
        example.forgery.headers[1] = 2 << 14 | 3;
        let hidden = example.leaves.pop().unwrap();
        example.forgery.foreign.push(hidden);
    });
}

#[test]
fn each_false_sibling_has_its_reason() {
    refused(ProofError::SiblingMissing, |example| {
        example.forgery.bits.pop();
        example.forgery.hashes.pop();
    });
    refused(ProofError::SiblingUnused, |example| example.forgery.bits.push(false));
    refused(ProofError::SiblingUnused, |example| {
        example.forgery.bits.push(true);
        example.forgery.hashes.push([1; 32]);
    });
    refused(ProofError::SiblingPadding, |example| example.forgery.padding = 1);
    refused(ProofError::SiblingIsEmpty { index: 0 }, |example| example.forgery.hashes[0] = hypha_tree::EMPTY);
    let bytes = example().forgery.encode();
    let mut example = example();
    example.forgery.bits[1] = false;
    example.forgery.hashes.pop();
    assert!(matches!(example.verify(), Err(RangeError::Proof(ProofError::RootMismatch { .. }))));
    let decoded = RangeProof::decode(&bytes[..bytes.len() - 1]);
    assert!(matches!(decoded, Err(RangeError::Proof(ProofError::ProofLength { .. }))));
}

#[test]
fn decoding_takes_one_terminal_or_two() {
    let with_headers = |headers: &[u16]| {
        RangeProof::decode(&Forgery { headers: headers.to_vec(), ..Forgery::default() }.encode()).map(|_| ())
    };
    assert_eq!(with_headers(&[]), Err(ProofError::TerminalMissing.into()));
    assert_eq!(with_headers(&[0]), Ok(()));
    assert_eq!(with_headers(&[1, 1]), Ok(()));
    assert_eq!(with_headers(&[2, 2, 2]), Err(ProofError::TerminalUnused.into()));
}
