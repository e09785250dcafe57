//! Exported proofs against the published `ics23` crate.

use std::collections::BTreeMap;

use hypha_tree::{ExportError, Key, Root, Tree, ValueHash, ics23_spec, keccak};
use ics23::{
    CommitmentProof, ExistenceProof, HashOp, HostFunctionsProvider, InnerSpec, LeafOp, LengthOp,
    NonExistenceProof, ProofSpec, commitment_proof::Proof, verify_membership, verify_non_membership,
};
use proptest::prelude::*;
use prost::Message;

use crate::{
    model::{cases, keys},
    random::{Random, flip},
};

/// Keccak-256 and nothing else: no proof of this tree asks for another function.
struct OnlyKeccak;

impl HostFunctionsProvider for OnlyKeccak {
    fn keccak_256(message: &[u8]) -> [u8; 32] {
        keccak(message)
    }

    fn sha2_256(_: &[u8]) -> [u8; 32] {
        [0; 32]
    }

    fn sha2_512(_: &[u8]) -> [u8; 64] {
        [0; 64]
    }

    fn sha2_512_truncated(_: &[u8]) -> [u8; 32] {
        [0; 32]
    }

    fn ripemd160(_: &[u8]) -> [u8; 20] {
        [0; 20]
    }

    fn blake2b_512(_: &[u8]) -> [u8; 64] {
        [0; 64]
    }

    fn blake2s_256(_: &[u8]) -> [u8; 32] {
        [0; 32]
    }

    fn blake3(_: &[u8]) -> [u8; 32] {
        [0; 32]
    }
}

type Values = BTreeMap<Key, Vec<u8>>;

fn tree(values: &Values) -> Tree {
    Tree::new().with(values.iter().map(|(key, value)| (*key, ValueHash::of(value))))
}

fn export(tree: &Tree, values: &Values, key: Key) -> Result<Vec<u8>, ExportError> {
    tree.export_ics23(key, |key| values.get(key).cloned())
}

fn spec() -> ProofSpec {
    ProofSpec::decode(&*ics23_spec()).expect("the specification is protobuf")
}

fn shows_existence(root: Root, key: Key, value: &[u8], proof: &CommitmentProof) -> bool {
    verify_membership::<OnlyKeccak>(proof, &spec(), &root.as_bytes().to_vec(), key.as_bytes(), value)
}

fn shows_absence(root: Root, key: Key, proof: &CommitmentProof) -> bool {
    verify_non_membership::<OnlyKeccak>(proof, &spec(), &root.as_bytes().to_vec(), key.as_bytes())
}

/// Checks the export for `key` with the `ics23` crate, and that it encodes to the same bytes there.
fn assert_exported(values: &Values, key: Key) {
    let tree = tree(values);
    let bytes = export(&tree, values, key);
    let Ok(bytes) = bytes else {
        assert_eq!((bytes, values.is_empty()), (Err(ExportError::EmptyTree), true));
        return;
    };
    let proof = CommitmentProof::decode(&*bytes).expect("the export is protobuf");
    assert_eq!(proof.encode_to_vec(), bytes);
    let value = values.get(&key);
    for claimed in [&b"1"[..], b"2", b""] {
        let is_true = value.is_some_and(|value| value == claimed);
        assert_eq!(shows_existence(tree.root(), key, claimed, &proof), is_true);
    }
    assert_eq!(shows_absence(tree.root(), key, &proof), value.is_none());
    assert!(!shows_absence(Root::from([7; 32]), key, &proof));
    assert!(!shows_existence(Root::from([7; 32]), key, b"1", &proof));
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn exports_are_accepted_for_just_what_is_true(
        leaves in prop::collection::btree_map(keys(), any::<bool>(), 0..12),
        others in prop::collection::vec(keys(), 1..6),
    ) {
        let value = |first: bool| if first { b"1".to_vec() } else { b"2".to_vec() };
        let values: Values = leaves.into_iter().map(|(key, first)| (key, value(first))).collect();
        for key in values.keys().chain(&others) {
            assert_exported(&values, *key);
        }
        assert_exported(&values, Key::from([0; 32]));
        assert_exported(&values, Key::from([0xff; 32]));
    }
}

/// Values longer than one byte of a length can say, keys side by side, and others.
fn example() -> (Tree, Values) {
    let mut random = Random::new("export");
    let mut values: Values = (0u8..40).map(|number| (random.key(), vec![number; 300])).collect();
    let first = *values.keys().next().expect("there are keys");
    values.insert(flip(first, 255), b"beside".to_vec());
    values.insert(flip(first, 130), b"near".to_vec());
    (tree(&values), values)
}

