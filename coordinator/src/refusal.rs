//! Why an operation is not admitted, or is rejected after it was.

use alloy::primitives::B256;
use hypha_protocol::operations::{OperationError, PackError};

use crate::store::LedgerError;

/// Why an operation is not admitted, or is rejected after it was.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A rule that needs no tree.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// It has no packed form.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// One note is an input twice.
    #[error("note {input} is an input twice")]
    InputRepeated {
        /// The note.
        input: B256,
    },
    /// A note to spend is neither in the tree nor promised by an operation that is under way.
    #[error("note {input} does not exist")]
    InputAbsent {
        /// The note.
        input: B256,
    },
    /// A note to spend is spent.
    #[error("note {input} was spent by {by}")]
    InputSpent {
        /// The note.
        input: B256,
        /// The operation that spent it.
        by: B256,
    },
    /// An operation under way wants to spend the same note and came first.
    #[error("note {input} is claimed by {by}, which came first")]
    InputClaimed {
        /// The note.
        input: B256,
        /// The operation that came first.
        by: B256,
    },
    /// A note to create exists already.
    #[error("note {output} exists already")]
    OutputExists {
        /// The note.
        output: B256,
    },
    /// Too many operations wait for a batch.
    #[error("{queued} operations wait already")]
    QueueFull {
        /// How many.
        queued: usize,
    },
    /// The operator wants nothing new taken in.
    #[error("the operator has the coordinator finish what it has")]
    Draining,
    /// It could not be made durable.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
