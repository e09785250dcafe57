//! The configuration file of the coordinator.

use std::net::SocketAddr;
use std::path::PathBuf;

use hypha_chain::config::{ChainConfig, ConfigError as ChainConfigError, KeyConfig, Role};
use hypha_chain::submit::{MAX_GAS, MAX_IN_FLIGHT};
use hypha_protocol::batch::MAX_CALLDATA_BYTES;
use hypha_protocol::operations::{MAX_INPUTS, MAX_KEYS, MAX_OPERATIONS_BYTES, MAX_OUTPUTS};
use serde::{Deserialize, Serialize};

use crate::api::keys::KeysError;
use crate::api::token::TokenError;
use crate::store::snapshots::with_suffix;

/// Everything that the coordinator is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorConfig {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The store's file. The tree's snapshot lies beside it, in a file whose name has `.snapshot` at its end: it may be deleted
    /// while the coordinator is down, and need not be in a backup.
    pub store: PathBuf,
    /// The sequencer's key.
    pub key: KeyConfig,
    /// How batches are cut.
    #[serde(default)]
    pub batch: BatchConfig,
    /// What is bounded.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// The operator's listener; without it there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminConfig>,
    /// File of the API keys, a line each as `hypha key new` prints it. Without one the API is open to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// Every chain; exactly one is the hub.
    pub chains: Vec<ChainConfig>,
}

/// The operator's listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Where it listens: a loopback address.
    pub listen: SocketAddr,
    /// File of the token that each request shows: at least 32 characters, readable by its owner alone.
    pub token_file: PathBuf,
}

/// How batches are cut.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Most operations in a batch.
    pub max_operations: usize,
    /// Most packed bytes in a batch.
    pub max_bytes: usize,
    /// Most keys that a batch touches: gas grows with them.
    pub max_keys: usize,
    /// Most bytes of calldata of a batch of more than one operation: nodes refuse transactions over 128 KiB.
    pub max_calldata_bytes: usize,
    /// Most gas of a batch's transaction: EIP-7825 allows no transaction more than 16,777,216. A batch of more than one operation is
    /// also kept below it by our own bound, before a node is asked.
    pub max_gas: u64,
    /// Batches that are on their way to the hub at once: each stands on the root of the one before, which the hub has not taken yet.
    pub max_in_flight: usize,
    /// Milliseconds that the oldest waiting operation waits for company; longer, up to `max_age_ms`, on a hub that takes batches
    /// more slowly.
    pub company_ms: u64,
    /// Percent above the median of its last blocks from which on the hub's base fee is high: few operations wait then for it to fall,
    /// up to `max_age_ms`.
    pub dear_percent: u64,
    /// Milliseconds that the oldest waiting operation waits at most while a batch could take it.
    pub max_age_ms: u64,
    /// Seconds before its deadline from which on an operation is not sent any more, so that it is not late when mined.
    pub deadline_margin_s: u64,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            max_operations: 128,
            max_bytes: 60_000,
            max_keys: MAX_KEYS,
            max_calldata_bytes: MAX_CALLDATA_BYTES,
            max_gas: MAX_GAS,
            max_in_flight: 8,
            company_ms: 500,
            dear_percent: 12,
            max_age_ms: 4_000,
            deadline_margin_s: 10,
        }
    }
}

/// What is bounded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Operations that are admitted and not in a batch yet; further ones are told to come back.
    pub queue: usize,
    /// Connections to the API at once. For a further one the connection that has waited longest for a request is closed.
    pub connections: usize,
    /// Milliseconds for the head of a request, counted from the opening of the connection or from the answer before.
    pub head_ms: u64,
    /// Milliseconds for a whole request, its body included.
    pub request_ms: u64,
    /// Requests without a body at once; further ones are told to come back.
    pub reads: usize,
    /// Requests with a body at once; further ones are told to come back.
    pub bodies: usize,
    /// Clients that follow the events at once: each holds a connection and a page of events.
    pub streams: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Rows in a page of a listing.
    pub page: usize,
    /// Versions of the tree in memory, and so how far back proofs can be made. The snapshot is taken of the oldest: a start puts
    /// as many batches on top of it, besides those up to the next snapshot.
    pub versions: usize,
    /// Bytes of memory that versions before the newest may take; the oldest final ones go first.
    pub version_bytes: usize,
    /// Fewest batches from one snapshot of the tree to the next.
    pub snapshot_batches: usize,
    /// Fewest leaves written from one snapshot to the next, in percent of the leaves: a snapshot writes them all, 64 bytes each,
    /// so with 10 it adds no more than 640 bytes for each leaf that batches wrote. With 0 only batches count.
    pub snapshot_percent: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            queue: 4_096,
            connections: 1_024,
            head_ms: 8_000,
            request_ms: 12_000,
            // With the streams they fill the connections.
            reads: 384,
            bodies: 384,
            streams: 256,
            body_bytes: 262_144,
            page: 1_000,
            versions: 1_024,
            version_bytes: 256 << 20,
            snapshot_batches: 256,
            snapshot_percent: 10,
        }
    }
}

