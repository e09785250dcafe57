//! Why operations have no packed form.

use alloy::primitives::{B256, U256};

/// Why an operation has no packed form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The number of operations does not fit in its two bytes, or is zero.
    #[error("1 to 65535 operations can be packed, not {actual}")]
    OperationCount {
        /// Operations given.
        actual: usize,
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
    /// The number of signatures does not fit in its byte.
    #[error("at most 255 signatures can be packed, not {actual}")]
    SignatureCount {
        /// Signatures given.
        actual: usize,
    },
    /// A signature has 65 bytes.
    #[error("a signature has 65 bytes, this one {actual}")]
    SignatureLength {
        /// Bytes given.
        actual: usize,
    },
    /// A domain id does not fit in 64 bits.
    #[error("the domain id {domain_id} is above 2^64 - 1")]
    DomainTooLarge {
        /// The domain id.
        domain_id: U256,
    },
    /// A quantity is zero, which has no packed form.
    #[error("a quantity is zero")]
    ZeroQuantity,
    /// The kind of an issued resource follows from issuer and label and is not packed: it is another.
    #[error("the issued resource is of kind {actual}, its issuer and label give {expected}")]
    KindMismatch {
        /// The kind that issuer and label give.
        expected: B256,
        /// The kind of the resource.
        actual: B256,
    },
}

impl PackError {
    /// The name of the error.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::OperationCount { .. } => "OperationCount",
            Self::InputCount { .. } => "InputCount",
            Self::OutputCount { .. } => "OutputCount",
            Self::SignatureCount { .. } => "SignatureCount",
            Self::SignatureLength { .. } => "SignatureLength",
            Self::DomainTooLarge { .. } => "DomainTooLarge",
            Self::ZeroQuantity => "ZeroQuantity",
            Self::KindMismatch { .. } => "KindMismatch",
        }
    }
}
