//! Whether the promises were kept, from what clients were told and what stands on the chains alone. It knows nothing of how a
//! service works, and asks none of them for anything but how each operation ended.
//!
//! It follows notes, indexes and ends. It does not hash: that the operations of each batch give the batch's root is what
//! `hypha verify` computes again, from the same logs, and a test of promises runs both.
//!
//! An end is judged by how far the chains were when the client was told, read after that: so a lie can pass that came true between the
//! two, and no truth is called a lie.

mod evidence;
mod lie;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::B256;
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{Operation, decode_operations};

pub use evidence::{Batch, Confirmation, End, Evidence, Head, Root, Spoke, Told};
pub use lie::Lie;

/// Seconds before its deadline from which on an operation may be rejected: sent then, it could come too late.
pub const DEADLINE_MARGIN_S: u64 = 10;

/// Every promise that was not kept; none when all were.
pub fn check(evidence: &Evidence) -> Vec<Lie> {
    let mut lies = Vec::new();
    let history = History::of(&evidence.batches, &mut lies);
    check_chains(evidence, &history, &mut lies);
    check_spokes(evidence, &mut lies);
    for (id, operation) in &evidence.acknowledged {
        check_ends(evidence, *id, operation, &history, &mut lies);
    }
    lies
}

/// An operation that the hub took: its batch, the height of that, and the domains of its notes.
struct Applied {
    index: u64,
    block: u64,
    domains: BTreeSet<u64>,
}

/// What the hub's batches did.
#[derive(Default)]
struct History {
    applied: BTreeMap<B256, Applied>,
    /// Notes, each with the height at which it was created.
    created: BTreeMap<B256, u64>,
    /// Notes, each with the height at which it was spent.
    spent: BTreeMap<B256, u64>,
}

impl History {
    fn of(batches: &[Batch], lies: &mut Vec<Lie>) -> Self {
        let mut history = Self::default();
        for (batch, expected) in batches.iter().zip(1..) {
            if batch.index != expected {
                lies.push(Lie::IndexLeftOut { expected, actual: batch.index });
            }
            match decode_operations(&batch.operations) {
                Ok(operations) => {
                    operations.iter().for_each(|operation| history.take(batch, operation, lies));
                }
                Err(_) => lies.push(Lie::Unreadable(batch.index)),
            }
        }
        history
    }

    fn take(&mut self, batch: &Batch, operation: &Operation, lies: &mut Vec<Lie>) {
        let Batch { index, block, .. } = *batch;
        for note in operation.input_ids() {
            let was_spent = self.spent.insert(note, block).is_some();
            if was_spent || !self.created.contains_key(&note) {
                lies.push(Lie::SpentTwice { note, index });
            }
        }
        for note in operation.created().iter().map(resource_id) {
            if self.created.insert(note, block).is_some() {
                lies.push(Lie::CreatedTwice { note, index });
            }
        }
        let id = operation.id();
        match self.applied.get(&id) {
            Some(Applied { index: first, .. }) => {
                lies.push(Lie::AppliedTwice { id, first: *first, second: index });
            }
            None => {
                self.applied.insert(id, Applied { index, block, domains: domains(operation) });
            }
        }
    }
}

fn domains(operation: &Operation) -> BTreeSet<u64> {
    let created = operation.created();
    let notes = operation.inputs().iter().chain(&created);
    notes.map(|note| note.domainId.saturating_to()).collect()
}

/// There is evidence of every chain that an operation concerns: else nobody could say whether it had the root.
fn check_chains(evidence: &Evidence, history: &History, lies: &mut Vec<Lie>) {
    let spokes = evidence.spokes.iter().map(|spoke| spoke.chain_id);
    let known: BTreeSet<u64> = spokes.chain([evidence.hub]).collect();
    for (id, Applied { index, domains, .. }) in &history.applied {
        for chain_id in domains.difference(&known) {
            lies.push(Lie::UnknownChain { id: *id, index: *index, chain_id: *chain_id });
        }
    }
}

