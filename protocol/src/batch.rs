//! A batch: operations, their witness, and the step from one root to the next.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::SolValue;
use hypha_tree::{Key, ProofError, Root, Touch, Transition, Tree};

use crate::contracts::IRootVerifier;
use crate::ids::{tagged, word};
use crate::operations::{Checked, MAX_KEYS, OperationError, Rules, check_operations};
use crate::proof_error::proof_error_abi;

/// Most bytes of a transaction's calldata: nodes take transactions of up to 128 KiB, everything about them included.
pub const MAX_CALLDATA_BYTES: usize = 120_000;

/// Why a batch is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// An operation, or the order of the touched keys.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The multiproof, or the tree does not hold what the operations say of it.
    #[error("the witness is refused: {0}")]
    Proof(#[from] ProofError),
    /// The walk gives another root than the one named.
    #[error("the batch gives the root {actual:?}, not {expected:?}")]
    NewRootMismatch {
        /// The root named.
        expected: Root,
        /// The root that the walk gives.
        actual: Root,
    },
}

impl BatchError {
    /// The name of the error, the same in every language.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Operation(error) => error.reason(),
            Self::Proof(error) => error.reason(),
            Self::NewRootMismatch { .. } => "NewRootMismatch",
        }
    }

    /// The data with which a contract reverts for this reason.
    pub fn abi_encode(&self) -> Vec<u8> {
        use alloy::sol_types::SolError;
        match self {
            Self::Operation(error) => error.abi_encode(),
            Self::Proof(error) => proof_error_abi(error),
            Self::NewRootMismatch { expected, actual } => {
                IRootVerifier::NewRootMismatch { expected: word(*expected), actual: word(*actual) }
                    .abi_encode()
            }
        }
    }
}

/// Where the batch chain of a hub begins: `keccak("hypha:genesis" ‖ hubChainId ‖ hub)`.
pub fn genesis_batch_chain(hub_chain_id: u64, hub: Address) -> B256 {
    let chain_id = U256::from(hub_chain_id).to_be_bytes::<32>();
    tagged("hypha:genesis", &[chain_id.as_slice(), hub.as_slice()].concat())
}

/// The batch chain at `index`: `keccak(abi.encode(previous, index, root, keccak(operations)))`.
pub fn next_batch_chain(previous: B256, index: u64, root: Root, operations: &[u8]) -> B256 {
    keccak256((previous, index, word(root), keccak256(operations)).abi_encode())
}

/// The witness of a batch that touches these keys, in the order of its operations: the order that sorts them, then their
/// multiproof in `tree`. Whether the tree allows the batch is for [`verify_batch`] to say.
///
/// # Panics
/// With more than 65,536 touches, which no operations of at most [`crate::operations::MAX_OPERATIONS_BYTES`] have: each
/// takes over 60 bytes.
pub fn build_witness(tree: &Tree, touches: &[Touch]) -> Vec<u8> {
    let mut order: Vec<usize> = (0..touches.len()).collect();
    order.sort_by_key(|position| touches[*position].key);
    let mut witness = Vec::with_capacity(2 * order.len());
    for position in order {
        let position = u16::try_from(position).expect("a batch touches fewer keys than it has bytes");
        witness.extend_from_slice(&position.to_be_bytes());
    }
    let keys: Vec<Key> = touches.iter().map(|touch| touch.key).collect();
    witness.extend_from_slice(&tree.prove(&keys).encode());
    witness
}

/// All checks of the README on one batch, from the held root to the root named, in their order.
///
/// # Errors
/// The reason, the same as that of every other verifier.
pub fn verify_batch(
    root: Root,
    operations: &[u8],
    witness: &[u8],
    new_root: Root,
    rules: &Rules,
) -> Result<Transition, BatchError> {
    let checked = check_operations(operations, rules)?;
    verify_witness(root, &checked, witness, new_root)
}

/// Steps 4 to 7 of the README on operations that passed the steps before.
///
/// # Errors
/// The reason, the same as that of every other verifier.
pub fn verify_witness(
    root: Root,
    checked: &Checked,
    witness: &[u8],
    new_root: Root,
) -> Result<Transition, BatchError> {
    let transition = walk(root, checked.touches(), witness)?;
    if transition.new == new_root {
        Ok(transition)
    } else {
        Err(BatchError::NewRootMismatch { expected: new_root, actual: transition.new })
    }
}

/// Steps 5 and 6: the walk from `root` over the touches in the order that the witness gives.
pub(crate) fn walk(root: Root, touches: &[Touch], witness: &[u8]) -> Result<Transition, BatchError> {
    if touches.len() > MAX_KEYS {
        return Err(OperationError::TooManyKeys { maximum: MAX_KEYS, actual: touches.len() }.into());
    }
    let expected = 2 * touches.len();
    let (order, proof) = witness
        .split_at_checked(expected)
        .ok_or(OperationError::OrderLength { expected, actual: witness.len() })?;
    let mut sorted = Vec::with_capacity(touches.len());
    for position in order.chunks_exact(2) {
        let position = usize::from(u16::from_be_bytes([position[0], position[1]]));
        let touch = touches
            .get(position)
            .ok_or(OperationError::OrderIndex { expected: touches.len(), actual: position })?;
        sorted.push(*touch);
    }
    Ok(hypha_tree::verify(root, &sorted, proof)?)
}
