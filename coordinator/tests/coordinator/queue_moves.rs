//! Queues that move: reorgs, other sequencers, hubs that refuse, power cuts; and the queue read again.

use std::sync::Arc;

use alloy::primitives::U256;
use alloy::sol_types::SolError;
use axum::http::StatusCode;
use hypha_chain::MemoryStore;
use hypha_chain::ports::Change;
use hypha_chain::simulated::Faults;
use hypha_protocol::contracts::IRootHub::RequestDue;
use hypha_protocol::operations::{Operation, Void, VoidReason};
use hypha_protocol::replay::Replica;

use super::asking::*;
use super::crash::{ENDLESS, Mortal};
use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_of_a_spoke_takes_back_what_is_not_on_the_hub() {
    let world = World::new();
    let running = world.start().await;
    let (gone, kept) = (asks_issue(SPOKE_ID, 1), asks_issue(SPOKE_ID, 2));
    world.queue_on_spoke(&gone);
    world.queue_on_spoke(&kept);
    world.hub.set_faults(losing());
    world.enqueue(&kept);
    world.spoke.mine();
    eventually("queued", async || running.get(&path(&gone)).await.1["status"] == "queued").await;
    world.hub.mine();
    eventually("committed", async || running.get(&path(&kept)).await.1["status"] == "committed").await;
    world.spoke.reorg(1);
    world.spoke.mine_many(2);
    eventually("gone", async || running.get(&path(&gone)).await.0 == StatusCode::NOT_FOUND).await;
    assert_eq!(running.get(&path(&kept)).await.1["status"], "committed");
    running.stop().await.unwrap();
}

