//! Snapshots of the tree: a start needs only the batches after one, what is damaged is refused and built again, and nothing that
//! befalls the file befalls the service.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use hypha_chain::MemoryStore;
use hypha_chain::ports::{Change, Store};
use serde_json::Value;

use super::crash::{ENDLESS, Mortal};
use super::world::*;

/// More than the batches of any test here.
const ALL: usize = 1_000;

/// Takes a snapshot of every version that becomes the oldest: with each batch, of the newest that is final before it.
pub(crate) fn eager(store: Arc<dyn Store>) -> World {
    let mut world = World::over(store);
    world.limits.versions = 1;
    world.limits.snapshot_batches = 1;
    world.limits.snapshot_percent = 0;
    world
}

/// Issues notes with these salts, a batch each.
async fn issue_all(world: &World, running: &Running, salts: impl IntoIterator<Item = u8>) {
    for salt in salts {
        let id = running.accept(&issue(&note("alice", HUB_ID, 5, salt))).await;
        world.until(running, &id, "finalized").await;
    }
}

/// The index that stands in the file.
fn taken(world: &World) -> Option<u64> {
    let bytes = fs::read(world.snapshot()).ok()?;
    bytes.get(16..24)?.try_into().ok().map(u64::from_be_bytes)
}

/// Waits for the snapshot with this index. Once memory knows of it, it is on disk.
pub(crate) async fn until_snapshot(world: &World, running: &Running, index: u64) {
    let context = running.service.context();
    eventually("a snapshot", async || {
        world.turn().await;
        context.ledger.state().snapshot.index == index
    })
    .await;
    assert_eq!(taken(world), Some(index));
}

/// Indexes of the versions in memory, each checked against what the hub took.
async fn kept(world: &World, running: &Running) -> Vec<u64> {
    let taken = world.taken().await;
    let state = running.service.context().ledger.state();
    let newest = state.head().index;
    for (index, root) in taken {
        if let Some(version) = state.version(index) {
            assert_eq!((version.root, version.tree.root().as_bytes()), (root, &root.0));
        }
    }
    (0..=newest).filter(|index| state.version(*index).is_some()).collect()
}

/// Indexes of the versions in memory after a start that drops and writes nothing of its own: from the snapshot on, or from the
/// empty tree where there is none.
async fn kept_at_start(world: &World) -> Vec<u64> {
    let mut limits = world.limits.clone();
    (limits.versions, limits.snapshot_batches) = (ALL, ALL);
    let running = world.start_with(limits).await;
    let kept = kept(world, &running).await;
    running.stop().await.unwrap();
    kept
}

/// Three batches and a snapshot of the second, the newest final one when the third came; and the store.
async fn with_three_batches() -> (World, Arc<MemoryStore>) {
    let disk = Arc::new(MemoryStore::new());
    let world = eager(disk.clone());
    let running = world.start().await;
    issue_all(&world, &running, 1..=3).await;
    until_snapshot(&world, &running, 2).await;
    running.stop().await.unwrap();
    (world, disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_puts_only_the_batches_after_the_snapshot_on_the_tree() {
    let (mut world, _) = with_three_batches().await;
    (world.limits.versions, world.limits.snapshot_batches) = (ALL, ALL);
    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [2, 3]);
    issue_all(&world, &running, 4..=5).await;
    running.stop().await.unwrap();

    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [2, 3, 4, 5]);
    let (_, page) = running.get("/v1/resources?unspent=true").await;
    assert_eq!(
        page["resources"].as_array().map(Vec::len),
        Some(5),
        "notes from before the snapshot are known"
    );
    let spend = transfer(&[note("alice", HUB_ID, 5, 1)], &[output("bob", HUB_ID, 5)], &["alice"]);
    let id = running.accept(&spend).await;
    world.until(&running, &id, "finalized").await;
    running.stop().await.unwrap();
}

