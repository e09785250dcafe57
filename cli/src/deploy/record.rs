//! What stands on one chain: `deployments/<chain id>.json`, which `hypha deploy` and `scripts/deploy` write alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, Bytes};
use hypha_chain::Role;
use hypha_protocol::json::decimal_u64;
use serde::{Deserialize, Serialize};

use super::blueprint::{Part, Site};
use crate::deployment::{Deployed, write_json};
use crate::exit::CliError;

/// The contracts on one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Record {
    /// EIP-155 chain id.
    #[serde(with = "decimal_u64")]
    pub(crate) chain_id: u64,
    /// What the chain is called.
    pub(crate) name: String,
    /// Hub or spoke.
    pub(crate) role: Role,
    /// Whether the spoke takes attested roots without their batches.
    pub(crate) attested: bool,
    /// Who deployed: the hub's registrar at its birth.
    pub(crate) deployer: Address,
    /// The plan's text that makes its addresses others than those of the same plan with another text.
    pub(crate) salt: String,
    /// The contracts, by their names in the source.
    pub(crate) contracts: BTreeMap<String, Recorded>,
}

/// One contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Recorded {
    /// Where it stands.
    pub(crate) address: Address,
    /// What its constructor was given, ABI-encoded.
    pub(crate) arguments: Bytes,
    /// A height before which it was not there; 0 when that is not known.
    #[serde(with = "decimal_u64")]
    pub(crate) block: u64,
    /// Keccak-256 of the code that stands there.
    pub(crate) code_hash: B256,
}

impl Record {
    /// The file of a chain.
    pub(crate) fn path(folder: &Path, chain_id: u64) -> PathBuf {
        folder.join(format!("{chain_id}.json"))
    }

    /// Reads the file of a chain.
    pub(crate) fn read(folder: &Path, chain_id: u64) -> Result<Self, CliError> {
        let path = Self::path(folder, chain_id);
        let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
        let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let record: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if record.chain_id != chain_id {
            return Err(wrong(format!("is of chain {}", record.chain_id)));
        }
        Ok(record)
    }

    /// The file of a chain, when there is one.
    pub(crate) fn find(folder: &Path, chain_id: u64) -> Result<Option<Self>, CliError> {
        if Self::path(folder, chain_id).exists() { Self::read(folder, chain_id).map(Some) } else { Ok(None) }
    }

    /// Writes the file of its chain.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), CliError> {
        let failed =
            |error: std::io::Error| CliError::Failed(anyhow::anyhow!("{}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        write_json(&Self::path(folder, self.chain_id), self)
    }

    /// What is said of a contract; none when it is not there.
    pub(crate) fn of(&self, part: &Part<'_>) -> Option<&Recorded> {
        self.contracts.get(part.artifact.name())
    }

    /// The chain as services and user commands are told of it.
    pub(crate) fn deployed(&self, site: &Site<'_>) -> Deployed {
        Deployed {
            chain_id: self.chain_id,
            name: self.name.clone(),
            role: self.role,
            verifier: site.verifier.address,
            fact_verifier: site.facts.address,
            attested: self.attested,
            block: self.of(&site.verifier).map_or(0, |verifier| verifier.block),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_under_its_chain_only() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record {
            chain_id: 7,
            name: "hub".into(),
            role: Role::Hub,
            attested: false,
            deployer: Address::repeat_byte(1),
            salt: String::new(),
            contracts: BTreeMap::from([(
                "RootHub".to_owned(),
                Recorded {
                    address: Address::repeat_byte(2),
                    arguments: Bytes::from_static(&[3]),
                    block: 4,
                    code_hash: B256::repeat_byte(5),
                },
            )]),
        };
        record.write(folder.path()).unwrap();
        assert_eq!(Record::find(folder.path(), 7).unwrap(), Some(record));
        assert_eq!(Record::find(folder.path(), 8).unwrap(), None);
        std::fs::rename(Record::path(folder.path(), 7), Record::path(folder.path(), 8)).unwrap();
        assert!(
            matches!(Record::read(folder.path(), 8), Err(CliError::Usage(text)) if text.contains("chain 7"))
        );
    }
}
