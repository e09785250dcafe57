//! `hypha devnet`: a hub, spokes, and all services on this machine, and a demonstration of what they do.

mod anvil;
mod demonstration;
mod files;
mod process;
mod proxy;
mod report;
mod services;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy::hex;
use alloy::signers::local::PrivateKeySigner;
use clap::Args;
use hypha_chain::config::RpcUrl;
use serde::Serialize;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::commands::service::stop_signal;
use crate::deploy::plan::{self, Plan, PlannedChain, PlannedGovernance};
use crate::deploy::{self, Task};
use crate::deployment::{Deployment, write_json};
use crate::exit::CliError;
use crate::output::{Table, print, progress};
use crate::reader::Reader;
use crate::settings::SettingsFile;
use anvil::Anvil;
use demonstration::{People, Place};
use files::Files;
use process::Processes;
use report::indent;
use services::{ATTESTORS, Ground, Keys, Service, THRESHOLD};

/// Chain id of the hub; the spokes have those after it.
const HUB_CHAIN: u64 = 31337;
/// Windows of a day, so that no demonstration runs into them.
const WINDOW_S: u64 = 86_400;
/// How long the set of attestors is good, in seconds: a year.
const ATTESTORS_VALID_S: u64 = 365 * 86_400;
/// Time for one transaction of the deployment.
const DEPLOY_TIME: Duration = Duration::from_secs(60);
/// Time between looks at the children.
const WATCH: Duration = Duration::from_millis(300);

/// Run a hub, spokes and all services on this machine, and show what they do
///
/// Everything runs on loopback with anvil's published development keys, which are worth nothing anywhere else. All
/// endpoints of a chain share one node here, so the attestors' quorum is only a rehearsal.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hypha devnet
  hypha devnet --once --json out.json")]
pub(crate) struct DevnetArgs {
    /// Number of spokes
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=8))]
    chains: u64,
    /// End after the demonstration, with status 0 only when everything came out as it should
    #[arg(long, conflicts_with = "skip_demo")]
    once: bool,
    /// Write the outcome of the demonstration to a file
    #[arg(long, value_name = "FILE", conflicts_with = "skip_demo")]
    json: Option<PathBuf>,
    /// Start everything and demonstrate nothing
    #[arg(long)]
    skip_demo: bool,
    /// So long after the last sequencer's batch that left no request overdue, anyone may apply one
    #[arg(long, value_name = "SECONDS", default_value_t = WINDOW_S, value_parser = clap::value_parser!(u64).range(1..))]
    liveness_window: u64,
    /// So long after it came to the hub, a request must be in the next batch
    #[arg(long, value_name = "SECONDS", default_value_t = WINDOW_S, value_parser = clap::value_parser!(u64).range(1..))]
    inclusion_window: u64,
    /// Write all URLs, process ids, keys and configuration files to a file, once everything is up
    #[arg(long, value_name = "FILE")]
    ports_file: Option<PathBuf>,
    /// Folder for configurations, stores and logs; wiped at the start
    #[arg(long, value_name = "FOLDER", default_value = ".hypha/devnet", env = "HYPHA_DEVNET_STATE")]
    state: PathBuf,
    /// Forge's output folder
    #[arg(long, value_name = "FOLDER", default_value = "out", env = "HYPHA_ARTIFACTS")]
    artifacts: PathBuf,
}

/// Everything that runs.
struct Devnet {
    files: Files,
    deployment: Deployment,
    nodes: Vec<SocketAddr>,
    pids: Vec<u32>,
    services: Vec<Service>,
    accounts: Vec<PrivateKeySigner>,
    _proxies: DropGuard,
}

/// What a user or a test needs to know of a running devnet.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    api: &'a str,
    settings: PathBuf,
    deployment: PathBuf,
    chains: Vec<ReadyChain<'a>>,
    services: &'a [Service],
    accounts: Vec<Account>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadyChain<'a> {
    chain_id: String,
    name: &'a str,
    role: hypha_chain::Role,
    rpc: String,
    verifier: String,
    fact_verifier: String,
    pid: u32,
}

#[derive(Serialize)]
struct Account {
    name: &'static str,
    address: String,
    key: String,
}

/// What each of anvil's accounts is for.
const NAMES: [&str; 10] = [
    "deployer",
    "sequencer",
    "relayer",
    "attestor-1",
    "attestor-2",
    "attestor-3",
    "issuer",
    "alice",
    "bob",
    "spare",
];

/// Starts everything, demonstrates, and stays up until told to stop; leaves no process behind.
pub(crate) async fn run(args: &DevnetArgs) -> Result<(), CliError> {
    let mut processes = Processes::default();
    let up = Cell::new(false);
    let result = tokio::select! {
        result = work(args, &mut processes, &up) => result,
        () = stop_signal() => {
            if up.get() { Ok(()) } else { Err(CliError::Failed(anyhow::anyhow!("interrupted"))) }
        }
    };
    progress("stopping");
    tokio::select! {
        () = processes.stop() => {}
        () = stop_signal() => {} // a second signal: the children end by themselves, their lifelines are cut
    }
    result
}

