//! Requests: whatever they say, each is resolved in its turn, and nothing else waits for long.

use axum::http::StatusCode;
use hypha_chain::ports::{BlockTag, Chain as _};
use hypha_chain::simulated::Faults;
use hypha_coordinator::config::BatchConfig;
use hypha_protocol::operations::{Content, Operation, Output, Request, Resource, Transfer};
use serde_json::{Value, json};

use super::asking::*;
use super::events::read as events;
use super::world::*;

const UNKNOWN_ID: u64 = 99;

/// A note of alice's on the hub, in the tree.
async fn issued(world: &World, running: &Running, salt: u8) -> Resource {
    let note = note("alice", HUB_ID, 10, salt);
    let id = running.accept(&issue(&note)).await;
    world.until(running, &id, "finalized").await;
    note
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_hub_is_executed_without_waiting_for_company() {
    let mut world = World::new();
    world.batch = patient();
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
    let mut told: Vec<String> =
        events(&running, "/v1/events?after=0", None, 7).await.into_iter().map(|(_, word)| word).collect();
    told.sort();
    assert_eq!(told, ["admitted", "batched", "committed", "delivered", "finalized", "relayed", "reported"]);
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
    let mut world = World::new();
    world.batch.max_in_flight = 1;
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

/// A transfer to hand in, of a note that a request brought into being, where operations wait for company for ever and requests
/// do not.
struct Prepared {
    world: World,
    running: Running,
    transfer: Transfer,
    id: String,
}

impl Prepared {
    /// Its deadline is so many seconds after the hub's time; of these each block takes one.
    async fn due_in(seconds: u64) -> Self {
        let mut world = World::new();
        world.batch = BatchConfig { max_in_flight: 1, ..patient() };
        let running = world.start().await;
        let first = asks_issue(HUB_ID, 1);
        world.enqueue(&first);
        world.until_request(&running, &first, "finalized").await;
        let deadline = world.hub.block(BlockTag::Latest).await.unwrap().unwrap().time + seconds;
        let inputs = first.created();
        let outputs = [Output { kind: inputs[0].kind, ..output("bob", HUB_ID, 100) }];
        let transfer = transfer_until(&inputs, &outputs, &["alice"], deadline);
        let id = Operation::Transfer(transfer.clone()).id().to_string();
        Self { world, running, transfer, id }
    }

    async fn hand_in(&self) {
        self.running.accept(&Operation::Transfer(self.transfer.clone())).await;
    }

    /// A request for the same transfer. Whose note it is asks for it, and does not sign.
    fn asks(&self, number: u64) -> Request {
        let transfer = Transfer { signatures: Vec::new(), ..self.transfer.clone() };
        let content = Content::Transfer(transfer);
        let asked = Request::new(HUB_ID, number, key("alice").address(), content).unwrap();
        assert_eq!(asked.operation_id().to_string(), self.id);
        asked
    }

    async fn until(&self, status: &str) -> Value {
        self.world.until(&self.running, &self.id, status).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_also_requested_ends_as_its_request_does() {
    let prepared = Prepared::due_in(1_000_000).await;
    prepared.hand_in().await;
    let Prepared { world, running, .. } = &prepared;
    let asked = prepared.asks(2);
    world.enqueue(&asked);
    let request = world.until_request(running, &asked, "finalized").await;
    let view = prepared.until("finalized").await;
    let name = json!({ "chainId": HUB_ID.to_string(), "number": "2" });
    assert_eq!((&view["request"], &view["index"]), (&name, &request["index"]), "{view:#}");
    let stage = |view: &Value, word: &str| {
        let mut stages = view["stages"].as_array().unwrap().iter();
        stages.find(|stage| stage["stage"] == word).unwrap()["tx"].clone()
    };
    assert_eq!(stage(&view, "delivered"), stage(&request, "delivered"));
    is_replayed(world, running).await;
    prepared.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_whose_deadline_passes_while_its_request_waits_is_executed() {
    let prepared = Prepared::due_in(100).await;
    let Prepared { world, running, .. } = &prepared;
    let (other, asked) = (asks_issue(HUB_ID, 2), prepared.asks(3));
    world.hub.set_faults(losing());
    world.enqueue(&other);
    world.hub.mine();
    eventually("committed", async || running.get(&path(&other)).await.1["status"] == "committed").await;
    prepared.hand_in().await;
    world.enqueue(&asked);
    world.hub.mine_many(200);
    eventually("admitted", async || running.get(&path(&asked)).await.1["status"] == "admitted").await;
    world.hub.set_faults(Faults::default());
    world.until_request(running, &asked, "finalized").await;
    prepared.until("finalized").await;
    prepared.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_was_rejected_before_its_request_came_ends_as_its_request_does() {
    let prepared = Prepared::due_in(100).await;
    let Prepared { world, running, .. } = &prepared;
    prepared.hand_in().await;
    world.hub.mine_many(100);
    let view = prepared.until("rejected").await;
    assert_eq!(view["reason"]["code"], "deadline_passed", "{view:#}");
    let asked = prepared.asks(2);
    world.enqueue(&asked);
    let request = world.until_request(running, &asked, "finalized").await;
    let view = prepared.until("finalized").await;
    let name = json!({ "chainId": HUB_ID.to_string(), "number": "2" });
    assert_eq!((&view["request"], &view["reason"]), (&name, &Value::Null), "{view:#}");
    assert_eq!(view["index"], request["index"]);
    is_replayed(world, running).await;
    prepared.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_was_rejected_stays_so_when_its_request_is_void() {
    let prepared = Prepared::due_in(100).await;
    let Prepared { world, running, transfer, .. } = &prepared;
    prepared.hand_in().await;
    world.hub.mine_many(100);
    prepared.until("rejected").await;
    let outputs = [Output { owner: key("carol").address(), ..transfer.outputs[0].clone() }];
    let other = asks_transfer(HUB_ID, 2, "alice", &transfer.inputs, &outputs);
    let asked = prepared.asks(3);
    [&other, &asked].into_iter().for_each(|request| world.enqueue(request));
    world.until_request(running, &asked, "rejected").await;
    let (_, view) = running.get(&format!("/v1/transfers/{}", prepared.id)).await;
    assert_eq!((&view["status"], &view["request"]), (&json!("rejected"), &Value::Null), "{view:#}");
    prepared.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_whose_request_is_void_ends_by_itself() {
    let prepared = Prepared::due_in(1_000_000).await;
    prepared.hand_in().await;
    let Prepared { world, running, transfer, .. } = &prepared;
    let outputs = [Output { owner: key("carol").address(), ..transfer.outputs[0].clone() }];
    let other = asks_transfer(HUB_ID, 2, "alice", &transfer.inputs, &outputs);
    let asked = prepared.asks(3);
    [&other, &asked].into_iter().for_each(|request| world.enqueue(request));
    world.until_request(running, &asked, "rejected").await;
    let view = prepared.until("rejected").await;
    assert_eq!(
        (&view["reason"]["code"], &view["request"]),
        (&json!("input_spent"), &Value::Null),
        "{view:#}"
    );
    assert!(view["reason"]["detail"].as_str().unwrap().contains(&other.operation_id().to_string()));
    prepared.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_whose_executed_request_a_reorg_drops_is_executed_by_itself() {
    let prepared = Prepared::due_in(1_000_000).await;
    prepared.hand_in().await;
    let Prepared { world, running, id, .. } = &prepared;
    let asked = prepared.asks(2);
    world.enqueue(&asked);
    world.hub.mine();
    eventually("sent", async || !world.hub.pool().is_empty()).await;
    world.hub.mine();
    eventually("delivered", async || running.get(&path(&asked)).await.1["status"] == "delivered").await;
    assert_eq!(running.get(&format!("/v1/transfers/{id}")).await.1["status"], "admitted");
    world.hub.reorg(2);
    world.queue().pop();
    world.hub.mine_many(4);
    eventually("gone", async || running.get(&path(&asked)).await.0 == StatusCode::NOT_FOUND).await;
    // Which is company.
    world.enqueue(&asks_issue(HUB_ID, 2));
    let view = prepared.until("finalized").await;
    assert_eq!(view["request"], Value::Null, "{view:#}");
    is_replayed(world, running).await;
    prepared.running.stop().await.unwrap();
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
