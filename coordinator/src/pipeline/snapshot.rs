//! In: the oldest version of the tree that is kept. Out: its leaves on disk, once enough was written since the last time, so
//! that a start needs only the batches after it, and has every version again that was kept. Sets nothing.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::config::LimitsConfig;
use crate::context::Context;
use crate::metrics;
use crate::state::{SnapshotMark, State, Version};
use crate::store::LedgerError;

/// Takes a snapshot when one is due. `tried` is the index of the version with which it was last tried, whatever came of it; gives
/// the new one.
///
/// Nothing waits for a snapshot. One that the disk does not take is told and counted, and there is none until the next is due.
///
/// # Errors
/// When the runtime is shutting down.
pub async fn snapshot(
    context: &Arc<Context>,
    shutdown: &CancellationToken,
    tried: u64,
) -> Result<u64, LedgerError> {
    let Some(version) = due(&context.ledger.state(), &context.limits, tried) else { return Ok(tried) };
    let (index, written, began) = (version.index, version.written, context.now());
    match write(context, shutdown, version).await? {
        Ok(Some(bytes)) => {
            context.ledger.observe(|state| state.snapshot = SnapshotMark { index, written });
            metrics::snapshot(index, bytes, context.now().saturating_sub(began));
            tracing::info!(index, bytes, "snapshot of the tree");
        }
        Ok(None) => tracing::debug!(index, "snapshot of the tree: stopped on the way"),
        Err(error) => {
            tracing::warn!(index, %error, "no snapshot of the tree: the disk did not take it");
            metrics::snapshot_failed();
        }
    }
    Ok(index)
}

/// What is to be written. The oldest version is final on the hub, or it is the first one, which is on disk or empty.
fn due(state: &State, limits: &LimitsConfig, tried: u64) -> Option<Version> {
    let (version, last) = (state.oldest(), &state.snapshot);
    let batches = version.index.saturating_sub(last.index.max(tried));
    let written = version.written.saturating_sub(last.written);
    let share = (version.tree.len() as u64).saturating_mul(limits.snapshot_percent as u64);
    let is_due = batches >= limits.snapshot_batches as u64 && written.saturating_mul(100) >= share;
    (is_due && state.guard.is_none()).then(|| version.clone())
}

/// Writes the file on a thread where that may take long, until `shutdown` or the guard.
async fn write(
    context: &Arc<Context>,
    shutdown: &CancellationToken,
    version: Version,
) -> Result<io::Result<Option<u64>>, LedgerError> {
    let (context, shutdown) = (context.clone(), shutdown.clone());
    blocking(move || {
        let go_on = || !shutdown.is_cancelled() && context.ledger.state().guard.is_none();
        context.snapshot.write(&version, go_on)
    })
    .await
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use hypha_tree::{Key, Touch, ValueHash};

    use super::*;
    use crate::state::Keep;
    use crate::store::{BatchState, Guard, tests::batch};

    /// A state with versions up to this one, all final, of which two are kept.
    fn state(newest: u8) -> State {
        let mut state = State::new(Version::genesis(B256::ZERO), Keep { versions: 2, bytes: usize::MAX });
        for number in 1..=newest {
            let (key, new) = (Key::from([number; 32]), Some(ValueHash::from([number; 32])));
            let version = state.head().next(&[Touch { key, old: None, new }], &[]);
            state.put_batch(batch(&version, BatchState::Final));
            state.extend(version, []);
        }
        state
    }

    fn limits(snapshot_batches: usize, snapshot_percent: usize) -> LimitsConfig {
        LimitsConfig { snapshot_batches, snapshot_percent, ..LimitsConfig::default() }
    }

    fn index(version: Option<Version>) -> Option<u64> {
        version.map(|version| version.index)
    }

    #[test]
    fn the_oldest_version_is_due_after_enough_batches_and_leaves() {
        let mut state = state(5);
        for (batches, percent, expected) in
            [(1, 0, Some(4)), (4, 0, Some(4)), (5, 0, None), (1, 100, Some(4)), (1, 101, None)]
        {
            assert_eq!(index(due(&state, &limits(batches, percent), 0)), expected, "{batches} {percent}");
        }
        state.snapshot = SnapshotMark { index: 2, written: 2 };
        assert_eq!(index(due(&state, &limits(2, 50), 0)), Some(4));
        assert_eq!(index(due(&state, &limits(3, 0), 0)), None);
        assert_eq!(index(due(&state, &limits(1, 51), 0)), None);
    }

    #[test]
    fn the_first_version_is_never_due() {
        assert_eq!(index(due(&state(1), &limits(1, 0), 0)), None);
    }

    #[test]
    fn one_that_failed_is_due_again_only_after_as_many_batches() {
        let state = state(5);
        assert_eq!(index(due(&state, &limits(2, 0), 3)), None);
        assert_eq!(index(due(&state, &limits(2, 0), 2)), Some(4));
    }

    #[test]
    fn none_is_due_once_the_guard_is_set() {
        let mut state = state(5);
        state.guard = Some(Guard { reason: "test".to_owned(), at: 0 });
        assert_eq!(index(due(&state, &limits(1, 0), 0)), None);
    }
}
