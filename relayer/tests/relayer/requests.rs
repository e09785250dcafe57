//! Requests: from a spoke's queue to the hub's, each once and in order, whatever happens on the way.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy::primitives::Address;
use hypha_chain::ports::{BlockTag, Chain, Change, Row, Store};
use hypha_chain::{MemoryStore, StoreError};
use hypha_relayer::{RelayConfig, Relayer, RequestsStatus};
use tokio_util::sync::CancellationToken;

use crate::world::Manner::*;
use crate::world::*;
use crate::{Running, WELL, confirmed};

async fn requests(relayer: &Relayer, id: u64) -> RequestsStatus {
    spoke(relayer, id).await.requests
}

/// Requests of a spoke in a relayer's store.
fn stored(store: &MemoryStore, id: u64) -> usize {
    let table = if id == VERIFYING { "requests_31338" } else { "requests_31339" };
    store.scan(table, &[], 1_000).unwrap().len()
}

/// Transactions on the hub of this account.
async fn sent(world: &World, account: Address) -> u64 {
    world.chains[&HUB].endpoint().nonce(account, BlockTag::Latest).await.unwrap()
}

fn numbers(world: &World, id: u64) -> Vec<u64> {
    let all = world.model(HUB).enqueuings.into_iter();
    all.filter(|(chain, _)| *chain == id).map(|(_, number)| number).collect()
}

async fn enqueued(world: &World, id: u64, number: u64) {
    eventually("the hub has the request", async || world.model(HUB).enqueued.get(&id) == Some(&number)).await;
}

/// Waits until the status says that all is done.
async fn at_rest(relayer: &Relayer, id: u64, number: u64) {
    eventually("the requests are at rest", async || {
        let (status, spoke) = (requests(relayer, id).await, spoke(relayer, id).await);
        let RequestsStatus { enqueued_number, waiting, last_error } = status;
        (enqueued_number, waiting, last_error) == (number.to_string(), 0, None) && spoke.pending.is_empty()
    })
    .await;
}