async fn work(args: &DevnetArgs, processes: &mut Processes, up: &Cell<bool>) -> Result<(), CliError> {
    let devnet = Devnet::start(args, processes).await?;
    devnet.write_settings(args.ports_file.as_deref())?;
    if !args.skip_demo {
        let outcome = tokio::select! {
            outcome = devnet.demonstrate(args.json.as_deref()) => outcome,
            lost = lost_child(processes) => Err(lost),
        };
        outcome?;
    }
    if args.once {
        return Ok(());
    }
    up.set(true);
    devnet.print_hints();
    loop {
        for (name, status) in processes.take_ended() {
            progress(format!("{name} ended ({status}); everything else stays up"));
        }
        tokio::time::sleep(WATCH).await;
    }
}

/// Waits until a child ends, which none should during the demonstration.
async fn lost_child(processes: &mut Processes) -> CliError {
    loop {
        if let Some((name, status)) = processes.take_ended().into_iter().next() {
            return CliError::Failed(anyhow::anyhow!("{name} ended ({status}) during the demonstration"));
        }
        tokio::time::sleep(WATCH).await;
    }
}

impl Devnet {
    async fn start(args: &DevnetArgs, processes: &mut Processes) -> Result<Self, CliError> {
        let files = Files::prepare(&args.state)?;
        progress(format!("starting {} chains", args.chains + 1));
        let chain_ids = HUB_CHAIN..=HUB_CHAIN + args.chains;
        let started: Vec<Anvil> = futures::future::try_join_all(chain_ids.map(anvil::start)).await?;
        let accounts = started[0].keys.clone();
        let nodes: Vec<SocketAddr> = started.iter().map(|anvil| anvil.address).collect();
        let pids = started.iter().map(|anvil| anvil.process.pid()).collect();
        for anvil in started {
            processes.keep(anvil.process);
        }
        progress("deploying the contracts");
        let plan = plan(args, &nodes, &accounts)?;
        files.write_toml("plan.toml", &plan)?;
        let deployment = deploy::deploy(&Task {
            plan: &plan,
            artifacts: &args.artifacts,
            signer: accounts[0].clone(),
            records: &files.path("deployments"),
            patience: DEPLOY_TIME,
            progress: &|line| progress(format!("  {line}")),
        })
        .await?;
        progress(format!(
            "starting {ATTESTORS} attestors ({THRESHOLD} must agree), the relayer and the coordinator"
        ));
        progress(
            "  each attestor reads each chain through two proxies, which share one node here: a rehearsal of a quorum",
        );
        let shutdown = CancellationToken::new();
        let ground = Ground { deployment: &deployment, nodes: &nodes, shutdown: shutdown.clone() };
        let keys = Keys {
            sequencer: accounts[1].clone(),
            relayer: accounts[2].clone(),
            attestors: accounts[3..3 + ATTESTORS].to_vec(),
        };
        let services = services::start(&files, &ground, &keys, processes).await?;
        progress("everything is ready");
        Ok(Self { files, deployment, nodes, pids, services, accounts, _proxies: shutdown.drop_guard() })
    }

    fn api(&self) -> &str {
        &self.services[0].url
    }

    fn rpc(&self, position: usize) -> String {
        format!("http://{}", self.nodes[position])
    }

    /// Writes the files with which the other commands, and tests, find this devnet.
    fn write_settings(&self, ports_file: Option<&Path>) -> Result<(), CliError> {
        let deployment = self.files.path("deployment.json");
        write_json(&deployment, &self.deployment)?;
        let rpc: BTreeMap<String, String> = self
            .deployment
            .chains
            .iter()
            .enumerate()
            .map(|(position, chain)| (chain.chain_id.to_string(), self.rpc(position)))
            .collect();
        let settings = self.files.write_toml(
            "hypha.toml",
            &SettingsFile {
                api: Some(self.api().to_owned()),
                admin: self.services.first().and_then(|coordinator| coordinator.admin.clone()),
                admin_token_file: Some(self.files.path(services::ADMIN_TOKEN_FILE)),
                deployment: Some(deployment.clone()),
                keystore: None,
                timeout_s: Some(120),
                rpc,
            },
        )?;
        let ready = Ready {
            api: self.api(),
            settings,
            deployment,
            chains: self.ready_chains(),
            services: &self.services,
            accounts: self.accounts(),
        };
        self.files.write_environment("hypha.env", &self.environment(&ready.settings))?;
        write_json(&self.files.path("ready.json"), &ready)?;
        ports_file.map_or(Ok(()), |path| write_json(path, &ready))
    }

