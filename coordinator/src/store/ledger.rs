//! The one writer: plans an update on what is in memory, makes it durable, and only then changes memory.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hypha_chain::error::StoreError;
use hypha_chain::ports::{Change, Store};
use tokio::sync::{Mutex, Notify, watch};

use super::Update;
use crate::blocking::blocking;
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
            if let Some(guard) = &state.guard {
                return Err(LedgerError::Halted(guard.reason.clone()).into());
            }
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

    async fn write(&self, changes: Vec<Change>) -> Result<(), LedgerError> {
        let store = self.store.clone();
        Ok(blocking(move || store.write(changes)).await??)
    }

    fn apply(&self, update: Update) {
        let (moved, depth, requests, newest) = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let moved = update.apply(&mut state);
            let requests = state.requests.waiting().count();
            (moved, state.queue_depth(), requests, state.next_sequence - 1)
        };
        moved.iter().for_each(metrics::moved);
        metrics::queue_depth(depth);
        metrics::requests_waiting(requests);
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
        blocking(move || read(store.as_ref())).await?
    }
}
