//! The vectors of proofs that are refused, each for the reason that it names.

use std::collections::BTreeSet;

use hypha_tree::{EMPTY, Key, Multiproof, Root, Touch, Tree, ValueHash, keccak, verify};
use serde_json::Value;

use crate::{
    forgery::Forgery,
    model::{Leaf, honest_touches, written},
    random::{Random, flip},
    vectors::{hash, key, refusal, tree},
};

/// Altered proofs in the file: enough that most reasons occur, few enough for a file that is read in a moment.
const HOSTILE: usize = 200;

/// A tree and an honest proof of some touches, to be altered.
struct Example {
    tree: Tree,
    touches: Vec<Touch>,
    forgery: Forgery,
}

impl Example {
    fn new(tree: Tree, writes: &[(Key, Option<ValueHash>)]) -> Self {
        let touches = honest_touches(&tree, writes);
        let keys: Vec<Key> = touches.iter().map(|touch| touch.key).collect();
        let forgery = Forgery::from(&tree.prove(&keys));
        let proof = forgery.encode();
        assert_eq!(proof, tree.prove(&keys).encode());
        assert!(verify(tree.root(), &touches, &proof).is_ok());
        Self { tree, touches, forgery }
    }

    /// The refusal, for `reason`, of the proof with these parts altered.
    fn forged(&self, reason: &str, name: &str, alter: impl FnOnce(&mut Forgery)) -> Value {
        let mut forgery = self.forgery.clone();
        alter(&mut forgery);
        self.bytes(reason, name, &forgery.encode())
    }

    fn bytes(&self, reason: &str, name: &str, proof: &[u8]) -> Value {
        expect(reason, refusal(name, self.tree.root(), &self.touches, proof))
    }

    /// The refusal of the honest proof for altered touches.
    fn claimed(&self, reason: &str, name: &str, alter: impl FnOnce(&mut Vec<Touch>)) -> Value {
        let mut touches = self.touches.clone();
        alter(&mut touches);
        expect(reason, refusal(name, self.tree.root(), &touches, &self.forgery.encode()))
    }

    fn at_root(&self, reason: &str, name: &str, root: Root) -> Value {
        expect(reason, refusal(name, root, &self.touches, &self.forgery.encode()))
    }
}

fn expect(reason: &str, vector: Value) -> Value {
    assert_eq!(vector["reason"], reason, "{}", vector["name"]);
    vector
}

/// Four touches: the first leaf of a pair, an empty slot, a foreign leaf, an own leaf.
fn example() -> Example {
    let leaves = [key(&[0x10]), key(&[0x12]), key(&[0x90]), key(&[0xd0]), key(&[0xe0])];
    let writes = [
        (leaves[0], Some(hash(20))),
        (key(&[0x50]), Some(hash(21))),
        (key(&[0xa0]), None),
        (leaves[3], None),
    ];
    let example = Example::new(tree(&leaves), &writes);
    let kinds: Vec<u16> = example.forgery.headers.iter().map(|header| header >> 14).collect();
    assert_eq!(kinds, [1, 0, 2, 1]);
    assert_eq!(example.forgery.bits, [true, false, false, false, false, true]);
    example
}

pub(crate) fn refused() -> Vec<Value> {
    let mut vectors = refused_claims();
    vectors.extend(refused_lengths());
    vectors.extend(refused_terminals());
    vectors.extend(refused_foreign_leaves());
    vectors.extend(refused_siblings());
    vectors.extend(refused_roots());
    let covered: BTreeSet<&str> = vectors.iter().filter_map(|vector| vector["reason"].as_str()).collect();
    assert_eq!(covered.len(), 21, "every reason but EmptyValue, which no proof gives: {covered:?}");
    vectors
}

fn refused_claims() -> Vec<Value> {
    let example = example();
    let zero = Key::from([0; 32]);
    let without_keys =
        |root| expect("NoKeys", refusal("no key, whatever the root", root, &[], &example.forgery.encode()));
    let zero_root_and_key = {
        let touch = Touch { key: zero, old: None, new: None };
        refusal("a root of zero before a key of zero", Root::from([0; 32]), &[touch], &[])
    };
    vec![
        example.claimed("NoKeys", "no key", Vec::clear),
        without_keys(Root::from([0; 32])),
        example.at_root("ZeroRoot", "a root of zero", Root::from([0; 32])),
        expect("ZeroRoot", zero_root_and_key),
        example.claimed("ZeroKey", "a key of zero", |touches| touches[0].key = zero),
        example.claimed("ZeroKey", "a key of zero before a repeated one", |touches| {
            touches[0].key = zero;
            touches[1].key = zero;
        }),
        example.claimed("KeyRepeated", "a repeated key", |touches| touches[2] = touches[1]),
        example.claimed("KeyRepeated", "a repeated key before a smaller one", |touches| {
            touches[1] = touches[0];
            touches.swap(2, 3);
        }),
        example.claimed("KeysNotAscending", "keys that do not ascend", |touches| touches.swap(1, 2)),
        example.claimed("KeysNotAscending", "a smaller key before a repeated one", |touches| {
            touches.swap(0, 1);
            touches[3] = touches[2];
        }),
        example.claimed("KeysNotAscending", "a last key of zero", |touches| touches[3].key = zero),
    ]
}

