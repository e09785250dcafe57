//! How a batch resolves a request: executed when the head of the tree allows it, else void for the first reason that holds.

use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{Operation, Request, Void, VoidReason};

use crate::state::State;

/// What resolves this request in the next batch.
pub(super) fn resolve(state: &State, request: &Request) -> Operation {
    let void = obstacle(state, request)
        .and_then(|(reason, position)| Void::new(request.clone(), reason, u8::try_from(position).ok()?).ok());
    void.map_or_else(|| Operation::Queued(request.clone()), Operation::Void)
}

/// The first reason for which the request cannot run on the head of the tree, and the input or output at fault.
fn obstacle(state: &State, request: &Request) -> Option<(VoidReason, usize)> {
    let created = request.created();
    let note = |id| state.notes.get(&id);
    VoidReason::ALL.into_iter().find_map(|reason| {
        let mut inputs = request.inputs().iter().map(resource_id);
        let position = match reason {
            VoidReason::InputAbsent => inputs.position(|id| note(id).is_none()),
            VoidReason::InputSpent => inputs.position(|id| note(id).is_some_and(|note| note.spent.is_some())),
            VoidReason::OutputExists => created.iter().position(|output| note(resource_id(output)).is_some()),
            VoidReason::UnknownDomain => {
                let is_known = |id| u64::try_from(id).is_ok_and(|id| state.domains.contains(&id));
                created.iter().position(|output| !is_known(output.domainId))
            }
        };
        position.map(|position| (reason, position))
    })
}
