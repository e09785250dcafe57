//! Puts the coordinator together and runs it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use hypha_chain::config::ChainConfig;
use hypha_chain::error::ChainError;
use hypha_chain::http::{ServeLimits, serve_within};
use hypha_chain::ports::{BlockTag, Chain, Clock, Store};
use hypha_chain::submit::{SubmitConfig, SubmitTables, Submitter};
use hypha_chain::{PrivateKeySigner, RedbStore, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::admin::{self, Admin};
use crate::api::keys::Keys;
use crate::api::token::Token;
use crate::api::{self, Api};
use crate::blocking::blocking;
use crate::config::{BatchConfig, ConfigError, CoordinatorConfig, LimitsConfig};
use crate::context::{Context, Link, is_hub, separator};
use crate::driver;
use crate::error::CoordinatorError;
use crate::mode::Switch;
use crate::pipeline::admit::{self, Desk};
use crate::state::Keep;
use crate::store::load::{is_new_chain, load};
use crate::store::snapshots::SnapshotFile;
use crate::store::{IdentityRecord, Ledger, LedgerError};

/// Pause between attempts to reach the hub at start.
const START_PAUSE: Duration = Duration::from_secs(1);

/// Connections to the operator's listener at once: one person's, and a few programs'.
const ADMIN_CONNECTIONS: usize = 16;

/// Where the transactions to the hub are kept.
const SUBMIT_TABLES: SubmitTables =
    SubmitTables { queued: "submit-queued", open: "submit-open", done: "submit-done" };

/// Everything outside the process, and the key.
pub struct Ports {
    /// The disk.
    pub store: Arc<dyn Store>,
    /// The file of the tree's snapshot, in a folder that is there. It belongs to this store.
    pub snapshot: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Each chain with its configuration; exactly one is the hub.
    pub chains: Vec<(ChainConfig, Arc<dyn Chain>)>,
    /// The sequencer's key.
    pub signer: PrivateKeySigner,
    /// The keys of those who may use the API; without, all may.
    pub keys: Option<Arc<Keys>>,
}

/// The running coordinator.
pub struct Service {
    context: Arc<Context>,
    api: Arc<Api>,
    submitter: Arc<Submitter>,
    keys: Option<Arc<Keys>>,
    tasks: JoinSet<Result<(), CoordinatorError>>,
    shutdown: CancellationToken,
}

impl Service {
    /// Reads the store, asks the hub what it is and which spokes it has, and starts the stages. Waits for a hub that does not
    /// answer.
    ///
    /// # Errors
    /// When the store, the configuration or the hub do not fit each other.
    pub async fn start(
        batch: BatchConfig,
        limits: LimitsConfig,
        ports: Ports,
        shutdown: CancellationToken,
    ) -> Result<Self, CoordinatorError> {
        hypha_chain::recorder::install();
        let context = Arc::new(context(batch, limits, &ports).await?);
        reach_hub(&context, &shutdown).await?;
        let (desk, admissions) = Desk::new();
        let submit = SubmitConfig::new(SUBMIT_TABLES, context.hub.config.finality);
        let submit = SubmitConfig { max_gas: context.batch.max_gas, ..submit };
        let Ports { store, clock, signer, keys, .. } = ports;
        let submitter = Arc::new(Submitter::new(context.hub.chain.clone(), store, clock, signer, submit));
        let mut tasks = JoinSet::new();
        let writer = admit::write_admissions(context.clone(), admissions);
        tasks.spawn(async {
            writer.await;
            Ok(())
        });
        tasks.spawn(driver::sequence(context.clone(), submitter.clone(), shutdown.clone()));
        tasks.spawn(driver::follow_hub(context.clone(), shutdown.clone()));
        tasks.spawn(driver::snapshots(context.clone(), shutdown.clone()));
        for spoke in &context.spokes {
            tasks.spawn(driver::follow_spoke(context.clone(), spoke.clone(), shutdown.clone()));
        }
        let api = Arc::new(Api::new(context.clone(), desk, keys.clone(), shutdown.clone()));
        Ok(Self { context, api, submitter, keys, tasks, shutdown })
    }

    /// The HTTP API.
    pub fn router(&self) -> axum::Router {
        api::router(self.api.clone())
    }

    /// Serves the HTTP API until `shutdown`.
    pub fn serve(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + 'static {
        let limits = &self.context.limits;
        let limits = ServeLimits {
            connections: limits.connections,
            head: Duration::from_millis(limits.head_ms),
            ..ServeLimits::default()
        };
        serve_within(limits, listener, self.router(), self.shutdown.clone().cancelled_owned())
    }

    /// Serves the operator until `shutdown`, on a listener that only this machine reaches.
    pub fn serve_admin(
        &self,
        listener: TcpListener,
        token: Token,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (context, submitter) = (self.context.clone(), self.submitter.clone());
        let router = admin::router(Arc::new(Admin { context, submitter, token, keys: self.keys.clone() }));
        let limits = ServeLimits { connections: ADMIN_CONNECTIONS, ..ServeLimits::default() };
        serve_within(limits, listener, router, self.shutdown.clone().cancelled_owned())
    }

    /// What the parts of this coordinator share.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Waits until every stage has ended, after `shutdown` or after one failed; then all end.
    ///
    /// # Errors
    /// That of the stage that failed first.
    pub async fn join(self) -> Result<(), CoordinatorError> {
        let Self { context, api, mut tasks, shutdown, .. } = self;
        // The writer of admissions ends when no desk is left.
        drop((context, api));
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.unwrap_or_else(|_| Err(CoordinatorError::ShuttingDown));
            if let Err(error) = ended {
                tracing::error!(%error, "a stage failed");
                shutdown.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }
}

async fn context(
    batch: BatchConfig,
    limits: LimitsConfig,
    ports: &Ports,
) -> Result<Context, CoordinatorError> {
    let link = |(config, chain): &(ChainConfig, Arc<dyn Chain>)| Link {
        config: config.clone(),
        chain: chain.clone(),
    };
    let (hubs, spokes): (Vec<_>, Vec<_>) =
        ports.chains.iter().map(link).partition(|link| is_hub(&link.config));
    let count = hubs.len();
    let [hub] = <[Link; 1]>::try_from(hubs).map_err(|_| ConfigError::Hubs(count))?;
    let (hub_id, verifier) = (hub.config.chain_id, hub.config.verifier);
    let ids: Vec<u64> = ports.chains.iter().map(|(config, _)| config.chain_id).collect();
    let (store, keep) = (ports.store.clone(), Keep::from(&limits));
    let snapshot = SnapshotFile::at(ports.snapshot.clone());
    let file = snapshot.clone();
    let state = blocking(move || load(store.as_ref(), &file, hub_id, verifier, &ids, keep)).await??;
    if let Some(guard) = &state.guard {
        tracing::error!(reason = guard.reason, "the guard is set: nothing is written");
    }
    let store = ports.store.clone();
    let mode = blocking(move || Switch::load(store.as_ref())).await??;
    tracing::info!(index = state.head().index, root = %state.head().root, mode = mode.now().mode.as_str(), "state rebuilt");
    Ok(Context {
        ledger: Ledger::new(ports.store.clone(), state),
        snapshot,
        mode,
        retry: Notify::new(),
        clock: ports.clock.clone(),
        hub,
        spokes,
        batch,
        limits,
        separator: separator(hub_id, verifier),
    })
}

/// Asks the hub for its identity, its time and its spokes, until it answers.
async fn reach_hub(context: &Context, shutdown: &CancellationToken) -> Result<(), CoordinatorError> {
    loop {
        match ask_hub(context).await {
            Err(CoordinatorError::Chain { error, .. }) if error.is_retryable() => {
                tracing::warn!(%error, "waiting for the hub");
            }
            answer => return answer,
        }
        tokio::select! {
            () = context.clock.sleep(START_PAUSE) => {}
            () = shutdown.cancelled() => return Err(CoordinatorError::ShuttingDown),
        }
    }
}

async fn ask_hub(context: &Context) -> Result<(), CoordinatorError> {
    let hub = &context.hub;
    let chain_id = hub.config.chain_id;
    let failed = |error| CoordinatorError::Chain { chain_id, error };
    check_identity(&context.ledger, hub).await?;
    let head = hub.chain.block(BlockTag::Latest).await.map_err(failed)?;
    context.ledger.observe(|state| state.hub_time = head.map_or(0, |block| block.time));
    context.learn_domains().await
}

/// Compares a chain with the one that the store was begun with; the first time, remembers it.
pub(crate) async fn check_identity(ledger: &Ledger, link: &Link) -> Result<(), CoordinatorError> {
    let failed = |error| CoordinatorError::Chain { chain_id: link.config.chain_id, error };
    let (chain_id, genesis) = link.chain.identity().await.map_err(failed)?;
    let expected = link.config.chain_id;
    if chain_id != expected {
        return Err(failed(ChainError::IdentityMismatch { expected, actual: chain_id }));
    }
    let record = IdentityRecord { chain_id, genesis, verifier: link.config.verifier.to_string() };
    let (store, found) = (ledger.store().clone(), record.clone());
    if blocking(move || is_new_chain(store.as_ref(), &found)).await?? {
        ledger
            .update(|_, update| {
                update.identity(&record);
                Ok::<_, LedgerError>(())
            })
            .await?;
    }
    Ok(())
}

/// Runs the coordinator until `shutdown`.
///
/// # Errors
/// When it cannot start, or a stage failed for good.
pub async fn run(config: CoordinatorConfig, shutdown: CancellationToken) -> Result<(), CoordinatorError> {
    config.validate()?;
    let signer = config.key.signer().map_err(ConfigError::from)?;
    let mut chains = Vec::with_capacity(config.chains.len());
    for chain in &config.chains {
        let failed = |error| CoordinatorError::Chain { chain_id: chain.chain_id, error };
        chains.push((chain.clone(), chain.chain().map_err(failed)?));
    }
    let address = config.listen;
    let listener = bind(address).await?;
    let admin = match &config.admin {
        Some(admin) => {
            let token = Token::read(&admin.token_file).map_err(ConfigError::from)?;
            Some((bind(admin.listen).await?, token))
        }
        None => None,
    };
    let keys = config.keys.as_deref().map(Keys::open).transpose().map_err(ConfigError::from)?.map(Arc::new);
    let store = Arc::new(RedbStore::open(&config.store)?);
    let ports =
        Ports { keys, store, snapshot: config.snapshot(), clock: Arc::new(SystemClock), chains, signer };
    let service = match Service::start(config.batch, config.limits, ports, shutdown.clone()).await {
        Err(CoordinatorError::ShuttingDown) if shutdown.is_cancelled() => return Ok(()),
        started => started?,
    };
    tracing::info!(%address, "listening");
    let served = service.serve(listener);
    let admin = admin.map(|(listener, token)| service.serve_admin(listener, token));
    let ((), _, outcome) = tokio::join!(served, OptionFuture::from(admin), service.join());
    outcome
}

async fn bind(address: SocketAddr) -> Result<TcpListener, CoordinatorError> {
    TcpListener::bind(address).await.map_err(|error| CoordinatorError::Listen { address, error })
}
