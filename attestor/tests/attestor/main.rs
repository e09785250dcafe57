//! The attestor over simulated chains: what it signs, what it never signs, and what survives a restart.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its scaffolding")]

mod requests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use alloy::primitives::{Address, B256, Bytes};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolEvent};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hypha_attestor::pipeline::{Signed, observe, sign};
use hypha_attestor::store::GuardReason;
use hypha_attestor::{AttestationDocument, Attestor, AttestorConfig, SignError, resume};
use hypha_chain::config::{ChainConfig, Finality, KeyConfig, Role};
use hypha_chain::ports::{Chain, Change, Row, Store};
use hypha_chain::simulated::{Execution, Faults, SimulatedChain};
use hypha_chain::{MemoryStore, QuorumChain, StoreError, SystemClock};
use hypha_protocol::contracts::{IAttestedFacts, IRootHub, IRootVerifier};
use hypha_protocol::fact::{Attestation, Conflict, Fact, FactName, accepted_value};
use hypha_protocol::signing::recover;
use hypha_protocol::tree::Root;
use tower::ServiceExt;

const HUB: u64 = 31337;
const SPOKE: u64 = 31338;
const FINAL_DEPTH: u64 = 2;

fn address(chain: u64, what: u8) -> Address {
    Address::from_slice(&[&[what; 12][..], &chain.to_be_bytes()].concat())
}

/// A store that refuses to write when told to.
#[derive(Default)]
struct Disk {
    memory: MemoryStore,
    full: AtomicBool,
}

impl Store for Disk {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(table, key)
    }

    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.memory.scan(table, from, limit)
    }

    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError> {
        self.memory.last(table)
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("disk full".into()));
        }
        self.memory.write(changes)
    }
}

/// The current set, as AttestedFacts on both chains has it.
type Sets = Arc<Mutex<(u64, Vec<Address>)>>;

struct World {
    chains: BTreeMap<u64, SimulatedChain>,
    sets: Sets,
    disk: Arc<Disk>,
    signer: PrivateKeySigner,
}

impl World {
    fn new() -> Self {
        let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let sets: Sets = Arc::new(Mutex::new((1, vec![signer.address()])));
        let chains = [HUB, SPOKE].map(|id| {
            let (chain, sets) = (SimulatedChain::new(id, FINAL_DEPTH), sets.clone());
            chain
                .set_contracts(move |call| Ok(Execution { output: answer(&sets, &call.data), logs: vec![] }));
            (id, chain)
        });
        Self { chains: chains.into(), sets, disk: Arc::default(), signer }
    }

    fn attestor_over(&self, chains: BTreeMap<u64, Arc<dyn Chain>>) -> Arc<Attestor> {
        let described = |id: u64, role| ChainConfig {
            chain_id: id,
            name: id.to_string(),
            role,
            rpc: vec!["http://127.0.0.1:1".into(), "http://127.0.0.1:2".into()],
            quorum: 2,
            verifier: address(id, 1),
            fact_verifier: address(id, 2),
            attested: false,
            start_block: 0,
            poll_ms: 10,
            finality: Finality::Finalized,
            max_logs_range: 1_000,
        };
        let config = AttestorConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: PathBuf::new(),
            key: KeyConfig::Env("UNUSED".into()),
            chains: vec![described(HUB, Role::Hub), described(SPOKE, Role::Spoke)],
        };
        Attestor::new(&config, &chains, self.disk.clone(), Arc::new(SystemClock), self.signer.clone())
            .unwrap()
    }

    /// An attestor that goes on from the store, as after a restart.
    async fn attestor(&self) -> Arc<Attestor> {
        let connect =
            |(id, chain): (&u64, &SimulatedChain)| (*id, Arc::new(chain.endpoint()) as Arc<dyn Chain>);
        let attestor = self.attestor_over(self.chains.iter().map(connect).collect());
        refresh(&attestor).await;
        attestor
    }

    fn hub_says(&self, index: u64, root: u8) {
        let event = IRootHub::BatchApplied {
            index,
            root: B256::repeat_byte(root),
            batchChain: B256::repeat_byte(0xcc),
            operations: Bytes::from_static(&[1, 2, 3]),
        };
        self.emit(HUB, address(HUB, 1), &event);
    }

    fn spoke_says(&self, index: u64, root: u8) {
        let (old, new) = (B256::repeat_byte(0xee), B256::repeat_byte(root));
        self.emit(
            SPOKE,
            address(SPOKE, 1),
            &IRootVerifier::RootUpdated { oldRoot: old, newRoot: new, index },
        );
    }

    fn emit(&self, chain: u64, contract: Address, event: &impl SolEvent) {
        let log = event.encode_log_data();
        self.chains[&chain].emit(contract, log.topics().to_vec(), log.data.clone());
        self.chains[&chain].mine();
    }

    fn finalize(&self) {
        self.chains.values().for_each(|chain| chain.mine_many(FINAL_DEPTH));
    }

    fn set_members(&self, id: u64, members: Vec<Address>) {
        *self.sets.lock().unwrap() = (id, members);
    }

    /// The store knows the chains by their first blocks once the service has run; here the test says so.
    fn know_the_hub(&self) {
        let key = HUB.to_be_bytes().to_vec();
        self.disk.write(vec![Change::Put { table: "identities", key, value: vec![0; 32] }]).unwrap();
    }

    fn stored(&self, table: &'static str) -> usize {
        self.disk.scan(table, &[], 1_000).unwrap().len()
    }
}

