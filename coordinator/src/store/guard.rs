//! The guard: once set, nothing is written any more until a person has looked. It outlives restarts.

use serde::{Deserialize, Serialize};

/// Why the writers stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// One sentence for the operator.
    pub reason: String,
    /// Unix milliseconds.
    pub at: u64,
}
