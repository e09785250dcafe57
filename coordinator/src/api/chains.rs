//! Roots, batches, and where every chain stands.

use alloy::hex;
use alloy::primitives::B256;
use axum::Json;
use axum::extract::{Query, State};
use hypha_chain::config::Role;
use hypha_protocol::operations::{OperationError, decode_operations};
use hypha_protocol::status::Status;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::forms::{self, Parameters, Segment};
use super::problem::{Code, Problem};
use crate::context::{Context, Link};
use crate::store::{BatchRecord, BatchState, LedgerError, queries, tables};

/// One root.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootView {
    index: String,
    root: String,
    batch_chain: String,
    /// Status word of its batch.
    status: &'static str,
    /// Operations in its batch.
    operations: usize,
}

/// A page of roots, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct RootPage {
    roots: Vec<RootView>,
    /// `before` of the next page; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

/// A batch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchView {
    index: String,
    old_root: String,
    root: String,
    batch_chain: String,
    /// Packed operations.
    operations: String,
    /// Ids of the operations, in order.
    ids: Vec<String>,
    /// Status word.
    status: &'static str,
    /// The transaction that took it to the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<String>,
}

/// A chain.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChainView {
    chain_id: String,
    name: String,
    /// `hub` or `spoke`.
    role: &'static str,
    verifier: String,
    fact_verifier: String,
    /// Whether it takes roots without their batches.
    attested: bool,
    /// Its latest index, as far as seen.
    index: String,
    /// The root at that index.
    root: String,
    /// Unix milliseconds at which it was seen.
    updated_at: Option<u64>,
    /// The index up to which the hub has its confirmation; of the hub itself, what is final there.
    confirmed_index: String,
    /// Height of its newest block.
    head: Option<String>,
    /// Height of its newest final block.
    #[serde(rename = "final")]
    last_final: Option<String>,
    /// What went wrong when it was last asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// EIP-712 domain of the operations' signatures.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainView {
    name: &'static str,
    version: &'static str,
    chain_id: String,
    verifying_contract: String,
}

/// Every chain, and what to sign for.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChainsView {
    chains: Vec<ChainView>,
    domain: DomainView,
}

/// The status of a batch is that of the last of its operations; those of a final batch are finalized once it is not under
/// way any more.
fn status_of(batch: &BatchRecord, under_way: bool) -> &'static str {
    let status = match batch.state {
        BatchState::Batched => Status::Batched,
        BatchState::Committed => Status::Committed,
        BatchState::Final if !under_way => Status::Finalized,
        BatchState::Delivered | BatchState::Final => Status::Delivered,
    };
    status.as_str()
}

/// Roots, newest first.
#[utoipa::path(get, path = "/v1/roots",
    params(
        ("limit" = Option<u64>, Query, description = "most roots in the page"),
        ("before" = Option<String>, Query, description = "only lower indexes"),
    ),
    responses((status = 200, body = RootPage)))]
pub(crate) async fn roots(
    State(api): Shared,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<RootPage>, Problem> {
    let mut parameters = Parameters::new(query);
    let before = parameters.number("before")?;
    let limit = parameters.limit(api.context.limits.page)?;
    parameters.finish()?;
    let (head, genesis) = {
        let state = api.context.ledger.state();
        (state.head().index, state.genesis_root())
    };
    let end = before.unwrap_or(u64::MAX).min(head.saturating_add(1));
    let from = end.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX));
    let records = api.context.ledger.read(move |store| queries::batches(store, from, limit)).await?;
    let listed = records.iter().rev().filter(|batch| batch.index < end && batch.committed_at.is_some());
    let mut roots: Vec<RootView> = {
        let state = api.context.ledger.state();
        listed.map(|batch| root_of(batch, state.batches.contains_key(&batch.index))).collect()
    };
    if from == 0 && end > 0 {
        roots.push(genesis_root(&api.context, genesis));
    }
    roots.truncate(limit);
    Ok(Json(RootPage { roots, before: (from > 0).then(|| from.to_string()) }))
}

fn root_of(batch: &BatchRecord, under_way: bool) -> RootView {
    RootView {
        index: batch.index.to_string(),
        root: batch.root.to_string(),
        batch_chain: batch.batch_chain.to_string(),
        status: status_of(batch, under_way),
        operations: batch.operation_count(),
    }
}

/// Index 0 has a root and no batch.
fn genesis_root(context: &Context, root: B256) -> RootView {
    let hub = &context.hub.config;
    RootView {
        index: "0".to_owned(),
        root: root.to_string(),
        batch_chain: hypha_protocol::batch::genesis_batch_chain(hub.chain_id, hub.verifier).to_string(),
        status: Status::Finalized.as_str(),
        operations: 0,
    }
}

/// One batch with its operations.
#[utoipa::path(get, path = "/v1/batches/{index}", params(("index" = String, Path, description = "number of its root")),
    responses((status = 200, body = BatchView), (status = 404, description = "a problem document")))]
pub(crate) async fn batch(State(api): Shared, Segment(index): Segment) -> Result<Json<BatchView>, Problem> {
    let index = forms::number("index", &index)?;
    let row = api.context.ledger.read(move |store| {
        let Some(batch) = queries::batch(store, index)? else { return Ok(None) };
        Ok(queries::body(store, index)?.map(|body| (batch, body)))
    });
    let unknown = || Problem::new(Code::NotFound, format!("no batch {index} is committed"));
    let (batch, body) = row.await?.ok_or_else(unknown)?;
    let corrupt = |error: OperationError| LedgerError::Corrupt {
        table: tables::BODIES,
        detail: format!("batch {index} does not decode: {error}"),
    };
    let operations = decode_operations(&body.operations).map_err(corrupt)?;
    let under_way = api.context.ledger.state().batches.contains_key(&index);
    Ok(Json(BatchView {
        index: index.to_string(),
        old_root: batch.old_root.to_string(),
        root: batch.root.to_string(),
        batch_chain: batch.batch_chain.to_string(),
        operations: body.operations.to_string(),
        ids: operations.iter().map(|operation| operation.id().to_string()).collect(),
        status: status_of(&batch, under_way),
        tx: batch.delivered.as_ref().map(|seen| seen.tx.to_string()),
    }))
}

/// Every chain, the hub first.
#[utoipa::path(get, path = "/v1/chains", responses((status = 200, body = ChainsView)))]
pub(crate) async fn chains(State(api): Shared) -> Json<ChainsView> {
    let context = &api.context;
    let hub = &context.hub.config;
    let domain = DomainView {
        name: "Hypha",
        version: "1",
        chain_id: hub.chain_id.to_string(),
        verifying_contract: hex::encode_prefixed(hub.verifier),
    };
    Json(ChainsView { chains: context.links().filter_map(|link| chain_of(context, link)).collect(), domain })
}

fn chain_of(context: &Context, link: &Link) -> Option<ChainView> {
    let config = &link.config;
    let state = context.ledger.state();
    let view = state.chains.get(&config.chain_id)?;
    Some(ChainView {
        chain_id: config.chain_id.to_string(),
        name: config.name.clone(),
        role: match config.role {
            Role::Hub => "hub",
            Role::Spoke => "spoke",
        },
        verifier: hex::encode_prefixed(config.verifier),
        fact_verifier: hex::encode_prefixed(config.fact_verifier),
        attested: config.attested,
        index: view.record.index.to_string(),
        root: view.record.root.to_string(),
        updated_at: view.record.updated_at,
        confirmed_index: view.record.confirmed_index.to_string(),
        head: view.head.map(|height| height.to_string()),
        last_final: view.last_final.map(|height| height.to_string()),
        error: view.error.clone(),
    })
}
