//! A chain in memory, for tests: blocks, logs, a mempool, reorgs, and endpoints that lie, lag, stall or lose what they
//! are sent. Nothing happens by itself: a block comes when the test calls [`SimulatedChain::mine`].

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use async_trait::async_trait;

use self::state::{Mined, PlannedReorg, State};
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

/// The canonical chain before a call: from its logs a contract can tell what it would have stored.
pub struct Past<'chain>(&'chain [Mined]);

impl Past<'_> {
    /// What a contract has emitted, in order.
    pub fn logs(&self, address: Address) -> impl DoubleEndedIterator<Item = &Log> {
        self.0.iter().flat_map(|mined| &mined.logs).filter(move |log| log.address == address)
    }
}

/// All contracts of the chain: runs a call, or reverts with data.
pub type Contracts = Arc<dyn Fn(&Call, Past<'_>) -> Result<Execution, Bytes> + Send + Sync>;

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
            contracts: Arc::new(|_, _| Ok(Execution::default())),
            planned: None,
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
        self.set_contracts_with_past(move |call, _| contracts(call));
    }

    /// As [`Self::set_contracts`], of contracts that know what was before.
    pub fn set_contracts_with_past(
        &self,
        contracts: impl Fn(&Call, Past<'_>) -> Result<Execution, Bytes> + Send + Sync + 'static,
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
        self.state().reorg(depth);
    }

    /// Plans a reorg of this depth, and these many blocks after it, for after this many further reads.
    pub fn reorg_later(&self, reads: u64, depth: usize, blocks: u64) {
        self.state().planned = Some(PlannedReorg { reads, depth, blocks });
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
        self.state().count_read();
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
        self.at(BlockTag::Number(to), |state, place, faults| {
            if faults.max_range != 0 && to - from >= faults.max_range {
                return Err(ChainError::RangeTooLarge);
            }
            let blocks = state.blocks[..=place].iter().skip(from as usize);
            Ok(told(
                blocks.flat_map(|mined| &mined.logs).filter(|log| log.address == address).cloned(),
                faults,
            ))
        })
        .await?
    }

    async fn call(&self, call: Call, at: BlockTag) -> Result<Bytes, ChainError> {
        let run = |state: &State, place: usize| (state.contracts)(&call, Past(&state.blocks[..=place]));
        let ran = self.at(at, |state, place, faults| (run(state, place), faults.lying)).await?;
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
        self.at(BlockTag::Latest, |state, place, faults| {
            if faults.no_receipts {
                return Err(ChainError::Timeout(std::time::Duration::ZERO));
            }
            let mut receipts = state.blocks[..=place].iter().flat_map(|mined| &mined.receipts);
            Ok(receipts.find(|receipt| receipt.tx_hash == tx_hash && !faults.lying).cloned())
        })
        .await?
    }

    async fn send_raw(&self, raw: Bytes) -> Result<B256, ChainError> {
        let faults = self.reached().await?;
        if !faults.loses_transactions {
            self.state().take(&raw)?;
        }
        Ok(keccak256(&raw))
    }
}
