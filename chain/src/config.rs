//! The parts of a configuration file that every service shares: a chain, and a key.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use alloy::primitives::Address;
use alloy::signers::local::PrivateKeySigner;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::error::ChainError;
use crate::ports::{Block, BlockTag, Chain};
use crate::quorum::QuorumChain;
use crate::rpc::RpcChain;

/// Endpoints of one chain at most: each read asks them all.
pub const MAX_ENDPOINTS: usize = 16;
/// Blocks in one request for logs at most.
pub const MAX_LOGS_RANGE: u64 = 10_000;

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A field has a value that cannot work.
    #[error("chain {chain}: {field} {reason}")]
    Field {
        /// The chain's name.
        chain: String,
        /// The field.
        field: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The environment variable that should hold a key or a password is not set.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// The environment variable does not hold a private key: 32 bytes in hex.
    #[error("environment variable {0} does not hold a private key in hex")]
    NoKey(String),
    /// The keystore file cannot be read, or the password is wrong.
    #[error("keystore {path}: {reason}")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a chain is in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The primary chain, which takes the batches.
    Hub,
    /// Any other chain.
    Spoke,
}

/// From when on a block counts as final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// The chain's own `finalized` tag.
    #[default]
    Finalized,
    /// The chain's own `safe` tag.
    Safe,
    /// This many blocks on top of it; 0 is the latest block.
    Confirmations(u64),
}

impl Finality {
    /// The newest block that counts as final; `None` when the chain has none yet.
    ///
    /// # Errors
    /// Those of the reads.
    pub async fn head(self, chain: &dyn Chain) -> Result<Option<Block>, ChainError> {
        match self {
            Self::Finalized => chain.block(BlockTag::Finalized).await,
            Self::Safe => chain.block(BlockTag::Safe).await,
            Self::Confirmations(0) => chain.block(BlockTag::Latest).await,
            Self::Confirmations(depth) => {
                let Some(latest) = chain.block(BlockTag::Latest).await? else { return Ok(None) };
                match latest.number.checked_sub(depth) {
                    Some(number) => chain.block(BlockTag::Number(number)).await,
                    None => Ok(None),
                }
            }
        }
    }
}

/// Address of an endpoint. Often a secret is part of it, so it shows only its host and port, except to a serializer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RpcUrl(String);

impl RpcUrl {
    /// The whole address, secrets included.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The address in its normal form, so that two spellings of one are equal.
    pub(crate) fn parse(&self) -> Option<Url> {
        let url = Url::parse(&self.0).ok()?;
        let usable = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        usable.then_some(url)
    }
}

impl<T: Into<String>> From<T> for RpcUrl {
    fn from(url: T) -> Self {
        Self(url.into())
    }
}

impl fmt::Display for RpcUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parse() {
            Some(url) => {
                let host = url.host_str().unwrap_or_default();
                write!(formatter, "{host}:{}", url.port_or_known_default().unwrap_or_default())
            }
            None => formatter.write_str("not an HTTP address"),
        }
    }
}

impl fmt::Debug for RpcUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// One chain in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Name in logs and answers.
    pub name: String,
    /// Hub or spoke.
    pub role: Role,
    /// Endpoints, distinct.
    pub rpc: Vec<RpcUrl>,
    /// How many of them must agree on every answer.
    #[serde(default = "default_quorum")]
    pub quorum: usize,
    /// The hub or spoke contract.
    pub verifier: Address,
    /// The contract that verifies facts for it.
    pub fact_verifier: Address,
    /// Whether the spoke takes attested roots without their batches.
    #[serde(default)]
    pub attested: bool,
    /// Height at or before which the contracts were deployed: nothing earlier is read.
    #[serde(default)]
    pub start_block: u64,
    /// Milliseconds between looks at the chain.
    #[serde(default = "default_poll_ms")]
    pub poll_ms: u64,
    /// From when on a block counts as final.
    #[serde(default)]
    pub finality: Finality,
    /// Blocks in one request for logs.
    #[serde(default = "default_max_logs_range")]
    pub max_logs_range: u64,
}

fn default_quorum() -> usize {
    1
}

fn default_poll_ms() -> u64 {
    250
}

fn default_max_logs_range() -> u64 {
    1_000
}

