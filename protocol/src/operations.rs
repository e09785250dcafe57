//! Operations: what they are called, what they touch, how they are packed and how they are checked.
//!
//! [`decode_operations`] gives operations that nobody has checked; [`check_operations`] gives [`Checked`], another type.

mod check;
mod error;
mod pack;
mod pack_error;
mod request;
mod request_error;
mod resolve;
mod terms;
mod unpack;

use alloy::primitives::B256;
use hypha_tree::{Touch, ValueHash};

pub use crate::contracts::{Issue, Output, Resource, Transfer};
use crate::ids::{
    nullifier_key, nullifier_of_id, nullifier_value_hash, output_resource, resource_id, resource_key,
};
use crate::signing::{issue_hash, transfer_hash_of};
pub use check::{Checked, Rules, check_operations};
pub use error::OperationError;
pub use pack::{encode_operations, packed_length};
pub use pack_error::PackError;
pub use request::{Content, Request, RequestType, RequestedIssue, Resolution, Void, VoidReason};
pub use request_error::RequestError;
pub use resolve::{Ground, resolve};
pub use unpack::{check_request, decode_operations, decode_request};

/// Most bytes of packed operations, so that every supported chain takes a batch in one transaction.
pub const MAX_OPERATIONS_BYTES: usize = 65_536;
/// Most keys that a batch touches: even at 60,000 gas a key, more than twice what a large tree costs, they fit the 16.7
/// million of a transaction (EIP-7825), a nullifier cache included.
pub const MAX_KEYS: usize = 256;
/// Most inputs of a transfer.
pub const MAX_INPUTS: usize = 16;
/// Most outputs of a transfer.
pub const MAX_OUTPUTS: usize = 16;
/// Most inputs, and most outputs, of a transfer that is requested.
pub const MAX_REQUEST_NOTES: usize = 4;

const TAG_TRANSFER: u8 = 1;
const TAG_ISSUE: u8 = 2;
const TAG_QUEUED_TRANSFER: u8 = RequestType::Transfer as u8;
const TAG_QUEUED_ISSUE: u8 = RequestType::Issue as u8;
const TAG_VOID: u8 = 5;
/// Bit of an amount's header that says that data follows.
const DATA_FLAG: u8 = 0x80;
/// Bits of an amount's header that hold the length of the quantity.
const LENGTH_MASK: u8 = 0x3f;

/// One step of a batch, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Resolves a request that cannot run.
    Void(Void),
    /// Executes a request: a queued transfer or a queued issue, as its content is.
    Queued(Request),
    /// Spends notes and creates notes.
    Transfer(Transfer),
    /// Brings a note of the signer's own kind into being.
    Issue(Issue),
}

impl Operation {
    /// The id of the operation, everywhere. It does not cover signatures. Of a transfer, queued or not, and of an issue its EIP-712
    /// struct hash, of a queued issue the id of its resource, of a void the hash of its request.
    pub fn id(&self) -> B256 {
        match self {
            Self::Void(void) => void.request().hash(),
            Self::Queued(request) => request.operation_id(),
            Self::Transfer(transfer) => transfer_id(transfer, &self.input_ids()),
            Self::Issue(issue) => issue_hash(issue),
        }
    }

    /// The word for what it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Void(_) => "void",
            Self::Queued(request) => match request.request_type() {
                RequestType::Transfer => "queuedTransfer",
                RequestType::Issue => "queuedIssue",
            },
            Self::Transfer(_) => "transfer",
            Self::Issue(_) => "issue",
        }
    }

    /// Number of keys it touches: two for each note it spends, one for each it creates; for a void that of the void request and
    /// that of its evidence.
    pub fn key_count(&self) -> usize {
        match self {
            Self::Void(void) if void.reason() == VoidReason::UnknownDomain => 1,
            Self::Void(_) => 2,
            Self::Queued(request) => 2 * request.inputs().len() + request.output_count(),
            Self::Transfer(transfer) => 2 * transfer.inputs.len() + transfer.outputs.len(),
            Self::Issue(_) => 1,
        }
    }

    /// Latest time at which the hub takes it, Unix seconds: none for what resolves a request, whose deadline counted when it was
    /// queued.
    pub fn deadline(&self) -> Option<u64> {
        match self {
            Self::Void(_) | Self::Queued(_) => None,
            Self::Transfer(transfer) => Some(transfer.deadline),
            Self::Issue(issue) => Some(issue.deadline),
        }
    }

    /// How it resolves a request, if it does.
    pub fn resolution(&self) -> Option<Resolution> {
        match self {
            Self::Void(void) => Some(Resolution::of(void.request(), false)),
            Self::Queued(request) => Some(Resolution::of(request, true)),
            Self::Transfer(_) | Self::Issue(_) => None,
        }
    }

    /// The notes it spends.
    pub fn inputs(&self) -> &[Resource] {
        match self {
            Self::Void(_) | Self::Issue(_) => &[],
            Self::Queued(request) => request.inputs(),
            Self::Transfer(transfer) => &transfer.inputs,
        }
    }

    /// Ids of the notes it spends.
    pub fn input_ids(&self) -> Vec<B256> {
        self.inputs().iter().map(resource_id).collect()
    }

    /// Nullifiers of the notes it spends.
    pub fn nullifiers(&self) -> Vec<B256> {
        self.input_ids().into_iter().map(nullifier_of_id).collect()
    }

    /// The notes it creates.
    pub fn created(&self) -> Vec<Resource> {
        self.created_by(self.id())
    }

    /// The keys it touches, in the order of the operation (README, step 4).
    pub fn touches(&self) -> Vec<Touch> {
        let input_ids = self.input_ids();
        self.touches_of(&input_ids, &self.created_by(self.id_of(&input_ids)))
    }

    /// [`Operation::id`] where the ids of the inputs are known.
    fn id_of(&self, input_ids: &[B256]) -> B256 {
        match self {
            Self::Transfer(transfer) => transfer_id(transfer, input_ids),
            _ => self.id(),
        }
    }

    fn created_by(&self, id: B256) -> Vec<Resource> {
        match self {
            Self::Void(_) => Vec::new(),
            Self::Queued(request) => request.created(),
            Self::Transfer(transfer) => outputs_of(transfer, id),
            Self::Issue(issue) => vec![issue.resource.clone()],
        }
    }

    fn touches_of(&self, input_ids: &[B256], created: &[Resource]) -> Vec<Touch> {
        match self {
            Self::Void(void) => void.touches(),
            _ => touches_of(self.inputs(), input_ids, created),
        }
    }
}

fn transfer_id(transfer: &Transfer, input_ids: &[B256]) -> B256 {
    transfer_hash_of(input_ids, &transfer.outputs, transfer.deadline)
}

fn outputs_of(transfer: &Transfer, id: B256) -> Vec<Resource> {
    transfer.outputs.iter().enumerate().map(|(index, output)| output_resource(id, index, output)).collect()
}

fn touches_of(inputs: &[Resource], input_ids: &[B256], created: &[Resource]) -> Vec<Touch> {
    let spent = inputs.iter().zip(input_ids).flat_map(|(input, id)| {
        let held = ValueHash::from(id.0);
        [
            Touch { key: resource_key(input.domainId, *id), old: Some(held), new: None },
            Touch { key: nullifier_key(nullifier_of_id(*id)), old: None, new: Some(nullifier_value_hash()) },
        ]
    });
    let made = created.iter().map(|resource| {
        let id = resource_id(resource);
        Touch { key: resource_key(resource.domainId, id), old: None, new: Some(ValueHash::from(id.0)) }
    });
    spent.chain(made).collect()
}
