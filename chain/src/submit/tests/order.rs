//! Which transactions go out behind which.

use super::*;

#[tokio::test]
async fn holes_are_filled_first_by_what_waits_then_by_nothing() {
    let service = Service::new();
    service.chain.mine_many(5);
    service.intrude(0).await.unwrap();
    service.intrude(1).await.unwrap();
    service.chain.mine();
    service.intend("a");
    service.drive().await;
    assert_eq!(service.sent("a").await.1, 2);
    service.chain.reorg(1);
    service.chain.mine();
    service.intend("b");
    service.drive().await;
    assert_eq!(service.sent("b").await.1, 0, "the lowest hole");
    service.mine_and_drive(3).await;
    assert!(matches!(service.status("b").await, IntentStatus::Mined { .. }));
    assert!(matches!(service.status("a").await, IntentStatus::Mined { .. }), "nonce 1 was filled");
    service.mine_and_drive(FINAL_DEPTH + 1).await;
    assert!(service.is_final("a").await && service.is_final("b").await);
    assert_eq!(service.store.last(TABLES.open).unwrap(), None, "fillers leave nothing behind");
    assert_eq!(service.store.scan(TABLES.done, &[], 9).unwrap().len(), 2);
}

#[tokio::test]
async fn a_call_that_needs_what_is_under_way_waits_for_it() {
    let service = Service::new();
    let first_ran = after_first(&service.chain);
    service.intend("a");
    service.intend("b");
    service.drive().await;
    assert_eq!((service.sent("a").await.1, service.status("b").await), (0, IntentStatus::Queued));
    first_ran.store(true, Ordering::Relaxed);
    service.mine_and_drive(1).await;
    assert_eq!(service.sent("b").await.1, 1);
}

#[tokio::test]
async fn no_more_than_the_bound_is_in_flight_and_all_come_through() {
    let service = Service::new();
    let ids: Vec<String> = (0..40).map(|number| format!("{number:02}")).collect();
    ids.iter().for_each(|id| service.intend(id));
    service.drive().await;
    service.drive().await;
    assert_eq!(service.chain.pool().len(), MAX_IN_FLIGHT);
    assert_eq!(service.status("16").await, IntentStatus::Queued);
    service.mine_and_drive(3 + FINAL_DEPTH).await;
    for id in &ids {
        assert!(service.is_final(id).await, "{id}");
    }
    assert_eq!(service.executions().await, ids.into_iter().map(|id| (id, 1)).collect());
}

#[tokio::test]
async fn a_call_whose_gas_is_known_follows_what_it_needs_in_the_same_block() {
    let service = Service::new();
    let first_ran = after_first(&service.chain);
    service.intend("a");
    for id in ["b", "c"] {
        let changes =
            service.submitter.following_intent(id, HUB, Bytes::copy_from_slice(id.as_bytes()), 77_000);
        service.store.write(changes).unwrap();
    }
    service.drive().await;
    for (id, nonce) in [("a", 0), ("b", 1), ("c", 2)] {
        assert_eq!(service.sent(id).await.1, nonce);
    }
    first_ran.store(true, Ordering::Relaxed);
    service.mine_and_drive(1).await;
    assert_eq!(service.executions().await.into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    service.mine_and_drive(FINAL_DEPTH).await;
    assert!(service.is_final("c").await);
}

#[tokio::test]
async fn a_call_that_would_follow_is_refused_when_nothing_is_under_way() {
    let service = Service::new();
    after_first(&service.chain);
    let changes = service.submitter.following_intent("b", HUB, Bytes::from_static(b"b"), 77_000);
    service.store.write(changes).unwrap();
    service.drive().await;
    assert!(matches!(service.status("b").await, IntentStatus::Refused { .. }));
    assert!(service.chain.pool().is_empty());
}

#[tokio::test]
async fn an_intent_is_withdrawn_while_it_has_no_transaction() {
    let service = Service::new();
    service.intend("a");
    service.store.write(service.submitter.withdrawal("a")).unwrap();
    service.drive().await;
    assert_eq!(service.submitter.status("a").await.unwrap(), None);
    service.intend("b");
    service.drive().await;
    service.store.write(service.submitter.withdrawal("b")).unwrap();
    service.mine_and_drive(1).await;
    assert_eq!(service.executions().await.get("b"), Some(&1), "what is sent goes on");
}

/// Contracts that refuse all calls but `a` until the flag is set.
fn after_first(chain: &SimulatedChain) -> Arc<AtomicBool> {
    let first_ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&first_ran);
    chain.set_contracts(move |call| match call.data[0] != b'a' && !seen.load(Ordering::Relaxed) {
        true => Err(Bytes::from_static(&[0xbb])),
        false => Ok(Execution { output: Bytes::new(), logs: vec![(call.to, vec![], call.data.clone())] }),
    });
    first_ran
}
