//! What is checked beyond the fields themselves, and the type of operations that passed.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256};
use hypha_tree::Touch;

use super::unpack::read_operations;
use super::{Operation, OperationError, Resolution, Resource, Transfer};
use crate::ids::nullifier_of_id;
use crate::signing::{SignatureError, recover};

/// What operations are checked against. In a batch only the hub checks deadlines and domains, a spoke has none of either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// EIP-712 domain separator of the hub ([`crate::signing::hub_domain`]).
    pub separator: B256,
    /// Time of the block, Unix seconds, where deadlines are checked.
    pub timestamp: Option<u64>,
    /// Chain ids of the hub and of every registered spoke, where domains are checked.
    pub domains: Option<BTreeSet<u64>>,
}

impl Rules {
    /// What the hub checks a batch against.
    pub fn hub(separator: B256, timestamp: u64, domains: BTreeSet<u64>) -> Self {
        Self { separator, timestamp: Some(timestamp), domains: Some(domains) }
    }

    /// What a spoke checks a batch against.
    pub fn spoke(separator: B256) -> Self {
        Self { separator, timestamp: None, domains: None }
    }
}

/// Operations that passed steps 1 to 3 of the README: well formed, balanced and signed. Whether the tree allows them is
/// for the witness to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    operations: Vec<Operation>,
    ids: Vec<B256>,
    touches: Vec<Touch>,
    created: Vec<Resource>,
    nullifiers: Vec<B256>,
    resolutions: Vec<Resolution>,
}

impl Checked {
    /// The operations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Their ids, in the same order.
    pub fn ids(&self) -> &[B256] {
        &self.ids
    }

    /// The keys they touch, in the order of step 4 of the README: neither sorted nor known to be distinct.
    pub fn touches(&self) -> &[Touch] {
        &self.touches
    }

    /// The notes they create, in order.
    pub fn created(&self) -> &[Resource] {
        &self.created
    }

    /// The nullifiers of the notes they spend, in order.
    pub fn nullifiers(&self) -> &[B256] {
        &self.nullifiers
    }

    /// How they resolve requests, in order.
    pub fn resolutions(&self) -> &[Resolution] {
        &self.resolutions
    }

    /// The operations themselves.
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    /// Names what these operations touch and create, without checking them.
    pub(crate) fn assume(operations: Vec<Operation>) -> Self {
        let mut checked = Self {
            ids: Vec::with_capacity(operations.len()),
            touches: Vec::new(),
            created: Vec::new(),
            nullifiers: Vec::new(),
            resolutions: Vec::new(),
            operations: Vec::new(),
        };
        for operation in &operations {
            let input_ids = operation.input_ids();
            let id = operation.id_of(&input_ids);
            let created = operation.created_by(id);
            checked.ids.push(id);
            checked.touches.extend(operation.touches_of(&input_ids, &created));
            checked.resolutions.extend(operation.resolution());
            checked.created.extend(created);
            checked.nullifiers.extend(input_ids.into_iter().map(nullifier_of_id));
        }
        Self { operations, ..checked }
    }
}

/// Steps 1 to 3 of the README: stops at the first that fails, with the same error as every other verifier.
///
/// # Errors
/// The reason ([`OperationError`]).
pub fn check_operations(bytes: &[u8], rules: &Rules) -> Result<Checked, OperationError> {
    read_operations(bytes, Some(rules)).map(Checked::assume)
}

/// Kinds in order of first appearance, inputs before outputs: sums that do not overflow and are equal.
pub(super) fn check_balance(transfer: &Transfer) -> Result<(), OperationError> {
    let inputs: Vec<(B256, U256)> =
        transfer.inputs.iter().map(|input| (input.kind, input.quantity)).collect();
    let outputs: Vec<(B256, U256)> =
        transfer.outputs.iter().map(|output| (output.kind, output.quantity)).collect();
    // At most 32 notes, so looking back through a list costs less than a set.
    let mut seen = Vec::with_capacity(inputs.len() + outputs.len());
    for (kind, _) in inputs.iter().chain(&outputs) {
        if seen.contains(kind) {
            continue;
        }
        seen.push(*kind);
        let (spent, made) = (sum(*kind, &inputs)?, sum(*kind, &outputs)?);
        if spent != made {
            return Err(OperationError::Unbalanced { kind: *kind, inputs: spent, outputs: made });
        }
    }
    Ok(())
}

fn sum(kind: B256, notes: &[(B256, U256)]) -> Result<U256, OperationError> {
    notes
        .iter()
        .filter(|(other, _)| *other == kind)
        .try_fold(U256::ZERO, |total, (_, quantity)| total.checked_add(*quantity))
        .ok_or(OperationError::QuantityOverflow { kind })
}

pub(super) fn check_signature_count(expected: usize, actual: usize) -> Result<(), OperationError> {
    if expected == actual { Ok(()) } else { Err(OperationError::SignatureCount { expected, actual }) }
}

pub(super) fn check_signature(owner: Address, digest: B256, signature: &[u8]) -> Result<(), OperationError> {
    let actual = match recover(digest, signature) {
        Ok(signer) => signer,
        Err(SignatureError::Malleable) => return Err(OperationError::SignatureMalleable),
        Err(SignatureError::Parity { v }) => return Err(OperationError::SignatureParity { v }),
        // The reader took exactly 65 bytes, so the length is never at fault: as `ecrecover`, no signer is zero.
        Err(SignatureError::Unrecoverable | SignatureError::Length { .. }) => Address::ZERO,
    };
    if actual == owner { Ok(()) } else { Err(OperationError::SignerMismatch { expected: owner, actual }) }
}
