//! Writes the batches whose gas `test/gas/Gas.t.sol` measures: `gas_fixtures DIRECTORY`.
//!
//! Everything is derived from fixed texts, so that the same bytes, and with them the same gas, come out each time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use alloy::hex;
use alloy::primitives::{Address, B256, U256, address, keccak256};
use alloy::signers::local::PrivateKeySigner;
use anyhow::Context;
use hypha_protocol::batch::{MAX_CALLDATA_BYTES, build_witness, verify_batch};
use hypha_protocol::ids::{kind_of, resource_id, resource_key, resource_value};
use hypha_protocol::operations::{MAX_KEYS, Operation, Output, Resource, Rules, Transfer, encode_operations};
use hypha_protocol::signing::{hub_domain, sign_transfer};
use hypha_tree::{Key, Touch, Tree, ValueHash};
use serde_json::json;

const LEAVES: [usize; 3] = [1_000, 100_000, 1_000_000];
const TRANSFERS: [usize; 3] = [1, 16, 64];
/// What `applyBatch` needs beside its two byte strings: selector, four words, two
/// lengths, padding.
const CALL_OVERHEAD: usize = 4 + 32 * 4 + 2 * (32 + 31);
/// Leaves whose insertion into a tree that is kept on chain is measured.
const INSERTIONS: usize = 16;
/// Notes in each tree that a batch can spend.
const NOTES: usize = 64;

// Where the hub and its spokes are; the Solidity side deploys them there.
const HUB_CHAIN: u64 = 31337;
const HUB: Address = address!("0x4879706861000000000000000000000000000001");
const FROM_CHAIN: u64 = 31338;
const TO_CHAIN: u64 = 31339;
/// Time of the block, Unix seconds, and a deadline after it.
const NOW: u64 = 1_800_000_000;
const DEADLINE: u64 = 1_800_003_600;

fn main() -> anyhow::Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).context("usage: gas_fixtures DIRECTORY")?);
    fs::create_dir_all(&directory)?;
    for leaves in LEAVES {
        let tree = tree_of(leaves);
        for transfers in TRANSFERS.into_iter().chain([largest(&tree)?]) {
            let name = format!("batch-{leaves}-{transfers}.json");
            write(&directory, &name, &batch(&tree, transfers)?)?;
        }
        write(&directory, &format!("largest-{leaves}.json"), &json!({ "transfers": largest(&tree)? }))?;
        write(&directory, &format!("single-{leaves}.json"), &single(&tree))?;
        write(&directory, &format!("insertions-{leaves}.json"), &insertions(&tree)?)?;
    }
    Ok(())
}

fn write(directory: &Path, name: &str, fixture: &serde_json::Value) -> anyhow::Result<()> {
    Ok(fs::write(directory.join(name), format!("{fixture}\n"))?)
}

/// A batch of transfers, each of another owner's note, with change.
fn batch(tree: &Tree, transfers: usize) -> anyhow::Result<serde_json::Value> {
    let (packed, touches) = operations(transfers)?;
    let witness = build_witness(tree, &touches);
    let proof = tree.prove(&touches.iter().map(|touch| touch.key).collect::<Vec<_>>());
    let written = touches.iter().filter_map(|touch| touch.new.map(|value| (touch.key, value)));
    let new_root = tree.with(written).root();
    verify_batch(tree.root(), &packed, &witness, new_root, &rules())?;
    Ok(json!({
        "transfers": transfers,
        "keys": touches.len(),
        "proofBytes": witness.len() - 2 * touches.len(),
        "root": tree.root().to_string(),
        "newRoot": new_root.to_string(),
        "operations": hex::encode_prefixed(&packed),
        "witness": hex::encode_prefixed(witness),
        // What no encoding can do without: siblings and foreign leaves that do not follow, and the operations themselves.
        "leastBytes": 32 * proof.siblings().flatten().count() + 64 * proof.foreign_leaves().len() + packed.len(),
    }))
}

