#![doc = include_str!("../README.md")]

mod api;
mod config;
mod destination;
mod error;
pub mod pipeline;
mod service;
pub mod store;

pub use api::AttestationDocument;
pub use config::AttestorConfig;
pub use destination::{AttestorSet, Destination};
pub use error::{AttestorError, FoundConflict, SignError};
pub use service::{Attestor, Source, run};
pub use store::resume;
