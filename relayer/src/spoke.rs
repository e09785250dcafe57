//! A spoke: what is in hand for it, and the stages that serve it.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::Address;
use hypha_chain::config::ChainConfig;
use hypha_chain::follow::Follower;
use hypha_chain::ports::{Chain, Clock};
use tokio::sync::watch;

use crate::destination::Destination;
use crate::driver::Driver;
use crate::error::RelayerError;
use crate::lane::Lane;
use crate::pipeline::{Progress, observe_spoke, relay, report, request};
use crate::service::{Relayer, blocking, follower};
use crate::status::{RequestsStatus, Shared, SpokeStatus};
use crate::store::{Requests, Rows};

/// What is done for each spoke, each by a task of its own, so that none holds up another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Reads its final blocks.
    Observe,
    /// Takes it forward.
    Relay,
    /// Carries its confirmations home.
    Report,
    /// Carries the requests of its queue home.
    Request,
}

impl Stage {
    pub(crate) const ALL: [Self; 4] = [Self::Observe, Self::Relay, Self::Report, Self::Request];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Relay => "relay",
            Self::Report => "report",
            Self::Request => "request",
        }
    }

    /// One round for a spoke.
    ///
    /// # Errors
    /// Those of the stage.
    pub(crate) async fn round(self, relayer: &Relayer, spoke: &Spoke) -> Result<Progress, RelayerError> {
        match self {
            Self::Observe => observe_spoke(spoke).await,
            Self::Relay => relay(relayer, spoke).await,
            Self::Report => report(relayer, spoke).await,
            Self::Request => request(relayer, spoke).await,
        }
    }

    /// What tells an idle stage that there may be something to do before its next poll. Observing waits for nothing but
    /// the chain: only itself changes what it is given here.
    pub(crate) fn news(self, relayer: &Relayer, spoke: &Spoke) -> watch::Receiver<u64> {
        match self {
            Self::Relay => relayer.observer.index(),
            Self::Observe | Self::Report | Self::Request => spoke.observed.subscribe(),
        }
    }
}

/// A spoke, and what is in hand for it.
pub(crate) struct Spoke {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) contract: Address,
    pub(crate) attested: bool,
    pub(crate) destination: Destination,
    pub(crate) follower: Follower,
    pub(crate) rows: Rows,
    pub(crate) requests: Requests,
    /// Height of the latest final block that brought a root or a request.
    pub(crate) observed: watch::Sender<u64>,
    /// Errands on the spoke: `advance`.
    pub(crate) advancing: Lane,
    /// Errands on the hub: `confirm`.
    pub(crate) confirming: Lane,
    /// Errands on the hub: `enqueueRemote`.
    pub(crate) enqueuing: Lane,
    /// Greatest number of its queue that the hub has taken in.
    pub(crate) enqueued: Shared<u64>,
    pub(crate) poll: Duration,
    index: Shared<u64>,
    confirmed: Shared<u64>,
    troubles: [Shared<Option<String>>; Stage::ALL.len()],
}

impl Spoke {
    /// `here` sends on the spoke, `home` on the hub.
    pub(crate) fn new(
        described: &ChainConfig,
        chain: Arc<dyn Chain>,
        rows: &Rows,
        clock: &Arc<dyn Clock>,
        here: &Driver,
        home: &Driver,
    ) -> Self {
        let id = described.chain_id;
        Self {
            contract: described.verifier,
            attested: described.attested,
            destination: Destination::new(chain.clone(), described.fact_verifier, clock.clone()),
            follower: follower(described, &chain, rows),
            chain,
            rows: rows.clone(),
            requests: Requests::new(rows, id),
            observed: watch::Sender::new(0),
            advancing: here.lane(format!("advance/{id}"), rows),
            confirming: home.lane(format!("confirm/{id}"), rows),
            enqueuing: home.lane(format!("enqueue/{id}"), rows),
            enqueued: Shared::new(0),
            poll: Duration::from_millis(described.poll_ms),
            index: Shared::new(0),
            confirmed: Shared::new(0),
            troubles: Default::default(),
        }
    }

    /// Notes the index that the spoke holds.
    pub(crate) fn note_index(&self, index: u64) {
        self.index.set(index);
        self.gauge_index("relayed", index);
    }

    /// Notes the index that the hub knows the spoke to hold.
    pub(crate) fn note_confirmed(&self, index: u64) {
        self.confirmed.set(index);
        self.gauge_index("reported", index);
    }

    /// Notes how many requests wait.
    pub(crate) fn note_waiting(&self, waiting: u64) {
        metrics::gauge!("hypha_relayer_requests_waiting", "chain" => self.chain.id().to_string())
            .set(waiting as f64);
    }

    /// Why the last round of a stage failed.
    pub(crate) fn trouble(&self, stage: Stage) -> &Shared<Option<String>> {
        &self.troubles[stage as usize]
    }

    /// How far the spoke is. `sending` is the trouble of the driver that sends on it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn status(
        &self,
        hub_index: u64,
        sending: Option<String>,
    ) -> Result<SpokeStatus, RelayerError> {
        let mut pending = Vec::new();
        for lane in [&self.advancing, &self.confirming, &self.enqueuing] {
            pending.extend(lane.in_hand().await?);
        }
        Ok(SpokeStatus {
            chain_id: self.chain.id().to_string(),
            index: self.index.get().to_string(),
            hub_index: hub_index.to_string(),
            confirmed_index: self.confirmed.get().to_string(),
            pending,
            last_error: self.root_trouble(sending),
            requests: self.requests_status().await?,
        })
    }

    /// Why roots do not come and go, by the first stage that says so.
    pub(crate) fn root_trouble(&self, sending: Option<String>) -> Option<String> {
        let stages = [Stage::Observe, Stage::Relay, Stage::Report];
        let of_stages = stages.into_iter().find_map(|stage| self.told(stage));
        of_stages.or_else(|| sending.map(|why| format!("sending: {why}")))
    }

    /// Why a stage is not well, with its name.
    pub(crate) fn told(&self, stage: Stage) -> Option<String> {
        self.trouble(stage).get().map(|why| format!("{}: {why}", stage.name()))
    }

    async fn requests_status(&self) -> Result<RequestsStatus, RelayerError> {
        let (requests, enqueued) = (self.requests.clone(), self.enqueued.get());
        let waiting = blocking(move || requests.waiting(enqueued)).await?;
        let last_error = self.trouble(Stage::Request).get();
        Ok(RequestsStatus { enqueued_number: enqueued.to_string(), waiting, last_error })
    }

    fn gauge_index(&self, status: &'static str, index: u64) {
        let chain = self.chain.id().to_string();
        metrics::gauge!("hypha_relayer_index", "chain" => chain, "status" => status).set(index as f64);
    }
}