impl ChainConfig {
    /// Checks every field that its type does not.
    ///
    /// # Errors
    /// [`ConfigError::Field`] for the first one that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |holds: bool, field: &'static str, reason: &str| {
            let error = || ConfigError::Field { chain: self.name.clone(), field, reason: reason.to_owned() };
            if holds { Ok(()) } else { Err(error()) }
        };
        check(!self.name.is_empty(), "name", "is empty")?;
        check(self.chain_id != 0, "chain_id", "is zero")?;
        check((1..=MAX_ENDPOINTS).contains(&self.rpc.len()), "rpc", "must have 1 to 16 endpoints")?;
        check(
            self.rpc.iter().all(|url| url.parse().is_some()),
            "rpc",
            "has an address that is not http(s)://host",
        )?;
        check(distinct(&self.rpc), "rpc", "names an endpoint twice")?;
        check(self.quorum >= 1, "quorum", "is zero")?;
        check(self.quorum <= self.rpc.len(), "quorum", "is more than there are endpoints")?;
        check(self.verifier != Address::ZERO, "verifier", "is the zero address")?;
        check(self.fact_verifier != Address::ZERO, "fact_verifier", "is the zero address")?;
        check(self.role == Role::Spoke || !self.attested, "attested", "is for spokes only")?;
        check((10..=600_000).contains(&self.poll_ms), "poll_ms", "must be 10 to 600000")?;
        check((1..=MAX_LOGS_RANGE).contains(&self.max_logs_range), "max_logs_range", "must be 1 to 10000")
    }

    /// The chain behind these endpoints: the one endpoint, or a quorum. Endpoints are first asked when they are first
    /// used, so that one which is down does not hinder a start; each must then prove to serve this chain id.
    ///
    /// # Errors
    /// [`ChainError::Setup`] when the endpoints cannot form the quorum.
    pub fn chain(&self) -> Result<Arc<dyn Chain>, ChainError> {
        match self.rpc.as_slice() {
            [only] if self.quorum == 1 => Ok(Arc::new(RpcChain::new(only, self.chain_id)?)),
            several => Ok(Arc::new(QuorumChain::of_urls(self.chain_id, several, self.quorum)?)),
        }
    }
}

/// Whether no two addresses are the same in their normal form.
pub(crate) fn distinct(urls: &[RpcUrl]) -> bool {
    let normal: std::collections::BTreeSet<_> = urls.iter().map(RpcUrl::parse).collect();
    normal.len() == urls.len()
}

/// Where a private key comes from; the key itself never stands in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "KeyFields", into = "KeyFields")]
pub enum KeyConfig {
    /// An environment variable that holds it in hex.
    Env(String),
    /// An encrypted keystore file.
    Keystore {
        /// The file.
        path: PathBuf,
        /// The environment variable that holds its password.
        password_env: String,
    },
}

/// How a [`KeyConfig`] is written: `{ env = "NAME" }` or `{ keystore = "file", password_env = "NAME" }`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keystore: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_env: Option<String>,
}

impl TryFrom<KeyFields> for KeyConfig {
    type Error = &'static str;

    fn try_from(fields: KeyFields) -> Result<Self, Self::Error> {
        match fields {
            KeyFields { env: Some(name), keystore: None, password_env: None } => Ok(Self::Env(name)),
            KeyFields { env: None, keystore: Some(path), password_env: Some(password_env) } => {
                Ok(Self::Keystore { path, password_env })
            }
            _ => Err("a key is either { env } or { keystore, password_env }"),
        }
    }
}

impl From<KeyConfig> for KeyFields {
    fn from(key: KeyConfig) -> Self {
        match key {
            KeyConfig::Env(name) => Self { env: Some(name), ..Self::default() },
            KeyConfig::Keystore { path, password_env } => {
                Self { keystore: Some(path), password_env: Some(password_env), ..Self::default() }
            }
        }
    }
}

impl KeyConfig {
    /// Reads the key. Decrypting a keystore takes about a second.
    ///
    /// # Errors
    /// What is missing or wrong, never with any part of the key or the password.
    pub fn signer(&self) -> Result<PrivateKeySigner, ConfigError> {
        self.signer_from(|name| std::env::var(name).ok())
    }

