#![doc = include_str!("../README.md")]

pub mod backoff;
pub mod clock;
pub mod config;
pub mod error;
pub mod follow;
pub mod http;
pub mod memory_store;
pub mod net;
pub mod ports;
pub mod quorum;
pub mod recorder;
pub mod redb_store;
pub mod rpc;
#[cfg(any(test, feature = "simulated"))]
pub mod simulated;
pub mod submit;

pub use alloy::signers::local::PrivateKeySigner;
pub use clock::SystemClock;
pub use config::{ChainConfig, ConfigError, Finality, KeyConfig, Role};
pub use error::{ChainError, NetError, StoreError};
pub use follow::{FollowConfig, FollowError, Follower, Step};
pub use memory_store::MemoryStore;
pub use net::HttpNet;
pub use ports::{Block, BlockTag, Call, Chain, Change, Clock, Log, Net, Receipt, Row, Store};
pub use quorum::QuorumChain;
pub use redb_store::RedbStore;
pub use rpc::RpcChain;
pub use submit::{IntentStatus, SubmitConfig, SubmitError, Submitter};
