//! What a deployment would do, as far as the chains can tell beforehand. Nothing is changed.

use std::sync::Arc;

use alloy::primitives::Address;
use hypha_chain::{Call, Chain, Role};
use hypha_protocol::json::decimal_u64;
use serde::Serialize;

use super::blueprint::{Blueprint, Code, FACTORY, Part, Site};
use super::{Task, connect_with_factory, ids, named, stands};
use crate::exit::CliError;
use crate::reader::{connect, failure};

/// All that would be done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rehearsal {
    /// Who would pay.
    deployer: Address,
    /// Who would own all contracts.
    owner: Address,
    /// The hub first.
    chains: Vec<RehearsedChain>,
    /// Spokes of the plan that the hub does not know yet: what would be registered, by the deployer or by the owner.
    unknown_spokes: Vec<UnknownSpoke>,
}

/// The contracts of one chain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RehearsedChain {
    #[serde(with = "decimal_u64")]
    chain_id: u64,
    name: String,
    role: Role,
    /// In the order in which they would come.
    contracts: Vec<RehearsedContract>,
}

/// One contract.
#[derive(Debug, Serialize)]
struct RehearsedContract {
    contract: &'static str,
    /// Where it stands, or would.
    address: Address,
    /// Whether it is there already, and would be kept.
    stands: bool,
    /// What creating it would take; none when it stands.
    gas: Option<String>,
}

/// A spoke that the hub does not know.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownSpoke {
    chain_id: String,
    address: Address,
}

/// Finds out what [`super::deploy`] would do, and says each step.
pub(crate) async fn rehearse(task: &Task<'_>) -> Result<Rehearsal, CliError> {
    let code = Code::read(task.artifacts)?;
    let blueprint = Blueprint::new(task.plan, &code, task.deployer())?;
    let mut chains = Vec::new();
    for site in blueprint.sites() {
        chains.push(task.rehearse_site(site).await?);
    }
    let hub = connect(task.plan.hub.rpc.expose(), task.plan.hub.chain_id).await?;
    let unknown = if stands(&hub, blueprint.hub.verifier.address).await? {
        task.unknown_spokes(&blueprint).await?
    } else {
        blueprint.spokes.iter().map(named).collect()
    };
    if !unknown.is_empty() {
        (task.progress)(format!("chain {}: the hub would be told of chains {}", hub.id(), ids(&unknown)));
    }
    let unknown = unknown
        .into_iter()
        .map(|(chain_id, address)| UnknownSpoke { chain_id: chain_id.to_string(), address });
    let unknown_spokes = unknown.collect();
    Ok(Rehearsal { deployer: task.deployer(), owner: blueprint.owner, chains, unknown_spokes })
}

impl Task<'_> {
    async fn rehearse_site(&self, site: &Site<'_>) -> Result<RehearsedChain, CliError> {
        let chain = connect_with_factory(site.planned).await?;
        let mut contracts = Vec::new();
        for part in site.parts() {
            contracts.push(self.rehearse_part(&chain, part).await?);
        }
        let (chain_id, name) = (site.planned.chain_id, site.planned.name.clone());
        Ok(RehearsedChain { chain_id, name, role: site.role, contracts })
    }

    async fn rehearse_part(
        &self,
        chain: &Arc<dyn Chain>,
        part: &Part<'_>,
    ) -> Result<RehearsedContract, CliError> {
        let (contract, address) = (part.artifact.name(), part.address);
        if stands(chain, address).await? {
            (self.progress)(format!("chain {}: {contract} stands at {address}, would be kept", chain.id()));
            return Ok(RehearsedContract { contract, address, stands: true, gas: None });
        }
        let call = Call { from: self.deployer(), ..Call::view(FACTORY, part.to_factory(self.plan)) };
        let gas = chain.estimate_gas(call).await.map_err(|error| failure(chain.id(), error))?;
        (self.progress)(format!("chain {}: {contract} would come to {address} ({gas} gas)", chain.id()));
        Ok(RehearsedContract { contract, address, stands: false, gas: Some(gas.to_string()) })
    }
}
