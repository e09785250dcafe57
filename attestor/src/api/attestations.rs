//! `GET /v1/attestations/{srcChain}/{key}?to={chainId}`

use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::pipeline::{Signed, sign};
use crate::service::Attestor;

/// An attestation as it travels. Numbers are decimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationDocument {
    /// Chain that asserted the fact.
    pub src_chain: String,
    /// Contract that asserted it.
    pub emitter: Address,
    /// What it is about.
    pub key: B256,
    /// Its value.
    pub value: B256,
    /// Height of the block that first asserted it.
    pub block_number: String,
    /// Hash of that block.
    pub block_hash: B256,
    /// Unix time of that block in seconds.
    pub block_time: String,
    /// Set of attestors that is to count the signature.
    pub set_id: String,
    /// Chain that is to be shown the fact.
    pub to: String,
    /// Contract there that counts signatures.
    pub verifier: Address,
    /// Who signed.
    pub attestor: Address,
    /// 65 bytes.
    pub signature: Bytes,
}

impl From<Signed> for AttestationDocument {
    fn from(signed: Signed) -> Self {
        let (fact, statement) = (signed.fact, signed.statement);
        Self {
            src_chain: fact.src_chain.to_string(),
            emitter: fact.emitter,
            key: fact.key,
            value: statement.value,
            block_number: statement.place.number.to_string(),
            block_hash: statement.place.hash,
            block_time: statement.place.time.to_string(),
            set_id: statement.set_id.to_string(),
            to: signed.to.to_string(),
            verifier: signed.verifier,
            attestor: signed.attestor,
            signature: statement.signature,
        }
    }
}

pub(super) async fn attestation(
    State(attestor): State<Arc<Attestor>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Json<AttestationDocument>, Problem> {
    let unreadable = |rejection: PathRejection| Problem::bad_request("bad_value", rejection.body_text());
    let Path((src_chain, key)) = path.map_err(unreadable)?;
    let src_chain = chain_id("srcChain", &src_chain)?;
    let key = word(&key)?;
    let to = chain_id("to", destination(query.as_deref().unwrap_or_default())?)?;
    Ok(Json(sign(&attestor, src_chain, key, to).await?.into()))
}

/// The query is exactly `to=…`.
fn destination(query: &str) -> Result<&str, Problem> {
    match query.split_once('=') {
        Some(("to", value)) if !value.contains('&') => Ok(value),
        None if query.is_empty() => {
            Err(Problem::bad_request("missing_field", "to: a chain id is missing".into()))
        }
        _ => Err(Problem::bad_request("unknown_field", "the query is to={chainId} and nothing else".into())),
    }
}

/// A chain id in canonical decimal.
fn chain_id(field: &str, text: &str) -> Result<u64, Problem> {
    text.parse()
        .ok()
        .filter(|id: &u64| id.to_string() == text)
        .ok_or_else(|| Problem::bad_request("bad_number", format!("{field}: expected a decimal chain id")))
}

/// 32 bytes in hex.
fn word(text: &str) -> Result<B256, Problem> {
    let hex = text.strip_prefix("0x").unwrap_or_default();
    if hex.len() != 64 {
        return Err(Problem::bad_request("bad_length", "key: expected 0x and 64 hex digits".into()));
    }
    text.parse().map_err(|_| Problem::bad_request("bad_hex", "key: expected 0x and 64 hex digits".into()))
}
