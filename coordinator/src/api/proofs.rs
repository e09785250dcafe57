//! Proofs of membership and absence, of one key or of many, at an index or at the root that a chain holds.

use std::collections::BTreeMap;

use alloy::hex;
use alloy::primitives::B256;
use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hypha_protocol::ids::{NULLIFIER_VALUE, VOID_VALUE, resource_value};
use hypha_tree::Key;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::forms::{self, Parameters, Segment};
use super::problem::{Code, Problem};
use crate::context::{Context, Link};
use crate::notes::Holder;
use crate::state::{State as Memory, Version};

/// A version that is final never changes: whoever has its proof need not ask again.
const NEVER_CHANGES: &str = "public, max-age=31536000, immutable";
/// What may be kept, but is asked for again each time: the answer is short when nothing changed.
const ASK_AGAIN: &str = "no-cache";

/// Key, root and proof of one version of the tree.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofView {
    #[serde(flatten)]
    held: HeldView,
    #[serde(flatten)]
    at: AtView,
    /// The multiproof of this one key.
    proof: String,
}

/// Keys, root and one proof for all of them, of one version of the tree.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofsView {
    /// In ascending order of key, which is that of the proof.
    keys: Vec<HeldView>,
    #[serde(flatten)]
    at: AtView,
    /// The multiproof of all keys.
    proof: String,
}

/// What a key holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct HeldView {
    key: String,
    /// Whether the key is in the tree.
    present: bool,
    /// What the key holds, as a contract takes it; left out when it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

/// Which version of the tree a proof is of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AtView {
    index: String,
    root: String,
    /// The chain that holds this root now.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<String>,
    /// The contract there that answers `verifyProof` and `verifyAbsence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    verifier: Option<String>,
}

/// Which keys to prove, and at which version of the tree.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ProofsForm {
    /// Keys in the tree, in any order, each once.
    keys: Vec<String>,
    /// At this index; without, at the latest that is final on the hub.
    index: Option<String>,
    /// At the root that this chain holds now.
    chain: Option<String>,
    /// Without the values.
    #[serde(default)]
    holey: bool,
}

/// Proves what a key holds, or that it holds nothing.
///
/// The answer has an `ETag`, which stays the same while the version of the tree does; with it in `If-None-Match` the answer is 304.
#[utoipa::path(get, path = "/v1/proofs/{key}",
    params(
        ("key" = String, Path, description = "key in the tree"),
        ("index" = Option<String>, Query, description = "at this index; without, at the latest that is final on the hub"),
        ("chain" = Option<String>, Query, description = "at the root that this chain holds now"),
        ("holey" = Option<String>, Query, description = "1: without the value"),
    ),
    responses((status = 200, body = ProofView), (status = 304, description = "the version of If-None-Match"),
        (status = 404, description = "a problem document")))]
pub(crate) async fn get_proof(
    State(api): Shared,
    Segment(key): Segment,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = checked_key("key", &key)?;
    let mut parameters = Parameters::new(query);
    let (index, chain) = (parameters.number("index")?, parameters.number("chain")?);
    let holey = parameters.flag("holey")?.unwrap_or(false);
    parameters.finish()?;
    let (snapshot, mut values) = look(&api.context, &[key], index, chain, holey)?;
    let (tag, kept) = (snapshot.tag(), snapshot.cache_control());
    let marks = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static(kept))];
    if names(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, marks).into_response());
    }
    // Two microseconds: less than the way to another thread.
    let view = ProofView {
        held: held(key, &snapshot.version, values.pop().flatten()),
        proof: hex::encode_prefixed(snapshot.version.tree.prove(&[key]).encode()),
        at: snapshot.view(),
    };
    Ok((marks, Json(view)).into_response())
}

/// Proves what many keys hold, or that they hold nothing, by one proof.
#[utoipa::path(post, path = "/v1/proofs", request_body = ProofsForm,
    responses((status = 200, body = ProofsView), (status = "4XX", description = "a problem document")))]
pub(crate) async fn post_proofs(State(api): Shared, request: Request) -> Result<Json<ProofsView>, Problem> {
    let limits = &api.context.limits;
    let form: ProofsForm = forms::read_body(request, &forms::PROOFS, limits.body_bytes).await?;
    let keys = checked_keys(&form.keys, limits.page)?;
    let number = |name, text: Option<&String>| text.map(|text| forms::number(name, text)).transpose();
    let (index, chain) = (number("index", form.index.as_ref())?, number("chain", form.chain.as_ref())?);
    let made = tokio::task::spawn_blocking(move || {
        let (snapshot, values) = look(&api.context, &keys, index, chain, form.holey)?;
        let version = &snapshot.version;
        Ok(ProofsView {
            keys: keys.iter().zip(values).map(|(key, value)| held(*key, version, value)).collect(),
            proof: hex::encode_prefixed(version.tree.prove(&keys).encode()),
            at: snapshot.view(),
        })
    });
    made.await.map_err(|_| Problem::new(Code::ShuttingDown, "shutting down"))?.map(Json)
}

