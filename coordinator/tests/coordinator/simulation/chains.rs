//! A hub that is strict (it knows its index, its root and its queue, through every reorg), a spoke, and an honest relayer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use alloy::primitives::{B256, Bytes, U256};
use alloy::sol_types::{SolCall, SolError};
use hypha_chain::ports::{Block, BlockTag, Call, Chain, Clock, Log};
use hypha_chain::simulated::{Execution, SimulatedChain};
use hypha_protocol::contracts::IRequestQueue::RequestQueued;
use hypha_protocol::contracts::IRootHub::{
    BatchApplied, Confirmed, QueueEmpty, RequestEnqueued, applyBatchCall, spokeChainsCall,
};
use hypha_protocol::contracts::IRootVerifier::RootUpdated;
use hypha_protocol::ids::word;
use hypha_protocol::operations::{Operation, Request, Rules, decode_operations, encode_operations};
use hypha_protocol::replay::Replica;
use hypha_protocol::signing::hub_domain;

use crate::world::*;

/// What the hub's contract holds after each block of the canonical chain.
struct Hub {
    states: Vec<(Block, Replica)>,
    /// While a block is mined: what it holds after the transactions so far.
    mining: Option<Replica>,
    /// When each block was mined, by its hash.
    mined_at: BTreeMap<B256, u64>,
}

impl Hub {
    fn tip(&self) -> (&Block, &Replica) {
        let (block, replica) = self.states.last().expect("the first block is there for ever");
        (block, replica)
    }

    fn apply(&mut self, call: &applyBatchCall) -> Result<Execution, Bytes> {
        let (block, tip) = self.tip();
        let mut replica = self.mining.as_ref().unwrap_or(tip).clone();
        let domains = BTreeSet::from([HUB_ID, SPOKE_ID]);
        let rules = Rules::hub(hub_domain(HUB_ID, hub_address()).separator(), block.time + 1, domains);
        take_batch(replica.index(), word(replica.root()), &rules, call)?;
        let empty = QueueEmpty { chainId: U256::ZERO, number: 0 };
        let step = replica.apply(call.batchIndex, &call.operations).map_err(|_| empty.abi_encode())?;
        if self.mining.is_some() {
            self.mining = Some(replica);
        }
        let event = BatchApplied {
            index: call.batchIndex,
            root: call.newRoot,
            batchChain: step.batch_chain,
            operations: call.operations.clone(),
        };
        Ok(Execution { output: Bytes::new(), logs: vec![log(hub_address(), &event)] })
    }
}

/// An operation that the hub took.
pub(super) struct Taken {
    /// Its batch.
    pub(super) index: u64,
    /// When its block was mined, by the coordinator's clock.
    pub(super) mined_at: u64,
    pub(super) operation: Operation,
}

/// Both chains.
pub(super) struct Chains {
    hub: SimulatedChain,
    spoke: SimulatedChain,
    contract: Arc<Mutex<Hub>>,
    clock: Arc<dyn Clock>,
}

/// As deep a reorg as there can be, at most of this depth: the first block always stays.
async fn most(chain: &SimulatedChain, depth: usize) -> usize {
    let head = chain.endpoint().block(BlockTag::Latest).await.unwrap().unwrap().number;
    depth.min(usize::try_from(head).unwrap())
}

impl Chains {
    /// Puts the contract on the world's hub.
    pub(super) async fn of(world: &World) -> Self {
        let replica = Replica::new(HUB_ID, hub_address()).with_queue();
        let first = world.hub.block(BlockTag::Number(0)).await.unwrap().unwrap();
        let contract = Arc::new(Mutex::new(Hub {
            states: vec![(first, replica)],
            mining: None,
            mined_at: BTreeMap::new(),
        }));
        let called = contract.clone();
        world.hub.set_contracts(move |call: &Call| match applyBatchCall::abi_decode(&call.data) {
            Ok(batch) => called.lock().unwrap().apply(&batch),
            Err(_) => {
                let output = spokeChainsCall::abi_encode_returns(&vec![U256::from(SPOKE_ID)]).into();
                Ok(Execution { output, logs: Vec::new() })
            }
        });
        Self { hub: world.hub.clone(), spoke: world.spoke.clone(), contract, clock: world.clock.clone() }
    }

