//! Taking back batches that the hub will not have.

use hypha_chain::submit::Submitter;

use super::commit::intent_id;
use crate::context::Context;
use crate::state::State;
use crate::store::{BatchState, LedgerError, ProgressRecord, Update};

/// Takes back the batch `from` and all after it, in one write of its own.
pub(super) async fn withdraw(context: &Context, submitter: &Submitter, from: u64) -> Result<(), LedgerError> {
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            roll_back(state, update, submitter, from, now);
            Ok(())
        })
        .await
}

/// Takes back the batch `from` and all after it: what they carry is `admitted` again, and what was not sent of them is not sent.
pub(super) fn roll_back(state: &State, update: &mut Update, submitter: &Submitter, from: u64, now: u64) {
    for batch in state.batches.range(from..).rev().map(|(_, batch)| batch) {
        tracing::warn!(index = batch.index, root = %batch.root, "batch taken back");
        for entry in state.requests_of(batch) {
            update.move_request(entry.unresolved(ProgressRecord::admitted()), None, now);
        }
        for entry in state.members_of(batch) {
            update.progress(entry, ProgressRecord::admitted(), None, now);
        }
        update.drop_batch(batch.index);
        if batch.state >= BatchState::Committed {
            update.retract(state.operations_of(batch));
            update.also(submitter.withdrawal(&intent_id(batch)));
        }
    }
}
