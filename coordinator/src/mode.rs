//! What the operator has told the coordinator to do. It outlives restarts.

use hypha_chain::ports::{Change, Store};
use serde::{Deserialize, Serialize};
use tokio::sync::{RwLock, RwLockReadGuard, watch};

use crate::metrics;
use crate::store::queries::parse;
use crate::store::{Ledger, LedgerError, tables};

/// Key of the row in [`tables::META`].
const MODE_KEY: &[u8] = b"mode";

/// What the operator has told the coordinator to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything.
    Running,
    /// No new batch is chosen. Operations are taken in until the queue is full; what is in a batch goes on.
    Paused,
    /// No new operation is taken in. What was taken in goes on to its end.
    Draining,
}

impl Mode {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Running, Self::Paused, Self::Draining];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
        }
    }
}

/// A mode and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeRecord {
    /// The mode.
    pub mode: Mode,
    /// Unix milliseconds at which the operator said so; 0 when nobody ever did.
    pub at: u64,
}

/// The mode, and a lock that makes a change of it a border: what the old mode allowed has ended when the change is answered.
pub struct Switch {
    shown: watch::Sender<ModeRecord>,
    turn: RwLock<()>,
}

/// The mode, which stays while this is held.
pub(crate) struct Held<'switch> {
    /// The mode.
    pub(crate) mode: Mode,
    _turn: RwLockReadGuard<'switch, ()>,
}

impl Switch {
    /// As the store says.
    pub(crate) fn load(store: &dyn Store) -> Result<Self, LedgerError> {
        let record = match store.get(tables::META, MODE_KEY)? {
            Some(value) => parse(tables::META, &value)?,
            None => ModeRecord { mode: Mode::Running, at: 0 },
        };
        metrics::mode(record.mode);
        Ok(Self { shown: watch::Sender::new(record), turn: RwLock::new(()) })
    }

    /// The mode now.
    pub fn now(&self) -> ModeRecord {
        *self.shown.borrow()
    }

    /// Keeps the mode as it is until the answer is dropped.
    pub(crate) async fn hold(&self) -> Held<'_> {
        let turn = self.turn.read().await;
        Held { mode: self.now().mode, _turn: turn }
    }

    /// Changes the mode, once what goes on under the old one has ended. To be run to its end: a dropped future could leave memory
    /// behind the disk.
    ///
    /// # Errors
    /// When the store does not take it; then nothing has changed.
    pub(crate) async fn set(&self, ledger: &Ledger, mode: Mode, at: u64) -> Result<ModeRecord, LedgerError> {
        let _turn = self.turn.write().await;
        if self.now().mode == mode {
            return Ok(self.now());
        }
        let record = ModeRecord { mode, at };
        let value = serde_json::to_vec(&record).expect("a word and a number have a JSON form");
        let change = Change::Put { table: tables::META, key: MODE_KEY.to_vec(), value };
        ledger
            .update(|_, update| {
                update.also(vec![change]);
                Ok::<_, LedgerError>(())
            })
            .await?;
        self.shown.send_replace(record);
        metrics::mode(mode);
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use hypha_chain::MemoryStore;

    use super::*;

    #[test]
    fn a_store_without_a_mode_runs_and_one_with_an_unknown_mode_does_not_start() {
        let store = MemoryStore::new();
        assert_eq!(Switch::load(&store).unwrap().now(), ModeRecord { mode: Mode::Running, at: 0 });
        let value = br#"{"mode":"resting","at":5}"#.to_vec();
        store.write(vec![Change::Put { table: tables::META, key: MODE_KEY.to_vec(), value }]).unwrap();
        assert!(matches!(Switch::load(&store), Err(LedgerError::Corrupt { table: tables::META, .. })));
    }

    #[test]
    fn a_mode_is_written_as_its_word() {
        for mode in Mode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
    }
}
