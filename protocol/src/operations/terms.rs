//! What one operation is checked against, and where it may stand.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256};

use super::request::Head;
use super::{
    MAX_INPUTS, MAX_OUTPUTS, MAX_REQUEST_NOTES, OperationError, Rules, TAG_ISSUE, TAG_QUEUED_ISSUE,
    TAG_QUEUED_TRANSFER, TAG_TRANSFER, TAG_VOID, Transfer,
};
use crate::signing::{distinct_owners, owners_beside_sender};

/// Where operations stand in a batch. Voids come first, so that no batch can make a request possible and declare it void.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Void,
    Queued,
    Other,
}

impl Place {
    pub(super) fn of(tag: u8) -> Result<Self, OperationError> {
        match tag {
            TAG_VOID => Ok(Self::Void),
            TAG_QUEUED_TRANSFER | TAG_QUEUED_ISSUE => Ok(Self::Queued),
            TAG_TRANSFER | TAG_ISSUE => Ok(Self::Other),
            tag => Err(OperationError::UnknownOperation { tag }),
        }
    }
}

/// What one operation is checked against.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) most_inputs: usize,
    pub(super) most_outputs: usize,
    /// Time that its deadline is compared with.
    pub(super) timestamp: Option<u64>,
    /// Chains for which notes may be created.
    pub(super) domains: Option<&'a BTreeSet<u64>>,
    /// Who needs no signature for its own notes on one chain: the sender of a request.
    pub(super) request: Option<Head>,
    /// The hub's; without it, balances and signatures are not looked at.
    pub(super) separator: Option<B256>,
}

impl<'a> Terms<'a> {
    /// Those of a transfer or issue that is not queued.
    pub(super) fn of(rules: Option<&'a Rules>) -> Self {
        Self {
            most_inputs: MAX_INPUTS,
            most_outputs: MAX_OUTPUTS,
            timestamp: rules.and_then(|rules| rules.timestamp),
            domains: rules.and_then(|rules| rules.domains.as_ref()),
            request: None,
            separator: rules.map(|rules| rules.separator),
        }
    }

    pub(super) fn of_request(self, head: Head) -> Self {
        Self { most_inputs: MAX_REQUEST_NOTES, most_outputs: MAX_REQUEST_NOTES, request: Some(head), ..self }
    }

    pub(super) fn check_deadline(&self, deadline: u64) -> Result<u64, OperationError> {
        match self.timestamp {
            Some(timestamp) if timestamp > deadline => {
                Err(OperationError::DeadlinePassed { deadline, timestamp })
            }
            _ => Ok(deadline),
        }
    }

    pub(super) fn check_domain(&self, domain_id: u64) -> Result<u64, OperationError> {
        match self.domains {
            Some(domains) if !domains.contains(&domain_id) => {
                Err(OperationError::UnknownDomain { domain_id })
            }
            _ => Ok(domain_id),
        }
    }

    pub(super) fn signers(&self, transfer: &Transfer) -> Vec<Address> {
        match self.request {
            Some(head) => owners_beside_sender(&transfer.inputs, head.chain_id, head.sender),
            None => distinct_owners(&transfer.inputs),
        }
    }
}
