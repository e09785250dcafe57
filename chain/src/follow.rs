//! The canonical logs of one contract, in order, across restarts and reorgs.
//!
//! A [`Follower`] keeps nothing in memory. Where it stands is a window of blocks in the store: the last
//! [`MAX_WINDOW`] blocks it ended a step on or found logs in. Each call of [`Follower::next`] compares that window with
//! the chain and gives the next step; the caller writes the step's `cursor` in the same transaction as its own effects,
//! so that effects and position move together or not at all.

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::config::Finality;
use crate::error::{ChainError, StoreError};
use crate::ports::{Block, BlockTag, Chain, Change, Log, Store, off_thread};

/// Blocks in the stored window: reorgs of at least this depth are followed, deeper ones need an operator.
pub const MAX_WINDOW: usize = 256;
/// Blocks above the chain's finality in one step: each is read by itself.
pub const MAX_UNFINAL_BLOCKS: u64 = 32;

/// What to follow.
#[derive(Clone, Copy, Debug)]
pub struct FollowConfig {
    /// The contract.
    pub address: Address,
    /// First height that can hold its logs.
    pub start_block: u64,
    /// How far up to follow.
    pub finality: Finality,
    /// Table of the window; one for each follower.
    pub table: &'static str,
    /// Blocks in one request for logs, where the chain is final; halved while a node finds it too many.
    pub max_blocks_per_step: u64,
}

/// Why a follower cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A read failed; `ChainError::is_retryable` says whether to try again.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The window could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain changed under the reads of this step: try again.
    #[error("the chain moved during the read at height {0}")]
    Moved(u64),
    /// No block of the window is canonical any more.
    #[error("reorg below height {0}, the oldest block of the window")]
    TooDeep(u64),
    /// A block that the chain called finalized was replaced. Nothing is safe to do: stop, and tell someone.
    #[error("finalized block {number} was {expected}, is {actual}")]
    FinalityBroken {
        /// Its height.
        number: u64,
        /// The hash it had.
        expected: B256,
        /// The hash at this height now.
        actual: B256,
    },
}

impl FollowError {
    /// Whether calling `next` again can help without anyone's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Chain(error) => error.is_retryable(),
            Self::Moved(_) => true,
            Self::Store(_) | Self::TooDeep(_) | Self::FinalityBroken { .. } => false,
        }
    }
}

/// One step along the chain. It either takes blocks back or adds some, never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Blocks added by earlier steps that are canonical no more, newest first. Only such as held logs.
    pub removed: Vec<Block>,
    /// Blocks that hold logs of the contract, oldest first, with their logs in order.
    pub added: Vec<(Block, Vec<Log>)>,
    /// Height up to which the steps before this one came to their end; 0 before the first.
    pub reached: u64,
    /// Where the follower stands after this step: all logs up to and including this block are given.
    pub position: Block,
    /// The newest block that could be followed when this step was made.
    pub head: Block,
    /// Changes of the window: to be written together with the step's effects.
    pub cursor: Vec<Change>,
}

/// A row of the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    block: Block,
    has_logs: bool,
}

/// Follows one contract on one chain.
pub struct Follower {
    chain: Arc<dyn Chain>,
    store: Arc<dyn Store>,
    config: FollowConfig,
}

impl Follower {
    /// A follower whose window is in `config.table` of this store.
    pub fn new(chain: Arc<dyn Chain>, store: Arc<dyn Store>, config: FollowConfig) -> Self {
        Self { chain, store, config }
    }

    /// The last block of the last step written; `None` before the first.
    ///
    /// # Errors
    /// [`FollowError::Store`].
    pub async fn position(&self) -> Result<Option<Block>, FollowError> {
        Ok(self.window().await?.pop().map(|entry| entry.block))
    }

    /// The next step, `None` when there is nothing new. The same step comes again until its `cursor` is written.
    ///
    /// # Errors
    /// See [`FollowError`]; only [`FollowError::is_retryable`] ones go away by themselves.
    pub async fn next(&self) -> Result<Option<Step>, FollowError> {
        let Some(head) = self.config.finality.head(self.chain.as_ref()).await? else { return Ok(None) };
        let window = self.window().await?;
        let Some(tip) = window.last() else { return self.anchor(head).await };
        if tip.block == head {
            return Ok(None);
        }
        match self.canonical_entries(&window, &head).await? {
            // The endpoint lags behind what is known: wait, a shorter chain is no other chain.
            Canonical::Behind => Ok(None),
            Canonical::Up(kept) if kept == window.len() => self.forward(&window, tip, head).await,
            Canonical::Up(kept) => self.backward(&window, kept, head).map(Some),
        }
    }

