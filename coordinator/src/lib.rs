//! The coordinator: takes transfers over HTTP, makes each durable before it answers, batches them, commits batches to the
//! tree, takes them to the hub and follows them until they are final on every chain that they concern.
//!
//! An operation goes through the stages of [`pipeline`] in the order of their listing: `admit → batch → commit → deliver →
//! finalize`. Everything that is answered can be rebuilt from the [`store`], and everything in the store, but operations that
//! are not on the hub yet, from the hub's logs.

pub mod api;
pub mod config;
pub mod context;
mod driver;
pub mod error;
mod metrics;
pub mod notes;
pub mod pipeline;
pub mod refusal;
mod service;
pub mod state;
pub mod store;

pub use config::CoordinatorConfig;
pub use error::CoordinatorError;
pub use service::{Ports, Service, run};
