//! Why a request, or what a batch says of one, is refused, with the names and fields of `IOperationErrors`.

use alloy::primitives::U256;
use alloy::sol_types::SolError;
use hypha_tree::{Key, ProofError};

use crate::contracts::IOperationErrors as abi;
use crate::proof_error_abi;

/// Why a request, or what a batch says of one, is refused for itself alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Requests are numbered from 1.
    #[error("the number of a request is zero")]
    ZeroNumber,
    /// A sender is zero.
    #[error("the sender of a request is zero")]
    ZeroSender,
    /// No request has this type.
    #[error("no request has the type {request_type}")]
    UnknownRequest {
        /// The type.
        request_type: u8,
    },
    /// The content ends elsewhere than where it is said to end.
    #[error("the content of a request is said to have {expected} bytes and has {actual}")]
    RequestLength {
        /// Bytes that it is said to have.
        expected: usize,
        /// Bytes that it has.
        actual: usize,
    },
    /// No reason for a void has this number.
    #[error("no request is void for the reason {reason}")]
    VoidReason {
        /// The reason.
        reason: u8,
    },
    /// The request has no such input or output.
    #[error("{position} is no position among {count} notes")]
    VoidPosition {
        /// Inputs or outputs of the request, whichever the reason is about.
        count: usize,
        /// The position.
        position: u8,
    },
    /// A void says that a chain is unknown, and the hub knows it.
    #[error("chain {domain_id} is registered")]
    KnownDomain {
        /// The chain id.
        domain_id: u64,
    },
    /// A request names one note twice: it could never be executed, nor be void for a reason, and would stop its queue.
    #[error("a request spends the note under key {key} twice")]
    KeyRepeated {
        /// The note's key.
        key: Key,
    },
}

impl RequestError {
    /// The data with which a contract reverts for this reason.
    pub fn abi_encode(&self) -> Vec<u8> {
        match *self {
            Self::ZeroNumber => abi::ZeroNumber {}.abi_encode(),
            Self::ZeroSender => abi::ZeroSender {}.abi_encode(),
            Self::UnknownRequest { request_type } => {
                abi::UnknownRequest { requestType: U256::from(request_type) }.abi_encode()
            }
            Self::RequestLength { expected, actual } => {
                abi::RequestLength { expected: U256::from(expected), actual: U256::from(actual) }.abi_encode()
            }
            Self::VoidReason { reason } => abi::VoidReason { reason: U256::from(reason) }.abi_encode(),
            Self::VoidPosition { count, position } => {
                abi::VoidPosition { count: U256::from(count), position: U256::from(position) }.abi_encode()
            }
            Self::KnownDomain { domain_id } => {
                abi::KnownDomain { domainId: U256::from(domain_id) }.abi_encode()
            }
            Self::KeyRepeated { key } => proof_error_abi(&ProofError::KeyRepeated { key }),
        }
    }
}
