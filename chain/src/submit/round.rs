//! One round of the submitter: look at the chain, settle what is mined, push what is not; `start.rs` begins new ones.

use std::collections::BTreeSet;

use alloy::primitives::B256;

use super::fees::Fees;
use super::record::{Draft, Phase, Record};
use super::start::{Prepared, lowest_free};
use super::{MAX_ATTEMPTS, MAX_OPEN, Memory, REPEAT_AFTER_BLOCKS, REPEAT_AFTER_MS, SubmitError, Submitter};
use crate::error::ChainError;
use crate::ports::{Block, BlockTag, Change, Receipt, off_thread};

/// First byte of the key of a transaction that only fills a hole: no id begins with it.
pub(super) const FILLER: u8 = 0;

/// The chain as this round sees it.
pub(super) struct View {
    pub(super) head: Block,
    /// Height up to which blocks are final.
    pub(super) final_height: Option<u64>,
    /// The account's next nonce at `head`.
    pub(super) nonce: u64,
    /// The first nonce that may be free: that one, or one more than the highest seen final, against endpoints that lag.
    pub(super) first_free: u64,
    /// The chain's suggestion, wei a unit of gas.
    pub(super) priority_fee: u64,
}

/// A record under its key.
pub(super) struct Open {
    pub(super) key: Vec<u8>,
    pub(super) record: Record,
    /// Whether this round found out if it is mined. Where it did not, nothing is done about the record.
    pub(super) settled: bool,
}

impl Open {
    fn is_filler(&self) -> bool {
        self.key.first() == Some(&FILLER)
    }
}

impl Submitter {
    /// Runs one round. Where one intent fails the others go on; the first failure is returned at the end, and the next
    /// round tries again. Rounds of one submitter never overlap; one that is dropped half-way does no harm.
    ///
    /// # Errors
    /// The first failure; only those that are not retryable need someone's attention.
    pub async fn drive(&self) -> Result<(), SubmitError> {
        let mut memory = self.memory.lock().await;
        let mut open = self.open().await?;
        let view = self.look(&memory).await?;
        let mut outcome = Ok(());
        let mut note = |step: Result<(), SubmitError>| {
            if let Err(error) = step {
                tracing::debug!(chain = self.chain.id(), %error, "submitting");
                if outcome.is_ok() {
                    outcome = Err(error);
                }
            }
        };
        for entry in &mut open {
            let settled = self.settle(entry, &view, &mut memory).await;
            entry.settled = settled.is_ok();
            note(settled);
        }
        open.retain(|entry| matches!(entry.record.phase, Phase::Sent | Phase::Mined { .. }));
        open.sort_by_key(|entry| entry.record.nonce());
        for place in 0..open.len() {
            note(self.push(&mut open, place, &view, &mut memory).await);
        }
        open.retain(|entry| matches!(entry.record.phase, Phase::Sent | Phase::Mined { .. }));
        note(self.start_queued(&mut open, &view, &mut memory).await);
        note(self.fill_hole(&mut open, &view, &mut memory).await);
        memory.broadcast.retain(|hash, _| {
            open.iter().any(|entry| entry.record.attempts.iter().any(|attempt| attempt.hash == *hash))
        });
        let gauge = metrics::gauge!("hypha_transactions_open", "chain" => self.chain.id().to_string());
        gauge.set(open.len() as f64);
        let unmined = open.iter().filter(|entry| entry.record.is_sent()).count();
        metrics::gauge!("hypha_transactions_unmined", "chain" => self.chain.id().to_string())
            .set(unmined as f64);
        outcome
    }

    async fn open(&self) -> Result<Vec<Open>, SubmitError> {
        let table = self.config.tables.open;
        // A filler may stand above the bound, which is for intents.
        let rows = off_thread(&self.store, move |store| store.scan(table, &[], 2 * MAX_OPEN)).await?;
        let entry = |(key, row): (Vec<u8>, Vec<u8>)| {
            Ok(Open { key, record: Record::decode(table, &row)?, settled: false })
        };
        rows.into_iter().map(entry).collect()
    }

