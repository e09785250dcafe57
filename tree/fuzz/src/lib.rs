//! The bodies of the fuzz targets: one function a decoder or verifier of `hypha-tree`, from the fuzzer's bytes to
//! assertions. They panic when the tree breaks its specification, and return when it keeps it.
//!
//! What a verifier must say is told by [`model`], a map of leaves that shares no code with the tree but Keccak-256
//! itself. `cargo fuzz run TARGET`, in `tree/`, runs one; `scripts/test fuzz` runs all.

mod forgery;
mod model;
mod multiproof;
mod range;
#[cfg(test)]
mod replay;
mod snapshot;
mod source;
mod walk;

pub use multiproof::{membership, multiproof_decode, multiproof_verify};
pub use range::{range_decode, range_verify};
pub use snapshot::snapshot_open;

/// A fuzz target's body.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of their corpus' folder.
pub const TARGETS: &[(&str, Target)] = &[
    ("multiproof_decode", multiproof_decode),
    ("multiproof_verify", multiproof_verify),
    ("membership", membership),
    ("range_decode", range_decode),
    ("range_verify", range_verify),
    ("snapshot_open", snapshot_open),
];
