//! Everything that happens to operations and requests, as server-sent events that a client can resume.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::B256;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::ToSchema;

use super::forms::{self, Parameters};
use super::problem::{Code, Problem};
use super::{Api, Shared};
use crate::store::{EventRecord, RequestName, queries};

/// Events that wait for one client, and events read at a time.
const BUFFER: usize = 256;
/// How long the buffer of a client may stay full: then its stream ends, and it resumes where it was.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause after which a comment shows that the stream lives: below what proxies wait.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The data of an event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    /// Also the event's id.
    sequence: String,
    /// Id of the operation; of a request, that of the operation which executes it.
    transfer: String,
    /// The request, when it came by a chain's queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestNameView>,
    /// Status word, of the transfer or of its root on a chain; also the event's name.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// Unix milliseconds.
    at: u64,
}

/// What a request is called.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestNameView {
    /// Chain id of its queue.
    chain_id: String,
    /// Its number there.
    number: String,
}

impl From<RequestName> for RequestNameView {
    fn from(name: RequestName) -> Self {
        Self { chain_id: name.chain_id.to_string(), number: name.number.to_string() }
    }
}

/// Follows what happens to operations and requests.
///
/// The first message has an id alone, from which a client resumes that has seen no event yet.
#[utoipa::path(get, path = "/v1/events",
    params(
        ("after" = Option<String>, Query, description = "begin after this sequence; without, with what happens from now on"),
        ("Last-Event-ID" = Option<String>, Header, description = "the same, and first"),
    ),
    responses((status = 200, body = EventView, content_type = "text/event-stream")))]
pub(crate) async fn follow(
    State(api): Shared,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let mut parameters = Parameters::new(query);
    let asked = parameters.number("after")?;
    parameters.finish()?;
    let resumed = match headers.get("last-event-id") {
        Some(value) => Some(forms::number("Last-Event-ID", value.to_str().unwrap_or_default())?),
        None => None,
    };
    let most = api.context.limits.streams;
    let full = |_| Problem::new(Code::TooManyStreams, format!("{most} clients follow already"));
    let permit = api.streams.clone().try_acquire_owned().map_err(full)?;
    let newest = *api.context.ledger.sequence().borrow();
    let after = resumed.or(asked).unwrap_or(newest);
    let (sender, receiver) = mpsc::channel(BUFFER);
    tokio::spawn(feed(api, sender, after, permit));
    let stream = futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|event| (Ok(event), receiver))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// Feeds one client from the store until it leaves, is too slow, or the service ends.
async fn feed(api: Arc<Api>, sender: mpsc::Sender<Event>, mut after: u64, permit: OwnedSemaphorePermit) {
    let mut sequence = api.context.ledger.sequence();
    // An id alone: who loses the connection before anything has happened resumes there as well.
    if sender.send(Event::default().id(after.to_string())).await.is_err() {
        return;
    }
    loop {
        sequence.borrow_and_update();
        let page = api.context.ledger.read(move |store| queries::events(store, after, BUFFER)).await;
        let Ok(page) = page else { break };
        let read = page.len();
        for (number, record) in page {
            after = number;
            let sent = tokio::time::timeout(PATIENCE, sender.send(event(number, &record))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        if read == BUFFER {
            continue;
        }
        tokio::select! {
            changed = sequence.changed() => if changed.is_err() { break },
            () = sender.closed() => break,
            () = api.shutdown.cancelled() => break,
        }
    }
    drop(permit);
}

fn event(sequence: u64, record: &EventRecord) -> Event {
    let transfer: B256 = record.transfer;
    let view = EventView {
        sequence: sequence.to_string(),
        transfer: transfer.to_string(),
        request: record.request.map(RequestNameView::from),
        status: record.status.clone(),
        chain_id: record.chain_id.map(|chain_id| chain_id.to_string()),
        index: record.index.map(|index| index.to_string()),
        at: record.at,
    };
    let data = serde_json::to_string(&view).expect("a struct of strings and numbers has a JSON form");
    Event::default().id(view.sequence).event(view.status).data(data)
}
