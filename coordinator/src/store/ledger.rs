//! The one writer: plans an update on what is in memory, makes it durable, and only then changes memory.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hypha_chain::error::StoreError;
use hypha_chain::ports::{Change, Store};
use tokio::sync::{Mutex, Notify, watch};

use super::Update;
use crate::metrics;
use crate::state::State;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk did not take it. Whether it is there after all shows after a restart.
    #[error("the store did not take a write: {0}")]
    Store(#[from] StoreError),
    /// The guard is set.
    #[error("the coordinator has stopped writing: {0}")]
    Halted(String),
    /// A row does not read as what its table holds.
    #[error("table {table}: a row is unreadable: {detail}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The runtime is shutting down.
    #[error("shutting down")]
    ShuttingDown,
}

impl LedgerError {
    /// The same error for another of those who wait for one write.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Store(error) => Self::Store(StoreError::Failed(error.to_string())),
            Self::Halted(reason) => Self::Halted(reason.clone()),
            Self::Corrupt { table, detail } => Self::Corrupt { table, detail: detail.clone() },
            Self::ShuttingDown => Self::ShuttingDown,
        }
    }
}

/// Store and memory, in step.
pub struct Ledger {
    store: Arc<dyn Store>,
    state: RwLock<State>,
    turn: Mutex<()>,
    sequence: watch::Sender<u64>,
    changed: Notify,
}

impl Ledger {
    /// Over a state that was read from this store.
    pub(crate) fn new(store: Arc<dyn Store>, state: State) -> Self {
        let (sequence, _) = watch::channel(state.next_sequence - 1);
        Self { store, state: RwLock::new(state), turn: Mutex::new(()), sequence, changed: Notify::new() }
    }

    /// The disk.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What is in memory. Never held across an `.await`.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        // Memory is changed only by `Update::apply` and `observe`, which have no step that panics.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is only in memory: what was seen of chains, not what follows from it.
    pub fn observe(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Follows the sequence of the newest event.
    pub fn sequence(&self) -> watch::Receiver<u64> {
        self.sequence.subscribe()
    }

    /// Waits until something has been written since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Plans an update, makes it durable and applies it to memory, as one step: nobody else writes meanwhile. When the plan
    /// fails or adds nothing, nothing is written.
    ///
    /// Callers are tasks that run to their end; a dropped future could leave memory behind the disk.
    ///
    /// # Errors
    /// The plan's own, or that the store did not take it, or that the guard is set.
    pub async fn update<T, E: From<LedgerError>>(
        &self,
        plan: impl FnOnce(&State, &mut Update) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn.lock().await;
        let (mut update, outcome) = {
            let state = self.state();
            refuse_if_halted(&state)?;
            let mut update = Update::new(&state);
            let outcome = plan(&state, &mut update)?;
            (update, outcome)
        };
        if !update.changes.is_empty() {
            let changes = std::mem::take(&mut update.changes);
            self.write(changes).await?;
            self.apply(update);
        }
        Ok(outcome)
    }

    /// Makes changes that memory need not know of, in turn with the updates: the turn goes to whoever waits longest, so that a
    /// long row of these holds an update up for no more than one of them. Blocks, so never on a thread of the runtime.
    ///
    /// # Errors
    /// That the store did not take it, or that the guard is set.
    pub(crate) fn write_aside(&self, changes: Vec<Change>) -> Result<(), LedgerError> {
        let _turn = self.turn.blocking_lock();
        refuse_if_halted(&self.state())?;
        Ok(self.store.write(changes)?)
    }

    async fn write(&self, changes: Vec<Change>) -> Result<(), LedgerError> {
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || store.write(changes)).await;
        Ok(written.map_err(|_| LedgerError::ShuttingDown)??)
    }

    fn apply(&self, update: Update) {
        let (moved, depth, newest) = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let moved = update.apply(&mut state);
            (moved, state.queue_depth(), state.next_sequence - 1)
        };
        moved.into_iter().for_each(|(status, after)| metrics::moved(status, after));
        metrics::queue_depth(depth);
        self.sequence.send_replace(newest);
        self.changed.notify_one();
    }

    /// Reads from the store, off the runtime's threads.
    ///
    /// # Errors
    /// What the read says.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || read(store.as_ref())).await;
        answer.map_err(|_| LedgerError::ShuttingDown)?
    }
}

fn refuse_if_halted(state: &State) -> Result<(), LedgerError> {
    match &state.guard {
        Some(guard) => Err(LedgerError::Halted(guard.reason.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use hypha_chain::MemoryStore;

    use super::*;
    use crate::state::{Keep, Version};
    use crate::store::{Guard, Slot};

    #[test]
    fn nothing_is_written_aside_once_the_guard_is_set() {
        let keep = Keep { versions: 1, bytes: 0 };
        let state = State::new(Version::genesis(B256::ZERO), Slot::A, keep);
        let ledger = Ledger::new(Arc::new(MemoryStore::new()), state);
        let change = |key: u8| vec![Change::Put { table: "table", key: vec![key], value: vec![key] }];
        ledger.write_aside(change(1)).unwrap();
        ledger.observe(|state| state.guard = Some(Guard { reason: "test".to_owned(), at: 0 }));
        assert!(
            matches!(ledger.write_aside(change(2)), Err(LedgerError::Halted(reason)) if reason == "test")
        );
        assert_eq!(ledger.store().scan("table", &[], 10).unwrap(), [(vec![1], vec![1])]);
    }
}
