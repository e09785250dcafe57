//! What the coordinator answers, as far as the commands use it. Numbers that can be large travel as decimal strings. Fields
//! that a later service adds are passed over.

use alloy::primitives::{Address, B256, Bytes};
use hypha_protocol::contracts::Resource;
use hypha_protocol::ids::resource_id;
use hypha_protocol::json::parse_decimal_u64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::CliError;

/// The answer to an operation that was taken in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Accepted {
    /// The operation's id, the hash of its content.
    pub(crate) id: String,
    /// Its status word.
    pub(crate) status: String,
}

/// Something that happened to a transfer, an issue or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    /// Its place in the order of all that happened.
    pub(crate) sequence: String,
    /// Id of the operation.
    pub(crate) transfer: String,
    /// The request, when it came by a chain's queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Value>,
    /// Status word.
    pub(crate) status: String,
    /// The chain where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain_id: Option<String>,
    /// The index that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// Unix milliseconds.
    pub(crate) at: u64,
}

/// How far an operation has come.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationView {
    /// The operation's id.
    pub(crate) id: String,
    /// Its status word.
    pub(crate) status: String,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Value>,
    /// The index of the batch that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// The root of that batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<String>,
    /// Resource ids that it creates.
    #[serde(default)]
    pub(crate) created: Vec<String>,
    /// Resource ids that it spends.
    #[serde(default)]
    pub(crate) spent: Vec<String>,
    /// What has happened to it, in order.
    #[serde(default)]
    pub(crate) stages: Vec<Stage>,
    /// Everything else that the service says of it.
    #[serde(flatten)]
    pub(crate) rest: serde_json::Map<String, Value>,
}

/// One thing that happened to an operation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stage {
    /// The status word, of the operation or of its root on a spoke.
    pub(crate) stage: String,
    /// The chain where it happened.
    #[serde(default)]
    pub(crate) chain_id: Option<String>,
    /// Milliseconds since it was submitted.
    pub(crate) at_ms: u64,
    /// The transaction.
    #[serde(default)]
    pub(crate) tx: Option<String>,
    /// Gas of that transaction.
    #[serde(default)]
    pub(crate) gas: Option<String>,
}

/// The chains.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ChainsView {
    /// The hub and its spokes.
    pub(crate) chains: Vec<ChainView>,
    /// The domain that operations are signed for.
    pub(crate) domain: DomainView,
}

/// The EIP-712 domain of operations, the same on every chain.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainView {
    /// The hub's chain id.
    pub(crate) chain_id: String,
    /// The hub contract.
    pub(crate) verifying_contract: Address,
}

/// One chain.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChainView {
    /// Its chain id.
    pub(crate) chain_id: String,
    /// What the operator calls it.
    pub(crate) name: String,
    /// `hub` or `spoke`.
    pub(crate) role: String,
    /// The hub or spoke contract.
    pub(crate) verifier: Address,
    /// The number of the latest root that it is known to hold.
    #[serde(default)]
    pub(crate) index: Option<String>,
    /// That root.
    #[serde(default)]
    pub(crate) root: Option<String>,
    /// When it got there, Unix milliseconds.
    #[serde(default)]
    pub(crate) updated_at: Option<u64>,
    /// The highest index that the hub knows it to have applied.
    #[serde(default)]
    pub(crate) confirmed_index: Option<String>,
    /// What stands in the way of reading it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Everything else that the service says of it.
    #[serde(flatten)]
    pub(crate) rest: serde_json::Map<String, Value>,
}

/// A page of notes.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NotesPage {
    /// The notes.
    pub(crate) resources: Vec<NoteView>,
    /// Where the next page begins; none after the last one.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

/// One note.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoteView {
    /// Its resource id.
    pub(crate) id: B256,
    /// Its fields.
    pub(crate) resource: hypha_protocol::json::ResourceJson,
    /// The batch and the operation that spent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spent: Option<Value>,
    /// Everything else that the service says of it.
    #[serde(flatten)]
    pub(crate) rest: serde_json::Map<String, Value>,
}

/// A proof of one key at one root.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofView {
    /// The key.
    pub(crate) key: B256,
    /// The number of the root.
    pub(crate) index: String,
    /// The root.
    pub(crate) root: B256,
    /// Whether the key is there.
    pub(crate) present: bool,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Bytes>,
    /// The multiproof.
    pub(crate) proof: Bytes,
    /// The chain that holds the root, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain_id: Option<String>,
    /// The contract that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) verifier: Option<Address>,
}

impl DomainView {
    /// The hub's chain id as a number.
    pub(crate) fn chain_id(&self) -> Result<u64, CliError> {
        parse_decimal_u64("domain.chainId", &self.chain_id).map_err(|error| CliError::Failed(error.into()))
    }
}

impl NoteView {
    /// The note, and the certainty that the id is its own.
    pub(crate) fn typed(&self) -> Result<Resource, CliError> {
        let resource = Resource::try_from(&self.resource).map_err(|error| CliError::Failed(error.into()))?;
        if resource_id(&resource) == self.id {
            Ok(resource)
        } else {
            Err(CliError::Disagreed(format!("the service gives {} for a note with another id", self.id)))
        }
    }

    /// Whether it is spent.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.is_some()
    }
}
