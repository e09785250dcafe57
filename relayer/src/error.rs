//! What can go wrong.

use alloy::primitives::B256;
use hypha_chain::config::ConfigError;
use hypha_chain::error::{ChainError, NetError, StoreError};
use hypha_chain::follow::FollowError;
use hypha_chain::submit::SubmitError;
use hypha_protocol::replay::ReplayError;
use hypha_protocol::tree::Root;

/// Why the relayer, or one round of one of its tasks, stopped.
#[derive(Debug, thiserror::Error)]
pub enum RelayerError {
    /// The configuration makes no sense.
    #[error("configuration: {what}")]
    Config {
        /// What is wrong with it.
        what: String,
    },
    /// A chain's configuration makes no sense, or its key cannot be read.
    #[error(transparent)]
    ChainConfig(#[from] ConfigError),
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
    #[error("a row of table {table} cannot be read")]
    Row {
        /// The table.
        table: &'static str,
    },
    /// A chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Following a chain failed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// Sending failed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A contract answered what its interface does not say.
    #[error("chain {chain_id}: the answer of {what} cannot be decoded")]
    Answer {
        /// The chain.
        chain_id: u64,
        /// The function.
        what: &'static str,
    },
    /// The chain is not the one that this store knows under its id.
    #[error("chain {chain_id} has another first block than the one in the store: delete the store")]
    OtherChain {
        /// The chain.
        chain_id: u64,
    },
    /// The hub's operations do not follow on the replica.
    #[error("the hub's history does not replay: {0}")]
    Replay(#[from] ReplayError),
    /// The hub's event says another root or batch chain than its operations give.
    #[error(
        "batch {index}: the operations give root {root} and chain {batch_chain}, the hub's event says otherwise"
    )]
    EventMismatch {
        /// The batch.
        index: u64,
        /// The root that the operations give.
        root: Root,
        /// The batch chain that they give.
        batch_chain: B256,
    },
    /// A log of the hub's contract under the event's signature does not decode.
    #[error("a log of block {block} under the signature {event} cannot be decoded")]
    EventMalformed {
        /// The event.
        event: &'static str,
        /// Its block.
        block: B256,
    },
    /// Blocks that counted as final by the configuration were taken back.
    #[error("block {block} of the hub was taken back after it counted as final: delete the store")]
    HistoryChanged {
        /// The first of them that held logs.
        block: B256,
    },
    /// Fewer attestors than the threshold vouch for the fact so far.
    #[error(
        "{valid} of {needed} attestations ({pending} attestors do not know the fact yet, {wrong} answered wrongly, {silent} not at all)"
    )]
    Attestations {
        /// How many the destination demands.
        needed: usize,
        /// How many valid ones agree on the block.
        valid: usize,
        /// Attestors that have not seen the fact final, or sign for another set still.
        pending: usize,
        /// Attestors whose answer is not valid, or names another block than the most do.
        wrong: usize,
        /// Attestors that did not answer.
        silent: usize,
    },
    /// The spoke is frozen at or below what is to be relayed.
    #[error("chain {chain_id} is frozen from index {index} on")]
    Frozen {
        /// The spoke.
        chain_id: u64,
        /// From where on.
        index: u64,
    },
    /// Later requests were read and the hub's next one was not: the configured `start_block` is above it, or the hub's
    /// endpoint is behind what was final on the hub before.
    #[error(
        "request {number} of chain {chain_id} was not read, though later ones were: is start_block too high?"
    )]
    RequestNotRead {
        /// The spoke.
        chain_id: u64,
        /// The number that the hub takes next.
        number: u64,
    },
    /// The spoke holds another root than the hub for an index.
    #[error("chain {chain_id} holds {actual} for index {index}, the hub {expected}")]
    Diverged {
        /// The spoke.
        chain_id: u64,
        /// The index.
        index: u64,
        /// The hub's root.
        expected: B256,
        /// The spoke's.
        actual: B256,
    },
    /// A transaction was refused, reverted, or had no effect.
    #[error("{intent}: {why}")]
    Failed {
        /// The intent.
        intent: String,
        /// The contract's reason, or what became of it.
        why: String,
    },
    /// A task panicked, which is a bug.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A blocking task was cut off by the end of the process.
    #[error("the service is stopping")]
    Stopping,
}

impl RelayerError {
    /// Whether it only means that signatures are not there yet, which is asked again soon.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Attestations { pending, needed, valid, .. } if valid + pending >= *needed)
    }

    /// Whether the store failed: what is on the disk is then not known until it is opened again.
    pub(crate) fn is_store(&self) -> bool {
        matches!(
            self,
            Self::Store(_) | Self::Follow(FollowError::Store(_)) | Self::Submit(SubmitError::Store(_))
        )
    }

    /// Whether trying again cannot help without a person.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Replay(_)
                | Self::EventMismatch { .. }
                | Self::EventMalformed { .. }
                | Self::OtherChain { .. }
                | Self::HistoryChanged { .. }
                | Self::Follow(FollowError::FinalityBroken { .. } | FollowError::TooDeep(_))
        )
    }
}
