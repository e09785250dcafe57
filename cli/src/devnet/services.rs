//! The services of the devnet: three attestors, the relayer and the coordinator, each a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use alloy::hex;
use alloy::primitives::B256;
use alloy::signers::local::PrivateKeySigner;
use hypha_chain::{ChainConfig, KeyConfig};
use hypha_coordinator::config::AdminConfig;
use serde::Serialize;
use tokio::process::Command;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::files::{Files, ServiceFile, chain_config, free_addresses};
use super::process::{Process, Processes};
use super::proxy;
use crate::client::Client;
use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;

/// Attestors of the devnet; two of them must agree.
pub(super) const ATTESTORS: usize = 3;
/// How many attestors must agree.
pub(super) const THRESHOLD: u64 = 2;
/// Proxies between one attestor and one chain, all of which must agree.
const PROXIES: usize = 2;
/// Time for a service to be ready: it needs a few final blocks.
const READY_TIME: Duration = Duration::from_secs(60);
/// Time between looks at a service that is not ready.
const POLL: Duration = Duration::from_millis(100);

/// The file of the token of the coordinator's operator.
pub(super) const ADMIN_TOKEN_FILE: &str = "admin.token";

/// Where the chains answer and what stands on them.
pub(super) struct Ground<'a> {
    /// The contracts.
    pub(super) deployment: &'a Deployment,
    /// The node of each chain, in the order of the deployment.
    pub(super) nodes: &'a [SocketAddr],
    /// Ends the proxies.
    pub(super) shutdown: CancellationToken,
}

/// The keys of the services.
pub(super) struct Keys {
    /// The coordinator's.
    pub(super) sequencer: PrivateKeySigner,
    /// The relayer's.
    pub(super) relayer: PrivateKeySigner,
    /// The attestors'.
    pub(super) attestors: Vec<PrivateKeySigner>,
}

/// A running service, with everything needed to start it again.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Service {
    /// `coordinator`, `relayer`, `attestor-1` and so on.
    pub(super) name: String,
    /// The command of `hypha`.
    pub(super) kind: &'static str,
    /// Base URL of its listener for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin: Option<String>,
    /// Base URL.
    pub(super) url: String,
    /// Process id.
    pub(super) pid: u32,
    /// Configuration file.
    pub(super) config: PathBuf,
    /// Log file.
    pub(super) log: PathBuf,
    /// Environment variable of its key.
    pub(super) key_variable: &'static str,
    /// That key: one of anvil's published development keys, worth nothing anywhere else.
    pub(super) key: String,
}

/// Starts all services and waits until each is ready; the coordinator is the first of the list.
pub(super) async fn start(
    files: &Files,
    ground: &Ground<'_>,
    keys: &Keys,
    processes: &mut Processes,
) -> Result<Vec<Service>, CliError> {
    let mut addresses = free_addresses(ATTESTORS + 3)?;
    let admin = addresses.pop().map(|listen| admin(files, listen)).transpose()?;
    let url = |address: &SocketAddr| format!("http://{address}");
    let direct: Vec<ChainConfig> = ground.each(|chain, node| chain_config(chain, &[node]));
    let mut services = Vec::new();
    let plain = |listen| Plain { listen, admin: None, attestors: None, chains: direct.clone() };
    let relayer = Plain { attestors: Some(addresses[2..].iter().map(url).collect()), ..plain(addresses[1]) };
    let coordinator = Plain { admin, ..plain(addresses[0]) };
    services.push(launch(files, "coordinator", coordinator, &keys.sequencer, processes)?);
    services.push(launch(files, "relayer", relayer, &keys.relayer, processes)?);
    for (position, key) in keys.attestors.iter().enumerate() {
        let chains = ground.behind_proxies().await?;
        let attestor = Plain { chains, ..plain(addresses[2 + position]) };
        services.push(launch(files, &format!("attestor-{}", position + 1), attestor, key, processes)?);
    }
    for service in &services {
        ready(service, processes).await?;
    }
    Ok(services)
}

