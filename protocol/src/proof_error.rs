//! The tree's errors as a contract reverts with them.

use alloy::primitives::U256;
use alloy::sol_types::SolError;
use hypha_tree::ProofError;

use crate::contracts::IProofErrors as abi;
use crate::ids::word;

/// The data with which a contract reverts for this reason.
pub fn proof_error_abi(error: &ProofError) -> Vec<u8> {
    match *error {
        ProofError::NoKeys => abi::NoKeys {}.abi_encode(),
        ProofError::ZeroRoot => abi::ZeroRoot {}.abi_encode(),
        ProofError::ZeroKey => abi::ZeroKey {}.abi_encode(),
        ProofError::KeyRepeated { key } => abi::KeyRepeated { key: word(key) }.abi_encode(),
        ProofError::KeysNotAscending { index } => {
            abi::KeysNotAscending { index: U256::from(index) }.abi_encode()
        }
        ProofError::ProofLength { expected, actual } => {
            abi::ProofLength { expected: U256::from(expected), actual: U256::from(actual) }.abi_encode()
        }
        ProofError::TerminalMissing => abi::TerminalMissing {}.abi_encode(),
        ProofError::TerminalHeader { header } => {
            abi::TerminalHeader { header: U256::from(header) }.abi_encode()
        }
        ProofError::DepthTooLarge { depth } => abi::DepthTooLarge { depth: U256::from(depth) }.abi_encode(),
        ProofError::TerminalOverlap { index } => {
            abi::TerminalOverlap { index: U256::from(index) }.abi_encode()
        }
        ProofError::ClaimMismatch { index } => abi::ClaimMismatch { index: U256::from(index) }.abi_encode(),
        ProofError::ForeignMissing => abi::ForeignMissing {}.abi_encode(),
        ProofError::ForeignOffPath { index } => abi::ForeignOffPath { index: U256::from(index) }.abi_encode(),
        ProofError::ForeignIsTouched { index } => {
            abi::ForeignIsTouched { index: U256::from(index) }.abi_encode()
        }
        ProofError::SiblingMissing => abi::SiblingMissing {}.abi_encode(),
        ProofError::SiblingIsEmpty { index } => abi::SiblingIsEmpty { index: U256::from(index) }.abi_encode(),
        ProofError::TerminalUnused => abi::TerminalUnused {}.abi_encode(),
        ProofError::ForeignUnused => abi::ForeignUnused {}.abi_encode(),
        ProofError::SiblingUnused => abi::SiblingUnused {}.abi_encode(),
        ProofError::SiblingPadding => abi::SiblingPadding {}.abi_encode(),
        ProofError::RootMismatch { expected, actual } => {
            abi::RootMismatch { expected: word(expected), actual: word(actual) }.abi_encode()
        }
        ProofError::EmptyValue => abi::EmptyValue {}.abi_encode(),
    }
}
