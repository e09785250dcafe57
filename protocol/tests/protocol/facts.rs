//! Facts, attestations and conflicts, as vectors and against the README.

use alloy::primitives::{B256, Bytes, U256, keccak256};
use alloy::sol_types::SolValue;
use hypha_protocol::fact::{
    Attestation, Conflict, Fact, FactName, Signed, accepted_value, applied_value, encode_conflict_proof,
    encode_fact_proof, facts_domain, ordered_signatures,
};
use hypha_protocol::signing::sign_digest;
use hypha_protocol::tree::Root;
use serde_json::{Value, json};

use crate::fixtures::*;

const SET: u64 = 1;

fn verifier() -> alloy::primitives::Address {
    signer(9).address()
}

fn root() -> B256 {
    keccak256("a root")
}

fn batch_chain() -> B256 {
    keccak256("a batch chain")
}

fn attestation(name: FactName, src_chain: u64) -> Attestation {
    Attestation {
        fact: Fact { src_chain, emitter: HUB, key: name.key(), value: value_of(name) },
        block_number: 77,
        block_hash: keccak256("a block"),
        block_time: NOW,
        set_id: SET,
    }
}

/// What is asserted under each name in these vectors.
fn value_of(name: FactName) -> B256 {
    let root = Root::from(root().0);
    match name {
        FactName::RootAccepted { .. } => accepted_value(root, batch_chain()),
        FactName::RootApplied { .. } => applied_value(root),
        FactName::RequestQueued { .. } => request_hash(),
    }
}

fn request_hash() -> B256 {
    keccak256("a request")
}

fn conflict() -> Conflict {
    Conflict {
        src_chain: HUB_CHAIN,
        emitter: HUB,
        key: FactName::RootAccepted { index: 5 }.key(),
        first: keccak256("first"),
        second: keccak256("second"),
        set_id: SET,
    }
}

/// Signatures of keys 4, 5 and 6, as a proof needs them: two of the three.
fn two_signatures(digest: B256) -> Vec<[u8; 65]> {
    let signed = [6, 4, 5, 4].map(|number| {
        let signature = sign_digest(&signer(number), digest).expect("a local key signs");
        Signed::recover(digest, &signature).expect("its own signature")
    });
    ordered_signatures(signed.to_vec(), 2).expect("three signers are enough")
}

pub(crate) fn vectors() -> Value {
    let mut attestors = [4, 5, 6].map(|number| signer(number).address());
    attestors.sort();
    let names = [
        ("root accepted at 5", FactName::RootAccepted { index: 5 }, HUB_CHAIN),
        ("root applied at 5", FactName::RootApplied { index: 5 }, SPOKE_CHAIN),
        ("root accepted at the last index", FactName::RootAccepted { index: u64::MAX }, HUB_CHAIN),
        ("request 5 queued", FactName::RequestQueued { number: 5 }, SPOKE_CHAIN),
    ];
    json!({
        "verifier": verifier(),
        "verifierChainId": SPOKE_CHAIN,
        "domainSeparator": facts_domain(SPOKE_CHAIN, verifier()).separator(),
        "setId": SET,
        "attestors": attestors,
        "threshold": 2,
        "attestations": names.map(|(name, fact, chain)| attestation_vector(name, fact, chain)),
        "conflicts": [conflict_vector()],
    })
}

fn attestation_vector(name: &str, fact: FactName, src_chain: u64) -> Value {
    let attestation = attestation(fact, src_chain);
    let digest = attestation.digest(SPOKE_CHAIN, verifier());
    // A root has an index, a request a number.
    let (FactName::RootAccepted { index }
    | FactName::RootApplied { index }
    | FactName::RequestQueued { number: index }) = fact;
    json!({
        "name": name,
        "index": index.to_string(),
        "root": root(),
        "batchChain": batch_chain(),
        "srcChain": src_chain,
        "emitter": attestation.fact.emitter,
        "key": attestation.fact.key,
        "value": attestation.fact.value,
        "blockNumber": attestation.block_number,
        "blockHash": attestation.block_hash,
        "blockTime": attestation.block_time,
        "setId": attestation.set_id,
        "digest": digest,
        "proof": Bytes::from(encode_fact_proof(SET, attestation.block(), &two_signatures(digest))),
    })
}

fn conflict_vector() -> Value {
    let conflict = conflict();
    let digest = conflict.digest(SPOKE_CHAIN, verifier());
    json!({
        "name": "two values for root 5",
        "srcChain": conflict.src_chain,
        "emitter": conflict.emitter,
        "key": conflict.key,
        "first": conflict.first,
        "second": conflict.second,
        "setId": conflict.set_id,
        "digest": digest,
        "proof": Bytes::from(encode_conflict_proof(SET, &two_signatures(digest))),
    })
}

