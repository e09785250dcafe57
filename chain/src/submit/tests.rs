mod order;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::fees::Fees;
use super::record::Draft;
use super::*;
use crate::clock::ManualClock;
use crate::memory_store::MemoryStore;
use crate::ports::{BlockTag, Row};
use crate::simulated::{Execution, Faults, PRIORITY_FEE, SimulatedChain};

const HUB: Address = Address::repeat_byte(0x11);
const FINAL_DEPTH: u64 = 4;
const TABLES: SubmitTables = SubmitTables { queued: "queued", open: "open", done: "done" };

/// A store whose disk can be full.
#[derive(Default)]
struct Disk {
    rows: MemoryStore,
    full: AtomicBool,
}

impl Store for Disk {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.get(table, key)
    }
    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.rows.scan(table, from, limit)
    }
    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError> {
        self.rows.last(table)
    }
    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        match self.full.load(Ordering::Relaxed) {
            true => Err(StoreError::Failed("no space left".into())),
            false => self.rows.write(changes),
        }
    }
}

struct Service {
    chain: SimulatedChain,
    store: Arc<Disk>,
    clock: ManualClock,
    config: SubmitConfig,
    submitter: Submitter,
}

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x42)).unwrap()
}

impl Service {
    fn new() -> Self {
        let chain = SimulatedChain::new(7, FINAL_DEPTH);
        // Each transaction leaves its calldata as a log, so that executions can be counted.
        chain.set_contracts(|call| {
            Ok(Execution { output: Bytes::new(), logs: vec![(call.to, vec![], call.data.clone())] })
        });
        let (store, clock) = (Arc::new(Disk::default()), ManualClock::new(1_000_000));
        let config = SubmitConfig::new(TABLES, Finality::Finalized);
        let submitter = Self::submitter(&chain, &store, &clock, config);
        Self { chain, store, clock, config, submitter }
    }

    fn submitter(
        chain: &SimulatedChain,
        store: &Arc<Disk>,
        clock: &ManualClock,
        config: SubmitConfig,
    ) -> Submitter {
        let store: Arc<dyn Store> = store.clone();
        Submitter::new(Arc::new(chain.clone()), store, Arc::new(clock.clone()), signer(), config)
    }

    fn restart(&mut self) {
        self.submitter = Self::submitter(&self.chain, &self.store, &self.clock, self.config);
    }

    fn intend(&self, id: &str) {
        let changes = self.submitter.intent(id, HUB, Bytes::copy_from_slice(id.as_bytes()));
        self.store.write(changes).unwrap();
    }

    async fn drive(&self) {
        self.submitter.drive().await.unwrap();
    }

    async fn mine_and_drive(&self, blocks: u64) {
        for _ in 0..blocks {
            self.chain.mine();
            self.drive().await;
        }
    }

    async fn status(&self, id: &str) -> IntentStatus {
        self.submitter.status(id).await.unwrap().unwrap()
    }

    async fn sent(&self, id: &str) -> (Vec<B256>, u64) {
        match self.status(id).await {
            IntentStatus::Sent { hashes, nonce } => (hashes, nonce),
            other => panic!("{id} is {other:?}"),
        }
    }

    async fn is_final(&self, id: &str) -> bool {
        matches!(self.status(id).await, IntentStatus::Final { .. })
    }

    /// How often each calldata ran on the canonical chain.
    async fn executions(&self) -> BTreeMap<String, usize> {
        let head = self.chain.block(BlockTag::Latest).await.unwrap().unwrap();
        let mut counts = BTreeMap::new();
        for log in self.chain.logs_in_range(HUB, 0, head.number).await.unwrap() {
            *counts.entry(String::from_utf8(log.data.to_vec()).unwrap()).or_default() += 1;
        }
        counts
    }

    /// Someone else sends with our key.
    async fn intrude(&self, nonce: u64) -> Result<B256, ChainError> {
        let fees = Fees { max: 100 * PRIORITY_FEE, priority: 50 * PRIORITY_FEE };
        let draft = Draft { chain_id: 7, nonce, gas: 21_000, fees, signed_at: 0 };
        let intent = Intent { to: Address::repeat_byte(0x99), data: Bytes::new(), gas: None };
        let attempt = draft.sign(&intent, &signer()).unwrap();
        self.chain.endpoint().send_raw(attempt.raw(7, &intent).unwrap()).await
    }
}

fn losing() -> Faults {
    Faults { loses_transactions: true, ..Faults::default() }
}

