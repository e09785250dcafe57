//! Simulated chains, attestors that behave as they are told, and a relayer over both.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolEvent;
use async_trait::async_trait;
use hypha_chain::config::{ChainConfig, Finality, KeyConfig, Role};
use hypha_chain::ports::{Block, BlockTag, Chain, Log, Net, Store};
use hypha_chain::simulated::SimulatedChain;
use hypha_chain::{NetError, SystemClock};
use hypha_protocol::contracts::{IRequestQueue, IRootHub, IRootVerifier, Issue, Resource};
use hypha_protocol::fact::{Attestation, Fact, FactName, accepted_value, applied_value};
use hypha_protocol::ids::{kind_of, request_hash};
use hypha_protocol::operations::{Operation, encode_operations};
use hypha_protocol::replay::Replica;
use hypha_protocol::signing::{hub_domain, sign_digest, sign_issue};
use hypha_protocol::tree::Root;
use hypha_relayer::{Ports, RelayConfig, Relayer, RelayerConfig, SpokeStatus};
use tokio_util::sync::CancellationToken;

use crate::contracts::{Model, enqueued, queued, run, updated};

pub(crate) const HUB: u64 = 31337;
pub(crate) const VERIFYING: u64 = 31338;
pub(crate) const ATTESTED: u64 = 31339;
pub(crate) const THRESHOLD: u64 = 3;
const CHAINS: [u64; 3] = [HUB, VERIFYING, ATTESTED];
const FINAL_DEPTH: u64 = 1;

pub(crate) fn contract(chain: u64) -> Address {
    Address::from_slice(&[&[1; 12][..], &chain.to_be_bytes()].concat())
}

pub(crate) fn facts_contract(chain: u64) -> Address {
    Address::from_slice(&[&[2; 12][..], &chain.to_be_bytes()].concat())
}

pub(crate) fn key(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(number)).unwrap()
}

/// How an attestor behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Manner {
    Honest,
    /// Does not answer.
    Dead,
    /// Has not seen the fact.
    Late,
    /// Signs another value.
    LiesAboutValue,
    /// Says the right value and signs another.
    SignsAnother,
    /// Signs another block.
    LiesAboutBlock,
    /// Is not in the set.
    Stranger,
    /// Still signs for the set before.
    OldSet,
    /// Answers something else.
    Babbles,
}

#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) value: B256,
    pub(crate) block: Block,
}

pub(crate) struct World {
    pub(crate) chains: BTreeMap<u64, SimulatedChain>,
    pub(crate) models: BTreeMap<u64, Arc<Mutex<Model>>>,
    pub(crate) manners: Mutex<Vec<Manner>>,
    /// Chain and number of a request that the hub takes in from somebody else when an attestor is asked next.
    pub(crate) overtaking: Mutex<Option<(u64, u64)>>,
    said: Mutex<BTreeMap<(u64, B256), Said>>,
    history: Mutex<Replica>,
}

