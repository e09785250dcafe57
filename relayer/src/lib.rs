#![doc = include_str!("../README.md")]

mod api;
mod attestations;
mod config;
mod destination;
mod driver;
mod error;
mod lane;
mod pace;
mod pipeline;
mod reason;
mod service;
mod spoke;
mod status;
mod store;

pub use attestations::{AttestorRecord, Attestors};
pub use config::{RelayConfig, RelayerConfig};
pub use destination::{AttestorSet, Destination};
pub use error::RelayerError;
pub use service::{Ports, Relayer, run};
pub use status::{HubStatus, RequestsStatus, SpokeStatus, Status};
