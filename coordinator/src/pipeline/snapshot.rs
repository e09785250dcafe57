//! In: the newest version of the tree that all chains have confirmed. Out: its leaves on disk, once enough was written since
//! the last time, so that a start needs only the batches after it. Sets nothing.

use std::sync::Arc;

use hypha_chain::ports::Change;
use hypha_tree::SnapshotHeader;
use tokio_util::sync::CancellationToken;

use crate::config::LimitsConfig;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::metrics;
use crate::state::{State, Version};
use crate::store::{LedgerError, Slot, SnapshotRecord, Update, snapshots};

/// Takes a snapshot when one is due. Gives its index.
///
/// The pages go beside the batches, a few at a time; until all are there the snapshot before counts.
///
/// # Errors
/// When the store does not take it, or on `shutdown`.
pub async fn snapshot(
    context: &Arc<Context>,
    shutdown: &CancellationToken,
) -> Result<Option<u64>, CoordinatorError> {
    let Some((version, slot)) = due(&context.ledger.state(), &context.limits) else { return Ok(None) };
    let (index, began) = (version.index, context.now());
    let tree = version.tree.clone();
    aside(context, shutdown, move |_, write| snapshots::fill(&tree, slot, write)).await?;
    let record = SnapshotRecord::of(&version, slot);
    let counts = |_: &State, update: &mut Update| {
        update.snapshot(&record, version.written);
        Ok::<_, LedgerError>(())
    };
    context.ledger.update(counts).await?;
    let bytes = SnapshotHeader::of(&version.tree).bytes();
    metrics::snapshot(index, bytes, context.now().saturating_sub(began));
    tracing::info!(index, bytes, "snapshot of the tree");
    tidy(context, shutdown).await?;
    Ok(Some(index))
}

/// Empties the slot that does not count: once a new snapshot counts, and at a start, after which a half one may lie there.
///
/// # Errors
/// When the store does not take it, or on `shutdown`.
pub async fn tidy(context: &Arc<Context>, shutdown: &CancellationToken) -> Result<(), CoordinatorError> {
    let slot = context.ledger.state().snapshot.slot.other();
    let clear = move |context: &Context, write: Write<'_>| {
        snapshots::clear(context.ledger.store().as_ref(), slot, write)
    };
    Ok(aside(context, shutdown, clear).await?)
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

/// A write in turn with those of the other stages.
type Write<'turn> = &'turn mut dyn FnMut(Vec<Change>) -> Result<(), LedgerError>;

/// Runs what takes long on a thread where that is allowed; it ends at its next write after `shutdown`.
async fn aside(
    context: &Arc<Context>,
    shutdown: &CancellationToken,
    work: impl FnOnce(&Context, Write<'_>) -> Result<(), LedgerError> + Send + 'static,
) -> Result<(), LedgerError> {
    let (context, shutdown) = (context.clone(), shutdown.clone());
    let working = tokio::task::spawn_blocking(move || {
        let mut write = |changes| {
            if shutdown.is_cancelled() {
                return Err(LedgerError::ShuttingDown);
            }
            context.ledger.write_aside(changes)
        };
        work(&context, &mut write)
    });
    working.await.map_err(|_| LedgerError::ShuttingDown)?
}
