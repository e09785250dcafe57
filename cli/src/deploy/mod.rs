//! Deploys the contracts of a plan. Running it again is harmless: every contract's address follows from its code and its
//! arguments (CREATE2), and one that stands there already is kept.

pub(crate) mod artifact;
pub(crate) mod plan;
mod sender;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use futures::future::try_join_all;
use hypha_chain::{BlockTag, Chain, Role};
use hypha_protocol::batch::genesis_batch_chain;
use hypha_protocol::contracts::{Governance, HubConfig, IRootHub, SpokeConfig};
use hypha_protocol::tree::EMPTY;

use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::reader::{Reader, connect, failure};
use artifact::{Artifact, attestedFactsCall};
use plan::{Plan, PlannedChain};
use sender::Sender;

/// The deterministic deployment proxy: creates what it is sent with CREATE2. It has this address on every chain where its
/// presigned transaction was sent, anvil has it from its first block.
const FACTORY: Address = address!("0x4e59b44847b379578588920ca78fbf26c0b4956c");

/// What is to be deployed, with what.
pub(crate) struct Task<'a> {
    /// The plan, validated.
    pub(crate) plan: &'a Plan,
    /// Forge's output folder.
    pub(crate) artifacts: &'a Path,
    /// Who pays, and who tells the hub of its first spokes. It has no other power, unless the plan names no owner.
    pub(crate) signer: PrivateKeySigner,
    /// What an earlier run wrote: where a contract is kept, its block is known from there.
    pub(crate) earlier: Option<Deployment>,
    /// How long one transaction may take to be mined.
    pub(crate) patience: Duration,
    /// Told of each step.
    pub(crate) progress: &'a (dyn Fn(String) + Sync),
}

struct Code {
    facts: Artifact,
    hub: Artifact,
    spoke: Artifact,
}

/// A contract and the height at which it came; none when it stood there already.
#[derive(Clone, Copy)]
struct Built {
    address: Address,
    block: Option<u64>,
}

/// Deploys everything, owned by the plan's owner from the first, and tells hub and spokes of each other.
pub(crate) async fn deploy(task: &Task<'_>) -> Result<Deployment, CliError> {
    task.plan.validate()?;
    let code = Code {
        facts: Artifact::read(task.artifacts, "AttestedFacts")?,
        hub: Artifact::read(task.artifacts, "RootHub")?,
        spoke: Artifact::read(task.artifacts, "RootSpoke")?,
    };
    let senders = try_join_all(task.plan.chains().map(|chain| sender(task, chain))).await?;
    let facts =
        try_join_all(senders.iter().map(|sender| task.create(sender, "AttestedFacts", task.facts(&code))))
            .await?;
    let hub = task.create(&senders[0], "RootHub", task.hub(&code, facts[0].address)).await?;
    let spokes = try_join_all(task.plan.spokes.iter().enumerate().map(|(position, planned)| {
        let creation = task.spoke(&code, planned, hub.address, facts[position + 1].address);
        task.create(&senders[position + 1], "RootSpoke", creation)
    }))
    .await?;
    let verifiers: Vec<Built> = std::iter::once(hub).chain(spokes).collect();
    task.register(&senders[0], &verifiers).await?;
    Ok(task.outcome(&facts, &verifiers))
}

async fn sender(task: &Task<'_>, planned: &PlannedChain) -> Result<Sender, CliError> {
    let chain = connect(planned.rpc.expose(), planned.chain_id).await?;
    let factory =
        chain.code(FACTORY, BlockTag::Latest).await.map_err(|error| failure(planned.chain_id, error))?;
    if factory.is_empty() {
        let why = format!(
            "chain {} lacks the deterministic deployment proxy {FACTORY}: send its presigned transaction",
            planned.chain_id
        );
        return Err(CliError::Failed(anyhow::anyhow!(why)));
    }
    Sender::new(chain, task.signer.clone(), task.patience)
}