fn checked_key(name: &str, text: &str) -> Result<Key, Problem> {
    let key = forms::word(name, text)?;
    if key.is_zero() {
        return Err(Problem::new(Code::BadValue, "no key is zero").with("field", name));
    }
    Ok(Key::from(key.0))
}

/// One to `most` keys, none of them twice, in ascending order.
fn checked_keys(texts: &[String], most: usize) -> Result<Vec<Key>, Problem> {
    let wrong = |field: &str, detail: String| Problem::new(Code::BadValue, detail).with("field", field);
    if texts.is_empty() || texts.len() > most {
        let detail = format!("keys: expected 1 to {most} keys, got {}", texts.len());
        return Err(wrong("keys", detail).with("maximum", most));
    }
    let mut keys = BTreeMap::new();
    for (place, text) in texts.iter().enumerate() {
        let field = format!("keys[{place}]");
        if let Some(before) = keys.insert(checked_key(&field, text)?, place) {
            return Err(wrong(&field, format!("{field}: the same key as keys[{before}]")));
        }
    }
    Ok(keys.into_keys().collect())
}

/// One version of the tree, and why it was chosen.
struct Snapshot {
    version: Version,
    /// The chain that was asked for.
    link: Option<Link>,
    /// Whether the same question has the same answer for ever.
    is_settled: bool,
}

impl Snapshot {
    /// What tells this version from others. The root is part of it, as an index that is not final may get another one.
    fn tag(&self) -> HeaderValue {
        let text = format!("\"{}-{}\"", self.version.index, hex::encode(&self.version.root[..8]));
        HeaderValue::from_str(&text).expect("digits, a dash and quotes")
    }

    fn cache_control(&self) -> &'static str {
        if self.is_settled { NEVER_CHANGES } else { ASK_AGAIN }
    }

    fn view(&self) -> AtView {
        let config = self.link.as_ref().map(|link| &link.config);
        AtView {
            index: self.version.index.to_string(),
            root: self.version.root.to_string(),
            chain_id: config.map(|config| config.chain_id.to_string()),
            verifier: config.map(|config| hex::encode_prefixed(config.verifier)),
        }
    }
}

/// What each key holds once it is in a tree, in the order of the keys.
type Values = Vec<Option<Vec<u8>>>;

/// Everything that proofs of these keys are made of, from one look at memory.
fn look(
    context: &Context,
    keys: &[Key],
    index: Option<u64>,
    chain: Option<u64>,
    holey: bool,
) -> Result<(Snapshot, Values), Problem> {
    let state = context.ledger.state();
    let snapshot = snapshot(context, &state, index, chain)?;
    let values = keys.iter().map(|key| if holey { None } else { value(&state, key) }).collect();
    Ok((snapshot, values))
}

fn snapshot(
    context: &Context,
    state: &Memory,
    index: Option<u64>,
    chain: Option<u64>,
) -> Result<Snapshot, Problem> {
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
    let version = version.cloned().ok_or_else(|| {
        Problem::new(Code::IndexNotKept, format!("the tree at index {at} is not kept"))
            .with("index", at.to_string())
    })?;
    let is_settled = index.is_some() && chain.is_none() && at <= state.final_index();
    Ok(Snapshot { version, link, is_settled })
}

/// What the key holds once it is in a tree: content-addressed, so the same in every version.
fn value(state: &Memory, key: &Key) -> Option<Vec<u8>> {
    match state.notes.holder(key)? {
        Holder::Resource(id) => state.notes.get(&id).map(|note| resource_value(&note.resource)),
        Holder::Nullifier(_) => Some(NULLIFIER_VALUE.to_vec()),
        Holder::Void => Some(VOID_VALUE.to_vec()),
    }
}

fn held(key: Key, version: &Version, value: Option<Vec<u8>>) -> HeldView {
    let present = version.tree.get(&key).is_some();
    HeldView {
        key: B256::from(*key.as_bytes()).to_string(),
        present,
        value: value.filter(|_| present).map(hex::encode_prefixed),
    }
}

/// Whether `If-None-Match` names this tag (RFC 9110, section 13.1.2; compared weakly).
fn names(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(|named| named.trim())
        .any(|named| named == "*" || named.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}