#[tokio::test]
async fn requests_of_verifying_and_attested_spokes_reach_the_hub_once_and_in_order() {
    let stop = CancellationToken::new();
    let world = World::start(&[Late, Honest, LiesAboutValue, Honest, Honest], &stop);
    let store = Arc::new(MemoryStore::new());
    (1..=3).for_each(|number| world.queue(VERIFYING, number));
    let running = Running::over(&world, store.clone(), RelayConfig::default());
    (1..=2).for_each(|number| world.queue(ATTESTED, number));
    enqueued(&world, VERIFYING, 3).await;
    enqueued(&world, ATTESTED, 2).await;
    world.queue(VERIFYING, 4);
    enqueued(&world, VERIFYING, 4).await;
    assert_eq!((numbers(&world, VERIFYING), numbers(&world, ATTESTED)), (vec![1, 2, 3, 4], vec![1, 2]));
    at_rest(&running.relayer, VERIFYING, 4).await;
    at_rest(&running.relayer, ATTESTED, 2).await;
    eventually("what the hub has for good is dropped", async || {
        stored(&store, VERIFYING) + stored(&store, ATTESTED) == 0
    })
    .await;
    assert_eq!(sent(&world, key(200).address()).await, 6);
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn requests_wait_for_attestors_that_lag() {
    let stop = CancellationToken::new();
    let world = World::start(&[Late; 3], &stop);
    let running = Running::start(&world, RelayConfig::default());
    (1..=2).for_each(|number| world.queue(VERIFYING, number));
    eventually("the requests are seen to wait", async || {
        let status = serde_json::to_value(running.relayer.status().await.unwrap()).unwrap();
        let requests = &status["spokes"][0]["requests"];
        let error = requests["lastError"].as_str().unwrap_or_default();
        requests["waiting"] == 2
            && requests["enqueuedNumber"] == "0"
            && error.contains("0 of 3 attestations (3 attestors do not know the fact yet")
    })
    .await;
    assert_eq!(spoke(&running.relayer, VERIFYING).await.last_error, None);
    assert!(numbers(&world, VERIFYING).is_empty());
    *world.manners.lock().unwrap() = WELL.to_vec();
    enqueued(&world, VERIFYING, 2).await;
    at_rest(&running.relayer, VERIFYING, 2).await;
    assert_eq!(sent(&world, key(200).address()).await, 2);
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn what_another_relayer_carried_is_not_carried_again() {
    let stop = CancellationToken::new();
    let world = World::start(&[Late; 3], &stop);
    (1..=3).for_each(|number| world.queue(VERIFYING, number));
    let running = Running::start(&world, RelayConfig::default());
    eventually("all are seen", async || requests(&running.relayer, VERIFYING).await.waiting == 3).await;
    (1..=2).for_each(|number| world.enqueue(VERIFYING, number));
    eventually("the last waits", async || requests(&running.relayer, VERIFYING).await.waiting == 1).await;
    *world.manners.lock().unwrap() = WELL.to_vec();
    enqueued(&world, VERIFYING, 3).await;
    at_rest(&running.relayer, VERIFYING, 3).await;
    running.stop().await;
    // After a restart over no store too, the hub is asked first.
    let running = Running::start(&world, RelayConfig::default());
    at_rest(&running.relayer, VERIFYING, 3).await;
    assert_eq!(sent(&world, key(200).address()).await, 1);
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn what_another_relayer_carried_while_signatures_were_gathered_is_not_sent() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    *world.overtaking.lock().unwrap() = Some((VERIFYING, 1));
    (1..=2).for_each(|number| world.queue(VERIFYING, number));
    let running = Running::start(&world, RelayConfig::default());
    enqueued(&world, VERIFYING, 2).await;
    at_rest(&running.relayer, VERIFYING, 2).await;
    assert_eq!(sent(&world, key(200).address()).await, 1);
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn two_relayers_at_once_do_no_harm() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    let start = |signer| {
        Running::of(world.relayer_of(&key(signer), Arc::new(MemoryStore::new()), RelayConfig::default()))
    };
    let both = [start(200), start(201)];
    for number in 1..=5 {
        world.queue(VERIFYING, number);
        world.queue(ATTESTED, number);
    }
    for id in [VERIFYING, ATTESTED] {
        enqueued(&world, id, 5).await;
        assert_eq!(numbers(&world, id), [1, 2, 3, 4, 5]);
        for running in &both {
            at_rest(&running.relayer, id, 5).await;
        }
    }
    for running in both {
        running.stop().await;
    }
    stop.cancel();
}

#[tokio::test]
async fn requests_that_the_hub_refuses_hold_up_no_confirmation() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.change(HUB, |model| model.forgets_spokes = true);
    world.queue(VERIFYING, 1);
    world.accept(2);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the contract's reason is named", async || {
        let error = requests(&running.relayer, VERIFYING).await.last_error.unwrap_or_default();
        error.contains("enqueue/31338/0000000001: UnknownSpoke { chainId: 31338 }")
    })
    .await;
    confirmed(&world, 2).await;
    assert!(numbers(&world, VERIFYING).is_empty());
    world.change(HUB, |model| model.forgets_spokes = false);
    enqueued(&world, VERIFYING, 1).await;
    at_rest(&running.relayer, VERIFYING, 1).await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_frozen_spokes_requests_still_reach_the_hub() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.change(VERIFYING, |model| model.frozen_at = 1);
    world.accept(1);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the freeze is named", async || {
        spoke(&running.relayer, VERIFYING)
            .await
            .last_error
            .unwrap_or_default()
            .contains("frozen from index 1")
    })
    .await;
    world.queue(VERIFYING, 1);
    enqueued(&world, VERIFYING, 1).await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_request_that_was_not_read_is_named() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    // As where the configured first block is above that of the first two.
    world.queue(VERIFYING, 3);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the gap is named", async || {
        let status = requests(&running.relayer, VERIFYING).await;
        let error = status.last_error.unwrap_or_default();
        status.waiting == 1 && error.contains("request 1 of chain 31338 was not read")
    })
    .await;
    (1..=2).for_each(|number| world.enqueue(VERIFYING, number));
    enqueued(&world, VERIFYING, 3).await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_request_that_a_reorg_takes_back_from_the_hub_is_there_again() {
    let world = Arc::new(World::still(&WELL));
    let store = Arc::new(MemoryStore::new());
    world.queue(VERIFYING, 1);
    world.mine().await;
    world.mine().await;
    let running = Running::over(&world, store.clone(), RelayConfig::default());
    eventually("it is sent", async || !world.chains[&HUB].pool().is_empty()).await;
    world.mine().await;
    at_rest(&running.relayer, VERIFYING, 1).await;
    assert_eq!(stored(&store, VERIFYING), 1, "the hub has it, but not for good");
    world.chains[&HUB].reorg(1);
    world.change(HUB, |model| (model.enqueued, model.enqueuings) = Default::default());
    eventually("it waits again", async || requests(&running.relayer, VERIFYING).await.waiting == 1).await;
    eventually("it is there again, for good", async || {
        world.mine().await;
        stored(&store, VERIFYING) == 0
    })
    .await;
    assert_eq!(numbers(&world, VERIFYING), [1]);
    assert_eq!(sent(&world, key(200).address()).await, 1);
    running.stop().await;
}

