//! What only the operator may do, on a listener of its own: pause, resume, drain, try again what waits, look at a batch.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::B256;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header, uri::Authority};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hypha_chain::ports::Store;
use hypha_chain::submit::{IntentStatus, Submitter};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::edge;
use super::events::RequestNameView;
use super::forms::{self, Segment};
use super::keys::Keys;
use super::problem::{Code, Problem};
use super::token::{Token, bearer};
use crate::blocking::blocking;
use crate::context::Context;
use crate::mode::{Mode, ModeRecord};
use crate::pipeline::commit::intent_id;
use crate::store::queries::{self, parse};
use crate::store::{BatchRecord, BatchState, JournalRecord, LedgerError, ProgressRecord, tables};

/// What these handlers work on.
pub(crate) struct Admin {
    pub(crate) context: Arc<Context>,
    pub(crate) submitter: Arc<Submitter>,
    pub(crate) token: Token,
    /// The API's keys, where it has any.
    pub(crate) keys: Option<Arc<Keys>>,
}

/// What the operator has told the coordinator to do, and how far that is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StateView {
    /// `running`; `paused`: no new batch; `draining`: no new operation.
    mode: &'static str,
    /// Unix milliseconds since when; 0 when it was never changed.
    since: u64,
    /// Operations that wait for a batch.
    waiting: usize,
    /// Operations that were handed in and are not finalized or rejected.
    under_way: usize,
    /// Whether nothing is taken in and nothing that was handed in is under way: the service can be shut down for good.
    drained: bool,
    /// What the batches wait for, when the hub refuses one.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<String>,
}

/// The keys that are known now.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeysView {
    /// How many.
    keys: usize,
}

/// A batch, as the operator sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InspectedView {
    index: String,
    /// `batched`, `committed`, `delivered` or `final`.
    state: &'static str,
    old_root: String,
    /// Zero until it is committed.
    root: String,
    batch_chain: String,
    /// Whether another sequencer brought it to the hub.
    foreign: bool,
    /// How many transactions were given up for it.
    attempt: u32,
    /// Unix milliseconds.
    batched_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_at: Option<u64>,
    /// The requests that it resolves.
    requests: Vec<RequestNameView>,
    /// Its other operations.
    operations: Vec<MemberView>,
    transaction: TransactionView,
    /// What it waits for, when the hub refuses a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<String>,
}

/// An operation of a batch.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberView {
    id: String,
    status: &'static str,
}

/// How far the transaction of a batch is.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct TransactionView {
    /// `none`, `queued`, `sent`, `mined`, `final`, `reverted`, `refused` or `too_much_gas`.
    state: &'static str,
    /// Every hash that was signed for it, or the one that was mined.
    hashes: Vec<String>,
    /// With what the hub refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hypha coordinator: for its operator",
        description = "Each request shows the token: `Authorization: Bearer …`."
    ),
    paths(state, pause, resume, drain, retry, batch, reload_keys)
)]
struct Description;

type Shared = State<Arc<Admin>>;

/// Every route of the operator.
pub(crate) fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/admin/state", get(state))
        .route("/admin/pause", post(pause))
        .route("/admin/resume", post(resume))
        .route("/admin/drain", post(drain))
        .route("/admin/retry", post(retry))
        .route("/admin/batches/{index}", get(batch))
        .route("/admin/reload-keys", post(reload_keys))
        .route("/openapi.json", get(async || Json(Description::openapi())))
        .fallback(super::not_found)
        .method_not_allowed_fallback(super::method_not_allowed)
        .layer(from_fn_with_state(admin.clone(), authorized))
        .layer(from_fn_with_state(admin.clone(), deadline))
        .layer(from_fn(edge::unambiguous))
        .with_state(admin)
}

async fn deadline(State(admin): Shared, request: Request, next: Next) -> Response {
    edge::within(Duration::from_millis(admin.context.limits.request_ms), next.run(request)).await
}

