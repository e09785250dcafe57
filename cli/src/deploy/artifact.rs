//! The compiled contracts that forge leaves in its output folder.

use std::path::Path;

use alloy::primitives::{B256, Bytes, keccak256};
use alloy::sol_types::{SolCall, SolValue};
use hypha_protocol::contracts::{HubConfig, SpokeConfig};
use serde::Deserialize;

use crate::exit::CliError;

alloy::sol! {
    /// The constructor of AttestedFacts.
    function attestedFacts(address governance, address[] attestors, uint64 threshold, uint64 expiresAt);
}

/// What the constructor of RootHub takes: the fields of `HubConfig`.
const HUB_ARGUMENTS: &str =
    "(((address,address,uint64,uint128,uint128),address,address,address[],uint64,uint64,bool))";
/// What the constructor of RootSpoke takes: the fields of `SpokeConfig`.
const SPOKE_ARGUMENTS: &str =
    "((uint256,address,(address,address,uint64,uint128,uint128),address,bool,bool,uint64,bytes32,bytes32))";

/// Creation code of one contract.
#[derive(Debug)]
pub(crate) struct Artifact {
    name: &'static str,
    code: Bytes,
    /// Types of the constructor's arguments, a tuple as its fields in brackets.
    arguments: String,
}

#[derive(Deserialize)]
struct File {
    abi: Vec<Entry>,
    bytecode: Code,
}

#[derive(Deserialize)]
struct Code {
    object: Bytes,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    inputs: Vec<Argument>,
}

#[derive(Deserialize)]
struct Argument {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    components: Vec<Argument>,
}

impl Argument {
    fn signature(&self) -> String {
        match self.kind.strip_prefix("tuple") {
            Some(array) => format!("{}{array}", signature(&self.components)),
            None => self.kind.clone(),
        }
    }
}

fn signature(arguments: &[Argument]) -> String {
    format!("({})", arguments.iter().map(Argument::signature).collect::<Vec<_>>().join(","))
}

impl Artifact {
    /// Reads `<folder>/<name>.sol/<name>.json`.
    pub(crate) fn read(folder: &Path, name: &'static str) -> Result<Self, CliError> {
        let path = folder.join(format!("{name}.sol")).join(format!("{name}.json"));
        let wrong =
            |why: String| CliError::Usage(format!("{}: {why} (is it built? forge build)", path.display()));
        let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let file: File = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let constructor = file.abi.iter().find(|entry| entry.kind == "constructor");
        let arguments = constructor.map_or_else(|| "()".to_owned(), |entry| signature(&entry.inputs));
        Ok(Self { name, code: file.bytecode.object, arguments })
    }

    /// Creation code for AttestedFacts.
    pub(crate) fn attested_facts(&self, call: &attestedFactsCall) -> Result<Bytes, CliError> {
        self.creation(arguments_of::<attestedFactsCall>(), &call.abi_encode()[4..])
    }

    /// Creation code for RootHub.
    pub(crate) fn root_hub(&self, config: &HubConfig) -> Result<Bytes, CliError> {
        self.creation(HUB_ARGUMENTS, &config.abi_encode())
    }

    /// Creation code for RootSpoke.
    pub(crate) fn root_spoke(&self, config: &SpokeConfig) -> Result<Bytes, CliError> {
        self.creation(SPOKE_ARGUMENTS, &config.abi_encode())
    }

    /// The code followed by its arguments, when they are those that the compiled constructor takes.
    fn creation(&self, types: &str, arguments: &[u8]) -> Result<Bytes, CliError> {
        if self.arguments != types {
            let why = format!(
                "{} is built with {}, not {types}: it is of another version",
                self.name, self.arguments
            );
            return Err(CliError::Usage(why));
        }
        Ok([&self.code, arguments].concat().into())
    }
}

fn arguments_of<C: SolCall>() -> &'static str {
    &C::SIGNATURE[C::SIGNATURE.find('(').expect("a signature has its brackets")..]
}

/// The salt of a contract in a deployment: plans with different texts give different addresses.
pub(crate) fn salt(text: &str) -> B256 {
    keccak256(format!("hypha:deploy:{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(abi: &str) -> Result<Artifact, CliError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("RootSpoke.sol")).unwrap();
        let text = format!(r#"{{"abi":{abi},"bytecode":{{"object":"0x6001"}}}}"#);
        std::fs::write(folder.path().join("RootSpoke.sol/RootSpoke.json"), text).unwrap();
        Artifact::read(folder.path(), "RootSpoke")
    }

    #[test]
    fn a_constructor_of_another_version_is_refused() {
        let artifact = written(r#"[{"type":"constructor","inputs":[{"type":"address"},{"type":"tuple[]","components":[{"type":"uint64"}]}]}]"#).unwrap();
        assert_eq!(artifact.arguments, "(address,(uint64)[])");
        assert!(artifact.creation("(address,(uint64)[])", &[7]).unwrap().ends_with(&[0x60, 1, 7]));
        assert!(artifact.creation("(address)", &[7]).is_err());
    }

    #[test]
    fn unlinked_or_missing_code_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Artifact::read(folder.path(), "RootSpoke").unwrap_err().to_string().contains("forge build"));
    }
}
