//! What every part of the coordinator works on.

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use alloy::sol_types::SolCall;
use hypha_chain::config::{ChainConfig, Role};
use hypha_chain::ports::{BlockTag, Call, Chain, Clock};
use hypha_protocol::contracts::IRootHub;
use hypha_protocol::operations::Rules;
use hypha_protocol::signing::hub_domain;
use tokio::sync::Notify;

use crate::config::{BatchConfig, LimitsConfig};
use crate::error::CoordinatorError;
use crate::mode::Switch;
use crate::store::Ledger;
use crate::store::snapshots::SnapshotFile;

/// A chain and how it is configured.
#[derive(Clone)]
pub struct Link {
    /// Its configuration.
    pub config: ChainConfig,
    /// The chain.
    pub chain: Arc<dyn Chain>,
}

/// What every part of the coordinator works on.
pub struct Context {
    /// Store and memory.
    pub ledger: Ledger,
    /// Where the snapshot lies.
    pub(crate) snapshot: SnapshotFile,
    /// What the operator has told the coordinator to do.
    pub mode: Switch,
    /// Told when what waits is to be tried again at once.
    pub(crate) retry: Notify,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The hub.
    pub hub: Link,
    /// All other chains.
    pub spokes: Vec<Link>,
    /// How batches are cut.
    pub batch: BatchConfig,
    /// What is bounded.
    pub limits: LimitsConfig,
    /// EIP-712 domain separator of the operations' signatures.
    pub separator: B256,
}

impl Context {
    /// Unix milliseconds.
    pub fn now(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The hub's chain id.
    pub fn hub_id(&self) -> u64 {
        self.hub.config.chain_id
    }

    /// All chains, the hub first.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.hub).chain(&self.spokes)
    }

    /// Chain ids of all chains but the hub.
    pub(crate) fn spoke_ids(&self) -> Vec<u64> {
        self.spokes.iter().map(|spoke| spoke.config.chain_id).collect()
    }

    /// What the hub will check, at this time in Unix seconds.
    pub fn hub_rules(&self, timestamp: u64) -> Rules {
        Rules::hub(self.separator, timestamp, self.ledger.state().domains.clone())
    }

    /// Asks the hub for which chains notes may be created now.
    ///
    /// # Errors
    /// When it does not answer, or answers something else.
    pub(crate) async fn learn_domains(&self) -> Result<(), CoordinatorError> {
        let (hub, chain_id) = (&self.hub, self.hub_id());
        let data = IRootHub::spokeChainsCall {}.abi_encode().into();
        let call = Call::view(hub.config.verifier, data);
        let answer = hub.chain.call(call, BlockTag::Latest).await;
        let answer = answer.map_err(|error| CoordinatorError::Chain { chain_id, error })?;
        let spokes = IRootHub::spokeChainsCall::abi_decode_returns(&answer)
            .map_err(|error| CoordinatorError::HubLog(format!("spokeChains: {error}")))?;
        self.ledger.observe(|state| {
            state.domains = spokes.iter().filter_map(|id| u64::try_from(*id).ok()).collect();
            state.domains.insert(chain_id);
        });
        Ok(())
    }

    /// What every chain checks.
    pub fn rules(&self) -> Rules {
        Rules::spoke(self.separator)
    }
}

/// EIP-712 domain separator of a hub's operations.
pub(crate) fn separator(hub_chain_id: u64, hub: Address) -> B256 {
    hub_domain(hub_chain_id, hub).separator()
}

/// Whether this chain is the hub.
pub(crate) fn is_hub(config: &ChainConfig) -> bool {
    config.role == Role::Hub
}
