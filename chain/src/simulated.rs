//! A chain in memory, for tests: blocks, logs, a mempool, reorgs, and endpoints that lie, lag, stall or lose what they
//! are sent. Nothing happens by itself: a block comes when the test calls [`SimulatedChain::mine`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{Transaction, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use async_trait::async_trait;

use crate::error::ChainError;
use crate::ports::{Block, BlockTag, Call, Chain, Log, Receipt};

/// What a call does: its output, and the logs (contract, topics, data) that it leaves when it is a transaction.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// What the call returns.
    pub output: Bytes,
    /// What it emits.
    pub logs: Vec<(Address, Vec<B256>, Bytes)>,
}

/// All contracts of the chain: runs a call, or reverts with data.
pub type Contracts = Arc<dyn Fn(&Call) -> Result<Execution, Bytes> + Send + Sync>;

/// What is wrong with one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Never answers.
    pub stalled: bool,
    /// Refuses every connection.
    pub unreachable: bool,
    /// Gives wrong hashes, logs, results, receipts and nonces.
    pub lying: bool,
    /// Knows nothing of this many of the newest blocks.
    pub lag: u64,
    /// Gives logs of at most this many blocks at once; of any number when zero.
    pub max_range: u64,
    /// Fails to give receipts.
    pub no_receipts: bool,
    /// Takes transactions and loses them.
    pub loses_transactions: bool,
}

/// One endpoint of a simulated chain. [`SimulatedChain::endpoint`] gives further ones, each with its own faults.
#[derive(Clone)]
pub struct SimulatedChain {
    state: Arc<Mutex<State>>,
    faults: Arc<Mutex<Faults>>,
}

struct State {
    id: u64,
    /// Counts reorgs, so that a block mined again has another hash.
    fork: u64,
    blocks: Vec<Mined>,
    pool: Vec<Pooled>,
    emitted: Vec<(Address, Vec<B256>, Bytes)>,
    base_fee: u64,
    final_depth: u64,
    gas: u64,
    contracts: Contracts,
}

struct Mined {
    block: Block,
    logs: Vec<Log>,
    receipts: Vec<Receipt>,
    senders: Vec<Address>,
}

#[derive(Clone)]
struct Pooled {
    hash: B256,
    nonce: u64,
    max_fee: u128,
    priority: u128,
    call: Call,
}

/// Wei a unit of gas that the chain suggests as priority fee.
pub const PRIORITY_FEE: u64 = 1_000_000_000;

impl SimulatedChain {
    /// A chain with its first block; whose `final_depth` newest blocks are not final; where every call succeeds.
    pub fn new(id: u64, final_depth: u64) -> Self {
        let state = State {
            id,
            fork: 0,
            blocks: Vec::new(),
            pool: Vec::new(),
            emitted: Vec::new(),
            base_fee: PRIORITY_FEE,
            final_depth,
            gas: 100_000,
            contracts: Arc::new(|_| Ok(Execution::default())),
        };
        let chain = Self { state: Arc::new(Mutex::new(state)), faults: Arc::default() };
        chain.mine();
        chain
    }

    /// Another endpoint of the same chain, without faults.
    pub fn endpoint(&self) -> Self {
        Self { state: Arc::clone(&self.state), faults: Arc::default() }
    }

    /// Changes what is wrong with this endpoint.
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Changes what calls and transactions do.
    pub fn set_contracts(
        &self,
        contracts: impl Fn(&Call) -> Result<Execution, Bytes> + Send + Sync + 'static,
    ) {
        self.state().contracts = Arc::new(contracts);
    }

    /// Changes the base fee of further blocks, wei a unit of gas.
    pub fn set_base_fee(&self, base_fee: u64) {
        self.state().base_fee = base_fee;
    }

    /// Changes the gas that every call is estimated to need, and uses.
    pub fn set_gas(&self, gas: u64) {
        self.state().gas = gas;
    }

