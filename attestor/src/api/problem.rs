//! The one place that picks an HTTP status and a code for an error (RFC 9457).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{FoundConflict, SignError};

/// A problem document.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    retryable: bool,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        retryable: bool,
        detail: String,
    ) -> Self {
        let (kind, status) = (format!("urn:hypha:problem:{code}"), status.as_u16());
        Self { kind, title, status, detail, code, retryable, members: Map::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", false, "no such resource".into())
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "only GET is answered here".into();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", false, detail)
    }

    /// A part of the request that cannot be read.
    pub(crate) fn bad_request(code: &'static str, detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "Bad request", false, detail)
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Self {
        let detail = error.to_string();
        let (status, code, title, retryable) = match &error {
            SignError::UnknownSource { .. } => {
                (StatusCode::NOT_FOUND, "unknown_chain", "Unknown chain", false)
            }
            SignError::UnknownDestination { .. } => {
                (StatusCode::NOT_FOUND, "unknown_destination", "Unknown destination", false)
            }
            SignError::FactUnknown { .. } => {
                (StatusCode::NOT_FOUND, "fact_unknown", "Fact not final yet", true)
            }
            SignError::FactConflict { .. } => {
                (StatusCode::CONFLICT, "fact_conflict", "Two final values", false)
            }
            SignError::SetUnknown { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "set_unknown", "Set not read yet", true)
            }
            SignError::NotInSet { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_in_set", "Not in the set", true)
            }
            SignError::Guarded { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "guarded", "Signing is stopped", false)
            }
            SignError::Internal(_) => (StatusCode::SERVICE_UNAVAILABLE, "internal", "Internal trouble", true),
        };
        let mut problem = Self::new(status, code, title, retryable, detail);
        match error {
            SignError::FactConflict { found, .. } => {
                let FoundConflict { conflict, statement } = *found;
                let mut put = |name: &str, value: Value| problem.members.insert(name.into(), value);
                put("first", json!(conflict.first));
                put("second", json!(conflict.second));
                if let Some(statement) = statement {
                    put("setId", json!(statement.set_id.to_string()));
                    put("signature", json!(statement.signature));
                }
            }
            // Errors of the store and the chains name files and hosts: they are for the log.
            SignError::Internal(cause) => {
                tracing::error!(error = %cause, "an attestation failed");
                problem.detail = "the attestor could not read or write; its log says more".into();
            }
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("made from a status code");
        let body = serde_json::to_vec(&self).expect("text keys and no failing serializer");
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
