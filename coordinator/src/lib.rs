#![doc = include_str!("../README.md")]

pub mod api;
mod blocking;
pub mod config;
pub mod context;
mod driver;
pub mod error;
mod ground;
mod metrics;
pub mod mode;
pub mod notes;
pub mod pace;
pub mod pipeline;
pub mod refusal;
pub mod requests;
mod service;
pub mod state;
pub mod store;
mod version;

pub use config::CoordinatorConfig;
pub use error::CoordinatorError;
pub use service::{Ports, Service, run};
