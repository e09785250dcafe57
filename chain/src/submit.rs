//! Transactions, from a stored intention until they are final.
//!
//! 1. The caller writes [`Submitter::intent`] in its own transaction, beside whatever made it want the call.
//! 2. [`Submitter::drive`], called in a loop, runs one round: it looks at the chain, settles what is mined, repeats or
//!    replaces what is not, and starts what waits. What it signs is stored before it is sent, so after a kill at any
//!    line the next round sends the same bytes.
//! 3. [`Submitter::status`] says how far an intent is. `Final`, `Reverted` and the refusals never change by themselves.
//!
//! One writer per chain and key: no other process may send with this key while a submitter runs. Should it happen all
//! the same, a nonce that someone else used is noticed, and the intent gets another one as soon as that is final;
//! not before, or both could be mined.
//!
//! Nonces are not counted in memory: the next one is the lowest that neither the chain nor a stored transaction uses,
//! so holes fill first, and none is free before the transaction that holds it is final.

mod fees;
mod record;
mod round;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes};
use alloy::signers::local::PrivateKeySigner;
use tokio::sync::Mutex;

use self::record::{Intent, Phase, Record};
use crate::config::Finality;
use crate::error::{ChainError, StoreError};
use crate::ports::{Block, Chain, Change, Clock, Receipt, Store, off_thread};

/// Most gas of a transaction, a little below the 2^24 that EIP-7825 allows.
pub const MAX_GAS: u64 = 16_700_000;
/// Gas limit in percent of the estimate, since what a call meets may have grown before it is mined.
pub const GAS_PERCENT: u64 = 125;

/// Transactions that are sent and not mined at most: nodes drop a sender's further ones.
pub const MAX_IN_FLIGHT: usize = 16;
/// Transactions that are not final at most. Each costs a read a round; further intents wait in the queue.
pub const MAX_OPEN: usize = 1_024;
/// Signatures for one intent at most. With 12.5 % each the fee is then 38 times the first.
pub const MAX_ATTEMPTS: usize = 32;
/// Blocks without a sent transaction after which its bytes go out again.
pub const REPEAT_AFTER_BLOCKS: u64 = 4;
/// Milliseconds after which they go out again on a chain that makes no blocks meanwhile.
pub const REPEAT_AFTER_MS: u64 = 15_000;

/// The tables of one submitter, distinct from all others.
#[derive(Clone, Copy, Debug)]
pub struct SubmitTables {
    /// Intents that have no transaction yet.
    pub queued: &'static str,
    /// Those that have one which is not final.
    pub open: &'static str,
    /// Those that are decided.
    pub done: &'static str,
}

/// How to submit.
#[derive(Clone, Copy, Debug)]
pub struct SubmitConfig {
    /// Where the intents are kept.
    pub tables: SubmitTables,
    /// Highest fee in wei a unit of gas; above it nothing is signed and nothing replaced.
    pub max_fee_per_gas: u64,
    /// Gas limit in percent of the estimate.
    pub gas_percent: u64,
    /// Highest gas limit.
    pub max_gas: u64,
    /// Blocks after the one at which a transaction was signed, without it, before its fee rises.
    pub replace_after_blocks: u64,
    /// From when on a transaction is final.
    pub finality: Finality,
}

impl SubmitConfig {
    /// At most 500 gwei; the estimate and a quarter, at most [`MAX_GAS`]; a higher fee when the second block came without it, since the first was being built already.
    pub fn new(tables: SubmitTables, finality: Finality) -> Self {
        let gwei = 1_000_000_000;
        Self {
            tables,
            max_fee_per_gas: 500 * gwei,
            gas_percent: GAS_PERCENT,
            max_gas: MAX_GAS,
            replace_after_blocks: 2,
            finality,
        }
    }
}

/// How far an intent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentStatus {
    /// No transaction yet.
    Queued,
    /// Signed and handed to the node; perhaps not taken.
    Sent {
        /// Every hash ever signed for it: any of them may still be mined.
        hashes: Vec<B256>,
        /// The nonce of the last.
        nonce: u64,
    },
    /// In a canonical block that may still be replaced; whether it succeeded stands in the receipt.
    Mined {
        /// Its receipt.
        receipt: Receipt,
    },
    /// Succeeded, for good.
    Final {
        /// Its receipt.
        receipt: Receipt,
    },
    /// Mined and reverted, for good.
    Reverted {
        /// Its receipt.
        receipt: Receipt,
    },
    /// Not sent, because the call reverts while no other transaction of this submitter was under way.
    Refused {
        /// The contract's reason, ABI-encoded.
        data: Bytes,
    },
    /// Not sent, because it needs more gas than is allowed.
    TooMuchGas {
        /// The node's estimate.
        needed: u64,
        /// The configured maximum.
        maximum: u64,
    },
}

/// Why a round did not do everything it could have.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// A read or a broadcast failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key did not sign.
    #[error("signing failed: {0}")]
    Signer(String),
    /// The chain's base fee is above the highest fee allowed: nothing new is sent until it falls.
    #[error("base fee {base_fee} is above the highest fee allowed, {maximum}")]
    FeeCap {
        /// Base fee of the latest block, wei a unit of gas.
        base_fee: u64,
        /// `max_fee_per_gas` of the configuration.
        maximum: u64,
    },
}

impl SubmitError {
    /// Whether driving on can help without anyone's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Chain(error) => error.is_retryable(),
            Self::FeeCap { .. } => true,
            Self::Store(_) | Self::Signer(_) => false,
        }
    }
}

