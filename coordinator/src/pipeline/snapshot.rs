//! In: the newest version of the tree that all chains have confirmed. Out: its leaves on disk, once enough was written since
//! the last time, so that a start needs only the batches after it. Sets nothing.

use std::sync::Arc;

use hypha_tree::SnapshotHeader;
use tokio_util::sync::CancellationToken;

use crate::config::LimitsConfig;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::metrics;
use crate::state::{State, Version};
use crate::store::{LedgerError, Slot, SnapshotRecord, Update, snapshots};

/// Takes a snapshot when one is due.
///
/// The pages go beside the batches, a few at a time; until all are there the snapshot before counts.
///
/// # Errors
/// When the store does not take it, or on `shutdown`.
pub async fn snapshot(context: &Arc<Context>, shutdown: &CancellationToken) -> Result<(), CoordinatorError> {
    let Some((version, slot)) = due(&context.ledger.state(), &context.limits) else { return Ok(()) };
    let (index, began) = (version.index, context.now());
    fill(context, shutdown, &version, slot).await?;
    let record = SnapshotRecord::of(&version, slot);
    let counts = |_: &State, update: &mut Update| {
        update.snapshot(&record, version.written);
        Ok::<_, LedgerError>(())
    };
    context.ledger.update(counts).await?;
    let bytes = SnapshotHeader::of(&version.tree).bytes();
    metrics::snapshot(index, bytes, context.now().saturating_sub(began));
    tracing::info!(index, bytes, "snapshot of the tree");
    Ok(())
}

/// What is to be written, and where to.
fn due(state: &State, limits: &LimitsConfig) -> Option<(Version, Slot)> {
    let (version, last) = (state.settled(), &state.snapshot);
    let batches = version.index.saturating_sub(last.index);
    let written = version.written.saturating_sub(last.written);
    let share = (version.tree.len() as u64).saturating_mul(limits.snapshot_percent as u64);
    let is_due = batches >= limits.snapshot_batches as u64 && written.saturating_mul(100) >= share;
    is_due.then(|| (version.clone(), last.slot.other()))
}

/// Writes the pages, in turn with the writes of the other stages. It takes long, so on a thread where that is allowed; it ends
/// at its next write after `shutdown`.
async fn fill(
    context: &Arc<Context>,
    shutdown: &CancellationToken,
    version: &Version,
    slot: Slot,
) -> Result<(), LedgerError> {
    let (context, shutdown, tree) = (context.clone(), shutdown.clone(), version.tree.clone());
    let write = move |changes| {
        if shutdown.is_cancelled() {
            return Err(LedgerError::ShuttingDown);
        }
        context.ledger.write_aside(changes)
    };
    match tokio::task::spawn_blocking(move || snapshots::fill(&tree, slot, write)).await {
        Ok(outcome) => outcome,
        // A bug: it must not pass for a shutdown.
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(LedgerError::ShuttingDown),
    }
}