fn answer(sets: &Sets, data: &[u8]) -> Bytes {
    let (id, members) = sets.lock().unwrap().clone();
    if data.starts_with(&IAttestedFacts::currentSetIdCall::SELECTOR) {
        return IAttestedFacts::currentSetIdCall::abi_encode_returns(&id).into();
    }
    let set = IAttestedFacts::attestorsOfReturn { attestors: members, threshold: 1, expiresAt: u64::MAX };
    IAttestedFacts::attestorsOfCall::abi_encode_returns(&set).into()
}

async fn refresh(attestor: &Attestor) {
    attestor.destination(HUB, SPOKE).unwrap().refresh().await.unwrap();
    attestor.destination(SPOKE, HUB).unwrap().refresh().await.unwrap();
}

/// Observes both chains to their ends.
async fn read(attestor: &Attestor) {
    for id in [HUB, SPOKE] {
        while observe(attestor, attestor.source(id).unwrap()).await.unwrap().is_some() {}
    }
}

fn root_key(index: u64) -> B256 {
    FactName::RootAccepted { index }.key()
}

async fn root_for_spoke(attestor: &Attestor, index: u64) -> Result<Signed, SignError> {
    sign(attestor, HUB, root_key(index), SPOKE).await
}

fn signer_of(signed: &Signed) -> Address {
    let fact = &signed.fact;
    let statement = &signed.statement;
    let attestation = Attestation {
        fact: Fact {
            src_chain: fact.src_chain,
            emitter: fact.emitter,
            key: fact.key,
            value: statement.value,
        },
        block_number: statement.place.number,
        block_hash: statement.place.hash,
        block_time: statement.place.time,
        set_id: statement.set_id,
    };
    recover(attestation.digest(signed.to, signed.verifier), &statement.signature).unwrap()
}

#[tokio::test]
async fn a_fact_is_signed_when_it_is_final_and_always_the_same() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    read(&attestor).await;
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::FactUnknown { .. })));
    world.finalize();
    read(&attestor).await;
    let signed = root_for_spoke(&attestor, 1).await.unwrap();
    let value = accepted_value(Root::from([0x11; 32]), B256::repeat_byte(0xcc));
    assert_eq!(signed.statement.value, value);
    assert_eq!((signed.statement.place.number, signed.statement.set_id), (1, 1));
    assert_eq!(signer_of(&signed), world.signer.address());
    assert_eq!(world.stored("attestations"), 1);
    // The same after a restart, from the store: nothing new is signed even under the guard.
    assert_eq!(root_for_spoke(world.attestor().await.as_ref(), 1).await.unwrap(), signed);
    assert_eq!(world.stored("attestations"), 1);
}

#[tokio::test]
async fn a_spokes_root_is_signed_for_the_hub_only() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.spoke_says(3, 0x33);
    // The hub's own RootUpdated asserts nothing.
    let event = IRootVerifier::RootUpdated { oldRoot: B256::ZERO, newRoot: B256::repeat_byte(1), index: 3 };
    world.emit(HUB, address(HUB, 1), &event);
    world.finalize();
    read(&attestor).await;
    let key = FactName::RootApplied { index: 3 }.key();
    let signed = sign(&attestor, SPOKE, key, HUB).await.unwrap();
    assert_eq!(signer_of(&signed), world.signer.address());
    assert!(matches!(sign(&attestor, SPOKE, key, SPOKE).await, Err(SignError::UnknownDestination { .. })));
    assert!(matches!(sign(&attestor, HUB, key, SPOKE).await, Err(SignError::FactUnknown { .. })));
    assert!(matches!(sign(&attestor, 5, key, HUB).await, Err(SignError::UnknownSource { chain_id: 5 })));
    assert_eq!(world.stored("facts"), 1);
}

