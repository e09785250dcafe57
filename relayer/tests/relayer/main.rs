//! The relayer over simulated chains and attestors that lie, die and come late.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its scaffolding")]

mod contracts;
mod requests;
mod world;

use std::sync::Arc;

use alloy::primitives::B256;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hypha_chain::ports::Store;
use hypha_chain::simulated::Faults;
use hypha_chain::{MemoryStore, SystemClock};
use hypha_protocol::fact::{Attestation, Fact, FactName, Signed};
use hypha_relayer::{AttestorRecord, Attestors, Destination, RelayConfig, Relayer, RelayerError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use world::Manner::*;
use world::*;

const WELL: [Manner; 3] = [Honest; 3];

/// A relayer at work; dropping the token's guard stops it.
struct Running {
    relayer: Arc<Relayer>,
    work: JoinHandle<Result<(), RelayerError>>,
    stop: CancellationToken,
}

impl Running {
    fn start(world: &Arc<World>, relay: RelayConfig) -> Self {
        Self::over(world, Arc::new(MemoryStore::new()), relay)
    }

    fn over(world: &Arc<World>, store: Arc<dyn Store>, relay: RelayConfig) -> Self {
        Self::of(world.relayer(store, relay))
    }

    fn of(relayer: Arc<Relayer>) -> Self {
        let stop = CancellationToken::new();
        Self { work: tokio::spawn(relayer.clone().work(stop.clone())), relayer, stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.work.await.unwrap().unwrap();
    }
}

async fn confirmed(world: &World, index: u64) {
    for spoke in [VERIFYING, ATTESTED] {
        eventually("both spokes are confirmed", async || {
            world.model(HUB).confirmed.get(&spoke) == Some(&index)
        })
        .await;
    }
}

#[tokio::test]
async fn roots_reach_all_spokes_and_come_home_with_a_liar_and_a_dead_attestor() {
    let stop = CancellationToken::new();
    let world = World::start(&[Honest, LiesAboutValue, Honest, Dead, Honest], &stop);
    world.accept(3);
    let running = Running::start(&world, RelayConfig::default());
    confirmed(&world, 3).await;
    world.accept(2);
    confirmed(&world, 5).await;
    assert_eq!((world.model(VERIFYING).index, world.model(ATTESTED).index), (5, 5));
    eventually("the lanes are empty", async || {
        let status = running.relayer.status().await.unwrap();
        status.hub.index == "5"
            && status.spokes.iter().all(|spoke| {
                (spoke.index.as_str(), spoke.confirmed_index.as_str()) == ("5", "5")
                    && spoke.pending.is_empty()
                    && spoke.last_error.is_none()
            })
    })
    .await;
    let records = running.relayer.status().await.unwrap().attestors;
    assert!(records[1].wrong > 0 && records[1].valid == 0, "{records:?}");
    assert!(records[0].valid > 0 && records[0].wrong == 0, "{records:?}");
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_range_keeps_to_its_bound() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.accept(5);
    eventually("the batches are final", async || {
        match world.said(HUB, FactName::RootAccepted { index: 5 }) {
            Some(said) => world.is_final(HUB, said.block.number).await,
            None => false,
        }
    })
    .await;
    let running = Running::start(&world, RelayConfig { max_batches: 2, ..RelayConfig::default() });
    confirmed(&world, 5).await;
    // All five batches stand in one block, so they are known all at once.
    assert_eq!(world.model(VERIFYING).moves, [2, 4, 5]);
    assert_eq!(world.model(ATTESTED).moves, [5]);
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn what_was_refused_is_made_anew_and_smaller() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.change(VERIFYING, |model| model.most_batches = 1);
    world.accept(4);
    let running = Running::start(&world, RelayConfig { max_batches: 4, ..RelayConfig::default() });
    confirmed(&world, 4).await;
    let moves = world.model(VERIFYING).moves;
    assert!(moves.len() >= 3 && moves[0] == 1, "{moves:?}");
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn what_was_refused_is_made_anew_under_the_same_name() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.change(VERIFYING, |model| model.most_batches = 0);
    world.accept(1);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the contract's reason is named", async || {
        let error = spoke(&running.relayer, VERIFYING).await.last_error.unwrap_or_default();
        error.contains("BatchCount { count: 1 }")
    })
    .await;
    world.change(VERIFYING, |model| model.most_batches = 1);
    confirmed(&world, 1).await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn another_relayer_that_is_faster_is_success() {
    let stop = CancellationToken::new();
    let world = World::start(&[Late; 3], &stop);
    world.accept(2);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the relayer waits for signatures", async || {
        let error = spoke(&running.relayer, VERIFYING).await.last_error.unwrap_or_default();
        error.contains("0 of 3 attestations (3 attestors do not know")
    })
    .await;
    world.move_spoke(VERIFYING, 2);
    world.move_spoke(ATTESTED, 2);
    eventually("the spokes are there", async || {
        [VERIFYING, ATTESTED].iter().all(|id| world.model(*id).index == 2)
    })
    .await;
    *world.manners.lock().unwrap() = WELL.to_vec();
    confirmed(&world, 2).await;
    assert_eq!((world.model(VERIFYING).moves, world.model(ATTESTED).moves), (vec![2], vec![2]));
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_deleted_store_costs_only_time() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    let store = Arc::new(MemoryStore::new());
    world.accept(2);
    let running = Running::over(&world, store.clone(), RelayConfig::default());
    confirmed(&world, 2).await;
    running.stop().await;
    world.accept(1);
    // Restarted over its store, then over none.
    let running = Running::over(&world, store, RelayConfig::default());
    confirmed(&world, 3).await;
    running.stop().await;
    world.accept(1);
    let running = Running::start(&world, RelayConfig::default());
    confirmed(&world, 4).await;
    for spoke in [VERIFYING, ATTESTED] {
        let again = world.model(HUB).confirmations.into_iter().filter(|(from, _)| *from == spoke);
        let indexes: Vec<u64> = again.map(|(_, index)| index).collect();
        assert!(indexes.is_sorted_by(|one, next| one < next), "confirmed twice: {indexes:?}");
    }
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_stalled_spoke_holds_up_no_other() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.chains[&VERIFYING].set_faults(Faults { stalled: true, ..Faults::default() });
    world.accept(1);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the other spoke is confirmed", async || {
        world.model(HUB).confirmed.get(&ATTESTED) == Some(&1)
    })
    .await;
    assert_eq!(world.model(VERIFYING).index, 0);
    world.chains[&VERIFYING].set_faults(Faults { unreachable: true, ..Faults::default() });
    running.stop().await;
    world.chains[&VERIFYING].set_faults(Faults::default());
    let running = Running::start(&world, RelayConfig::default());
    confirmed(&world, 1).await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_frozen_spoke_is_named_and_left_alone() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.change(VERIFYING, |model| model.frozen_at = 1);
    world.accept(1);
    let running = Running::start(&world, RelayConfig::default());
    eventually("the freeze is named", async || {
        let error = spoke(&running.relayer, VERIFYING).await.last_error.unwrap_or_default();
        error.contains("frozen from index 1 on")
    })
    .await;
    assert!(spoke(&running.relayer, VERIFYING).await.pending.is_empty());
    world.change(VERIFYING, |model| model.frozen_at = u64::MAX);
    confirmed(&world, 1).await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_history_that_does_not_replay_is_relayed_no_further() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    world.accept(1);
    let running = Running::start(&world, RelayConfig::default());
    confirmed(&world, 1).await;
    let get = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = running.relayer.router().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 100_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    eventually("the relayer is ready", async || get("/readyz").await.0 == StatusCode::OK).await;
    // The operations are those of no batch two.
    world.say_accepted(2, B256::repeat_byte(2), B256::repeat_byte(2), vec![0, 1, 9]);
    eventually("the relayer is not ready", async || {
        let (status, body) = get("/readyz").await;
        status == StatusCode::SERVICE_UNAVAILABLE && body.contains("does not replay")
    })
    .await;
    assert_eq!(world.model(VERIFYING).index, 1);
    eventually("the status says how far all is", async || {
        let (status, body) = get("/v1/status").await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let spoke = &body["spokes"][0];
        status == StatusCode::OK
            && body["hub"]["index"] == "1"
            && spoke["chainId"] == "31338"
            && spoke["confirmedIndex"] == "1"
    })
    .await;
    running.stop().await;
    stop.cancel();
}

