//! Why operations are refused, with the names and fields of `IOperationErrors`.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolError;

use super::RequestError;
use crate::contracts::IOperationErrors as abi;

/// Why packed operations, or the order of their keys, are refused. Every verifier gives the same one for the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Bytes end too early, or some are left over.
    #[error("the operations have {actual} bytes where {expected} are expected")]
    OperationsLength {
        /// Bytes needed up to the end of the field being read, or bytes that the operations take.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// More bytes than any batch may have.
    #[error("the operations have {actual} bytes, more than {maximum}")]
    OperationsTooLong {
        /// [`super::MAX_OPERATIONS_BYTES`].
        maximum: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A batch is never empty.
    #[error("there are no operations")]
    NoOperations,
    /// No operation has this tag.
    #[error("no operation has the tag {tag}")]
    UnknownOperation {
        /// The tag.
        tag: u8,
    },
    /// A transfer has 1 to 16 inputs, a queued one 1 to 4.
    #[error("a transfer has 1 to 16 inputs, a queued one 1 to 4, not {actual}")]
    InputCount {
        /// Inputs given.
        actual: usize,
    },
    /// A transfer has 1 to 16 outputs, a queued one 1 to 4.
    #[error("a transfer has 1 to 16 outputs, a queued one 1 to 4, not {actual}")]
    OutputCount {
        /// Outputs given.
        actual: usize,
    },
    /// One signature for each distinct owner among the inputs whom nobody else speaks for.
    #[error("{expected} distinct owners must sign, there are {actual} signatures")]
    SignatureCount {
        /// Distinct owners.
        expected: usize,
        /// Signatures given.
        actual: usize,
    },
    /// The header of an amount says no length from 1 to 32, or has a bit set that is always zero.
    #[error("{header:#04x} is no header of an amount")]
    QuantityEncoding {
        /// The header.
        header: u8,
    },
    /// A domain id is zero.
    #[error("a domain id is zero")]
    ZeroDomain,
    /// An owner is zero.
    #[error("an owner is zero")]
    ZeroOwner,
    /// A kind is zero.
    #[error("a kind is zero")]
    ZeroKind,
    /// A quantity is zero, or is packed with a leading zero byte.
    #[error("a quantity is zero or has a leading zero")]
    ZeroQuantity,
    /// Data that is zero is left out, not packed.
    #[error("data is flagged as present and is zero")]
    ZeroData,
    /// A salt is zero.
    #[error("a salt is zero")]
    ZeroSalt,
    /// An issuer is zero.
    #[error("an issuer is zero")]
    ZeroIssuer,
    /// A label is zero.
    #[error("a label is zero")]
    ZeroLabel,
    /// Quantities of a kind add up to 2^256 or more.
    #[error("the quantities of kind {kind} overflow")]
    QuantityOverflow {
        /// The kind.
        kind: B256,
    },
    /// A kind's inputs and outputs do not add up to the same quantity.
    #[error("of kind {kind}, inputs have {inputs} and outputs {outputs}")]
    Unbalanced {
        /// The kind.
        kind: B256,
        /// Sum of the inputs.
        inputs: U256,
        /// Sum of the outputs.
        outputs: U256,
    },
    /// A signature's `s` is above half the curve's order.
    #[error("a signature's s is above half the curve's order")]
    SignatureMalleable,
    /// A signature's `v` is neither 27 nor 28.
    #[error("a signature's v is {v}, not 27 or 28")]
    SignatureParity {
        /// The last byte.
        v: u8,
    },
    /// Another account signed, or none can be recovered (`actual` is then zero).
    #[error("{expected} must sign, the signature is of {actual}")]
    SignerMismatch {
        /// Who must sign.
        expected: Address,
        /// Whose signature it is.
        actual: Address,
    },
    /// The hub takes an operation no later than its deadline.
    #[error("the deadline {deadline} has passed, it is {timestamp}")]
    DeadlinePassed {
        /// Unix seconds.
        deadline: u64,
        /// Unix seconds.
        timestamp: u64,
    },
    /// A note would come into being on a chain that is neither the hub nor a registered spoke.
    #[error("no chain {domain_id} is registered")]
    UnknownDomain {
        /// The chain id.
        domain_id: u64,
    },
    /// The operations touch more keys than a batch may.
    #[error("the operations touch {actual} keys, at most {maximum} are allowed")]
    TooManyKeys {
        /// [`super::MAX_KEYS`].
        maximum: usize,
        /// Keys touched.
        actual: usize,
    },
    /// The witness is too short for the order of the touched keys.
    #[error("the witness has {actual} bytes, the order of its keys takes {expected}")]
    OrderLength {
        /// Bytes of the order.
        expected: usize,
        /// Bytes of the witness.
        actual: usize,
    },
    /// A position in the order is not below the number of touched keys.
    #[error("{actual} is no position among {expected} keys")]
    OrderIndex {
        /// Number of touched keys.
        expected: usize,
        /// The position.
        actual: usize,
    },
    /// First all voids, then what is queued, then the others.
    #[error("operation {position} stands after one that it must stand before")]
    OperationOrder {
        /// Its position, from 0.
        position: usize,
    },
    /// A request, or what is said of one.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl OperationError {
    /// The name of the error, the same in every language.
    pub fn reason(&self) -> &'static str {
        if let Self::Request(RequestError::KeyRepeated { .. }) = self {
            return "KeyRepeated"; // an error of proofs, not of operations
        }
        let data = self.abi_encode();
        data.first_chunk()
            .and_then(|selector| abi::IOperationErrorsErrors::name_by_selector(*selector))
            .expect("every variant encodes to an error of the interface")
    }

    /// The data with which a contract reverts for this reason.
    pub fn abi_encode(&self) -> Vec<u8> {
        match *self {
            Self::OperationsLength { expected, actual } => {
                abi::OperationsLength { expected: U256::from(expected), actual: U256::from(actual) }
                    .abi_encode()
            }
            Self::OperationsTooLong { maximum, actual } => {
                abi::OperationsTooLong { maximum: U256::from(maximum), actual: U256::from(actual) }
                    .abi_encode()
            }
            Self::NoOperations => abi::NoOperations {}.abi_encode(),
            Self::UnknownOperation { tag } => abi::UnknownOperation { tag: U256::from(tag) }.abi_encode(),
            Self::InputCount { actual } => abi::InputCount { actual: U256::from(actual) }.abi_encode(),
            Self::OutputCount { actual } => abi::OutputCount { actual: U256::from(actual) }.abi_encode(),
            Self::SignatureCount { expected, actual } => {
                abi::SignatureCount { expected: U256::from(expected), actual: U256::from(actual) }
                    .abi_encode()
            }
            Self::QuantityEncoding { header } => {
                abi::QuantityEncoding { header: U256::from(header) }.abi_encode()
            }
            Self::ZeroDomain => abi::ZeroDomain {}.abi_encode(),
            Self::ZeroOwner => abi::ZeroOwner {}.abi_encode(),
            Self::ZeroKind => abi::ZeroKind {}.abi_encode(),
            Self::ZeroQuantity => abi::ZeroQuantity {}.abi_encode(),
            Self::ZeroData => abi::ZeroData {}.abi_encode(),
            Self::ZeroSalt => abi::ZeroSalt {}.abi_encode(),
            Self::ZeroIssuer => abi::ZeroIssuer {}.abi_encode(),
            Self::ZeroLabel => abi::ZeroLabel {}.abi_encode(),
            Self::QuantityOverflow { kind } => abi::QuantityOverflow { kind }.abi_encode(),
            Self::Unbalanced { kind, inputs, outputs } => {
                abi::Unbalanced { kind, inputs, outputs }.abi_encode()
            }
            Self::SignatureMalleable => abi::SignatureMalleable {}.abi_encode(),
            Self::SignatureParity { v } => abi::SignatureParity { v: U256::from(v) }.abi_encode(),
            Self::SignerMismatch { expected, actual } => {
                abi::SignerMismatch { expected, actual }.abi_encode()
            }
            Self::DeadlinePassed { deadline, timestamp } => {
                abi::DeadlinePassed { deadline, timestamp: U256::from(timestamp) }.abi_encode()
            }
            Self::UnknownDomain { domain_id } => {
                abi::UnknownDomain { domainId: U256::from(domain_id) }.abi_encode()
            }
            Self::TooManyKeys { maximum, actual } => {
                abi::TooManyKeys { maximum: U256::from(maximum), actual: U256::from(actual) }.abi_encode()
            }
            Self::OrderLength { expected, actual } => {
                abi::OrderLength { expected: U256::from(expected), actual: U256::from(actual) }.abi_encode()
            }
            Self::OrderIndex { expected, actual } => {
                abi::OrderIndex { expected: U256::from(expected), actual: U256::from(actual) }.abi_encode()
            }
            Self::OperationOrder { position } => {
                abi::OperationOrder { position: U256::from(position) }.abi_encode()
            }
            Self::Request(ref error) => error.abi_encode(),
        }
    }
}
