//! `GET /v1/status`, `/healthz`, `/readyz`, `/metrics`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::service::Relayer;

/// No request has a body worth reading.
const MAX_BODY: usize = 1_024;
/// All answers come from memory and a few rows.
const DEADLINE: Duration = Duration::from_secs(10);

/// All routes of the service.
pub(crate) fn router(relayer: Arc<Relayer>) -> Router {
    let page =
        || async { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], hypha_chain::recorder::render()) };
    Router::new()
        .route("/v1/status", get(status))
        .route("/readyz", get(ready))
        .with_state(relayer)
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/metrics", get(page))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "not_found", "Not found", false) })
        .method_not_allowed_fallback(|| async {
            problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", false)
        })
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, DEADLINE))
}

async fn status(State(relayer): State<Arc<Relayer>>) -> Response {
    match relayer.status().await {
        Ok(status) => Json(status).into_response(),
        Err(error) => {
            tracing::error!(%error, "the status cannot be read");
            problem(StatusCode::SERVICE_UNAVAILABLE, "internal", "Internal trouble", true)
        }
    }
}

/// Ready while the hub is observed; a spoke in trouble is named but stops nothing else.
async fn ready(State(relayer): State<Arc<Relayer>>) -> impl IntoResponse {
    let reasons: Vec<String> = relayer.hub_trouble().into_iter().collect();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body: Value =
        json!({ "ready": reasons.is_empty(), "reasons": reasons, "degraded": relayer.degraded() });
    (status, Json(body))
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, code: &str, title: &str, retryable: bool) -> Response {
    let body = json!({
        "type": format!("urn:hypha:problem:{code}"), "title": title, "status": status.as_u16(), "detail": title,
        "code": code, "retryable": retryable,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