    /// The window, oldest first.
    async fn window(&self) -> Result<Vec<Entry>, FollowError> {
        let table = self.config.table;
        let rows = off_thread(&self.store, move |store| store.scan(table, &[], MAX_WINDOW + 1)).await?;
        let entry = |row: &(Vec<u8>, Vec<u8>)| serde_json::from_slice(&row.1);
        let window: Result<Vec<Entry>, _> = rows.iter().map(entry).collect();
        Ok(window.map_err(|error| StoreError::Row { table, reason: error.to_string() })?)
    }

    /// The first step of all: stands on the block before the first that is followed, so that from here on every step
    /// has a block to build on.
    async fn anchor(&self, head: Block) -> Result<Option<Step>, FollowError> {
        // The first block of a chain holds no logs: no transaction ran in it.
        let number = self.config.start_block.max(1) - 1;
        if head.number < number {
            return Ok(None);
        }
        let Some(block) = self.chain.block(BlockTag::Number(number)).await? else { return Ok(None) };
        let cursor = vec![self.put(&Entry { block: block.clone(), has_logs: false })];
        Ok(Some(Step { removed: Vec::new(), added: Vec::new(), reached: 0, position: block, head, cursor }))
    }

    /// How many of the window's entries, from the oldest, are canonical.
    async fn canonical_entries(&self, window: &[Entry], head: &Block) -> Result<Canonical, FollowError> {
        let mut above_head = false;
        let mut replaced = None;
        for (place, entry) in window.iter().enumerate().rev() {
            let known = &entry.block;
            if known.number > head.number {
                above_head = true;
                continue;
            }
            let Some(now) = self.chain.block(BlockTag::Number(known.number)).await? else {
                return Err(FollowError::Moved(known.number));
            };
            if now.hash == known.hash {
                let only_behind = above_head && replaced.is_none();
                return Ok(if only_behind { Canonical::Behind } else { Canonical::Up(place + 1) });
            }
            if self.config.finality == Finality::Finalized {
                let (number, expected, actual) = (known.number, known.hash, now.hash);
                return Err(FollowError::FinalityBroken { number, expected, actual });
            }
            replaced = Some(known.number);
        }
        match replaced {
            Some(oldest) => Err(FollowError::TooDeep(oldest)),
            None => Ok(Canonical::Behind),
        }
    }

    /// Takes back what stands above the first `kept` entries.
    fn backward(&self, window: &[Entry], kept: usize, head: Block) -> Result<Step, FollowError> {
        let reached = window.last().map_or(0, |tip| tip.block.number);
        let gone = window[kept..].iter().rev();
        let removed = gone.clone().filter(|entry| entry.has_logs).map(|entry| entry.block.clone()).collect();
        let cursor = gone.map(|entry| self.delete(entry)).collect();
        let ancestor = &window[kept - 1].block;
        tracing::warn!(chain = self.chain.id(), to = ancestor.number, "reorg");
        metrics::counter!("hypha_reorgs_total", "chain" => self.chain.id().to_string()).increment(1);
        Ok(Step { removed, added: Vec::new(), reached, position: ancestor.clone(), head, cursor })
    }

    /// Adds the next blocks above the tip.
    async fn forward(&self, window: &[Entry], tip: &Entry, head: Block) -> Result<Option<Step>, FollowError> {
        if head.number <= tip.block.number {
            return Ok(None);
        }
        let final_height = self.final_height(&head).await?;
        let (blocks, position) = if tip.block.number < final_height {
            self.read_final(&tip.block, final_height).await?
        } else {
            self.read_unfinal(&tip.block, &head).await?
        };
        let mut entries: Vec<Entry> =
            blocks.iter().map(|(block, _)| Entry { block: block.clone(), has_logs: true }).collect();
        if entries.last().is_none_or(|last| last.block != position) {
            entries.push(Entry { block: position.clone(), has_logs: false });
        }
        let cursor = self.moved_window(window, &entries);
        let reached = tip.block.number;
        Ok(Some(Step { removed: Vec::new(), added: blocks, reached, position, head, cursor }))
    }

