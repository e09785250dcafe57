//! Names of the tables and the form of their keys. Numbers are big-endian, so that rows are in order of number.

/// One row a chain and the guard: identities that must not change, why the writers stopped.
pub(crate) const META: &str = "meta";
/// Admission number → the operation as it was admitted; never changed.
pub(crate) const JOURNAL: &str = "journal";
/// Admission number → how far the operation has come.
pub(crate) const PROGRESS: &str = "progress";
/// Operation id → admission number.
pub(crate) const IDS: &str = "ids";
/// Index → the batch, without its bytes.
pub(crate) const BATCHES: &str = "batches";
/// Index → the batch's operations and witness.
pub(crate) const BODIES: &str = "bodies";
/// Sequence → what happened to an operation, for those who follow.
pub(crate) const EVENTS: &str = "events";
/// Chain id → where its verifier stands.
pub(crate) const CHAINS: &str = "chains";
/// Chain id, index → the spoke applied every index up to and including this one.
pub(crate) const RELAYED: &str = "relayed";
/// Chain id, index → the hub took home that the spoke applied every index up to and including this one.
pub(crate) const REPORTED: &str = "reported";
/// Chain id, number → the request of that chain's queue, and how far it has come.
pub(crate) const REQUESTS: &str = "requests";
/// Key of the guard in [`META`].
pub(crate) const GUARD_KEY: &[u8] = b"guard";

/// Key of a chain's identity in [`META`].
pub(crate) fn identity_key(chain_id: u64) -> Vec<u8> {
    format!("chain/{chain_id}").into_bytes()
}

/// Key of a milestone, or of a request.
pub(crate) fn milestone_key(chain_id: u64, index: u64) -> Vec<u8> {
    [chain_id.to_be_bytes(), index.to_be_bytes()].concat()
}

/// The number in the last eight bytes of a key.
pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}
