//! The compiled contracts that forge leaves in its output folder.

use std::collections::BTreeMap;
use std::path::Path;

use alloy::primitives::Bytes;
use alloy::sol_types::{SolCall, SolValue};
use hypha_protocol::contracts::{HubConfig, SpokeConfig};
use serde::Deserialize;

use crate::exit::CliError;

alloy::sol! {
    /// The constructor of AttestedFacts.
    function attestedFacts(address governance, address[] attestors, uint64 threshold, uint64 expiresAt);

    /// The constructor of ExitTimelock.
    function exitTimelock(
        uint64 livenessWindow,
        uint64 inclusionWindow,
        uint256 delay,
        address[] proposers,
        address[] executors
    );
}

/// What the constructor of RootHub takes: the fields of `HubConfig`.
const HUB_ARGUMENTS: &str =
    "(((address,address,uint64,uint128,uint128),address,address,address[],uint64,uint64,bool))";
/// What the constructor of RootSpoke takes: the fields of `SpokeConfig`.
const SPOKE_ARGUMENTS: &str =
    "((uint256,address,(address,address,uint64,uint128,uint128),address,bool,bool,uint64,bytes32,bytes32))";

/// The compiled code of one contract.
#[derive(Debug)]
pub(crate) struct Artifact {
    name: &'static str,
    creation: Bytes,
    /// What stands on a chain, with zeros where the constructor writes its immutable values.
    runtime: Bytes,
    /// For each immutable value the places in the runtime code where it is written.
    immutables: Vec<Vec<Place>>,
    /// Types of the constructor's arguments, a tuple as its fields in brackets.
    arguments: String,
}

#[derive(Deserialize)]
struct File {
    abi: Vec<Entry>,
    bytecode: Code,
    #[serde(rename = "deployedBytecode")]
    runtime: Code,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Code {
    object: Bytes,
    #[serde(default)]
    immutable_references: BTreeMap<String, Vec<Place>>,
}

/// Bytes of the runtime code.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    start: usize,
    length: usize,
}

impl Place {
    fn of(self, code: &[u8]) -> Option<&[u8]> {
        code.get(self.start..self.start.checked_add(self.length)?)
    }
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
        Ok(Self {
            name,
            creation: file.bytecode.object,
            runtime: file.runtime.object,
            immutables: file.runtime.immutable_references.into_values().collect(),
            arguments,
        })
    }

    /// The contract's name in the source.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Arguments for the constructor of ExitTimelock.
    pub(crate) fn exit_timelock(&self, call: &exitTimelockCall) -> Result<Bytes, CliError> {
        self.checked(arguments_of::<exitTimelockCall>(), call.abi_encode()[4..].to_vec())
    }

    /// Arguments for the constructor of AttestedFacts.
    pub(crate) fn attested_facts(&self, call: &attestedFactsCall) -> Result<Bytes, CliError> {
        self.checked(arguments_of::<attestedFactsCall>(), call.abi_encode()[4..].to_vec())
    }

    /// Arguments for the constructor of RootHub.
    pub(crate) fn root_hub(&self, config: &HubConfig) -> Result<Bytes, CliError> {
        self.checked(HUB_ARGUMENTS, config.abi_encode())
    }

    /// Arguments for the constructor of RootSpoke.
    pub(crate) fn root_spoke(&self, config: &SpokeConfig) -> Result<Bytes, CliError> {
        self.checked(SPOKE_ARGUMENTS, config.abi_encode())
    }

    /// What a chain is sent: the code followed by the arguments.
    pub(crate) fn creation(&self, arguments: &[u8]) -> Bytes {
        [&self.creation, arguments].concat().into()
    }

    /// The arguments, when they are those that the compiled constructor takes.
    fn checked(&self, types: &str, arguments: Vec<u8>) -> Result<Bytes, CliError> {
        if self.arguments != types {
            let why = format!(
                "{} is built with {}, not {types}: it is of another version",
                self.name, self.arguments
            );
            return Err(CliError::Usage(why));
        }
        Ok(arguments.into())
    }

    /// Whether code on a chain is this contract's. What the constructor wrote is not known here: each value must only be the
    /// same wherever it stands.
    pub(crate) fn compare(&self, code: &[u8]) -> Result<(), String> {
        let expected = self.runtime.len();
        if code.len() != expected {
            return Err(format!("{} bytes, compiled are {expected}", code.len()));
        }
        let mut masked = code.to_vec();
        for places in &self.immutables {
            let mut values = places.iter().map(|place| place.of(code));
            let first = values.next().flatten();
            if first.is_none() || values.any(|value| value != first) {
                return Err("an immutable value differs from place to place".into());
            }
            for place in places {
                masked[place.start..place.start + place.length].fill(0);
            }
        }
        match masked.iter().zip(&self.runtime).position(|(actual, expected)| actual != expected) {
            Some(position) => Err(format!("byte {position} differs")),
            None => Ok(()),
        }
    }
}

fn arguments_of<C: SolCall>() -> &'static str {
    &C::SIGNATURE[C::SIGNATURE.find('(').expect("a signature has its brackets")..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six bytes, of which the third and the fifth are one immutable value.
    const RUNTIME: &str = r#"{"object":"0x010200040006","immutableReferences":{"7":[{"start":2,"length":1},{"start":4,"length":1}]}}"#;

    fn written(abi: &str) -> Result<Artifact, CliError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("RootSpoke.sol")).unwrap();
        let text =
            format!(r#"{{"abi":{abi},"bytecode":{{"object":"0x6001"}},"deployedBytecode":{RUNTIME}}}"#);
        std::fs::write(folder.path().join("RootSpoke.sol/RootSpoke.json"), text).unwrap();
        Artifact::read(folder.path(), "RootSpoke")
    }

    #[test]
    fn a_constructor_of_another_version_is_refused() {
        let artifact = written(r#"[{"type":"constructor","inputs":[{"type":"address"},{"type":"tuple[]","components":[{"type":"uint64"}]}]}]"#).unwrap();
        assert_eq!(artifact.arguments, "(address,(uint64)[])");
        let arguments = artifact.checked("(address,(uint64)[])", vec![7]).unwrap();
        assert_eq!(artifact.creation(&arguments)[..], [0x60, 1, 7]);
        assert!(artifact.checked("(address)", vec![7]).is_err());
    }

    #[test]
    fn code_is_the_compiled_one_but_for_what_the_constructor_wrote() {
        let artifact = written("[]").unwrap();
        artifact.compare(&[1, 2, 9, 4, 9, 6]).unwrap();
        for (code, why) in [
            (&[1, 2, 9, 4, 9, 7][..], "byte 5"),
            (&[1, 2, 9, 4, 8, 6], "immutable"),
            (&[1, 2, 9, 4, 9], "5 bytes"),
            (&[], "0 bytes"),
        ] {
            let refused = artifact.compare(code).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn unlinked_or_missing_code_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Artifact::read(folder.path(), "RootSpoke").unwrap_err().to_string().contains("forge build"));
    }
}