    async fn look(&self, memory: &Memory) -> Result<View, SubmitError> {
        let head = self.chain.block(BlockTag::Latest).await?.ok_or(ChainError::UnknownBlock)?;
        let nonce = self.chain.nonce(self.account(), BlockTag::Hash(head.hash)).await?;
        let last = self.config.finality.head(self.chain.as_ref()).await?;
        let priority_fee = self.chain.priority_fee().await?;
        let final_height = last.map(|block| block.number);
        Ok(View { head, final_height, nonce, first_free: nonce.max(memory.floor), priority_fee })
    }

    /// Finds out whether a transaction of this record is mined, still mined, or final.
    async fn settle(&self, entry: &mut Open, view: &View, memory: &mut Memory) -> Result<(), SubmitError> {
        let receipt = match &entry.record.phase {
            Phase::Mined { receipt } => match self.block_of(receipt).await? {
                Some(hash) if hash == receipt.block_hash => Some(receipt.clone()),
                Some(_) => self.find_receipt(&entry.record).await?,
                // The endpoint lags behind the block: that is no reorg.
                None => return Ok(()),
            },
            _ => self.find_receipt(&entry.record).await?,
        };
        let phase = match receipt {
            Some(receipt) if view.final_height.is_some_and(|height| receipt.block_number <= height) => {
                memory.floor = memory.floor.max(entry.record.nonce().map_or(0, |nonce| nonce + 1));
                if receipt.success { Phase::Final { receipt } } else { Phase::Reverted { receipt } }
            }
            Some(receipt) => Phase::Mined { receipt },
            None => {
                if !entry.record.is_sent() {
                    tracing::warn!(chain = self.chain.id(), "a mined transaction disappeared");
                    entry.record.attempts.iter_mut().for_each(|attempt| {
                        // As if signed now: the same bytes go out at once, dearer ones only after their time.
                        memory.broadcast.remove(&attempt.hash);
                        attempt.signed_at = view.head.number;
                    });
                }
                Phase::Sent
            }
        };
        self.enter(entry, phase).await
    }

