//! The running service: one task that observes the hub, one for each spoke and stage ([`Stage`]), one for each chain
//! that sends, and the HTTP side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use axum::Router;
use hypha_chain::config::{ChainConfig, Role};
use hypha_chain::follow::{FollowConfig, Follower};
use hypha_chain::ports::{Chain, Clock, Net, Store};
use hypha_chain::{HttpNet, RedbStore, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::attestations::Attestors;
use crate::config::{RelayConfig, RelayerConfig};
use crate::destination::Destination;
use crate::driver::Driver;
use crate::error::RelayerError;
use crate::pace::Pace;
use crate::pipeline::{Hub, Observer, Progress};
use crate::spoke::{Spoke, Stage};
use crate::status::{HubStatus, Shared, Status};
use crate::store::{Rows, table};

/// Everything outside the process.
pub struct Ports {
    /// One chain for each configured chain id.
    pub chains: BTreeMap<u64, Arc<dyn Chain>>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The way to the attestors.
    pub net: Arc<dyn Net>,
}

/// The relayer: what its stages share.
pub struct Relayer {
    pub(crate) observer: Observer,
    pub(crate) hub: Hub,
    pub(crate) hub_chain: Arc<dyn Chain>,
    pub(crate) hub_destination: Destination,
    pub(crate) attestors: Attestors,
    pub(crate) bounds: RelayConfig,
    hub_poll: Duration,
    hub_trouble: Shared<Option<String>>,
    spokes: BTreeMap<u64, Spoke>,
    drivers: BTreeMap<u64, Driver>,
    rows: Rows,
    clock: Arc<dyn Clock>,
}

impl Relayer {
    /// Puts the service together over its ports. Nothing runs yet.
    ///
    /// # Errors
    /// When the configuration makes no sense or a chain has no connection.
    pub fn new(
        config: &RelayerConfig,
        ports: Ports,
        signer: &PrivateKeySigner,
    ) -> Result<Arc<Self>, RelayerError> {
        config.validate()?;
        let Ports { chains, store, clock, net } = ports;
        let rows = Rows(store.clone());
        let mut drivers = BTreeMap::new();
        for described in &config.chains {
            let chain = chain_of(&chains, described)?;
            drivers.insert(described.chain_id, Driver::new(described, chain, &rows, &clock, signer));
        }
        let described = config.hub()?;
        let hub = Hub { chain_id: described.chain_id, contract: described.verifier };
        let hub_chain = chain_of(&chains, described)?;
        let follower = follower(described, &hub_chain, &rows);
        let mut spokes = BTreeMap::new();
        for spoke in config.chains.iter().filter(|chain| chain.role == Role::Spoke) {
            let chain = chain_of(&chains, spoke)?;
            let (here, home) = (&drivers[&spoke.chain_id], &drivers[&hub.chain_id]);
            spokes.insert(spoke.chain_id, Spoke::new(spoke, chain, &rows, &clock, here, home));
        }
        Ok(Arc::new(Self {
            observer: Observer::new(follower, rows.clone(), hub.chain_id, hub.contract),
            hub,
            hub_destination: Destination::new(hub_chain.clone(), described.fact_verifier, clock.clone()),
            hub_chain,
            attestors: Attestors::new(net, &config.attestors),
            bounds: config.relay,
            hub_poll: Duration::from_millis(described.poll_ms),
            hub_trouble: Shared::new(Some("not observed yet".into())),
            spokes,
            drivers,
            rows,
            clock,
        }))
    }

    /// All routes of the service.
    pub fn router(self: &Arc<Self>) -> Router {
        hypha_chain::recorder::install();
        api::router(self.clone())
    }

    /// How far everything is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<Status, RelayerError> {
        let hub_index = *self.observer.index().borrow();
        let mut spokes = Vec::new();
        for (id, spoke) in &self.spokes {
            spokes.push(spoke.status(hub_index, self.sending_trouble(*id)).await?);
        }
        let (chain_id, last_error) = (self.hub.chain_id.to_string(), self.hub_trouble());
        let hub = HubStatus { chain_id, index: hub_index.to_string(), last_error };
        Ok(Status { hub, spokes, attestors: self.attestors.records() })
    }

    /// Why nothing can be relayed now; `None` when it can.
    pub(crate) fn hub_trouble(&self) -> Option<String> {
        self.hub_trouble.get().or_else(|| self.sending_trouble(self.hub.chain_id))
    }

    /// Spokes that are not well: the others are relayed all the same.
    pub(crate) fn degraded(&self) -> Vec<String> {
        let trouble = |(id, spoke): (&u64, &Spoke)| {
            let trouble =
                spoke.root_trouble(self.sending_trouble(*id)).or_else(|| spoke.told(Stage::Request));
            trouble.map(|trouble| format!("chain {id}: {trouble}"))
        };
        self.spokes.iter().filter_map(trouble).collect()
    }

    fn sending_trouble(&self, id: u64) -> Option<String> {
        self.drivers.get(&id)?.trouble.get()
    }

    /// Runs all tasks until `shutdown`, which it cancels itself when one of them cannot go on.
    ///
    /// # Errors
    /// When the store failed: the process has to open it anew.
    pub async fn work(self: Arc<Self>, shutdown: CancellationToken) -> Result<(), RelayerError> {
        let mut tasks = JoinSet::new();
        tasks.spawn(until(shutdown.clone(), self.clone().observe_hub()));
        for id in self.drivers.keys().copied() {
            tasks.spawn(until(shutdown.clone(), self.clone().drive(id)));
        }
        for id in self.spokes.keys().copied() {
            for stage in Stage::ALL {
                tasks.spawn(until(shutdown.clone(), self.clone().serve(id, stage)));
            }
        }
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended.unwrap_or_else(|panic| Err(panic.into())) {
                tracing::error!(%error, "the relayer stops");
                shutdown.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Observes the hub until its history turns out to be none that a relayer can follow.
    async fn observe_hub(self: Arc<Self>) -> Result<(), RelayerError> {
        let mut pace = Pace::new("observe", self.hub.chain_id, self.hub_poll);
        loop {
            let round = match self.identify(&mut pace, &self.hub_chain).await {
                Ok(()) => self.observer.observe().await,
                Err(error) => Err(error),
            };
            if round.as_ref().is_err_and(RelayerError::is_final) {
                pace.after(round, &self.hub_trouble)?;
                tracing::error!("the hub is observed no further");
                return Ok(());
            }
            if let Some(wait) = pace.after(round, &self.hub_trouble)? {
                self.clock.sleep(wait).await;
            }
        }
    }

    /// Runs one stage for one spoke for ever.
    async fn serve(self: Arc<Self>, id: u64, stage: Stage) -> Result<(), RelayerError> {
        let Some(spoke) = self.spokes.get(&id) else { return Ok(()) };
        let mut news = stage.news(&self, spoke);
        let mut pace = Pace::new(stage.name(), id, spoke.poll);
        loop {
            news.borrow_and_update();
            let round = match self.identify(&mut pace, &spoke.chain).await {
                Ok(()) => stage.round(&self, spoke).await,
                Err(error) => Err(error),
            };
            let idle = matches!(round, Ok(Progress::Idle));
            let Some(wait) = pace.after(round, spoke.trouble(stage))? else { continue };
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                // The sender lives as long as the relayer.
                _ = news.changed(), if idle => {}
            }
        }
    }

    /// Sends on one chain for ever.
    async fn drive(self: Arc<Self>, id: u64) -> Result<(), RelayerError> {
        let Some(driver) = self.drivers.get(&id) else { return Ok(()) };
        let mut pace = Pace::new("send", id, driver.poll);
        loop {
            let round = match self.identify(&mut pace, &driver.chain).await {
                Ok(()) => driver.submitter.drive().await.map_err(RelayerError::from),
                Err(error) => Err(error),
            };
            let Some(wait) = pace.after(round.map(|()| Progress::Idle), &driver.trouble)? else { continue };
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                () = driver.wake.notified() => {}
            }
        }
    }

    /// Once for each task: the chain is the one that the store knows.
    async fn identify(&self, pace: &mut Pace, chain: &Arc<dyn Chain>) -> Result<(), RelayerError> {
        if !pace.identified {
            let (chain_id, genesis) = chain.identity().await?;
            let rows = self.rows.clone();
            blocking(move || rows.check_identity(chain_id, genesis)).await?;
            pace.identified = true;
        }
        Ok(())
    }
}