/// Asks for a proof at every index, and checks that just these have one.
async fn assert_proved(running: &Running, newest: u64, kept: &[u64]) {
    let key = key_of(&note("alice", HUB_ID, 5, 1));
    for index in 0..=newest {
        let (status, answer) = running.get(&format!("/v1/proofs/{key}?index={index}")).await;
        if kept.contains(&index) {
            assert_eq!((status, &answer["present"]), (StatusCode::OK, &true.into()), "{index}: {answer:#}");
        } else {
            let code = answer["code"].as_str();
            assert_eq!((status, code), (StatusCode::NOT_FOUND, Some("index_not_kept")), "{index}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_every_version_that_was_kept_can_be_proved_against() {
    let mut world = eager(Arc::new(MemoryStore::new()));
    world.limits.versions = 3;
    let running = world.start().await;
    issue_all(&world, &running, 1..=6).await;
    until_snapshot(&world, &running, 4).await;
    assert_proved(&running, 6, &[4, 5, 6]).await;
    running.stop().await.unwrap();

    world.limits.snapshot_batches = ALL;
    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [4, 5, 6]);
    assert_proved(&running, 6, &[4, 5, 6]).await;
    issue_all(&world, &running, 7..=8).await;
    running.stop().await.unwrap();

    let running = world.start().await;
    assert_eq!(taken(&world), Some(4), "a snapshot from below the window");
    assert_proved(&running, 8, &[6, 7, 8]).await;
    running.stop().await.unwrap();
}

/// Changes the bytes of the file.
fn alter(world: &World, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(world.snapshot()).unwrap();
    change(&mut bytes);
    fs::write(world.snapshot(), bytes).unwrap();
}

/// Where the parts of the file begin.
const INDEX: usize = 16;
const BATCH_CHAIN: usize = 24;
const HEADER: usize = 56;
const LEAVES: usize = 120;

type Damage = (&'static str, fn(&mut Vec<u8>));

const DAMAGES: [Damage; 18] = [
    ("empty", |bytes| bytes.clear()),
    ("name cut short", |bytes| bytes.truncate(INDEX - 1)),
    ("head cut short", |bytes| bytes.truncate(BATCH_CHAIN + 3)),
    ("no leaves", |bytes| bytes.truncate(LEAVES)),
    ("a leaf missing", |bytes| bytes.truncate(bytes.len() - 64)),
    ("a byte missing", |bytes| bytes.truncate(bytes.len() - 1)),
    ("a byte more", |bytes| bytes.push(0)),
    ("another version of the file", |bytes| bytes[INDEX - 1] ^= 1),
    ("index of another batch", |bytes| bytes[BATCH_CHAIN - 1] = 1),
    ("index of no batch", |bytes| bytes[BATCH_CHAIN - 1] = 9),
    ("another batch chain", |bytes| bytes[BATCH_CHAIN] ^= 1),
    ("another version of the header", |bytes| bytes[HEADER + 15] += 1),
    ("another root", |bytes| bytes[HEADER + 16] ^= 1),
    ("a leaf more in the header", |bytes| bytes[HEADER + 55] += 1),
    ("a page more in the header", |bytes| bytes[HEADER + 63] += 1),
    ("another value hash", |bytes| *bytes.last_mut().unwrap() ^= 1),
    ("leaves out of order", |bytes| bytes[LEAVES..].rotate_left(64)),
    ("zeros", |bytes| bytes.fill(0)),
];

/// Checks that a start gets along without the snapshot, and that one is written again which holds.
async fn assert_taken_again(world: &World, what: &str) {
    assert_eq!(kept_at_start(world).await, [0, 1, 2, 3], "{what}: built again from all batches");
    let running = world.start().await;
    until_snapshot(world, &running, 2).await;
    running.stop().await.unwrap();
    assert_eq!(kept_at_start(world).await, [2, 3], "{what}: the new snapshot holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_refused_and_taken_again() {
    let (world, _) = with_three_batches().await;
    for (what, damage) in DAMAGES {
        alter(&world, damage);
        assert_taken_again(&world, what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_file_the_tree_is_built_from_all_batches() {
    let (world, _) = with_three_batches().await;
    fs::remove_file(world.snapshot()).unwrap();
    assert_taken_again(&world, "no file").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_another_store_is_refused_and_taken_again() {
    let (world, _) = with_three_batches().await;
    let other = eager(Arc::new(MemoryStore::new()));
    let running = other.start().await;
    issue_all(&other, &running, 4..=6).await;
    until_snapshot(&other, &running, 2).await;
    running.stop().await.unwrap();
    fs::copy(other.snapshot(), world.snapshot()).unwrap();
    assert_taken_again(&world, "another store's").await;
}

/// Changes a row that is JSON.
fn alter_json(store: &dyn Store, table: &'static str, index: u64, change: impl FnOnce(&mut Value)) {
    let key = index.to_be_bytes().to_vec();
    let mut value: Value = serde_json::from_slice(&store.get(table, &key).unwrap().unwrap()).unwrap();
    change(&mut value);
    store.write(vec![Change::Put { table, key, value: value.to_string().into_bytes() }]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_batch_that_is_not_final_is_refused() {
    let (world, disk) = with_three_batches().await;
    alter_json(disk.as_ref(), "batches", 2, |batch| batch["state"] = "delivered".into());
    assert_eq!(kept_at_start(&world).await, [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_below_the_snapshot_are_still_checked() {
    let (world, disk) = with_three_batches().await;
    let bodies = |index: u64| disk.get("bodies", &index.to_be_bytes()).unwrap().unwrap();
    let other: Value = serde_json::from_slice(&bodies(2)).unwrap();
    let good = bodies(1);
    alter_json(disk.as_ref(), "bodies", 1, |body| body["operations"] = other["operations"].clone());
    let error = world.try_start().await.err().expect("other operations are stored").to_string();
    assert!(error.contains("batch 1") && error.contains("batch chain"), "{error}");
    let key = 1u64.to_be_bytes().to_vec();
    disk.write(vec![Change::Put { table: "bodies", key, value: good }]).unwrap();
    alter_json(disk.as_ref(), "batches", 1, |batch| {
        batch["root"] = alloy::primitives::B256::repeat_byte(7).to_string().into();
    });
    let error = world.try_start().await.err().expect("another root is stored").to_string();
    assert!(error.contains("batch 1") && error.contains("batch chain"), "{error}");
}

/// Where a snapshot grows.
fn unfinished(world: &World) -> PathBuf {
    world.snapshot().with_extension("new")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_within_a_snapshot_leaves_the_one_before() {
    let (world, _) = with_three_batches().await;
    let whole = fs::read(world.snapshot()).unwrap();
    for cut in [0, 1, LEAVES, whole.len() - 1, whole.len()] {
        fs::write(unfinished(&world), &whole[..cut]).unwrap();
        assert_eq!(kept_at_start(&world).await, [2, 3], "cut after {cut} bytes");
    }
    let running = world.start().await;
    issue_all(&world, &running, 4..=5).await;
    until_snapshot(&world, &running, 4).await;
    assert!(!unfinished(&world).exists());
    running.stop().await.unwrap();
    assert_eq!(kept_at_start(&world).await, [4, 5]);
}

/// The two one after the other: all tests of a process count into the same metrics.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_snapshot_does_not_hurt_the_service() {
    a_folder_in_the_place_of_the_next().await;
    a_folder_in_the_place_of_the_snapshot().await;
}

async fn a_folder_in_the_place_of_the_next() {
    let (mut world, _) = with_three_batches().await;
    world.limits.snapshot_batches = 2;
    fs::create_dir(unfinished(&world)).unwrap();
    let running = world.start().await;
    issue_all(&world, &running, 4..=5).await;
    eventually("a failure that is counted", async || failures(&running).await == Some(1)).await;
    fs::remove_dir(unfinished(&world)).unwrap();
    issue_all(&world, &running, [6]).await;
    assert_eq!(taken(&world), Some(2), "not tried again before the next is due");
    issue_all(&world, &running, [7]).await;
    until_snapshot(&world, &running, 6).await;
    assert_eq!(failures(&running).await, Some(1));
    running.stop().await.unwrap();
}

/// What the metrics say of snapshots that were not written.
async fn failures(running: &Running) -> Option<u64> {
    let text = running.get_text("/metrics").await;
    let line = text.lines().find(|line| line.starts_with("hypha_snapshot_failures_total "))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn a_folder_in_the_place_of_the_snapshot() {
    let (world, _) = with_three_batches().await;
    fs::remove_file(world.snapshot()).unwrap();
    fs::create_dir(world.snapshot()).unwrap();
    let running = world.start().await;
    issue_all(&world, &running, 4..=5).await;
    eventually("failures that are counted", async || failures(&running).await > Some(1)).await;
    assert_eq!(running.service.context().ledger.state().snapshot.index, 0);
    running.stop().await.unwrap();
    fs::remove_dir(world.snapshot()).unwrap();
    assert_eq!(kept_at_start(&world).await, [0, 1, 2, 3, 4, 5]);
}

/// Whether a write sets a batch.
fn is_of_a_batch(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change, Change::Put { table: "batches", .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_within_a_write_ends_the_service() {
    let panics = |changes: &[Change]| {
        assert!(!is_of_a_batch(changes), "a bug in the store");
        false
    };
    let world = World::over(Arc::new(Mortal::counting(Arc::new(MemoryStore::new()), ENDLESS, panics)));
    let running = world.start().await;
    running.accept(&issue(&note("alice", HUB_ID, 5, 1))).await;
    let Running { service, router, .. } = running;
    drop(router);
    let ended = tokio::spawn(service.join());
    eventually("the end", async || {
        world.turn().await;
        ended.is_finished()
    })
    .await;
    assert!(ended.await.unwrap().is_err());
}

/// Blocks on both chains, and no relayer.
async fn until_finalized_alone(world: &World, running: &Running, salt: u8) {
    let id = running.accept(&issue(&note("alice", HUB_ID, 5, salt))).await;
    eventually("finalized", async || {
        world.hub.mine();
        world.spoke.mine();
        running.get(&format!("/v1/transfers/{id}")).await.1["status"] == "finalized"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_stands_still_does_not_keep_snapshots_from_coming() {
    let mut world = eager(Arc::new(MemoryStore::new()));
    world.limits.versions = 2;
    let running = world.start().await;
    for salt in 1..=4 {
        until_finalized_alone(&world, &running, salt).await;
    }
    eventually("a snapshot of the oldest version", async || taken(&world) == Some(3)).await;
    running.stop().await.unwrap();
}
