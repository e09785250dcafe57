//! How soon a task's next round comes.

use hypha_chain::backoff::Backoff;
use std::time::Duration;

use crate::error::RelayerError;
use crate::pipeline::Progress;
use crate::status::Shared;

/// While signatures or a transaction are awaited: they come within a block's time, so waiting longer only adds delay.
const PENDING: Duration = Duration::from_millis(250);

/// One task's rhythm.
pub(crate) struct Pace {
    stage: &'static str,
    chain_id: u64,
    poll: Duration,
    backoff: Backoff,
    /// Whether the chain was found to be the one that the store knows.
    pub(crate) identified: bool,
}

impl Pace {
    pub(crate) fn new(stage: &'static str, chain_id: u64, poll: Duration) -> Self {
        Self { stage, chain_id, poll, backoff: Backoff::new(poll), identified: false }
    }

    /// Notes how a round ended; how long to wait before the next, `None` for not at all.
    ///
    /// # Errors
    /// The round's own, when the store failed: there is no use in a next round.
    pub(crate) fn after(
        &mut self,
        round: Result<Progress, RelayerError>,
        trouble: &Shared<Option<String>>,
    ) -> Result<Option<Duration>, RelayerError> {
        match round {
            Ok(progress) => {
                self.backoff.succeeded();
                // After `Moved` the next round says whether all is well.
                if progress != Progress::Moved {
                    trouble.set(None);
                }
                Ok(match progress {
                    Progress::Moved => None,
                    Progress::Waiting => Some(PENDING.min(self.poll)),
                    Progress::Idle => Some(self.poll),
                })
            }
            Err(error) if error.is_store() => Err(error),
            Err(error) => {
                trouble.set(Some(error.to_string()));
                Ok(Some(self.failed(&error)))
            }
        }
    }

    fn failed(&mut self, error: &RelayerError) -> Duration {
        if error.is_pending() {
            return PENDING.min(self.poll);
        }
        let (stage, chain) = (self.stage, self.chain_id);
        tracing::warn!(stage, chain, %error, "a round failed");
        metrics::counter!("hypha_relayer_failures_total", "stage" => stage, "chain" => chain.to_string())
            .increment(1);
        self.backoff.failed()
    }
}