    /// The height up to which the chain itself rules out reorgs.
    async fn final_height(&self, head: &Block) -> Result<u64, FollowError> {
        if self.config.finality == Finality::Finalized {
            return Ok(head.number);
        }
        match self.chain.block(BlockTag::Finalized).await {
            Ok(last) => Ok(last.map_or(0, |block| block.number.min(head.number))),
            // Not every chain knows the tag; then no block is beyond doubt.
            Err(ChainError::Node { .. }) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// A long stretch where nothing can change any more: one request finds the blocks that hold logs, and only these
    /// are read by their hash.
    async fn read_final(
        &self,
        tip: &Block,
        limit: u64,
    ) -> Result<(Vec<(Block, Vec<Log>)>, Block), FollowError> {
        let from = tip.number + 1;
        let mut count = self.config.max_blocks_per_step.max(1);
        let (found, to) = loop {
            let to = limit.min(tip.number.saturating_add(count));
            match self.chain.logs_in_range(self.config.address, from, to).await {
                Err(ChainError::RangeTooLarge) if count > 1 => count /= 2,
                other => break (other?, to),
            }
        };
        let mut numbers: Vec<(u64, B256)> =
            found.iter().map(|log| (log.block_number, log.block_hash)).collect();
        numbers.dedup();
        let mut blocks = Vec::with_capacity(numbers.len());
        for (number, hash) in numbers {
            let block = self.canonical(number).await?;
            if block.hash != hash {
                return Err(FollowError::Moved(number));
            }
            let logs = self.chain.logs_in_block(self.config.address, hash).await?;
            blocks.push((block, logs));
        }
        Ok((blocks, self.canonical(to).await?))
    }

    /// A few blocks that may still be replaced: each must be the child of the one before, and its logs are read by hash.
    async fn read_unfinal(
        &self,
        tip: &Block,
        head: &Block,
    ) -> Result<(Vec<(Block, Vec<Log>)>, Block), FollowError> {
        let last = head.number.min(tip.number + MAX_UNFINAL_BLOCKS);
        let mut blocks = Vec::new();
        let mut before = tip.clone();
        for number in tip.number + 1..=last {
            let block = self.canonical(number).await?;
            if block.parent != before.hash {
                return Err(FollowError::Moved(number));
            }
            let logs = self.chain.logs_in_block(self.config.address, block.hash).await?;
            if !logs.is_empty() {
                blocks.push((block.clone(), logs));
            }
            before = block;
        }
        Ok((blocks, before))
    }

    async fn canonical(&self, number: u64) -> Result<Block, FollowError> {
        self.chain.block(BlockTag::Number(number)).await?.ok_or(FollowError::Moved(number))
    }

    /// The changes that append entries to the window and drop what is then too old.
    fn moved_window(&self, window: &[Entry], new: &[Entry]) -> Vec<Change> {
        let surplus = (window.len() + new.len()).saturating_sub(MAX_WINDOW);
        let dropped = window.iter().take(surplus).map(|entry| self.delete(entry));
        let skipped = surplus.saturating_sub(window.len());
        dropped.chain(new[skipped..].iter().map(|entry| self.put(entry))).collect()
    }

    fn put(&self, entry: &Entry) -> Change {
        let value = serde_json::to_vec(entry).expect("a struct of numbers and hashes has a JSON form");
        Change::Put { table: self.config.table, key: key(&entry.block), value }
    }

    fn delete(&self, entry: &Entry) -> Change {
        Change::Delete { table: self.config.table, key: key(&entry.block) }
    }
}

/// Rows of the window are ordered by height.
fn key(block: &Block) -> Vec<u8> {
    block.number.to_be_bytes().to_vec()
}

/// How the window relates to the chain.
enum Canonical {
    /// The chain as this endpoint knows it ends below the window's tip, and agrees with it as far as it goes.
    Behind,
    /// This many entries, from the oldest, are canonical.
    Up(usize),
}

#[cfg(test)]
mod tests;
