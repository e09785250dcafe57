//! What the submitter stores.

use alloy::consensus::{SignableTransaction, TxEip1559};
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::SubmitError;
use super::fees::Fees;
use crate::error::StoreError;
use crate::ports::Receipt;

/// A call to be made once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) to: Address,
    pub(super) data: Bytes,
    /// Gas limit with which it may go out behind others on whose effects it counts; without one it waits for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gas: Option<u64>,
}

/// A transaction that was signed for an intent. With the intent's content it gives the same bytes again, so that
/// calldata is stored once and not with each replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) fees: Fees,
    pub(super) signature: Bytes,
    pub(super) hash: B256,
    /// Height of the chain when it was signed.
    pub(super) signed_at: u64,
}

/// Where an intent with a transaction, or with a decision, stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Sent,
    Mined { receipt: Receipt },
    Final { receipt: Receipt },
    Reverted { receipt: Receipt },
    Refused { data: Bytes },
    TooMuchGas { needed: u64 },
}

/// An intent from its first transaction on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) intent: Intent,
    pub(super) phase: Phase,
    /// Every transaction ever signed, oldest first: any of them may be mined.
    pub(super) attempts: Vec<Attempt>,
}

impl Intent {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an address and bytes have a JSON form")
    }

    pub(super) fn decode(table: &'static str, row: &[u8]) -> Result<Self, StoreError> {
        decode(table, row)
    }
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and bytes have a JSON form")
    }

    pub(super) fn decode(table: &'static str, row: &[u8]) -> Result<Self, StoreError> {
        decode(table, row)
    }

    pub(super) fn is_sent(&self) -> bool {
        self.phase == Phase::Sent
    }

    /// The nonce that this record holds.
    pub(super) fn nonce(&self) -> Option<u64> {
        self.attempts.last().map(|attempt| attempt.nonce)
    }
}

fn decode<T: DeserializeOwned>(table: &'static str, row: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(row).map_err(|error| StoreError::Row { table, reason: error.to_string() })
}

/// Everything of a transaction but the signature.
pub(super) struct Draft {
    pub(super) chain_id: u64,
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) fees: Fees,
    pub(super) signed_at: u64,
}

impl Draft {
    fn transaction(&self, intent: &Intent) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas,
            max_fee_per_gas: u128::from(self.fees.max),
            max_priority_fee_per_gas: u128::from(self.fees.priority),
            to: TxKind::Call(intent.to),
            value: U256::ZERO,
            access_list: Default::default(),
            input: intent.data.clone(),
        }
    }

    pub(super) fn sign(self, intent: &Intent, signer: &PrivateKeySigner) -> Result<Attempt, SubmitError> {
        let transaction = self.transaction(intent);
        let signature = signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|error| SubmitError::Signer(error.to_string()))?;
        let hash = *transaction.into_signed(signature).hash();
        let signature = Bytes::copy_from_slice(&signature.as_bytes());
        Ok(Attempt {
            nonce: self.nonce,
            gas: self.gas,
            fees: self.fees,
            signature,
            hash,
            signed_at: self.signed_at,
        })
    }
}

impl Attempt {
    /// The signed bytes.
    pub(super) fn raw(&self, chain_id: u64, intent: &Intent) -> Result<Bytes, SubmitError> {
        let Self { nonce, gas, fees, signed_at, .. } = *self;
        let signature =
            Signature::from_raw(&self.signature).map_err(|error| SubmitError::Signer(error.to_string()))?;
        let signed =
            Draft { chain_id, nonce, gas, fees, signed_at }.transaction(intent).into_signed(signature);
        let raw = Bytes::from(signed.encoded_2718());
        // The row says one thing and its parts another: something wrote to the store behind our back.
        if keccak256(&raw) != self.hash {
            return Err(SubmitError::Signer("a stored transaction does not have its stored hash".to_owned()));
        }
        Ok(raw)
    }
}
