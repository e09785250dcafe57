//! The attestor's configuration file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use hypha_chain::config::{ChainConfig, KeyConfig, Role};
use serde::Deserialize;

use crate::error::AttestorError;

/// More chains than anybody configures; each takes a task and connections.
const MAX_CHAINS: usize = 256;

/// What the file holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestorConfig {
    /// Address and port to answer on.
    pub listen: SocketAddr,
    /// The store's file.
    pub store: PathBuf,
    /// The key that signs; it needs no funds.
    pub key: KeyConfig,
    /// The chains, exactly one of them the hub.
    pub chains: Vec<ChainConfig>,
}

impl AttestorConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`AttestorError::Config`] with what is wrong.
    pub fn validate(&self) -> Result<(), AttestorError> {
        let hubs = self.chains.iter().filter(|chain| chain.role == Role::Hub).count();
        if hubs != 1 {
            return refuse(format!("exactly one chain has the role hub, here {hubs} have it"));
        }
        if self.chains.len() > MAX_CHAINS {
            return refuse(format!("at most {MAX_CHAINS} chains"));
        }
        let mut seen = BTreeSet::new();
        for chain in &self.chains {
            if !seen.insert(chain.chain_id) {
                return refuse(format!("chain {} is there twice", chain.chain_id));
            }
            chain.validate()?;
        }
        Ok(())
    }
}

fn refuse(what: String) -> Result<(), AttestorError> {
    Err(AttestorError::Config { what })
}