/// The first so many transfers, packed, and what they do to the tree.
fn operations(transfers: usize) -> anyhow::Result<(Vec<u8>, Vec<Touch>)> {
    let operations = (0..transfers)
        .map(|number| Ok(Operation::Transfer(transfer(number)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let touches = operations.iter().flat_map(Operation::touches).collect();
    Ok((encode_operations(&operations)?, touches))
}

/// The most transfers whose batch fits the calldata and touches no more keys than a batch may.
fn largest(tree: &Tree) -> anyhow::Result<usize> {
    for transfers in (1..=NOTES).rev() {
        let (packed, touches) = operations(transfers)?;
        let bytes = packed.len() + build_witness(tree, &touches).len() + CALL_OVERHEAD;
        if touches.len() <= MAX_KEYS && bytes <= MAX_CALLDATA_BYTES {
            return Ok(transfers);
        }
    }
    anyhow::bail!("not even one transfer fits")
}

/// The proofs of one note, and of the absence of one key: of all candidates those of median length, for paths differ in length.
fn single(tree: &Tree) -> serde_json::Value {
    let note = note(median(tree, |number| key_of(&note(number))));
    let present = key_of(&note);
    let absent = absent_key(median(tree, absent_key));
    json!({
        "root": tree.root().to_string(),
        "key": present.to_string(),
        "value": hex::encode_prefixed(resource_value(&note)),
        "proof": hex::encode_prefixed(tree.prove(&[present]).encode()),
        "absentKey": absent.to_string(),
        "absenceProof": hex::encode_prefixed(tree.prove(&[absent]).encode()),
    })
}

fn absent_key(number: usize) -> Key {
    Key::from(word("absent", number).0)
}

/// The number of the key whose proof is the one in the middle.
fn median(tree: &Tree, key: impl Fn(usize) -> Key) -> usize {
    let length = |number: &usize| {
        let proof = tree.prove(&[key(*number)]);
        (proof.encode().len(), proof.siblings().count(), *number)
    };
    let mut numbers: Vec<usize> = (0..NOTES).collect();
    numbers.sort_by_key(length);
    numbers[NOTES / 2]
}

/// Where new leaves would stand in a tree of this size: at which depth their path ends, and how many bits they share with the
/// leaf that is there, none when the place is empty.
fn insertions(tree: &Tree) -> anyhow::Result<serde_json::Value> {
    let (mut depths, mut shared) = (Vec::new(), Vec::new());
    for number in 0..INSERTIONS {
        let key = Key::from(word("inserted", number).0);
        let proof = tree.prove(&[key]);
        depths.push(proof.terminals().first().context("a proof has a terminal")?.depth);
        shared.push(proof.foreign_leaves().first().map_or(0, |(other, _)| shared_bits(&key, other)));
    }
    Ok(json!({ "depths": depths, "shared": shared }))
}

fn shared_bits(one: &Key, other: &Key) -> u32 {
    let difference =
        U256::from_be_bytes(<[u8; 32]>::from(*one)) ^ U256::from_be_bytes(<[u8; 32]>::from(*other));
    u32::try_from(difference.leading_zeros()).expect("at most 256")
}

fn rules() -> Rules {
    let domains = BTreeSet::from([HUB_CHAIN, FROM_CHAIN, TO_CHAIN]);
    Rules::hub(hub_domain(HUB_CHAIN, HUB).separator(), NOW, domains)
}

/// A tree of so many leaves, [`NOTES`] of them notes.
fn tree_of(leaves: usize) -> Tree {
    let notes = (0..NOTES).map(|number| {
        let note = note(number);
        (key_of(&note), ValueHash::from(resource_id(&note).0))
    });
    let others = (NOTES..leaves).map(|number| {
        let value = ValueHash::from(word("value", number).0);
        (Key::from(word("key", number).0), value)
    });
    Tree::new().with(notes.chain(others))
}

fn key_of(note: &Resource) -> Key {
    resource_key(note.domainId, resource_id(note))
}

fn note(number: usize) -> Resource {
    Resource {
        domainId: U256::from(FROM_CHAIN),
        owner: owner(number).address(),
        kind: kind_of(U256::ZERO, owner(NOTES).address(), word("label", 0)),
        quantity: quantity(number),
        data: B256::ZERO,
        salt: word("salt", number),
    }
}

/// A part of a note to another chain and owner, the rest back to its owner.
fn transfer(number: usize) -> anyhow::Result<Transfer> {
    let input = note(number);
    let moved = input.quantity / U256::from(3);
    let output = |domain: u64, owner: Address, quantity: U256| Output {
        domainId: U256::from(domain),
        owner,
        kind: input.kind,
        quantity,
        data: B256::ZERO,
    };
    let recipient = Address::from_word(word("recipient", number));
    let outputs =
        vec![output(TO_CHAIN, recipient, moved), output(FROM_CHAIN, input.owner, input.quantity - moved)];
    let mut transfer = Transfer { inputs: vec![input], outputs, deadline: DEADLINE, signatures: Vec::new() };
    let domain = hub_domain(HUB_CHAIN, HUB);
    transfer.signatures = vec![sign_transfer(&owner(number), &domain, &transfer)?];
    Ok(transfer)
}

/// Amounts of a token with 18 decimals: nine bytes.
fn quantity(number: usize) -> U256 {
    U256::from(100 + number) * U256::from(10).pow(U256::from(18))
        + U256::from_be_slice(&word("dust", number)[..7])
}

fn owner(number: usize) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&word("owner", number)).expect("these hashes are below the curve's order")
}

fn word(what: &str, number: usize) -> B256 {
    keccak256(format!("hypha gas {what} {number}"))
}
