#![doc = include_str!("../README.md")]

pub mod batch;
pub mod contracts;
pub mod fact;
pub mod ids;
pub mod json;
pub mod operations;
mod proof_error;
pub mod replay;
pub mod signing;
pub mod status;
pub mod typed_data;

pub use hypha_tree as tree;
pub use proof_error::proof_error_abi;
