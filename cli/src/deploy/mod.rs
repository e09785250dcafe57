//! Deploys the contracts of a plan. Running it again is harmless: every contract's address follows from its code and its
//! arguments (CREATE2), and one that stands there already is kept. `scripts/deploy/Deploy.s.sol` does the same for one chain.

pub(crate) mod artifact;
pub(crate) mod blueprint;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod rehearsal;
mod sender;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, Bytes, U256, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use futures::future::try_join_all;
use hypha_chain::{BlockTag, Chain};
use hypha_protocol::contracts::IRootHub;

use crate::deployment::Deployment;
use crate::exit::CliError;
use crate::reader::{Reader, connect, failure};
use blueprint::{Blueprint, Code, FACTORY, Part, Site};
use plan::{Plan, PlannedChain};
use record::{Record, Recorded};
use sender::Sender;

/// What is to be deployed, with what.
pub(crate) struct Task<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// Forge's output folder.
    pub(crate) artifacts: &'a Path,
    /// Who pays, and who tells the hub of its first spokes. It has no other power.
    pub(crate) signer: PrivateKeySigner,
    /// The records: where a contract is kept, its block is known from there.
    pub(crate) records: &'a Path,
    /// How long one transaction may take to be mined.
    pub(crate) patience: Duration,
    /// Told of each step.
    pub(crate) progress: &'a (dyn Fn(String) + Sync),
}

/// Deploys everything, owned by the plan's owner from the first, writes the records, and tells the hub of its spokes.
pub(crate) async fn deploy(task: &Task<'_>) -> Result<Deployment, CliError> {
    let code = Code::read(task.artifacts)?;
    let blueprint = Blueprint::new(task.plan, &code, task.deployer())?;
    let senders = try_join_all(task.plan.chains().map(|planned| task.sender(planned))).await?;
    let sites = blueprint.sites().zip(&senders).map(|(site, sender)| task.deploy_site(site, sender));
    let records = try_join_all(sites).await?;
    task.register(&senders[0], &blueprint).await?;
    let chains = blueprint.sites().zip(&records).map(|(site, record)| record.deployed(site));
    Ok(Deployment { chains: chains.collect() })
}

