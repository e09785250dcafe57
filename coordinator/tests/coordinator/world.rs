//! A hub that verifies batches, a spoke, and a coordinator over them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolError, SolEvent};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hypha_chain::config::{ChainConfig, Finality, Role};
use hypha_chain::ports::{BlockTag, Chain, Clock, Log, Store};
use hypha_chain::simulated::{Execution, Past, SimulatedChain};
use hypha_chain::{MemoryStore, PrivateKeySigner, SystemClock};
use hypha_coordinator::api::keys::Keys;
use hypha_coordinator::config::{BatchConfig, LimitsConfig};
use hypha_coordinator::{CoordinatorError, Ports, Service};
use hypha_protocol::batch::{genesis_batch_chain, next_batch_chain, verify_witness};
use hypha_protocol::contracts::{IRootHub, IRootVerifier};
use hypha_protocol::ids::word;
use hypha_protocol::operations::{
    Checked, Operation, Resolution, Rules, check_operations, encode_operations,
};
use hypha_protocol::replay::Replica;
use hypha_protocol::signing::hub_domain;
use hypha_tree::Root;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) use super::notes::*;

pub(crate) const HUB_ID: u64 = 31_337;
pub(crate) const SPOKE_ID: u64 = 31_338;
/// Newest blocks that are not final.
pub(crate) const FINAL_DEPTH: u64 = 3;
pub(crate) const DEADLINE: u64 = 4_000_000_000;
/// Longest wait for anything: far above what a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn hub_address() -> Address {
    Address::repeat_byte(0x11)
}

pub(crate) fn spoke_address() -> Address {
    Address::repeat_byte(0x22)
}

pub(crate) fn key(name: &str) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(format!("hypha test key {name}"))).unwrap()
}

/// Batches for which operations wait for company, however long.
pub(crate) fn patient() -> BatchConfig {
    BatchConfig { company_ms: u64::MAX, max_age_ms: u64::MAX, ..BatchConfig::default() }
}

/// What the hub's contract would remember.
#[derive(Clone, Default)]
struct Memory {
    /// Its own chain and those that it has spokes for.
    domains: Arc<Mutex<BTreeSet<u64>>>,
    /// Its queue as it is now, with what was resolved: hashes by position.
    queue: Arc<Mutex<Vec<(u64, u64, B256)>>>,
    /// With what it refuses every batch.
    refusal: Arc<Mutex<Option<Bytes>>>,
}

/// A hub: takes a batch when it is valid on top of the newest canonical one.
fn install_hub(chain: &SimulatedChain) -> Memory {
    let memory = Memory::default();
    let remembered = memory.clone();
    memory.domains.lock().unwrap().extend([HUB_ID, SPOKE_ID]);
    chain.set_contracts_with_past(move |call, past| {
        if let Ok(batch) = IRootHub::applyBatchCall::abi_decode(&call.data) {
            let domains = memory.domains.lock().unwrap().clone();
            let rules = Rules::hub(hub_domain(HUB_ID, hub_address()).separator(), 0, domains);
            return apply(&memory, &past, &rules, &batch);
        }
        let chains: Vec<U256> = memory.domains.lock().unwrap().iter().copied().map(U256::from).collect();
        let spokes = IRootHub::spokeChainsCall::abi_encode_returns(&chains);
        Ok(Execution { output: spokes.into(), logs: Vec::new() })
    });
    remembered
}

impl Memory {
    /// Whether these follow one another in the queue.
    fn follows(&self, resolutions: &[Resolution]) -> Result<(), Bytes> {
        let queue = self.queue.lock().unwrap();
        let named = |of: &Resolution| (of.chain_id, of.number, of.hash);
        let Some(first) = resolutions.first() else { return Ok(()) };
        let empty = IRootHub::QueueEmpty { chainId: U256::from(first.chain_id), number: first.number };
        let start = queue.iter().position(|queued| *queued == named(first)).ok_or(empty.abi_encode())?;
        if resolutions.iter().map(named).eq(queue[start..].iter().take(resolutions.len()).copied()) {
            Ok(())
        } else {
            Err(empty.abi_encode().into())
        }
    }
}

fn apply(
    memory: &Memory,
    past: &Past<'_>,
    rules: &Rules,
    batch: &IRootHub::applyBatchCall,
) -> Result<Execution, Bytes> {
    if let Some(data) = memory.refusal.lock().unwrap().clone() {
        return Err(data);
    }
    let before = newest(past);
    let checked = take_batch(before.index, before.root, rules, batch)?;
    memory.follows(checked.resolutions())?;
    let chain =
        next_batch_chain(before.batchChain, batch.batchIndex, Root::from(batch.newRoot.0), &batch.operations);
    let event = applied(batch.batchIndex, batch.newRoot, chain, &batch.operations);
    Ok(Execution { output: Bytes::new(), logs: vec![event] })
}