#[test]
fn keys_and_values_are_those_of_the_readme() {
    let accepted = FactName::RootAccepted { index: 0x0102 };
    assert_eq!(accepted.key(), keccak256(b"hypha:root\0\0\0\0\0\0\x01\x02"));
    let applied = FactName::RootApplied { index: 0x0102 };
    assert_eq!(applied.key(), keccak256(b"hypha:applied\0\0\0\0\0\0\x01\x02"));
    let tree_root = Root::from(root().0);
    assert_eq!(accepted_value(tree_root, batch_chain()), keccak256([root().0, batch_chain().0].concat()));
    assert_eq!(applied_value(tree_root), keccak256(root()));
    let queued = FactName::RequestQueued { number: 0x0102 };
    assert_eq!(queued.key(), keccak256(b"hypha:request\0\0\0\0\0\0\x01\x02"));
}

#[test]
fn digests_are_those_of_the_readme() {
    let domain = facts_domain(SPOKE_CHAIN, verifier()).separator();
    let one = attestation(FactName::RootAccepted { index: 5 }, HUB_CHAIN);
    let fact_type = keccak256(concat!(
        "Fact(uint256 srcChain,address emitter,bytes32 key,bytes32 value,",
        "uint64 blockNumber,bytes32 blockHash,uint64 blockTime,uint64 setId)"
    ));
    let words = (
        fact_type,
        U256::from(HUB_CHAIN),
        HUB,
        one.fact.key,
        one.fact.value,
        77_u64,
        one.block_hash,
        NOW,
        SET,
    );
    let expected = hypha_protocol::signing::digest(domain, keccak256(words.abi_encode()));
    assert_eq!(one.digest(SPOKE_CHAIN, verifier()), expected);

    let two = conflict();
    let conflict_type = keccak256(
        "Conflict(uint256 srcChain,address emitter,bytes32 key,bytes32 first,bytes32 second,uint64 setId)",
    );
    let (low, high) = (two.first.min(two.second), two.first.max(two.second));
    let words = (conflict_type, U256::from(HUB_CHAIN), HUB, two.key, low, high, SET);
    let expected = hypha_protocol::signing::digest(domain, keccak256(words.abi_encode()));
    assert_eq!(two.digest(SPOKE_CHAIN, verifier()), expected);
    let swapped = Conflict { first: two.second, second: two.first, ..two };
    assert_eq!(swapped.digest(SPOKE_CHAIN, verifier()), expected, "whatever was read first");
    assert_ne!(two.digest(HUB_CHAIN, verifier()), expected, "a statement is for one chain");
}

#[test]
fn signatures_stand_in_ascending_order_of_distinct_signers() {
    let digest = keccak256("anything");
    let sign = |number| {
        let signature = sign_digest(&signer(number), digest).expect("a local key signs");
        Signed::recover(digest, &signature).expect("its own signature")
    };
    let mut ascending = vec![sign(4), sign(5), sign(6)];
    ascending.sort_by_key(|one| one.signer);
    let expected: Vec<_> = ascending.iter().map(|one| one.signature).collect();
    let descending: Vec<_> = ascending.iter().copied().rev().collect();
    assert_eq!(ordered_signatures(ascending, 3), Some(expected.clone()));
    assert_eq!(ordered_signatures(descending.clone(), 3), Some(expected.clone()));
    assert_eq!(ordered_signatures(descending, 2), Some(expected[..2].to_vec()));
    assert_eq!(ordered_signatures(vec![sign(4), sign(4)], 2), None, "one signer counts once");
}

#[test]
fn a_proof_is_laid_out_as_the_interface_says() {
    let one = attestation(FactName::RootAccepted { index: 5 }, HUB_CHAIN);
    let proof = encode_fact_proof(SET, one.block(), &[[7; 65]]);
    let expected = [
        &1_u64.to_be_bytes()[..],
        &77_u64.to_be_bytes(),
        one.block_hash.as_slice(),
        &NOW.to_be_bytes(),
        &[7; 65],
    ];
    assert_eq!(proof, expected.concat());
}

#[test]
fn attestations_travel_as_json_with_numbers_as_strings() {
    let one = attestation(FactName::RootAccepted { index: u64::MAX }, u64::MAX);
    let text = serde_json::to_string(&one).expect("JSON");
    assert!(text.contains("\"srcChain\":\"18446744073709551615\""), "{text}");
    assert_eq!(serde_json::from_str::<Attestation>(&text).expect("its own form"), one);
    assert!(serde_json::from_str::<Attestation>(&text.replace("\"77\"", "77")).is_err());
    assert!(serde_json::from_str::<Attestation>(&text.replace("blockTime", "time")).is_err());
}
