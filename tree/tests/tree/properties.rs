//! What holds for every honest proof.

use std::collections::BTreeSet;

use hypha_tree::{
    EMPTY, Key, Multiproof, ProofError, Root, TerminalKind, Tree, ValueHash, keccak, verify, verify_absence,
    verify_membership,
};
use proptest::prelude::*;

use crate::{
    model::{self, honest_proof, honest_touches, keys, leaves, value_hashes, written},
    random::{Random, flip},
};

proptest! {
    #![proptest_config(model::cases(4))]

    #[test]
    fn an_honest_proof_shows_the_old_root_and_gives_the_new_one(
        leaves in leaves(24),
        writes in prop::collection::vec((keys(), prop::option::of(value_hashes())), 1..12),
    ) {
        let tree = Tree::new().with(leaves);
        let touches = honest_touches(&tree, &writes);
        let proof = honest_proof(&tree, &touches);
        let next = tree.with(written(&touches));
        let transition = verify(tree.root(), &touches, &proof);
        prop_assert_eq!(transition.map(|step| (step.old, step.new)), Ok((tree.root(), next.root())));
        let model = next.iter().collect();
        prop_assert_eq!(next.root(), model::root(&model));

        let decoded = Multiproof::decode(&proof);
        prop_assert_eq!(decoded.as_ref().map(Multiproof::encode), Ok(proof));
        prop_assert_eq!(decoded.and_then(|decoded| decoded.verify(tree.root(), &touches)), transition);

        // Any other claim about the old tree is refused, whatever else is claimed.
        for position in 0..touches.len() {
            for old in [None, Some(ValueHash::of(&[0])), Some(ValueHash::of(&[1]))] {
                let mut lie = touches.clone();
                lie[position].old = old;
                prop_assert_eq!(verify(tree.root(), &lie, &tree.prove(
                    &lie.iter().map(|touch| touch.key).collect::<Vec<_>>()
                ).encode()).is_ok(), lie == touches);
            }
        }
    }

    #[test]
    fn the_prover_takes_keys_in_any_order_and_repeated(
        leaves in leaves(12),
        keys in prop::collection::vec(keys(), 1..8),
    ) {
        let tree = Tree::new().with(leaves);
        let sorted: Vec<Key> = keys.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let repeated: Vec<Key> = keys.iter().rev().chain(&keys).copied().collect();
        prop_assert_eq!(tree.prove(&repeated), tree.prove(&sorted));
    }

    #[test]
    fn bytes_from_anyone_never_panic_and_decode_to_what_encodes_to_them(
        counts in prop::array::uniform3(0u32..4),
        body in prop::collection::vec(prop_oneof![Just(0u8), Just(0x40), Just(0x80), any::<u8>()], 0..300),
        cut in any::<bool>(),
        touched in prop::collection::vec((keys(), prop::option::of(value_hashes())), 1..4),
    ) {
        let mut bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
        bytes.extend(body);
        if cut {
            // A length that agrees with the counts, where there are bytes enough.
            let fixed = 12 + 2 * counts[0] as usize + 64 * counts[1] as usize + usize::from(counts[2] > 0);
            bytes.truncate(fixed.max(12) + 32 * counts[2] as usize);
        }
        if let Ok(decoded) = Multiproof::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes.clone());
        }
        let touches = honest_touches(&Tree::new(), &touched);
        prop_assert!(verify(Root::from([7; 32]), &touches, &bytes).is_err());
    }
}

/// A tree and touches of it that have all kinds of terminals, writes and siblings, and an honest proof.
fn example() -> (Tree, Vec<hypha_tree::Touch>, Vec<u8>) {
    let mut random = Random::new("example");
    let mut leaves: Vec<_> = (0..6).map(|_| (random.key(), random.value_hash())).collect();
    leaves.push((flip(leaves[0].0, 12), random.value_hash()));
    let tree = Tree::new().with(leaves.iter().copied());
    let new = Some(random.value_hash());
    let absent = flip(leaves[0].0, 9);
    let writes = [
        (leaves[0].0, None),
        (absent, new),
        (leaves[2].0, new),
        (flip(leaves[3].0, 255), new),
        (flip(absent, 255), None),
    ];
    let touches = honest_touches(&tree, &writes);
    let proof = honest_proof(&tree, &touches);
    let kinds: Vec<_> =
        tree.prove(&writes.map(|(key, _)| key)).terminals().iter().map(|terminal| terminal.kind).collect();
    for kind in [TerminalKind::Empty, TerminalKind::Own, TerminalKind::Foreign] {
        assert!(kinds.contains(&kind), "the example lacks {kind:?}");
    }
    (tree, touches, proof)
}

