//! Which contracts a plan puts on which chain, with which arguments, at which addresses. All of it follows from the plan, the
//! deployer and the compiled code alone: no chain is asked.

use std::path::Path;

use alloy::primitives::{Address, B256, Bytes, U256, address, keccak256};
use hypha_chain::Role;
use hypha_protocol::batch::genesis_batch_chain;
use hypha_protocol::contracts::{Governance, HubConfig, SpokeConfig};
use hypha_protocol::tree::EMPTY;

use super::artifact::{Artifact, attestedFactsCall, exitTimelockCall};
use super::plan::{Plan, PlannedChain};
use crate::exit::CliError;

/// The deterministic deployment proxy: creates what it is sent with CREATE2. It has this address on every chain where its
/// presigned transaction was sent, anvil has it from its first block.
pub(crate) const FACTORY: Address = address!("0x4e59b44847b379578588920ca78fbf26c0b4956c");

/// The compiled contracts.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) timelock: Artifact,
    pub(crate) facts: Artifact,
    pub(crate) hub: Artifact,
    pub(crate) spoke: Artifact,
}

impl Code {
    /// Reads them from forge's output folder.
    pub(crate) fn read(artifacts: &Path) -> Result<Self, CliError> {
        Ok(Self {
            timelock: Artifact::read(artifacts, "ExitTimelock")?,
            facts: Artifact::read(artifacts, "AttestedFacts")?,
            hub: Artifact::read(artifacts, "RootHub")?,
            spoke: Artifact::read(artifacts, "RootSpoke")?,
        })
    }
}

/// One contract on one chain.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    /// Its compiled code.
    pub(crate) artifact: &'a Artifact,
    /// Of its constructor, ABI-encoded.
    pub(crate) arguments: Bytes,
    /// Where it stands, or will.
    pub(crate) address: Address,
}

impl<'a> Part<'a> {
    fn new(plan: &Plan, artifact: &'a Artifact, arguments: Bytes) -> Self {
        let address = FACTORY.create2(salt(plan), keccak256(artifact.creation(&arguments)));
        Self { artifact, arguments, address }
    }

    /// What the factory is sent so that it creates the contract.
    pub(crate) fn to_factory(&self, plan: &Plan) -> Bytes {
        [salt(plan).as_slice(), &self.artifact.creation(&self.arguments)].concat().into()
    }
}

/// The contracts of one chain.
#[derive(Clone, Debug)]
pub(crate) struct Site<'a> {
    /// The chain.
    pub(crate) planned: &'a PlannedChain,
    /// Hub or spoke.
    pub(crate) role: Role,
    /// Owner of the others; none where the plan names a bare owner.
    pub(crate) timelock: Option<Part<'a>>,
    /// Verifies facts.
    pub(crate) facts: Part<'a>,
    /// The hub or spoke.
    pub(crate) verifier: Part<'a>,
}

impl<'a> Site<'a> {
    /// Its contracts, in the order in which they name each other.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        self.timelock.iter().chain([&self.facts, &self.verifier])
    }
}

/// The contracts of all chains.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint<'a> {
    /// Who owns them.
    pub(crate) owner: Address,
    /// The hub's chain.
    pub(crate) hub: Site<'a>,
    /// The others.
    pub(crate) spokes: Vec<Site<'a>>,
}

impl<'a> Blueprint<'a> {
    /// The contracts of a plan that is good. The deployer becomes the hub's registrar.
    pub(crate) fn new(plan: &'a Plan, code: &'a Code, deployer: Address) -> Result<Self, CliError> {
        plan.validate()?;
        let timelock = match &plan.governance {
            Some(_) => Some(Part::new(plan, &code.timelock, timelock_arguments(plan, code)?)),
            None => None,
        };
        let owner = timelock.as_ref().map(|part| part.address).or(plan.owner);
        let owner = owner.expect("a plan without either is refused");
        let facts = Part::new(plan, &code.facts, facts_arguments(plan, code, owner)?);
        let governance = governance(plan, owner);
        let arguments = code.hub.root_hub(&HubConfig {
            governance: governance.clone(),
            registrar: deployer,
            factVerifier: facts.address,
            sequencers: plan.sequencers.clone(),
            livenessWindow: plan.liveness_window_s,
            inclusionWindow: plan.inclusion_window_s,
            nullifierCache: plan.hub.nullifier_cache,
        })?;
        let verifier = Part::new(plan, &code.hub, arguments);
        let hub = Site { planned: &plan.hub, role: Role::Hub, timelock, facts, verifier };
        let spokes = plan.spokes.iter().map(|planned| {
            let config = spoke_config(plan, planned, &hub, governance.clone());
            let verifier = Part::new(plan, &code.spoke, code.spoke.root_spoke(&config)?);
            Ok(Site { planned, role: Role::Spoke, verifier, ..hub.clone() })
        });
        let spokes = spokes.collect::<Result<_, CliError>>()?;
        Ok(Self { owner, hub, spokes })
    }

    /// All chains, the hub first.
    pub(crate) fn sites(&self) -> impl Iterator<Item = &Site<'a>> {
        std::iter::once(&self.hub).chain(&self.spokes)
    }
}

fn timelock_arguments(plan: &Plan, code: &Code) -> Result<Bytes, CliError> {
    let governance = plan.governance.as_ref().expect("asked for where the plan has it only");
    code.timelock.exit_timelock(&exitTimelockCall {
        livenessWindow: plan.liveness_window_s,
        inclusionWindow: plan.inclusion_window_s,
        delay: U256::from(governance.delay_s),
        proposers: governance.proposers.clone(),
        executors: governance.executors(),
    })
}

fn facts_arguments(plan: &Plan, code: &Code, owner: Address) -> Result<Bytes, CliError> {
    code.facts.attested_facts(&attestedFactsCall {
        governance: owner,
        attestors: plan.ascending_attestors(),
        threshold: plan.threshold,
        expiresAt: plan.attestors_expire_at,
    })
}

fn governance(plan: &Plan, owner: Address) -> Governance {
    Governance {
        owner,
        pauser: plan.pauser.unwrap_or_default(),
        pauseSeconds: plan.pause_seconds,
        requestFee: plan.request_fee_wei.into(),
        maxRequestFee: plan.max_request_fee_wei.into(),
    }
}

/// A new spoke begins with the empty tree.
fn spoke_config(plan: &Plan, planned: &PlannedChain, hub: &Site<'_>, governance: Governance) -> SpokeConfig {
    SpokeConfig {
        hubChainId: U256::from(plan.hub.chain_id),
        hub: hub.verifier.address,
        governance,
        factVerifier: hub.facts.address,
        attested: planned.attested,
        nullifierCache: planned.nullifier_cache,
        index: 0,
        root: B256::new(EMPTY),
        batchChain: genesis_batch_chain(plan.hub.chain_id, hub.verifier.address),
    }
}

/// Plans with different texts give different addresses.
fn salt(plan: &Plan) -> B256 {
    keccak256(format!("hypha:deploy:{}", plan.salt))
}