#[tokio::test]
async fn a_root_other_than_the_events_is_relayed_no_further() {
    let stop = CancellationToken::new();
    let world = World::start(&WELL, &stop);
    let scratch = World::still(&WELL);
    scratch.accept(1);
    scratch.mine().await;
    // The right operations under a wrong root.
    let log =
        hypha_chain::ports::Chain::logs_in_range(&scratch.chains[&HUB], contract(HUB), 1, 1).await.unwrap();
    let event =
        <hypha_protocol::contracts::IRootHub::BatchApplied as alloy::sol_types::SolEvent>::decode_raw_log(
            log[0].topics.iter().copied(),
            &log[0].data,
        )
        .unwrap();
    world.say_accepted(1, B256::repeat_byte(2), event.batchChain, event.operations.to_vec());
    let running = Running::start(&world, RelayConfig::default());
    eventually("the mismatch is named", async || {
        let error = running.relayer.status().await.unwrap().hub.last_error.unwrap_or_default();
        error.contains("the hub's event says otherwise")
    })
    .await;
    assert_eq!(world.model(VERIFYING).index, 0);
    running.stop().await;
    stop.cancel();
}

/// What the attestors make of the fact of the hub's first root.
async fn proved(manners: &[Manner]) -> (Result<Vec<u8>, RelayerError>, Vec<AttestorRecord>, Attestation) {
    let world = Arc::new(World::still(manners));
    world.change(VERIFYING, |model| model.set.0 = 7);
    world.accept(1);
    world.mine().await;
    let name = FactName::RootAccepted { index: 1 };
    let said = world.said(HUB, name).unwrap();
    let fact = Fact { src_chain: HUB, emitter: contract(HUB), key: name.key(), value: said.value };
    let urls: Vec<String> = (0..manners.len()).map(|place| format!("http://{place}")).collect();
    let attestors = Attestors::new(world.clone(), &urls);
    let chain = Arc::new(world.chains[&VERIFYING].clone());
    let destination = Destination::new(chain, facts_contract(VERIFYING), Arc::new(SystemClock));
    let proof = attestors.prove(&fact, &destination).await.map(|proof| proof.to_vec());
    let (block_number, block_hash, block_time) = (said.block.number, said.block.hash, said.block.time);
    let attestation = Attestation { fact, block_number, block_hash, block_time, set_id: 7 };
    (proof, attestors.records(), attestation)
}

