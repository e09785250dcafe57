#![doc = include_str!("../README.md")]
// The specification names the reason of a check in brackets, which are no links.
#![allow(rustdoc::broken_intra_doc_links)]

mod apply;
mod arena;
mod diff;
mod error;
mod export;
mod hash;
mod key;
mod machine;
mod multiproof;
mod prove;
mod range;
mod sections;
mod snapshot;
mod sort;
mod tree;
mod verify;
mod verify_range;
mod versions;

pub use diff::{ChangedLeaf, ChangedSubtree};
pub use error::ProofError;
pub use export::{ExportError, ics23_spec};
pub use hash::{EMPTY, internal_hashes, keccak, keccak_kernel};
pub use key::{Key, Root, ValueHash};
pub use multiproof::{Multiproof, Terminal, TerminalKind};
pub use range::{LeafRange, RangeProof};
pub use snapshot::{LEAVES_PER_PAGE, Opening, Pages, SnapshotError, SnapshotHeader};
pub use tree::{Leaves, Tree};
pub use verify::{Touch, Transition, verify, verify_absence, verify_membership};
pub use verify_range::{RangeError, verify_range};
