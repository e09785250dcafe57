//! Transactions of the deployment, through the same submitter as everybody's. Its store is in memory: what is on the chain
//! says how far the deployment came.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, Bytes};
use alloy::signers::local::PrivateKeySigner;
use hypha_chain::Finality;
use hypha_chain::submit::SubmitTables;
use hypha_chain::{
    Chain, Clock, IntentStatus, MemoryStore, Receipt, Store, SubmitConfig, Submitter, SystemClock,
};
use tokio::time::Instant;

use crate::exit::CliError;
use crate::reader::reason;

/// Time between looks at the chain while a transaction is on its way.
const POLL: Duration = Duration::from_millis(200);

const TABLES: SubmitTables = SubmitTables { queued: "queued", open: "open", done: "done" };

/// Sends transactions to one chain, one after another.
pub(crate) struct Sender {
    chain: Arc<dyn Chain>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    submitter: Submitter,
    patience: Duration,
}

impl Sender {
    /// A sender that waits this long for each transaction.
    pub(crate) fn new(
        chain: Arc<dyn Chain>,
        signer: PrivateKeySigner,
        patience: Duration,
    ) -> Result<Self, CliError> {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let submitter = Submitter::new(
            chain.clone(),
            store.clone(),
            clock.clone(),
            signer,
            SubmitConfig::new(TABLES, Finality::Finalized),
        );
        Ok(Self { chain, store, clock, submitter, patience })
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &Arc<dyn Chain> {
        &self.chain
    }

    /// Sends a call and waits until it is mined. `what` names it, once a sender.
    pub(crate) async fn send(&self, what: &str, to: Address, data: Bytes) -> Result<Receipt, CliError> {
        let place = format!("chain {}: {what}", self.chain.id());
        let broken = |why: String| CliError::Failed(anyhow::anyhow!("{place}: {why}"));
        self.store.write(self.submitter.intent(what, to, data)).map_err(|error| broken(error.to_string()))?;
        let deadline = Instant::now() + self.patience;
        let mut trouble = String::from("not mined");
        while Instant::now() < deadline {
            if let Err(error) = self.submitter.drive().await {
                trouble = error.to_string(); // a node that is away may come back before the deadline
            }
            match self.submitter.status(what).await.map_err(|error| broken(error.to_string()))? {
                Some(IntentStatus::Mined { receipt } | IntentStatus::Final { receipt })
                    if receipt.success =>
                {
                    return Ok(receipt);
                }
                Some(IntentStatus::Mined { .. } | IntentStatus::Reverted { .. }) => {
                    return Err(broken("reverted".into()));
                }
                Some(IntentStatus::Refused { data }) => {
                    return Err(broken(format!("refused: {}", reason(&data))));
                }
                Some(IntentStatus::TooMuchGas { needed, maximum }) => {
                    return Err(broken(format!("needs {needed} gas, at most {maximum} are allowed")));
                }
                _ => self.clock.sleep(POLL).await,
            }
        }
        Err(CliError::TimedOut(format!("{place}: {trouble} after {} s", self.patience.as_secs())))
    }
}
