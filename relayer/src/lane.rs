//! One spoke and one direction: at most one errand in hand, from its intent until the chain shows that it is done.

use std::sync::Arc;

use alloy::primitives::{Address, Bytes};
use hypha_chain::ports::Change;
use hypha_chain::submit::{IntentStatus, Submitter};
use tokio::sync::Notify;

use crate::error::RelayerError;
use crate::reason::reason;
use crate::service::blocking;
use crate::store::{Errand, Rows, put_errand};

/// What a lane may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing is in hand: take up the next errand.
    Free {
        /// Failures in a row before it.
        tries: u32,
    },
    /// An errand is queued, sent, or mined and not shown by this endpoint yet.
    Busy,
}

/// Where the errands of one lane go.
pub(crate) struct Lane {
    /// `advance/{chain}`, `confirm/{chain}` or `enqueue/{chain}`; ids of its intents begin with it.
    pub(crate) name: String,
    pub(crate) submitter: Arc<Submitter>,
    pub(crate) rows: Rows,
    /// Wakes the task that drives the submitter.
    pub(crate) wake: Arc<Notify>,
}

impl Lane {
    /// Compares the errand in hand with `reached`, the index (of requests, the number) that the destination shows now. The chain's word counts: an
    /// errand whose goal is reached is done, whoever did it.
    ///
    /// # Errors
    /// [`RelayerError::Failed`] once for each errand that was refused, reverted, or is final without effect; the lane is
    /// then free for the next try.
    pub(crate) async fn turn(&self, reached: u64) -> Result<Turn, RelayerError> {
        let errand = self.errand().await?;
        let Some(intent) = errand.intent.clone() else { return Ok(Turn::Free { tries: errand.tries }) };
        if reached >= errand.goal {
            self.put(Errand { past: errand.with_past(), ..Errand::default() }).await?;
            return Ok(Turn::Free { tries: 0 });
        }
        match self.submitter.status(&intent).await? {
            None => {
                let tries = errand.tries;
                self.put(Errand { intent: None, ..errand }).await?;
                Ok(Turn::Free { tries })
            }
            Some(status) => match failure(&status) {
                None => Ok(Turn::Busy),
                Some(why) => {
                    self.failed(errand).await?;
                    Err(RelayerError::Failed { intent, why })
                }
            },
        }
    }

    /// Takes up an errand: stores the intent and that it is in hand, in one write, and wakes the driver. `name` tells the
    /// errand from others of its lane. An intent of that name that is decided (it failed, or a reorg took its effect back)
    /// is made anew with this content; one that is under way is joined.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn take_up(
        &self,
        name: &str,
        tries: u32,
        goal: u64,
        to: Address,
        data: Bytes,
    ) -> Result<(), RelayerError> {
        let intent = format!("{}/{name}", self.name);
        let mut changes = Vec::new();
        let mut past = self.forget_decided(&mut changes).await?;
        past.retain(|other| *other != intent);
        changes.extend(self.submitter.forget(&intent).await?);
        changes.extend(self.submitter.intent(&intent, to, data));
        changes.push(put_errand(&self.name, &Errand { intent: Some(intent.clone()), goal, tries, past }));
        let rows = self.rows.clone();
        blocking(move || rows.write(changes)).await?;
        tracing::info!(intent, "taken up");
        self.wake.notify_one();
        Ok(())
    }

    /// The intent in hand.
    pub(crate) async fn in_hand(&self) -> Result<Option<String>, RelayerError> {
        Ok(self.errand().await?.intent)
    }

    async fn errand(&self) -> Result<Errand, RelayerError> {
        let (rows, name) = (self.rows.clone(), self.name.clone());
        blocking(move || rows.errand(&name)).await
    }

    async fn failed(&self, errand: Errand) -> Result<(), RelayerError> {
        let (tries, past) = (errand.tries.saturating_add(1), errand.with_past());
        self.put(Errand { intent: None, tries, past, goal: errand.goal }).await
    }

    /// Adds the changes that drop what the submitter keeps of decided errands, calldata and all; those still undecided.
    async fn forget_decided(&self, changes: &mut Vec<Change>) -> Result<Vec<String>, RelayerError> {
        let mut undecided = Vec::new();
        for intent in self.errand().await?.past {
            let dropped = self.submitter.forget(&intent).await?;
            if dropped.is_empty() && self.submitter.status(&intent).await?.is_some() {
                undecided.push(intent);
            }
            changes.extend(dropped);
        }
        Ok(undecided)
    }

    async fn put(&self, errand: Errand) -> Result<(), RelayerError> {
        let (rows, change) = (self.rows.clone(), put_errand(&self.name, &errand));
        blocking(move || rows.write(vec![change])).await
    }
}

/// Why an intent that has not reached its goal will not reach it any more; `None` while it still may.
fn failure(status: &IntentStatus) -> Option<String> {
    match status {
        IntentStatus::Queued | IntentStatus::Sent { .. } => None,
        IntentStatus::Mined { receipt } if receipt.success => None,
        IntentStatus::Mined { receipt } | IntentStatus::Reverted { receipt } => {
            Some(format!("transaction {} reverted", receipt.tx_hash))
        }
        IntentStatus::Final { receipt } => Some(format!("transaction {} had no effect", receipt.tx_hash)),
        IntentStatus::Refused { data } => Some(reason(data)),
        IntentStatus::TooMuchGas { needed, maximum } => {
            Some(format!("needs {needed} gas, allowed are {maximum}"))
        }
    }
}
