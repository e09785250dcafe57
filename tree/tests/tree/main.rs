//! The tree, its prover and its verifier, held against other implementations, against properties and against
//! attackers.

mod attacks;
mod differential;
mod model;
mod properties;
mod random;
mod refusals;
mod vectors;