    async fn logs(chain: &SimulatedChain, address: alloy::primitives::Address) -> Vec<Log> {
        let chain = chain.endpoint(); // without the faults of the coordinator's own
        let head = chain.block(BlockTag::Latest).await.unwrap().unwrap().number;
        chain.logs_in_range(address, 0, head).await.unwrap()
    }

    pub(super) async fn hub_logs(&self) -> Vec<Log> {
        Self::logs(&self.hub, hub_address()).await
    }

    pub(super) async fn spoke_logs(&self) -> Vec<Log> {
        Self::logs(&self.spoke, spoke_address()).await
    }

    /// The contract's state follows the chain; a log that it could not have emitted ends the test.
    async fn sync(&self) {
        let chain = self.hub.endpoint();
        let mut blocks = Vec::new();
        while let Some(block) = chain.block(BlockTag::Number(blocks.len() as u64)).await.unwrap() {
            blocks.push(block);
        }
        let logs = self.hub_logs().await;
        let mut contract = self.contract.lock().unwrap();
        let same = contract.states.iter().zip(&blocks).take_while(|((known, _), block)| known == *block);
        let kept = same.count();
        contract.states.truncate(kept);
        for block in blocks.split_off(kept) {
            let number = block.number;
            let mut replica = contract.tip().1.clone();
            for log in logs.iter().filter(|log| log.block_number == number) {
                if let Some(event) = read::<RequestEnqueued>(log) {
                    replica.enqueue(&event).expect("the queue goes on");
                } else if let Some(event) = read::<BatchApplied>(log) {
                    let step = replica.apply(event.index, &event.operations).expect("the hub took it");
                    assert_eq!((word(step.root), step.batch_chain), (event.root, event.batchChain));
                }
            }
            contract.mined_at.insert(block.hash, self.clock.now_ms());
            contract.states.push((block, replica));
        }
    }

    /// The hub's index and root.
    pub(super) fn tip(&self) -> (u64, B256) {
        let contract = self.contract.lock().unwrap();
        let replica = contract.tip().1;
        (replica.index(), word(replica.root()))
    }

    /// Time of the hub's newest block.
    pub(super) fn time(&self) -> u64 {
        self.contract.lock().unwrap().tip().0.time
    }

    /// Index and root that are final on the hub.
    fn last_final(&self) -> (u64, B256) {
        let contract = self.contract.lock().unwrap();
        let place = contract.states.len().saturating_sub(FINAL_DEPTH as usize + 1);
        let replica = &contract.states[place].1;
        (replica.index(), word(replica.root()))
    }

    /// A block on each chain, with what an honest relayer does by then: it carries only what is final.
    pub(super) async fn turn(&self) {
        let (index, root) = self.last_final();
        let spoke_logs = self.spoke_logs().await;
        let spoke_head = self.spoke.block(BlockTag::Latest).await.unwrap().unwrap().number;
        let is_final = |log: &&Log| log.block_number + FINAL_DEPTH <= spoke_head;
        let indexes = |event: RootUpdated| event.index;
        let taken = spoke_logs.iter().filter_map(read).map(indexes).max().unwrap_or(0);
        let known = spoke_logs.iter().filter(is_final).filter_map(read).map(indexes).max().unwrap_or(0);
        let hub_logs = self.hub_logs().await;
        let confirmed =
            hub_logs.iter().filter_map(read).map(|event: Confirmed| event.index).max().unwrap_or(0);
        if index > taken {
            emit(&self.spoke, spoke_address(), &RootUpdated { oldRoot: B256::ZERO, newRoot: root, index });
        }
        if known > confirmed {
            let event = Confirmed { chainId: U256::from(SPOKE_ID), index: known, root: B256::ZERO };
            emit(&self.hub, hub_address(), &event);
        }
        let queued = spoke_logs.iter().filter(is_final).filter_map(read::<RequestQueued>);
        let carried = Self::last_number(&hub_logs, SPOKE_ID);
        if let Some(event) = queued.into_iter().find(|event| event.number == carried + 1) {
            self.emit_enqueued(&hub_logs, SPOKE_ID, &event);
        }
        self.mine().await;
        self.spoke.mine();
    }

