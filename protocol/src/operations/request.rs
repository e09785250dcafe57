//! Requests: what a chain's queue asks for, and how a batch resolves it.

use alloy::primitives::{Address, B256, Bytes, U256};
use hypha_tree::{Touch, ValueHash};

use super::pack::encode_content;
use super::{PackError, RequestError, Resource, Transfer, outputs_of};
use crate::ids::{
    kind_of, nullifier_key, nullifier_of, nullifier_value_hash, request_hash, resource_id, resource_key,
    void_key, void_value_hash,
};
use crate::signing::transfer_hash;

/// What kind of thing a request asks for: the tag of its queued operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RequestType {
    /// A transfer.
    Transfer = 3,
    /// An issue.
    Issue = 4,
}

impl TryFrom<u8> for RequestType {
    type Error = RequestError;

    fn try_from(byte: u8) -> Result<Self, RequestError> {
        match byte {
            3 => Ok(Self::Transfer),
            4 => Ok(Self::Issue),
            request_type => Err(RequestError::UnknownRequest { request_type }),
        }
    }
}

/// An issue that a contract asks for: the kind follows from the chain of the request, its sender and the label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestedIssue {
    /// The sender's name for the kind.
    pub label: B256,
    /// Chain id of the chain that the note will belong to.
    pub domain_id: u64,
    /// The account that will spend it.
    pub owner: Address,
    /// Units of the kind.
    pub quantity: U256,
    /// Free for applications; may be zero.
    pub data: B256,
    /// [`crate::ids::requested_salt`].
    pub salt: B256,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A transfer of at most [`super::MAX_REQUEST_NOTES`] inputs and as many outputs.
    Transfer(Transfer),
    /// An issue of the sender's own kind.
    Issue(RequestedIssue),
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Head {
    pub(super) chain_id: u64,
    pub(super) number: u64,
    pub(super) sender: Address,
}

/// A request of a chain's queue. Its content always has a packed form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    head: Head,
    content: Content,
    packed: Bytes,
}

impl Request {
    /// A request that nobody has checked.
    ///
    /// # Errors
    /// What of the content has no packed form ([`PackError`]).
    pub fn new(chain_id: u64, number: u64, sender: Address, content: Content) -> Result<Self, PackError> {
        let packed = encode_content(&content)?.into();
        Ok(Self { head: Head { chain_id, number, sender }, content, packed })
    }

    /// A request whose content was read from `packed`.
    pub(super) fn read(head: Head, content: Content, packed: &[u8]) -> Self {
        Self { head, content, packed: Bytes::copy_from_slice(packed) }
    }

    /// Chain id of its queue.
    pub fn chain_id(&self) -> u64 {
        self.head.chain_id
    }

    /// Its number in that queue, from 1.
    pub fn number(&self) -> u64 {
        self.head.number
    }

    /// Who asked.
    pub fn sender(&self) -> Address {
        self.head.sender
    }

    /// What is asked for.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The content, packed.
    pub fn packed_content(&self) -> &Bytes {
        &self.packed
    }

    /// What kind of thing is asked for.
    pub fn request_type(&self) -> RequestType {
        match self.content {
            Content::Transfer(_) => RequestType::Transfer,
            Content::Issue(_) => RequestType::Issue,
        }
    }

    /// What the queue holds of it: type, content and sender.
    pub fn hash(&self) -> B256 {
        request_hash(self.request_type() as u8, &self.packed, self.head.sender)
    }

    /// The id of its queued operation: of a transfer its hash, of an issue that of its resource.
    pub fn operation_id(&self) -> B256 {
        match &self.content {
            Content::Transfer(transfer) => transfer_hash(transfer),
            Content::Issue(issue) => resource_id(&self.issued(issue)),
        }
    }

    /// The notes that it spends when it is executed.
    pub fn inputs(&self) -> &[Resource] {
        match &self.content {
            Content::Transfer(transfer) => &transfer.inputs,
            Content::Issue(_) => &[],
        }
    }

    /// Number of notes that it creates when it is executed.
    pub fn output_count(&self) -> usize {
        match &self.content {
            Content::Transfer(transfer) => transfer.outputs.len(),
            Content::Issue(_) => 1,
        }
    }

    /// The notes that it creates when it is executed.
    pub fn created(&self) -> Vec<Resource> {
        match &self.content {
            Content::Transfer(transfer) => outputs_of(transfer, transfer_hash(transfer)),
            Content::Issue(issue) => vec![self.issued(issue)],
        }
    }

