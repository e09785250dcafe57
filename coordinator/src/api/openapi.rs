//! The description of this API, and pages that show it without anything from elsewhere.

use std::sync::Arc;

use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Api, chains, events, health, operations, proofs, requests, resources};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hypha coordinator",
        description = "Takes transfers, batches them and follows them to every chain, requests that came by the chains as well. \
        Numbers are decimal strings, words are 0x-hex. Errors are RFC 9457 problem documents with a stable `code` and \
        `retryable`."
    ),
    paths(
        operations::post_transfer,
        operations::post_issue,
        operations::get_operation,
        requests::list,
        requests::get,
        resources::list,
        resources::get_resource,
        resources::get_nullifier,
        proofs::get_proof,
        proofs::post_proofs,
        chains::roots,
        chains::batch,
        chains::chains,
        events::follow,
        health::healthz,
        health::readyz,
        health::metrics,
    )
)]
struct Description;

/// The description.
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}

/// Pages that show it; every file of theirs is in this program.
pub(crate) fn docs() -> Router<Arc<Api>> {
    SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into()
}
