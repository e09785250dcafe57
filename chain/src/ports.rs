//! The four ports: a chain, a store, a clock and the network. Pipelines see the outside only through these, so a test
//! can replace each of them.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;

use crate::error::{ChainError, NetError, StoreError};

/// Which block a read refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockTag {
    /// The newest block of the canonical chain.
    Latest,
    /// The newest block that the chain calls safe.
    Safe,
    /// The newest block that the chain calls finalized: never reverted while the chain's own rules hold.
    Finalized,
    /// The canonical block at this height.
    Number(u64),
    /// The block with this hash, and no other: a read fails when the node no longer holds it as canonical.
    Hash(B256),
}

/// A block header, as far as the services need it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Block {
    /// Height.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
    /// Hash of the block before.
    pub parent: B256,
    /// Unix time in seconds.
    pub time: u64,
    /// Base fee in wei a unit of gas; 0 where the chain has none.
    pub base_fee: u64,
}

/// An event that a contract emitted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Log {
    /// The contract.
    pub address: Address,
    /// Topics, the first being the event's signature hash.
    pub topics: Vec<B256>,
    /// What is not indexed, ABI-encoded.
    pub data: Bytes,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Hash of its transaction.
    pub tx_hash: B256,
    /// Its place among the block's logs.
    pub log_index: u64,
}

/// What became of a mined transaction.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// The transaction.
    pub tx_hash: B256,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Whether it ran to its end.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
}

/// A call that changes nothing.
#[derive(Clone, Debug)]
pub struct Call {
    /// Sender that the call pretends, zero when it does not matter.
    pub from: Address,
    /// The contract.
    pub to: Address,
    /// What the call pretends to pay, in wei.
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
}

impl Call {
    /// A question, which costs nothing and is answered alike whoever asks.
    pub fn view(to: Address, data: Bytes) -> Self {
        Self { from: Address::ZERO, to, value: U256::ZERO, data }
    }
}

/// One EVM chain. Implementations: one endpoint (`rpc`), a quorum of endpoints (`quorum`), a simulated chain (tests).
#[async_trait]
pub trait Chain: Send + Sync {
    /// EIP-155 chain id that this chain is configured to have.
    fn id(&self) -> u64;
    /// Asks the chain for its id and the hash of its first block, and fails when the id is not the configured one.
    async fn identity(&self) -> Result<(u64, B256), ChainError>;
    /// The block under a tag; `None` when the chain has none there (yet).
    async fn block(&self, tag: BlockTag) -> Result<Option<Block>, ChainError>;
    /// The logs of `address` in the block with this hash, in order of `log_index`, whatever their topics. Fails when the node
    /// does not know the block.
    async fn logs_in_block(&self, address: Address, block: B256) -> Result<Vec<Log>, ChainError>;
    /// The logs of `address` in the canonical blocks `from..=to`, in order.
    async fn logs_in_range(&self, address: Address, from: u64, to: u64) -> Result<Vec<Log>, ChainError>;
    /// Runs a call at a block. A revert comes back as [`ChainError::Reverted`] with its data.
    async fn call(&self, call: Call, at: BlockTag) -> Result<Bytes, ChainError>;
    /// The code at an address.
    async fn code(&self, address: Address, at: BlockTag) -> Result<Bytes, ChainError>;
    /// Gas that a transaction would use at the latest block.
    async fn estimate_gas(&self, call: Call) -> Result<u64, ChainError>;
    /// A priority fee, in wei a unit of gas, that gets a transaction mined soon.
    async fn priority_fee(&self) -> Result<u64, ChainError>;
    /// Number of transactions that `account` has sent, at a block: its next nonce there.
    async fn nonce(&self, account: Address, at: BlockTag) -> Result<u64, ChainError>;
    /// Balance of `account` in wei at a block.
    async fn balance(&self, account: Address, at: BlockTag) -> Result<U256, ChainError>;
    /// The receipt of a transaction; `None` when no canonical block holds it.
    async fn receipt(&self, tx_hash: B256) -> Result<Option<Receipt>, ChainError>;
    /// Hands a signed transaction to the node. "Already known" is success.
    async fn send_raw(&self, raw: Bytes) -> Result<B256, ChainError>;
}

/// One change in an atomic write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a row.
    Put {
        /// Table; created when it does not exist.
        table: &'static str,
        /// Key; rows of a table are ordered by it.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Removes a row if it is there.
    Delete {
        /// Table.
        table: &'static str,
        /// Key.
        key: Vec<u8>,
    },
}

/// A row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Ordered tables of bytes with atomic, durable writes. Calls block on the disk; async code goes through `spawn_blocking`.
pub trait Store: Send + Sync {
    /// The value of a row.
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Up to `limit` rows with `from <= key`, ascending.
    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError>;
    /// The row with the greatest key.
    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError>;
    /// Makes all changes or none. When it returns they survive a power cut.
    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError>;
}

/// Runs store calls on a thread where blocking is allowed.
///
/// # Errors
/// Those of the call; [`StoreError::Poisoned`] when it panicked, since what it left behind is unknown.
pub async fn off_thread<T: Send + 'static>(
    store: &Arc<dyn Store>,
    access: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || access(store.as_ref())).await.unwrap_or(Err(StoreError::Poisoned))
}

/// Time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Unix time in milliseconds. For showing and for deadlines that people set, never for safety.
    fn now_ms(&self) -> u64;
    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// Outbound HTTP.
#[async_trait]
pub trait Net: Send + Sync {
    /// The body that a GET answers with status 200, at most `limit` bytes.
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, NetError>;
    /// The body that a POST of JSON answers with a status below 300, at most `limit` bytes.
    async fn post(&self, url: &str, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, NetError>;
}
