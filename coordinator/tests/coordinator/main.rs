//! The coordinator against simulated chains: its API, its pipeline, restarts and reorgs.

mod api;
mod crash;
mod events;
mod lifecycle;
mod world;
