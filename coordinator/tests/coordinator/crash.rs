//! A power cut after every write, and a disk that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::StatusCode;
use hypha_chain::ports::{Change, Row, Store};
use hypha_chain::{MemoryStore, StoreError};

use super::snapshots::{eager, until_snapshot};
use super::world::*;

/// A store that takes only so many more writes: the power is cut after the last.
pub(crate) struct Mortal {
    disk: Arc<MemoryStore>,
    writes: i64,
    writes_left: AtomicI64,
    counts: fn(&[Change]) -> bool,
}

impl Mortal {
    pub(crate) fn new(disk: Arc<MemoryStore>, writes: i64) -> Self {
        Self::counting(disk, writes, |_| true)
    }

    /// Only writes like these bring the end nearer.
    pub(crate) fn counting(disk: Arc<MemoryStore>, writes: i64, counts: fn(&[Change]) -> bool) -> Self {
        Self { disk, writes, writes_left: AtomicI64::new(writes), counts }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.writes_left.load(Ordering::SeqCst) < 0
    }

    /// The power is cut at the next write that counts.
    pub(crate) fn cut_at_next(&self) {
        self.writes_left.store(0, Ordering::SeqCst);
    }

    /// How many writes were counted.
    pub(crate) fn used(&self) -> i64 {
        self.writes - self.writes_left.load(Ordering::SeqCst)
    }
}

impl Store for Mortal {
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
        let dead = self.is_dead();
        if dead || ((self.counts)(&changes) && self.writes_left.fetch_sub(1, Ordering::SeqCst) <= 0) {
            return Err(StoreError::Failed("power cut".to_owned()));
        }
        self.disk.write(changes)
    }
}

pub(crate) const ENDLESS: i64 = i64::MAX;

/// Writes that the journey below takes at least; with this many power cuts every stage is cut before and after each write.
const LEAST_WRITES: i64 = 20;

/// Issues a note and moves it, with a snapshot in between, over a store that dies after `writes` writes and then lives on. Gives
/// how many writes the whole took, and the root.
async fn journey(writes: i64) -> (i64, String) {
    let disk = Arc::new(MemoryStore::new());
    let first = note("alice", SPOKE_ID, 100, 1);
    let spend =
        transfer(&[first.clone()], &[output("bob", HUB_ID, 60), output("alice", SPOKE_ID, 40)], &["alice"]);
    let operations = [issue(&first), spend];
    let mortal = Arc::new(Mortal::new(disk.clone(), writes));
    let mut world = eager(mortal.clone());
    if let Ok(running) = world.try_start().await {
        for operation in &operations {
            running.submit(operation).await;
            let path = format!("/v1/transfers/{}", operation.id());
            eventually("dead or done", async || {
                world.turn().await;
                mortal.is_dead() || running.get(&path).await.1["status"] == "finalized"
            })
            .await;
        }
        running.stop().await.ok();
    }
    let used = mortal.used();
    world.store = disk;
    let running = world.start().await;
    let mut root = String::new();
    for operation in &operations {
        let id = running.accept(operation).await;
        root = world.until(&running, &id, "finalized").await["root"].as_str().unwrap().to_owned();
    }
    assert_eq!(world.taken().await.len(), 2, "each batch is on the hub once");
    let (_, page) = running.get("/v1/resources?unspent=true").await;
    assert_eq!(page["resources"].as_array().map(Vec::len), Some(2));
    until_snapshot(&world, &running, 1).await;
    running.stop().await.unwrap();

    let running = world.start().await;
    let reopened = running.service.context().ledger.state().head().root.to_string();
    assert_eq!(reopened, root, "from the snapshot");
    running.stop().await.unwrap();
    (used, root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_after_any_write_loses_nothing_and_repeats_nothing() {
    let (writes, expected) = journey(ENDLESS).await;
    assert!(writes > LEAST_WRITES, "{writes} writes are not the whole journey");
    for cut in 0..LEAST_WRITES.max(writes.min(60)) {
        let (_, root) = journey(cut).await;
        assert_eq!(root, expected, "cut after {cut} writes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_it_is_written() {
    let mortal = Arc::new(Mortal::new(Arc::new(MemoryStore::new()), ENDLESS));
    let world = World::over(mortal.clone());
    let running = world.start().await;
    let operation = issue(&note("alice", HUB_ID, 5, 1));
    mortal.cut_at_next();
    let (status, answer) = running.submit(&operation).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("store_unavailable"))
    );
    assert_eq!(answer["retryable"], true);
    let (status, _) = running.get(&format!("/v1/transfers/{}", operation.id())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = running.submit(&operation).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "memory does not know what the disk did not take");
    running.stop().await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_add_up_is_not_started_from() {
    let disk = Arc::new(MemoryStore::new());
    let world = World::over(disk.clone());
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 5, 1))).await;
    world.until(&running, &id, "finalized").await;
    running.stop().await.unwrap();
    let (key, row) = disk.last("batches").unwrap().unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&row).unwrap();
    record["root"] = alloy::primitives::B256::repeat_byte(7).to_string().into();
    let value = serde_json::to_vec(&record).unwrap();
    disk.write(vec![Change::Put { table: "batches", key, value }]).unwrap();
    let error = world.try_start().await.err().expect("another root is stored").to_string();
    assert!(error.contains("batch 1") && error.contains("root"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_chain_is_not_started_from() {
    let world = World::new();
    world.start().await.stop().await.unwrap();
    world.hub.reorg(1);
    world.hub.mine();
    let error = world.try_start().await.err().expect("the first block is another").to_string();
    assert!(error.contains("first block"), "{error}");
}
