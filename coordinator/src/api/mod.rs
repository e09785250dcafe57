//! HTTP API v1. Amounts, ids and indexes are strings; errors are RFC 9457 problem documents (`problem.rs`).

pub(crate) mod admin;
mod chains;
mod edge;
mod events;
mod forms;
mod health;
pub mod keys;
mod openapi;
mod operations;
pub mod problem;
mod proofs;
mod requests;
mod resources;
mod stages;
pub mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::context::Context;
use crate::pipeline::admit::Desk;
use keys::Keys;
use problem::{Code, Problem};

/// What the handlers work on.
pub struct Api {
    context: Arc<Context>,
    desk: Desk,
    keys: Option<Arc<Keys>>,
    room: edge::Room,
    streams: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Api {
    pub(crate) fn new(
        context: Arc<Context>,
        desk: Desk,
        keys: Option<Arc<Keys>>,
        shutdown: CancellationToken,
    ) -> Self {
        let limits = &context.limits;
        let (room, streams) = (edge::Room::new(limits), Arc::new(Semaphore::new(limits.streams)));
        Self { context, desk, keys, room, streams, shutdown }
    }
}

/// Every route.
pub fn router(api: Arc<Api>) -> Router {
    let writes = Router::new()
        .route("/v1/transfers", post(operations::post_transfer))
        .route("/v1/issues", post(operations::post_issue))
        .route_layer(from_fn_with_state(api.clone(), keys::as_writer));
    let reads = Router::new()
        .route("/v1/transfers/{id}", get(operations::get_operation))
        .route("/v1/issues/{id}", get(operations::get_operation))
        .route("/v1/requests", get(requests::list))
        .route("/v1/requests/{chain}/{number}", get(requests::get))
        .route("/v1/resources", get(resources::list))
        .route("/v1/resources/{id}", get(resources::get_resource))
        .route("/v1/nullifiers/{nullifier}", get(resources::get_nullifier))
        .route("/v1/proofs", post(proofs::post_proofs))
        .route("/v1/proofs/{key}", get(proofs::get_proof))
        .route("/v1/roots", get(chains::roots))
        .route("/v1/batches/{index}", get(chains::batch))
        .route("/v1/chains", get(chains::chains))
        .route("/v1/events", get(events::follow))
        .route("/metrics", get(health::metrics))
        .route_layer(from_fn_with_state(api.clone(), keys::as_reader));
    writes
        .merge(reads)
        .route_layer(from_fn_with_state(api.clone(), edge::room))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(openapi::document))
        .merge(openapi::docs())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(api.clone(), edge::deadline))
        .layer(from_fn(edge::unambiguous))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(api)
}

type Shared = State<Arc<Api>>;

async fn not_found(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::new(Code::NotFound, format!("no route {}", uri.path()))
}

async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("{method} is not allowed here"))
}

/// A panic in a handler: its words go to the log, never to the client.
fn panicked(payload: Box<dyn std::any::Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a handler panicked");
    Problem::new(Code::Internal, "the request met a bug").into_response()
}
