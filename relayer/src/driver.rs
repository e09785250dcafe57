//! What sends on one chain, and the lanes that hand it their errands.

use std::sync::Arc;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use hypha_chain::config::ChainConfig;
use hypha_chain::ports::{Chain, Clock};
use hypha_chain::submit::{SubmitConfig, SubmitTables, Submitter};
use tokio::sync::Notify;

use crate::lane::Lane;
use crate::status::Shared;
use crate::store::{Rows, table};

/// Sends on one chain.
pub(crate) struct Driver {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) submitter: Arc<Submitter>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) trouble: Shared<Option<String>>,
    pub(crate) poll: Duration,
}

impl Driver {
    pub(crate) fn new(
        described: &ChainConfig,
        chain: Arc<dyn Chain>,
        rows: &Rows,
        clock: &Arc<dyn Clock>,
        signer: &PrivateKeySigner,
    ) -> Self {
        let id = described.chain_id;
        let tables = SubmitTables {
            queued: table("intents_queued", id),
            open: table("intents_open", id),
            done: table("intents_done", id),
        };
        let config = SubmitConfig::new(tables, described.finality);
        let submitter = Submitter::new(chain.clone(), rows.0.clone(), clock.clone(), signer.clone(), config);
        Self {
            chain,
            submitter: Arc::new(submitter),
            wake: Arc::new(Notify::new()),
            trouble: Shared::new(None),
            poll: Duration::from_millis(described.poll_ms),
        }
    }

    /// A lane whose errands go to this chain.
    pub(crate) fn lane(&self, name: String, rows: &Rows) -> Lane {
        Lane { name, submitter: self.submitter.clone(), rows: rows.clone(), wake: self.wake.clone() }
    }
}
