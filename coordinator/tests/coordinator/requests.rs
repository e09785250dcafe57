//! Requests: whatever they say, each is resolved in its turn, and nothing else waits for long.

use std::sync::Arc;

use alloy::primitives::U256;
use alloy::sol_types::SolError;
use axum::http::StatusCode;
use hypha_chain::MemoryStore;
use hypha_chain::simulated::Faults;
use hypha_protocol::contracts::IRootHub::RequestDue;
use hypha_protocol::operations::{Operation, Request, Void, VoidReason};
use hypha_protocol::replay::Replica;
use serde_json::Value;

use super::asking::*;
use super::crash::{ENDLESS, Mortal};
use super::world::*;

const UNKNOWN_ID: u64 = 99;

fn losing() -> Faults {
    Faults { loses_transactions: true, ..Faults::default() }
}

/// A note of alice's on the hub, in the tree.
async fn issued(world: &World, running: &Running, salt: u8) -> hypha_protocol::operations::Resource {
    let note = note("alice", HUB_ID, 10, salt);
    let id = running.accept(&issue(&note)).await;
    world.until(running, &id, "finalized").await;
    note
}

/// The void that the API shows, and the code of the rejection.
fn void_of(view: &Value) -> (&str, &str) {
    (view["void"]["reason"].as_str().unwrap_or(""), view["reason"]["code"].as_str().unwrap_or(""))
}

