//! The stream of events of the API.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::Api;
use crate::waiting::block_on;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number, which rises.
    pub id: u64,
    /// The status word.
    pub word: String,
    /// What it says.
    pub data: Value,
}

/// What came next.
#[derive(Debug)]
pub enum Heard {
    /// An event.
    Event(Event),
    /// Nothing in time.
    Nothing,
    /// The stream ended, or broke.
    End,
}

/// An open stream.
pub struct Events {
    response: reqwest::Response,
    unread: String,
}

impl Events {
    /// Opens the stream after an event's number.
    ///
    /// # Panics
    /// When the service does not answer with a stream.
    pub fn open(api: &Api, after: u64) -> Self {
        Self::try_open(api, after).expect("the API is reachable")
    }

    /// As [`Self::open`]; `None` when the service cannot be reached.
    ///
    /// # Panics
    /// When it does not answer with a stream.
    pub fn try_open(api: &Api, after: u64) -> Option<Self> {
        let request =
            api.client().get(format!("{}/v1/events", api.base)).header("last-event-id", after.to_string());
        let response = block_on(request.send()).ok()?;
        assert_eq!(response.status(), 200);
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        assert!(content_type.is_some_and(|text| text.starts_with("text/event-stream")), "{content_type:?}");
        Some(Self { response, unread: String::new() })
    }

    /// Reads until an event is the wanted one.
    ///
    /// # Panics
    /// When the stream ends, or the deadline passes first.
    pub fn wait_for(&mut self, what: &str, within: Duration, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + within;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Heard::Event(event) if wanted(&event) => return event,
                Heard::Event(_) => {}
                Heard::Nothing => panic!("{what}: no such event within {within:?}"),
                Heard::End => panic!("{what}: the stream ended"),
            }
        }
    }

    /// The next event, if one comes in time.
    ///
    /// # Panics
    /// When what comes is no event.
    pub fn next(&mut self, within: Duration) -> Heard {
        let deadline = Instant::now() + within;
        loop {
            if let Some(event) = self.take() {
                return Heard::Event(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match block_on(async { tokio::time::timeout(left, self.response.chunk()).await }) {
                Err(_) => return Heard::Nothing,
                Ok(Ok(Some(bytes))) => {
                    self.unread.push_str(std::str::from_utf8(&bytes).expect("events are text"));
                }
                Ok(Ok(None) | Err(_)) => return Heard::End,
            }
        }
    }

    /// The next whole event that was received. Comments, which keep the connection alive, are passed over.
    fn take(&mut self) -> Option<Event> {
        while let Some(end) = self.unread.find("\n\n") {
            let block: String = self.unread.drain(..end + 2).collect();
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(data) = field("data:") {
                return Some(Event {
                    id: field("id:").and_then(|id| id.parse().ok()).expect("every event has a number"),
                    word: field("event:").unwrap_or_default().to_owned(),
                    data: serde_json::from_str(data).expect("the data is JSON"),
                });
            }
        }
        None
    }
}
