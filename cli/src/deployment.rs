//! What was deployed where: the file that `hypha deploy` writes and that the other commands read.

use std::path::Path;

use alloy::primitives::Address;
use hypha_chain::Role;
use hypha_protocol::json::decimal_u64;
use serde::{Deserialize, Serialize};

use crate::exit::CliError;
use crate::reader::Reader;
use crate::settings::Settings;

/// The contracts of one Hypha, hub first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    /// One entry a chain.
    pub(crate) chains: Vec<Deployed>,
}

/// The contracts on one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Deployed {
    /// EIP-155 chain id.
    #[serde(with = "decimal_u64")]
    pub(crate) chain_id: u64,
    /// What it is called.
    pub(crate) name: String,
    /// Hub or spoke.
    pub(crate) role: Role,
    /// The hub or spoke contract.
    pub(crate) verifier: Address,
    /// The contract that verifies facts for it.
    pub(crate) fact_verifier: Address,
    /// Whether the spoke takes attested roots without their batches.
    pub(crate) attested: bool,
    /// A height at or before which nothing of it was there; 0 when that is not known.
    #[serde(with = "decimal_u64")]
    pub(crate) block: u64,
}

impl Deployment {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let deployment: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let hubs = deployment.chains.iter().filter(|chain| chain.role == Role::Hub).count();
        if hubs != 1 { Err(wrong(format!("has {hubs} hubs instead of one"))) } else { Ok(deployment) }
    }

    /// The file that the settings name.
    pub(crate) fn of(settings: &Settings) -> Result<Self, CliError> {
        let path = settings.deployment.as_ref().ok_or_else(|| {
            CliError::Usage(
                "no deployment named: --deployment FILE, HYPHA_DEPLOYMENT, or in the settings file".into(),
            )
        })?;
        Self::read(path)
    }

    /// The hub.
    pub(crate) fn hub(&self) -> &Deployed {
        self.chains.iter().find(|chain| chain.role == Role::Hub).expect("checked when it was read or made")
    }

    /// The entry of a chain.
    pub(crate) fn chain(&self, chain_id: u64) -> Result<&Deployed, CliError> {
        let found = self.chains.iter().find(|chain| chain.chain_id == chain_id);
        found.ok_or_else(|| CliError::Usage(format!("chain {chain_id} is not in the deployment")))
    }
}

impl Deployed {
    /// Connects to the verifier through the node that the settings name for its chain.
    pub(crate) async fn reader(&self, settings: &Settings) -> Result<Reader, CliError> {
        let url = settings.rpc.get(&self.chain_id).ok_or_else(|| {
            CliError::Usage(format!(
                "no node for chain {0}: --rpc {0}=URL, or [rpc] in the settings file",
                self.chain_id
            ))
        })?;
        Reader::connect(url, self.chain_id, self.verifier).await
    }
}

/// Writes a JSON file, whole or not at all, because others wait for it to appear.
pub(crate) fn write_json(path: &Path, content: &impl Serialize) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Failed(anyhow::anyhow!("{}: {error}", path.display()));
    let text = serde_json::to_string_pretty(content).map_err(|error| CliError::Failed(error.into()))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, text + "\n").map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployed(chain_id: u64, role: Role) -> Deployed {
        Deployed {
            chain_id,
            name: format!("chain-{chain_id}"),
            role,
            verifier: Address::repeat_byte(1),
            fact_verifier: Address::repeat_byte(2),
            attested: false,
            block: 3,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deployment.json");
        let deployment = Deployment { chains: vec![deployed(1, Role::Hub), deployed(2, Role::Spoke)] };
        write_json(&path, &deployment).unwrap();
        let again = Deployment::read(&path).unwrap();
        assert_eq!(again, deployment);
        assert_eq!(again.hub().chain_id, 1);
        assert!(matches!(again.chain(3), Err(CliError::Usage(_))));
    }

    #[test]
    fn two_hubs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deployment.json");
        write_json(&path, &Deployment { chains: vec![deployed(1, Role::Hub), deployed(2, Role::Hub)] })
            .unwrap();
        assert!(matches!(Deployment::read(&path), Err(CliError::Usage(text)) if text.contains("2 hubs")));
    }
}
