//! Proofs made by an attacker, who may also choose the root.

use std::collections::BTreeMap;

use hypha_tree::{EMPTY, Key, Multiproof, ProofError, Root, TerminalKind, Touch, Tree, ValueHash, verify};
use proptest::prelude::*;

use crate::{
    model::{Leaf, keys, leaves},
    random::Random,
};

/// An encoded proof in parts, each of which may say anything.
#[derive(Clone)]
pub(crate) struct Forgery {
    pub(crate) headers: Vec<u16>,
    pub(crate) foreign: Vec<Leaf>,
    pub(crate) bits: Vec<bool>,
    pub(crate) padding: u8,
    pub(crate) hashes: Vec<[u8; 32]>,
}

impl Forgery {
    /// The parts of an honest proof.
    pub(crate) fn from(proof: &Multiproof) -> Self {
        let header = |kind, depth| match kind {
            TerminalKind::Empty => depth,
            TerminalKind::Own => 0x4000 | depth,
            TerminalKind::Foreign => 0x8000 | depth,
        };
        Self {
            headers: proof.terminals().iter().map(|terminal| header(terminal.kind, terminal.depth)).collect(),
            foreign: proof.foreign_leaves().to_vec(),
            bits: proof.siblings().map(|sibling| sibling.is_some()).collect(),
            padding: 0,
            hashes: proof.siblings().flatten().collect(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let counts = [self.headers.len(), self.foreign.len(), self.bits.len()];
        let mut bytes: Vec<u8> = counts.iter().flat_map(|count| (*count as u32).to_be_bytes()).collect();
        bytes.extend(self.headers.iter().flat_map(|header| header.to_be_bytes()));
        for (key, value_hash) in &self.foreign {
            bytes.extend(key.as_bytes());
            bytes.extend(value_hash.as_bytes());
        }
        let mut bitmap = vec![0; self.bits.len().div_ceil(8)];
        for (index, _) in self.bits.iter().enumerate().filter(|(_, bit)| **bit) {
            bitmap[index / 8] |= 0x80 >> (index % 8);
        }
        if let Some(last) = bitmap.last_mut() {
            *last |= self.padding;
        }
        bytes.extend(bitmap);
        bytes.extend(self.hashes.as_flattened());
        bytes
    }

    /// Alters one thing; `leaves` are such as an attacker may want to show.
    pub(crate) fn alter(&mut self, random: &mut Random, leaves: &[Leaf]) {
        let header = random.below(self.headers.len().max(1));
        let sibling = random.below(self.bits.len() + 1);
        let hash = random.below(self.hashes.len() + 1);
        match random.below(17) {
            0 => self.on_header(header, |depth, _| (depth, 0)),
            1 => self.on_header(header, |depth, _| (depth, 1)),
            2 => self.on_header(header, |depth, _| (depth, 2)),
            3 => self.on_header(header, |depth, kind| (depth + 1, kind)),
            4 => self.on_header(header, |depth, kind| (depth.saturating_sub(1), kind)),
            5 => self.foreign.insert(random.below(self.foreign.len() + 1), *random.pick(leaves)),
            6 => drop(self.foreign.pop()),
            7 => self.bits.insert(sibling, false),
            8 => {
                self.bits.insert(sibling, true);
                self.hashes.insert(hash, random.word());
            }
            9 if sibling < self.bits.len() => {
                // The sibling and its hash go together.
                let hash = self.bits[..sibling].iter().filter(|bit| **bit).count();
                if self.bits.remove(sibling) && hash < self.hashes.len() {
                    self.hashes.remove(hash);
                }
            }
            10 if hash < self.hashes.len() => self.hashes[hash] = random.word(),
            11 if sibling < self.bits.len() => self.bits[sibling] ^= true,
            12 => self.headers.push(random.word()[0].into()),
            13 => {
                let leaf = random.below(self.foreign.len().max(1));
                if let Some(foreign) = self.foreign.get_mut(leaf) {
                    *foreign = *random.pick(leaves);
                }
            }
            14 if hash < self.hashes.len() => self.hashes[hash] = EMPTY,
            15 => self.padding |= 1,
            16 => {
                let deep = random.below(512) as u16;
                self.on_header(header, |_, kind| (deep, kind));
            }
            _ => drop(self.headers.pop()),
        }
    }

    fn on_header(&mut self, index: usize, change: impl Fn(u16, u16) -> (u16, u16)) {
        if let Some(header) = self.headers.get_mut(index) {
            let (depth, kind) = change(*header & 0x1ff, *header >> 14);
            *header = kind << 14 | depth & 0x1ff;
        }
    }
}

/// The root for which `proof` shows the claim, when there is one.
fn root_shown(touch: Touch, proof: &[u8]) -> Option<Root> {
    match verify(Root::from([1; 32]), &[touch], proof) {
        Err(ProofError::RootMismatch { actual, .. }) => Some(actual),
        _ => None,
    }
}

/// Proofs about `key` that an attacker could make from the trees with `leaves` and some of them.
fn forgeries(key: Key, leaves: &[Leaf], random: &mut Random) -> Vec<Vec<u8>> {
    let mut proofs = Vec::new();
    for size in 0..=leaves.len() {
        let tree = Tree::new().with(leaves[..size].iter().copied());
        for other in leaves.iter().map(|leaf| leaf.0).chain([key]) {
            let honest = Forgery::from(&tree.prove(&[other]));
            proofs.push(honest.encode());
            for alterations in 1..4 {
                let mut forgery = honest.clone();
                (0..alterations).for_each(|_| forgery.alter(random, leaves));
                proofs.push(forgery.encode());
            }
        }
    }
    proofs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_root_has_both_membership_and_absence_nor_two_values(
        key in keys(),
        others in leaves(8),
        seed in any::<u64>(),
    ) {
        let mut random = Random::new(&seed.to_string());
        let values = [1, 2].map(|value: u8| ValueHash::of(&[value]));
        let mut leaves = others;
        leaves.insert(leaves.len() / 2, (key, values[0]));
        leaves.push((key, values[1]));
        let claims = [None, Some(values[0]), Some(values[1])];
        let mut shown: BTreeMap<Root, Option<ValueHash>> = BTreeMap::new();
        for proof in forgeries(key, &leaves, &mut random) {
            for old in claims {
                if let Some(root) = root_shown(Touch { key, old, new: None }, &proof) {
                    prop_assert_eq!(*shown.entry(root).or_insert(old), old, "two claims at root {}", root);
                }
            }
        }
        // The attack was one: all three claims were shown, each for roots of its own.
        for claim in claims {
            prop_assert!(shown.values().any(|old| *old == claim));
        }
    }
}

#[test]
fn a_members_own_leaf_never_shows_its_absence() {
    let (key, value_hash) = (Key::from([0x42; 32]), ValueHash::of(b"1"));
    let tree = Tree::new().with([(key, value_hash), (Key::from([0xf0; 32]), value_hash)]);
    let mut forgery = Forgery::from(&tree.prove(&[key]));
    forgery.headers[0] ^= 0xc000;
    forgery.foreign.push((key, value_hash));
    let verdict = verify(tree.root(), &[Touch { key, old: None, new: None }], &forgery.encode());
    assert_eq!(verdict, Err(ProofError::ForeignIsTouched { index: 0 }));
}
