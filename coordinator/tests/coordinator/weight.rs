//! Batches stay within what one transaction carries.

use hypha_coordinator::config::BatchConfig;

use super::world::*;

/// Eight issues that came together, all finalized; gives the number of members of each batch.
async fn batches_of_eight_issues(change: impl FnOnce(&mut BatchConfig)) -> Vec<usize> {
    let mut world = World::new();
    world.batch.max_age_ms = 300;
    change(&mut world.batch);
    let running = world.start().await;
    let mut ids = Vec::new();
    for salt in 1..=8 {
        ids.push(running.accept(&issue(&note("alice", SPOKE_ID, 100, salt))).await);
    }
    for id in &ids {
        world.until(&running, id, "finalized").await;
    }
    let mut sizes = Vec::new();
    for (index, _) in world.taken().await {
        let (_, batch) = running.get(&format!("/v1/batches/{index}")).await;
        sizes.push(batch["ids"].as_array().unwrap().len());
    }
    running.stop().await.unwrap();
    sizes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_too_large_for_a_transaction_is_halved_until_it_fits() {
    let sizes = batches_of_eight_issues(|batch| batch.max_calldata_bytes = 1_024).await;
    assert_eq!(sizes.iter().sum::<usize>(), 8, "{sizes:?}");
    // An issue packs to 215 bytes and more, so not five fit, and that at least two do is found by halving eight.
    assert!(sizes[0] >= 2 && sizes.iter().all(|size| *size <= 4), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_touches_no_more_keys_than_its_bound() {
    let sizes = batches_of_eight_issues(|batch| batch.max_keys = 3).await;
    assert_eq!(sizes, [3, 3, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_needs_more_gas_than_its_bound_is_halved_before_a_node_is_asked() {
    // Eight do not fit half a million gas by our own bound. The node would take them: it finds everything cheap.
    let sizes = batches_of_eight_issues(|batch| batch.max_gas = 1 << 19).await;
    assert_eq!(sizes.iter().sum::<usize>(), 8, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 4), "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_node_finds_too_expensive_is_halved_until_it_is_one_operation() {
    let mut world = World::new();
    world.batch.max_age_ms = 300;
    world.hub.set_gas(20_000_000);
    let running = world.start().await;
    let mut ids = Vec::new();
    for salt in 1..=4 {
        ids.push(running.accept(&issue(&note("alice", HUB_ID, 100, salt))).await);
    }
    eventually("alone and too expensive", async || {
        let reasons = running.get("/readyz").await.1["reasons"].to_string();
        let (_, batch) = running.get("/v1/batches/1").await;
        reasons.contains("needs 20000000 gas of 16700000") && batch["ids"].as_array().map(Vec::len) == Some(1)
    })
    .await;
    assert!(world.taken().await.is_empty(), "nothing was sent");
    world.hub.set_gas(1_000_000);
    for id in &ids {
        world.until(&running, id, "finalized").await;
    }
    running.stop().await.unwrap();
}