    fn issued(&self, issue: &RequestedIssue) -> Resource {
        Resource {
            domainId: U256::from(issue.domain_id),
            owner: issue.owner,
            kind: kind_of(U256::from(self.head.chain_id), self.head.sender, issue.label),
            quantity: issue.quantity,
            data: issue.data,
            salt: issue.salt,
        }
    }
}

/// Why a request cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum VoidReason {
    /// The old tree has no such note.
    InputAbsent = 1,
    /// Its nullifier is in the old tree.
    InputSpent = 2,
    /// The old tree has the note that would be created.
    OutputExists = 3,
    /// The note would be created for a chain that is neither the hub nor a registered spoke.
    UnknownDomain = 4,
}

impl VoidReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::InputAbsent, Self::InputSpent, Self::OutputExists, Self::UnknownDomain];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InputAbsent => "inputAbsent",
            Self::InputSpent => "inputSpent",
            Self::OutputExists => "outputExists",
            Self::UnknownDomain => "unknownDomain",
        }
    }

    /// How many positions of a request it can be said of.
    fn positions(self, request: &Request) -> usize {
        match self {
            Self::InputAbsent | Self::InputSpent => request.inputs().len(),
            Self::OutputExists | Self::UnknownDomain => request.output_count(),
        }
    }
}

impl TryFrom<u8> for VoidReason {
    type Error = RequestError;

    fn try_from(byte: u8) -> Result<Self, RequestError> {
        let known = Self::ALL.into_iter().find(|reason| *reason as u8 == byte);
        known.ok_or(RequestError::VoidReason { reason: byte })
    }
}

/// A request that is resolved without being executed, since it cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Void {
    request: Request,
    reason: VoidReason,
    position: u8,
}

impl Void {
    /// The claim that `request` cannot run for this reason, at this position of its inputs or outputs. Whether it is true is for
    /// the tree to show, or for the hub.
    ///
    /// # Errors
    /// [`RequestError::VoidPosition`].
    pub fn new(request: Request, reason: VoidReason, position: u8) -> Result<Self, RequestError> {
        let count = reason.positions(&request);
        if usize::from(position) < count {
            Ok(Self { request, reason, position })
        } else {
            Err(RequestError::VoidPosition { count, position })
        }
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Why it cannot run.
    pub fn reason(&self) -> VoidReason {
        self.reason
    }

    /// Which of its inputs or outputs is at fault.
    pub fn position(&self) -> u8 {
        self.position
    }

    /// The key that says for ever that the request was void, and the evidence, which is only read.
    pub fn touches(&self) -> Vec<Touch> {
        let key = void_key(self.request.chain_id(), self.request.number());
        let inserted = Touch { key, old: None, new: Some(void_value_hash()) };
        std::iter::once(inserted).chain(self.evidence()).collect()
    }

    fn evidence(&self) -> Option<Touch> {
        let position = usize::from(self.position);
        let read = |key, old| Some(Touch { key, old, new: None });
        match self.reason {
            VoidReason::InputAbsent => {
                let input = &self.request.inputs()[position];
                read(resource_key(input.domainId, resource_id(input)), None)
            }
            VoidReason::InputSpent => {
                let nullifier = nullifier_of(&self.request.inputs()[position]);
                read(nullifier_key(nullifier), Some(nullifier_value_hash()))
            }
            VoidReason::OutputExists => {
                let output = &self.request.created()[position];
                let id = resource_id(output);
                read(resource_key(output.domainId, id), Some(ValueHash::from(id.0)))
            }
            VoidReason::UnknownDomain => None,
        }
    }

    /// The domain that is said to be unknown, where the reason is that.
    pub fn unknown_domain(&self) -> Option<u64> {
        let position = usize::from(self.position);
        (self.reason == VoidReason::UnknownDomain).then(|| match &self.request.content {
            // A packed domain id always fits.
            Content::Transfer(transfer) => transfer.outputs[position].domainId.saturating_to(),
            Content::Issue(issue) => issue.domain_id,
        })
    }
}

/// How a batch resolves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolution {
    /// Chain id of its queue.
    pub chain_id: u64,
    /// Its number in that queue.
    pub number: u64,
    /// Its hash ([`Request::hash`]).
    pub hash: B256,
    /// False when it was void.
    pub executed: bool,
}

impl Resolution {
    pub(super) fn of(request: &Request, executed: bool) -> Self {
        Self { chain_id: request.chain_id(), number: request.number(), hash: request.hash(), executed }
    }
}