#[test]
fn every_alteration_of_an_export_shows_the_same_or_nothing() {
    let (tree, values) = example();
    let here = *values.keys().nth(20).expect("there are 42 keys");
    let absent = flip(here, 200);
    for key in [here, absent] {
        let bytes = export(&tree, &values, key).expect("all values are known");
        let honest = CommitmentProof::decode(&*bytes).expect("the export is protobuf");
        let shows = |proof: &CommitmentProof| {
            let value = values.get(&key).cloned().unwrap_or_default();
            shows_existence(tree.root(), key, &value, proof) || shows_absence(tree.root(), key, proof)
        };
        assert!(shows(&honest));
        for position in 0..bytes.len() {
            for difference in [1, 2, 0x10, 0x80] {
                let mut altered = bytes.clone();
                altered[position] ^= difference;
                let Ok(mut proof) = CommitmentProof::decode(&*altered) else { continue };
                // The crate does not look at the key that a proof of absence names: its caller names it.
                if let Some(Proof::Nonexist(absence)) = &mut proof.proof {
                    absence.key = key.as_bytes().to_vec();
                }
                assert!(!shows(&proof) || proof == honest, "accepted with byte {position} altered");
            }
        }
    }
}

#[test]
fn values_of_any_length_are_exported() {
    let key = Key::from([1; 32]);
    for length in [1, 127, 128, 129, 16_383, 16_384, 1 << 21] {
        let values = Values::from([(key, vec![7; length])]);
        let tree = tree(&values);
        let bytes = export(&tree, &values, key).expect("the value is known");
        let proof = CommitmentProof::decode(&*bytes).expect("the export is protobuf");
        assert_eq!(proof.encode_to_vec(), bytes);
        assert!(shows_existence(tree.root(), key, &values[&key], &proof));
    }
}

#[test]
fn absence_by_leaves_that_are_no_neighbours_is_refused() {
    let (tree, values) = example();
    let existence = |key: &Key| -> ExistenceProof {
        let bytes = export(&tree, &values, *key).expect("all values are known");
        match CommitmentProof::decode(&*bytes).expect("the export is protobuf").proof {
            Some(Proof::Exist(proof)) => proof,
            other => panic!("{other:?} for a leaf"),
        }
    };
    let keys: Vec<Key> = values.keys().copied().collect();
    let hidden = keys[10];
    for (before, after) in [(Some(9), Some(11)), (Some(3), Some(30)), (Some(9), None), (None, Some(11))] {
        let [left, right] = [before, after].map(|at: Option<usize>| at.map(|at| existence(&keys[at])));
        let forged = NonExistenceProof { key: hidden.as_bytes().to_vec(), left, right };
        let forged = CommitmentProof { proof: Some(Proof::Nonexist(forged)) };
        assert!(!shows_absence(tree.root(), hidden, &forged));
    }
}

#[test]
fn the_specification_is_that_of_jmt_with_keccak_and_keys_as_they_are() {
    let expected = ProofSpec {
        leaf_spec: Some(LeafOp {
            hash: HashOp::Keccak256.into(),
            prehash_key: HashOp::NoHash.into(),
            prehash_value: HashOp::Keccak256.into(),
            length: LengthOp::NoPrefix.into(),
            prefix: b"JMT::LeafNode".to_vec(),
        }),
        inner_spec: Some(InnerSpec {
            hash: HashOp::Keccak256.into(),
            child_order: vec![0, 1],
            child_size: 32,
            min_prefix_length: 16,
            max_prefix_length: 16,
            empty_child: b"SPARSE_MERKLE_PLACEHOLDER_HASH__".to_vec(),
        }),
        min_depth: 0,
        max_depth: 256,
        prehash_key_before_comparison: false,
    };
    assert_eq!(spec(), expected);
    assert_eq!(ics23_spec(), expected.encode_to_vec());
}

#[test]
fn what_cannot_be_exported_has_its_reason() {
    let (tree, values) = example();
    let keys: Vec<Key> = values.keys().copied().collect();
    assert_eq!(Tree::new().export_ics23(keys[0], |_| None), Err(ExportError::EmptyTree));
    let unknown = ExportError::ValueUnknown { key: keys[5] };
    assert_eq!(tree.export_ics23(keys[5], |_| None), Err(unknown));
    assert_eq!(tree.export_ics23(keys[5], |_| Some(Vec::new())), Err(unknown));
    let wrong = ExportError::ValueMismatch { key: keys[5] };
    assert_eq!(tree.export_ics23(keys[5], |_| Some(b"wrong".to_vec())), Err(wrong));
    // A neighbour's value is asked for when the key is absent.
    let absent = flip(keys[5], 200);
    let asked = tree.export_ics23(absent, |_| None);
    assert!(matches!(asked, Err(ExportError::ValueUnknown { key }) if keys[4..=6].contains(&key)));
}
