//! Tests of the protocol from outside, and the writer of `test/vectors/protocol.json`.

mod batches;
mod facts;
mod fixtures;
mod forms;
mod hashes;
mod honest;
mod properties;
mod queue;
mod refused;
mod refused_requests;
mod replica;
mod requests;
mod vectors;