impl Task<'_> {
    fn deployer(&self) -> Address {
        self.signer.address()
    }

    fn owner(&self) -> Address {
        self.plan.owner.unwrap_or_else(|| self.deployer())
    }

    fn governance(&self) -> Governance {
        Governance {
            owner: self.owner(),
            pauser: self.plan.pauser.unwrap_or(Address::ZERO),
            pauseSeconds: self.plan.pause_seconds,
            requestFee: self.plan.request_fee_wei.into(),
            maxRequestFee: self.plan.max_request_fee_wei.into(),
        }
    }

    fn facts(&self, code: &Code) -> Result<Bytes, CliError> {
        let mut attestors = self.plan.attestors.clone();
        attestors.sort();
        code.facts.attested_facts(&attestedFactsCall {
            governance: self.owner(),
            attestors,
            threshold: self.plan.threshold,
            expiresAt: self.plan.attestors_expire_at,
        })
    }

    fn hub(&self, code: &Code, fact_verifier: Address) -> Result<Bytes, CliError> {
        code.hub.root_hub(&HubConfig {
            governance: self.governance(),
            registrar: self.deployer(),
            factVerifier: fact_verifier,
            sequencers: self.plan.sequencers.clone(),
            livenessWindow: self.plan.liveness_window_s,
            inclusionWindow: self.plan.inclusion_window_s,
            nullifierCache: self.plan.hub.nullifier_cache,
        })
    }

    fn spoke(
        &self,
        code: &Code,
        planned: &PlannedChain,
        hub: Address,
        fact_verifier: Address,
    ) -> Result<Bytes, CliError> {
        let hub_chain_id = self.plan.hub.chain_id;
        code.spoke.root_spoke(&SpokeConfig {
            hubChainId: U256::from(hub_chain_id),
            hub,
            governance: self.governance(),
            factVerifier: fact_verifier,
            attested: planned.attested,
            nullifierCache: planned.nullifier_cache,
            index: 0,
            root: B256::new(EMPTY),
            batchChain: genesis_batch_chain(hub_chain_id, hub),
        })
    }

    /// Creates a contract where none stands yet.
    async fn create(
        &self,
        sender: &Sender,
        name: &str,
        creation: Result<Bytes, CliError>,
    ) -> Result<Built, CliError> {
        let creation = creation?;
        let salt = artifact::salt(&self.plan.salt);
        let address = FACTORY.create2(salt, keccak256(&creation));
        let chain = sender.chain();
        if stands(chain, address).await? {
            (self.progress)(format!("chain {}: {name} stands at {address}, kept", chain.id()));
            return Ok(Built { address, block: None });
        }
        let data = [salt.as_slice(), &creation].concat().into();
        let receipt = sender.send(&format!("create {name}"), FACTORY, data).await?;
        if !stands(chain, address).await? {
            return Err(CliError::Failed(anyhow::anyhow!(
                "chain {}: {name} did not come to stand",
                chain.id()
            )));
        }
        let (block, gas) = (receipt.block_number, receipt.gas_used);
        (self.progress)(format!("chain {}: {name} at {address} (block {block}, {gas} gas)", chain.id()));
        Ok(Built { address, block: Some(block) })
    }

    /// Tells the hub of the spokes that it does not know yet: the first ones as the registrar, later ones as its owner.
    async fn register(&self, hub: &Sender, verifiers: &[Built]) -> Result<(), CliError> {
        let contract = verifiers[0].address;
        let unknown = self.unknown(verifiers).await?;
        if unknown.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = unknown.iter().map(|(chain_id, _)| chain_id.to_string()).collect();
        let ids = ids.join(", ");
        let calls: Vec<Vec<u8>> = if unknown.len() == self.plan.spokes.len() {
            let (chains, spokes) = unknown.into_iter().unzip();
            vec![IRootHub::registerFirstSpokesCall { chainIds: chains, spokes }.abi_encode()]
        } else {
            let call =
                |(chain_id, spoke)| IRootHub::registerSpokeCall { chainId: chain_id, spoke }.abi_encode();
            unknown.into_iter().map(call).collect()
        };
        for call in calls {
            hub.send(&format!("register {ids}"), contract, call.into()).await?;
        }
        (self.progress)(format!("chain {}: the hub knows the spokes of chains {ids}", hub.chain().id()));
        Ok(())
    }

    /// Chain id and contract of each spoke that the hub does not know.
    async fn unknown(&self, verifiers: &[Built]) -> Result<Vec<(U256, Address)>, CliError> {
        let (hub, contract) = (&self.plan.hub, verifiers[0].address);
        let reader = Reader::connect(hub.rpc.expose(), hub.chain_id, contract).await?;
        let mut unknown = Vec::new();
        for (planned, spoke) in self.plan.spokes.iter().zip(&verifiers[1..]) {
            let chain_id = U256::from(planned.chain_id);
            if reader.ask(IRootHub::spokeOfCall { chainId: chain_id }).await? != spoke.address {
                unknown.push((chain_id, spoke.address));
            }
        }
        Ok(unknown)
    }

    fn outcome(&self, facts: &[Built], verifiers: &[Built]) -> Deployment {
        let chains = self.plan.chains().zip(facts).zip(verifiers).enumerate().map(
            |(position, ((planned, facts), verifier))| {
                let earlier = self.earlier.iter().flat_map(|deployment| &deployment.chains);
                let kept = earlier
                    .filter(|chain| chain.chain_id == planned.chain_id && chain.verifier == verifier.address);
                Deployed {
                    chain_id: planned.chain_id,
                    name: planned.name.clone(),
                    role: if position == 0 { Role::Hub } else { Role::Spoke },
                    verifier: verifier.address,
                    fact_verifier: facts.address,
                    attested: planned.attested,
                    block: verifier.block.or_else(|| kept.map(|chain| chain.block).next()).unwrap_or(0),
                }
            },
        );
        Deployment { chains: chains.collect() }
    }
}

async fn stands(chain: &Arc<dyn Chain>, address: Address) -> Result<bool, CliError> {
    let code = chain.code(address, BlockTag::Latest).await.map_err(|error| failure(chain.id(), error))?;
    Ok(!code.is_empty())
}
