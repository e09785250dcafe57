//! The relayer's configuration file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use hypha_chain::config::{ChainConfig, KeyConfig, Role};
use hypha_protocol::batch::MAX_CALLDATA_BYTES;
use serde::Deserialize;

use crate::error::RelayerError;

/// More chains than anybody configures; each takes tasks and connections.
const MAX_CHAINS: usize = 256;
/// More attestors than a set has; all are asked at once.
const MAX_ATTESTORS: usize = 64;
/// More batches than fit a transaction on any chain.
const MAX_BATCHES: usize = 1_024;

/// What the file holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayerConfig {
    /// Address and port to answer on.
    pub listen: SocketAddr,
    /// The store's file.
    pub store: PathBuf,
    /// The key that pays for gas on every chain.
    pub key: KeyConfig,
    /// The chains, exactly one of them the hub.
    pub chains: Vec<ChainConfig>,
    /// Base addresses of the attestors.
    pub attestors: Vec<String>,
    /// Bounds of one `advance`.
    #[serde(default)]
    pub relay: RelayConfig,
}

/// How much one `advance` carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayConfig {
    /// Batches at most.
    pub max_batches: usize,
    /// Bytes of calldata at most; one batch is sent however large it is.
    pub max_calldata_bytes: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self { max_batches: 8, max_calldata_bytes: MAX_CALLDATA_BYTES }
    }
}

impl RelayerConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`RelayerError::Config`] with what is wrong.
    pub fn validate(&self) -> Result<(), RelayerError> {
        let hubs = self.chains.iter().filter(|chain| chain.role == Role::Hub).count();
        check(hubs == 1, || format!("exactly one chain has the role hub, here {hubs} have it"))?;
        check(self.chains.len() <= MAX_CHAINS, || format!("at most {MAX_CHAINS} chains"))?;
        check((1..=MAX_ATTESTORS).contains(&self.attestors.len()), || {
            format!("attestors: 1 to {MAX_ATTESTORS} addresses")
        })?;
        let distinct: BTreeSet<&str> = self.attestors.iter().map(|url| url.trim_end_matches('/')).collect();
        check(distinct.len() == self.attestors.len(), || "attestors: an address is there twice".into())?;
        check((1..=MAX_BATCHES).contains(&self.relay.max_batches), || {
            format!("relay.max_batches: 1 to {MAX_BATCHES}")
        })?;
        let mut seen = BTreeSet::new();
        for chain in &self.chains {
            check(seen.insert(chain.chain_id), || format!("chain {} is there twice", chain.chain_id))?;
            chain.validate()?;
        }
        Ok(())
    }

    /// The hub's part.
    ///
    /// # Errors
    /// [`RelayerError::Config`] when there is none.
    pub fn hub(&self) -> Result<&ChainConfig, RelayerError> {
        let hub = self.chains.iter().find(|chain| chain.role == Role::Hub);
        hub.ok_or_else(|| RelayerError::Config { what: "no chain has the role hub".into() })
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), RelayerError> {
    if holds { Ok(()) } else { Err(RelayerError::Config { what: what() }) }
}
