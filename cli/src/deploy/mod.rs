//! Deploys the contracts of a plan. Running it again is harmless: every contract's address follows from its code and its
//! arguments (CREATE2), and one that stands there already is kept.

pub(crate) mod artifact;
pub(crate) mod plan;
mod sender;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, address, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use futures::future::try_join_all;
use hypha_chain::{BlockTag, Call, Chain, Role};
use hypha_protocol::batch::genesis_batch_chain;
use hypha_protocol::contracts::{IRootHub, SpokeConfig};
use hypha_protocol::tree::EMPTY;

use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::reader::{Reader, connect, failure};
use artifact::{Artifact, attestedFactsCall, rootHubCall};
use plan::{Plan, PlannedChain};
use sender::Sender;

/// The deterministic deployment proxy: creates what it is sent with CREATE2. It has this address on every chain where its
/// presigned transaction was sent, anvil has it from its first block.
const FACTORY: Address = address!("0x4e59b44847b379578588920ca78fbf26c0b4956c");

alloy::sol! {
    function transferOwnership(address newOwner);
    function owner() returns (address);
    function pendingOwner() returns (address);
}

/// What is to be deployed, with what.
pub(crate) struct Task<'a> {
    /// The plan, validated.
    pub(crate) plan: &'a Plan,
    /// Forge's output folder.
    pub(crate) artifacts: &'a Path,
    /// Who pays, and who owns the contracts until the plan's owner accepts them.
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

/// Deploys everything, tells hub and spokes of each other, and hands the contracts to the plan's owner.
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
    for (position, sender) in senders.iter().enumerate() {
        task.hand_over(sender, &[facts[position].address, verifiers[position].address]).await?;
    }
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

    fn facts(&self, code: &Code) -> Result<Bytes, CliError> {
        let mut attestors = self.plan.attestors.clone();
        attestors.sort();
        code.facts.attested_facts(&attestedFactsCall {
            governance: self.deployer(),
            attestors,
            threshold: self.plan.threshold,
            expiresAt: self.plan.attestors_expire_at,
        })
    }

    fn hub(&self, code: &Code, fact_verifier: Address) -> Result<Bytes, CliError> {
        code.hub.root_hub(&rootHubCall {
            governance: self.deployer(),
            factVerifier: fact_verifier,
            sequencers: self.plan.sequencers.clone(),
            livenessWindow: self.plan.liveness_window_s,
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
            hubChainId: alloy::primitives::U256::from(hub_chain_id),
            hub,
            owner: self.deployer(),
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

    /// Tells the hub of each spoke that it does not know yet.
    async fn register(&self, hub: &Sender, verifiers: &[Built]) -> Result<(), CliError> {
        let contract = verifiers[0].address;
        let reader = Reader::connect(self.plan.hub.rpc.expose(), self.plan.hub.chain_id, contract).await?;
        for (planned, spoke) in self.plan.spokes.iter().zip(&verifiers[1..]) {
            let chain_id = alloy::primitives::U256::from(planned.chain_id);
            let known = reader.ask(IRootHub::spokeOfCall { chainId: chain_id }).await?;
            if known == spoke.address {
                continue;
            }
            let call = IRootHub::registerSpokeCall { chainId: chain_id, spoke: spoke.address };
            hub.send(&format!("register {}", planned.chain_id), contract, call.abi_encode().into()).await?;
            (self.progress)(format!(
                "chain {}: the hub knows the spoke of chain {}",
                hub.chain().id(),
                planned.chain_id
            ));
        }
        Ok(())
    }

    /// Offers the contracts to the plan's owner, who still has to accept them.
    async fn hand_over(&self, sender: &Sender, contracts: &[Address]) -> Result<(), CliError> {
        let Some(owner) = self.plan.owner.filter(|owner| *owner != self.deployer()) else { return Ok(()) };
        for contract in contracts {
            let holder: Address = ask(sender.chain(), *contract, ownerCall {}).await?;
            let offered: Address = ask(sender.chain(), *contract, pendingOwnerCall {}).await?;
            if holder == owner || offered == owner {
                continue;
            }
            let call = transferOwnershipCall { newOwner: owner };
            sender.send(&format!("hand over {contract}"), *contract, call.abi_encode().into()).await?;
            (self.progress)(format!(
                "chain {}: {contract} is offered to {owner}, who must accept it",
                sender.chain().id()
            ));
        }
        Ok(())
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

async fn ask<C: SolCall>(chain: &Arc<dyn Chain>, to: Address, question: C) -> Result<C::Return, CliError> {
    let call = Call { from: Address::ZERO, to, data: question.abi_encode().into() };
    let answer = chain.call(call, BlockTag::Latest).await.map_err(|error| failure(chain.id(), error))?;
    C::abi_decode_returns(&answer)
        .map_err(|error| CliError::Failed(anyhow::anyhow!("chain {}: {error}", chain.id())))
}
