#![doc = include_str!("../README.md")]
// The specification names the reason of a check in brackets, which are no links.
#![allow(rustdoc::broken_intra_doc_links)]

mod error;
mod hash;
mod key;
mod multiproof;
mod prove;
mod sections;
mod tree;
mod verify;

pub use error::ProofError;
pub use hash::{EMPTY, keccak};
pub use key::{Key, Root, ValueHash};
pub use multiproof::{Multiproof, Terminal, TerminalKind};
pub use tree::{Leaves, Tree};
pub use verify::{Touch, Transition, verify, verify_absence, verify_membership};