/// No spoke has a root that the hub does not have, and none goes back.
fn check_spokes(evidence: &Evidence, lies: &mut Vec<Lie>) {
    let roots: BTreeMap<u64, B256> = evidence.batches.iter().map(|batch| (batch.index, batch.root)).collect();
    for Spoke { chain_id, roots: taken } in &evidence.spokes {
        let (chain_id, mut from) = (*chain_id, 0);
        for Root { index, root, .. } in taken.iter().copied() {
            if roots.get(&index) != Some(&root) {
                lies.push(Lie::AnotherRoot { chain_id, index, root });
            }
            if index <= from {
                lies.push(Lie::WentBack { chain_id, from, to: index });
            }
            from = index;
        }
    }
}

/// What was acknowledged has one end, and the chains showed it when the client was told.
fn check_ends(evidence: &Evidence, id: B256, operation: &Operation, history: &History, lies: &mut Vec<Lie>) {
    let told = evidence.told.get(&id).map_or(&[][..], Vec::as_slice);
    let Some((last, before)) = told.split_last() else {
        lies.push(Lie::NoEnd(id));
        return;
    };
    if before.iter().any(|told| matches!(told.end, End::Finalized(_)) && told.end != last.end) {
        lies.push(Lie::EndTakenBack(id));
    }
    match (&last.end, history.applied.get(&id)) {
        (End::Rejected(_), Some(Applied { index, .. })) => {
            lies.push(Lie::RejectedYetApplied { id, index: *index });
        }
        (End::Finalized(_), None) => lies.push(Lie::FinalizedNowhere(id)),
        _ => {}
    }
    for Told { end, heads } in told {
        match (end, history.applied.get(&id)) {
            (End::Finalized(said), Some(applied)) => {
                check_finalized(evidence, id, *said, applied, heads, lies);
            }
            (End::Rejected(code), _) => {
                let hub = heads.get(&evidence.hub).copied().unwrap_or_default();
                if !is_justified(code, operation, history, hub) {
                    lies.push(Lie::RejectedWithoutReason { id, code: code.clone() });
                }
            }
            (End::Finalized(_), None) => {}
        }
    }
}

/// The batch was final on the hub, each chain that it concerns had its root or a later one, and that was final on the hub as well.
fn check_finalized(
    evidence: &Evidence,
    id: B256,
    said: u64,
    applied: &Applied,
    heads: &BTreeMap<u64, Head>,
    lies: &mut Vec<Lie>,
) {
    let Applied { index, block, domains } = applied;
    let head = |chain_id| heads.get(&chain_id).copied().unwrap_or_default();
    if said != *index {
        lies.push(Lie::FinalizedElsewhere { id, said, actual: *index });
    }
    let last_final = head(evidence.hub).last_final;
    if *block > last_final {
        lies.push(Lie::FinalizedBeforeHub { id, index: *index });
    }
    for spoke in evidence.spokes.iter().filter(|spoke| domains.contains(&spoke.chain_id)) {
        let Spoke { chain_id, roots } = spoke;
        let newest = head(*chain_id).newest;
        let has_root = roots.iter().any(|root| root.index >= *index && root.block <= newest);
        let is_confirmed = evidence
            .confirmations
            .iter()
            .any(|one| one.chain_id == *chain_id && one.index >= *index && one.block <= last_final);
        if !has_root || !is_confirmed {
            lies.push(Lie::FinalizedTooEarly { id, index: *index, chain_id: *chain_id });
        }
    }
}

/// Whether the hub showed by then what the code of a rejection says: a client is told why an operation cannot come any more, and can
/// look.
fn is_justified(code: &str, operation: &Operation, history: &History, hub: Head) -> bool {
    let inputs = operation.input_ids();
    let by_then = |seen: Option<&u64>| seen.is_some_and(|block| *block <= hub.newest);
    match code {
        "deadline_passed" => {
            operation.deadline().is_some_and(|deadline| deadline < hub.time.saturating_add(DEADLINE_MARGIN_S))
        }
        "input_spent" => inputs.iter().any(|note| by_then(history.spent.get(note))),
        "input_absent" => inputs.iter().any(|note| !by_then(history.created.get(note))),
        _ => false,
    }
}
