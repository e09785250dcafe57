//! How a batch resolves a request: executed when the tree that it builds on allows it, else void for the first reason that holds.

use alloy::primitives::{B256, U256};

use super::{Operation, Request, Resource, Void, VoidReason};
use crate::ids::resource_id;

/// What the next batch builds on: the tree, and where notes may be created.
pub trait Ground {
    /// Whether the note, whose id this is, is in the tree.
    fn has_note(&self, note: &Resource, id: B256) -> bool;
    /// Whether the nullifier of the note with this id is in the tree.
    fn is_spent(&self, id: B256) -> bool;
    /// Whether this is the hub's chain or a registered spoke's.
    fn is_domain(&self, domain_id: U256) -> bool;
}

/// What resolves this request in the next batch.
pub fn resolve(ground: &impl Ground, request: &Request) -> Operation {
    match VoidReason::ALL.into_iter().find_map(|reason| void(ground, request, reason)) {
        Some(void) => Operation::Void(void),
        None => Operation::Queued(request.clone()),
    }
}

/// The void for this reason, where it holds: of the first input or output at fault.
fn void(ground: &impl Ground, request: &Request, reason: VoidReason) -> Option<Void> {
    let mut inputs = request.inputs().iter();
    let created = request.created();
    let mut outputs = created.iter();
    let position = match reason {
        VoidReason::InputAbsent => inputs.position(|input| !ground.has_note(input, resource_id(input))),
        VoidReason::InputSpent => inputs.position(|input| ground.is_spent(resource_id(input))),
        VoidReason::OutputExists => outputs.position(|output| ground.has_note(output, resource_id(output))),
        VoidReason::UnknownDomain => outputs.position(|output| !ground.is_domain(output.domainId)),
    };
    let position = u8::try_from(position?).expect("a request has at most four of each");
    Some(Void::new(request.clone(), reason, position).expect("it is one of the request's own"))
}