fn refused_lengths() -> Vec<Value> {
    let example = example();
    let proof = example.forgery.encode();
    let length = "ProofLength";
    let longer = |more: usize| [&proof[..], &vec![0xab; more]].concat();
    let counted = |at: usize, count: u32| {
        let mut bytes = proof.clone();
        bytes[at..at + 4].copy_from_slice(&count.to_be_bytes());
        bytes
    };
    vec![
        example.bytes(length, "no proof", &[]),
        example.bytes(length, "counts cut off", &proof[..11]),
        example.bytes(length, "nothing but counts", &proof[..12]),
        example.bytes(length, "headers cut off", &proof[..15]),
        example.bytes(length, "last byte cut off", &proof[..proof.len() - 1]),
        example.bytes(length, "one byte more", &longer(1)),
        example.bytes(length, "31 bytes more", &longer(31)),
        example.bytes(length, "more hashes than siblings", &longer(5 * 32)),
        example.bytes(length, "more hashes than siblings and a part of one", &longer(5 * 32 + 7)),
        example.bytes(length, "most terminals that a count can say", &counted(0, u32::MAX)),
        example.bytes(length, "most foreign leaves that a count can say", &counted(4, u32::MAX)),
        example.bytes(length, "most siblings that a count can say", &counted(8, u32::MAX)),
        example.bytes(length, "most of everything", &[[0xff; 12].to_vec(), proof[12..].to_vec()].concat()),
    ]
}

fn refused_terminals() -> Vec<Value> {
    let example = example();
    let base = key(&[0x30]);
    let under_slot = Example::new(
        tree(&[key(&[0x80]), key(&[0xc0])]),
        &[(base, None), (flip(base, 9), None), (key(&[0xc0]), None)],
    );
    let pair = Example::new(tree(&[base, flip(base, 255)]), &[(base, None), (flip(base, 255), None)]);
    vec![
        example.forged("TerminalMissing", "no terminal", |forgery| forgery.headers.clear()),
        example.forged("TerminalMissing", "a terminal too few", |forgery| {
            forgery.headers.pop();
        }),
        example.forged("TerminalHeader", "kind 3", |forgery| forgery.headers[0] |= 0xc000),
        example.forged("TerminalHeader", "bit 13", |forgery| forgery.headers[2] |= 0x2000),
        example.forged("TerminalHeader", "bit 13 of an own leaf", |forgery| forgery.headers[0] |= 0x2000),
        example.forged("TerminalHeader", "bit 9", |forgery| forgery.headers[1] |= 0x0200),
        example.forged("TerminalHeader", "a header before its depth", |forgery| forgery.headers[0] = 0xffff),
        example.forged("DepthTooLarge", "depth 257", |forgery| forgery.headers[0] = 0x4101),
        example.forged("DepthTooLarge", "depth 511", |forgery| forgery.headers[3] = 0x41ff),
        under_slot.forged(
            "TerminalOverlap",
            "one empty slot as two, the second above the first",
            |forgery| {
                forgery.headers.splice(0..1, [10, 1]);
            },
        ),
        under_slot.forged(
            "TerminalOverlap",
            "one empty slot as two, the second one bit too high",
            |forgery| {
                forgery.headers.splice(0..1, [10, 9]);
            },
        ),
        example.forged("TerminalOverlap", "a terminal at depth 0 after another", |forgery| {
            forgery.headers[1] = 0
        }),
        under_slot.forged("RootMismatch", "one empty slot as two side by side", |forgery| {
            forgery.headers.splice(0..1, [10, 10]);
            forgery.bits.splice(0..0, [false; 8]);
        }),
        example.claimed("ClaimMismatch", "an own leaf claimed absent", |touches| touches[0].old = None),
        example.claimed("ClaimMismatch", "an empty slot claimed present", |touches| {
            touches[1].old = Some(hash(1))
        }),
        example.claimed("ClaimMismatch", "a foreign leaf claimed present", |touches| {
            touches[2].old = Some(hash(3))
        }),
        example.forged("ClaimMismatch", "a claim before a missing foreign leaf", |forgery| {
            forgery.headers[3] |= 0xc000;
            forgery.headers[3] ^= 0x4000;
        }),
        pair.forged("ClaimMismatch", "one own leaf for two present keys", |forgery| {
            forgery.headers = vec![0x40ff];
        }),
        example.forged("TerminalUnused", "a terminal too many", |forgery| forgery.headers.push(3)),
        example.forged("TerminalUnused", "a terminal and all else too many", |forgery| {
            forgery.headers.push(0xffff);
            forgery.foreign.push((base, hash(1)));
            forgery.bits.push(true);
            forgery.padding = 1;
        }),
    ]
}