#[tokio::test]
async fn another_contracts_event_asserts_nothing() {
    let world = World::new();
    let attestor = world.attestor().await;
    let event = IRootHub::BatchApplied {
        index: 1,
        root: B256::repeat_byte(1),
        batchChain: B256::repeat_byte(2),
        operations: Bytes::new(),
    };
    world.emit(HUB, address(HUB, 9), &event);
    world.finalize();
    read(&attestor).await;
    assert_eq!(world.stored("facts"), 0);
}

#[tokio::test]
async fn a_second_value_is_never_signed_and_the_guard_outlives_the_process() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.hub_says(2, 0x22);
    world.finalize();
    read(&attestor).await;
    let early = root_for_spoke(&attestor, 1).await.unwrap();
    world.hub_says(2, 0x23);
    world.hub_says(3, 0x33);
    world.finalize();
    read(&attestor).await;
    for attestor in [attestor, world.attestor().await] {
        read(&attestor).await;
        assert!(attestor.unready().iter().any(|reason| reason.starts_with("guard")));
        let Err(SignError::FactConflict { found, .. }) = root_for_spoke(&attestor, 2).await else {
            panic!("the key has two values");
        };
        let (conflict, statement) = (found.conflict, found.statement.expect("this attestor is in the set"));
        let chain = B256::repeat_byte(0xcc);
        let value = |root| accepted_value(Root::from([root; 32]), chain);
        assert_eq!((conflict.first, conflict.second), (value(0x22), value(0x23)));
        let said = Conflict {
            src_chain: HUB,
            emitter: address(HUB, 1),
            key: root_key(2),
            first: conflict.first,
            second: conflict.second,
            set_id: 1,
        };
        let signer = recover(said.digest(SPOKE, address(SPOKE, 2)), &statement.signature);
        assert_eq!(signer, Ok(world.signer.address()));
        assert_eq!(root_for_spoke(&attestor, 1).await.unwrap(), early, "what was signed is still served");
        assert!(matches!(root_for_spoke(&attestor, 3).await, Err(SignError::Guarded { .. })));
    }
    assert_eq!(world.stored("attestations"), 1);

    let cleared = resume(world.disk.as_ref()).unwrap().expect("the guard was set");
    assert_eq!(cleared.why, GuardReason::Conflict { chain_id: HUB, key: root_key(2) });
    assert_eq!(resume(world.disk.as_ref()).unwrap(), None);
    let attestor = world.attestor().await;
    assert!(root_for_spoke(&attestor, 3).await.is_ok());
    assert!(matches!(root_for_spoke(&attestor, 2).await, Err(SignError::FactConflict { .. })));
}

#[tokio::test]
async fn two_values_in_one_step_are_a_conflict_too() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.hub_says(1, 0x12);
    world.finalize();
    read(&attestor).await;
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::FactConflict { .. })));
    assert_eq!(world.stored("attestations"), 0);
}

#[tokio::test]
async fn a_value_asserted_again_keeps_its_first_block() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    assert_eq!(root_for_spoke(&attestor, 1).await.unwrap().statement.place.number, 1);
}

#[tokio::test]
async fn a_new_set_gets_its_own_signature() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    let first = root_for_spoke(&attestor, 1).await.unwrap();
    world.set_members(2, vec![Address::repeat_byte(1), world.signer.address()]);
    refresh(&attestor).await;
    let second = root_for_spoke(&attestor, 1).await.unwrap();
    assert_eq!((first.statement.set_id, second.statement.set_id), (1, 2));
    assert_eq!(
        (second.statement.value, second.statement.place),
        (first.statement.value, first.statement.place)
    );
    assert_eq!(signer_of(&second), world.signer.address());
    assert_eq!(world.stored("attestations"), 2);
}

#[tokio::test]
async fn outside_the_set_nothing_is_signed() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    world.set_members(2, vec![Address::repeat_byte(1)]);
    refresh(&attestor).await;
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::NotInSet { set_id: 2, .. })));
    assert_eq!(world.stored("attestations"), 0);
    assert!(attestor.unready().iter().any(|reason| reason.contains("not in set 2")));
}

#[tokio::test]
async fn nothing_is_handed_out_that_was_not_stored() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    world.disk.full.store(true, Ordering::SeqCst);
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::Internal(_))));
    world.disk.full.store(false, Ordering::SeqCst);
    assert!(root_for_spoke(&attestor, 1).await.is_ok());
}