/// Whether the hub takes a batch on this index and root, but for its queue. Gives the operations as they were checked.
pub(crate) fn take_batch(
    index: u64,
    root: B256,
    rules: &Rules,
    batch: &IRootHub::applyBatchCall,
) -> Result<Checked, Bytes> {
    let expected = index + 1;
    if batch.batchIndex != expected {
        let mismatch = IRootVerifier::IndexMismatch { expected, actual: batch.batchIndex };
        return Err(mismatch.abi_encode().into());
    }
    let checked = check_operations(&batch.operations, rules).map_err(|error| error.abi_encode())?;
    let (before, after) = (Root::from(root.0), Root::from(batch.newRoot.0));
    let verified = verify_witness(before, &checked, &batch.witness, after);
    verified.map_err(|_| Bytes::from_static(&[0xba, 0xd0]))?;
    Ok(checked)
}

/// The newest batch that the hub has taken, by its logs.
fn newest(past: &Past<'_>) -> IRootHub::BatchApplied {
    past.logs(hub_address()).rev().find_map(read).unwrap_or_else(|| IRootHub::BatchApplied {
        index: 0,
        root: word(Root::EMPTY),
        batchChain: genesis_batch_chain(HUB_ID, hub_address()),
        operations: Bytes::new(),
    })
}

fn applied(index: u64, root: B256, chain: B256, operations: &[u8]) -> (Address, Vec<B256>, Bytes) {
    let operations = operations.to_vec().into();
    log(hub_address(), &IRootHub::BatchApplied { index, root, batchChain: chain, operations })
}

pub(crate) fn log<E: SolEvent>(address: Address, event: &E) -> (Address, Vec<B256>, Bytes) {
    let data = event.encode_log_data();
    (address, data.topics().to_vec(), data.data)
}

/// Puts an event into a chain's next block.
pub(crate) fn emit<E: SolEvent>(chain: &SimulatedChain, address: Address, event: &E) {
    let (address, topics, data) = log(address, event);
    chain.emit(address, topics, data);
}

/// A log as this event; `None` when it is another.
pub(crate) fn read<E: SolEvent>(log: &Log) -> Option<E> {
    E::decode_raw_log(log.topics.iter().copied(), &log.data).ok()
}

/// The hub, as a coordinator is told of it.
pub(crate) fn hub_config() -> ChainConfig {
    chain_config(HUB_ID, Role::Hub, hub_address())
}

fn chain_config(chain_id: u64, role: Role, verifier: Address) -> ChainConfig {
    ChainConfig {
        chain_id,
        name: format!("chain {chain_id}"),
        role,
        rpc: vec!["http://127.0.0.1:1".into()],
        quorum: 1,
        verifier,
        fact_verifier: Address::repeat_byte(0x33),
        attested: false,
        start_block: 0,
        poll_ms: 10,
        finality: Finality::Finalized,
        max_logs_range: 1_000,
    }
}

/// Chains and a store that outlive coordinators.
pub(crate) struct World {
    pub(crate) hub: SimulatedChain,
    pub(crate) spoke: SimulatedChain,
    pub(crate) store: Arc<dyn Store>,
    folder: TempDir,
    pub(crate) batch: BatchConfig,
    pub(crate) limits: LimitsConfig,
    pub(crate) clock: Arc<dyn Clock>,
    memory: Memory,
    relayed: Mutex<(u64, u64)>,
    keys: Option<PathBuf>,
}

