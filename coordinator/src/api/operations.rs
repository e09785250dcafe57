//! Transfers and issues: handing one in, and how far it has come.

use alloy::primitives::B256;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hypha_protocol::ids::resource_id;
use hypha_protocol::json::{IssueJson, RequestJson, TransferJson, VoidJson};
use hypha_protocol::operations::{Issue, Operation, Transfer};
use hypha_protocol::status::{RootStatus, Status};
use serde::Serialize;
use utoipa::ToSchema;

use super::forms::{self, Segment, bad_value};
use super::problem::{Code, Problem};
use super::{Api, Shared};
use crate::context::Context;
use crate::pipeline::admit::admit;
use crate::store::load::single;
use crate::store::queries::{self, OperationRow};
use crate::store::{LedgerError, Milestone, Rejection, tables};

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
    /// As it was handed in.
    operation: OperationBody,
    /// The batch that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
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

/// An operation: a transfer or an issue in the form in which it was handed in, or what resolves a request.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum OperationBody {
    Transfer(TransferJson),
    Issue(IssueJson),
    Queued(RequestJson),
    Void(VoidJson),
}

/// Why an operation was rejected.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReasonView {
    /// A code of the problem documents.
    code: String,
    detail: String,
}

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageView {
    /// A status word; for a chain, of its root.
    stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<String>,
    /// Milliseconds since it was submitted.
    at_ms: u64,
    /// Unix milliseconds.
    at: u64,
    /// The transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<String>,
    /// Height of its block.
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
    /// The index that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// Gas that the transaction used, for all operations together that it carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<String>,
}

impl StageView {
    fn new(stage: &'static str, at: u64, submitted_at: u64) -> Self {
        let at_ms = at.saturating_sub(submitted_at);
        Self { stage, chain_id: None, at_ms, at, tx: None, block: None, index: None, gas: None }
    }

    fn on_chain(stage: &'static str, chain_id: u64, seen: &Milestone, submitted_at: u64) -> Self {
        Self {
            chain_id: Some(chain_id.to_string()),
            tx: Some(seen.tx.to_string()),
            block: Some(seen.block.to_string()),
            index: Some(seen.index.to_string()),
            gas: seen.gas.map(|gas| gas.to_string()),
            ..Self::new(stage, seen.at, submitted_at)
        }
    }
}

/// Hands in a transfer.
#[utoipa::path(post, path = "/v1/transfers", request_body = TransferJson,
    responses((status = 202, body = AcceptedView), (status = "4XX", description = "a problem document")))]
pub(crate) async fn post_transfer(State(api): Shared, request: Request) -> Result<Response, Problem> {
    let limit = api.context.limits.body_bytes;
    let form: TransferJson = forms::read_body(request, &forms::TRANSFER, limit).await?;
    let transfer = Transfer::try_from(&form).map_err(|error| bad_value(&error))?;
    hand_in(&api, Operation::Transfer(transfer)).await
}

/// Hands in an issue.
#[utoipa::path(post, path = "/v1/issues", request_body = IssueJson,
    responses((status = 202, body = AcceptedView), (status = "4XX", description = "a problem document")))]
pub(crate) async fn post_issue(State(api): Shared, request: Request) -> Result<Response, Problem> {
    let limit = api.context.limits.body_bytes;
    let form: IssueJson = forms::read_body(request, &forms::ISSUE, limit).await?;
    let issue = Issue::try_from(&form).map_err(|error| bad_value(&error))?;
    hand_in(&api, Operation::Issue(issue)).await
}

async fn hand_in(api: &Api, operation: Operation) -> Result<Response, Problem> {
    let admitted = admit(&api.context, &api.desk, operation).await?;
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
    let (hub, chains) = (api.context.hub_id(), spoke_ids(&api.context));
    let view = api.context.ledger.read(move |store| {
        let Some(row) = queries::operation(store, id)? else { return Ok(None) };
        let mut reached = Vec::new();
        if let Some(batch) = row.batch.as_ref().filter(|batch| batch.delivered.is_some()) {
            for chain_id in chains {
                for (word, table) in
                    [(RootStatus::Relayed, tables::RELAYED), (RootStatus::Reported, tables::REPORTED)]
                {
                    let seen = queries::milestone(store, table, chain_id, batch.index)?;
                    reached.extend(seen.map(|seen| (word, chain_id, seen)));
                }
            }
        }
        Ok(Some((row, reached)))
    });
    let (row, reached) = view.await?.ok_or_else(|| unknown(id))?;
    view_of(id, row, &reached, hub).map(Json).map_err(Problem::from)
}

fn unknown(id: B256) -> Problem {
    Problem::new(Code::NotFound, format!("no transfer or issue {id}"))
}

fn spoke_ids(context: &Context) -> Vec<u64> {
    context.spokes.iter().map(|spoke| spoke.config.chain_id).collect()
}

fn view_of(
    id: B256,
    row: OperationRow,
    reached: &[(RootStatus, u64, Milestone)],
    hub: u64,
) -> Result<OperationView, LedgerError> {
    let operation = single(&row.journal.operation).ok_or_else(|| LedgerError::Corrupt {
        table: tables::JOURNAL,
        detail: format!("{id} is no operation"),
    })?;
    let committed = row.batch.as_ref().filter(|batch| batch.committed_at.is_some());
    Ok(OperationView {
        id: id.to_string(),
        kind: operation.kind(),
        status: row.progress.status.as_str(),
        reason: row.progress.rejection.clone().map(|Rejection { code, detail }| ReasonView { code, detail }),
        submitted_at: row.journal.submitted_at,
        index: row.progress.index.map(|index| index.to_string()),
        root: committed.map(|batch| batch.root.to_string()),
        created: operation.created().iter().map(|resource| resource_id(resource).to_string()).collect(),
        spent: operation.input_ids().iter().map(B256::to_string).collect(),
        stages: stages(&row, reached, hub),
        operation: match &operation {
            Operation::Transfer(transfer) => OperationBody::Transfer(transfer.into()),
            Operation::Issue(issue) => OperationBody::Issue(issue.into()),
            Operation::Queued(request) => OperationBody::Queued(request.into()),
            Operation::Void(void) => OperationBody::Void(void.into()),
        },
    })
}

fn stages(row: &OperationRow, reached: &[(RootStatus, u64, Milestone)], hub: u64) -> Vec<StageView> {
    let since = row.journal.submitted_at;
    let mut stages = vec![StageView::new(Status::Admitted.as_str(), since, since)];
    if let Some(batch) = &row.batch {
        stages.push(StageView::new(Status::Batched.as_str(), batch.batched_at, since));
        let committed = batch.committed_at.map(|at| StageView::new(Status::Committed.as_str(), at, since));
        stages.extend(committed);
        let delivered = batch.delivered.as_ref();
        stages
            .extend(delivered.map(|seen| StageView::on_chain(Status::Delivered.as_str(), hub, seen, since)));
    }
    stages.extend(
        reached
            .iter()
            .map(|(word, chain_id, seen)| StageView::on_chain(word.as_str(), *chain_id, seen, since)),
    );
    if let Some(at) = row.progress.ended_at {
        stages.push(StageView::new(row.progress.status.as_str(), at, since));
    }
    // Stable, so that what happened in one millisecond keeps the order of the pipeline.
    stages.sort_by_key(|stage| stage.at);
    stages
}
