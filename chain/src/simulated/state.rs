//! What is on the simulated chain, and how it changes.

use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{Transaction, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, B256, Bytes, keccak256};

use super::{Contracts, Past};
use crate::error::ChainError;
use crate::ports::{Block, BlockTag, Call, Log, Receipt};

pub(super) struct State {
    pub(super) id: u64,
    /// Counts reorgs, so that a block mined again has another hash.
    pub(super) fork: u64,
    pub(super) blocks: Vec<Mined>,
    pub(super) pool: Vec<Pooled>,
    pub(super) emitted: Vec<(Address, Vec<B256>, Bytes)>,
    pub(super) base_fee: u64,
    pub(super) final_depth: u64,
    pub(super) gas: u64,
    pub(super) contracts: Contracts,
    pub(super) planned: Option<PlannedReorg>,
}

/// A reorg that comes between two reads.
pub(super) struct PlannedReorg {
    pub(super) reads: u64,
    pub(super) depth: usize,
    pub(super) blocks: u64,
}

pub(super) struct Mined {
    pub(super) block: Block,
    pub(super) logs: Vec<Log>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) senders: Vec<Address>,
}

#[derive(Clone)]
pub(super) struct Pooled {
    pub(super) hash: B256,
    pub(super) nonce: u64,
    pub(super) max_fee: u128,
    pub(super) priority: u128,
    pub(super) call: Call,
}

impl State {
    pub(super) fn reorg(&mut self, depth: usize) {
        let kept = self.blocks.len() - depth;
        self.blocks.truncate(kept);
        self.fork += 1;
    }

    /// Counts a read, and runs the planned reorg when its time has come.
    pub(super) fn count_read(&mut self) {
        match self.planned.take() {
            Some(PlannedReorg { reads: 0, depth, blocks }) => {
                self.reorg(depth);
                for _ in 0..blocks {
                    self.mine();
                }
            }
            Some(plan) => self.planned = Some(PlannedReorg { reads: plan.reads - 1, ..plan }),
            None => {}
        }
    }

    pub(super) fn mine(&mut self) -> Block {
        let number = self.blocks.len() as u64;
        let parent = self.blocks.last().map_or(B256::ZERO, |mined| mined.block.hash);
        let seed = [self.id.to_be_bytes(), self.fork.to_be_bytes(), number.to_be_bytes()].concat();
        let hash = keccak256([seed.as_slice(), parent.as_slice()].concat());
        let block = Block { number, hash, parent, time: 1_700_000_000 + number, base_fee: self.base_fee };
        let mined =
            Mined { block: block.clone(), logs: Vec::new(), receipts: Vec::new(), senders: Vec::new() };
        self.blocks.push(mined);
        for (address, topics, data) in std::mem::take(&mut self.emitted) {
            self.log(address, topics, data, B256::ZERO);
        }
        while let Some(place) = self.pool.iter().position(|pooled| self.can_run(pooled)) {
            let pooled = self.pool.swap_remove(place);
            self.run(pooled);
        }
        block
    }

    fn can_run(&self, pooled: &Pooled) -> bool {
        let next = self.next_nonce(pooled.call.from, self.blocks.len() - 1);
        pooled.nonce == next && pooled.max_fee >= u128::from(self.base_fee)
    }

    fn run(&mut self, pooled: Pooled) {
        let outcome = (self.contracts)(&pooled.call, Past(&self.blocks));
        let success = outcome.is_ok();
        for (address, topics, data) in outcome.unwrap_or_default().logs {
            self.log(address, topics, data, pooled.hash);
        }
        let gas_used = self.gas;
        let newest = self.blocks.last_mut().expect("a transaction runs in the block just added");
        let (block_number, block_hash) = (newest.block.number, newest.block.hash);
        newest.receipts.push(Receipt { tx_hash: pooled.hash, block_number, block_hash, success, gas_used });
        newest.senders.push(pooled.call.from);
    }

    fn log(&mut self, address: Address, topics: Vec<B256>, data: Bytes, tx_hash: B256) {
        let newest = self.blocks.last_mut().expect("a log is emitted in the block just added");
        let (block_number, block_hash) = (newest.block.number, newest.block.hash);
        let log_index = newest.logs.len() as u64;
        newest.logs.push(Log { address, topics, data, block_number, block_hash, tx_hash, log_index });
    }

    /// Transactions of an account in the blocks up to and including this place.
    pub(super) fn next_nonce(&self, account: Address, place: usize) -> u64 {
        let sent = |mined: &Mined| mined.senders.iter().filter(|sender| **sender == account).count() as u64;
        self.blocks[..=place].iter().map(sent).sum()
    }

    /// Place of the block under a tag, as an endpoint that lags sees it.
    pub(super) fn place(&self, at: BlockTag, lag: u64) -> Option<usize> {
        let newest = (self.blocks.len() as u64 - 1).saturating_sub(lag);
        let number = match at {
            BlockTag::Latest => newest,
            BlockTag::Safe | BlockTag::Finalized => newest.saturating_sub(self.final_depth),
            BlockTag::Number(number) => number,
            BlockTag::Hash(hash) => self.blocks.iter().position(|mined| mined.block.hash == hash)? as u64,
        };
        (number <= newest).then_some(number as usize)
    }

    pub(super) fn take(&mut self, raw: &[u8]) -> Result<(), ChainError> {
        let refused = ChainError::Response("a signed transaction");
        let envelope = TxEnvelope::decode_2718_exact(raw).map_err(|_| refused.clone())?;
        let from = envelope.recover_signer().map_err(|_| refused.clone())?;
        let call = Call {
            from,
            to: envelope.to().ok_or(refused)?,
            value: envelope.value(),
            data: envelope.input().clone(),
        };
        let pooled = Pooled {
            hash: *envelope.tx_hash(),
            nonce: envelope.nonce(),
            max_fee: envelope.max_fee_per_gas(),
            priority: envelope.max_priority_fee_per_gas().unwrap_or_default(),
            call,
        };
        if pooled.nonce < self.next_nonce(from, self.blocks.len() - 1) {
            return Err(ChainError::NonceTooLow);
        }
        let same = self.pool.iter().position(|other| other.call.from == from && other.nonce == pooled.nonce);
        if let Some(place) = same {
            let other = &self.pool[place];
            if other.hash == pooled.hash {
                return Ok(());
            }
            // As geth: both fees a tenth higher.
            let too_low = |new: u128, old: u128| new * 10 < old * 11;
            if too_low(pooled.max_fee, other.max_fee) || too_low(pooled.priority, other.priority) {
                return Err(ChainError::Underpriced);
            }
            self.pool.swap_remove(place);
        }
        self.pool.push(pooled);
        Ok(())
    }
}
