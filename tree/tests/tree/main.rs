//! The tree, its prover and its verifier, held against other implementations, against properties and against
//! attackers.

mod attacks;
mod diff;
mod differential;
mod export;
mod forgery;
mod model;
mod properties;
mod random;
mod range;
mod range_refusals;
mod readers;
mod refusals;
mod snapshots;
mod state_machine;
mod vectors;