impl World {
    /// Three chains and one attestor for each manner, with a block every few milliseconds until `stop`.
    pub(crate) fn start(manners: &[Manner], stop: &CancellationToken) -> Arc<Self> {
        let world = Arc::new(Self::still(manners));
        let (living, stop) = (world.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                living.mine().await;
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        });
        world
    }

    /// The same without blocks.
    pub(crate) fn still(manners: &[Manner]) -> Self {
        let members = (1..=manners.len() as u8).map(|number| key(number).address()).collect::<Vec<_>>();
        let model = Model {
            index: 0,
            frozen_at: u64::MAX,
            confirmed: BTreeMap::new(),
            set: (1, members),
            most_batches: usize::MAX,
            moves: Vec::new(),
            confirmations: Vec::new(),
            enqueued: BTreeMap::new(),
            enqueuings: Vec::new(),
            forgets_spokes: false,
        };
        let models: BTreeMap<u64, _> = CHAINS.map(|id| (id, Arc::new(Mutex::new(model.clone())))).into();
        let chains = CHAINS.map(|id| {
            let (chain, model) = (SimulatedChain::new(id, FINAL_DEPTH), models[&id].clone());
            chain.set_contracts(move |call| run(id, &model.lock().unwrap(), call));
            (id, chain)
        });
        let history = Replica::trusting(HUB, contract(HUB));
        Self {
            chains: chains.into(),
            models,
            manners: Mutex::new(manners.to_vec()),
            overtaking: Mutex::new(None),
            said: Mutex::default(),
            history: Mutex::new(history),
        }
    }

    pub(crate) fn model(&self, chain: u64) -> Model {
        self.models[&chain].lock().unwrap().clone()
    }

    pub(crate) fn change(&self, chain: u64, change: impl FnOnce(&mut Model)) {
        change(&mut self.models[&chain].lock().unwrap());
    }

    /// The hub accepts this many batches more.
    pub(crate) fn accept(&self, count: u64) {
        let mut history = self.history.lock().unwrap();
        for _ in 0..count {
            let index = history.index() + 1;
            let operations = issue(index);
            let step = history.apply(index, &operations).unwrap();
            self.say_accepted(index, B256::new(step.root.into()), step.batch_chain, operations);
        }
    }

    pub(crate) fn say_accepted(&self, index: u64, root: B256, batch_chain: B256, operations: Vec<u8>) {
        let event =
            IRootHub::BatchApplied { index, root, batchChain: batch_chain, operations: operations.into() };
        self.emit(HUB, &event);
    }

    /// Another relayer takes a spoke to an index.
    pub(crate) fn move_spoke(&self, chain: u64, index: u64) {
        self.emit(chain, &updated(index));
    }

    /// A spoke queues the request with this number.
    pub(crate) fn queue(&self, chain: u64, number: u64) {
        self.emit(chain, &queued(chain, number));
    }

    /// Another relayer carries it to the hub.
    pub(crate) fn enqueue(&self, chain: u64, number: u64) {
        self.emit(HUB, &enqueued(chain, number));
    }

    fn emit(&self, chain: u64, event: &impl SolEvent) {
        let log = event.encode_log_data();
        self.chains[&chain].emit(contract(chain), log.topics().to_vec(), log.data.clone());
    }

    /// One block on each chain; the models follow their logs.
    pub(crate) async fn mine(&self) {
        for (id, chain) in &self.chains {
            let block = chain.mine();
            for log in chain.endpoint().logs_in_block(contract(*id), block.hash).await.unwrap() {
                self.settle(*id, &block, &log);
            }
        }
    }

    fn settle(&self, chain: u64, block: &Block, log: &Log) {
        let topics = || log.topics.iter().copied();
        let mut model = self.models[&chain].lock().unwrap();
        let said = if let Ok(event) = IRootVerifier::RootUpdated::decode_raw_log(topics(), &log.data) {
            model.index = model.index.max(event.index);
            model.moves.push(event.index);
            let name = FactName::RootApplied { index: event.index };
            (name.key(), applied_value(Root::from(event.newRoot.0)))
        } else if let Ok(event) = IRootHub::BatchApplied::decode_raw_log(topics(), &log.data) {
            let name = FactName::RootAccepted { index: event.index };
            (name.key(), accepted_value(Root::from(event.root.0), event.batchChain))
        } else if let Ok(event) = IRootHub::Confirmed::decode_raw_log(topics(), &log.data) {
            let spoke = event.chainId.to::<u64>();
            model.confirmations.push((spoke, event.index));
            let known = model.confirmed.entry(spoke).or_default();
            *known = (*known).max(event.index);
            return;
        } else if let Ok(event) = IRequestQueue::RequestQueued::decode_raw_log(topics(), &log.data) {
            let name = FactName::RequestQueued { number: event.number };
            (name.key(), request_hash(event.requestType, &event.content, event.sender))
        } else if let Ok(event) = IRootHub::RequestEnqueued::decode_raw_log(topics(), &log.data) {
            return model.take_in(event.chainId.to(), event.number);
        } else {
            return;
        };
        let fact = Said { value: said.1, block: block.clone() };
        self.said.lock().unwrap().entry((chain, said.0)).or_insert(fact);
    }

    /// A relayer over this world and this store.
    pub(crate) fn relayer(self: &Arc<Self>, store: Arc<dyn Store>, relay: RelayConfig) -> Arc<Relayer> {
        self.relayer_of(&key(200), store, relay)
    }

    /// The same with another key.
    pub(crate) fn relayer_of(
        self: &Arc<Self>,
        signer: &PrivateKeySigner,
        store: Arc<dyn Store>,
        relay: RelayConfig,
    ) -> Arc<Relayer> {
        let described = |id: u64| ChainConfig {
            chain_id: id,
            name: id.to_string(),
            role: if id == HUB { Role::Hub } else { Role::Spoke },
            rpc: vec!["http://127.0.0.1:1".into()],
            quorum: 1,
            verifier: contract(id),
            fact_verifier: facts_contract(id),
            attested: id == ATTESTED,
            start_block: 0,
            poll_ms: 10,
            finality: Finality::Finalized,
            max_logs_range: 1_000,
        };
        let config = RelayerConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: PathBuf::new(),
            key: KeyConfig::Env("UNUSED".into()),
            chains: CHAINS.map(described).to_vec(),
            attestors: (0..self.manners.lock().unwrap().len())
                .map(|place| format!("http://{place}/"))
                .collect(),
            relay,
        };
        let connect = |(id, chain): (&u64, &SimulatedChain)| (*id, Arc::new(chain.clone()) as Arc<dyn Chain>);
        let ports = Ports {
            chains: self.chains.iter().map(connect).collect(),
            store,
            clock: Arc::new(SystemClock),
            net: self.clone(),
        };
        Relayer::new(&config, ports, signer).unwrap()
    }

    /// What the attestor at this place answers.
    fn answer(&self, place: usize, src: u64, fact_key: B256, to: u64) -> Result<Vec<u8>, NetError> {
        let manner = self.manners.lock().unwrap()[place];
        let said = self.said.lock().unwrap().get(&(src, fact_key)).cloned();
        let said = match (manner, said) {
            (Manner::Dead, _) => return Err(NetError::Transport("connection refused".into())),
            (Manner::Babbles, _) => return Ok(b"{\"hello\":1}".to_vec()),
            (Manner::Late, _) | (_, None) => return Err(NetError::Status(404)),
            (_, Some(said)) => said,
        };
        let set_id = self.model(to).set.0 - u64::from(manner == Manner::OldSet);
        let twisted = |holds: bool, word: B256| if holds { !word } else { word };
        let attestation = Attestation {
            fact: Fact {
                src_chain: src,
                emitter: contract(src),
                key: fact_key,
                value: twisted(manner == Manner::LiesAboutValue, said.value),
            },
            block_number: said.block.number,
            block_hash: twisted(manner == Manner::LiesAboutBlock, said.block.hash),
            block_time: said.block.time,
            set_id,
        };
        let mut signed = attestation;
        signed.fact.value = twisted(manner == Manner::SignsAnother, signed.fact.value);
        let signer = if manner == Manner::Stranger { key(99) } else { key(place as u8 + 1) };
        let signature = sign_digest(&signer, signed.digest(to, facts_contract(to))).unwrap();
        Ok(serde_json::json!({
            "srcChain": src.to_string(), "emitter": contract(src), "key": fact_key, "value": attestation.fact.value,
            "blockNumber": attestation.block_number.to_string(), "blockHash": attestation.block_hash,
            "blockTime": attestation.block_time.to_string(), "setId": set_id.to_string(), "to": to.to_string(),
            "verifier": facts_contract(to), "attestor": signer.address(), "signature": signature,
        })
        .to_string()
        .into_bytes())
    }

    pub(crate) fn said(&self, src: u64, name: FactName) -> Option<Said> {
        self.said.lock().unwrap().get(&(src, name.key())).cloned()
    }

    pub(crate) async fn is_final(&self, chain: u64, height: u64) -> bool {
        let last = self.chains[&chain].endpoint().block(BlockTag::Finalized).await.unwrap();
        last.is_some_and(|block| block.number >= height)
    }
}