fn chain_of(
    chains: &BTreeMap<u64, Arc<dyn Chain>>,
    described: &ChainConfig,
) -> Result<Arc<dyn Chain>, RelayerError> {
    let what = || format!("chain {} has no connection", described.chain_id);
    chains.get(&described.chain_id).cloned().ok_or_else(|| RelayerError::Config { what: what() })
}

pub(crate) fn follower(described: &ChainConfig, chain: &Arc<dyn Chain>, rows: &Rows) -> Follower {
    let config = FollowConfig {
        address: described.verifier,
        start_block: described.start_block,
        finality: described.finality,
        table: table("positions", described.chain_id),
        max_blocks_per_step: described.max_logs_range,
    };
    Follower::new(chain.clone(), rows.0.clone(), config)
}

/// Runs the relayer from its configuration until `shutdown`: opens the store, connects, listens.
///
/// # Errors
/// When the configuration makes no sense, the store is taken or fails, or the address cannot be listened on.
pub async fn run(config: RelayerConfig, shutdown: CancellationToken) -> Result<(), RelayerError> {
    config.validate()?;
    let key = config.key.clone();
    let signer = blocking(move || Ok(key.signer()?)).await?;
    let path = config.store.clone();
    let store: Arc<dyn Store> = Arc::new(blocking(move || Ok(RedbStore::open(&path)?)).await?);
    let mut chains: BTreeMap<u64, Arc<dyn Chain>> = BTreeMap::new();
    for described in &config.chains {
        chains.insert(described.chain_id, described.chain()?);
    }
    let ports = Ports { chains, store, clock: Arc::new(SystemClock), net: Arc::new(HttpNet::new()?) };
    let relayer = Relayer::new(&config, ports, &signer)?;
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| RelayerError::Listen { address, source })?;
    tracing::info!(%address, account = %signer.address(), "relayer listens");
    let stop = shutdown.child_token();
    let served = hypha_chain::http::serve(listener, relayer.router(), stop.clone().cancelled_owned());
    let (outcome, ()) = tokio::join!(relayer.work(stop), served);
    outcome
}

async fn until(
    shutdown: CancellationToken,
    work: impl Future<Output = Result<(), RelayerError>>,
) -> Result<(), RelayerError> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        outcome = work => outcome,
    }
}

/// Runs what blocks on the disk on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RelayerError> + Send + 'static,
) -> Result<T, RelayerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
        Err(_) => Err(RelayerError::Stopping),
    }
}