    /// The greatest number that has come from a chain to the hub's queue.
    fn last_number(hub_logs: &[Log], chain_id: u64) -> u64 {
        let events = hub_logs.iter().filter_map(read::<RequestEnqueued>);
        let numbers = events.filter(|event| event.chainId == U256::from(chain_id)).map(|event| event.number);
        numbers.max().unwrap_or(0)
    }

    fn emit_enqueued(&self, hub_logs: &[Log], chain_id: u64, queued: &RequestQueued) {
        let event = RequestEnqueued {
            chainId: U256::from(chain_id),
            number: queued.number,
            position: hub_logs.iter().filter_map(read::<RequestEnqueued>).count() as u64,
            dueAt: 3_000_000_000,
            requestType: queued.requestType,
            sender: queued.sender,
            content: queued.content.clone(),
        };
        emit(&self.hub, hub_address(), &event);
    }

    /// Somebody asks for something on a chain; `ask` makes the request from its number. It is in the chain's next block.
    pub(super) async fn ask(&self, chain_id: u64, ask: impl FnOnce(u64) -> Request) {
        let of = |request: &Request| RequestQueued {
            number: request.number(),
            requestType: request.request_type() as u8,
            sender: request.sender(),
            fee: 0,
            content: request.packed_content().clone(),
        };
        if chain_id == HUB_ID {
            let hub_logs = self.hub_logs().await;
            self.emit_enqueued(&hub_logs, HUB_ID, &of(&ask(Self::last_number(&hub_logs, HUB_ID) + 1)));
        } else {
            let queued = self.spoke_logs().await.iter().filter_map(read::<RequestQueued>).count() as u64;
            emit(&self.spoke, spoke_address(), &of(&ask(queued + 1)));
        }
        self.mine().await;
        self.spoke.mine();
    }

    /// The hub's next block.
    async fn mine(&self) {
        let tip = self.contract.lock().unwrap().tip().1.clone();
        self.mine_hub(tip).await;
    }

    /// The hub's next block, whose transactions find the contract so.
    async fn mine_hub(&self, before: Replica) {
        self.contract.lock().unwrap().mining = Some(before);
        self.hub.mine();
        self.contract.lock().unwrap().mining = None;
        self.sync().await;
    }

    /// Another sequencer's batch is in the hub's next block, if it is valid.
    pub(super) async fn foreign(&self, operations: &[Operation]) {
        let after;
        let (index, root, batch_chain, packed) = {
            let mut replica = self.contract.lock().unwrap().tip().1.clone();
            let Ok(packed) = encode_operations(operations) else { return };
            let index = replica.index() + 1;
            let Ok(step) = replica.apply(index, &packed) else { return };
            after = replica;
            (index, word(step.root), step.batch_chain, packed)
        };
        let event = BatchApplied { index, root, batchChain: batch_chain, operations: packed.into() };
        emit(&self.hub, hub_address(), &event);
        self.mine_hub(after).await;
    }

    /// The hub's newest blocks are others, and the chain is as long again or longer.
    pub(super) async fn reorg_hub(&self, depth: usize) {
        let depth = most(&self.hub, depth).await;
        self.hub.reorg(depth);
        self.sync().await;
        for _ in 0..=depth {
            self.mine().await;
        }
    }

    /// As [`Self::reorg_hub`], of the spoke.
    pub(super) async fn reorg_spoke(&self, depth: usize) {
        let depth = most(&self.spoke, depth).await;
        self.spoke.reorg(depth);
        self.spoke.mine_many(depth as u64 + 1);
    }

    /// Everything that the hub took, in order.
    pub(super) async fn operations(&self) -> Vec<Taken> {
        let logs = self.hub_logs().await;
        let mut taken = Vec::new();
        for log in &logs {
            let Some(batch) = read::<BatchApplied>(log) else { continue };
            let mined_at = self.contract.lock().unwrap().mined_at[&log.block_hash];
            let operations = decode_operations(&batch.operations).unwrap();
            let of = |operation| Taken { index: batch.index, mined_at, operation };
            taken.extend(operations.into_iter().map(of));
        }
        taken
    }

    /// Every request in the hub's queue: chain and number.
    pub(super) async fn requests(&self) -> Vec<(u64, u64)> {
        let logs = self.hub_logs().await;
        let events = logs.iter().filter_map(read::<RequestEnqueued>);
        events.map(|event| (event.chainId.saturating_to(), event.number)).collect()
    }
}
