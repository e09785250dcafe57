//! Taking back batches that the hub will not have.

use std::sync::Arc;

use hypha_protocol::operations::Operation;

use crate::context::Context;
use crate::state::State;
use crate::store::{BatchRecord, BatchState, LedgerError, ProgressRecord, Update};

/// Takes back the batch `from` and all after it, in one write of its own.
pub(super) async fn withdraw(context: &Context, from: u64) -> Result<(), LedgerError> {
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            roll_back(state, update, from, now);
            Ok(())
        })
        .await
}

/// Takes back the batch `from` and all after it: their operations are `admitted` again.
pub(super) fn roll_back(state: &State, update: &mut Update, from: u64, now: u64) {
    for batch in state.batches.range(from..).rev().map(|(_, batch)| batch) {
        tracing::warn!(index = batch.index, root = %batch.root, "batch taken back");
        for entry in batch.members.iter().filter_map(|number| state.entries.get(number)) {
            update.progress(entry, ProgressRecord::admitted(), None, now);
        }
        update.drop_batch(batch.index);
        if batch.state >= BatchState::Committed {
            update.retract(operations(state, batch));
        }
    }
}

/// The operations of a batch that is under way.
fn operations(state: &State, batch: &BatchRecord) -> Vec<Arc<Operation>> {
    let operation = |number| state.entries.get(number).map(|entry| entry.operation.clone());
    batch.members.iter().filter_map(operation).collect()
}
