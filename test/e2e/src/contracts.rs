//! Contracts of the repository that a test builds and calls with cast, as anybody would.

use std::path::PathBuf;

use alloy::primitives::Address;
use alloy::signers::local::PrivateKeySigner;
use serde_json::Value;

use crate::devnet::ChainInfo;
use crate::tools::{cast, command, repository, run};

/// A funded account on a chain.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The chain.
    pub chain: &'a ChainInfo,
    /// Its key: one of anvil's published ones, worth nothing anywhere else.
    pub key: &'a str,
}

impl Account<'_> {
    /// Its address.
    ///
    /// # Panics
    /// When the key is none.
    pub fn address(&self) -> Address {
        let signer: PrivateKeySigner = self.key.parse().expect("a key");
        signer.address()
    }

    /// Sends a call, or calldata, and requires that it succeeds.
    ///
    /// # Panics
    /// When it does not.
    pub fn send(&self, to: Address, call: &[&str]) -> Value {
        self.transact(&[&["--value", "0", &to.to_string()], call].concat())
    }

    /// As [`Account::send`], with a value in wei.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn send_value(&self, wei: &str, to: Address, call: &[&str]) -> Value {
        self.transact(&[&["--value", wei, &to.to_string()], call].concat())
    }

    /// Builds a contract of the repository, with the arguments of its constructor.
    ///
    /// # Panics
    /// When it does not come to stand.
    pub fn create(&self, contract: &str, constructor: &str, arguments: &[&str]) -> Address {
        let encoded = if arguments.is_empty() {
            String::new()
        } else {
            cast(&[&["abi-encode", constructor], arguments].concat())
        };
        let code = format!("{}{}", creation_code(contract), encoded.trim_start_matches("0x"));
        let receipt = self.transact(&["--create", &code]);
        let address = receipt["contractAddress"].as_str().expect("an address");
        address.parse().expect("an address")
    }

    fn transact(&self, arguments: &[&str]) -> Value {
        let mut cast = command("cast");
        cast.args(["send", "--json", "--rpc-url", &self.chain.rpc, "--private-key", self.key])
            .args(arguments);
        let receipt: Value = serde_json::from_str(&run(cast)).expect("a receipt");
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        receipt
    }
}

fn creation_code(contract: &str) -> String {
    let path: PathBuf = repository().join(format!("out/{contract}.sol/{contract}.json"));
    let text =
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: forge build", path.display()));
    let artifact: Value = serde_json::from_slice(&text).expect("forge writes JSON");
    artifact["bytecode"]["object"].as_str().expect("its creation code").to_owned()
}