/// Lets through who shows the token, and no page of a browser: that one names where it is from, or a host that is not this one.
async fn authorized(State(admin): Shared, request: Request, next: Next) -> Result<Response, Problem> {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) || !names_this_machine(headers) {
        return Err(Problem::new(Code::Forbidden, "this listener is for programs on this machine"));
    }
    if bearer(headers).is_some_and(|shown| admin.token.is(shown)) {
        Ok(next.run(request).await)
    } else {
        tracing::warn!(path = request.uri().path(), "an operator's request without the token");
        Err(Problem::new(Code::Unauthorized, "expected Authorization: Bearer and the operator's token"))
    }
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// What the coordinator does, and how far that is.
#[utoipa::path(get, path = "/admin/state", responses((status = 200, body = StateView)))]
async fn state(State(admin): Shared) -> Json<StateView> {
    Json(view_of(&admin.context, admin.context.mode.now()))
}

fn view_of(context: &Context, ModeRecord { mode, at }: ModeRecord) -> StateView {
    let state = context.ledger.state();
    let under_way = state.entries.len();
    StateView {
        mode: mode.as_str(),
        since: at,
        waiting: state.queue_depth(),
        under_way,
        drained: mode == Mode::Draining && under_way == 0,
        parked: state.trouble.clone(),
    }
}

/// No new batch from now on. Operations are taken in until the queue is full; what is in a batch goes on.
#[utoipa::path(post, path = "/admin/pause", responses((status = 200, body = StateView)))]
async fn pause(State(admin): Shared) -> Result<Json<StateView>, Problem> {
    set(admin, Mode::Paused).await
}

/// Ends a pause or a drain.
#[utoipa::path(post, path = "/admin/resume", responses((status = 200, body = StateView)))]
async fn resume(State(admin): Shared) -> Result<Json<StateView>, Problem> {
    set(admin, Mode::Running).await
}

/// No new operation from now on; what was handed in goes on to its end, and then the state says `drained`.
#[utoipa::path(post, path = "/admin/drain", responses((status = 200, body = StateView)))]
async fn drain(State(admin): Shared) -> Result<Json<StateView>, Problem> {
    set(admin, Mode::Draining).await
}

async fn set(admin: Arc<Admin>, mode: Mode) -> Result<Json<StateView>, Problem> {
    // A task of its own, that a client which hangs up does not end half-way.
    let set = tokio::spawn(async move {
        let context = &admin.context;
        let record = context.mode.set(&context.ledger, mode, context.now()).await?;
        tracing::warn!(mode = mode.as_str(), "the operator has set the mode");
        Ok::<_, LedgerError>(view_of(context, record))
    });
    let ended = set.await.map_err(|_| Problem::new(Code::Internal, "the change of the mode did not end"))?;
    Ok(Json(ended?))
}

/// Tries what the hub refuses again at once, rather than after its pause.
#[utoipa::path(post, path = "/admin/retry", responses((status = 202, body = StateView)))]
async fn retry(State(admin): Shared) -> impl IntoResponse {
    tracing::warn!("the operator has what waits tried again");
    admin.context.retry.notify_one();
    (StatusCode::ACCEPTED, Json(view_of(&admin.context, admin.context.mode.now())))
}

/// Reads the file of API keys again. A file that cannot be used changes nothing.
#[utoipa::path(post, path = "/admin/reload-keys",
    responses((status = 200, body = KeysView), (status = 404, description = "there is no file of keys"),
        (status = 400, description = "the file cannot be used")))]
async fn reload_keys(State(admin): Shared) -> Result<Json<KeysView>, Problem> {
    let none = || Problem::new(Code::NotFound, "no file of keys is configured");
    let keys = admin.keys.clone().ok_or_else(none)?;
    let read = blocking(move || keys.reload()).await?;
    let keys = read.map_err(|error| Problem::new(Code::BadValue, error.to_string()))?;
    tracing::warn!(keys, "the operator has the file of keys read again");
    Ok(Json(KeysView { keys }))
}

/// A batch: its members, and how far its transaction is.
#[utoipa::path(get, path = "/admin/batches/{index}", params(("index" = String, Path, description = "number of its root")),
    responses((status = 200, body = InspectedView), (status = 404, description = "a problem document")))]