#[tokio::test]
async fn a_conflict_stops_signing_even_when_the_disk_refuses_it() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.hub_says(2, 0x22);
    world.finalize();
    read(&attestor).await;
    world.hub_says(2, 0x23);
    world.finalize();
    world.disk.full.store(true, Ordering::SeqCst);
    assert!(observe(&attestor, attestor.source(HUB).unwrap()).await.is_err());
    world.disk.full.store(false, Ordering::SeqCst);
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::Guarded { .. })));
}

#[tokio::test]
async fn a_broken_finality_sets_the_guard_and_resume_reads_the_chain_again() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.chains[&HUB].mine_many(3);
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    let before = root_for_spoke(&attestor, 1).await.unwrap();
    world.hub_says(2, 0x22);
    world.hub_says(9, 0x99);
    world.finalize();
    read(&attestor).await;
    // The final blocks are replaced; two of the facts stand in other blocks then, the third nowhere.
    world.chains[&HUB].reorg(FINAL_DEPTH as usize + 6);
    world.chains[&HUB].mine_many(3);
    world.hub_says(1, 0x11);
    world.hub_says(2, 0x22);
    world.finalize();
    world.finalize();
    let (key, error) = (root_key(2), observe(&attestor, attestor.source(HUB).unwrap()).await.unwrap_err());
    assert!(error.to_string().contains("taken back"), "{error}");
    assert!(matches!(sign(&attestor, HUB, key, SPOKE).await, Err(SignError::Guarded { .. })));
    assert_eq!(root_for_spoke(&attestor, 1).await.unwrap(), before);

    let attestor = world.attestor().await;
    assert!(matches!(sign(&attestor, HUB, key, SPOKE).await, Err(SignError::Guarded { .. })));
    world.know_the_hub();
    let cleared = resume(world.disk.as_ref()).unwrap().expect("the guard was set");
    assert_eq!(cleared.why, GuardReason::FinalityBroken { chain_id: HUB });
    let attestor = world.attestor().await;
    for index in [1, 2, 9] {
        let asked = root_for_spoke(&attestor, index).await;
        assert!(matches!(asked, Err(SignError::FactUnknown { .. })), "read before the break only: {asked:?}");
    }
    read(&attestor).await;
    let dead = root_for_spoke(&attestor, 9).await;
    assert!(matches!(dead, Err(SignError::FactUnknown { .. })), "only the dead fork asserted it: {dead:?}");
    assert!(root_for_spoke(&attestor, 2).await.is_ok());
    let after = root_for_spoke(&attestor, 1).await.unwrap();
    assert_eq!(after.statement.value, before.statement.value);
    assert_ne!(after.statement.place.hash, before.statement.place.hash);
    assert_eq!(signer_of(&after), world.signer.address());
}

#[tokio::test]
async fn a_guard_row_that_cannot_be_read_counts_as_set() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.finalize();
    read(&attestor).await;
    world
        .disk
        .write(vec![Change::Put { table: "guard", key: b"guard".to_vec(), value: b"?".to_vec() }])
        .unwrap();
    let attestor = world.attestor().await;
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::Guarded { .. })));
    world.know_the_hub();
    assert_eq!(resume(world.disk.as_ref()).unwrap().unwrap().why, GuardReason::Unreadable);
    // What was wrong is not known, so a finality may have broken: facts count once they are read again.
    let attestor = world.attestor().await;
    assert!(matches!(root_for_spoke(&attestor, 1).await, Err(SignError::FactUnknown { .. })));
    read(&attestor).await;
    assert!(root_for_spoke(&attestor, 1).await.is_ok());
}

#[tokio::test]
async fn endpoints_that_disagree_give_no_fact() {
    let world = World::new();
    world.hub_says(1, 0x11);
    world.finalize();
    let (honest, liar) = (world.chains[&HUB].endpoint(), world.chains[&HUB].endpoint());
    liar.set_faults(Faults { lying: true, ..Faults::default() });
    let endpoints: Vec<Arc<dyn Chain>> = vec![Arc::new(honest), Arc::new(liar)];
    let hub: Arc<dyn Chain> = Arc::new(QuorumChain::new(endpoints, 2).unwrap());
    let spoke: Arc<dyn Chain> = Arc::new(world.chains[&SPOKE].endpoint());
    let attestor = world.attestor_over([(HUB, hub), (SPOKE, spoke)].into());
    assert!(observe(&attestor, attestor.source(HUB).unwrap()).await.is_err());
    assert_eq!(world.stored("facts"), 0);
}