fn refused_foreign_leaves() -> Vec<Value> {
    let example = example();
    let touched = example.touches[2].key;
    let member = Example::new(example.tree.clone(), &[(key(&[0xd0]), None)]);
    let as_absent = [Touch { key: key(&[0xd0]), old: None, new: None }];
    let mut own_as_foreign = member.forgery.clone();
    own_as_foreign.headers[0] ^= 0xc000;
    own_as_foreign.foreign.push((key(&[0xd0]), hash(4)));
    let refused_member =
        refusal("a member's own leaf as foreign", example.tree.root(), &as_absent, &own_as_foreign.encode());
    vec![
        example.forged("ForeignMissing", "no foreign leaf", |forgery| forgery.foreign.clear()),
        example.forged("ForeignMissing", "an empty slot called foreign", |forgery| {
            forgery.headers[1] |= 0x8000;
            forgery.foreign[0].0 = key(&[0x51]);
        }),
        example.forged("ForeignOffPath", "a foreign leaf off its path", |forgery| {
            forgery.foreign[0].0 = key(&[0xc0])
        }),
        example.forged("ForeignOffPath", "a foreign leaf with a key of zero", |forgery| {
            forgery.foreign[0].0 = Key::from([0; 32]);
        }),
        example.forged("ForeignIsTouched", "a foreign leaf with a touched key", |forgery| {
            forgery.foreign[0].0 = touched
        }),
        expect("ForeignIsTouched", refused_member),
        example.forged("ForeignUnused", "a foreign leaf too many", |forgery| {
            forgery.foreign.push((touched, hash(1)))
        }),
        example.forged("ForeignUnused", "a foreign leaf and a sibling too many", |forgery| {
            forgery.foreign.push((touched, hash(1)));
            forgery.bits.push(false);
        }),
        example.forged("RootMismatch", "another foreign leaf on the path", |forgery| {
            forgery.foreign[0].0 = key(&[0xb0]);
        }),
    ]
}

fn refused_siblings() -> Vec<Value> {
    let example = example();
    vec![
        example.forged("SiblingMissing", "a sibling too few", |forgery| {
            forgery.bits.pop();
            forgery.hashes.pop();
        }),
        example.forged("SiblingMissing", "no sibling", |forgery| {
            forgery.bits.clear();
            forgery.hashes.clear();
        }),
        example.forged("SiblingMissing", "a hash too few", |forgery| {
            forgery.hashes.pop();
        }),
        example.forged("SiblingIsEmpty", "an empty sibling spelled out", |forgery| {
            forgery.bits[3] = true;
            forgery.hashes.insert(1, EMPTY);
        }),
        example.forged("SiblingIsEmpty", "the last sibling empty", |forgery| forgery.hashes[1] = EMPTY),
        example.forged("SiblingUnused", "an empty sibling too many", |forgery| forgery.bits.push(false)),
        example.forged("SiblingUnused", "a sibling with a hash too many", |forgery| {
            forgery.bits.push(true);
            forgery.hashes.push([0x77; 32]);
        }),
        example.forged("SiblingUnused", "a hash too many", |forgery| forgery.hashes.push([0x77; 32])),
        example
            .forged("SiblingUnused", "a hash that is empty too many", |forgery| forgery.hashes.push(EMPTY)),
        example.forged("SiblingUnused", "a hash too many and padding", |forgery| {
            forgery.hashes.push([0x77; 32]);
            forgery.padding = 1;
        }),
        example.forged("SiblingPadding", "the last bit of padding", |forgery| forgery.padding = 1),
        example.forged("SiblingPadding", "the first bit of padding", |forgery| forgery.padding = 2),
        example.forged("RootMismatch", "a sibling of zero", |forgery| forgery.hashes[0] = [0; 32]),
        example.forged("RootMismatch", "siblings exchanged", |forgery| forgery.hashes.swap(0, 1)),
        example.forged("SiblingPadding", "padding before the root", |forgery| {
            forgery.hashes[0] = [1; 32];
            forgery.padding = 1;
        }),
    ]
}

