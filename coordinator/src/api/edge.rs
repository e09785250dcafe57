//! What every request passes before its route: it has one meaning, there is room for it, and it ends in time.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::Shared;
use super::problem::{Code, Problem};
use crate::config::LimitsConfig;

/// Headers of which two would mean that two readers of one request can differ.
static ONCE: [header::HeaderName; 6] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    header::HeaderName::from_static("last-event-id"),
];

/// Requests at once. Those with a body have a room of their own, so that neither many of them nor slow ones keep others from reading.
pub(super) struct Room {
    reads: Semaphore,
    bodies: Semaphore,
}

impl Room {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        Self { reads: Semaphore::new(limits.reads), bodies: Semaphore::new(limits.bodies) }
    }
}

/// Refuses a request that can be read in two ways. Where it ends is one of the things that can be: its connection ends with it.
pub(super) async fn unambiguous(request: Request, next: Next) -> Response {
    let twice = |headers: &HeaderMap| ONCE.iter().find(|name| headers.get_all(*name).iter().count() > 1);
    let Some(name) = twice(request.headers()) else { return next.run(request).await };
    let refusal = Problem::new(Code::Ambiguous, format!("the header {name} stands twice"));
    ([(header::CONNECTION, "close")], refusal).into_response()
}

/// Refuses a request when there are too many of its sort already.
pub(super) async fn room(State(api): Shared, request: Request, next: Next) -> Result<Response, Problem> {
    let (room, what) = match *request.method() {
        Method::POST => (&api.room.bodies, "with a body"),
        _ => (&api.room.reads, "that read"),
    };
    let full = |_| Problem::new(Code::Busy, format!("too many requests {what} are under way"));
    let _permit = room.try_acquire().map_err(full)?;
    Ok(next.run(request).await)
}

/// Ends a request to the API that takes too long.
pub(super) async fn deadline(State(api): Shared, request: Request, next: Next) -> Response {
    within(Duration::from_millis(api.context.limits.request_ms), next.run(request)).await
}

/// The answer, or that it took too long, the body of the request included.
pub(super) async fn within(time: Duration, answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(time, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let detail = format!("not answered within {} ms", time.as_millis());
            Problem::new(Code::RequestTimeout, detail).into_response()
        }
    }
}
