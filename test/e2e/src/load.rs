//! What benches put a devnet's coordinator under: signed issues, ready to be sent.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::signers::local::PrivateKeySigner;
use anyhow::Context;
use hypha_protocol::contracts::{Issue, Resource};
use hypha_protocol::ids::kind_of;
use hypha_protocol::json::IssueJson;
use hypha_protocol::signing::{hub_domain, sign_issue};
use reqwest::Client;
use serde_json::Value;

/// Deadline of the issues from now, in seconds.
const VALID_S: u64 = 3_600;

/// A devnet's coordinator, and what its operations are signed for.
pub struct Target {
    /// What asks it.
    pub client: Client,
    /// The base URL of its API.
    pub api: String,
    /// Chain ids, the hub's first.
    pub chains: Vec<u64>,
    hub: Address,
}

impl Target {
    /// Reads the file that a devnet writes when it is up.
    ///
    /// # Errors
    /// When it is not there, or does not say what is needed.
    pub fn of(ready: &Path) -> anyhow::Result<Self> {
        let ready: Value = serde_json::from_slice(&std::fs::read(ready)?)?;
        let chains = ready["chains"].as_array().context("chains")?;
        let (hubs, spokes): (Vec<_>, Vec<_>) = chains.iter().partition(|chain| chain["role"] == "hub");
        let id = |chain: &&Value| anyhow::Ok(chain["chainId"].as_str().context("chainId")?.parse()?);
        let hub = hubs.first().context("a hub")?;
        Ok(Self {
            client: hypha_chain::net::client()?,
            api: ready["api"].as_str().context("api")?.to_owned(),
            chains: hubs.iter().chain(&spokes).map(id).collect::<anyhow::Result<_>>()?,
            hub: hub["verifier"].as_str().context("verifier")?.parse()?,
        })
    }

    /// So many bodies for `POST /v1/issues`, of notes on one chain after the other; `round` tells one measurement's from another's.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issues(&self, round: &str, count: usize) -> anyhow::Result<Vec<String>> {
        let issuer = PrivateKeySigner::from_bytes(&keccak256("hypha bench issuer"))?;
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + VALID_S;
        let domain = hub_domain(self.chains[0], self.hub);
        let label = B256::right_padding_from(b"bench");
        let issue = |(number, chain): (usize, &u64)| {
            let resource = Resource {
                domainId: U256::from(*chain),
                owner: issuer.address(),
                kind: kind_of(U256::ZERO, issuer.address(), label),
                quantity: U256::from(100 + number),
                data: B256::ZERO,
                salt: keccak256(format!("hypha bench salt {round} {number}")),
            };
            let mut issue =
                Issue { resource, issuer: issuer.address(), label, deadline, signature: Default::default() };
            issue.signature = sign_issue(&issuer, &domain, &issue)?;
            anyhow::Ok(serde_json::to_string(&IssueJson::from(&issue))?)
        };
        (0..count).zip(self.chains.iter().cycle()).map(issue).collect()
    }
}
