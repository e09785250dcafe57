//! What can go wrong.

use alloy::primitives::B256;
use hypha_chain::error::{ChainError, StoreError};
use hypha_chain::follow::FollowError;

use crate::store::{ConflictRecord, StatementRecord};

/// Why the attestor, or one round of it, stopped.
#[derive(Debug, thiserror::Error)]
pub enum AttestorError {
    /// The configuration makes no sense.
    #[error("configuration: {what}")]
    Config {
        /// What is wrong with it.
        what: String,
    },
    /// A chain's configuration makes no sense, or its key cannot be read.
    #[error(transparent)]
    ChainConfig(#[from] hypha_chain::config::ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what this version writes.
    #[error("a row of table {table} cannot be read: {source}")]
    Row {
        /// The table.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A row has another length than this version writes.
    #[error("a row of table {table} has the wrong length")]
    RowLength {
        /// The table.
        table: &'static str,
    },
    /// A chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Following a chain failed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A contract answered what its interface does not say.
    #[error("chain {chain_id}: the answer of {what} cannot be decoded")]
    Answer {
        /// The chain.
        chain_id: u64,
        /// The function.
        what: &'static str,
    },
    /// The chain is not the one that this store knows under its id.
    #[error("chain {chain_id} has another first block than the one in the store")]
    OtherChain {
        /// The chain.
        chain_id: u64,
    },
    /// A log stands in another block than the one it was read from, or is from another contract.
    #[error("chain {chain_id}: a log of block {block} is not the contract's")]
    ForeignLog {
        /// The chain.
        chain_id: u64,
        /// The block read.
        block: B256,
    },
    /// A block that was final is no longer on its chain.
    #[error("chain {chain_id}: a final block was taken back")]
    FinalityBroken {
        /// The chain.
        chain_id: u64,
    },
    /// The key did not sign.
    #[error("signing: {0}")]
    Signer(#[from] alloy::signers::Error),
    /// A task panicked, which is a bug.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A blocking task was cut off by the end of the process.
    #[error("the service is stopping")]
    Stopping,
}

impl AttestorError {
    /// Whether the store failed: what is on the disk is then not known until it is opened again.
    pub(crate) fn is_store(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Follow(FollowError::Store(_)))
    }
}

/// Two final values for one key, and what this attestor says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundConflict {
    /// Both values.
    pub conflict: ConflictRecord,
    /// The signed statement; `None` while the destination's set is not known or this attestor is not in it.
    pub statement: Option<StatementRecord>,
}

/// Why there is no attestation.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No source with this chain id.
    #[error("chain {chain_id} is not configured here")]
    UnknownSource {
        /// The chain asked for.
        chain_id: u64,
    },
    /// The source's facts do not go to this destination: the hub's go to spokes, a spoke's to the hub.
    #[error("facts of chain {from} are not signed for chain {to}")]
    UnknownDestination {
        /// The source.
        from: u64,
        /// The destination asked for.
        to: u64,
    },
    /// No final block read so far, since the last broken finality if there was one, asserted it.
    #[error("no final block of chain {chain_id} read so far asserts {key}")]
    FactUnknown {
        /// The source.
        chain_id: u64,
        /// The key asked for.
        key: B256,
    },
    /// Two final values were read.
    #[error("two final values were read for {key}")]
    FactConflict {
        /// The key.
        key: B256,
        /// Both values, and the statement.
        found: Box<FoundConflict>,
    },
    /// The destination's set of attestors was not read yet.
    #[error("the set of attestors of chain {to} was not read yet")]
    SetUnknown {
        /// The destination.
        to: u64,
    },
    /// This attestor is not in the destination's current set.
    #[error("this attestor is not in set {set_id} of chain {to}")]
    NotInSet {
        /// The destination.
        to: u64,
        /// Its current set.
        set_id: u64,
    },
    /// The guard is set.
    #[error("nothing new is signed until an operator has looked: {why}")]
    Guarded {
        /// Why.
        why: String,
    },
    /// The attestor's own trouble.
    #[error(transparent)]
    Internal(#[from] AttestorError),
}
