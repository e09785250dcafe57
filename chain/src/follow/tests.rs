use super::*;
use crate::memory_store::MemoryStore;
use crate::simulated::{Faults, SimulatedChain};

const HUB: Address = Address::repeat_byte(0x11);
const OTHER: Address = Address::repeat_byte(0x22);
const FINAL_DEPTH: u64 = 8;

/// What a service makes of the steps: the logs it believes in, written with the cursor in one transaction.
struct Service {
    chain: SimulatedChain,
    store: Arc<MemoryStore>,
    config: FollowConfig,
    believed: Vec<(Block, Vec<Log>)>,
}

impl Service {
    fn new(finality: Finality) -> Self {
        let config =
            FollowConfig { address: HUB, start_block: 1, finality, table: "window", max_blocks_per_step: 10 };
        let chain = SimulatedChain::new(7, FINAL_DEPTH);
        Self { chain, store: Arc::new(MemoryStore::new()), config, believed: Vec::new() }
    }

    /// Always a new follower: each step is one after a restart.
    fn follower(&self) -> Follower {
        let store: Arc<dyn Store> = self.store.clone();
        Follower::new(Arc::new(self.chain.clone()), store, self.config)
    }

    fn emit(&self, byte: u8) {
        self.chain.emit(HUB, vec![B256::ZERO], vec![byte]);
        self.chain.emit(OTHER, vec![B256::ZERO], vec![byte]);
        self.chain.mine();
    }

    fn apply(&mut self, step: Step) {
        for gone in &step.removed {
            let (block, _) = self.believed.pop().expect("what is removed was added");
            assert_eq!(block, *gone);
        }
        self.believed.extend(step.added);
        self.store.write(step.cursor).unwrap();
    }

    /// Steps until there is nothing new.
    async fn catch_up(&mut self) -> Result<usize, FollowError> {
        let mut steps = 0;
        while let Some(step) = self.follower().next().await? {
            self.apply(step);
            steps += 1;
        }
        Ok(steps)
    }

    /// Reads until a planned reorg is over.
    async fn let_reorg_happen(&self) {
        for _ in 0..=12 {
            self.chain.block(BlockTag::Latest).await.unwrap();
        }
    }

    fn believed_bytes(&self) -> Vec<u8> {
        self.believed.iter().flat_map(|(_, logs)| logs.iter().map(|log| log.data[0])).collect()
    }
}

#[tokio::test]
async fn final_logs_come_once_in_order_and_in_long_stretches() {
    let mut service = Service::new(Finality::Finalized);
    for byte in 0..30 {
        service.emit(byte);
        service.chain.mine();
    }
    let steps = service.catch_up().await.unwrap();
    assert_eq!(steps, 1 + 6, "the anchor, then 52 final blocks in tens");
    assert_eq!(service.believed_bytes(), (0..26).collect::<Vec<_>>());
    assert_eq!(service.follower().position().await.unwrap().unwrap().number, 52);
    service.chain.mine_many(FINAL_DEPTH);
    service.catch_up().await.unwrap();
    assert_eq!(service.believed_bytes(), (0..30).collect::<Vec<_>>());
    assert!(service.believed.iter().all(|(block, logs)| logs.iter().all(|log| log.block_hash == block.hash)));
}

#[tokio::test]
async fn a_step_comes_again_until_its_cursor_is_written() {
    let service = Service::new(Finality::Confirmations(0));
    service.emit(1);
    let first = service.follower().next().await.unwrap().unwrap();
    assert_eq!(service.follower().next().await.unwrap().unwrap(), first);
    assert_eq!(service.follower().position().await.unwrap(), None);
    service.store.write(first.cursor).unwrap();
    assert_ne!(service.follower().next().await.unwrap().unwrap().position, first.position);
}

#[tokio::test]
async fn a_reorg_takes_back_the_newest_first_and_adds_the_other_fork() {
    let mut service = Service::new(Finality::Confirmations(0));
    (1..=4).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    let before = service.believed.clone();
    service.chain.reorg(3);
    (12..=15).for_each(|byte| service.emit(byte));
    let step = service.follower().next().await.unwrap().unwrap();
    let removed: Vec<Block> = before[1..].iter().rev().map(|(block, _)| block.clone()).collect();
    assert_eq!((step.removed.clone(), step.added.is_empty()), (removed, true));
    assert_eq!(step.position, before[0].0);
    service.catch_up().await.unwrap();
    assert_eq!(service.believed_bytes(), vec![1, 12, 13, 14, 15]);
}

#[tokio::test]
async fn a_replaced_block_at_the_same_height_is_noticed() {
    let mut service = Service::new(Finality::Confirmations(0));
    service.emit(1);
    service.catch_up().await.unwrap();
    service.chain.reorg(1);
    service.emit(2);
    service.catch_up().await.unwrap();
    assert_eq!(service.believed_bytes(), vec![2]);
}

#[tokio::test]
async fn confirmations_hold_back_the_newest_blocks() {
    let mut service = Service::new(Finality::Confirmations(2));
    (1..=4).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    assert_eq!(service.believed_bytes(), vec![1, 2]);
}

#[tokio::test]
async fn a_lagging_endpoint_is_waited_for_and_takes_nothing_back() {
    let mut service = Service::new(Finality::Confirmations(0));
    (1..=4).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    service.chain.set_faults(Faults { lag: 3, ..Faults::default() });
    assert_eq!(service.follower().next().await.unwrap(), None);
}