/// Why a configuration cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// In one of the chains, or the key.
    #[error(transparent)]
    Chain(#[from] ChainConfigError),
    /// Not exactly one hub.
    #[error("exactly one chain has the role hub, not {0}")]
    Hubs(usize),
    /// The operator's listener could be reached from elsewhere.
    #[error("admin.listen is {0}, it must be a loopback address")]
    AdminListen(SocketAddr),
    /// The operator's token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file of keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Two chains with one id.
    #[error("chain id {0} stands twice")]
    ChainTwice(u64),
    /// A number out of its range.
    #[error("{field} is {actual}, it must be {expected}")]
    Range {
        /// Path of the field.
        field: &'static str,
        /// The range.
        expected: String,
        /// The number given.
        actual: usize,
    },
}

/// What the snapshot's file has at the end of its name, besides the store's.
const SNAPSHOT_SUFFIX: &str = ".snapshot";

/// Bytes that a batch must be able to hold: one largest transfer (16 inputs, 16 outputs, 16 signatures).
const LARGEST_OPERATION: usize = 8_192;

/// Keys of that transfer.
const MAX_OPERATION_KEYS: usize = 2 * MAX_INPUTS + MAX_OUTPUTS;

/// What EIP-7825 allows a transaction.
const GAS_OF_A_TRANSACTION: usize = 1 << 24;

impl CoordinatorConfig {
    /// The file of the tree's snapshot.
    pub fn snapshot(&self) -> PathBuf {
        with_suffix(&self.store, SNAPSHOT_SUFFIX)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let hubs = self.chains.iter().filter(|chain| chain.role == Role::Hub).count();
        if hubs != 1 {
            return Err(ConfigError::Hubs(hubs));
        }
        for (place, chain) in self.chains.iter().enumerate() {
            chain.validate()?;
            if self.chains[..place].iter().any(|other| other.chain_id == chain.chain_id) {
                return Err(ConfigError::ChainTwice(chain.chain_id));
            }
        }
        if let Some(admin) = self.admin.as_ref().filter(|admin| !admin.listen.ip().is_loopback()) {
            return Err(ConfigError::AdminListen(admin.listen));
        }
        let batch = &self.batch;
        range("batch.max_operations", batch.max_operations, 1, usize::from(u16::MAX))?;
        range("batch.max_bytes", batch.max_bytes, LARGEST_OPERATION, MAX_OPERATIONS_BYTES)?;
        range("batch.max_keys", batch.max_keys, MAX_OPERATION_KEYS, MAX_KEYS)?;
        range("batch.max_calldata_bytes", batch.max_calldata_bytes, 1_024, MAX_CALLDATA_BYTES)?;
        range(
            "batch.max_gas",
            usize::try_from(batch.max_gas).unwrap_or(usize::MAX),
            1 << 20,
            GAS_OF_A_TRANSACTION,
        )?;
        range("batch.max_in_flight", batch.max_in_flight, 1, MAX_IN_FLIGHT)?;
        self.limits.validate()
    }
}

impl LimitsConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let milliseconds = |time: u64| usize::try_from(time).unwrap_or(usize::MAX);
        range("limits.queue", self.queue, 1, 1 << 20)?;
        range("limits.connections", self.connections, 1, 1 << 20)?;
        range("limits.head_ms", milliseconds(self.head_ms), 100, 600_000)?;
        range("limits.request_ms", milliseconds(self.request_ms), 100, 600_000)?;
        range("limits.reads", self.reads, 1, self.connections)?;
        range("limits.bodies", self.bodies, 1, self.connections)?;
        range("limits.streams", self.streams, 0, self.connections)?;
        range("limits.body_bytes", self.body_bytes, 1_024, 1 << 24)?;
        range("limits.page", self.page, 1, 10_000)?;
        range("limits.versions", self.versions, 2, 1 << 20)?;
        range("limits.version_bytes", self.version_bytes, 1 << 20, 1 << 40)?;
        range("limits.snapshot_batches", self.snapshot_batches, 1, 1 << 20)?;
        range("limits.snapshot_percent", self.snapshot_percent, 0, 1_000)
    }
}

fn range(field: &'static str, actual: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&actual) {
        Ok(())
    } else {
        Err(ConfigError::Range { field, expected: format!("{least} to {most}"), actual })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_snapshot_lies_beside_the_store_under_its_whole_name() {
        for (store, snapshot) in [("a/b.redb", "a/b.redb.snapshot"), ("store", "store.snapshot")] {
            assert_eq!(with_suffix(Path::new(store), SNAPSHOT_SUFFIX), Path::new(snapshot));
        }
    }
}