async fn batch(State(admin): Shared, Segment(index): Segment) -> Result<Json<InspectedView>, Problem> {
    let index = forms::number("index", &index)?;
    let row = admin.context.ledger.read(move |store| batch_row(store, index)).await?;
    let unknown = || Problem::new(Code::NotFound, format!("there is no batch {index}"));
    let (batch, operations) = row.ok_or_else(unknown)?;
    let failed = |error| Problem::new(Code::StoreUnavailable, format!("its transaction: {error}"));
    let status = admin.submitter.status(&intent_id(&batch)).await.map_err(failed)?;
    let trouble = admin.context.ledger.state().trouble.clone();
    Ok(Json(inspected(batch, operations, status, trouble)))
}

fn batch_row(store: &dyn Store, index: u64) -> Result<Option<(BatchRecord, Vec<MemberView>)>, LedgerError> {
    let Some(batch) = queries::batch(store, index)? else { return Ok(None) };
    let members = batch.members.iter().map(|number| member(store, *number)).collect::<Result<_, _>>()?;
    Ok(Some((batch, members)))
}

fn member(store: &dyn Store, number: u64) -> Result<MemberView, LedgerError> {
    let key = number.to_be_bytes();
    let missing = |table| LedgerError::Corrupt { table, detail: format!("no row for number {number}") };
    let row = |table| store.get(table, &key)?.ok_or_else(|| missing(table));
    let journal: JournalRecord = parse(tables::JOURNAL, &row(tables::JOURNAL)?)?;
    let progress: ProgressRecord = parse(tables::PROGRESS, &row(tables::PROGRESS)?)?;
    Ok(MemberView { id: journal.id.to_string(), status: progress.status.as_str() })
}

fn word(state: BatchState) -> &'static str {
    match state {
        BatchState::Batched => "batched",
        BatchState::Committed => "committed",
        BatchState::Delivered => "delivered",
        BatchState::Final => "final",
    }
}

fn inspected(
    batch: BatchRecord,
    operations: Vec<MemberView>,
    status: Option<IntentStatus>,
    trouble: Option<String>,
) -> InspectedView {
    let named = |text: &String| text.starts_with(&format!("batch {}:", batch.index));
    InspectedView {
        index: batch.index.to_string(),
        state: word(batch.state),
        old_root: batch.old_root.to_string(),
        root: batch.root.to_string(),
        batch_chain: batch.batch_chain.to_string(),
        foreign: batch.foreign,
        attempt: batch.attempt,
        batched_at: batch.batched_at,
        committed_at: batch.committed_at,
        final_at: batch.final_at,
        requests: batch.requests.iter().copied().map(RequestNameView::from).collect(),
        operations,
        transaction: transaction(status),
        parked: trouble.filter(named),
    }
}

fn transaction(status: Option<IntentStatus>) -> TransactionView {
    let of = |state, hashes: Vec<B256>| TransactionView {
        state,
        hashes: hashes.iter().map(B256::to_string).collect(),
        refusal: None,
    };
    match status {
        None => of("none", Vec::new()),
        Some(IntentStatus::Queued) => of("queued", Vec::new()),
        Some(IntentStatus::Sent { hashes, .. }) => of("sent", hashes),
        Some(IntentStatus::Mined { receipt }) => of("mined", vec![receipt.tx_hash]),
        Some(IntentStatus::Final { receipt }) => of("final", vec![receipt.tx_hash]),
        Some(IntentStatus::Reverted { receipt }) => of("reverted", vec![receipt.tx_hash]),
        Some(IntentStatus::Refused { data }) => {
            TransactionView { refusal: Some(data.to_string()), ..of("refused", Vec::new()) }
        }
        Some(IntentStatus::TooMuchGas { needed, maximum }) => TransactionView {
            refusal: Some(format!("it needs {needed} gas of {maximum}")),
            ..of("too_much_gas", Vec::new())
        },
    }
}
