//! People, and what they sign.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::Eip712Domain;
use hypha_protocol::contracts::{Issue, Output, Resource, Transfer};
use hypha_protocol::ids::kind_of;
use hypha_protocol::signing::{distinct_owners, sign_issue, sign_transfer};

/// Somebody with a key.
#[derive(Clone, Debug)]
pub struct User {
    /// The key.
    pub signer: PrivateKeySigner,
    /// Its address.
    pub address: Address,
}

impl User {
    /// The same name gives the same key.
    pub fn named(name: &str) -> Self {
        let key = keccak256(format!("somebody in a test called {name}"));
        let signer = PrivateKeySigner::from_bytes(&key).expect("a hash is a key but for two in 2^256");
        Self { address: signer.address(), signer }
    }

    /// The kind that this user's label names.
    pub fn kind(&self, label: &str) -> B256 {
        kind_of(U256::ZERO, self.address, text_word(label))
    }

    /// A signed issue of a fresh note of this user's kind.
    pub fn issue(&self, domain: &Eip712Domain, label: &str, to: Address, chain: u64, quantity: u64) -> Issue {
        let resource = note(chain, to, self.kind(label), quantity);
        let mut issue = Issue {
            resource,
            issuer: self.address,
            label: text_word(label),
            deadline: in_an_hour(),
            signature: Default::default(),
        };
        issue.signature = sign_issue(&self.signer, domain, &issue).expect("a key in memory signs");
        issue
    }

    /// A transfer that spends `inputs`, signed by their owners, who are among `owners`.
    ///
    /// # Panics
    /// When an owner is missing.
    pub fn transfer(
        domain: &Eip712Domain,
        owners: &[&Self],
        inputs: Vec<Resource>,
        outputs: Vec<Output>,
    ) -> Transfer {
        let mut transfer = Transfer { inputs, outputs, deadline: in_an_hour(), signatures: Vec::new() };
        for address in distinct_owners(&transfer.inputs) {
            let owner = owners.iter().find(|owner| owner.address == address).expect("every owner signs");
            let signature = sign_transfer(&owner.signer, domain, &transfer).expect("a key in memory signs");
            transfer.signatures.push(signature);
        }
        transfer
    }
}

/// A fresh note.
pub fn note(chain: u64, owner: Address, kind: B256, quantity: u64) -> Resource {
    Resource {
        domainId: U256::from(chain),
        owner,
        kind,
        quantity: U256::from(quantity),
        data: B256::ZERO,
        salt: fresh_salt(),
    }
}

/// A note to be created.
pub fn output(chain: u64, owner: Address, kind: B256, quantity: u64) -> Output {
    Output { domainId: U256::from(chain), owner, kind, quantity: U256::from(quantity), data: B256::ZERO }
}

/// A text of at most 32 bytes as a word, padded with zeros at its end.
pub fn text_word(text: &str) -> B256 {
    B256::right_padding_from(text.as_bytes())
}

/// A salt that no other note of this test process has.
pub fn fresh_salt() -> B256 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    keccak256(format!("salt {}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Unix time in an hour, seconds.
pub fn in_an_hour() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs() + 3600
}