#[test]
fn every_alteration_of_one_byte_is_refused() {
    let (tree, touches, proof) = example();
    assert!(verify(tree.root(), &touches, &proof).is_ok());
    let mut altered = Vec::new();
    for position in 0..proof.len() {
        for difference in 1..=255 {
            let mut bytes = proof.clone();
            bytes[position] ^= difference;
            altered.push(bytes);
        }
        let mut bytes = proof.clone();
        bytes.remove(position);
        altered.push(bytes);
    }
    for position in 0..=proof.len() {
        for byte in [0, 1, 0x40, 0x80, 0xff] {
            let mut bytes = proof.clone();
            bytes.insert(position, byte);
            altered.push(bytes);
        }
    }
    for bytes in altered {
        assert!(verify(tree.root(), &touches, &bytes).is_err(), "accepted: {}", hex::encode(&bytes));
        if let Ok(decoded) = Multiproof::decode(&bytes) {
            assert_eq!(decoded.encode(), bytes);
        }
    }
}

#[test]
fn every_cut_and_every_appended_word_is_refused() {
    let (tree, touches, proof) = example();
    for length in 0..proof.len() {
        assert!(matches!(
            verify(tree.root(), &touches, &proof[..length]),
            Err(ProofError::ProofLength { .. } | ProofError::SiblingMissing)
        ));
        assert!(Multiproof::decode(&proof[..length]).is_err());
    }
    for length in 1..=64 {
        for byte in [0, 0xff] {
            let longer = [proof.clone(), vec![byte; length]].concat();
            assert!(verify(tree.root(), &touches, &longer).is_err());
            assert!(Multiproof::decode(&longer).is_err());
        }
    }
}

#[test]
fn a_proof_of_one_key_tells_membership_or_absence_by_its_terminal() {
    let (here, neighbour) = (Key::from([0x80; 32]), Key::from([0xff; 32]));
    let tree = Tree::new().with([(here, ValueHash::of(b"1")), (neighbour, ValueHash::of(b"2"))]);
    let root = tree.root();
    let proof = tree.prove(&[here]);
    assert_eq!(proof.terminals()[0].kind, TerminalKind::Own);
    let bytes = proof.encode();
    assert_eq!(verify_membership(root, here, b"1", &bytes), Ok(()));
    assert_eq!(verify_membership(root, here, b"", &bytes), Err(ProofError::EmptyValue));
    assert_eq!(
        verify_membership(root, here, b"2", &bytes).map_err(|error| error.reason()),
        Err("RootMismatch")
    );
    assert_eq!(verify_absence(root, here, &bytes), Err(ProofError::ClaimMismatch { index: 0 }));

    for (absent, kind) in [(flip(here, 0), TerminalKind::Empty), (flip(here, 255), TerminalKind::Foreign)] {
        let proof = tree.prove(&[absent]);
        assert_eq!(proof.terminals()[0].kind, kind);
        assert_eq!(verify_absence(root, absent, &proof.encode()), Ok(()));
        let membership = verify_membership(root, absent, b"1", &proof.encode());
        assert_eq!(membership, Err(ProofError::ClaimMismatch { index: 0 }));
    }
}

#[test]
fn a_multiproof_shows_its_parts() {
    let (tree, touches, proof) = example();
    let decoded = Multiproof::decode(&proof).expect("honest");
    let hashes = decoded.siblings().flatten().count();
    assert!(hashes < decoded.siblings().count(), "the example has an empty sibling");
    assert!(decoded.siblings().flatten().all(|hash| hash != EMPTY));
    for (key, value_hash) in decoded.foreign_leaves() {
        assert_eq!(tree.get(key), Some(*value_hash));
        assert!(touches.iter().all(|touch| touch.key != *key));
    }
    let terminals = decoded.terminals();
    let foreign = terminals.iter().filter(|terminal| terminal.kind == TerminalKind::Foreign).count();
    assert_eq!(decoded.foreign_leaves().len(), foreign);
    let expected =
        12 + 2 * terminals.len() + 64 * foreign + decoded.siblings().count().div_ceil(8) + 32 * hashes;
    assert_eq!(proof.len(), expected);
}

#[test]
fn zero_stands_for_none_in_a_touch() {
    let key = Key::from(keccak(b"key"));
    let zero = Some(ValueHash::from([0; 32]));
    let tree = Tree::new();
    let proof = tree.prove(&[key]).encode();
    let touch = hypha_tree::Touch { key, old: zero, new: zero };
    let transition = verify(tree.root(), &[touch], &proof).expect("an absent key that is only read");
    assert_eq!(transition.new, Root::EMPTY);
}
