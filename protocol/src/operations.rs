//! Operations: what they are called, what they touch, how they are packed and how they are checked.
//!
//! [`decode_operations`] gives operations that nobody has checked; [`check_operations`] gives [`Checked`], another type.

mod check;
mod error;
mod pack;
mod unpack;

use alloy::primitives::B256;
use hypha_tree::{Touch, ValueHash};

pub use crate::contracts::{Issue, Output, Resource, Transfer};
use crate::ids::{
    nullifier_key, nullifier_of_id, nullifier_value_hash, output_resource, resource_id, resource_key,
};
use crate::signing::{issue_hash, transfer_hash_of};
pub use check::{Checked, HubRules, Rules, check_operations};
pub use error::{OperationError, PackError};
pub use pack::{encode_operations, packed_length};
pub use unpack::decode_operations;

/// Most bytes of packed operations, so that every supported chain takes a batch in one transaction.
pub const MAX_OPERATIONS_BYTES: usize = 65_536;
/// Most keys that a batch touches: even at 60,000 gas a key, more than twice what a large tree costs, they fit the 16.7
/// million of a transaction (EIP-7825), a nullifier cache included.
pub const MAX_KEYS: usize = 256;
/// Most inputs of a transfer.
pub const MAX_INPUTS: usize = 16;
/// Most outputs of a transfer.
pub const MAX_OUTPUTS: usize = 16;

const TAG_TRANSFER: u8 = 1;
const TAG_ISSUE: u8 = 2;
/// Bit of an amount's header that says that data follows.
const DATA_FLAG: u8 = 0x80;
/// Bits of an amount's header that hold the length of the quantity.
const LENGTH_MASK: u8 = 0x3f;

/// One step of a batch, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Spends notes and creates notes.
    Transfer(Transfer),
    /// Brings a note of the signer's own kind into being.
    Issue(Issue),
}

impl Operation {
    /// The id of the operation, everywhere: its EIP-712 struct hash, which does not cover signatures.
    pub fn id(&self) -> B256 {
        match self {
            Self::Transfer(transfer) => transfer_id(transfer, &self.input_ids()),
            Self::Issue(issue) => issue_hash(issue),
        }
    }

    /// The word for what it is: `transfer` or `issue`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transfer(_) => "transfer",
            Self::Issue(_) => "issue",
        }
    }

    /// Number of keys it touches: two for each note it spends, one for each it creates.
    pub fn key_count(&self) -> usize {
        match self {
            Self::Transfer(transfer) => 2 * transfer.inputs.len() + transfer.outputs.len(),
            Self::Issue(_) => 1,
        }
    }

    /// Latest time at which the hub takes it, Unix seconds.
    pub fn deadline(&self) -> u64 {
        match self {
            Self::Transfer(transfer) => transfer.deadline,
            Self::Issue(issue) => issue.deadline,
        }
    }

    /// The notes it spends.
    pub fn inputs(&self) -> &[Resource] {
        match self {
            Self::Transfer(transfer) => &transfer.inputs,
            Self::Issue(_) => &[],
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
        let created = match self {
            Self::Transfer(transfer) => outputs_of(transfer, transfer_id(transfer, &input_ids)),
            Self::Issue(issue) => vec![issue.resource.clone()],
        };
        touches_of(self.inputs(), &input_ids, &created)
    }

    fn created_by(&self, id: B256) -> Vec<Resource> {
        match self {
            Self::Transfer(transfer) => outputs_of(transfer, id),
            Self::Issue(issue) => vec![issue.resource.clone()],
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
