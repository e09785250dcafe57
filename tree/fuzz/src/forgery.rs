//! Alterations of honest bytes.

use hypha_tree::{EMPTY, Multiproof, TerminalKind};

use crate::{model::Leaf, source::Source};

/// Alterations of one proof, at most.
const ALTERATIONS: usize = 4;

/// An encoded multiproof in parts, each of which may say anything.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) headers: Vec<u16>,
    pub(crate) foreign: Vec<Leaf>,
    pub(crate) bits: Vec<bool>,
    pub(crate) padding: u8,
    pub(crate) hashes: Vec<[u8; 32]>,
}

impl Parts {
    pub(crate) fn of(proof: &Multiproof) -> Self {
        let kind = |kind| match kind {
            TerminalKind::Empty => 0,
            TerminalKind::Own => 1,
            TerminalKind::Foreign => 2,
        };
        let header = |terminal: &hypha_tree::Terminal| kind(terminal.kind) << 14 | terminal.depth;
        Self {
            headers: proof.terminals().iter().map(header).collect(),
            foreign: proof.foreign_leaves().to_vec(),
            bits: proof.siblings().map(|sibling| sibling.is_some()).collect(),
            padding: 0,
            hashes: proof.siblings().flatten().collect(),
        }
    }

    /// The encoding of the specification, bit by bit.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let counts = [self.headers.len(), self.foreign.len(), self.bits.len()];
        let mut bytes: Vec<u8> = counts.iter().flat_map(|count| (*count as u32).to_be_bytes()).collect();
        bytes.extend(self.headers.iter().flat_map(|header| header.to_be_bytes()));
        bytes.extend(self.foreign.iter().flat_map(|leaf| [*leaf.0.as_bytes(), *leaf.1.as_bytes()]).flatten());
        let bitmap = bytes.len();
        bytes.resize(bitmap + self.bits.len().div_ceil(8), 0);
        for (index, _) in self.bits.iter().enumerate().filter(|(_, bit)| **bit) {
            bytes[bitmap + index / 8] |= 0x80 >> (index % 8);
        }
        if bytes.len() > bitmap {
            *bytes.last_mut().expect("just seen to be there") |= self.padding;
        }
        bytes.extend(self.hashes.as_flattened());
        bytes
    }

    /// Alters one part, so that counts and length mostly still agree.
    fn alter(&mut self, source: &mut Source<'_>) {
        match source.below(13) {
            0 => change(&mut self.headers, source, |header, source| {
                *header = *header & 0x3fff | u16::from(source.byte()) << 14;
            }),
            1 => change(&mut self.headers, source, |header, _| *header = header.wrapping_add(1)),
            2 => change(&mut self.headers, source, |header, _| *header = header.wrapping_sub(1)),
            3 => change(&mut self.headers, source, |header, source| *header ^= 1 << (source.byte() & 15)),
            4 => resize(&mut self.headers, source, |source| u16::from(source.byte()) << 8),
            5 => change(&mut self.foreign, source, |leaf, source| *leaf = source.leaf()),
            6 => resize(&mut self.foreign, source, |source| source.leaf()),
            7 => change(&mut self.bits, source, |bit, _| *bit ^= true),
            8 => resize(&mut self.bits, source, |_| false),
            9 => change(&mut self.hashes, source, |hash, _| *hash = EMPTY),
            10 => {
                resize(&mut self.hashes, source, |_| EMPTY);
                resize(&mut self.bits, source, |_| true);
            }
            11 => self.spell_out(source),
            _ => self.padding ^= source.byte(),
        }
    }

    /// Gives an empty sibling the hash that it has.
    fn spell_out(&mut self, source: &mut Source<'_>) {
        let index = source.below(self.bits.len());
        if self.bits.get(index) == Some(&false) {
            self.bits[index] = true;
            let hash = self.bits[..index].iter().filter(|bit| **bit).count();
            self.hashes.insert(hash.min(self.hashes.len()), EMPTY);
        }
    }
}

/// Changes one item, when there is any.
fn change<T>(items: &mut [T], source: &mut Source<'_>, alter: impl Fn(&mut T, &mut Source<'_>)) {
    let index = source.below(items.len());
    if let Some(item) = items.get_mut(index) {
        alter(item, source);
    }
}

/// Inserts an item, or removes one when there is any.
fn resize<T>(items: &mut Vec<T>, source: &mut Source<'_>, item: impl Fn(&mut Source<'_>) -> T) {
    let index = source.below(items.len() + 1);
    if source.byte() & 1 == 0 || index == items.len() {
        let item = item(source);
        items.insert(index, item);
    } else {
        items.remove(index);
    }
}

/// Alters an encoded multiproof as long as there are choices, in its parts or in its bytes.
pub(crate) fn forge(proof: Vec<u8>, source: &mut Source<'_>) -> Vec<u8> {
    let mut proof = proof;
    for _ in 0..ALTERATIONS {
        if source.is_exhausted() {
            break;
        }
        match Multiproof::decode(&proof) {
            Ok(decoded) if source.byte() & 1 == 0 => {
                let mut parts = Parts::of(&decoded);
                parts.alter(source);
                proof = parts.encode();
            }
            _ => alter_bytes(&mut proof, source),
        }
    }
    proof
}

/// Alters one thing in bytes of any format.
pub(crate) fn alter_bytes(bytes: &mut Vec<u8>, source: &mut Source<'_>) {
    match source.below(6) {
        0 => change(bytes, source, |byte, source| *byte ^= 1 << (source.byte() & 7)),
        1 => change(bytes, source, |byte, source| *byte = source.byte()),
        2 => resize(bytes, source, |source| source.byte()),
        3 => bytes.truncate(source.below(bytes.len())),
        4 => bytes.extend(vec![source.byte(); source.below(65)]),
        _ => alter_word(bytes, source),
    }
}

/// Repeats, drops, empties or swaps one of the 32-byte words that bytes of our formats end in.
fn alter_word(bytes: &mut Vec<u8>, source: &mut Source<'_>) {
    let words = bytes.len() / 32;
    let start = |word: usize| bytes.len() - 32 * (word + 1);
    if words == 0 {
        return;
    }
    let (one, other) = (start(source.below(words)), start(source.below(words)));
    let word: Vec<u8> = bytes[one..one + 32].to_vec();
    match source.below(5) {
        0 => drop(bytes.splice(other..other, word)),
        1 => drop(bytes.drain(one..one + 32)),
        2 => bytes[one..one + 32].copy_from_slice(&EMPTY),
        3 => bytes[one..one + 32].fill(0),
        _ => {
            bytes.copy_within(other..other + 32, one);
            bytes[other..other + 32].copy_from_slice(&word);
        }
    }
}
