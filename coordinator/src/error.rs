//! Why the coordinator does not start, or stops.

use hypha_chain::error::{ChainError, StoreError};
use hypha_chain::follow::FollowError;
use hypha_chain::submit::SubmitError;
use hypha_protocol::batch::BatchError;

pub use crate::config::ConfigError;
pub use crate::store::{LedgerError, LoadError};

/// Why the coordinator does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The configuration cannot work.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The configured address.
        address: std::net::SocketAddr,
        /// The system's reason.
        #[source]
        error: std::io::Error,
    },
    /// The store cannot be started from.
    #[error("store: {0}")]
    Load(#[from] LoadError),
    /// The store took no write, or the writers have stopped.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A chain could not be read.
    #[error("chain {chain_id}: {error}")]
    Chain {
        /// The chain.
        chain_id: u64,
        /// Its answer.
        #[source]
        error: ChainError,
    },
    /// A chain's logs could not be followed.
    #[error("following chain {chain_id}: {error}")]
    Follow {
        /// The chain.
        chain_id: u64,
        /// Why.
        #[source]
        error: FollowError,
    },
    /// Transactions could not be sent.
    #[error("submitting to the hub: {0}")]
    Submit(#[from] SubmitError),
    /// A batch of ours does not pass the checks that the hub will make. This is a bug: nothing of it has left.
    #[error("batch {index}, built here, fails its own verification: {error}")]
    OwnBatch {
        /// The batch.
        index: u64,
        /// The check that failed.
        #[source]
        error: BatchError,
    },
    /// The hub emitted something that does not read as what its interface says, or does not follow from what it emitted before.
    #[error("the hub's logs: {0}")]
    HubLog(String),
    /// A spoke emitted something that does not read as what its interface says.
    #[error("the logs of spoke {chain_id}: {detail}")]
    SpokeLog {
        /// The spoke.
        chain_id: u64,
        /// Which event, and what is wrong with it.
        detail: String,
    },
    /// The runtime is shutting down.
    #[error("shutting down")]
    ShuttingDown,
}

impl From<StoreError> for CoordinatorError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}
