//! The description of this API, and pages that show it without anything from elsewhere.

use std::sync::Arc;

use axum::{Json, Router};
use serde::Serialize;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Object, Ref, Response, ResponseBuilder, Type};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::problem::MEDIA_TYPE;
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
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Refusals)
)]
struct Description;

/// Why a request was not answered as asked (RFC 9457). Further members depend on the code.
#[derive(Serialize, ToSchema)]
#[allow(dead_code)] // It is only described here; documents are made in `problem.rs`.
struct ProblemDocument {
    /// A URN of the code.
    r#type: String,
    /// What the code means.
    title: String,
    /// The HTTP status.
    status: u16,
    /// One sentence on this very request.
    detail: String,
    /// A stable word.
    code: String,
    /// Whether the same request can succeed later without a change.
    retryable: bool,
}

/// What any request can be answered with: described once, for all routes.
struct Refusals;

/// Status, whether the answer says when to come back, and when it is given.
const REFUSALS: [(&str, bool, &str); 7] = [
    ("400", false, "the request is malformed, or can be read in two ways"),
    ("401", false, "the service knows keys, and no known one was shown"),
    ("403", false, "this key may not do this"),
    ("408", false, "the request took too long to come, or to be answered"),
    ("429", true, "this key asks more often than it may"),
    ("500", false, "something went wrong here"),
    ("503", true, "too much is under way, or the service cannot do this now"),
];

/// What the scheme of the keys is called.
const SCHEME: &str = "key";
/// Routes that need no key.
const FOR_ALL: [&str; 2] = ["/healthz", "/readyz"];
/// Statuses that have to do with keys.
const OF_KEYS: [&str; 3] = ["401", "403", "429"];

impl Modify for Refusals {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut openapi.paths.paths {
            let is_for_all = FOR_ALL.contains(&path.as_str());
            for operation in operations_of(item) {
                describe(operation, is_for_all);
            }
        }
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "An API key, where the service has a file of keys; without one all may do everything.",
        ));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme.build()));
    }
}

/// Adds what any request can be answered with.
fn describe(operation: &mut Operation, is_for_all: bool) {
    for (status, comes_back, meaning) in REFUSALS {
        if is_for_all && OF_KEYS.contains(&status) {
            continue;
        }
        let described = &mut operation.responses.responses;
        described.entry(status.to_owned()).or_insert_with(|| refusal(meaning, comes_back).into());
    }
    if !is_for_all {
        // With a key or, where the service has none, without.
        let none: [&str; 0] = [];
        operation.security =
            Some(vec![SecurityRequirement::default(), SecurityRequirement::new(SCHEME, none)]);
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    item.get.iter_mut().chain(item.post.iter_mut())
}

fn refusal(meaning: &str, comes_back: bool) -> Response {
    let document = Content::new(Some(Ref::from_schema_name("ProblemDocument")));
    let answer = ResponseBuilder::new().description(meaning).content(MEDIA_TYPE, document);
    if !comes_back {
        return answer.build();
    }
    let seconds = HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::Integer)))
        .description(Some("seconds after which to come back; left out when that would not help"));
    answer.header("Retry-After", seconds.build()).build()
}

/// The description.
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}

/// Pages that show it; every file of theirs is in this program.
pub(crate) fn docs() -> Router<Arc<Api>> {
    SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into()
}
