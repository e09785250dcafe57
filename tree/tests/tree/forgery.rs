//! Proofs put together part by part, as a forger would.

use hypha_tree::{EMPTY, Multiproof, TerminalKind};

use crate::{model::Leaf, random::Random};

/// An encoded proof in parts, each of which may say anything.
#[derive(Clone, Default)]
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
