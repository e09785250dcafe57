//! What the coordinator keeps on disk: tables, the records in them, and the one place that writes them.

mod guard;
mod ledger;
pub(crate) mod load;
pub(crate) mod queries;
mod records;
pub(crate) mod snapshots;
pub(crate) mod tables;
mod update;

pub use guard::Guard;
pub use ledger::{Ledger, LedgerError};
pub use load::LoadError;
pub use records::{
    BatchBody, BatchRecord, BatchState, ChainRecord, EventRecord, IdentityRecord, JournalRecord, Milestone,
    ProgressRecord, Rejection,
};
pub use snapshots::{Slot, SnapshotRecord};
pub use update::{Extension, Update};
