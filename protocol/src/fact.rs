//! What one chain learns of another: facts, what attestors sign about them, and the proof that a contract takes.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain};
use hypha_tree::Root;
use serde::{Deserialize, Serialize};

use crate::ids::{tagged, word};
use crate::json::decimal_u64;
use crate::signing::{SIGNATURE_LENGTH, SignatureError, digest, recover};

/// What a contract of the protocol can assert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum FactName {
    /// The hub accepted the root with this number.
    RootAccepted {
        /// Number of the root.
        #[serde(with = "decimal_u64")]
        index: u64,
    },
    /// A spoke applied the root with this number.
    RootApplied {
        /// Number of the root.
        #[serde(with = "decimal_u64")]
        index: u64,
    },
    /// A spoke queued the request with this number; the value is the request's hash ([`crate::operations::Request::hash`]).
    RequestQueued {
        /// Number of the request.
        #[serde(with = "decimal_u64")]
        number: u64,
    },
}

impl FactName {
    /// The key under which the contract asserts it.
    pub fn key(&self) -> B256 {
        match self {
            Self::RootAccepted { index } => tagged("hypha:root", &index.to_be_bytes()),
            Self::RootApplied { index } => tagged("hypha:applied", &index.to_be_bytes()),
            Self::RequestQueued { number } => tagged("hypha:request", &number.to_be_bytes()),
        }
    }
}

/// What the hub asserts of a root that it accepted ([`FactName::RootAccepted`]).
pub fn accepted_value(root: Root, batch_chain: B256) -> B256 {
    keccak256((word(root), batch_chain).abi_encode())
}

/// What a spoke asserts of a root that it applied ([`FactName::RootApplied`]).
pub fn applied_value(root: Root) -> B256 {
    keccak256(word(root).abi_encode())
}

/// "The contract `emitter` of `src_chain` asserted `key = value`." Once asserted, asserted for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fact {
    /// EIP-155 chain id.
    #[serde(with = "decimal_u64")]
    pub src_chain: u64,
    /// The contract.
    pub emitter: Address,
    /// What is asserted ([`FactName::key`]).
    pub key: B256,
    /// The value asserted for it ([`accepted_value`], [`applied_value`], or the hash of a request).
    pub value: B256,
}

/// The block that first asserted a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactBlock {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Unix time in seconds.
    pub time: u64,
}

/// What an attestor signs: a fact, the block that first asserted it, and the set in which it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attestation {
    /// The fact.
    pub fact: Fact,
    /// Height of the block that first asserted it.
    #[serde(with = "decimal_u64")]
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// Unix time of that block in seconds.
    #[serde(with = "decimal_u64")]
    pub block_time: u64,
    /// Number of the set of attestors.
    #[serde(with = "decimal_u64")]
    pub set_id: u64,
}

/// What an attestor signs, and nothing else, after it read a second final value for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conflict {
    /// EIP-155 chain id.
    #[serde(with = "decimal_u64")]
    pub src_chain: u64,
    /// The contract.
    pub emitter: Address,
    /// What was asserted twice.
    pub key: B256,
    /// The value read first.
    pub first: B256,
    /// The value read later, another one.
    pub second: B256,
    /// Number of the set of attestors.
    #[serde(with = "decimal_u64")]
    pub set_id: u64,
}

/// The structs that are signed, as the README spells them.
mod signed {
    alloy::sol! {
        struct Fact {
            uint256 srcChain;
            address emitter;
            bytes32 key;
            bytes32 value;
            uint64 blockNumber;
            bytes32 blockHash;
            uint64 blockTime;
            uint64 setId;
        }

        struct Conflict {
            uint256 srcChain;
            address emitter;
            bytes32 key;
            bytes32 first;
            bytes32 second;
            uint64 setId;
        }
    }
}

