//! Whether the process lives, whether it can do its work, and what it has counted.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::Shared;
use crate::context::Context;
use crate::metrics as counted;
use crate::mode::Mode;

/// Whether the coordinator can do its work.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadyView {
    ready: bool,
    /// Why not.
    reasons: Vec<String>,
    /// What is wrong and does not keep it from its work, such as a spoke that does not answer.
    warnings: Vec<String>,
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "alive")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it can do its work.
#[utoipa::path(get, path = "/readyz",
    responses((status = 200, body = ReadyView), (status = 503, body = ReadyView)))]
pub(crate) async fn readyz(State(api): Shared) -> impl IntoResponse {
    let view = readiness(&api.context);
    let status = if view.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(view))
}

fn readiness(context: &Context) -> ReadyView {
    let (mut reasons, mut warnings) = (Vec::new(), Vec::new());
    let hub = context.hub_id();
    {
        match context.mode.now().mode {
            Mode::Running => {}
            Mode::Paused => warnings.push("paused by the operator: no new batches".to_owned()),
            Mode::Draining => reasons.push("draining: nothing new is taken in".to_owned()),
        }
        let state = context.ledger.state();
        reasons.extend(state.guard.as_ref().map(|guard| format!("stopped by the guard: {}", guard.reason)));
        reasons.extend(state.trouble.clone());
        for (chain_id, view) in &state.chains {
            let list = if *chain_id == hub { &mut reasons } else { &mut warnings };
            list.extend(view.error.as_ref().map(|error| format!("chain {chain_id}: {error}")));
        }
    }
    ReadyView { ready: reasons.is_empty(), reasons, warnings }
}

/// Prometheus' text form.
#[utoipa::path(get, path = "/metrics", responses((status = 200, description = "Prometheus' text form")))]
pub(crate) async fn metrics(State(api): Shared) -> impl IntoResponse {
    counted::ready(readiness(&api.context).ready);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], hypha_chain::recorder::render())
}
