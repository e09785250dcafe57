//! What is counted and measured. Labels are status words, codes and chain ids: none comes from a client.

use hypha_protocol::status::Status;
use metrics::{counter, gauge, histogram};

use crate::mode::Mode;

/// A status that an operation or a request took.
pub(crate) struct Moved {
    counter: &'static str,
    status: Status,
    /// Milliseconds since it was submitted, or first seen on a chain.
    after: u64,
}

impl Moved {
    /// An operation took it.
    pub(crate) fn transfer(status: Status, after: u64) -> Self {
        Self { counter: "hypha_transfers_total", status, after }
    }

    /// A request took it.
    pub(crate) fn request(status: Status, after: u64) -> Self {
        Self { counter: "hypha_requests_total", status, after }
    }
}

/// Something took a status.
pub(crate) fn moved(moved: &Moved) {
    let word = moved.status.as_str();
    counter!(moved.counter, "status" => word).increment(1);
    #[allow(clippy::cast_precision_loss)] // Milliseconds since a submission are far below 2^52.
    histogram!("hypha_stage_seconds", "stage" => word).record(moved.after as f64 / 1_000.0);
}

/// Whether the coordinator can do its work.
pub(crate) fn ready(is_ready: bool) {
    gauge!("hypha_ready").set(if is_ready { 1.0 } else { 0.0 });
}

/// What the operator has told the coordinator to do: 1 for that mode, 0 for the others.
pub(crate) fn mode(mode: Mode) {
    for other in Mode::ALL {
        gauge!("hypha_mode", "mode" => other.as_str()).set(if other == mode { 1.0 } else { 0.0 });
    }
}

/// Operations that wait for a batch.
pub(crate) fn queue_depth(depth: usize) {
    #[allow(clippy::cast_precision_loss)] // Bounded by the configuration.
    gauge!("hypha_queue_depth").set(depth as f64);
}

/// Requests in the hub's queue that no batch carries.
pub(crate) fn requests_waiting(waiting: usize) {
    #[allow(clippy::cast_precision_loss)] // Each cost a fee, so there are far fewer than 2^52.
    gauge!("hypha_requests_waiting").set(waiting as f64);
}

/// Operations and packed bytes of a new batch.
pub(crate) fn batch(operations: usize, bytes: usize) {
    #[allow(clippy::cast_precision_loss)] // Bounded by the protocol.
    histogram!("hypha_batch_operations").record(operations as f64);
    #[allow(clippy::cast_precision_loss)] // Bounded by the protocol.
    histogram!("hypha_batch_bytes").record(bytes as f64);
}

/// A batch was made, or what could be in one began to wait, for a cause (`pipeline/timing.rs`).
pub(crate) fn batch_decision(decision: &'static str, cause: &'static str) {
    counter!("hypha_batch_decisions_total", "decision" => decision, "cause" => cause).increment(1);
}

/// A request or an admitted operation was refused.
pub(crate) fn refused(code: &'static str) {
    counter!("hypha_rejects_total", "code" => code).increment(1);
}

/// Where a chain stands: heights of its blocks and number of its root.
pub(crate) fn chain(chain_id: u64, what: &'static str, number: u64) {
    #[allow(clippy::cast_precision_loss)] // For showing; heights are far below 2^52.
    gauge!("hypha_chain", "chain" => chain_id.to_string(), "what" => what).set(number as f64);
}

/// Whether a spoke is followed: 0 once it did what no chain should, until that is over.
pub(crate) fn followed(chain_id: u64, is_followed: bool) {
    let value = if is_followed { 1.0 } else { 0.0 };
    gauge!("hypha_spoke_followed", "chain" => chain_id.to_string()).set(value);
}

/// A snapshot of the tree at this index is on disk: bytes of its file, and how many milliseconds it took.
pub(crate) fn snapshot(index: u64, bytes: u64, milliseconds: u64) {
    snapshot_index(index);
    #[allow(clippy::cast_precision_loss)] // For showing; no disk holds 2^52 bytes.
    gauge!("hypha_snapshot_bytes").set(bytes as f64);
    #[allow(clippy::cast_precision_loss)] // Milliseconds since a start are far below 2^52.
    histogram!("hypha_snapshot_seconds").record(milliseconds as f64 / 1_000.0);
}

/// The index of the snapshot on disk, 0 when there is none.
pub(crate) fn snapshot_index(index: u64) {
    #[allow(clippy::cast_precision_loss)] // For showing; indexes are far below 2^52.
    gauge!("hypha_snapshot_index").set(index as f64);
}

/// The disk did not take a snapshot.
pub(crate) fn snapshot_failed() {
    counter!("hypha_snapshot_failures_total").increment(1);
}

/// A start found a snapshot that does not hold, and built the tree from all batches.
pub(crate) fn snapshot_damaged() {
    counter!("hypha_snapshots_damaged_total").increment(1);
}