/// `http://{place}/v1/attestations/{src}/{key}?to={to}`
#[async_trait]
impl Net for World {
    async fn get(&self, url: &str, _limit: usize) -> Result<Vec<u8>, NetError> {
        let (path, to) = url.split_once("?to=").expect("an attestor is asked with a destination");
        let parts: Vec<&str> = path.split('/').collect();
        assert_eq!((parts[3], parts[4]), ("v1", "attestations"), "{url}");
        if let Some((chain, number)) = self.overtaking.lock().unwrap().take() {
            self.change(HUB, |model| model.take_in(chain, number));
        }
        self.answer(
            parts[2].parse().unwrap(),
            parts[5].parse().unwrap(),
            parts[6].parse().unwrap(),
            to.parse().unwrap(),
        )
    }

    async fn post(&self, _url: &str, _body: Vec<u8>, _limit: usize) -> Result<Vec<u8>, NetError> {
        Err(NetError::Status(405))
    }
}

/// A batch of one issue, another for each index.
fn issue(index: u64) -> Vec<u8> {
    let issuer = key(150);
    let label = B256::repeat_byte(3);
    let mut issue = Issue {
        resource: Resource {
            domainId: U256::from(VERIFYING),
            owner: key(151).address(),
            kind: kind_of(U256::ZERO, issuer.address(), label),
            quantity: U256::from(index),
            data: B256::ZERO,
            salt: B256::with_last_byte(index as u8),
        },
        issuer: issuer.address(),
        label,
        deadline: u64::MAX,
        signature: Bytes::new(),
    };
    issue.signature = sign_issue(&issuer, &hub_domain(HUB, contract(HUB)), &issue).unwrap();
    encode_operations(&[Operation::Issue(issue)]).unwrap()
}

/// Waits for a condition, with a deadline.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not in time: {what}");
}

pub(crate) async fn spoke(relayer: &Relayer, id: u64) -> SpokeStatus {
    let status = relayer.status().await.unwrap();
    status.spokes.into_iter().find(|spoke| spoke.chain_id == id.to_string()).unwrap()
}