#[tokio::test]
async fn a_shorter_fork_takes_back_what_it_contradicts() {
    let mut service = Service::new(Finality::Confirmations(0));
    (1..=5).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    service.chain.reorg(4);
    service.emit(9);
    service.catch_up().await.unwrap();
    assert_eq!(service.believed_bytes(), vec![1, 9]);
}

#[tokio::test]
async fn a_replaced_final_block_stops_the_follower() {
    let mut service = Service::new(Finality::Finalized);
    (0..20).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    service.chain.reorg(15);
    service.chain.mine_many(20);
    let error = service.follower().next().await.unwrap_err();
    assert!(matches!(error, FollowError::FinalityBroken { number: 12, .. }), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_reorg_below_the_window_stops_the_follower() {
    let mut service = Service::new(Finality::Confirmations(0));
    for byte in 0..=255 {
        service.emit(byte);
    }
    (0..10).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    assert_eq!(service.store.scan("window", &[], 1_000).unwrap().len(), MAX_WINDOW);
    service.chain.reorg(MAX_WINDOW - 1);
    service.chain.mine_many(300);
    let step = service.follower().next().await.unwrap().unwrap();
    assert_eq!(step.removed.len(), MAX_WINDOW - 1, "as deep as the window");
    service.chain.reorg(302);
    service.chain.mine_many(302);
    assert!(matches!(service.follower().next().await, Err(FollowError::TooDeep(_))));
}

#[tokio::test]
async fn a_range_that_is_too_large_is_halved() {
    let mut service = Service::new(Finality::Finalized);
    (0..40).for_each(|byte| service.emit(byte));
    service.chain.set_faults(Faults { max_range: 3, ..Faults::default() });
    assert_eq!(service.catch_up().await.unwrap(), 1 + 16, "32 blocks in pairs");
    assert_eq!(service.believed_bytes(), (0..32).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_before_the_start_block_is_given() {
    let mut service = Service::new(Finality::Confirmations(0));
    service.config.start_block = 4;
    (1..=2).for_each(|byte| service.emit(byte));
    assert_eq!(service.follower().next().await.unwrap(), None, "the chain has not come that far");
    (3..=6).for_each(|byte| service.emit(byte));
    service.catch_up().await.unwrap();
    assert_eq!(service.believed_bytes(), vec![4, 5, 6]);
}

#[tokio::test]
async fn a_reorg_between_the_reads_of_a_step_is_noticed() {
    for reads in 0..12 {
        let mut service = Service::new(Finality::Confirmations(0));
        (1..=4).for_each(|byte| service.emit(byte));
        service.catch_up().await.unwrap();
        (5..=7).for_each(|byte| service.emit(byte));
        service.chain.reorg_later(reads, 5, 6);
        let mut errors = 0;
        while let Err(error) = service.catch_up().await {
            assert!(error.is_retryable(), "{error}");
            errors += 1;
        }
        assert!(errors <= 1, "one reorg, one disturbed step");
        service.let_reorg_happen().await;
        service.catch_up().await.unwrap();
        assert_eq!(service.believed_bytes(), vec![1, 2], "after {reads} reads");
    }
}

#[tokio::test]
async fn a_final_block_that_moves_between_the_reads_of_a_step_is_not_given() {
    let mut service = Service::new(Finality::Finalized);
    service.store.write(service.follower().next().await.unwrap().unwrap().cursor).unwrap();
    (1..=20).for_each(|byte| service.emit(byte));
    // The head, the tip, the range: then the first block that holds logs.
    service.chain.reorg_later(3, 20, 20);
    let error = service.follower().next().await.unwrap_err();
    assert!(matches!(error, FollowError::Moved(1)), "{error}");
    assert_eq!(service.catch_up().await.unwrap(), 2);
    assert!(service.believed.is_empty());
}

/// Random histories: after each the service believes exactly what the canonical chain holds.
#[tokio::test]
async fn any_history_ends_in_the_canonical_logs() {
    for seed in 1..=150_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let mut service = Service::new(Finality::Confirmations(draw(3)));
        service.config.max_blocks_per_step = 1 + draw(5);
        for byte in 0..40 {
            match draw(6) {
                0 => service.chain.mine_many(draw(12)),
                1 => {
                    let height = service.chain.block(BlockTag::Latest).await.unwrap().unwrap().number;
                    let depth = draw(FINAL_DEPTH.min(height) + 1) as usize;
                    service.chain.reorg_later(draw(12), depth, draw(9));
                }
                2 | 3 => service.emit(byte),
                _ => match service.follower().next().await {
                    Ok(Some(step)) => service.apply(step),
                    Ok(None) => {}
                    Err(error) => assert!(error.is_retryable(), "seed {seed}: {error}"),
                },
            }
        }
        service.let_reorg_happen().await;
        service.chain.mine_many(2 * FINAL_DEPTH);
        while let Err(error) = service.catch_up().await {
            assert!(error.is_retryable(), "seed {seed}: {error}");
        }
        let height = service.chain.block(BlockTag::Latest).await.unwrap().unwrap().number;
        let canonical = service.chain.logs_in_range(HUB, 1, height).await.unwrap();
        let believed: Vec<Log> = service.believed.iter().flat_map(|(_, logs)| logs.clone()).collect();
        assert_eq!(believed, canonical, "seed {seed}");
    }
}
