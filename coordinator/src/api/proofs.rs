//! Proofs of membership and absence, at an index or at the root that a chain holds.

use alloy::hex;
use alloy::primitives::B256;
use axum::Json;
use axum::extract::{Query, State};
use hypha_protocol::ids::{NULLIFIER_VALUE, VOID_VALUE, resource_value};
use hypha_tree::Key;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::forms::{self, Parameters, Segment};
use super::problem::{Code, Problem};
use crate::context::{Context, Link};
use crate::notes::Holder;
use crate::state::{State as Memory, Version};

/// Key, root and proof of one version of the tree.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofView {
    key: String,
    index: String,
    root: String,
    /// Whether the key is in the tree.
    present: bool,
    /// What the key holds, as a contract takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The multiproof of this one key.
    proof: String,
    /// The chain that holds this root now.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<String>,
    /// The contract there that answers `verifyProof` and `verifyAbsence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    verifier: Option<String>,
}

/// Proves what a key holds, or that it holds nothing.
#[utoipa::path(get, path = "/v1/proofs/{key}",
    params(
        ("key" = String, Path, description = "key in the tree"),
        ("index" = Option<String>, Query, description = "at this index; without, at the latest that is final on the hub"),
        ("chain" = Option<String>, Query, description = "at the root that this chain holds now"),
    ),
    responses((status = 200, body = ProofView), (status = 404, description = "a problem document")))]
pub(crate) async fn get_proof(
    State(api): Shared,
    Segment(key): Segment,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<ProofView>, Problem> {
    let key = forms::word("key", &key)?;
    if key.is_zero() {
        return Err(Problem::new(Code::BadValue, "no key is zero").with("field", "key"));
    }
    let mut parameters = Parameters::new(query);
    let (index, chain) = (parameters.number("index")?, parameters.number("chain")?);
    parameters.finish()?;
    let key = Key::from(key.0);
    let (version, holder, link) = snapshot(&api.context, &key, index, chain)?;
    let made = tokio::task::spawn_blocking(move || prove(key, &version, holder, link.as_ref()));
    made.await.map(Json).map_err(|_| Problem::new(Code::ShuttingDown, "shutting down"))
}

/// One version of the tree, what the key holds once it is in one, and the chain that was asked for.
type Snapshot = (Version, Option<Vec<u8>>, Option<Link>);

/// Everything that a proof is made of, from one look at memory.
fn snapshot(
    context: &Context,
    key: &Key,
    index: Option<u64>,
    chain: Option<u64>,
) -> Result<Snapshot, Problem> {
    let state = context.ledger.state();
    let link = match chain {
        Some(chain_id) => {
            let link = context.links().find(|link| link.config.chain_id == chain_id).cloned();
            let unknown = || Problem::new(Code::UnknownChain, format!("chain {chain_id} is not configured"));
            Some(link.ok_or_else(unknown)?)
        }
        None => None,
    };
    let held = link.as_ref().and_then(|link| state.chains.get(&link.config.chain_id));
    let at = match (index, held) {
        (Some(index), Some(view)) if view.record.index != index => {
            let detail = format!("chain {} is at {}, not {index}", chain.unwrap_or(0), view.record.index);
            return Err(Problem::new(Code::IndexNotKept, detail));
        }
        (Some(index), _) => index,
        (None, Some(view)) => view.record.index,
        (None, None) => state.final_index(),
    };
    let root = held.map(|view| view.record.root);
    let version = state.version(at).filter(|version| root.is_none_or(|root| root == version.root));
    let version = version.ok_or_else(|| {
        Problem::new(Code::IndexNotKept, format!("the tree at index {at} is not kept"))
            .with("index", at.to_string())
    })?;
    Ok((version.clone(), value(&state, key), link))
}

/// What the key holds once it is in a tree: content-addressed, so the same in every version.
fn value(state: &Memory, key: &Key) -> Option<Vec<u8>> {
    match state.notes.holder(key)? {
        Holder::Resource(id) => state.notes.get(&id).map(|note| resource_value(&note.resource)),
        Holder::Nullifier(_) => Some(NULLIFIER_VALUE.to_vec()),
        Holder::Void => Some(VOID_VALUE.to_vec()),
    }
}

fn prove(key: Key, version: &Version, value: Option<Vec<u8>>, link: Option<&Link>) -> ProofView {
    let present = version.tree.get(&key).is_some();
    ProofView {
        key: B256::from(*key.as_bytes()).to_string(),
        index: version.index.to_string(),
        root: version.root.to_string(),
        present,
        value: value.filter(|_| present).map(hex::encode_prefixed),
        proof: hex::encode_prefixed(version.tree.prove(&[key]).encode()),
        chain_id: link.map(|link| link.config.chain_id.to_string()),
        verifier: link.map(|link| hex::encode_prefixed(link.config.verifier)),
    }
}