/// Whether a write says how far the newest blocks of the hub are followed.
fn is_cursor(changes: &[Change]) -> bool {
    let table = |change: &Change| match change {
        Change::Put { table, .. } | Change::Delete { table, .. } => *table,
    };
    changes.iter().any(|change| table(change) == "follow-newest-31337")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_half_a_step_wrote_is_taken_back_when_a_reorg_comes_before_the_next_start() {
    let disk = Arc::new(MemoryStore::new());
    let mortal = Arc::new(Mortal::counting(disk.clone(), ENDLESS, is_cursor));
    let mut world = World::over(mortal.clone());
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 3, 1))).await;
    world.until(&running, &id, "finalized").await;
    // The requests are written, and that their block was followed is not.
    let (dropped, kept) = (asks_issue(SPOKE_ID, 1), asks_issue(SPOKE_ID, 2));
    mortal.cut_at_next();
    [&dropped, &kept].into_iter().for_each(|request| world.enqueue(request));
    world.hub.mine();
    eventually("dead", async || mortal.is_dead()).await;
    running.stop().await.ok();
    world.hub.reorg(1);
    world.queue().clear();
    let other = asks_issue(HUB_ID, 1);
    [&other, &dropped].into_iter().for_each(|request| world.enqueue(request));
    world.hub.mine_many(2);
    world.store = disk;
    let running = world.start().await;
    world.until_request(&running, &other, "finalized").await;
    world.until_request(&running, &dropped, "finalized").await;
    assert_eq!(running.get(&path(&kept)).await.0, StatusCode::NOT_FOUND, "no chain has it");
    is_replayed(&world, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_reorg_drops_before_it_is_batched_is_gone() {
    let mut world = World::new();
    world.batch.max_in_flight = 1;
    let running = world.start().await;
    world.hub.set_faults(losing());
    let blocker = running.accept(&issue(&note("alice", HUB_ID, 3, 1))).await;
    eventually("committed", async || {
        running.get(&format!("/v1/transfers/{blocker}")).await.1["status"] == "committed"
    })
    .await;
    let (dropped, remote) = (asks_issue(HUB_ID, 1), asks_issue(SPOKE_ID, 1));
    world.queue_on_spoke(&remote);
    world.spoke.mine();
    eventually("queued", async || running.get(&path(&remote)).await.1["status"] == "queued").await;
    [&remote, &dropped].into_iter().for_each(|request| world.enqueue(request));
    world.hub.mine();
    eventually("admitted", async || running.get(&path(&remote)).await.1["status"] == "admitted").await;
    world.hub.reorg(1);
    world.begin_anew();
    world.hub.mine_many(2);
    eventually("queued again", async || running.get(&path(&remote)).await.1["status"] == "queued").await;
    assert_eq!(running.get(&path(&dropped)).await.0, StatusCode::NOT_FOUND);
    world.hub.set_faults(Faults::default());
    // They come again, the other way round.
    [&dropped, &remote].into_iter().for_each(|request| world.enqueue(request));
    for request in [&remote, &dropped] {
        world.until_request(&running, request, "finalized").await;
    }
    world.until(&running, &blocker, "finalized").await;
    is_replayed(&world, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_that_drops_a_request_takes_back_the_batch_that_carries_it() {
    for blocks in [0, 1] {
        let world = World::new();
        let running = world.start().await;
        let (dropped, other) = (asks_issue(HUB_ID, 1), asks_issue(HUB_ID, 2));
        if blocks == 0 {
            world.hub.set_faults(losing());
        }
        world.enqueue(&dropped);
        world.hub.mine();
        let id = running.accept(&issue(&note("alice", HUB_ID, 3, 1))).await;
        eventually("sent", async || blocks == 0 || !world.hub.pool().is_empty()).await;
        let status = if blocks == 0 { "committed" } else { "delivered" };
        world.hub.mine_many(blocks);
        eventually(status, async || running.get(&path(&dropped)).await.1["status"] == status).await;
        world.hub.reorg(1 + usize::try_from(blocks).unwrap());
        world.begin_anew();
        world.hub.mine_many(4);
        eventually("gone", async || running.get(&path(&dropped)).await.0 == StatusCode::NOT_FOUND).await;
        world.hub.set_faults(Faults::default());
        world.enqueue(&other);
        world.until_request(&running, &other, "finalized").await;
        world.until(&running, &id, "finalized").await;
        assert_eq!(world.replay().await, (head(&running), 1, 0));
        running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_leaves_out_what_is_due_is_chosen_again() {
    let world = World::new();
    let running = world.start().await;
    let asked = asks_issue(HUB_ID, 1);
    let due = RequestDue { chainId: U256::from(HUB_ID), number: 1, dueAt: U256::from(DUE_AT) };
    world.refuse(Some(due.abi_encode()));
    let id = running.accept(&issue(&note("alice", HUB_ID, 3, 1))).await;
    eventually("refused", async || running.get("/readyz").await.0 == StatusCode::SERVICE_UNAVAILABLE).await;
    world.enqueue(&asked);
    world.hub.mine();
    eventually("batched with the request", async || running.get(&path(&asked)).await.1["index"] == "1").await;
    world.refuse(None);
    let view = world.until(&running, &id, "finalized").await;
    assert_eq!(view["index"], "1", "both in the one batch");
    world.until_request(&running, &asked, "finalized").await;
    assert_eq!(running.get("/readyz").await.0, StatusCode::OK);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_is_sent_again_when_the_queue_did_not_move_after_all() {
    let world = World::new();
    let running = world.start().await;
    let due = RequestDue { chainId: U256::from(HUB_ID), number: 1, dueAt: U256::from(DUE_AT) };
    world.refuse(Some(due.abi_encode()));
    let id = running.accept(&issue(&note("alice", HUB_ID, 3, 1))).await;
    eventually("refused", async || running.get("/readyz").await.0 == StatusCode::SERVICE_UNAVAILABLE).await;
    world.refuse(None);
    world.until(&running, &id, "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_registered_meanwhile_makes_a_void_untrue_whenever_the_power_is_cut() {
    for writes in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ENDLESS] {
        let disk = Arc::new(MemoryStore::new());
        let mortal = Arc::new(Mortal::new(disk.clone(), writes));
        let mut world = World::over(mortal.clone());
        let asked = asks_issue_for(HUB_ID, 1, 99, 1);
        world.enqueue(&asked);
        world.hub.mine();
        world.hub.set_faults(losing());
        if let Ok(running) = world.try_start().await {
            eventually("dead, or void and sent", async || {
                let (_, view) = running.get(&path(&asked)).await;
                mortal.is_dead() || (view["status"] == "committed" && void_of(&view).0 == "unknownDomain")
            })
            .await;
            running.stop().await.ok();
        }
        world.register(99);
        world.store = disk;
        world.hub.set_faults(Faults::default());
        let running = world.start().await;
        let view = world.until_request(&running, &asked, "delivered").await;
        assert_eq!(void_of(&view), ("", ""), "{writes}: {view:#}");
        assert_eq!(world.replay().await, (head(&running), 1, 0));
        running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sequencers_batch_resolves_requests_as_well() {
    let world = World::new();
    let running = world.start().await;
    let mut replica = Replica::new(HUB_ID, hub_address());
    let void =
        asks_transfer(HUB_ID, 1, "alice", &[note("alice", HUB_ID, 10, 77)], &[output("bob", HUB_ID, 10)]);
    let (executed, ours) = (asks_issue(HUB_ID, 2), asks_issue(HUB_ID, 3));
    // Ours is under way and never comes.
    world.hub.set_faults(losing());
    [&void, &executed, &ours].into_iter().for_each(|request| world.enqueue(request));
    world.hub.mine();
    eventually("committed", async || running.get(&path(&void)).await.1["status"] == "committed").await;
    let stranger = issue(&note("bob", HUB_ID, 7, 2));
    let resolutions = [
        Operation::Void(Void::new(void.clone(), VoidReason::InputAbsent, 0).unwrap()),
        Operation::Queued(executed.clone()),
        stranger.clone(),
    ];
    let root = world.foreign(1, &resolutions, &mut replica);
    world.hub.mine();
    running.until_root(1, root).await;
    assert_eq!(running.get(&path(&executed)).await.1["status"], "delivered");
    let (_, view) = running.get(&path(&void)).await;
    assert_eq!((view["status"].as_str(), void_of(&view)), (Some("delivered"), ("inputAbsent", "")));
    world.hub.set_faults(Faults::default());
    let view = world.until_request(&running, &ours, "finalized").await;
    assert_eq!(view["index"], "2");
    assert_eq!(void_of(&world.until_request(&running, &void, "rejected").await).1, "void_input_absent");
    world.until_request(&running, &executed, "finalized").await;
    world.until(&running, &stranger.id().to_string(), "finalized").await;
    is_replayed(&world, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_out_of_the_queues_order_stops_the_writers() {
    let world = World::new();
    let running = world.start().await;
    let mut replica = Replica::new(HUB_ID, hub_address());
    world.hub.set_faults(losing());
    let (first, second) = (asks_issue(HUB_ID, 1), asks_issue(HUB_ID, 2));
    [&first, &second].into_iter().for_each(|request| world.enqueue(request));
    world.foreign(1, &[Operation::Queued(second)], &mut replica);
    world.hub.mine();
    eventually("stopped", async || {
        running.get("/readyz").await.1["reasons"].to_string().contains("which is not next")
    })
    .await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_is_filled_with_requests_from_the_chains() {
    let mut world = World::new();
    let running = world.start().await;
    let executed = asks_issue_for(SPOKE_ID, 1, SPOKE_ID, 1);
    let void =
        asks_transfer(HUB_ID, 1, "alice", &[note("alice", HUB_ID, 10, 77)], &[output("bob", HUB_ID, 10)]);
    world.queue_on_spoke(&executed);
    [&void, &executed].into_iter().for_each(|request| world.enqueue(request));
    world.until_request(&running, &executed, "finalized").await;
    world.until_request(&running, &void, "rejected").await;
    let root = head(&running);
    running.stop().await.unwrap();
    let running = world.start().await;
    assert_eq!(head(&running), root, "from the store");
    let next = running.service.context().ledger.state().requests.enqueued();
    assert_eq!(next, 2);
    running.stop().await.unwrap();
    world.store = Arc::new(MemoryStore::new());
    let running = world.start().await;
    let view = world.until_request(&running, &executed, "finalized").await;
    assert_eq!(view["root"], root.to_string(), "from the hub's logs");
    assert_eq!(void_of(&world.until_request(&running, &void, "rejected").await).1, "void_input_absent");
    running.stop().await.unwrap();
}

/// Requests of both chains, void and executed, over a store that dies after `writes` writes and then lives on. Gives how many
/// writes the whole took, and the root.
async fn journey(writes: i64) -> (i64, String) {
    let disk = Arc::new(MemoryStore::new());
    let mortal = Arc::new(Mortal::new(disk.clone(), writes));
    let mut world = World::over(mortal.clone());
    let executed = asks_issue_for(SPOKE_ID, 1, SPOKE_ID, 1);
    let void =
        asks_transfer(HUB_ID, 1, "alice", &[note("alice", HUB_ID, 10, 77)], &[output("bob", HUB_ID, 10)]);
    let onward = asks_issue(HUB_ID, 2);
    let all = [&void, &executed, &onward];
    let ended = async |running: &Running| {
        for request in all {
            let status = running.get(&path(request)).await.1["status"].clone();
            if status != "finalized" && status != "rejected" {
                return false;
            }
        }
        true
    };
    world.queue_on_spoke(&executed);
    world.spoke.mine();
    all.into_iter().for_each(|request| world.enqueue(request));
    if let Ok(running) = world.try_start().await {
        eventually("dead or done", async || {
            world.turn().await;
            mortal.is_dead() || ended(&running).await
        })
        .await;
        running.stop().await.ok();
    }
    let used = mortal.used();
    world.store = disk;
    let running = world.start().await;
    eventually("done", async || {
        world.turn().await;
        ended(&running).await
    })
    .await;
    assert_eq!(world.replay().await, (head(&running), 2, 1));
    let root = head(&running).to_string();
    running.stop().await.unwrap();
    (used, root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_after_any_write_loses_no_request_and_resolves_none_twice() {
    let (writes, expected) = journey(ENDLESS).await;
    assert!(writes > 12, "{writes} writes are not the whole journey");
    for cut in 0..writes.min(60) {
        let (_, root) = journey(cut).await;
        assert_eq!(root, expected, "cut after {cut} writes");
    }
}
