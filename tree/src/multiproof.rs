//! The multiproof as data, and its one encoding.

use crate::{Key, ProofError, Root, Touch, Transition, ValueHash, sections::Sections, tree::Place, verify};

/// What stands where a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalKind {
    /// No leaf: every key whose path ends here is absent.
    Empty,
    /// The leaf of one of the touched keys.
    Own,
    /// The leaf of a key that is not touched: every touched key whose path ends here is absent.
    Foreign,
}

/// The place where the paths of one or more touched keys end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// What stands there.
    pub kind: TerminalKind,
    /// How many bits of the keys lead there, 0 to 256.
    pub depth: u16,
}

/// A proof about one or more keys that is well formed but has not been checked against a root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Multiproof {
    pub(crate) terminals: Vec<Terminal>,
    /// As many as there are foreign terminals.
    pub(crate) foreign: Vec<(Key, ValueHash)>,
    /// Whether each sibling has a hash; the others are empty subtrees.
    pub(crate) siblings: Vec<bool>,
    /// As many as there are siblings with a hash.
    pub(crate) hashes: Vec<[u8; 32]>,
}

impl Multiproof {
    /// Where the paths end, from left to right. A proof for one key shows membership when its only terminal is
    /// the key's own leaf, absence otherwise.
    pub fn terminals(&self) -> &[Terminal] {
        &self.terminals
    }

    /// The leaves of the foreign terminals, from left to right.
    pub fn foreign_leaves(&self) -> &[(Key, ValueHash)] {
        &self.foreign
    }

    /// The siblings in the order in which the walk consumes them, none where the sibling is an empty subtree.
    pub fn siblings(&self) -> impl Iterator<Item = Option<[u8; 32]>> + '_ {
        let mut hashes = self.hashes.iter();
        self.siblings.iter().map(move |present| if *present { hashes.next().copied() } else { None })
    }

    /// Adds the place at `depth` where paths end, and the leaf that stands there, if one does.
    pub(crate) fn add_terminal(&mut self, depth: u16, leaf: Option<(Key, ValueHash)>, is_own: bool) {
        let kind = match leaf {
            None => TerminalKind::Empty,
            Some(_) if is_own => TerminalKind::Own,
            Some(leaf) => {
                self.foreign.push(leaf);
                TerminalKind::Foreign
            }
        };
        self.terminals.push(Terminal { kind, depth });
    }

    /// Adds a sibling.
    pub(crate) fn add_sibling(&mut self, sibling: Place<'_>) {
        self.siblings.push(!sibling.is_empty());
        self.hashes.extend((!sibling.is_empty()).then(|| sibling.hash()));
    }

    /// The encoding of the specification.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for count in [self.terminals.len(), self.foreign.len(), self.siblings.len()] {
            let count =
                u32::try_from(count).expect("a decoded count has 32 bits, a proof of more fits no memory");
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        for terminal in &self.terminals {
            let kind: u16 = match terminal.kind {
                TerminalKind::Empty => 0,
                TerminalKind::Own => 1,
                TerminalKind::Foreign => 2,
            };
            bytes.extend_from_slice(&(kind << 14 | terminal.depth).to_be_bytes());
        }
        for (key, value_hash) in &self.foreign {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(value_hash.as_bytes());
        }
        for eight in self.siblings.chunks(8) {
            let byte = eight.iter().enumerate().map(|(bit, present)| u8::from(*present) << (7 - bit)).sum();
            bytes.push(byte);
        }
        bytes.extend_from_slice(self.hashes.as_flattened());
        bytes
    }

    /// Reads an encoding, so that what is read encodes to the same bytes. Needs memory in proportion to `bytes`.
    ///
    /// # Errors
    /// The first of the walk's reasons that can be told without the keys: lengths, headers from first to last with
    /// their foreign leaves, siblings from first to last, what is left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut sections = Sections::split(bytes)?;
        let mut proof = Self::default();
        let (terminals, siblings) = sections.left();
        for _ in 0..terminals {
            let terminal = sections.terminal()?;
            if terminal.kind == TerminalKind::Foreign {
                proof.foreign.push(sections.foreign()?);
            }
            proof.terminals.push(terminal);
        }
        for _ in 0..siblings {
            let sibling = sections.sibling()?;
            proof.siblings.push(sibling.is_some());
            proof.hashes.extend(sibling);
        }
        sections.finish()?;
        Ok(proof)
    }

    /// Checks the proof as [`verify`] does.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self, root: Root, touches: &[Touch]) -> Result<Transition, ProofError> {
        verify(root, touches, &self.encode())
    }
}
