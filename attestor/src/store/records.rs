//! The rows, and the keys under which they stand.

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::AttestorError;

/// Names a fact: for one of these only one value may ever be final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// Chain on which it was asserted.
    pub src_chain: u64,
    /// Contract that asserted it.
    pub emitter: Address,
    /// What it is about.
    pub key: B256,
}

impl FactId {
    /// The row's key: `src_chain ‖ emitter ‖ key`.
    pub(crate) fn row(&self) -> Vec<u8> {
        [&self.src_chain.to_be_bytes()[..], self.emitter.as_slice(), self.key.as_slice()].concat()
    }
}

/// The block that first asserted a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Unix time in seconds.
    pub time: u64,
}

/// What a final log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The fact's name.
    pub id: FactId,
    /// Its value.
    pub value: B256,
    /// Its block.
    pub place: Place,
}

/// A fact that this attestor read itself, at the chain's finality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactRecord {
    /// Its value.
    pub value: B256,
    /// The block that first asserted it.
    pub place: Place,
    /// In which reading of the chain it was last met; a later one may find it in another block, and only that of the
    /// current reading is signed.
    pub pass: u64,
}

/// Two final values for one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConflictRecord {
    /// The value read first.
    pub first: B256,
    /// The one read later.
    pub second: B256,
    /// Where the later one stands.
    pub place: Place,
}

/// What was signed for one destination and one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementRecord {
    /// The value attested; of a conflict, the second.
    pub value: B256,
    /// The block attested.
    pub place: Place,
    /// The set for which it was signed.
    pub set_id: u64,
    /// 65 bytes.
    pub signature: Bytes,
}

pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text keys and no failing serializer")
}

pub(crate) fn decode<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, AttestorError> {
    serde_json::from_slice(bytes).map_err(|source| AttestorError::Row { table, source })
}
