//! When batches are made, of what, and how many are on their way at once.

use hypha_chain::ports::{BlockTag, Chain};
use hypha_chain::simulated::Faults;
use hypha_coordinator::config::BatchConfig;
use hypha_protocol::operations::Operation;
use hypha_protocol::replay::Replica;

use super::world::*;

/// A note, its transfer, and a transfer of what that makes: each needs the one before in the tree.
fn chain_of_three() -> [Operation; 3] {
    let first = note("alice", HUB_ID, 10, 1);
    let spend = transfer(std::slice::from_ref(&first), &[output("bob", HUB_ID, 10)], &["alice"]);
    let onward = transfer(&[made(&spend, 0)], &[output("carol", HUB_ID, 10)], &["bob"]);
    [issue(&first), spend, onward]
}

async fn accept_all(running: &Running, operations: &[Operation]) -> Vec<String> {
    let mut ids = Vec::new();
    for operation in operations {
        ids.push(running.accept(operation).await);
    }
    ids
}

async fn status(running: &Running, id: &str) -> String {
    running.get(&format!("/v1/transfers/{id}")).await.1["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_follow_one_another_into_one_block() {
    let world = World::new();
    let running = world.start().await;
    let ids = accept_all(&running, &chain_of_three()).await;
    eventually("three are on their way", async || world.hub.pool().len() == 3).await;
    world.hub.mine();
    for id in &ids {
        eventually("delivered", async || status(&running, id).await == "delivered").await;
    }
    assert_eq!(world.taken().await.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 3]);
    for id in &ids {
        world.until(&running, id, "finalized").await;
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_on_their_way_than_are_allowed() {
    let mut world = World::new();
    world.batch.max_in_flight = 2;
    let running = world.start().await;
    let ids = accept_all(&running, &chain_of_three()).await;
    eventually("two are on their way", async || world.hub.pool().len() == 2).await;
    eventually("the third waits for them", async || {
        running.get_text("/metrics").await.contains(r#"decision="waited",cause="in_flight""#)
    })
    .await;
    assert_eq!(status(&running, &ids[2]).await, "admitted");
    world.until(&running, &ids[2], "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_stand_on_a_lost_batch_go_with_it_and_come_again() {
    let world = World::new();
    let running = world.start().await;
    let mut replica = Replica::new(HUB_ID, hub_address());
    world.hub.set_faults(Faults { loses_transactions: true, ..Faults::default() });
    let ids = accept_all(&running, &chain_of_three()).await;
    eventually("all are committed", async || status(&running, &ids[2]).await == "committed").await;
    let root = world.foreign(1, &[issue(&note("bob", HUB_ID, 7, 2))], &mut replica);
    world.hub.mine();
    running.until_root(1, root).await;
    world.hub.set_faults(Faults::default());
    for (id, index) in ids.iter().zip(["2", "3", "4"]) {
        assert_eq!(world.until(&running, id, "finalized").await["index"], index);
    }
    assert_eq!(world.taken().await.len(), 4);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_on_their_way_survive_a_restart() {
    let world = World::new();
    let running = world.start().await;
    let ids = accept_all(&running, &chain_of_three()).await;
    eventually("three are on their way", async || world.hub.pool().len() == 3).await;
    running.stop().await.unwrap();
    let running = world.start().await;
    for (id, index) in ids.iter().zip(["1", "2", "3"]) {
        assert_eq!(world.until(&running, id, "finalized").await["index"], index);
    }
    assert_eq!(world.taken().await.len(), 3);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_urgent_waits_for_no_company_and_takes_along_who_is_there() {
    let mut world = World::new();
    world.batch = patient();
    let running = world.start().await;
    let normal = running.accept(&issue(&note("alice", HUB_ID, 1, 1))).await;
    eventually("it waits for company", async || {
        running.get_text("/metrics").await.contains(r#"decision="waited",cause="company""#)
    })
    .await;
    assert_eq!(status(&running, &normal).await, "admitted");
    let urgent = running.accept_urgent(&issue(&note("alice", HUB_ID, 1, 2))).await;
    let (one, other) = (
        world.until(&running, &urgent, "finalized").await,
        world.until(&running, &normal, "finalized").await,
    );
    assert_eq!((&one["index"], one["class"].as_str()), (&other["index"], Some("urgent")));
    assert_eq!(other["class"], "normal");
    assert!(running.get_text("/metrics").await.contains(r#"decision="made",cause="urgent""#));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_class_waits_for_all_of_the_other() {
    let mut world = World::new();
    world.batch = BatchConfig { max_operations: 4, max_in_flight: 1, ..world.batch };
    let running = world.start().await;
    running.accept(&issue(&note("alice", HUB_ID, 1, 1))).await;
    eventually("the first batch is on its way", async || !world.hub.pool().is_empty()).await;
    let one = |salt| issue(&note("alice", HUB_ID, 1, salt));
    let normal = accept_all(&running, &(10..15).map(one).collect::<Vec<_>>()).await;
    let mut urgent = Vec::new();
    for salt in 20..25 {
        urgent.push(running.accept_urgent(&one(salt)).await);
    }
    world.until(&running, &normal[4], "finalized").await;
    let mut batches = Vec::new();
    for index in 2..=4 {
        let (_, batch) = running.get(&format!("/v1/batches/{index}")).await;
        let ids: Vec<_> =
            batch["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        batches.push(ids);
    }
    assert_eq!(batches[0], [&urgent[..3], &normal[..1]].concat());
    assert_eq!(batches[1], [&urgent[3..], &normal[1..3]].concat());
    assert_eq!(batches[2], normal[3..]);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_class_is_a_bad_value() {
    let world = World::new();
    let running = world.start().await;
    let (_, body) = form(&issue(&note("alice", HUB_ID, 1, 1)));
    let (status, answer) = running.post("/v1/issues?class=first", body.to_string()).await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (400, Some("bad_value")), "{answer:#}");
    assert!(answer["detail"].as_str().unwrap().contains("normal or urgent"), "{answer:#}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_queue_waits_for_a_high_base_fee_to_fall() {
    let mut world = World::new();
    world.batch = BatchConfig { company_ms: 0, max_age_ms: u64::MAX, ..BatchConfig::default() };
    let running = world.start().await;
    let usual = world.hub.block(BlockTag::Latest).await.unwrap().unwrap().base_fee;
    let seen = async || running.get("/v1/chains").await.1["chains"][0]["head"].clone();
    for _ in 0..10 {
        let before = seen().await;
        world.hub.mine();
        eventually("seen", async || seen().await != before).await;
    }
    world.hub.set_base_fee(2 * usual);
    let before = seen().await;
    world.hub.mine();
    eventually("seen", async || seen().await != before).await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 1, 1))).await;
    eventually("it waits", async || {
        running.get_text("/metrics").await.contains(r#"decision="waited",cause="fee""#)
    })
    .await;
    assert_eq!(status(&running, &id).await, "admitted");
    world.hub.set_base_fee(usual);
    world.until(&running, &id, "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_classes_take_turns_also_in_batches_of_one() {
    let mut world = World::new();
    world.batch = BatchConfig { max_operations: 1, max_in_flight: 1, ..world.batch };
    let running = world.start().await;
    let one = |salt| issue(&note("alice", HUB_ID, 1, salt));
    running.accept(&one(1)).await;
    eventually("the first batch is on its way", async || !world.hub.pool().is_empty()).await;
    let normal = accept_all(&running, &[one(10), one(11)]).await;
    let mut urgent = Vec::new();
    for salt in 20..25 {
        urgent.push(running.accept_urgent(&one(salt)).await);
    }
    let mut order = Vec::new();
    for id in [&urgent[..3], &normal[..1], &urgent[3..], &normal[1..]].concat() {
        order.push(world.until(&running, &id, "finalized").await["index"].as_str().unwrap().to_owned());
    }
    assert_eq!(order, ["2", "3", "4", "5", "6", "7", "8"]);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_ends_when_the_batch_is_on_its_way_again_also_under_load() {
    let world = World::new();
    let running = world.start().await;
    world.refuse(Some(vec![0xba, 0xd2]));
    let ids = accept_all(&running, &chain_of_three()).await;
    let troubled =
        async || running.get("/readyz").await.1["reasons"].to_string().contains("the hub refuses it");
    eventually("it is refused", troubled).await;
    world.refuse(None);
    eventually("three are on their way", async || world.hub.pool().len() == 3).await;
    eventually("no trouble is left", async || !troubled().await).await;
    for id in &ids {
        world.until(&running, id, "finalized").await;
    }
    running.stop().await.unwrap();
}
