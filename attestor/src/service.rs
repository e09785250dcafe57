//! The running service: one task a chain that observes, one task a destination that reads its set, and the HTTP side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy::primitives::Address;
use alloy::signers::local::PrivateKeySigner;
use axum::Router;
use hypha_chain::backoff::Backoff;
use hypha_chain::config::{ChainConfig, Role};
use hypha_chain::follow::{FollowConfig, Follower};
use hypha_chain::ports::{Chain, Clock, Store};
use hypha_chain::recorder;
use hypha_chain::{RedbStore, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::AttestorConfig;
use crate::destination::Destination;
use crate::error::{AttestorError, SignError};
use crate::store::Ledger;
use crate::{api, pipeline};

/// How often a destination's set is read: after a change attestations are late by at most this.
const SET_REFRESH: Duration = Duration::from_secs(2);

/// A chain whose contract asserts facts.
pub struct Source {
    pub(crate) chain_id: u64,
    pub(crate) role: Role,
    pub(crate) emitter: Address,
    pub(crate) follower: Follower,
    chain: Arc<dyn Chain>,
    poll: Duration,
    /// Why the last round failed, or that there was none yet; `None` when all is well.
    trouble: Mutex<Option<String>>,
}

/// The attestor: what its stages share.
pub struct Attestor {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signer: PrivateKeySigner,
    sources: BTreeMap<u64, Source>,
    destinations: BTreeMap<u64, Destination>,
}

impl Attestor {
    /// Puts the service together over its ports; `chains` holds one for each configured chain id. Nothing runs yet.
    ///
    /// # Errors
    /// When the configuration makes no sense or the store cannot be read.
    pub fn new(
        config: &AttestorConfig,
        chains: &BTreeMap<u64, Arc<dyn Chain>>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        signer: PrivateKeySigner,
    ) -> Result<Arc<Self>, AttestorError> {
        config.validate()?;
        let ledger = Arc::new(Ledger::open(store)?);
        let (mut sources, mut destinations) = (BTreeMap::new(), BTreeMap::new());
        for described in &config.chains {
            let id = described.chain_id;
            let Some(chain) = chains.get(&id) else {
                return Err(AttestorError::Config { what: format!("chain {id} has no connection") });
            };
            destinations.insert(id, Destination::new(chain.clone(), described.fact_verifier));
            sources.insert(id, Source::new(described, chain.clone(), ledger.store()));
        }
        Ok(Arc::new(Self { ledger, clock, signer, sources, destinations }))
    }

    /// Who signs.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// A configured chain.
    ///
    /// # Errors
    /// [`SignError::UnknownSource`].
    pub fn source(&self, chain_id: u64) -> Result<&Source, SignError> {
        self.sources.get(&chain_id).ok_or(SignError::UnknownSource { chain_id })
    }

    /// Where facts of `from` go: the hub's to any spoke, a spoke's to the hub.
    ///
    /// # Errors
    /// [`SignError::UnknownSource`], [`SignError::UnknownDestination`].
    pub fn destination(&self, from: u64, to: u64) -> Result<&Destination, SignError> {
        let source = self.source(from)?;
        let goes = self.sources.get(&to).is_some_and(|other| other.role != source.role);
        self.destinations.get(&to).filter(|_| goes).ok_or(SignError::UnknownDestination { from, to })
    }

    /// All routes of the service.
    pub fn router(self: &Arc<Self>) -> Router {
        recorder::install();
        api::router(self.clone())
    }

    /// Why attestations cannot be had from here now; empty when they can.
    pub fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(guard) = self.ledger.guard() {
            reasons.push(format!("guard: {:?}", guard.why));
        }
        for source in self.sources.values() {
            reasons.extend(source.trouble().map(|why| format!("chain {}: {why}", source.chain_id)));
        }
        for (id, destination) in &self.destinations {
            match destination.set() {
                None => reasons.push(format!("chain {id}: the set of attestors was not read yet")),
                Some(set) if !set.members.contains(&self.address()) => {
                    reasons.push(format!("chain {id}: not in set {}", set.id));
                }
                Some(_) => {}
            }
        }
        reasons
    }

    /// Runs all tasks until `shutdown`, which it cancels itself when one of them cannot go on.
    ///
    /// # Errors
    /// When the store failed: the process has to open it anew.
    pub async fn work(self: Arc<Self>, shutdown: CancellationToken) -> Result<(), AttestorError> {
        let mut tasks = JoinSet::new();
        for id in self.sources.keys().copied() {
            tasks.spawn(until(shutdown.clone(), self.clone().watch_source(id)));
            tasks.spawn(until(shutdown.clone(), self.clone().watch_set(id)));
        }
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended.unwrap_or_else(|panic| Err(panic.into())) {
                tracing::error!(%error, "the attestor stops");
                shutdown.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Observes one chain for ever; a failing chain waits by itself.
    async fn watch_source(self: Arc<Self>, chain_id: u64) -> Result<(), AttestorError> {
        let Some(source) = self.sources.get(&chain_id) else { return Ok(()) };
        let mut backoff = Backoff::new(source.poll);
        let mut identified = false;
        loop {
            let round = self.round(source, &mut identified).await;
            let guard = if self.ledger.guard().is_some() { 1.0 } else { 0.0 };
            metrics::gauge!("hypha_attestor_guard").set(guard);
            let wait = match round {
                Ok(true) => {
                    backoff.succeeded();
                    continue;
                }
                Ok(false) => {
                    backoff.succeeded();
                    source.set_trouble(None);
                    source.poll
                }
                Err(error) if error.is_store() => return Err(error),
                Err(error) => {
                    tracing::warn!(chain = chain_id, %error, "observing failed");
                    metrics::counter!("hypha_attestor_failures_total", "chain" => chain_id.to_string())
                        .increment(1);
                    source.set_trouble(Some(error.to_string()));
                    backoff.failed()
                }
            };
            self.clock.sleep(wait).await;
        }
    }

    /// One round on one chain; whether there may be more to do at once.
    async fn round(&self, source: &Source, identified: &mut bool) -> Result<bool, AttestorError> {
        if !*identified {
            let (_, genesis) = source.chain.identity().await?;
            let (ledger, chain_id) = (self.ledger.clone(), source.chain_id);
            blocking(move || ledger.check_identity(chain_id, genesis)).await?;
            *identified = true;
        }
        let Some(recorded) = pipeline::observe(self, source).await? else { return Ok(false) };
        let chain = source.chain_id.to_string();
        metrics::counter!("hypha_attestor_facts_total", "chain" => chain.clone()).increment(recorded.facts);
        metrics::counter!("hypha_attestor_conflicts_total", "chain" => chain).increment(recorded.conflicts);
        Ok(true)
    }

    /// Reads one destination's set for ever.
    async fn watch_set(self: Arc<Self>, chain_id: u64) -> Result<(), AttestorError> {
        let Some(destination) = self.destinations.get(&chain_id) else { return Ok(()) };
        let mut backoff = Backoff::new(SET_REFRESH);
        loop {
            let wait = match destination.refresh().await {
                Ok(()) => {
                    backoff.succeeded();
                    SET_REFRESH
                }
                Err(error) => {
                    tracing::warn!(chain = chain_id, %error, "the set of attestors cannot be read");
                    backoff.failed()
                }
            };
            self.clock.sleep(wait).await;
        }
    }
}

impl Source {
    fn new(described: &ChainConfig, chain: Arc<dyn Chain>, store: Arc<dyn Store>) -> Self {
        let follower = Follower::new(
            chain.clone(),
            store,
            FollowConfig {
                address: described.verifier,
                start_block: described.start_block,
                finality: described.finality,
                table: crate::store::positions(described.chain_id),
                max_blocks_per_step: described.max_logs_range,
            },
        );
        Self {
            chain_id: described.chain_id,
            role: described.role,
            emitter: described.verifier,
            follower,
            chain,
            poll: Duration::from_millis(described.poll_ms),
            trouble: Mutex::new(Some("not read up to its final block yet".into())),
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Runs the attestor from its configuration until `shutdown`: opens the store, connects, listens.
///
/// # Errors
/// When the configuration makes no sense, the store is taken or fails, or the address cannot be listened on.
pub async fn run(config: AttestorConfig, shutdown: CancellationToken) -> Result<(), AttestorError> {
    config.validate()?;
    let key = config.key.clone();
    let signer = blocking(move || Ok(key.signer()?)).await?;
    let path = config.store.clone();
    let store: Arc<dyn Store> = Arc::new(blocking(move || Ok(RedbStore::open(&path)?)).await?);
    let mut chains: BTreeMap<u64, Arc<dyn Chain>> = BTreeMap::new();
    for described in &config.chains {
        chains.insert(described.chain_id, described.chain()?);
    }
    let attestor = Attestor::new(&config, &chains, store, Arc::new(SystemClock), signer)?;
    let address = config.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| AttestorError::Listen { address, source })?;
    tracing::info!(%address, attestor = %attestor.address(), "attestor listens");
    let stop = shutdown.child_token();
    let served = hypha_chain::http::serve(listener, attestor.router(), stop.clone().cancelled_owned());
    let (outcome, ()) = tokio::join!(attestor.work(stop), served);
    outcome
}

async fn until(
    shutdown: CancellationToken,
    work: impl Future<Output = Result<(), AttestorError>>,
) -> Result<(), AttestorError> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        outcome = work => outcome,
    }
}

/// Runs what blocks on the disk on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AttestorError> + Send + 'static,
) -> Result<T, AttestorError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
        Err(_) => Err(AttestorError::Stopping),
    }
}
