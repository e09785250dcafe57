//! What the end-to-end tests stand on: a devnet of real processes on real anvil chains, and the ways to talk to it.
//!
//! Everything is blocking, so that a test reads as a list of steps. Nothing sleeps but [`wait_until`], between two looks at
//! a condition that has a deadline. A test that fails panics with what it saw.

mod anvil;
pub mod calldata;
pub mod checker;
mod contracts;
mod devnet;
mod events;
mod http;
mod ledger;
pub mod load;
mod notes;
mod process;
mod promises;
mod rpc;
mod tools;
mod waiting;

pub use anvil::Anvil;
pub use contracts::Account;
pub use devnet::{ChainInfo, Devnet, Service};
pub use events::{Event, Events};
pub use http::{Answer, Api};
pub use ledger::Ledger;
pub use notes::{User, fresh_salt, in_an_hour, note, output, text_word};
pub use process::{MARKER, is_alive, kill, left_over};
pub use rpc::{Log, Rpc, RpcFailure};
pub use tools::{Finished, cast, cast_fails, command, finish, hypha, repository, run, scratch};
pub use waiting::{block_on, wait_until};

use std::time::Duration;

/// In this time a transfer is finalized, on two busy cores and 1 s blocks where it takes about 8 s.
pub const FINALIZED_WITHIN: Duration = Duration::from_secs(120);
