//! Operations on their way: once, in order, through reorgs and beside another sequencer.

use axum::http::StatusCode;
use hypha_chain::ports::{BlockTag, Chain};
use hypha_chain::simulated::Faults;
use hypha_protocol::ids::{nullifier_of, resource_id};
use hypha_protocol::replay::Replica;

use super::world::*;

fn stages(view: &serde_json::Value) -> Vec<String> {
    let stages = view["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["stage"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_and_a_transfer_are_finalized_with_all_their_stages() {
    let world = World::new();
    let running = world.start().await;
    let first = note("alice", SPOKE_ID, 100, 1);
    let id = running.accept(&issue(&first)).await;
    world.until(&running, &id, "finalized").await;
    let spend =
        transfer(&[first.clone()], &[output("bob", HUB_ID, 60), output("alice", SPOKE_ID, 40)], &["alice"]);
    let id = running.accept(&spend).await;
    let view = world.until(&running, &id, "finalized").await;
    let mut seen = stages(&view);
    // Of two chains, either may be seen first.
    seen[3..6].sort();
    let expected = ["admitted", "batched", "committed", "delivered", "relayed", "reported", "finalized"];
    assert_eq!(seen, expected, "{view:#}");
    assert_eq!((view["type"].as_str(), view["index"].as_str()), (Some("transfer"), Some("2")));
    let delivered =
        view["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "delivered").unwrap();
    assert!(delivered["gas"].is_string() && delivered["tx"].is_string() && delivered["chainId"] == "31337");
    assert_eq!(view["operation"], form(&spend).1);

    let (_, batch) = world.store.last("batches").unwrap().unwrap();
    let batch: serde_json::Value = serde_json::from_slice(&batch).unwrap();
    assert_eq!(batch["attempt"], 0, "the intention that was stored with the batch took it to the hub");

    let (_, page) = running.get(&format!("/v1/resources?owner={}&unspent=true", key("bob").address())).await;
    assert_eq!(page["resources"][0]["id"], resource_id(&made(&spend, 0)).to_string());
    let (_, spent) = running.get(&format!("/v1/resources/{}", resource_id(&first))).await;
    assert_eq!(
        (spent["spent"]["transfer"].as_str(), spent["spent"]["index"].as_str()),
        (Some(&*id), Some("2"))
    );
    let (_, nullifier) = running.get(&format!("/v1/nullifiers/{}", nullifier_of(&first))).await;
    assert_eq!((nullifier["spent"].as_bool(), nullifier["transfer"].as_str()), (Some(true), Some(&*id)));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_waits_for_the_spokes_that_it_concerns_and_for_no_other() {
    let world = World::new();
    let running = world.start().await;
    let far = running.accept(&issue(&note("alice", SPOKE_ID, 10, 1))).await;
    let near = running.accept(&issue(&note("alice", HUB_ID, 10, 2))).await;
    let status = async |id: &str| running.get(&format!("/v1/transfers/{id}")).await.1["status"].clone();
    // The hub goes on alone.
    eventually("final on the hub", async || {
        world.hub.mine();
        status(&near).await == "finalized"
    })
    .await;
    assert_eq!(status(&far).await, "delivered");
    let index = running.get(&format!("/v1/transfers/{far}")).await.1["index"].clone();
    let (_, batch) = running.get(&format!("/v1/batches/{}", index.as_str().unwrap())).await;
    assert_eq!(batch["status"], "delivered");
    world.until(&running, &far, "finalized").await;
    // Memory follows the disk, which said so.
    world.until_at(&running, &format!("/v1/batches/{}", index.as_str().unwrap()), "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_has_one_effect() {
    let world = World::new();
    let running = world.start().await;
    let operation = issue(&note("alice", HUB_ID, 5, 1));
    let answers = futures::future::join_all((0..8).map(|_| running.accept(&operation))).await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    world.until(&running, &answers[0], "finalized").await;
    let (status, answer) = running.submit(&operation).await;
    assert_eq!((status, answer["status"].as_str()), (StatusCode::ACCEPTED, Some("finalized")));
    assert_eq!(world.taken().await.len(), 1);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_an_admitted_transfer_spends_is_claimed_also_after_a_restart() {
    let mut world = World::new();
    world.batch = patient();
    let running = world.start().await;
    let first = note("alice", HUB_ID, 10, 1);
    running.accept(&issue(&first)).await;
    let winner = running.accept(&transfer(&[first.clone()], &[output("bob", HUB_ID, 10)], &["alice"])).await;
    let rival = transfer(&[first], &[output("carol", HUB_ID, 10)], &["alice"]);
    let claimed = async |running: &Running| {
        let (status, answer) = running.submit(&rival).await;
        assert_eq!((status, answer["code"].as_str()), (StatusCode::CONFLICT, Some("input_claimed")));
        assert_eq!(answer["transfer"], winner);
    };
    claimed(&running).await;
    running.stop().await.unwrap();
    let running = world.start().await;
    claimed(&running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_spend_a_note_is_refused_while_and_after_the_other_is_delivered() {
    let world = World::new();
    let running = world.start().await;
    let first = note("alice", HUB_ID, 10, 1);
    let id = running.accept(&issue(&first)).await;
    world.until(&running, &id, "finalized").await;
    // The hub's node loses it, so that the first spender waits.
    world.hub.set_faults(Faults { loses_transactions: true, ..Faults::default() });
    let winner = running.accept(&transfer(&[first.clone()], &[output("bob", HUB_ID, 10)], &["alice"])).await;
    let rival = transfer(&[first], &[output("carol", HUB_ID, 10)], &["alice"]);
    let (status, answer) = running.submit(&rival).await;
    assert_eq!((status, answer["transfer"].as_str()), (StatusCode::CONFLICT, Some(&*winner)), "{answer:#}");
    assert!(["input_claimed", "input_spent"].contains(&answer["code"].as_str().unwrap()));
    world.hub.set_faults(Faults::default());
    world.until(&running, &winner, "finalized").await;
    let (_, answer) = running.submit(&rival).await;
    assert_eq!((answer["code"].as_str(), answer["transfer"].as_str()), (Some("input_spent"), Some(&*winner)));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_uses_an_output_under_way_waits_for_the_next_batch() {
    let world = World::new();
    let running = world.start().await;
    let first = note("alice", HUB_ID, 10, 1);
    let issued = issue(&first);
    let spend = transfer(&[first], &[output("bob", HUB_ID, 10)], &["alice"]);
    let onward = transfer(&[made(&spend, 0)], &[output("carol", SPOKE_ID, 10)], &["bob"]);
    let (a, b) = (running.accept(&issued).await, running.accept(&spend).await);
    let c = running.accept(&onward).await;
    let last = world.until(&running, &c, "finalized").await;
    let index = async |id: &str| world.until(&running, id, "finalized").await["index"].clone();
    assert_eq!((index(&a).await, index(&b).await), ("1".into(), "2".into()));
    assert_eq!(last["index"], "3");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_of_the_hub_brings_the_same_batch_again() {
    let world = World::new();
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 10, 1))).await;
    let status = async || running.get(&format!("/v1/transfers/{id}")).await.1["status"].clone();
    // Exactly one block, so that the reorg's depth is known however slow this machine is.
    eventually("sent", async || !world.hub.pool().is_empty()).await;
    world.hub.mine();
    eventually("delivered", async || status().await == "delivered").await;
    let (_, before) = running.get(&format!("/v1/transfers/{id}")).await;
    world.hub.reorg(1);
    assert!(world.taken().await.is_empty(), "the reorg drops the batch");
    world.hub.mine_many(3);
    eventually("committed again", async || status().await == "committed").await;
    let after = world.until(&running, &id, "finalized").await;
    assert_eq!((&before["root"], &before["index"]), (&after["root"], &after["index"]));
    assert_eq!(world.taken().await.len(), 1);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_batch_returns_and_its_operations_come_again() {
    let world = World::new();
    let running = world.start().await;
    let mut replica = Replica::new(HUB_ID, hub_address());
    // The hub's node loses our transactions, and another's batch comes first.
    world.hub.set_faults(Faults { loses_transactions: true, ..Faults::default() });
    let (wanted, expiring) = (issue(&note("alice", HUB_ID, 10, 1)), issue(&note("alice", HUB_ID, 11, 4)));
    let (id, other) = (running.accept(&wanted).await, running.accept(&expiring).await);
    eventually("committed", async || {
        running.get(&format!("/v1/transfers/{id}")).await.1["status"] == "committed"
    })
    .await;
    let stranger = issue(&note("bob", HUB_ID, 7, 2));
    let root = world.foreign(1, std::slice::from_ref(&stranger), &mut replica);
    world.hub.mine();
    running.until_root(1, root).await;
    let stranger_id = stranger.id().to_string();
    assert_eq!(running.get(&format!("/v1/transfers/{stranger_id}")).await.1["index"], "1");
    world.hub.set_faults(Faults::default());
    let view = world.until(&running, &id, "finalized").await;
    assert_ne!(view["index"], "1");
    world.until(&running, &other, "finalized").await;
    world.until(&running, &stranger_id, "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_sequencer_spent_is_rejected_with_its_reason() {
    let world = World::new();
    let running = world.start().await;
    let mut replica = Replica::new(HUB_ID, hub_address());
    let first = note("alice", HUB_ID, 10, 1);
    world.foreign(1, &[issue(&first)], &mut replica);
    world.hub.mine();
    eventually("adopted", async || running.get("/v1/batches/1").await.0 == StatusCode::OK).await;
    world.hub.set_faults(Faults { loses_transactions: true, ..Faults::default() });
    let ours = running.accept(&transfer(&[first.clone()], &[output("bob", HUB_ID, 10)], &["alice"])).await;
    let theirs = transfer(&[first], &[output("carol", HUB_ID, 10)], &["alice"]);
    world.foreign(2, std::slice::from_ref(&theirs), &mut replica);
    let view = world.until(&running, &ours, "rejected").await;
    assert_eq!(view["reason"]["code"], "input_spent", "{view:#}");
    assert!(view["reason"]["detail"].as_str().unwrap().contains(&theirs.id().to_string()));
    world.until(&running, &theirs.id().to_string(), "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rivals_that_a_reorg_brings_together_one_is_executed_and_the_other_rejected() {
    let world = World::new();
    let running = world.start().await;
    let mut replica = Replica::new(HUB_ID, hub_address());
    let first = note("alice", HUB_ID, 10, 1);
    world.foreign(1, &[issue(&first)], &mut replica);
    world.hub.mine_many(5);
    eventually("adopted", async || running.get("/v1/batches/1").await.0 == StatusCode::OK).await;
    let status = async |id: &str| running.get(&format!("/v1/transfers/{id}")).await.1["status"].clone();
    world.hub.set_faults(Faults { loses_transactions: true, ..Faults::default() });
    let ours = running.accept(&transfer(&[first.clone()], &[output("bob", HUB_ID, 10)], &["alice"])).await;
    eventually("committed", async || status(&ours).await == "committed").await;
    let theirs = transfer(&[first], &[output("carol", HUB_ID, 10)], &["alice"]);
    world.foreign(2, std::slice::from_ref(&theirs), &mut replica);
    world.hub.mine();
    let theirs = theirs.id().to_string();
    eventually("theirs is on the hub", async || status(&theirs).await == "delivered").await;
    assert_eq!(status(&ours).await, "admitted", "what it waits for is not final");
    world.hub.reorg(1);
    world.hub.mine_many(2);
    eventually("neither is on the hub", async || status(&theirs).await != "delivered").await;
    world.hub.set_faults(Faults::default());
    world.until(&running, &ours, "finalized").await;
    let view = world.until(&running, &theirs, "rejected").await;
    assert_eq!(view["reason"]["code"], "input_spent", "{view:#}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_is_filled_from_the_hub() {
    let mut world = World::new();
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", SPOKE_ID, 10, 1))).await;
    let view = world.until(&running, &id, "finalized").await;
    running.stop().await.unwrap();
    world.store = std::sync::Arc::new(hypha_chain::MemoryStore::new());
    let running = world.start().await;
    let again = world.until(&running, &id, "finalized").await;
    assert_eq!((&view["root"], &view["operation"]), (&again["root"], &again["operation"]));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_finality_stops_the_writers_for_good_and_reads_go_on() {
    let world = World::new();
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 10, 1))).await;
    world.until(&running, &id, "finalized").await;
    let head = world.hub.block(BlockTag::Latest).await.unwrap().unwrap().number;
    world.hub.reorg(usize::try_from(head).unwrap());
    world.hub.mine_many(2 * head);
    eventually("not ready", async || {
        running.get("/readyz").await.1["reasons"].to_string().contains("stopped by the guard")
    })
    .await;
    let (status, answer) = running.submit(&issue(&note("alice", HUB_ID, 11, 2))).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("halted")));
    running.stop().await.unwrap();
    let running = world.start().await;
    let (status, answer) = running.get("/readyz").await;
    assert_eq!((status, answer["ready"].as_bool()), (StatusCode::SERVICE_UNAVAILABLE, Some(false)));
    assert_eq!(running.get(&format!("/v1/transfers/{id}")).await.1["status"], "finalized");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_of_the_root_that_the_chain_holds() {
    use hypha_tree::{Key, Root, Touch, ValueHash, verify};
    let world = World::new();
    let running = world.start().await;
    let (first, second) = (note("alice", SPOKE_ID, 10, 1), note("alice", SPOKE_ID, 11, 2));
    let id = running.accept(&issue(&first)).await;
    world.until(&running, &id, "finalized").await;
    // The spoke stays where it is, the hub goes on.
    let id = running.accept(&issue(&second)).await;
    eventually("delivered", async || {
        world.hub.mine();
        running.get(&format!("/v1/transfers/{id}")).await.1["status"] == "delivered"
    })
    .await;
    let check = |proof: &serde_json::Value, resource, present: bool| {
        let bytes = |name: &str| alloy::hex::decode(proof[name].as_str().unwrap()).unwrap();
        let word = |name: &str| <[u8; 32]>::try_from(bytes(name)).unwrap();
        assert_eq!(proof["present"], present, "{proof:#}");
        let old = present.then(|| ValueHash::of(&bytes("value")));
        assert!(old.is_none_or(|old| *old.as_bytes() == resource_id(resource).0));
        let touch = Touch { key: Key::from(word("key")), old, new: None };
        verify(Root::from(word("root")), &[touch], &bytes("proof")).unwrap();
    };
    let get =
        async |resource, query: &str| running.get(&format!("/v1/proofs/{}{query}", key_of(resource))).await.1;
    let spoke = get(&second, "?chain=31338").await;
    assert_eq!((spoke["index"].as_str(), spoke["chainId"].as_str()), (Some("1"), Some("31338")));
    check(&spoke, &second, false);
    check(&get(&first, "?chain=31338").await, &first, true);
    check(&get(&second, "?chain=31337").await, &second, true);
    check(&get(&second, "?index=1").await, &second, false);
    check(&get(&second, "?index=2").await, &second, true);
    check(&get(&first, "").await, &first, true);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_batches_and_pages_are_listed() {
    let world = World::new();
    let running = world.start().await;
    for salt in 1..=3 {
        let id = running.accept(&issue(&note("alice", HUB_ID, 10, salt))).await;
        world.until(&running, &id, "finalized").await;
    }
    let (_, roots) = running.get("/v1/roots?limit=2").await;
    let indexes = |page: &serde_json::Value| -> Vec<String> {
        page["roots"]
            .as_array()
            .unwrap()
            .iter()
            .map(|root| root["index"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(indexes(&roots), ["3", "2"]);
    let before = roots["before"].as_str().unwrap();
    let (_, roots) = running.get(&format!("/v1/roots?limit=2&before={before}")).await;
    assert_eq!(indexes(&roots), ["1", "0"]);
    let (_, batch) = running.get("/v1/batches/2").await;
    assert_eq!(
        (batch["status"].as_str(), batch["ids"].as_array().map(Vec::len)),
        (Some("finalized"), Some(1))
    );
    let (_, page) = running.get("/v1/resources?limit=2").await;
    let cursor = page["cursor"].as_str().unwrap();
    let (_, rest) = running.get(&format!("/v1/resources?limit=2&cursor={cursor}")).await;
    let count = |page: &serde_json::Value| page["resources"].as_array().map(Vec::len);
    assert_eq!((count(&page), count(&rest), rest["cursor"].as_str()), (Some(2), Some(1), None));
    let (_, chains) = running.get("/v1/chains").await;
    assert_eq!(
        (chains["chains"][0]["role"].as_str(), chains["chains"][0]["index"].as_str()),
        (Some("hub"), Some("3"))
    );
    running.stop().await.unwrap();
}
