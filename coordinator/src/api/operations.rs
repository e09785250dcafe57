//! Transfers and issues: handing one in, and how far it has come.

use alloy::primitives::B256;
use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hypha_protocol::ids::resource_id;
use hypha_protocol::json::{IssueJson, TransferJson};
use hypha_protocol::operations::{Issue, Operation, Transfer};
use hypha_protocol::status::Status;
use serde::Serialize;
use utoipa::ToSchema;

use super::events::RequestNameView;
use super::forms::{self, Parameters, Segment, bad_value};
use super::problem::{Code, Problem};
use super::stages::{Reached, ReasonView, StageView, reached, stages};
use super::{Api, Shared};
use crate::pipeline::admit::admit;
use crate::store::load::single;
use crate::store::queries::{self, OperationRow};
use crate::store::{Class, LedgerError, tables};

/// What was handed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct AcceptedView {
    /// Content hash: the same request again has the same.
    id: String,
    /// Status word.
    status: &'static str,
    /// Where to follow it.
    location: String,
}

/// A transfer or an issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationView {
    id: String,
    /// `transfer` or `issue`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Status word.
    status: &'static str,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonView>,
    /// Unix milliseconds.
    submitted_at: u64,
    /// `urgent`: its batch is made at once; or `normal`.
    class: &'static str,
    /// As it was handed in.
    operation: OperationBody,
    /// The batch that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// The request that was executed in its place, because it asked for the same transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestNameView>,
    /// The root of that batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    /// Ids of the notes it creates.
    created: Vec<String>,
    /// Ids of the notes it spends.
    spent: Vec<String>,
    /// What happened, in order of time.
    stages: Vec<StageView>,
}

/// A transfer or an issue in the form in which it was handed in.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum OperationBody {
    Transfer(TransferJson),
    Issue(IssueJson),
}

/// Hands in a transfer.
#[utoipa::path(post, path = "/v1/transfers", request_body = TransferJson,
    params(("class" = Option<Class>, Query, description = "`urgent`: into the next batch, which is made at once; `normal` unless said")),
    responses((status = 202, body = AcceptedView), (status = "4XX", description = "a problem document")))]
pub(crate) async fn post_transfer(
    State(api): Shared,
    Query(query): Query<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Problem> {
    let class = class(query)?;
    let limit = api.context.limits.body_bytes;
    let form: TransferJson = forms::read_body(request, &forms::TRANSFER, limit).await?;
    let transfer = Transfer::try_from(&form).map_err(|error| bad_value(&error))?;
    hand_in(&api, Operation::Transfer(transfer), class).await
}

/// Hands in an issue.
#[utoipa::path(post, path = "/v1/issues", request_body = IssueJson,
    params(("class" = Option<Class>, Query, description = "`urgent`: into the next batch, which is made at once; `normal` unless said")),
    responses((status = 202, body = AcceptedView), (status = "4XX", description = "a problem document")))]
pub(crate) async fn post_issue(
    State(api): Shared,
    Query(query): Query<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, Problem> {
    let class = class(query)?;
    let limit = api.context.limits.body_bytes;
    let form: IssueJson = forms::read_body(request, &forms::ISSUE, limit).await?;
    let issue = Issue::try_from(&form).map_err(|error| bad_value(&error))?;
    hand_in(&api, Operation::Issue(issue), class).await
}

/// The class in which an operation is handed in.
fn class(query: Vec<(String, String)>) -> Result<Class, Problem> {
    let mut parameters = Parameters::new(query);
    let class = parameters.parsed("class")?;
    parameters.finish()?;
    Ok(class.unwrap_or_default())
}

async fn hand_in(api: &Api, operation: Operation, class: Class) -> Result<Response, Problem> {
    let admitted = admit(&api.context, &api.desk, operation, class).await?;
    let id = admitted.id.to_string();
    let location = format!("/v1/transfers/{id}");
    let view = AcceptedView { id, status: admitted.status.as_str(), location: location.clone() };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(view)).into_response())
}

/// How far a transfer or an issue has come.
#[utoipa::path(get, path = "/v1/transfers/{id}", params(("id" = String, Path, description = "content hash")),
    responses((status = 200, body = OperationView), (status = 404, description = "a problem document")))]
pub(crate) async fn get_operation(
    State(api): Shared,
    Segment(id): Segment,
) -> Result<Json<OperationView>, Problem> {
    let id = forms::word("id", &id)?;
    let (hub, chains) = (api.context.hub_id(), api.context.spoke_ids());
    let view = api.context.ledger.read(move |store| {
        let Some(row) = queries::operation(store, id)? else { return Ok(None) };
        let reached = reached(store, row.batch.as_ref(), &chains)?;
        Ok(Some((row, reached)))
    });
    let (row, reached) = view.await?.ok_or_else(|| unknown(id))?;
    view_of(id, row, &reached, hub).map(Json).map_err(Problem::from)
}

fn unknown(id: B256) -> Problem {
    Problem::new(Code::NotFound, format!("no transfer or issue {id}"))
}

fn view_of(id: B256, row: OperationRow, reached: &[Reached], hub: u64) -> Result<OperationView, LedgerError> {
    let corrupt =
        || LedgerError::Corrupt { table: tables::JOURNAL, detail: format!("{id} was not handed in") };
    let operation = single(&row.journal.operation).ok_or_else(corrupt)?;
    let form = match &operation {
        Operation::Transfer(transfer) => OperationBody::Transfer(transfer.into()),
        Operation::Issue(issue) => OperationBody::Issue(issue.into()),
        // What resolves requests is in their rows.
        Operation::Queued(_) | Operation::Void(_) => return Err(corrupt()),
    };
    let since = row.journal.submitted_at;
    let first = StageView::new(Status::Admitted.as_str(), since, since);
    let stages = stages(vec![first], since, &row.progress, row.batch.as_ref(), reached, hub);
    let committed = row.batch.as_ref().filter(|batch| batch.committed_at.is_some());
    Ok(OperationView {
        id: id.to_string(),
        kind: operation.kind(),
        status: row.progress.status.as_str(),
        reason: row.progress.rejection.clone().map(ReasonView::from),
        submitted_at: since,
        class: row.journal.class.as_str(),
        index: row.progress.index.map(|index| index.to_string()),
        request: row.progress.request.map(RequestNameView::from),
        root: committed.map(|batch| batch.root.to_string()),
        created: operation.created().iter().map(|resource| resource_id(resource).to_string()).collect(),
        spent: operation.input_ids().iter().map(B256::to_string).collect(),
        stages,
        operation: form,
    })
}