#[tokio::test]
async fn a_proof_names_set_and_block_and_has_its_signers_in_order() {
    for manners in [
        vec![Honest, Honest, Honest],
        vec![LiesAboutBlock, Honest, Dead, Honest, Honest],
        vec![Stranger, SignsAnother, Honest, Babbles, OldSet, Honest, Late, Honest],
    ] {
        let (proof, _, attestation) = proved(&manners).await;
        let proof = proof.unwrap();
        assert_eq!(proof[..8], 7_u64.to_be_bytes());
        assert_eq!(proof[8..16], attestation.block_number.to_be_bytes());
        assert_eq!(proof[16..48], attestation.block_hash.0);
        assert_eq!(proof[48..56], attestation.block_time.to_be_bytes());
        let digest = attestation.digest(VERIFYING, facts_contract(VERIFYING));
        let signers: Vec<_> =
            proof[56..].chunks(65).map(|one| Signed::recover(digest, one).unwrap().signer).collect();
        assert_eq!(signers.len(), THRESHOLD as usize);
        assert!(signers.is_sorted_by(|one, next| one < next), "{signers:?}");
        let honest = (0..manners.len()).filter(|place| manners[*place] == Honest);
        let honest: Vec<_> = honest.map(|place| key(place as u8 + 1).address()).collect();
        assert!(signers.iter().all(|signer| honest.contains(signer)));
    }
}

#[tokio::test]
async fn too_few_that_agree_make_no_proof() {
    let cases: [(&[Manner], [usize; 4]); 6] = [
        (&[Honest, Honest, Late], [2, 1, 0, 0]),
        (&[Honest, Honest, OldSet], [2, 1, 0, 0]),
        (&[Honest, Honest, Dead], [2, 0, 0, 1]),
        (&[Honest, Honest, LiesAboutBlock], [2, 0, 1, 0]),
        (&[Honest, Honest, LiesAboutValue, SignsAnother, Stranger, Babbles], [2, 0, 4, 0]),
        (&[LiesAboutBlock, Honest, Honest, Dead, Late], [2, 1, 1, 1]),
    ];
    for (manners, counts) in cases {
        let (proof, ..) = proved(manners).await;
        let Err(RelayerError::Attestations { needed: 3, valid, pending, wrong, silent }) = proof else {
            panic!("{manners:?}: {proof:?}");
        };
        assert_eq!([valid, pending, wrong, silent], counts, "{manners:?}");
    }
}

#[tokio::test]
async fn who_was_wrong_is_remembered() {
    let (proof, records, _) = proved(&[LiesAboutBlock, Honest, LiesAboutValue, Honest, Honest]).await;
    assert!(proof.is_ok());
    let record = |valid, wrong| AttestorRecord { valid, wrong, silent: 0 };
    assert_eq!(records, [record(0, 1), record(1, 0), record(0, 1), record(1, 0), record(1, 0)]);
}
