//! `/healthz`, `/readyz`, `/metrics`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::service::Attestor;

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether attestations can be had now, with the reasons when not.
pub(super) async fn ready(State(attestor): State<Arc<Attestor>>) -> impl IntoResponse {
    let reasons = attestor.unready();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": reasons.is_empty(), "reasons": reasons, "attestor": attestor.address() })))
}

/// The Prometheus page.
pub(super) fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], hypha_chain::recorder::render())
}
