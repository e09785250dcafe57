//! `hypha coordinator`, `hypha attestor`, `hypha relayer`: one service each, until it is told to stop.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use hypha_chain::{RedbStore, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::CliError;
use crate::guard::stdin_closes;
use crate::output::print;
use crate::settings::read_toml;

/// Exit status after a second signal, as shells count one for SIGINT.
const INTERRUPTED: i32 = 130;

/// How a service is started.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServiceArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "HYPHA_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port to listen on, instead of the file's
    #[arg(long, value_name = "ADDRESS", env = "HYPHA_LISTEN")]
    listen: Option<SocketAddr>,
    /// File of the store, instead of the configuration's
    #[arg(long, value_name = "FILE", env = "HYPHA_STORE")]
    store: Option<PathBuf>,
    /// Form of the log lines on standard error [default: pretty on a terminal, otherwise json]
    #[arg(long, value_name = "FORM", env = "HYPHA_LOG_FORM")]
    log: Option<LogForm>,
    /// The same as --log json
    #[arg(long, env = "HYPHA_JSON", conflicts_with = "log")]
    pub(crate) json: bool,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Take transfers in, batch them, and bring them to the hub
#[derive(Args, Debug)]
#[command(after_help = "Example:
  HYPHA_SEQUENCER_KEY=… hypha coordinator --config coordinator.toml")]
pub(crate) struct CoordinatorArgs {
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// Carry batches to every spoke and confirmations home
#[derive(Args, Debug)]
#[command(after_help = "Example:
  HYPHA_RELAYER_KEY=… hypha relayer --config relayer.toml")]
pub(crate) struct RelayerArgs {
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// Read facts from the chains and sign them
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  HYPHA_ATTESTOR_KEY=… hypha attestor --config attestor.toml
  hypha attestor resume --config attestor.toml"
)]
pub(crate) struct AttestorArgs {
    #[command(subcommand)]
    action: Option<AttestorAction>,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

#[derive(Subcommand, Debug)]
enum AttestorAction {
    /// Clear the guard that stopped a halted attestor, after a person has looked; the attestor must not be running
    Resume(ResumeArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  hypha attestor resume --config attestor.toml")]
struct ResumeArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "HYPHA_CONFIG")]
    config: PathBuf,
    /// File of the store, instead of the configuration's
    #[arg(long, value_name = "FILE", env = "HYPHA_STORE")]
    store: Option<PathBuf>,
    /// Print the outcome as JSON
    #[arg(long, env = "HYPHA_JSON")]
    json: bool,
}

impl AttestorArgs {
    /// Whether failures are to be printed as JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.action {
            Some(AttestorAction::Resume(args)) => args.json,
            None => self.service.json,
        }
    }
}

/// Runs the coordinator.
pub(crate) async fn coordinator(args: &CoordinatorArgs) -> Result<(), CliError> {
    let mut config: hypha_coordinator::CoordinatorConfig = read_toml(args.service.config()?)?;
    args.service.overrule(&mut config.listen, &mut config.store);
    let shutdown = args.service.start();
    hypha_coordinator::run(config, shutdown).await.map_err(|error| CliError::Failed(error.into()))
}

/// Runs the relayer.
pub(crate) async fn relayer(args: &RelayerArgs) -> Result<(), CliError> {
    let mut config: hypha_relayer::RelayerConfig = read_toml(args.service.config()?)?;
    args.service.overrule(&mut config.listen, &mut config.store);
    let shutdown = args.service.start();
    hypha_relayer::run(config, shutdown).await.map_err(|error| CliError::Failed(error.into()))
}

/// Runs the attestor, or clears its guard.
pub(crate) async fn attestor(args: &AttestorArgs) -> Result<(), CliError> {
    if let Some(AttestorAction::Resume(resume)) = &args.action {
        return clear_guard(resume);
    }
    let mut config: hypha_attestor::AttestorConfig = read_toml(args.service.config()?)?;
    args.service.overrule(&mut config.listen, &mut config.store);
    let shutdown = args.service.start();
    hypha_attestor::run(config, shutdown).await.map_err(|error| CliError::Failed(error.into()))
}

fn clear_guard(args: &ResumeArgs) -> Result<(), CliError> {
    let config: hypha_attestor::AttestorConfig = read_toml(&args.config)?;
    let path = args.store.as_ref().unwrap_or(&config.store);
    if !path.exists() {
        return Err(CliError::Usage(format!("{}: there is no store", path.display())));
    }
    let store = RedbStore::open(path).map_err(|error| CliError::Failed(error.into()))?;
    let cleared =
        hypha_attestor::resume(&store as &dyn Store).map_err(|error| CliError::Failed(error.into()))?;
    let cleared = serde_json::json!(cleared);
    match (args.json, cleared.is_null()) {
        (true, _) => print(serde_json::json!({ "cleared": cleared })),
        (false, false) => print(format!("cleared: {cleared}")),
        (false, true) => print("there was no guard to clear"),
    }
    Ok(())
}

impl ServiceArgs {
    fn config(&self) -> Result<&Path, CliError> {
        self.config
            .as_deref()
            .ok_or_else(|| CliError::Usage("no configuration: --config FILE or HYPHA_CONFIG".into()))
    }

    /// Flags and variables over the file.
    fn overrule(&self, listen: &mut SocketAddr, store: &mut PathBuf) {
        if let Some(address) = self.listen {
            *listen = address;
        }
        if let Some(path) = &self.store {
            store.clone_from(path);
        }
    }

    /// Sets the log up and gives the token that a signal cancels. A second signal ends the process at once.
    fn start(&self) -> CancellationToken {
        self.start_log();
        let shutdown = CancellationToken::new();
        let told = shutdown.clone();
        let watch_stdin = self.exit_with_stdin;
        tokio::spawn(async move {
            tokio::select! {
                () = stop_signal() => {}
                () = stdin_closes(), if watch_stdin => {}
            }
            told.cancel();
            stop_signal().await;
            std::process::exit(INTERRUPTED);
        });
        shutdown
    }

    fn start_log(&self) {
        let pretty = match self.log {
            Some(form) => form == LogForm::Pretty,
            None => !self.json && std::io::stderr().is_terminal(),
        };
        let filter = tracing_subscriber::EnvFilter::try_from_env("HYPHA_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        if pretty { lines.init() } else { lines.json().init() }
    }
}

/// Waits for Ctrl-C, SIGTERM or the terminal's end.
pub(crate) async fn stop_signal() {
    let watch = |kind| signal(kind).expect("these signals can be watched on every Unix");
    let mut terminated = watch(SignalKind::terminate());
    let mut hung_up = watch(SignalKind::hangup());
    let mut interrupted = watch(SignalKind::interrupt());
    tokio::select! {
        _ = terminated.recv() => {}
        _ = hung_up.recv() => {}
        _ = interrupted.recv() => {}
    }
}