async fn is_replayed(world: &World, running: &Running) {
    assert_eq!(world.replay().await.0, head(running), "the hub's logs alone give the same root");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_hub_is_executed_without_waiting_for_company() {
    let mut world = World::new();
    world.batch.max_age_ms = u64::MAX;
    let running = world.start().await;
    let asked = asks_issue_for(HUB_ID, 1, SPOKE_ID, 1);
    world.enqueue(&asked);
    let view = world.until_request(&running, &asked, "finalized").await;
    assert_eq!((view["position"].as_str(), view["dueAt"].as_str()), (Some("0"), Some("3000000000")));
    assert_eq!(
        (view["index"].as_str(), view["id"].as_str()),
        (Some("1"), Some(&*asked.operation_id().to_string()))
    );
    assert_eq!(view["content"]["issue"]["quantity"], "100");
    let stages: Vec<_> = view["stages"].as_array().unwrap().iter().map(|stage| &stage["stage"]).collect();
    for word in ["admitted", "batched", "committed", "delivered", "relayed", "reported", "finalized"] {
        assert!(stages.iter().any(|stage| *stage == word), "{word}: {stages:?}");
    }
    let (_, note) = running.get(&format!("/v1/resources/{}", view["created"][0].as_str().unwrap())).await;
    assert_eq!(note["resource"]["quantity"], "100", "{note:#}");
    let (_, batch) = running.get("/v1/batches/1").await;
    assert_eq!(batch["ids"][0], view["id"]);
    let (_, roots) = running.get("/v1/roots").await;
    assert_eq!(roots["roots"][0]["operations"], 1);
    is_replayed(&world, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_spoke_is_queued_until_the_hub_has_it() {
    let world = World::new();
    let running = world.start().await;
    let (first, second) = (asks_issue(SPOKE_ID, 1), asks_issue(SPOKE_ID, 2));
    world.queue_on_spoke(&first);
    world.spoke.mine();
    world.queue_on_spoke(&second);
    world.until_request(&running, &second, "queued").await;
    world.enqueue(&first);
    let view = world.until_request(&running, &first, "finalized").await;
    assert_eq!(
        (view["stages"][0]["stage"].as_str(), view["stages"][0]["chainId"].as_str()),
        (Some("queued"), Some("31338"))
    );
    let listed = async |query: &str| {
        let (status, page) = running.get(&format!("/v1/requests{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page:#}");
        let names = page["requests"].as_array().unwrap().iter();
        let names = names
            .map(|one| format!("{}/{}", one["chainId"].as_str().unwrap(), one["number"].as_str().unwrap()));
        (names.collect::<Vec<_>>(), page["cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(listed("?status=queued").await, (vec!["31338/2".to_owned()], None));
    assert_eq!(listed("?chain=31337").await.0, Vec::<String>::new());
    let (page, cursor) = listed("?chain=31338&limit=1").await;
    assert_eq!((page, cursor.as_deref()), (vec!["31338/1".to_owned()], Some("31338-1")));
    assert_eq!(listed("?limit=1&cursor=31338-1").await, (vec!["31338/2".to_owned()], None));
    // The spoke takes the second back, before the hub has it.
    world.spoke.reorg(1);
    running.stop().await.unwrap();
}

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

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_request_that_cannot_run_is_void_with_its_reason() {
    let world = World::new();
    let running = world.start().await;
    let (alices, other) = (issued(&world, &running, 1).await, issued(&world, &running, 2).await);
    let to_bob = [output("bob", HUB_ID, 10)];
    let cases = [
        // Its first spend runs, its second does not.
        (asks_transfer(HUB_ID, 1, "alice", &[alices.clone()], &to_bob), ""),
        (asks_transfer(HUB_ID, 2, "alice", &[alices.clone()], &[output("carol", HUB_ID, 10)]), "inputSpent"),
        (asks_transfer(HUB_ID, 3, "alice", &[note("alice", HUB_ID, 10, 77)], &to_bob), "inputAbsent"),
        // Asked for by a chain that says the same twice.
        (asks_issue_for(SPOKE_ID, 1, HUB_ID, 5), ""),
        (asks_issue_for(SPOKE_ID, 2, HUB_ID, 5), "outputExists"),
        (asks_issue_for(SPOKE_ID, 3, UNKNOWN_ID, 6), "unknownDomain"),
        // Several reasons: the first that holds.
        (asks_transfer(HUB_ID, 4, "alice", &[other, alices], &[output("bob", UNKNOWN_ID, 20)]), "inputSpent"),
        (asks_issue(HUB_ID, 5), ""),
    ];
    cases.iter().for_each(|(request, _)| world.enqueue(request));
    for (request, reason) in &cases {
        let status = if reason.is_empty() { "finalized" } else { "rejected" };
        let view = world.until_request(&running, request, status).await;
        let code = match *reason {
            "inputSpent" => "void_input_spent",
            "inputAbsent" => "void_input_absent",
            "outputExists" => "void_output_exists",
            "unknownDomain" => "void_unknown_domain",
            _ => "",
        };
        assert_eq!(void_of(&view), (*reason, code), "{view:#}");
    }
    let (_, view) = running.get(&path(&cases[6].0)).await;
    assert_eq!(view["void"]["position"], "1", "the second input is the spent one");
    let key = hypha_protocol::ids::word(hypha_protocol::ids::void_key(HUB_ID, 2));
    let (_, proof) = running.get(&format!("/v1/proofs/{key}")).await;
    assert_eq!(
        (proof["present"].as_bool(), proof["value"].as_str()),
        (Some(true), Some("0x31")),
        "{proof:#}"
    );
    assert_eq!(world.replay().await, (head(&running), 3, 5));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_request_makes_possible_is_not_void() {
    let world = World::new();
    let running = world.start().await;
    let first =
        asks_transfer(HUB_ID, 1, "alice", &[issued(&world, &running, 1).await], &[output("bob", HUB_ID, 10)]);
    let second = asks_transfer(HUB_ID, 2, "bob", &first.created(), &[output("carol", HUB_ID, 10)]);
    world.enqueue(&first);
    world.enqueue(&second);
    let index = async |request| world.until_request(&running, request, "finalized").await["index"].clone();
    assert_eq!((index(&first).await, index(&second).await), ("2".into(), "3".into()));
    is_replayed(&world, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_comes_before_every_transfer_that_touches_its_notes() {
    let world = World::new();
    let running = world.start().await;
    let note = issued(&world, &running, 1).await;
    let free = issued(&world, &running, 2).await;
    // One batch is under way, so that both wait for the next.
    world.hub.set_faults(losing());
    let blocker = running.accept(&transfer(&[free], &[output("bob", HUB_ID, 10)], &["alice"])).await;
    eventually("committed", async || {
        running.get(&format!("/v1/transfers/{blocker}")).await.1["status"] == "committed"
    })
    .await;
    let ours = transfer(&[note.clone()], &[output("bob", HUB_ID, 10)], &["alice"]);
    let ours = running.accept(&ours).await;
    let asked = asks_transfer(HUB_ID, 1, "alice", &[note.clone()], &[output("carol", HUB_ID, 10)]);
    world.enqueue(&asked);
    world.hub.mine();
    eventually("admitted", async || running.get(&path(&asked)).await.1["status"] == "admitted").await;
    let (status, answer) =
        running.submit(&transfer(&[note], &[output("alice", HUB_ID, 10)], &["alice"])).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("input_claimed")));
    world.hub.set_faults(Faults::default());
    world.until_request(&running, &asked, "finalized").await;
    let view = world.until(&running, &ours, "rejected").await;
    assert_eq!(view["reason"]["code"], "input_spent", "{view:#}");
    assert!(view["reason"]["detail"].as_str().unwrap().contains(&asked.operation_id().to_string()));
    // What it creates can be spent at once.
    let made = asked.created();
    let onward = running.accept(&transfer(&made, &[output("bob", HUB_ID, 10)], &["carol"])).await;
    world.until(&running, &onward, "finalized").await;
    is_replayed(&world, &running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_a_thousand_hostile_requests_is_resolved_beside_ordinary_transfers() {
    let world = World::new();
    let running = world.start().await;
    let spent = issued(&world, &running, 1).await;
    let ids = futures::future::join_all((2..5).map(|salt| {
        let operation = issue(&note("bob", HUB_ID, 3, salt));
        let running = &running;
        async move { running.accept(&operation).await }
    }))
    .await;
    let ask = |number: u64| match number % 10 {
        // Each of these takes a batch of its own: they read one key.
        0 if number.is_multiple_of(50) => {
            asks_transfer(HUB_ID, number, "alice", &[spent.clone()], &[output("bob", HUB_ID, 10)])
        }
        1 | 2 => asks_issue_for(HUB_ID, number, UNKNOWN_ID, number),
        3 => asks_transfer(
            HUB_ID,
            number,
            "alice",
            &[note("alice", HUB_ID, number, 9)],
            &[output("bob", HUB_ID, number)],
        ),
        _ => asks_issue(HUB_ID, number),
    };
    let requests: Vec<Request> = (1..=1_000).map(ask).collect();
    requests.iter().for_each(|request| world.enqueue(request));
    let view = world.until_request(&running, &requests[999], "rejected").await;
    assert_eq!(void_of(&view).0, "inputSpent");
    for id in ids {
        world.until(&running, &id, "finalized").await;
    }
    let (root, executed, void) = world.replay().await;
    assert_eq!((root, executed + void), (head(&running), 1_000));
    assert_eq!(void, 300 + 19, "the first of those that spend one note runs");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_reorg_drops_before_it_is_batched_is_gone() {
    let world = World::new();
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
    [&dropped, &remote].into_iter().for_each(|request| world.enqueue(request));
    world.hub.mine();
    eventually("admitted", async || running.get(&path(&remote)).await.1["status"] == "admitted").await;
    world.hub.reorg(1);
    world.queue().clear();
    world.hub.mine_many(2);
    eventually("queued again", async || running.get(&path(&remote)).await.1["status"] == "queued").await;
    assert_eq!(running.get(&path(&dropped)).await.0, StatusCode::NOT_FOUND);
    world.hub.set_faults(Faults::default());
    // They come again, the other way round.
    [&remote, &dropped].into_iter().for_each(|request| world.enqueue(request));
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
        world.queue().clear();
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
    eventually("adopted", async || running.get("/v1/batches/1").await.1["root"] == root.to_string()).await;
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
    let onward = Request::clone(&asks_issue(HUB_ID, 2));
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
