//! The stages, in the order in which an operation goes through them.

pub mod admit;
pub mod batch;
pub mod commit;
pub mod deliver;
pub mod finalize;
pub mod snapshot;
pub mod timing;
pub mod unstick;

mod adopt;
mod enqueue;
mod follow;
mod rollback;
mod weight;