    /// The canonical receipt of any transaction of this record.
    async fn find_receipt(&self, record: &Record) -> Result<Option<Receipt>, SubmitError> {
        for attempt in record.attempts.iter().rev() {
            if let Some(receipt) = self.chain.receipt(attempt.hash).await?
                && self.block_of(&receipt).await? == Some(receipt.block_hash)
            {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    async fn block_of(&self, receipt: &Receipt) -> Result<Option<B256>, SubmitError> {
        Ok(self.chain.block(BlockTag::Number(receipt.block_number)).await?.map(|block| block.hash))
    }

    /// Stores a record's new phase, if it is new: decided records move to their table, decided fillers vanish.
    async fn enter(&self, entry: &mut Open, phase: Phase) -> Result<(), SubmitError> {
        if entry.record.phase == phase {
            return Ok(());
        }
        entry.record.phase = phase;
        let tables = self.config.tables;
        let (key, value) = (entry.key.clone(), entry.record.encode());
        let changes = match entry.record.phase {
            Phase::Sent | Phase::Mined { .. } => vec![Change::Put { table: tables.open, key, value }],
            _ if entry.is_filler() => vec![Change::Delete { table: tables.open, key }],
            _ => vec![
                Change::Delete { table: tables.open, key: key.clone() },
                Change::Put { table: tables.done, key, value },
            ],
        };
        self.write(changes).await
    }

    pub(super) async fn write(&self, changes: Vec<Change>) -> Result<(), SubmitError> {
        Ok(off_thread(&self.store, move |store| store.write(changes)).await?)
    }

    /// Moves a sent transaction on: repeats it, raises its fee, or gives it another nonce.
    async fn push(
        &self,
        open: &mut [Open],
        place: usize,
        view: &View,
        memory: &mut Memory,
    ) -> Result<(), SubmitError> {
        let taken: BTreeSet<u64> = open.iter().filter_map(|entry| entry.record.nonce()).collect();
        let entry = &mut open[place];
        if !entry.settled || !entry.record.is_sent() {
            return Ok(());
        }
        let Some(last) = entry.record.attempts.last().cloned() else { return Ok(()) };
        if last.nonce < view.nonce {
            if self.is_lost(last.nonce, view, memory).await? {
                return self.reassign(entry, &taken, view, memory).await;
            }
            return Ok(());
        }
        memory.used.remove(&last.nonce);
        // Only the first in line can be mined, so only its fee can be what holds it up.
        let waited = view.head.number.saturating_sub(last.signed_at) >= self.config.replace_after_blocks;
        if waited && last.nonce == view.nonce && entry.record.attempts.len() < MAX_ATTEMPTS {
            let cap = self.config.max_fee_per_gas;
            if let Some(fees) = last.fees.raised(view.head.base_fee, view.priority_fee, cap) {
                self.sign(entry, last.nonce, last.gas, fees, view).await?;
            }
        }
        self.broadcast(entry, view, memory).await
    }

    /// Whether a nonce of ours was used by a transaction that is not ours and is final: then, and only then, none of
    /// ours can be mined any more. The caller has just looked for receipts and found none: the chain that it
    /// asked knows the block in which the nonce was used.
    async fn is_lost(&self, nonce: u64, view: &View, memory: &mut Memory) -> Result<bool, SubmitError> {
        let seen = memory.used.entry(nonce).or_insert_with(|| view.head.clone()).clone();
        if view.final_height.is_none_or(|height| height < seen.number) {
            return Ok(false);
        }
        let now = self.chain.block(BlockTag::Number(seen.number)).await?;
        let holds = now.is_some_and(|block| block.hash == seen.hash);
        if !holds {
            memory.used.remove(&nonce);
        }
        Ok(holds)
    }

    /// Gives an intent whose nonce someone else used another one. Its old hashes stay, for the record.
    async fn reassign(
        &self,
        entry: &mut Open,
        taken: &BTreeSet<u64>,
        view: &View,
        memory: &mut Memory,
    ) -> Result<(), SubmitError> {
        if entry.is_filler() {
            return self
                .write(vec![Change::Delete { table: self.config.tables.open, key: entry.key.clone() }])
                .await;
        }
        tracing::warn!(chain = self.chain.id(), nonce = entry.record.nonce(), "nonce used by someone else");
        match self.prepare(&entry.record.intent).await? {
            Prepared::Gas(gas) => {
                let fees = self.first_fees(view)?;
                self.sign(entry, lowest_free(view.first_free, taken), gas, fees, view).await?;
                self.broadcast(entry, view, memory).await
            }
            Prepared::Never(phase) => self.enter(entry, phase).await,
        }
    }

    /// Signs and stores; nothing leaves this process before.
    pub(super) async fn sign(
        &self,
        entry: &mut Open,
        nonce: u64,
        gas: u64,
        fees: Fees,
        view: &View,
    ) -> Result<(), SubmitError> {
        let draft = Draft { chain_id: self.chain.id(), nonce, gas, fees, signed_at: view.head.number };
        let attempt = draft.sign(&entry.record.intent, &self.signer)?;
        let mut record = entry.record.clone();
        record.attempts.push(attempt);
        let tables = self.config.tables;
        self.write(vec![
            Change::Delete { table: tables.queued, key: entry.key.clone() },
            Change::Put { table: tables.open, key: entry.key.clone(), value: record.encode() },
        ])
        .await?;
        entry.record = record;
        Ok(())
    }

    /// Hands the last signed bytes to the node, unless that was done a short while ago.
    pub(super) async fn broadcast(
        &self,
        entry: &Open,
        view: &View,
        memory: &mut Memory,
    ) -> Result<(), SubmitError> {
        let Some(last) = entry.record.attempts.last() else { return Ok(()) };
        let now = self.clock.now_ms();
        if let Some((height, time)) = memory.broadcast.get(&last.hash) {
            let recent_block = view.head.number.saturating_sub(*height) < REPEAT_AFTER_BLOCKS;
            if recent_block && now.saturating_sub(*time) < REPEAT_AFTER_MS {
                return Ok(());
            }
        }
        let raw = last.raw(self.chain.id(), &entry.record.intent)?;
        match self.chain.send_raw(raw).await {
            // The receipts of the next round tell which of our hashes, or whose transaction, took the nonce. A fee that
            // is too low for a replacement leaves the transaction before it in place.
            Ok(_) | Err(ChainError::NonceTooLow | ChainError::NonceTooHigh | ChainError::Underpriced) => {
                memory.broadcast.insert(last.hash, (view.head.number, now));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
