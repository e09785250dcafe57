//! `test/vectors/tree.json`: made here, compared with the committed file, replayed by Solidity.

use std::{collections::BTreeSet, env, fs, path::Path};

use hypha_tree::{Key, ProofError, Root, Touch, Tree, ValueHash, keccak, verify};
use serde_json::{Value, json};

use crate::{
    model::{honest_proof, honest_touches, written},
    random::{Random, flip},
    refusals,
};

/// Set to write the file instead of comparing with it.
const WRITE: &str = "HYPHA_WRITE_VECTORS";

#[test]
fn vectors_are_those_of_the_committed_file() {
    let made = json!({
        "roots": roots(),
        "transitions": transitions(),
        "refused": refusals::refused(),
        "hostile": refusals::hostile(),
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/vectors/tree.json");
    if env::var_os(WRITE).is_some() {
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(&path, format!("{made:#}\n")).expect("the file can be written");
    }
    let committed = fs::read_to_string(&path).expect("the file is committed");
    let committed: Value = serde_json::from_str(&committed).expect("the file is JSON");
    assert!(committed == made, "test/vectors/tree.json is not what this crate makes; {WRITE}=1 writes it");
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn hash_or_zero(hash: Option<ValueHash>) -> String {
    hash.unwrap_or(ValueHash::from([0; 32])).to_string()
}

/// What both kinds of vector say: the claims and the proof.
fn form(name: &str, root: Root, touches: &[Touch], proof: &[u8]) -> Value {
    json!({
        "name": name,
        "root": root.to_string(),
        "keys": touches.iter().map(|touch| touch.key.to_string()).collect::<Vec<_>>(),
        "olds": touches.iter().map(|touch| hash_or_zero(touch.old)).collect::<Vec<_>>(),
        "news": touches.iter().map(|touch| hash_or_zero(touch.new)).collect::<Vec<_>>(),
        "proof": hexadecimal(proof),
    })
}

pub(crate) fn refusal(name: &str, root: Root, touches: &[Touch], proof: &[u8]) -> Value {
    let error = verify(root, touches, proof).expect_err(name);
    let mut form = form(name, root, touches, proof);
    form["reason"] = error.reason().into();
    form["error"] = hexadecimal(&revert_data(&error)).into();
    form
}

/// The error as Solidity reverts with it: the selector, then one word for each field.
fn revert_data(error: &ProofError) -> Vec<u8> {
    let number = |number: u64| {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&number.to_be_bytes());
        word
    };
    let (types, words): (&str, Vec<[u8; 32]>) = match *error {
        ProofError::KeyRepeated { key } => ("bytes32", vec![key.into()]),
        ProofError::RootMismatch { expected, actual } => {
            ("bytes32,bytes32", vec![expected.into(), actual.into()])
        }
        ProofError::ProofLength { expected, actual } => {
            ("uint256,uint256", vec![number(expected), number(actual)])
        }
        ProofError::TerminalHeader { header: small } | ProofError::DepthTooLarge { depth: small } => {
            ("uint256", vec![number(small.into())])
        }
        ProofError::KeysNotAscending { index }
        | ProofError::TerminalOverlap { index }
        | ProofError::ClaimMismatch { index }
        | ProofError::ForeignOffPath { index }
        | ProofError::ForeignIsTouched { index }
        | ProofError::SiblingIsEmpty { index } => ("uint256", vec![number(index)]),
        ProofError::NoKeys
        | ProofError::ZeroRoot
        | ProofError::ZeroKey
        | ProofError::TerminalMissing
        | ProofError::ForeignMissing
        | ProofError::SiblingMissing
        | ProofError::TerminalUnused
        | ProofError::ForeignUnused
        | ProofError::SiblingUnused
        | ProofError::SiblingPadding
        | ProofError::EmptyValue => ("", vec![]),
    };
    let signature = format!("{}({types})", error.reason());
    [&keccak(signature.as_bytes())[..4], words.as_flattened()].concat()
}

#[test]
fn revert_data_is_the_solidity_abi() {
    // Known from elsewhere: the selector of `balanceOf(address)` is made in the same way.
    assert_eq!(hex::encode(&keccak(b"balanceOf(address)")[..4]), "70a08231");
    let error = ProofError::ProofLength { expected: 12, actual: 258 };
    let expected =
        [hex::encode(&keccak(b"ProofLength(uint256,uint256)")[..4]), format!("{:064x}{:064x}", 12, 258)];
    assert_eq!(hex::encode(revert_data(&error)), expected.concat());
}

/// The key that begins with these bytes.
pub(crate) fn key(prefix: &[u8]) -> Key {
    let mut bytes = [0x5a; 32];
    bytes[..prefix.len()].copy_from_slice(prefix);
    Key::from(bytes)
}

pub(crate) fn hash(value: u8) -> ValueHash {
    ValueHash::of(&[value])
}

/// The tree with one leaf for each key, the first with value 1.
pub(crate) fn tree(keys: &[Key]) -> Tree {
    Tree::new().with(keys.iter().zip(1..).map(|(key, value)| (*key, hash(value))))
}

fn roots() -> Vec<Value> {
    let base = key(&[0x30]);
    let split = [key(&[0x00]), key(&[0x40]), key(&[0x80]), key(&[0xc0]), key(&[0x20]), key(&[0xe0])];
    let prefixes = [base, flip(base, 255), flip(base, 254), flip(base, 128), flip(base, 127), flip(base, 8)];
    let update = [base, flip(base, 3), base, flip(base, 255), flip(base, 3), base];
    let mut random = Random::new("roots");
    let many: Vec<Key> = (0..50).map(|_| random.key()).collect();
    let cases: [(&str, &[Key]); 9] = [
        ("empty tree", &[]),
        ("one leaf", &[base]),
        ("keys that differ in bit 0", &[base, flip(base, 0)]),
        ("keys that differ only in bit 255", &[base, flip(base, 255)]),
        ("a leaf that splits", &[base, flip(base, 5), flip(base, 2)]),
        ("splits on both sides", &split),
        ("long shared prefixes", &prefixes),
        ("updates between inserts", &update),
        ("many random keys", &many),
    ];
    cases.iter().map(|(name, keys)| root_vector(name, keys)).collect()
}

fn root_vector(name: &str, keys: &[Key]) -> Value {
    // Values of one byte and of up to several words are among them.
    let values: Vec<Vec<u8>> =
        (1..).zip(keys).map(|(value, _)| vec![value; 1 + 13 * (usize::from(value) % 7)]).collect();
    let mut tree = Tree::new();
    for (key, value) in keys.iter().zip(&values) {
        tree = tree.with([(*key, ValueHash::of(value))]);
    }
    json!({
        "name": name,
        "keys": keys.iter().map(Key::to_string).collect::<Vec<_>>(),
        "values": values.iter().map(|value| hexadecimal(value)).collect::<Vec<_>>(),
        "root": tree.root().to_string(),
    })
}

fn transition(name: &str, tree: &Tree, writes: &[(Key, Option<ValueHash>)]) -> Value {
    let touches = honest_touches(tree, writes);
    let proof = honest_proof(tree, &touches);
    let step = verify(tree.root(), &touches, &proof).expect(name);
    assert_eq!(step.new, tree.with(written(&touches)).root(), "{name}");
    let mut form = form(name, tree.root(), &touches, &proof);
    form["newRoot"] = step.new.to_string().into();
    form
}

fn transitions() -> Vec<Value> {
    let mut vectors = reads();
    vectors.extend(writes());
    vectors.extend(batches());
    vectors
}

fn reads() -> Vec<Value> {
    let base = key(&[0x30]);
    let one = tree(&[base]);
    let pair = tree(&[base, flip(base, 255)]);
    let some = tree(&[base, flip(base, 0), flip(base, 3), flip(base, 200)]);
    let mut random = Random::new("reads");
    let keys: Vec<Key> = (0..40).map(|_| random.key()).collect();
    let many = tree(&keys);
    let absent: Vec<Key> = (0..12).map(|_| random.key()).collect();
    let read = |keys: &[Key]| keys.iter().map(|key| (*key, None)).collect::<Vec<_>>();
    vec![
        transition("membership in a tree of one leaf", &one, &read(&[base])),
        transition("membership", &some, &read(&[flip(base, 3)])),
        transition("membership at depth 256", &pair, &read(&[flip(base, 255)])),
        transition("membership among random keys", &many, &read(&keys[..1])),
        transition("absence from the empty tree", &Tree::new(), &read(&[base])),
        transition("absence by an empty slot", &some, &read(&[flip(base, 100)])),
        transition("absence by an empty slot at depth 255", &pair, &read(&[flip(base, 254)])),
        transition("absence by a foreign leaf", &some, &read(&[flip(flip(base, 0), 77)])),
        transition("absence by a foreign leaf that is the root", &one, &read(&[flip(base, 0)])),
        transition("absence by a foreign leaf that differs in bit 255", &one, &read(&[flip(base, 255)])),
        transition("both of two keys that differ in bit 255", &pair, &read(&[base, flip(base, 255)])),
        transition(
            "absence of several keys at one empty slot",
            &some,
            &read(&[flip(base, 100), flip(flip(base, 100), 150)]),
        ),
        transition(
            "absence of keys on both sides of a foreign leaf",
            &one,
            &read(&[flip(base, 2), flip(base, 1)]),
        ),
        transition("membership of many", &many, &read(&keys[..20])),
        transition("membership of all", &many, &read(&keys)),
        transition("membership and absence of many", &many, &read(&[&keys[..12], &absent[..]].concat())),
    ]
}

fn writes() -> Vec<Value> {
    let base = key(&[0x30]);
    let empty = Tree::new();
    let one = tree(&[base]);
    let some = tree(&[base, flip(base, 0), flip(base, 3), flip(base, 200)]);
    let (nine, ten) = (Some(hash(9)), Some(hash(10)));
    let slot = flip(base, 100);
    let apart = flip(base, 0);
    vec![
        transition("insert into the empty tree", &empty, &[(base, nine)]),
        transition("insert two into the empty tree", &empty, &[(base, nine), (flip(base, 0), ten)]),
        transition(
            "insert two that differ in bit 255 into the empty tree",
            &empty,
            &[(base, nine), (flip(base, 255), ten)],
        ),
        transition("insert beside the only leaf", &one, &[(flip(base, 0), nine)]),
        transition("insert beside the only leaf at depth 256", &one, &[(flip(base, 255), nine)]),
        transition(
            "insert on both sides of the only leaf",
            &one,
            &[(flip(base, 2), nine), (flip(base, 1), ten)],
        ),
        transition("insert into an empty slot", &some, &[(slot, nine)]),
        transition("insert that splits a leaf", &some, &[(flip(apart, 40), nine)]),
        transition("insert that splits a leaf at a long shared prefix", &some, &[(flip(apart, 254), nine)]),
        transition(
            "insert several under one empty slot",
            &some,
            &[(slot, nine), (flip(slot, 255), ten), (flip(slot, 140), nine), (flip(slot, 101), None)],
        ),
        transition(
            "insert several under one foreign leaf",
            &some,
            &[
                (flip(apart, 1), nine),
                (flip(apart, 9), ten),
                (flip(apart, 255), nine),
                (flip(apart, 8), None),
            ],
        ),
        transition("update the only leaf", &one, &[(base, nine)]),
        transition("update", &some, &[(flip(base, 200), nine)]),
        transition("write the value that is there", &one, &[(base, Some(hash(1)))]),
        transition(
            "update and insert beside under one leaf",
            &some,
            &[(apart, nine), (flip(apart, 255), ten)],
        ),
        transition("read a leaf and insert beside it", &some, &[(apart, None), (flip(apart, 255), ten)]),
        transition(
            "reads and writes",
            &some,
            &[
                (base, None),
                (apart, nine),
                (flip(base, 3), None),
                (flip(base, 200), ten),
                (slot, nine),
                (flip(base, 1), None),
            ],
        ),
    ]
}

fn batches() -> Vec<Value> {
    let mut random = Random::new("batches");
    let large = Tree::new().with((0..1_000).map(|_| (random.key(), random.value_hash())));
    let known: Vec<Key> = large.iter().map(|leaf| leaf.0).collect();
    let mut writes = Vec::new();
    for position in 0..200 {
        let key = match position % 4 {
            0 => *random.pick(&known),
            1 => flip(*random.pick(&known), 20 + random.below(236) as u16),
            _ => random.key(),
        };
        writes.push((key, (position % 5 != 0).then(|| random.value_hash())));
    }
    let keys: BTreeSet<Key> = writes.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys.len(), 200);
    vec![
        transition("inserts into a tree of a thousand leaves", &large, &writes[1..4]),
        transition("a batch of 200 keys on a tree of a thousand leaves", &large, &writes),
    ]
}