fn refused_roots() -> Vec<Value> {
    let example = example();
    let next = example.tree.with(written(&example.touches));
    let single = Example::new(example.tree.clone(), &[(key(&[0xd0]), None)]);
    vec![
        example.at_root("RootMismatch", "another root", Root::from([0x99; 32])),
        example.at_root("RootMismatch", "the root of the empty tree", Root::EMPTY),
        example.at_root("RootMismatch", "the new root as the old one", next.root()),
        example.claimed("RootMismatch", "another old value", |touches| touches[3].old = Some(hash(77))),
        example.claimed("RootMismatch", "another absent key on the path of a leaf", |touches| {
            touches[3].key = flip(touches[3].key, 255);
        }),
        single.forged("RootMismatch", "a leaf below its place", |forgery| {
            forgery.headers[0] += 1;
            forgery.bits.insert(0, false);
        }),
        expect("RootMismatch", {
            let touches = [Touch { key: key(&[0xd0]), old: None, new: Some(hash(1)) }];
            let mut forgery = single.forgery.clone();
            forgery.headers[0] &= 0x1ff;
            refusal("a member's place as an empty slot", single.tree.root(), &touches, &forgery.encode())
        }),
    ]
}

pub(crate) fn hostile() -> Vec<Value> {
    let mut random = Random::new("hostile");
    let mut vectors = Vec::new();
    while vectors.len() < HOSTILE {
        let name = format!("altered {}", vectors.len());
        let (tree, touches, keys) = random_example(&mut random);
        let honest = tree.prove(&keys);
        let (mut root, mut claims) = (tree.root(), touches.clone());
        let proof = match random.below(4) {
            0 => altered_bytes(&honest, &mut random),
            1 => {
                alter_claims(&mut root, &mut claims, &mut random);
                honest.encode()
            }
            _ => altered_parts(&honest, &tree, &keys, &mut random),
        };
        // Alterations may cancel each other, or fall where nothing is.
        if proof != honest.encode() || claims != touches || root != tree.root() {
            vectors.push(refusal(&name, root, &claims, &proof));
        }
    }
    let reasons: BTreeSet<&str> = vectors.iter().filter_map(|vector| vector["reason"].as_str()).collect();
    assert!(reasons.len() >= 17, "of 21: {reasons:?}");
    vectors
}

fn random_example(random: &mut Random) -> (Tree, Vec<Touch>, Vec<Key>) {
    let size = 2 + random.below(30);
    let mut leaves: Vec<Leaf> = (0..size).map(|_| (random.key(), random.value_hash())).collect();
    leaves.push((flip(leaves[0].0, 4 + random.below(60) as u16), random.value_hash()));
    let tree = Tree::new().with(leaves.iter().copied());
    let count = 1 + random.below(5);
    let writes: Vec<_> = (0..count)
        .map(|_| {
            let known = random.pick(&leaves).0;
            let key = *random.pick(&[known, random_near(known), keccak_of(known)]);
            (key, (known.bit(7)).then(|| ValueHash::of(known.as_bytes())))
        })
        .collect();
    let touches = honest_touches(&tree, &writes);
    let keys = touches.iter().map(|touch| touch.key).collect();
    (tree, touches, keys)
}

fn random_near(key: Key) -> Key {
    flip(key, u16::from(key.as_bytes()[31]))
}

fn keccak_of(key: Key) -> Key {
    Key::from(keccak(key.as_bytes()))
}

fn altered_bytes(honest: &Multiproof, random: &mut Random) -> Vec<u8> {
    let mut bytes = honest.encode();
    // Early bytes steer the walk, so they are altered as often as all others together.
    let bound = if random.below(2) == 0 { 16 } else { bytes.len() };
    let position = random.below(bound.min(bytes.len()));
    match random.below(4) {
        0 => bytes[position] ^= 1 << random.below(8),
        1 => bytes[position] = random.word()[0],
        2 => drop(bytes.remove(position)),
        _ => bytes.insert(position, random.word()[0]),
    }
    bytes
}

fn altered_parts(honest: &Multiproof, tree: &Tree, keys: &[Key], random: &mut Random) -> Vec<u8> {
    let mut forgery = Forgery::from(honest);
    let touched = keys.iter().map(|key| (*key, hash(0)));
    let leaves: Vec<Leaf> = tree.iter().chain(touched).collect();
    for _ in 0..=random.below(2) {
        forgery.alter(random, &leaves);
    }
    forgery.encode()
}

fn alter_claims(root: &mut Root, touches: &mut [Touch], random: &mut Random) {
    let position = random.below(touches.len());
    match random.below(5) {
        0 => *root = Root::from(random.word()),
        1 => touches[position].old = None,
        2 => touches[position].old = Some(random.value_hash()),
        3 => touches.reverse(),
        _ => touches[position].key = touches[0].key,
    }
}
