//! The rows, as they are on disk: JSON, so that an operator can read a store with no tool of ours.

use std::str::FromStr;

use alloy::primitives::{B256, Bytes};
use hypha_protocol::status::Status;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RequestName;

/// Which operations come into a batch first. No class waits for all of another (`pipeline/batch.rs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Waits for company, and for a base fee that is not high.
    #[default]
    Normal,
    /// Goes into the next batch, which is made at once.
    Urgent,
}

impl Class {
    /// Both, the first to be served first.
    pub const ALL: [Self; 2] = [Self::Urgent, Self::Normal];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Urgent => "urgent",
        }
    }

    // Takes a reference because serde asks so.
    fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

impl FromStr for Class {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|class| class.as_str() == word).ok_or("expected normal or urgent")
    }
}

/// An operation as it was admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// Content hash.
    pub id: B256,
    /// The packed bytes of a batch that holds only this operation, signatures and all.
    pub operation: Bytes,
    /// Unix milliseconds.
    pub submitted_at: u64,
    /// In which class it waits for a batch.
    #[serde(default, skip_serializing_if = "Class::is_normal")]
    pub class: Class,
}

/// Why an operation was rejected after it had been admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The code that the API would have answered with.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

/// How far an operation has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRecord {
    /// The status word.
    pub status: Status,
    /// The batch that carries it, from `batched` on.
    pub index: Option<u64>,
    /// Unix milliseconds at which it was finalized or rejected.
    pub ended_at: Option<u64>,
    /// Why, when rejected.
    pub rejection: Option<Rejection>,
    /// Of a transfer that was handed in, the request for the same transfer that a batch executed in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestName>,
}

impl ProgressRecord {
    /// Waiting on another chain.
    pub fn queued() -> Self {
        Self { status: Status::Queued, ..Self::admitted() }
    }

    /// Waiting for a batch.
    pub fn admitted() -> Self {
        Self { status: Status::Admitted, index: None, ended_at: None, rejection: None, request: None }
    }

    /// Carried by the batch `index`.
    pub fn in_batch(status: Status, index: u64) -> Self {
        Self { status, index: Some(index), ..Self::admitted() }
    }

    /// Refused for good.
    pub fn rejected(rejection: Rejection, at: u64) -> Self {
        let ended_at = Some(at);
        Self { status: Status::Rejected, ended_at, rejection: Some(rejection), ..Self::admitted() }
    }

    /// In a final batch that every chain which it concerns has confirmed.
    pub fn finalized(index: u64, at: u64) -> Self {
        Self { ended_at: Some(at), ..Self::in_batch(Status::Finalized, index) }
    }

    /// As [`Self::finalized`], because this request for the same was executed.
    pub fn finalized_by(request: RequestName, index: u64, at: u64) -> Self {
        Self { request: Some(request), ..Self::finalized(index, at) }
    }
}

/// Where and when something was seen on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// The index that was reached.
    pub index: u64,
    /// Unix milliseconds at which the coordinator saw it.
    pub at: u64,
    /// The transaction.
    pub tx: B256,
    /// Height of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Gas that the transaction used, where known.
    pub gas: Option<u64>,
}

/// How far a batch has come; its members' statuses follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchState {
    /// Its members are chosen.
    Batched,
    /// Its bytes are durable and a version of the tree carries it.
    Committed,
    /// Mined on the hub.
    Delivered,
    /// Final on the hub.
    Final,
}

/// A batch, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// The index it takes the roots to.
    pub index: u64,
    /// How far it has come.
    pub state: BatchState,
    /// The requests that it resolves, in the order of the hub's queue: they come first.
    pub requests: Vec<RequestName>,
    /// Admission numbers of its other operations, in their order.
    pub members: Vec<u64>,
    /// The root before.
    pub old_root: B256,
    /// The root after; zero until committed.
    pub root: B256,
    /// The batch chain after; zero until committed.
    pub batch_chain: B256,
    /// Whether somebody else brought it to the hub, so that this coordinator has no transaction for it.
    pub foreign: bool,
    /// How many transactions were given up for it; part of the id of the next one.
    pub attempt: u32,
    /// Unix milliseconds of `batched`.
    pub batched_at: u64,
    /// Unix milliseconds of `committed`.
    pub committed_at: Option<u64>,
    /// Where it was mined.
    pub delivered: Option<Milestone>,
    /// Unix milliseconds at which it was seen to be final on the hub.
    pub final_at: Option<u64>,
}

impl BatchRecord {
    /// How many operations it has.
    pub fn operation_count(&self) -> usize {
        self.requests.len() + self.members.len()
    }
}

/// The bytes of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchBody {
    /// Packed operations.
    pub operations: Bytes,
    /// Order of the touched keys and their multiproof.
    pub witness: Bytes,
}

/// Something that happened to an operation or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// The operation; of a request its queued operation.
    pub transfer: B256,
    /// The request, where it is one.
    pub request: Option<RequestName>,
    /// The status word, of the operation or of its root on a spoke.
    pub status: String,
    /// The chain on which it happened, where it happened on one.
    pub chain_id: Option<u64>,
    /// The batch, where there is one.
    pub index: Option<u64>,
    /// Unix milliseconds.
    pub at: u64,
}

impl EventRecord {
    /// Something that is not of one chain or batch.
    pub(crate) fn of(transfer: B256, request: Option<RequestName>, status: &str, at: u64) -> Self {
        Self { transfer, request, status: status.to_owned(), chain_id: None, index: None, at }
    }
}

/// Where the verifier of a chain stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainRecord {
    /// Its latest index, as far as seen.
    pub index: u64,
    /// The root at that index.
    pub root: B256,
    /// Unix milliseconds at which that was seen.
    pub updated_at: Option<u64>,
    /// The highest index that the hub has confirmed for it, seen at the hub's finality; for the hub its own final index.
    pub confirmed_index: u64,
}

/// Which chain this store belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of its first block.
    pub genesis: B256,
    /// The verifier contract that is followed.
    pub verifier: String,
}
