//! What the coordinator keeps on disk: tables, the records in them, and the one place that writes them.

mod guard;
mod ledger;
pub(crate) mod load;
pub(crate) mod queries;
mod records;
pub(crate) mod requests;
pub(crate) mod snapshots;
pub(crate) mod tables;
mod update;

pub use guard::Guard;
pub use ledger::{Ledger, LedgerError};
pub use load::LoadError;
pub use records::{
    BatchBody, BatchRecord, BatchState, ChainRecord, Class, EventRecord, IdentityRecord, JournalRecord,
    Milestone, ProgressRecord, Rejection,
};
pub use requests::{Enqueued, RequestName, RequestRecord, Sighting, VoidRecord};
pub use update::{Extension, Update};

#[cfg(test)]
pub(crate) mod tests {
    use alloy::primitives::B256;

    use super::{BatchRecord, BatchState};
    use crate::state::Version;

    /// The record of the batch that gave this version.
    pub(crate) fn batch(version: &Version, state: BatchState) -> BatchRecord {
        BatchRecord {
            index: version.index,
            state,
            requests: Vec::new(),
            members: Vec::new(),
            old_root: B256::ZERO,
            root: version.root,
            batch_chain: version.batch_chain,
            foreign: false,
            attempt: 0,
            batched_at: 0,
            committed_at: None,
            delivered: None,
            final_at: None,
        }
    }
}
