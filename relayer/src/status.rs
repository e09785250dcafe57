//! What the relayer says of itself.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::attestations::AttestorRecord;

/// `GET /v1/status`. Indexes and chain ids are decimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The hub.
    pub hub: HubStatus,
    /// The spokes, by chain id.
    pub spokes: Vec<SpokeStatus>,
    /// How the attestors have behaved since the start, in the order of the configuration.
    pub attestors: Vec<AttestorRecord>,
}

/// How the hub is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubStatus {
    /// Chain id.
    pub chain_id: String,
    /// Latest index that is final on it.
    pub index: String,
    /// Why the last round failed.
    pub last_error: Option<String>,
}

/// How far a spoke is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpokeStatus {
    /// Chain id.
    pub chain_id: String,
    /// Index that the spoke holds.
    pub index: String,
    /// Latest index that is final on the hub.
    pub hub_index: String,
    /// Latest index that the hub knows the spoke to hold.
    pub confirmed_index: String,
    /// Intents in hand.
    pub pending: Vec<String>,
    /// Why the last round failed, of either direction.
    pub last_error: Option<String>,
    /// How the requests of its queue come to the hub.
    pub requests: RequestsStatus,
}

/// How far the requests of a spoke's queue are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestsStatus {
    /// Greatest number that the hub has taken in.
    pub enqueued_number: String,
    /// Requests that are final on the spoke and that the hub has not taken in.
    pub waiting: u64,
    /// Why the last round failed.
    pub last_error: Option<String>,
}

/// Something that the tasks write and the HTTP side reads.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<T>);

impl<T: Clone> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn get(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}