impl Task<'_> {
    fn deployer(&self) -> Address {
        self.signer.address()
    }

    async fn sender(&self, planned: &PlannedChain) -> Result<Sender, CliError> {
        Sender::new(connect_with_factory(planned).await?, self.signer.clone(), self.patience)
    }

    /// Creates the contracts of a chain, one after another, and writes down what then stands there.
    async fn deploy_site(&self, site: &Site<'_>, sender: &Sender) -> Result<Record, CliError> {
        let earlier = Record::find(self.records, site.planned.chain_id)?;
        let mut contracts = BTreeMap::new();
        for part in site.parts() {
            let recorded = earlier.as_ref().and_then(|record| record.of(part));
            let recorded = recorded.filter(|recorded| recorded.address == part.address);
            let block = self.create(sender, part).await?.or(recorded.map(|recorded| recorded.block));
            let code = code_at(sender.chain(), part.address).await?;
            let recorded = Recorded {
                address: part.address,
                arguments: part.arguments.clone(),
                block: block.unwrap_or(0),
                code_hash: keccak256(&code),
            };
            contracts.insert(part.artifact.name().to_owned(), recorded);
        }
        let record = Record {
            chain_id: site.planned.chain_id,
            name: site.planned.name.clone(),
            role: site.role,
            attested: site.planned.attested,
            deployer: self.deployer(),
            salt: self.plan.salt.clone(),
            contracts,
        };
        record.write(self.records)?;
        Ok(record)
    }

    /// Creates a contract, and gives the height at which it came; none where it stands already.
    async fn create(&self, sender: &Sender, part: &Part<'_>) -> Result<Option<u64>, CliError> {
        let (chain, name, address) = (sender.chain(), part.artifact.name(), part.address);
        if stands(chain, address).await? {
            (self.progress)(format!("chain {}: {name} stands at {address}, kept", chain.id()));
            return Ok(None);
        }
        let receipt = sender.send(&format!("create {name}"), FACTORY, part.to_factory(self.plan)).await?;
        if !stands(chain, address).await? {
            return Err(CliError::Failed(anyhow::anyhow!(
                "chain {}: {name} did not come to stand",
                chain.id()
            )));
        }
        let (block, gas) = (receipt.block_number, receipt.gas_used);
        (self.progress)(format!("chain {}: {name} at {address} (block {block}, {gas} gas)", chain.id()));
        Ok(Some(block))
    }

    /// Tells the hub of the spokes that it does not know yet: the first ones as its registrar, which works once. Later ones are
    /// governance's to register.
    async fn register(&self, hub: &Sender, blueprint: &Blueprint<'_>) -> Result<(), CliError> {
        let unknown = self.unknown_spokes(blueprint).await?;
        if unknown.is_empty() {
            return Ok(());
        }
        let ids = ids(&unknown);
        let contract = blueprint.hub.verifier.address;
        let place = format!("chain {}", hub.chain().id());
        if self.hub_reader(blueprint).await?.ask(IRootHub::registrarCall {}).await? == self.deployer() {
            let (chain_ids, spokes) = unknown.into_iter().unzip();
            let call = IRootHub::registerFirstSpokesCall { chainIds: chain_ids, spokes };
            hub.send("register the first spokes", contract, call.abi_encode().into()).await?;
            (self.progress)(format!("{place}: the hub knows the spokes of chains {ids}"));
            return Ok(());
        }
        for (chain_id, spoke) in unknown {
            let call: Bytes = IRootHub::registerSpokeCall { chainId: chain_id, spoke }.abi_encode().into();
            if blueprint.owner == self.deployer() {
                hub.send(&format!("register {chain_id}"), contract, call).await?;
                (self.progress)(format!("{place}: the hub knows the spoke of chain {chain_id}"));
            } else {
                let owner = blueprint.owner;
                (self.progress)(format!(
                    "{place}: the hub knows the spoke of chain {chain_id} when its owner {owner} calls {contract} with {call}"
                ));
            }
        }
        Ok(())
    }

    async fn hub_reader(&self, blueprint: &Blueprint<'_>) -> Result<Reader, CliError> {
        let hub = &self.plan.hub;
        Reader::connect(hub.rpc.expose(), hub.chain_id, blueprint.hub.verifier.address).await
    }

    /// Chain id and contract of each spoke that the hub does not know.
    async fn unknown_spokes(&self, blueprint: &Blueprint<'_>) -> Result<Vec<(U256, Address)>, CliError> {
        let reader = self.hub_reader(blueprint).await?;
        let mut unknown = Vec::new();
        for (chain_id, spoke) in blueprint.spokes.iter().map(named) {
            if reader.ask(IRootHub::spokeOfCall { chainId: chain_id }).await? != spoke {
                unknown.push((chain_id, spoke));
            }
        }
        Ok(unknown)
    }
}

/// A spoke as the hub is told of it.
fn named(site: &Site<'_>) -> (U256, Address) {
    (U256::from(site.planned.chain_id), site.verifier.address)
}

fn ids(spokes: &[(U256, Address)]) -> String {
    spokes.iter().map(|(chain_id, _)| chain_id.to_string()).collect::<Vec<_>>().join(", ")
}

async fn connect_with_factory(planned: &PlannedChain) -> Result<Arc<dyn Chain>, CliError> {
    let chain = connect(planned.rpc.expose(), planned.chain_id).await?;
    if stands(&chain, FACTORY).await? {
        return Ok(chain);
    }
    let why = format!(
        "chain {} lacks the deterministic deployment proxy {FACTORY}: send its presigned transaction",
        planned.chain_id
    );
    Err(CliError::Failed(anyhow::anyhow!(why)))
}

async fn code_at(chain: &Arc<dyn Chain>, address: Address) -> Result<Bytes, CliError> {
    chain.code(address, BlockTag::Latest).await.map_err(|error| failure(chain.id(), error))
}

async fn stands(chain: &Arc<dyn Chain>, address: Address) -> Result<bool, CliError> {
    Ok(!code_at(chain, address).await?.is_empty())
}