/// A running coordinator.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) router: Router,
    shutdown: CancellationToken,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()))
    }

    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        let (hub, spoke) =
            (SimulatedChain::new(HUB_ID, FINAL_DEPTH), SimulatedChain::new(SPOKE_ID, FINAL_DEPTH));
        let memory = install_hub(&hub);
        let batch = BatchConfig { max_age_ms: 0, ..BatchConfig::default() };
        Self {
            hub,
            spoke,
            store,
            folder: tempfile::tempdir().unwrap(),
            batch,
            limits: LimitsConfig::default(),
            clock: Arc::new(SystemClock),
            memory,
            relayed: Mutex::new((0, 0)),
            keys: None,
        }
    }

    /// Who may use the API from the next start on: a line for each key. Gives the file.
    pub(crate) fn keys(&mut self, lines: &str) -> PathBuf {
        let path = self.folder.path().join("keys.jsonl");
        std::fs::write(&path, lines).unwrap();
        self.keys = Some(path.clone());
        path
    }

    /// The file of the tree's snapshot.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }

    pub(crate) async fn try_start(&self) -> Result<Running, CoordinatorError> {
        self.try_start_with(self.limits.clone()).await
    }

    /// A start with other limits than the world's, for once.
    pub(crate) async fn start_with(&self, limits: LimitsConfig) -> Running {
        self.try_start_with(limits).await.unwrap()
    }

    async fn try_start_with(&self, limits: LimitsConfig) -> Result<Running, CoordinatorError> {
        let shutdown = CancellationToken::new();
        let chains: Vec<(ChainConfig, Arc<dyn Chain>)> = vec![
            (chain_config(HUB_ID, Role::Hub, hub_address()), Arc::new(self.hub.clone())),
            (chain_config(SPOKE_ID, Role::Spoke, spoke_address()), Arc::new(self.spoke.clone())),
        ];
        let ports = Ports {
            store: self.store.clone(),
            snapshot: self.snapshot(),
            clock: self.clock.clone(),
            chains,
            signer: key("sequencer"),
            keys: self.keys.as_ref().map(|path| Arc::new(Keys::open(path).unwrap())),
        };
        let service = Service::start(self.batch.clone(), limits, ports, shutdown.clone()).await?;
        let router = service.router();
        Ok(Running { service, router, shutdown })
    }

    pub(crate) async fn start(&self) -> Running {
        self.try_start().await.unwrap()
    }

    /// Indexes and roots that the hub's canonical chain has taken.
    pub(crate) async fn taken(&self) -> Vec<(u64, B256)> {
        let head = self.hub.block(BlockTag::Latest).await.unwrap().unwrap();
        let logs = self.hub.logs_in_range(hub_address(), 0, head.number).await.unwrap();
        logs.iter()
            .filter_map(read::<IRootHub::BatchApplied>)
            .map(|event| (event.index, event.root))
            .collect()
    }

    /// A block on each chain, and what an honest relayer would do by then.
    pub(crate) async fn turn(&self) {
        self.hub.mine();
        let newest = self.taken().await.last().copied();
        {
            let mut relayed = self.relayed.lock().unwrap();
            if relayed.1 < relayed.0 {
                self.confirm(relayed.0);
                relayed.1 = relayed.0;
            }
            if let Some((index, root)) = newest.filter(|(index, _)| *index > relayed.0) {
                self.relay(index, root);
                relayed.0 = index;
            }
        }
        self.spoke.mine();
    }

    /// Somebody else's batch, which the hub takes in its next block. Gives its root.
    pub(crate) fn foreign(&self, index: u64, operations: &[Operation], replica: &mut Replica) -> B256 {
        let bytes = encode_operations(operations).unwrap();
        let step = replica.apply(index, &bytes).unwrap();
        let root = word(step.root);
        let (address, topics, data) = applied(index, root, step.batch_chain, &bytes);
        self.hub.emit(address, topics, data);
        root
    }

    /// The hub's queue: chain, number and hash of each request. A reorg is for the test to show here.
    pub(crate) fn queue(&self) -> std::sync::MutexGuard<'_, Vec<(u64, u64, B256)>> {
        self.memory.queue.lock().unwrap()
    }

    /// The hub has a spoke for this chain from now on.
    pub(crate) fn register(&self, chain_id: u64) {
        self.memory.domains.lock().unwrap().insert(chain_id);
    }

    /// From now on the hub refuses every batch with this.
    pub(crate) fn refuse(&self, data: Option<Vec<u8>>) {
        *self.memory.refusal.lock().unwrap() = data.map(Bytes::from);
    }

    /// The spoke takes a root, in its next block.
    pub(crate) fn relay(&self, index: u64, root: B256) {
        let event = IRootVerifier::RootUpdated { oldRoot: B256::ZERO, newRoot: root, index };
        emit(&self.spoke, spoke_address(), &event);
    }

    /// The hub takes the spoke's confirmation home, in its next block.
    pub(crate) fn confirm(&self, index: u64) {
        let event = IRootHub::Confirmed { chainId: U256::from(SPOKE_ID), index, root: B256::ZERO };
        emit(&self.hub, hub_address(), &event);
    }

    /// Turns the world until an operation has this status.
    pub(crate) async fn until(&self, running: &Running, id: &str, status: &str) -> Value {
        self.until_at(running, &format!("/v1/transfers/{id}"), status).await
    }

    /// Turns the world until what is at this path has this status.
    pub(crate) async fn until_at(&self, running: &Running, path: &str, status: &str) -> Value {
        let begin = Instant::now();
        loop {
            let (_, view) = running.get(path).await;
            if view["status"] == status {
                return view;
            }
            assert!(begin.elapsed() < PATIENCE, "{path} is not {status} in time: {view:#}");
            self.turn().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Running {
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// An answer that is no JSON.
    pub(crate) async fn get_text(&self, path: &str) -> String {
        let response = self.router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await;
        let bytes = axum::body::to_bytes(response.unwrap().into_body(), 1 << 24).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn submit(&self, operation: &Operation) -> (StatusCode, Value) {
        let (path, body) = form(operation);
        self.post(path, body.to_string()).await
    }

    /// Hands an operation in and gives its id.
    pub(crate) async fn accept(&self, operation: &Operation) -> String {
        let (status, answer) = self.submit(operation).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer:#}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the batch of this index is the one that leads to this root.
    pub(crate) async fn until_root(&self, index: u64, root: B256) {
        let path = format!("/v1/batches/{index}");
        eventually("the batch is there", async || self.get(&path).await.1["root"] == root.to_string()).await;
    }

    /// Hands in an operation of the urgent class and gives its id.
    pub(crate) async fn accept_urgent(&self, operation: &Operation) -> String {
        let (path, body) = form(operation);
        let (status, answer) = self.post(&format!("{path}?class=urgent"), body.to_string()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer:#}");
        answer["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stop(self) -> Result<(), CoordinatorError> {
        self.shutdown.cancel();
        drop(self.router);
        tokio::time::timeout(PATIENCE, self.service.join()).await.expect("stops in time")
    }
}
