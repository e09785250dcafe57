//! The HTTP side: attestations for whoever asks, health and metrics.

mod attestations;
mod health;
mod problem;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

pub use attestations::AttestationDocument;
use problem::Problem;

use crate::service::Attestor;

/// No request has a body worth reading.
const MAX_BODY: usize = 1_024;
/// A signature and one durable write take milliseconds; whoever waits this long is better told.
const DEADLINE: Duration = Duration::from_secs(10);

/// All routes of the service.
pub(crate) fn router(attestor: Arc<Attestor>) -> Router {
    Router::new()
        .route("/v1/attestations/{src_chain}/{key}", get(attestations::attestation))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(attestor)
        .route("/metrics", get(|| async { health::metrics() }))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, DEADLINE))
}
