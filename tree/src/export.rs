//! Proofs of one key in the form of ICS-23: a `CommitmentProof` in its protobuf encoding.

use crate::{
    EMPTY, Key, Tree, ValueHash,
    arena::Side,
    hash::{INTERNAL_TAG, LEAF_TAG},
    sections::DEEPEST,
    tree::{Place, View},
};

/// `HashOp.KECCAK256`. The other operations of the specification are `NO_HASH` and `NO_PREFIX`: zero, which protobuf
/// leaves out.
const KECCAK256: u64 = 3;

/// The reason why a proof cannot be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The tree has no leaf. ICS-23 shows absence by the leaves beside the key, so it cannot say this.
    #[error("absence from an empty tree cannot be exported")]
    EmptyTree,
    /// A leaf's value, which is part of the proof, is not at hand.
    #[error("the value of {key} is not known")]
    ValueUnknown {
        /// The leaf's key: the one that is proved, or a neighbour of it when it is absent.
        key: Key,
    },
    /// A value was given that is not the one that the leaf holds.
    #[error("the value given for {key} is not that of the leaf")]
    ValueMismatch {
        /// The leaf's key, as above.
        key: Key,
    },
}

/// The `ProofSpec` of this tree in its protobuf encoding, which a verifier of [`Tree::export_ics23`] needs.
pub fn ics23_spec() -> Vec<u8> {
    let mut inner = Message::default();
    inner.bytes(1, &[0, 1]);
    inner.number(2, EMPTY.len() as u64);
    inner.number(3, INTERNAL_TAG.len() as u64);
    inner.number(4, INTERNAL_TAG.len() as u64);
    inner.bytes(5, &EMPTY);
    inner.number(6, KECCAK256);
    let mut spec = Message::default();
    spec.bytes(1, &leaf_operation().0);
    spec.bytes(2, &inner.0);
    spec.number(3, u64::from(DEEPEST));
    spec.0
}

impl Tree {
    /// The ICS-23 `CommitmentProof` for `key`, in its protobuf encoding: of existence when the key has a leaf, else of
    /// non-existence by the one or two leaves next to it. The proof holds the values themselves, which the tree does
    /// not have: `value` is asked for them, by the keys of those leaves.
    ///
    /// # Errors
    /// When the tree is empty, or when `value` does not give what a leaf's value hash commits to.
    pub fn export_ics23(
        &self,
        key: Key,
        value: impl Fn(&Key) -> Option<Vec<u8>>,
    ) -> Result<Vec<u8>, ExportError> {
        let mut proof = Message::default();
        let path = self.path(&key);
        if let Some(leaf) = path.leaf.filter(|(found, _)| *found == key) {
            proof.bytes(1, &self.existence(leaf, &value)?.0);
            return Ok(proof.0);
        }
        // The fields `left` and `right` of a `NonExistenceProof`.
        let neighbours = [(2, path.neighbour(&key, Side::Left)), (3, path.neighbour(&key, Side::Right))];
        if neighbours.iter().all(|(_, neighbour)| neighbour.is_none()) {
            return Err(ExportError::EmptyTree);
        }
        let mut absence = Message::default();
        absence.bytes(1, key.as_bytes());
        for (field, neighbour) in neighbours {
            if let Some(leaf) = neighbour {
                absence.bytes(field, &self.existence(leaf, &value)?.0);
            }
        }
        proof.bytes(2, &absence.0);
        Ok(proof.0)
    }

    /// The `ExistenceProof` of a leaf of this tree.
    fn existence(
        &self,
        (key, value_hash): (Key, ValueHash),
        value: impl Fn(&Key) -> Option<Vec<u8>>,
    ) -> Result<Message, ExportError> {
        let value = value(&key).filter(|value| !value.is_empty()).ok_or(ExportError::ValueUnknown { key })?;
        if ValueHash::of(&value) != value_hash {
            return Err(ExportError::ValueMismatch { key });
        }
        let mut proof = Message::default();
        proof.bytes(1, key.as_bytes());
        proof.bytes(2, &value);
        proof.bytes(3, &leaf_operation().0);
        for (side, sibling) in self.path(&key).siblings.iter().rev() {
            proof.bytes(4, &inner_operation(*side, &sibling.hash()).0);
        }
        Ok(proof)
    }

    fn path(&self, key: &Key) -> Path<'_> {
        let mut siblings = Vec::new();
        let (leaf, _) = self.top().follow(0, key, |side, sibling| siblings.push((side, sibling)));
        Path { siblings, leaf }
    }
}

/// The way to the place where a key's path ends.
struct Path<'tree> {
    /// What lies beside the path, and on which side of it, from the top down.
    siblings: Vec<(Side, Place<'tree>)>,
    /// What stands at the end.
    leaf: Option<(Key, ValueHash)>,
}

impl Path<'_> {
    /// The leaf next to `key`, which has none and whose path this is: the one before it, on the left, or the one after.
    fn neighbour(&self, key: &Key, side: Side) -> Option<(Key, ValueHash)> {
        let at_end = self.leaf.filter(|(found, _)| Side::of(found > key) == side);
        let beside = || {
            let mut on_side = self.siblings.iter().rev().filter(|(of, _)| *of == side);
            on_side.find_map(|(_, sibling)| outermost(*sibling, side.other()))
        };
        at_end.or_else(beside)
    }
}

/// The first leaf of a subtree, on its left, or the last.
fn outermost(mut place: Place<'_>, side: Side) -> Option<(Key, ValueHash)> {
    loop {
        place = match place.open() {
            View::Empty => return None,
            View::Leaf { key, value_hash } => return Some((key, value_hash)),
            View::Internal { left, right } => {
                let (outer, inner) = if side == Side::Left { (left, right) } else { (right, left) };
                if outer.is_empty() { inner } else { outer }
            }
        };
    }
}

/// The `LeafOp` of every leaf: the key as it is, the value hashed.
fn leaf_operation() -> Message {
    let mut operation = Message::default();
    operation.number(1, KECCAK256);
    operation.number(3, KECCAK256);
    operation.bytes(5, LEAF_TAG);
    operation
}

/// The `InnerOp` that hashes a node's child with its sibling, which stands on this side of it.
fn inner_operation(side: Side, sibling: &[u8; 32]) -> Message {
    let mut operation = Message::default();
    operation.number(1, KECCAK256);
    if side == Side::Left {
        operation.bytes(2, &[INTERNAL_TAG.as_slice(), sibling].concat());
    } else {
        operation.bytes(2, INTERNAL_TAG);
        operation.bytes(3, sibling);
    }
    operation
}

/// A protobuf message as it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// Adds an integer.
    fn number(&mut self, field: u64, number: u64) {
        self.variable(field << 3);
        self.variable(number);
    }

    /// Adds bytes or a message.
    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.variable(field << 3 | 2);
        self.variable(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    fn variable(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