/// What is known of the chain beyond the store. Losing it costs a repeated broadcast or some time, nothing else.
#[derive(Default)]
struct Memory {
    /// When the bytes with this hash last went out: height and milliseconds.
    broadcast: BTreeMap<B256, (u64, u64)>,
    /// The block at which a nonce was first seen used by someone else.
    used: BTreeMap<u64, Block>,
    /// One more than the highest nonce seen final, against endpoints that lag.
    floor: u64,
}

/// Sends the transactions of one key on one chain.
pub struct Submitter {
    chain: Arc<dyn Chain>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signer: PrivateKeySigner,
    config: SubmitConfig,
    memory: Mutex<Memory>,
}

impl Submitter {
    /// A submitter that goes on where the store says the last one stopped.
    pub fn new(
        chain: Arc<dyn Chain>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        signer: PrivateKeySigner,
        config: SubmitConfig,
    ) -> Self {
        Self { chain, store, clock, signer, config, memory: Mutex::default() }
    }

    /// The account that sends.
    pub fn account(&self) -> Address {
        self.signer.address()
    }

    /// The changes that store the intention to call `to` with `data`, to be written in the caller's own transaction.
    /// One id is one intent: written again, also after it is done, it has no second effect. Waiting intents start in
    /// the order of their ids' bytes, so numbers in ids should have a fixed width.
    pub fn intent(&self, id: &str, to: Address, data: Bytes) -> Vec<Change> {
        self.queue(id, Intent { to, data, gas: None })
    }

    /// As [`Submitter::intent`], for a call that may count on the effects of those before it: while one of these is under way and
    /// the call would be refused without it, it goes out behind it with this gas limit (at most the configured maximum),
    /// which the caller knows to suffice. Should the one before fail, this one costs its gas and does nothing.
    pub fn following_intent(&self, id: &str, to: Address, data: Bytes, gas: u64) -> Vec<Change> {
        self.queue(id, Intent { to, data, gas: Some(gas.min(self.config.max_gas)) })
    }

    fn queue(&self, id: &str, intent: Intent) -> Vec<Change> {
        let value = intent.encode();
        vec![Change::Put { table: self.config.tables.queued, key: id.as_bytes().to_vec(), value }]
    }

    /// The changes that take an intent out of the queue which has no transaction yet. Of one that has, or is decided, they change
    /// nothing. Not to be written while a round runs.
    pub fn withdrawal(&self, id: &str) -> Vec<Change> {
        vec![Change::Delete { table: self.config.tables.queued, key: id.as_bytes().to_vec() }]
    }

    /// How far an intent is; `None` when there is none with this id.
    ///
    /// # Errors
    /// [`SubmitError::Store`].
    pub async fn status(&self, id: &str) -> Result<Option<IntentStatus>, SubmitError> {
        let SubmitTables { queued, open, done } = self.config.tables;
        let key = id.as_bytes().to_vec();
        // In the order in which an intent moves, so that one which moves meanwhile is not missed.
        let rows = off_thread(&self.store, move |store| {
            Ok([store.get(queued, &key)?, store.get(open, &key)?, store.get(done, &key)?])
        });
        Ok(match rows.await? {
            [_, _, Some(row)] => Some(self.shown(Record::decode(done, &row)?)),
            [_, Some(row), None] => Some(self.shown(Record::decode(open, &row)?)),
            [Some(_), None, None] => Some(IntentStatus::Queued),
            [None, None, None] => None,
        })
    }

    /// The changes that put a refused intent (also one that needed too much gas) back into the queue; none for any other.
    ///
    /// # Errors
    /// [`SubmitError::Store`].
    pub async fn retry(&self, id: &str) -> Result<Vec<Change>, SubmitError> {
        let SubmitTables { queued, done, .. } = self.config.tables;
        let key = id.as_bytes().to_vec();
        Ok(match self.decided(id).await? {
            Some(Record { intent, phase: Phase::Refused { .. } | Phase::TooMuchGas { .. }, .. }) => vec![
                Change::Delete { table: done, key: key.clone() },
                Change::Put { table: queued, key, value: intent.encode() },
            ],
            _ => Vec::new(),
        })
    }

    /// The changes that drop all memory of a decided intent; none for one that is not decided. Its id is free again.
    ///
    /// # Errors
    /// [`SubmitError::Store`].
    pub async fn forget(&self, id: &str) -> Result<Vec<Change>, SubmitError> {
        let SubmitTables { queued, done, .. } = self.config.tables;
        let key = id.as_bytes().to_vec();
        Ok(match self.decided(id).await? {
            Some(_) => {
                vec![Change::Delete { table: done, key: key.clone() }, Change::Delete { table: queued, key }]
            }
            None => Vec::new(),
        })
    }

    async fn decided(&self, id: &str) -> Result<Option<Record>, SubmitError> {
        let (table, key) = (self.config.tables.done, id.as_bytes().to_vec());
        let row = off_thread(&self.store, move |store| store.get(table, &key)).await?;
        Ok(row.map(|row| Record::decode(table, &row)).transpose()?)
    }

    fn shown(&self, record: Record) -> IntentStatus {
        match record.phase {
            Phase::Sent => IntentStatus::Sent {
                hashes: record.attempts.iter().map(|attempt| attempt.hash).collect(),
                nonce: record.attempts.last().map_or(0, |attempt| attempt.nonce),
            },
            Phase::Mined { receipt } => IntentStatus::Mined { receipt },
            Phase::Final { receipt } => IntentStatus::Final { receipt },
            Phase::Reverted { receipt } => IntentStatus::Reverted { receipt },
            Phase::Refused { data } => IntentStatus::Refused { data },
            Phase::TooMuchGas { needed } => IntentStatus::TooMuchGas { needed, maximum: self.config.max_gas },
        }
    }
}

#[cfg(test)]
mod tests;