    /// Puts a log into the next block.
    pub fn emit(&self, address: Address, topics: Vec<B256>, data: impl Into<Bytes>) {
        self.state().emitted.push((address, topics, data.into()));
    }

    /// Adds a block with what was emitted and with all transactions of the mempool that can run.
    pub fn mine(&self) -> Block {
        self.state().mine()
    }

    /// Adds blocks.
    pub fn mine_many(&self, count: u64) {
        (0..count).for_each(|_| {
            self.mine();
        });
    }

    /// Drops the newest blocks, and the transactions in them. What is mined next has other hashes.
    pub fn reorg(&self, depth: usize) {
        let mut state = self.state();
        let kept = state.blocks.len() - depth;
        state.blocks.truncate(kept);
        state.fork += 1;
    }

    /// Empties the mempool, and says how many transactions were in it.
    pub fn drop_pool(&self) -> usize {
        self.state().pool.drain(..).count()
    }

    /// Hashes of the transactions in the mempool, in order of nonce.
    pub fn pool(&self) -> Vec<B256> {
        let mut pool = self.state().pool.clone();
        pool.sort_by_key(|pooled| pooled.nonce);
        pool.iter().map(|pooled| pooled.hash).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for ever or fails, as the faults say; else gives them.
    async fn reached(&self) -> Result<Faults, ChainError> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if faults.stalled {
            std::future::pending::<()>().await;
        }
        if faults.unreachable {
            return Err(ChainError::Transport("connection refused".to_owned()));
        }
        Ok(faults)
    }

    /// The state up to the block that a read refers to.
    async fn at<T>(
        &self,
        at: BlockTag,
        read: impl FnOnce(&State, usize, &Faults) -> T,
    ) -> Result<T, ChainError> {
        let faults = self.reached().await?;
        let state = self.state();
        let place = state.place(at, faults.lag).ok_or(ChainError::UnknownBlock)?;
        Ok(read(&state, place, &faults))
    }
}