impl Ground<'_> {
    fn each<T>(&self, make: impl Fn(&Deployed, SocketAddr) -> T) -> Vec<T> {
        self.deployment.chains.iter().zip(self.nodes).map(|(chain, node)| make(chain, *node)).collect()
    }

    /// The chains as one attestor reads them.
    async fn behind_proxies(&self) -> Result<Vec<ChainConfig>, CliError> {
        let mut chains = Vec::new();
        for (chain, node) in self.deployment.chains.iter().zip(self.nodes) {
            let mut endpoints = Vec::new();
            for _ in 0..PROXIES {
                let proxy = proxy::start(*node, self.shutdown.clone()).await;
                endpoints.push(proxy.map_err(|error| CliError::Failed(error.into()))?);
            }
            chains.push(chain_config(chain, &endpoints));
        }
        Ok(chains)
    }
}

/// The operator's listener, with a token made for it.
fn admin(files: &Files, listen: SocketAddr) -> Result<AdminConfig, CliError> {
    let token_file = files.write_secret(ADMIN_TOKEN_FILE, &hex::encode(B256::random()))?;
    Ok(AdminConfig { listen, token_file })
}

struct Plain {
    listen: SocketAddr,
    admin: Option<AdminConfig>,
    attestors: Option<Vec<String>>,
    chains: Vec<ChainConfig>,
}

/// Writes a service's configuration and starts it, its log going to a file.
fn launch(
    files: &Files,
    name: &str,
    plain: Plain,
    key: &PrivateKeySigner,
    processes: &mut Processes,
) -> Result<Service, CliError> {
    let (kind, key_variable) = match name {
        "coordinator" => ("coordinator", "HYPHA_SEQUENCER_KEY"),
        "relayer" => ("relayer", "HYPHA_RELAYER_KEY"),
        _ => ("attestor", "HYPHA_ATTESTOR_KEY"),
    };
    let content = ServiceFile {
        listen: plain.listen,
        store: files.path(&format!("{name}.redb")),
        admin: plain.admin.clone(),
        attestors: plain.attestors,
        key: KeyConfig::Env(key_variable.to_owned()),
        chains: plain.chains,
    };
    let config = files.write_toml(&format!("{name}.toml"), &content)?;
    let log = files.path(&format!("{name}.log"));
    let key = hex::encode_prefixed(key.to_bytes());
    let failed = |error: std::io::Error| CliError::Failed(anyhow::anyhow!("{name}: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg(kind).arg("--config").arg(&config).args(["--log", "json", "--exit-with-stdin"]);
    command.env(key_variable, &key).stdout(Stdio::null());
    let process = Process::start(name, command.stderr(std::fs::File::create(&log).map_err(failed)?))?;
    let pid = process.pid();
    processes.keep(process);
    let url = format!("http://{}", plain.listen);
    let admin = plain.admin.map(|admin| format!("http://{}", admin.listen));
    Ok(Service { name: name.to_owned(), kind, admin, url, pid, config, log, key_variable, key })
}

/// Waits until a service says that it is ready.
async fn ready(service: &Service, processes: &mut Processes) -> Result<(), CliError> {
    let client = Client::new(&service.url)?;
    let deadline = Instant::now() + READY_TIME;
    loop {
        let error = match client.ready().await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if let Some((name, status)) = processes.take_ended().into_iter().next() {
            let why = format!(
                "{name} ended ({status}); its log: {}",
                service.log.with_file_name(format!("{name}.log")).display()
            );
            return Err(CliError::Failed(anyhow::anyhow!(why)));
        }
        if Instant::now() > deadline {
            return Err(CliError::TimedOut(format!(
                "{} is not ready: {error}; its log: {}",
                service.name,
                service.log.display()
            )));
        }
        tokio::time::sleep(POLL).await;
    }
}