/// A disk under which the process dies at one of its writes. Writes that only move a position do not count.
struct Deadly {
    disk: Arc<MemoryStore>,
    left: Mutex<u64>,
    /// Whether the write at which it dies is still made.
    lands: bool,
    dead: AtomicBool,
}

impl Store for Deadly {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.get(table, key)
    }

    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.disk.scan(table, from, limit)
    }

    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError> {
        self.disk.last(table)
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let died = || StoreError::Failed("the process died".into());
        let mut left = self.left.lock().unwrap();
        if self.dead.load(Ordering::SeqCst) {
            return Err(died());
        }
        let moves_only = changes.iter().all(|change| match change {
            Change::Put { table, .. } | Change::Delete { table, .. } => table.starts_with("positions"),
        });
        if moves_only || *left > 0 {
            *left -= u64::from(!moves_only);
            return self.disk.write(changes);
        }
        if self.lands {
            self.disk.write(changes)?;
        }
        self.dead.store(true, Ordering::SeqCst);
        Err(died())
    }
}

/// Two requests carried by a relayer that dies at its write after so many, and by its successor; whether it died at all.
async fn carried_through_a_kill(after: u64, lands: bool) -> bool {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    (1..=2).for_each(|number| world.queue(VERIFYING, number));
    let disk = Arc::new(MemoryStore::new());
    let settled = || numbers(&world, VERIFYING).len() == 2 && stored(&disk, VERIFYING) == 0;
    let deadly =
        Arc::new(Deadly { disk: disk.clone(), left: Mutex::new(after), lands, dead: AtomicBool::new(false) });
    let Running { work, .. } = Running::over(&world, deadly.clone(), RelayConfig::default());
    eventually("it is done or dead", async || deadly.dead.load(Ordering::SeqCst) || settled()).await;
    work.abort();
    drop(work.await);
    let running = Running::over(&world, disk.clone(), RelayConfig::default());
    eventually("the requests are with the hub for good", async || settled()).await;
    at_rest(&running.relayer, VERIFYING, 2).await;
    assert_eq!(numbers(&world, VERIFYING), [1, 2], "after {after} writes");
    assert_eq!(sent(&world, key(200).address()).await, 2, "after {after} writes");
    running.stop().await;
    stop.cancel();
    deadly.dead.load(Ordering::SeqCst)
}

#[tokio::test]
async fn requests_come_through_a_kill_at_every_write() {
    for lands in [false, true] {
        let mut deaths = 0;
        while carried_through_a_kill(deaths, lands).await {
            deaths += 1;
        }
        // Three chains are known, requests stored, and each is taken up, sent, mined, done with, final and dropped.
        assert!(deaths >= 10, "only {deaths} writes");
    }
}