    fn ready_chains(&self) -> Vec<ReadyChain<'_>> {
        let chains = self.deployment.chains.iter().enumerate().map(|(position, chain)| ReadyChain {
            chain_id: chain.chain_id.to_string(),
            name: &chain.name,
            role: chain.role,
            rpc: self.rpc(position),
            verifier: chain.verifier.to_string(),
            fact_verifier: chain.fact_verifier.to_string(),
            pid: self.pids[position],
        });
        chains.collect()
    }

    /// What a shell needs for the user commands: the settings, the attestors, and everybody's key.
    fn environment(&self, settings: &Path) -> Vec<(String, String)> {
        let attestors = self.services.iter().filter(|service| service.kind == "attestor");
        let attestors: Vec<&str> = attestors.map(|service| service.url.as_str()).collect();
        let keys = self
            .accounts()
            .into_iter()
            .map(|account| (format!("{}_KEY", account.name.to_uppercase().replace('-', "_")), account.key));
        let config = ("HYPHA_CONFIG".to_owned(), settings.display().to_string());
        [config, ("HYPHA_ATTESTORS".to_owned(), attestors.join(","))].into_iter().chain(keys).collect()
    }

    fn accounts(&self) -> Vec<Account> {
        let named = NAMES.into_iter().zip(&self.accounts);
        named
            .map(|(name, key)| Account {
                name,
                address: key.address().to_string(),
                key: hex::encode_prefixed(key.to_bytes()),
            })
            .collect()
    }

    /// Runs the demonstration and says what came out.
    async fn demonstrate(&self, json: Option<&Path>) -> Result<(), CliError> {
        let mut places = Vec::new();
        for (position, deployed) in self.deployment.chains.iter().enumerate() {
            let rpc = self.rpc(position);
            let reader = Reader::connect(&rpc, deployed.chain_id, deployed.verifier).await?;
            places.push(Place { deployed: deployed.clone(), rpc, reader });
        }
        let people = People {
            issuer: self.accounts[6].clone(),
            alice: self.accounts[7].clone(),
            bob: self.accounts[8].clone(),
        };
        let (report, outcome) = demonstration::run(self.api(), &places, &people).await?;
        print(format!("\nall chains\n{}", indent(&report.chains())));
        if let Some(path) = json {
            write_json(path, &report)?;
        }
        outcome?;
        match report.flaw() {
            Some(flaw) => Err(CliError::Disagreed(flaw)),
            None => Ok(()),
        }
    }

    /// What to do with a devnet that is up.
    fn print_hints(&self) {
        let mut urls = Table::new(&["WHAT", "URL"]);
        urls.row(["api", self.api()]);
        urls.row(["api documentation".to_owned(), format!("{}/docs", self.api())]);
        for service in &self.services[1..] {
            urls.row([&service.name, &service.url]);
        }
        for (position, chain) in self.deployment.chains.iter().enumerate() {
            urls.row([format!("{} (chain {})", chain.name, chain.chain_id), self.rpc(position)]);
        }
        let mut keys = Table::new(&["ACCOUNT", "ADDRESS", "KEY"]);
        for account in self.accounts() {
            keys.row([account.name.to_owned(), account.address, account.key]);
        }
        print(format!(
            "\n{}\n\nfunded accounts of anvil's published development mnemonic: never use them elsewhere",
            urls
        ));
        print(format!("{}\n\ntry next, in another terminal:", keys));
        let hypha =
            std::env::current_exe().map_or_else(|_| "hypha".to_owned(), |path| path.display().to_string());
        let alice = self.accounts[7].address();
        let domain = HUB_CHAIN + 1;
        print(format!("  source {}", self.files.path("hypha.env").display()));
        print(format!("  {hypha} status"));
        print(format!(
            "  HYPHA_KEY=$ISSUER_KEY {hypha} issue --label gold --to {alice} --domain {domain} --quantity 5"
        ));
        print(format!("  {hypha} verify\n\nCtrl-C stops everything"));
    }
}

/// The plan of the devnet's contracts.
fn plan(args: &DevnetArgs, nodes: &[SocketAddr], accounts: &[PrivateKeySigner]) -> Result<Plan, CliError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| CliError::Failed(error.into()))?;
    let chain = |position: usize| PlannedChain {
        chain_id: HUB_CHAIN + position as u64,
        name: if position == 0 { "hub".to_owned() } else { format!("spoke-{position}") },
        rpc: RpcUrl::from(format!("http://{}", nodes[position])),
        attested: false,
        nullifier_cache: true,
    };
    let mut plan = Plan {
        owner: None,
        pauser: None,
        pause_seconds: plan::default_pause_seconds(),
        sequencers: vec![accounts[1].address()],
        liveness_window_s: args.liveness_window,
        inclusion_window_s: args.inclusion_window,
        request_fee_wei: plan::default_request_fee_wei(),
        max_request_fee_wei: plan::default_max_request_fee_wei(),
        attestors: accounts[3..3 + ATTESTORS].iter().map(PrivateKeySigner::address).collect(),
        threshold: THRESHOLD,
        attestors_expire_at: now.as_secs() + ATTESTORS_VALID_S,
        salt: String::new(),
        governance: None,
        hub: chain(0),
        spokes: (1..nodes.len()).map(chain).collect(),
    };
    // As in production: nobody here needs governance before its delay is over.
    plan.governance = Some(PlannedGovernance {
        proposers: vec![accounts[0].address()],
        executors: Vec::new(),
        delay_s: plan.least_delay_s(),
    });
    Ok(plan)
}
