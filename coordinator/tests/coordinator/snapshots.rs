//! Snapshots of the tree: a start needs only the batches after one, and what is damaged is refused and built again.

use std::sync::Arc;

use axum::http::StatusCode;
use hypha_chain::MemoryStore;
use hypha_chain::ports::{Change, Store};
use serde_json::Value;

use super::crash::{ENDLESS, Mortal};
use super::world::*;

/// Takes a snapshot of every batch that all chains have confirmed.
pub(crate) fn eager(store: Arc<dyn Store>) -> World {
    let mut world = World::over(store);
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

/// The row that names the snapshot which counts.
fn row(store: &dyn Store) -> Option<Value> {
    store.get("meta", b"snapshot").unwrap().map(|value| serde_json::from_slice(&value).unwrap())
}

fn put_row(store: &dyn Store, value: Vec<u8>) {
    store.write(vec![Change::Put { table: "meta", key: b"snapshot".to_vec(), value }]).unwrap();
}

/// The key of the only page of the snapshot that counts.
fn page_key(store: &dyn Store) -> Vec<u8> {
    let row = row(store).unwrap();
    [row["slot"].as_str().unwrap().as_bytes(), &0u64.to_be_bytes()].concat()
}

/// Whether the snapshot that counts has this index.
fn is_taken(store: &dyn Store, index: u64) -> bool {
    row(store).is_some_and(|row| row["index"] == index)
}

async fn until_snapshot(world: &World, index: u64) {
    eventually("a snapshot", async || {
        world.turn().await;
        is_taken(world.store.as_ref(), index)
    })
    .await;
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

/// A store with three batches and a snapshot of the third, and the world around it.
async fn with_three_batches() -> (World, Arc<MemoryStore>) {
    let disk = Arc::new(MemoryStore::new());
    let world = eager(disk.clone());
    let running = world.start().await;
    issue_all(&world, &running, 1..=3).await;
    until_snapshot(&world, 3).await;
    running.stop().await.unwrap();
    (world, disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_puts_only_the_batches_after_the_snapshot_on_the_tree() {
    let (mut world, _) = with_three_batches().await;
    world.limits.snapshot_batches = 1_000;
    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [3]);
    issue_all(&world, &running, 4..=5).await;
    running.stop().await.unwrap();

    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [3, 4, 5]);
    let key = key_of(&note("alice", HUB_ID, 5, 1));
    let (status, answer) = running.get(&format!("/v1/proofs/{key}?index=2")).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::NOT_FOUND, Some("index_not_kept")));
    for path in [format!("/v1/proofs/{key}?index=3"), format!("/v1/proofs/{key}")] {
        let (status, answer) = running.get(&path).await;
        assert_eq!((status, &answer["present"]), (StatusCode::OK, &true.into()), "{answer:#}");
    }
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

/// Replaces a field of the row.
fn alter(store: &dyn Store, field: &str, change: impl FnOnce(&Value) -> Value) {
    let mut row = row(store).unwrap();
    row[field] = change(&row[field]);
    put_row(store, row.to_string().into_bytes());
}

/// Changes the bytes behind a field of the row that is written as hexadecimal digits.
fn alter_bytes(store: &dyn Store, field: &str, change: impl FnOnce(&mut Vec<u8>)) {
    alter(store, field, |value| {
        let mut bytes = alloy::hex::decode(value.as_str().unwrap()).unwrap();
        change(&mut bytes);
        alloy::hex::encode_prefixed(bytes).into()
    });
}

/// Changes the only page.
fn alter_page(store: &dyn Store, change: impl FnOnce(&mut Vec<u8>)) {
    let key = page_key(store);
    let mut value = store.get("snapshots", &key).unwrap().unwrap();
    change(&mut value);
    store.write(vec![Change::Put { table: "snapshots", key, value }]).unwrap();
}

type Damage = (&'static str, fn(&MemoryStore));

const DAMAGES: [Damage; 16] = [
    ("row cut short", |store| {
        let row = row(store).unwrap().to_string();
        put_row(store, row[..row.len() / 2].to_owned().into_bytes());
    }),
    ("row empty", |store| put_row(store, Vec::new())),
    ("index of another batch", |store| alter(store, "index", |_| 2.into())),
    ("index of no batch", |store| alter(store, "index", |_| 9.into())),
    ("another batch chain", |store| alter_bytes(store, "batch_chain", |bytes| bytes[0] ^= 1)),
    ("the other slot", |store| {
        alter(store, "slot", |slot| if *slot == "a" { "b".into() } else { "a".into() });
    }),
    ("another root in the header", |store| alter_bytes(store, "header", |bytes| bytes[16] ^= 1)),
    ("a leaf more in the header", |store| alter_bytes(store, "header", |bytes| bytes[55] += 1)),
    ("a page more in the header", |store| alter_bytes(store, "header", |bytes| bytes[63] += 1)),
    ("another version in the header", |store| alter_bytes(store, "header", |bytes| bytes[15] += 1)),
    ("header cut short", |store| alter_bytes(store, "header", |bytes| bytes.truncate(63))),
    ("page missing", |store| {
        store.write(vec![Change::Delete { table: "snapshots", key: page_key(store) }]).unwrap();
    }),
    ("page cut short", |store| alter_page(store, |page| page.truncate(page.len() - 64))),
    ("page too long", |store| alter_page(store, |page| page.push(0))),
    ("another value hash", |store| alter_page(store, |page| *page.last_mut().unwrap() ^= 1)),
    ("leaves out of order", |store| alter_page(store, |page| page.rotate_left(64))),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_refused_and_taken_again() {
    let (world, disk) = with_three_batches().await;
    for (what, damage) in DAMAGES {
        damage(&disk);
        let running = world.start().await;
        assert_eq!(kept(&world, &running).await, [0, 1, 2, 3], "{what}: built again from all batches");
        let context = running.service.context().clone();
        eventually(what, async || context.ledger.state().snapshot.index == 3).await;
        drop(context);
        running.stop().await.unwrap();

        let running = world.start().await;
        assert_eq!(kept(&world, &running).await, [3], "{what}: the new snapshot holds");
        running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_row_a_snapshot_does_not_count() {
    let (world, disk) = with_three_batches().await;
    disk.write(vec![Change::Delete { table: "meta", key: b"snapshot".to_vec() }]).unwrap();
    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [0, 1, 2, 3]);
    eventually("a new snapshot", async || is_taken(disk.as_ref(), 3)).await;
    running.stop().await.unwrap();
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
    alter_json(disk.as_ref(), "batches", 3, |batch| batch["state"] = "delivered".into());
    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [0, 1, 2, 3]);
    running.stop().await.unwrap();
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

/// Whether a write is one of the snapshot writer's.
fn is_of_a_snapshot(changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::Put { table, key, .. } | Change::Delete { table, key } => {
            *table == "snapshots" || (*table, key.as_slice()) == ("meta", b"snapshot")
        }
    })
}

/// Three batches, each with its snapshot, over a store that dies after so many writes of the snapshot writer and then lives on.
/// Gives how many such writes the whole took, and the root.
async fn journey(writes: i64) -> (i64, alloy::primitives::B256) {
    let disk = Arc::new(MemoryStore::new());
    let mortal = Arc::new(Mortal::counting(disk.clone(), writes, is_of_a_snapshot));
    let mut world = eager(mortal.clone());
    let running = world.start().await;
    for salt in 1..=3 {
        running.submit(&issue(&note("alice", HUB_ID, 5, salt))).await;
        eventually("dead or done", async || {
            world.turn().await;
            mortal.is_dead() || is_taken(disk.as_ref(), salt.into())
        })
        .await;
    }
    running.stop().await.ok();

    world.store = disk.clone();
    let index = row(disk.as_ref()).map_or(0, |row| row["index"].as_u64().unwrap());
    let running = world.start().await;
    let versions = kept(&world, &running).await;
    assert!(versions.iter().copied().eq(index..=*versions.last().unwrap()), "{versions:?} from {index} on");
    for salt in 1..=3 {
        let id = running.accept(&issue(&note("alice", HUB_ID, 5, salt))).await;
        world.until(&running, &id, "finalized").await;
    }
    until_snapshot(&world, 3).await;
    running.stop().await.unwrap();

    let running = world.start().await;
    assert_eq!(kept(&world, &running).await, [3]);
    let root = running.service.context().ledger.state().head().root;
    running.stop().await.unwrap();
    (mortal.used(), root)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_within_a_snapshot_leaves_the_one_before() {
    let (writes, expected) = journey(ENDLESS).await;
    assert_eq!(writes, 6, "page and row of three snapshots");
    for cut in 0..writes {
        let (_, root) = journey(cut).await;
        assert_eq!(root, expected, "cut after {cut} writes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_within_a_snapshot_ends_the_service() {
    let panics = |changes: &[Change]| {
        assert!(!is_of_a_snapshot(changes), "a bug in the store");
        false
    };
    let world = eager(Arc::new(Mortal::counting(Arc::new(MemoryStore::new()), ENDLESS, panics)));
    let running = world.start().await;
    issue_all(&world, &running, [1]).await;
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
async fn a_snapshot_waits_for_the_chains_that_prove_against_older_roots() {
    let world = eager(Arc::new(MemoryStore::new()));
    let running = world.start().await;
    until_finalized_alone(&world, &running, 1).await;
    assert_eq!(running.service.context().ledger.state().settled().index, 0);
    until_snapshot(&world, 1).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_stands_still_does_not_keep_snapshots_from_coming() {
    let mut world = eager(Arc::new(MemoryStore::new()));
    world.limits.versions = 2;
    let running = world.start().await;
    for salt in 1..=4 {
        until_finalized_alone(&world, &running, salt).await;
    }
    eventually("a snapshot of the oldest version", async || is_taken(world.store.as_ref(), 3)).await;
    running.stop().await.unwrap();
}
