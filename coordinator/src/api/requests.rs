//! Requests: those that spokes have queued, those in the hub's queue, and what became of them.

use alloy::hex;
use alloy::primitives::B256;
use axum::Json;
use axum::extract::{Query, State};
use hypha_protocol::ids::resource_id;
use hypha_protocol::json::ContentJson;
use hypha_protocol::operations::{Operation, Void};
use hypha_protocol::status::Status;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use super::forms::{self, Pair, Parameters, Segment};
use super::problem::{Code, Problem};
use super::stages::{Reached, ReasonView, StageView, reached, stages};
use crate::requests::RequestEntry;
use crate::store::requests::{RequestFilter, page, request};
use crate::store::{BatchRecord, LedgerError, RequestName, RequestRecord, queries, tables};

/// A request of a chain's queue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestView {
    /// Chain id of its queue.
    chain_id: String,
    /// Its number in that queue, from 1.
    number: String,
    /// The account that asked.
    sender: String,
    /// What is asked for.
    content: ContentJson,
    /// What its queue holds of it.
    hash: String,
    /// Id of the operation that executes it.
    id: String,
    /// Status word.
    status: &'static str,
    /// Its position in the hub's queue, from 0; left out until it has come there.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    /// When a batch must resolve it at the latest, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    /// The batch that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// What that batch says of it, when it does not execute it.
    #[serde(skip_serializing_if = "Option::is_none")]
    void: Option<VoidView>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonView>,
    /// Ids of the notes that it creates when it is executed.
    created: Vec<String>,
    /// Ids of the notes that it spends when it is executed.
    spent: Vec<String>,
}

/// Why a batch says that a request cannot run.
#[derive(Serialize, ToSchema)]
pub(crate) struct VoidView {
    /// `inputAbsent`, `inputSpent`, `outputExists` or `unknownDomain`.
    reason: &'static str,
    /// Which of its inputs or outputs is at fault, from 0.
    position: String,
}

impl From<&Void> for VoidView {
    fn from(void: &Void) -> Self {
        Self { reason: void.reason().as_str(), position: void.position().to_string() }
    }
}

/// A page of requests, in order of chain and number.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestPage {
    requests: Vec<RequestView>,
    /// Where the next page begins; left out when there is none. A page can be short and still not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A request, and what happened to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestHistoryView {
    #[serde(flatten)]
    request: RequestView,
    /// The root of the batch that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    /// What happened, in order of time.
    stages: Vec<StageView>,
}

/// Requests in order of chain and number.
#[utoipa::path(get, path = "/v1/requests",
    params(
        ("chain" = Option<String>, Query, description = "only of this chain's queue"),
        ("status" = Option<String>, Query, description = "only with this status word"),
        ("limit" = Option<u64>, Query, description = "most requests in the page"),
        ("cursor" = Option<String>, Query, description = "from the page before"),
    ),
    responses((status = 200, body = RequestPage)))]
pub(crate) async fn list(
    State(api): Shared,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<RequestPage>, Problem> {
    let mut parameters = Parameters::new(query);
    let filter = RequestFilter {
        chain_id: parameters.number("chain")?,
        status: parameters.parsed::<Status>("status")?,
    };
    let after = parameters.pair("cursor")?.map(|Pair(chain_id, number)| RequestName { chain_id, number });
    let limit = parameters.limit(api.context.limits.page)?;
    parameters.finish()?;
    let read = api.context.ledger.read(move |store| {
        let (records, next) = page(store, filter, after, limit)?;
        let requests = records.into_iter().map(view_of).collect::<Result<_, _>>()?;
        Ok(RequestPage { requests, cursor: next.map(|next| Pair(next.chain_id, next.number).to_string()) })
    });
    Ok(Json(read.await?))
}

/// One request.
#[utoipa::path(get, path = "/v1/requests/{chain}/{number}",
    params(
        ("chain" = String, Path, description = "chain id of its queue"),
        ("number" = String, Path, description = "its number there"),
    ),
    responses((status = 200, body = RequestHistoryView), (status = 404, description = "a problem document")))]
pub(crate) async fn get(
    State(api): Shared,
    Segment((chain, number)): Segment<(String, String)>,
) -> Result<Json<RequestHistoryView>, Problem> {
    let name =
        RequestName { chain_id: forms::number("chain", &chain)?, number: forms::number("number", &number)? };
    let (hub, chains) = (api.context.hub_id(), api.context.spoke_ids());
    let read = api.context.ledger.read(move |store| {
        let Some(record) = request(store, name)? else { return Ok(None) };
        let batch = match record.progress.index {
            Some(index) => queries::batch(store, index)?,
            None => None,
        };
        let reached = reached(store, batch.as_ref(), &chains)?;
        history_of(record, batch.as_ref(), &reached, hub).map(Some)
    });
    let unknown = || Problem::new(Code::NotFound, format!("no {name} was seen"));
    Ok(Json(read.await?.ok_or_else(unknown)?))
}

fn history_of(
    record: RequestRecord,
    batch: Option<&BatchRecord>,
    reached: &[Reached],
    hub: u64,
) -> Result<RequestHistoryView, LedgerError> {
    let since = record.first_seen_at();
    let on = |status: Status, chain_id, seen| StageView::seen(status.as_str(), chain_id, seen, since);
    let mut first = Vec::new();
    first.extend(record.queued.as_ref().map(|seen| on(Status::Queued, record.name.chain_id, seen)));
    first.extend(record.enqueued.as_ref().map(|enqueued| on(Status::Admitted, hub, &enqueued.seen)));
    let stages = stages(first, since, &record.progress, batch, reached, hub);
    let root = batch.filter(|batch| batch.committed_at.is_some()).map(|batch| batch.root.to_string());
    Ok(RequestHistoryView { request: view_of(record)?, root, stages })
}

fn view_of(record: RequestRecord) -> Result<RequestView, LedgerError> {
    let name = record.name;
    let corrupt = |error| LedgerError::Corrupt {
        table: tables::REQUESTS,
        detail: format!("{name} does not read: {error}"),
    };
    let RequestEntry { record, request, operation } = RequestEntry::read(record).map_err(corrupt)?;
    let enqueued = record.enqueued.as_ref();
    Ok(RequestView {
        chain_id: name.chain_id.to_string(),
        number: name.number.to_string(),
        sender: hex::encode_prefixed(record.sender),
        content: request.content().into(),
        hash: request.hash().to_string(),
        id: request.operation_id().to_string(),
        status: record.progress.status.as_str(),
        position: enqueued.map(|enqueued| enqueued.position.to_string()),
        due_at: enqueued.map(|enqueued| enqueued.due_at.to_string()),
        index: record.progress.index.map(|index| index.to_string()),
        void: match operation.as_ref() {
            Operation::Void(void) => Some(void.into()),
            _ => None,
        },
        reason: record.progress.rejection.clone().map(ReasonView::from),
        created: ids(&request.created()),
        spent: ids(request.inputs()),
    })
}

fn ids(notes: &[hypha_protocol::contracts::Resource]) -> Vec<String> {
    notes.iter().map(resource_id).map(|id: B256| id.to_string()).collect()
}
