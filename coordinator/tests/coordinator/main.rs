//! The coordinator against simulated chains: its API, its pipeline, restarts and reorgs.

#![allow(clippy::unwrap_used)] // A test that meets an error has failed.
#![allow(clippy::cloned_ref_to_slice_refs)] // A list of one note reads as what it is.

mod admin;
mod api;
mod asking;
mod batching;
mod crash;
mod edge;
mod events;
mod flood;
mod keys;
mod lifecycle;
mod notes;
mod proofs;
mod queue_moves;
mod requests;
mod simulation;
mod smuggle;
mod snapshots;
mod spokes;
mod watching;
mod weight;
mod wire;
mod world;
