//! What an attestor keeps: the facts it read, what it signed, conflicts, and the guard that stops it from signing.

mod guard;
mod ledger;
mod records;

pub use guard::{Guard, GuardReason, resume};
pub use ledger::{Ledger, Recorded, SignedOnce};
pub use records::{ConflictRecord, FactId, FactRecord, Observation, Place, StatementRecord};

/// Facts: [`FactId`] → [`FactRecord`].
pub(crate) const FACTS: &str = "facts";
/// Keys with two final values: [`FactId`] → [`ConflictRecord`].
pub(crate) const CONFLICTS: &str = "conflicts";
/// Attestations, stored before they are handed out: destination, set, [`FactId`] → [`StatementRecord`].
pub(crate) const ATTESTATIONS: &str = "attestations";
/// Statements of conflicts, likewise.
pub(crate) const CONFLICT_STATEMENTS: &str = "conflict_statements";
/// One row: the guard.
pub(crate) const GUARD: &str = "guard";
/// Chain id → hash of its first block, as first seen.
pub(crate) const IDENTITIES: &str = "identities";
/// Chain id → how often the chain was read again from its first block.
pub(crate) const PASSES: &str = "passes";

/// The table that says where the follower of a chain stands. Tables have static names, so the name is leaked: some twenty
/// bytes for each configured chain, when the service is put together.
pub(crate) fn positions(chain_id: u64) -> &'static str {
    Box::leak(format!("positions_{chain_id}").into_boxed_str())
}
