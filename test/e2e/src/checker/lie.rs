//! Promises that can be broken.

use alloy::primitives::B256;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// It was acknowledged, and reached no end.
    #[error("{0} was acknowledged and has no end")]
    NoEnd(B256),
    /// It is said to be finalized, and no batch carries it.
    #[error("{0} is said to be finalized, and no batch carries it")]
    FinalizedNowhere(B256),
    /// It is said to be finalized in another batch than the one that carries it.
    #[error("{id} is said to be finalized at index {said}, and is in batch {actual}")]
    FinalizedElsewhere {
        /// The operation.
        id: B256,
        /// What the service says.
        said: u64,
        /// What the hub's logs say.
        actual: u64,
    },
    /// When it was said to be finalized, its batch was not final on the hub.
    #[error("{id} was said to be finalized at index {index} before that was final on the hub")]
    FinalizedBeforeHub {
        /// The operation.
        id: B256,
        /// Its batch.
        index: u64,
    },
    /// When it was said to be finalized, a chain that it concerns had no root of its batch or a later one, or that was not known on
    /// the hub for good.
    #[error("{id} was said to be finalized at index {index} before chain {chain_id} had confirmed that")]
    FinalizedTooEarly {
        /// The operation.
        id: B256,
        /// Its batch.
        index: u64,
        /// The chain.
        chain_id: u64,
    },
    /// It was said to be finalized, and something else later.
    #[error("{0} was said to be finalized, and later to have ended otherwise")]
    EndTakenBack(B256),
    /// It is said to be rejected, and a batch carries it.
    #[error("{id} is said to be rejected, and is in batch {index}")]
    RejectedYetApplied {
        /// The operation.
        id: B256,
        /// The batch.
        index: u64,
    },
    /// It was said to be rejected for a reason that the chains do not show.
    #[error("{id} was said to be rejected with {code}, and the chains show no such thing")]
    RejectedWithoutReason {
        /// The operation.
        id: B256,
        /// The reason's code.
        code: String,
    },
    /// An operation is of a chain of which there is no evidence.
    #[error("{id}, in batch {index}, is of chain {chain_id}, which is neither the hub nor a known spoke")]
    UnknownChain {
        /// The operation.
        id: B256,
        /// Its batch.
        index: u64,
        /// The chain.
        chain_id: u64,
    },
    /// Two batches carry it, or one twice.
    #[error("{id} is in batch {first} and again in batch {second}")]
    AppliedTwice {
        /// The operation.
        id: B256,
        /// The batch that carries it first.
        first: u64,
        /// The batch that carries it again.
        second: u64,
    },
    /// A note is spent that does not stand there unspent.
    #[error("batch {index} spends the note {note}, which is spent or was never created")]
    SpentTwice {
        /// The note.
        note: B256,
        /// The batch.
        index: u64,
    },
    /// A note is created that was created before.
    #[error("batch {index} creates the note {note} again")]
    CreatedTwice {
        /// The note.
        note: B256,
        /// The batch.
        index: u64,
    },
    /// The hub left an index out, or went back.
    #[error("the hub's next index is {expected}, its logs say {actual}")]
    IndexLeftOut {
        /// The next index.
        expected: u64,
        /// The index of the log.
        actual: u64,
    },
    /// A spoke took a root that the hub does not have at that index.
    #[error("chain {chain_id} took {root} at index {index}, where the hub has another root or none")]
    AnotherRoot {
        /// The chain.
        chain_id: u64,
        /// The index.
        index: u64,
        /// What it took.
        root: B256,
    },
    /// A spoke took an index that is not above the one before.
    #[error("chain {chain_id} went from index {from} to {to}")]
    WentBack {
        /// The chain.
        chain_id: u64,
        /// The index before.
        from: u64,
        /// The index after.
        to: u64,
    },
    /// What the hub took does not read.
    #[error("the operations of batch {0} do not read")]
    Unreadable(u64),
}
