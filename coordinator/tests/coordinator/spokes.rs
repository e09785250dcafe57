//! A spoke in trouble: it is left alone, and everything else goes on.

use alloy::sol_types::SolEvent;
use axum::http::StatusCode;
use hypha_chain::ports::{BlockTag, Chain};
use hypha_chain::simulated::SimulatedChain;
use hypha_protocol::contracts::IRootVerifier::RootUpdated;

use super::world::*;

/// Waits until the spoke's trouble shows wherever it should.
async fn shown(running: &Running, what: &str) {
    eventually(what, async || {
        let (_, chains) = running.get("/v1/chains").await;
        chains["chains"][1]["error"].as_str().is_some_and(|error| error.contains(what))
    })
    .await;
    let (status, ready) = running.get("/readyz").await;
    assert_eq!((status, ready["ready"].as_bool()), (StatusCode::OK, Some(true)), "{ready:#}");
    assert!(ready["warnings"].to_string().contains(what), "{ready:#}");
}

/// Operations of either chain's notes still come to their end.
async fn operations_go_on(world: &World, running: &Running, salt: u8) {
    for domain in [HUB_ID, SPOKE_ID] {
        let id = running.accept(&issue(&note("alice", domain, 10, salt))).await;
        world.until(running, &id, "finalized").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoke_that_began_anew_stops_nothing_else_also_after_a_restart() {
    let world = World::new();
    let running = world.start().await;
    operations_go_on(&world, &running, 1).await;
    let blocks = world.spoke.block(BlockTag::Latest).await.unwrap().unwrap().number + 1;
    world.spoke.reorg_later(0, usize::try_from(blocks).unwrap(), blocks + 5);
    shown(&running, "reorg below height").await;
    operations_go_on(&world, &running, 2).await;
    shown(&running, "reorg below height").await;
    running.stop().await.unwrap();

    let running = world.start().await;
    shown(&running, "first block").await;
    operations_go_on(&world, &running, 3).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoke_with_another_chain_id_stops_nothing_else() {
    let mut world = World::new();
    world.spoke = SimulatedChain::new(99, 3);
    let running = world.start().await;
    shown(&running, "99").await;
    operations_go_on(&world, &running, 1).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoke_that_emits_nonsense_is_followed_again_once_it_is_gone() {
    let world = World::new();
    let running = world.start().await;
    operations_go_on(&world, &running, 1).await;
    world.spoke.emit(spoke_address(), vec![RootUpdated::SIGNATURE_HASH], vec![1]);
    world.spoke.mine();
    shown(&running, "RootUpdated").await;
    world.spoke.reorg(1);
    world.spoke.mine_many(2);
    eventually("followed again", async || {
        running.get("/readyz").await.1["warnings"].as_array().is_some_and(Vec::is_empty)
    })
    .await;
    operations_go_on(&world, &running, 2).await;
    running.stop().await.unwrap();
}