    fn signer_from(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<PrivateKeySigner, ConfigError> {
        let read = |name: &String| variable(name).ok_or_else(|| ConfigError::Unset(name.clone()));
        match self {
            Self::Env(name) => read(name)?.trim().parse().map_err(|_| ConfigError::NoKey(name.clone())),
            Self::Keystore { path, password_env } => {
                PrivateKeySigner::decrypt_keystore(path, read(password_env)?)
                    .map_err(|error| ConfigError::Keystore { path: path.clone(), reason: error.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        chain_id = 31337
        name = "hub"
        role = "hub"
        rpc = ["http://127.0.0.1:8545"]
        verifier = "0x1111111111111111111111111111111111111111"
        fact_verifier = "0x2222222222222222222222222222222222222222"
    "#;

    fn minimal() -> ChainConfig {
        toml::from_str(MINIMAL).unwrap()
    }

    #[test]
    fn defaults_stand_in_for_what_is_not_written() {
        let config = minimal();
        config.validate().unwrap();
        assert_eq!((config.quorum, config.poll_ms, config.max_logs_range), (1, 250, 1_000));
        assert_eq!((config.finality, config.attested, config.start_block), (Finality::Finalized, false, 0));
        let again: ChainConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn finality_is_a_word_or_a_number_of_confirmations() {
        let read =
            |line: &str| toml::from_str::<ChainConfig>(&format!("{MINIMAL}\n{line}")).map(|c| c.finality);
        assert_eq!(read("finality = 'safe'"), Ok(Finality::Safe));
        assert_eq!(read("finality = { confirmations = 3 }"), Ok(Finality::Confirmations(3)));
        assert!(read("finality = 'soon'").is_err());
        assert!(toml::from_str::<ChainConfig>(&format!("{MINIMAL}\nfinalty = 'safe'")).is_err());
    }

    #[test]
    fn each_field_that_cannot_work_is_named() {
        let two = || vec![RpcUrl::from("http://a:1"), RpcUrl::from("http://b:1")];
        type Edit = fn(&mut ChainConfig);
        let edits: &[(&str, Edit)] = &[
            ("name", |c| c.name.clear()),
            ("chain_id", |c| c.chain_id = 0),
            ("rpc", |c| c.rpc.clear()),
            ("rpc", |c| c.rpc = vec![RpcUrl::from("http://a"); 2]),
            ("rpc", |c| c.rpc = vec!["http://a".into(), "HTTP://A:80/".into()]),
            ("rpc", |c| c.rpc = vec!["ws://a".into()]),
            ("quorum", |c| c.quorum = 0),
            ("quorum", |c| c.quorum = 3),
            ("verifier", |c| c.verifier = Address::ZERO),
            ("fact_verifier", |c| c.fact_verifier = Address::ZERO),
            ("attested", |c| c.attested = true),
            ("poll_ms", |c| c.poll_ms = 0),
            ("max_logs_range", |c| c.max_logs_range = 0),
        ];
        for (field, edit) in edits {
            let mut config = ChainConfig { rpc: two(), ..minimal() };
            config.validate().unwrap();
            edit(&mut config);
            let named = match config.validate() {
                Err(ConfigError::Field { field, .. }) => field,
                other => panic!("{field}: {other:?}"),
            };
            assert_eq!(named, *field);
        }
    }

    #[test]
    fn an_address_shows_its_host_only() {
        let url = RpcUrl::from("https://user:password@node.example/v2/secret?key=secret");
        assert_eq!(url.to_string(), "node.example:443");
        let config = ChainConfig { rpc: vec![url], ..minimal() };
        let text = format!("{config:?}");
        assert!(
            text.contains("node.example") && !text.contains("secret") && !text.contains("password"),
            "{text}"
        );
    }

    #[test]
    fn a_key_has_one_source() {
        let read = |text: &str| toml::from_str::<std::collections::BTreeMap<String, KeyConfig>>(text);
        assert_eq!(read("key = { env = 'NAME' }").unwrap()["key"], KeyConfig::Env("NAME".into()));
        let keystore = read("key = { keystore = 'file', password_env = 'NAME' }").unwrap();
        let expected = KeyConfig::Keystore { path: "file".into(), password_env: "NAME".into() };
        assert_eq!(keystore["key"], expected);
        for text in ["key = {}", "key = { keystore = 'file' }", "key = { env = 'A', password_env = 'B' }"] {
            assert!(read(text).unwrap_err().to_string().contains("a key is either"), "{text}");
        }
    }

    #[test]
    fn a_key_is_read_and_never_shown() {
        let key = KeyConfig::Env("KEY".into());
        let secret = "11".repeat(32);
        let signer = key.signer_from(|name| (name == "KEY").then(|| format!("0x{secret}\n"))).unwrap();
        assert!(!format!("{signer:?}").contains(&secret));
        assert_eq!(key.signer_from(|_| None).unwrap_err(), ConfigError::Unset("KEY".into()));
        let error = key.signer_from(|_| Some("zz-secret".into())).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    /// The PBKDF2 vector of the Web3 Secret Storage definition.
    #[test]
    fn a_keystore_opens_with_its_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let file = serde_json::json!({ "version": 3, "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "crypto": {
            "cipher": "aes-128-ctr", "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46", "kdf": "pbkdf2",
            "kdfparams": { "c": 262_144, "dklen": 32, "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd" },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2" } });
        std::fs::write(&path, file.to_string()).unwrap();
        let key = KeyConfig::Keystore { path: path.clone(), password_env: "PASSWORD".into() };
        let signer = key.signer_from(|_| Some("testpassword".into())).unwrap();
        let expected = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
        assert_eq!(signer, expected.parse().unwrap());
        assert!(matches!(key.signer_from(|_| Some("wrong".into())), Err(ConfigError::Keystore { .. })));
    }
}