async fn get(attestor: &Arc<Attestor>, path: &str) -> (StatusCode, serde_json::Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = attestor.router().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn the_http_side_answers_each_case_with_its_own_code() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.hub_says(1, 0x11);
    world.hub_says(2, 0x22);
    world.hub_says(2, 0x23);
    world.finalize();
    let path = |index: u64, to: &str| format!("/v1/attestations/{HUB}/{}{to}", root_key(index));
    let ask = async |index: u64, to: &str| {
        let (status, body) = get(&attestor, &path(index, to)).await;
        (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
    };
    let code = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(ask(1, "?to=31338").await, code(404, "fact_unknown"));
    read(&attestor).await;
    assert_eq!(ask(1, "?to=31338").await, code(503, "guarded"));
    assert_eq!(ask(1, "?to=31337").await, code(404, "unknown_destination"));
    assert_eq!(ask(1, "").await, code(400, "missing_field"));
    assert_eq!(ask(1, "?to=x").await, code(400, "bad_number"));
    assert_eq!(ask(1, "?to=031338").await, code(400, "bad_number"));
    assert_eq!(ask(1, "?to=31338&x=1").await, code(400, "unknown_field"));
    let (status, conflict) = get(&attestor, &path(2, "?to=31338")).await;
    assert_eq!((status, &conflict["code"]), (StatusCode::CONFLICT, &"fact_conflict".into()));
    assert_eq!(conflict["setId"], "1");
    assert_eq!(conflict["signature"].as_str().unwrap().len(), 2 + 2 * 65);
    resume(world.disk.as_ref()).unwrap();
    let attestor = world.attestor().await;
    let (status, body) = get(&attestor, &path(1, "?to=31338")).await;
    assert_eq!(status, StatusCode::OK);
    let document: AttestationDocument = serde_json::from_value(body).unwrap();
    let signed = root_for_spoke(&attestor, 1).await.unwrap();
    assert_eq!(document, signed.into());
    for (path, expected) in [
        ("/v1/attestations/31337/0x12?to=31338", (400, "bad_length")),
        (
            "/v1/attestations/9/0x0000000000000000000000000000000000000000000000000000000000000001?to=1",
            (404, "unknown_chain"),
        ),
        (
            "/v1/attestations/31337/0xzz00000000000000000000000000000000000000000000000000000000000001?to=1",
            (400, "bad_hex"),
        ),
        ("/elsewhere", (404, "not_found")),
    ] {
        let (status, body) = get(&attestor, path).await;
        assert_eq!((status.as_u16(), body["code"].as_str().unwrap()), expected, "{path}");
    }
    assert_eq!(get(&attestor, "/healthz").await.0, StatusCode::OK);
    let (status, ready) = get(&attestor, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{ready}");
}

/// Waits for a condition.
async fn eventually(holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !holds() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("the condition comes true in time");
}

#[tokio::test]
async fn the_running_service_gets_ready_and_follows() {
    let world = World::new();
    world.hub_says(1, 0x11);
    world.finalize();
    let (attestor, shutdown) = (world.attestor().await, tokio_util::sync::CancellationToken::new());
    let work = tokio::spawn(attestor.clone().work(shutdown.clone()));
    eventually(|| attestor.unready().is_empty()).await;
    world.spoke_says(1, 0x11);
    world.finalize();
    eventually(|| world.stored("facts") == 2).await;
    assert_eq!(get(&attestor, "/readyz").await.0, StatusCode::OK);
    shutdown.cancel();
    work.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failing_store_ends_the_service() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.disk.full.store(true, Ordering::SeqCst);
    let work = attestor.work(tokio_util::sync::CancellationToken::new());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), work).await;
    assert!(ended.expect("the service ends in time").unwrap_err().to_string().contains("disk full"));
}

#[tokio::test]
async fn a_chain_that_began_anew_is_not_read() {
    let world = World::new();
    world
        .disk
        .write(vec![Change::Put { table: "identities", key: HUB.to_be_bytes().to_vec(), value: vec![9; 32] }])
        .unwrap();
    world.hub_says(1, 0x11);
    world.finalize();
    let (attestor, shutdown) = (world.attestor().await, tokio_util::sync::CancellationToken::new());
    let work = tokio::spawn(attestor.clone().work(shutdown.clone()));
    eventually(|| attestor.unready().iter().any(|reason| reason.contains("another first block"))).await;
    shutdown.cancel();
    work.await.unwrap().unwrap();
    assert_eq!(world.stored("facts"), 0);
}