#[tokio::test]
async fn an_intent_goes_all_the_way_once() {
    let service = Arc::new(Service::new());
    assert_eq!(service.submitter.status("a").await.unwrap(), None);
    service.intend("a");
    assert_eq!(service.status("a").await, IntentStatus::Queued);
    let driven = Arc::clone(&service);
    tokio::spawn(async move { driven.drive().await }).await.unwrap();
    let (hashes, nonce) = service.sent("a").await;
    assert_eq!((service.chain.pool(), nonce), (hashes.clone(), 0));
    service.mine_and_drive(1).await;
    let IntentStatus::Mined { receipt } = service.status("a").await else { panic!("not mined") };
    assert!(receipt.success && hashes.contains(&receipt.tx_hash));
    service.mine_and_drive(FINAL_DEPTH).await;
    assert_eq!(service.status("a").await, IntentStatus::Final { receipt });
    service.intend("a");
    service.mine_and_drive(3).await;
    assert_eq!(service.executions().await, BTreeMap::from([("a".to_owned(), 1)]));
    assert_eq!(service.store.last(TABLES.queued).unwrap(), None);
    assert_eq!(service.submitter.retry("a").await.unwrap(), vec![], "what succeeded is not done again");
    let changes = service.submitter.forget("a").await.unwrap();
    service.store.write(changes).unwrap();
    assert_eq!(service.submitter.status("a").await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_sent_before_it_is_stored() {
    let service = Service::new();
    service.intend("a");
    service.store.full.store(true, Ordering::Relaxed);
    assert!(matches!(service.submitter.drive().await, Err(SubmitError::Store(_))));
    assert!(service.chain.pool().is_empty());
    service.store.full.store(false, Ordering::Relaxed);
    service.drive().await;
    assert_eq!(service.chain.pool().len(), 1);
}

#[tokio::test]
async fn after_a_crash_between_store_and_broadcast_the_same_bytes_go_out() {
    let mut service = Service::new();
    service.intend("a");
    service.chain.set_faults(losing());
    service.drive().await;
    let (hashes, _) = service.sent("a").await;
    assert!(service.chain.pool().is_empty());
    service.chain.set_faults(Faults::default());
    service.restart();
    service.drive().await;
    assert_eq!((service.chain.pool(), hashes.len()), (hashes, 1));
}

#[tokio::test]
async fn lost_bytes_go_out_again_even_where_no_block_comes() {
    let service = Service::new();
    service.intend("a");
    service.drive().await;
    assert_eq!(service.chain.drop_pool(), 1);
    service.drive().await;
    assert!(service.chain.pool().is_empty(), "not at once");
    service.clock.advance(Duration::from_millis(REPEAT_AFTER_MS));
    service.drive().await;
    assert_eq!(service.chain.pool(), service.sent("a").await.0);
}

#[tokio::test]
async fn a_transaction_that_no_block_takes_is_replaced_by_a_dearer_one() {
    let service = Service::new();
    service.intend("a");
    service.drive().await;
    service.chain.set_base_fee(20 * PRIORITY_FEE);
    service.mine_and_drive(1).await;
    assert_eq!(service.sent("a").await.0.len(), 1, "the first block was being built already");
    service.mine_and_drive(1).await;
    let (hashes, nonce) = service.sent("a").await;
    assert_eq!((hashes.len(), nonce), (2, 0));
    assert_eq!(service.chain.pool(), hashes[1..], "the node took the replacement");
    service.mine_and_drive(1 + FINAL_DEPTH).await;
    assert!(service.is_final("a").await);
}

#[tokio::test]
async fn a_replaced_transaction_may_still_be_the_one_mined() {
    let service = Service::new();
    service.chain.set_base_fee(PRIORITY_FEE);
    service.intend("a");
    service.drive().await;
    service.chain.set_base_fee(20 * PRIORITY_FEE);
    service.chain.mine();
    service.chain.mine();
    service.chain.set_faults(losing());
    service.drive().await;
    let (hashes, _) = service.sent("a").await;
    assert_eq!((hashes.len(), service.chain.pool()), (2, hashes[..1].to_vec()));
    service.chain.set_base_fee(PRIORITY_FEE);
    service.mine_and_drive(1 + FINAL_DEPTH).await;
    let IntentStatus::Final { receipt } = service.status("a").await else { panic!("not final") };
    assert_eq!(receipt.tx_hash, hashes[0]);
}

#[tokio::test]
async fn no_fee_rises_above_the_cap_and_an_evicted_transaction_goes_out_as_it_is() {
    let mut service = Service::new();
    service.config.max_fee_per_gas = 4 * PRIORITY_FEE;
    service.restart();
    service.intend("a");
    service.drive().await;
    service.chain.set_base_fee(20 * PRIORITY_FEE);
    service.mine_and_drive(8).await;
    let (hashes, _) = service.sent("a").await;
    assert_eq!(hashes.len(), 2, "3 gwei, 4 gwei, and no more");
    service.chain.drop_pool();
    service.mine_and_drive(REPEAT_AFTER_BLOCKS).await;
    assert_eq!(service.chain.pool(), hashes[1..]);
    service.intend("b");
    let error = service.submitter.drive().await.unwrap_err();
    assert!(matches!(error, SubmitError::FeeCap { .. }) && error.is_retryable());
    assert_eq!(service.status("b").await, IntentStatus::Queued);
    service.chain.set_base_fee(PRIORITY_FEE);
    service.mine_and_drive(2 + FINAL_DEPTH).await;
    assert!(service.is_final("a").await && service.is_final("b").await);
}

#[tokio::test]
async fn a_mined_transaction_that_a_reorg_drops_goes_out_again() {
    let service = Service::new();
    service.chain.mine_many(5);
    service.intend("a");
    service.drive().await;
    let (hashes, _) = service.sent("a").await;
    service.mine_and_drive(2).await;
    assert!(matches!(service.status("a").await, IntentStatus::Mined { .. }));
    service.chain.reorg(2);
    service.chain.mine_many(3);
    assert!(service.chain.pool().is_empty());
    service.drive().await;
    assert_eq!(service.sent("a").await.0, hashes);
    assert_eq!(service.chain.pool(), hashes, "the same bytes, at once");
    service.mine_and_drive(1 + FINAL_DEPTH).await;
    assert!(service.is_final("a").await);
    assert_eq!(service.executions().await["a"], 1);
}

#[tokio::test]
async fn a_lagging_endpoint_makes_no_reorg() {
    let service = Service::new();
    service.intend("a");
    service.drive().await;
    service.mine_and_drive(2).await;
    let mined = service.status("a").await;
    service.chain.set_faults(Faults { lag: 2, ..Faults::default() });
    service.drive().await;
    assert_eq!((service.status("a").await, service.chain.pool().len()), (mined, 0));
}

#[tokio::test]
async fn a_nonce_that_someone_else_used_is_given_up_only_when_that_is_final() {
    let service = Service::new();
    service.intend("a");
    service.chain.set_faults(losing());
    service.drive().await;
    service.intrude(0).await.unwrap();
    service.chain.set_faults(Faults::default());
    service.mine_and_drive(FINAL_DEPTH).await;
    let (hashes, nonce) = service.sent("a").await;
    assert_eq!((hashes.len(), nonce), (1, 0), "its block may still be replaced");
    service.mine_and_drive(1).await;
    let (both, nonce) = service.sent("a").await;
    assert_eq!((both.len(), nonce, both[0]), (2, 1, hashes[0]));
    service.mine_and_drive(1 + FINAL_DEPTH).await;
    assert!(service.is_final("a").await);
}

#[tokio::test]
async fn a_nonce_used_again_on_another_fork_is_given_up_only_when_that_one_is_final() {
    let service = Service::new();
    service.chain.mine_many(FINAL_DEPTH);
    service.intend("a");
    service.chain.set_faults(losing());
    service.drive().await;
    service.intrude(0).await.unwrap();
    service.chain.set_faults(Faults::default());
    service.mine_and_drive(1).await;
    service.chain.reorg(1);
    service.chain.mine_many(3);
    service.intrude(0).await.unwrap();
    service.mine_and_drive(2).await;
    assert_eq!(
        service.sent("a").await.0.len(),
        1,
        "final is the height where it was seen first, not its new block"
    );
    service.mine_and_drive(3 * FINAL_DEPTH).await;
    assert!(service.is_final("a").await);
}

#[tokio::test]
async fn nothing_is_given_up_while_the_receipts_cannot_be_read() {
    let service = Service::new();
    service.intend("a");
    service.drive().await;
    service.chain.set_faults(Faults { no_receipts: true, ..Faults::default() });
    for _ in 0..2 * FINAL_DEPTH + 2 {
        service.chain.mine();
        assert!(matches!(service.submitter.drive().await, Err(SubmitError::Chain(ChainError::Timeout(_)))));
    }
    assert_eq!(service.sent("a").await.0.len(), 1);
    service.chain.set_faults(Faults::default());
    service.drive().await;
    assert!(service.is_final("a").await);
    assert_eq!(service.executions().await["a"], 1);
}

#[tokio::test]
async fn a_call_that_reverts_is_refused_and_can_be_tried_again() {
    let service = Service::new();
    service.chain.set_contracts(|_| Err(Bytes::from_static(&[0xbb])));
    service.intend("a");
    service.drive().await;
    assert_eq!(service.status("a").await, IntentStatus::Refused { data: Bytes::from_static(&[0xbb]) });
    assert!(service.chain.pool().is_empty());
    service.chain.set_contracts(|_| Ok(Execution::default()));
    service.mine_and_drive(1).await;
    assert!(matches!(service.status("a").await, IntentStatus::Refused { .. }));
    let changes = service.submitter.retry("a").await.unwrap();
    service.store.write(changes).unwrap();
    service.drive().await;
    assert_eq!(service.sent("a").await.1, 0);
    assert_eq!(service.submitter.retry("a").await.unwrap(), vec![], "only what was refused");
    assert_eq!(service.submitter.forget("a").await.unwrap(), vec![], "only what is decided");
}

#[tokio::test]
async fn a_mined_revert_is_decided_when_it_is_final() {
    let service = Service::new();
    service.intend("a");
    service.drive().await;
    service.chain.set_contracts(|_| Err(Bytes::new()));
    service.mine_and_drive(1).await;
    let IntentStatus::Mined { receipt } = service.status("a").await else { panic!("not mined") };
    assert!(!receipt.success);
    service.mine_and_drive(FINAL_DEPTH).await;
    assert_eq!(service.status("a").await, IntentStatus::Reverted { receipt });
}

#[tokio::test]
async fn a_call_that_needs_too_much_gas_is_not_sent() {
    let service = Service::new();
    service.chain.set_gas(service.config.max_gas + 1);
    service.intend("a");
    service.drive().await;
    let maximum = service.config.max_gas;
    assert_eq!(service.status("a").await, IntentStatus::TooMuchGas { needed: maximum + 1, maximum });
    service.chain.set_gas(maximum);
    let changes = service.submitter.retry("a").await.unwrap();
    service.store.write(changes).unwrap();
    service.drive().await;
    service.sent("a").await;
}

/// Random histories of reorgs, losses, intruders, fee jumps and restarts: every intent runs exactly once.
#[tokio::test]
async fn any_history_runs_every_intent_exactly_once() {
    for seed in 1..=120_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let mut service = Service::new();
        let mut highest_final = 0;
        let mut ids = Vec::new();
        for step in 0..80 {
            let truth = service.chain.endpoint();
            let head = truth.block(BlockTag::Latest).await.unwrap().unwrap().number;
            highest_final = highest_final.max(head.saturating_sub(FINAL_DEPTH));
            match draw(12) {
                0 => service.restart(),
                1 => service.chain.reorg(draw(head - highest_final + 1) as usize),
                2 => drop(service.chain.drop_pool()),
                3 => service.chain.set_faults(match draw(4) {
                    0 => losing(),
                    1 => Faults { lag: draw(8), ..Faults::default() },
                    2 => Faults { no_receipts: true, ..Faults::default() },
                    _ => Faults::default(),
                }),
                4 => service.chain.set_base_fee((1 + draw(30)) * PRIORITY_FEE),
                5 => {
                    let next = truth.nonce(signer().address(), BlockTag::Latest).await.unwrap();
                    // It may be refused: ours can be the dearer one.
                    drop(service.intrude(next).await);
                }
                6 | 7 => {
                    let id = format!("{step:02}");
                    service.intend(&id);
                    ids.push(id);
                }
                8 | 9 => drop(service.chain.mine()),
                // It may fail for want of receipts.
                _ => drop(service.submitter.drive().await),
            }
        }
        service.chain.set_faults(Faults::default());
        service.chain.set_base_fee(PRIORITY_FEE);
        service.mine_and_drive(60).await;
        for id in &ids {
            assert!(service.is_final(id).await, "seed {seed}, {id}: {:?}", service.status(id).await);
        }
        assert_eq!(service.executions().await, ids.into_iter().map(|id| (id, 1)).collect(), "seed {seed}");
    }
}