impl State {
    fn mine(&mut self) -> Block {
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
        let outcome = (Arc::clone(&self.contracts))(&pooled.call);
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
    fn next_nonce(&self, account: Address, place: usize) -> u64 {
        let sent = |mined: &Mined| mined.senders.iter().filter(|sender| **sender == account).count() as u64;
        self.blocks[..=place].iter().map(sent).sum()
    }

    /// Place of the block under a tag, as an endpoint that lags sees it.
    fn place(&self, at: BlockTag, lag: u64) -> Option<usize> {
        let newest = (self.blocks.len() as u64 - 1).saturating_sub(lag);
        let number = match at {
            BlockTag::Latest => newest,
            BlockTag::Safe | BlockTag::Finalized => newest.saturating_sub(self.final_depth),
            BlockTag::Number(number) => number,
            BlockTag::Hash(hash) => self.blocks.iter().position(|mined| mined.block.hash == hash)? as u64,
        };
        (number <= newest).then_some(number as usize)
    }

    fn take(&mut self, raw: &[u8]) -> Result<(), ChainError> {
        let refused = ChainError::Response("a signed transaction");
        let envelope = TxEnvelope::decode_2718_exact(raw).map_err(|_| refused.clone())?;
        let from = envelope.recover_signer().map_err(|_| refused.clone())?;
        let call = Call { from, to: envelope.to().ok_or(refused)?, data: envelope.input().clone() };
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

/// The lie: the same bytes with the first one turned over.
fn twisted(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = if bytes.is_empty() { vec![0] } else { bytes.to_vec() };
    bytes[0] ^= 0xff;
    bytes
}

fn told(logs: impl Iterator<Item = Log>, faults: &Faults) -> Vec<Log> {
    let twist = |log: Log| if faults.lying { Log { data: twisted(&log.data).into(), ..log } } else { log };
    logs.map(twist).collect()
}

#[async_trait]
impl Chain for SimulatedChain {
    fn id(&self) -> u64 {
        self.state().id
    }

    async fn identity(&self) -> Result<(u64, B256), ChainError> {
        self.at(BlockTag::Number(0), |state, place, _| (state.id, state.blocks[place].block.hash)).await
    }

    async fn block(&self, tag: BlockTag) -> Result<Option<Block>, ChainError> {
        let found = self.at(tag, |state, place, faults| {
            let block = state.blocks[place].block.clone();
            match faults.lying {
                true => Block { hash: B256::from_slice(&twisted(block.hash.as_slice())), ..block },
                false => block,
            }
        });
        match found.await {
            Err(ChainError::UnknownBlock) => Ok(None),
            other => other.map(Some),
        }
    }

    async fn logs_in_block(&self, address: Address, block: B256) -> Result<Vec<Log>, ChainError> {
        self.at(BlockTag::Hash(block), |state, place, faults| {
            let logs = state.blocks[place].logs.iter().filter(|log| log.address == address);
            told(logs.cloned(), faults)
        })
        .await
    }

    async fn logs_in_range(&self, address: Address, from: u64, to: u64) -> Result<Vec<Log>, ChainError> {
        let limit = self.reached().await?.max_range;
        if limit != 0 && to - from >= limit {
            return Err(ChainError::RangeTooLarge);
        }
        self.at(BlockTag::Number(to), |state, place, faults| {
            let blocks = state.blocks[..=place].iter().skip(from as usize);
            told(blocks.flat_map(|mined| &mined.logs).filter(|log| log.address == address).cloned(), faults)
        })
        .await
    }

    async fn call(&self, call: Call, at: BlockTag) -> Result<Bytes, ChainError> {
        let ran =
            self.at(at, |state, _, faults| ((Arc::clone(&state.contracts))(&call), faults.lying)).await?;
        match ran {
            (Ok(execution), true) => Ok(twisted(&execution.output).into()),
            (Ok(execution), false) => Ok(execution.output),
            (Err(data), _) => Err(ChainError::Reverted { data }),
        }
    }

    async fn code(&self, _address: Address, at: BlockTag) -> Result<Bytes, ChainError> {
        self.at(at, |_, _, _| Bytes::from_static(&[0xfe])).await
    }

    async fn estimate_gas(&self, call: Call) -> Result<u64, ChainError> {
        self.call(call, BlockTag::Latest).await?;
        self.at(BlockTag::Latest, |state, _, faults| if faults.lying { u64::MAX } else { state.gas }).await
    }

    async fn priority_fee(&self) -> Result<u64, ChainError> {
        let faults = self.reached().await?;
        Ok(if faults.lying { u64::MAX } else { PRIORITY_FEE })
    }

    async fn nonce(&self, account: Address, at: BlockTag) -> Result<u64, ChainError> {
        self.at(at, |state, place, faults| state.next_nonce(account, place) + 7 * u64::from(faults.lying))
            .await
    }

    async fn balance(&self, _account: Address, at: BlockTag) -> Result<U256, ChainError> {
        self.at(at, |_, _, faults| if faults.lying { U256::ZERO } else { U256::MAX }).await
    }

    async fn receipt(&self, tx_hash: B256) -> Result<Option<Receipt>, ChainError> {
        if self.reached().await?.no_receipts {
            return Err(ChainError::Timeout(std::time::Duration::ZERO));
        }
        self.at(BlockTag::Latest, |state, place, faults| {
            let mut receipts = state.blocks[..=place].iter().flat_map(|mined| &mined.receipts);
            receipts.find(|receipt| receipt.tx_hash == tx_hash && !faults.lying).cloned()
        })
        .await
    }

    async fn send_raw(&self, raw: Bytes) -> Result<B256, ChainError> {
        let faults = self.reached().await?;
        if !faults.loses_transactions {
            self.state().take(&raw)?;
        }
        Ok(keccak256(&raw))
    }
}