/// The EIP-712 domain of statements for the AttestedFacts contract `verifier` on the chain `chain_id`.
pub fn facts_domain(chain_id: u64, verifier: Address) -> Eip712Domain {
    eip712_domain! { name: "Hypha Facts", version: "1", chain_id: chain_id, verifying_contract: verifier, }
}

impl Attestation {
    /// The block that first asserted the fact.
    pub fn block(&self) -> FactBlock {
        FactBlock { number: self.block_number, hash: self.block_hash, time: self.block_time }
    }

    /// What is signed for the AttestedFacts contract `verifier` on the chain `verifier_chain`.
    pub fn digest(&self, verifier_chain: u64, verifier: Address) -> B256 {
        let signed = signed::Fact {
            srcChain: U256::from(self.fact.src_chain),
            emitter: self.fact.emitter,
            key: self.fact.key,
            value: self.fact.value,
            blockNumber: self.block_number,
            blockHash: self.block_hash,
            blockTime: self.block_time,
            setId: self.set_id,
        };
        digest(facts_domain(verifier_chain, verifier).separator(), signed.eip712_hash_struct())
    }
}

impl Conflict {
    /// What is signed for the AttestedFacts contract `verifier` on the chain `verifier_chain`. The values are signed in
    /// ascending order, so that attestors which read them in another order sign the same.
    pub fn digest(&self, verifier_chain: u64, verifier: Address) -> B256 {
        let signed = signed::Conflict {
            srcChain: U256::from(self.src_chain),
            emitter: self.emitter,
            key: self.key,
            first: self.first.min(self.second),
            second: self.first.max(self.second),
            setId: self.set_id,
        };
        digest(facts_domain(verifier_chain, verifier).separator(), signed.eip712_hash_struct())
    }
}

/// A signature, and whom it was recovered to be from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The signer.
    pub signer: Address,
    /// `r ‖ s ‖ v`.
    pub signature: [u8; SIGNATURE_LENGTH],
}

impl Signed {
    /// Recovers the signer of `digest`.
    ///
    /// # Errors
    /// As [`recover`].
    pub fn recover(digest: B256, signature: &[u8]) -> Result<Self, SignatureError> {
        let signer = recover(digest, signature)?;
        let signature =
            signature.try_into().map_err(|_| SignatureError::Length { actual: signature.len() })?;
        Ok(Self { signer, signature })
    }
}

/// The first `threshold` signatures with signers ascending and distinct, as a proof needs them; `None` when there are
/// fewer distinct signers.
pub fn ordered_signatures(mut signed: Vec<Signed>, threshold: usize) -> Option<Vec<[u8; SIGNATURE_LENGTH]>> {
    signed.sort_by_key(|one| one.signer);
    signed.dedup_by_key(|one| one.signer);
    let chosen: Vec<_> = signed.into_iter().take(threshold).map(|one| one.signature).collect();
    (chosen.len() == threshold).then_some(chosen)
}

/// The proof of a fact for AttestedFacts. `signatures` stand in ascending order of signer ([`ordered_signatures`]).
pub fn encode_fact_proof(set_id: u64, block: FactBlock, signatures: &[[u8; SIGNATURE_LENGTH]]) -> Vec<u8> {
    let mut proof = Vec::with_capacity(56 + signatures.len() * SIGNATURE_LENGTH);
    proof.extend_from_slice(&set_id.to_be_bytes());
    proof.extend_from_slice(&block.number.to_be_bytes());
    proof.extend_from_slice(block.hash.as_slice());
    proof.extend_from_slice(&block.time.to_be_bytes());
    proof.extend_from_slice(signatures.as_flattened());
    proof
}

/// The proof of a conflict for AttestedFacts. `signatures` stand in ascending order of signer.
pub fn encode_conflict_proof(set_id: u64, signatures: &[[u8; SIGNATURE_LENGTH]]) -> Vec<u8> {
    let mut proof = set_id.to_be_bytes().to_vec();
    proof.extend_from_slice(signatures.as_flattened());
    proof
}
