//! A devnet of its own for a test binary: started once, found through its ready file, ended with the test process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use alloy::primitives::{Address, B256};
use alloy::sol_types::Eip712Domain;
use hypha_protocol::contracts::{IRootVerifier, Issue, Transfer};
use hypha_protocol::json::{IssueJson, TransferJson};
use hypha_protocol::operations::Operation;
use hypha_protocol::signing::hub_domain;
use serde_json::{Value, json};

use crate::FINALIZED_WITHIN;
use crate::http::Api;
use crate::process::{MARKER, is_alive, kill};
use crate::promises::Listener;
use crate::rpc::Rpc;
use crate::tools::{Finished, command, finish, hypha, scratch};
use crate::waiting::wait_until;

/// Time for a devnet to be up; about 15 s on an idle machine.
const UP_WITHIN: Duration = Duration::from_secs(150);
/// Time for a service that was started again to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One chain and its contracts.
#[derive(Clone, Debug)]
pub struct ChainInfo {
    /// Chain id.
    pub id: u64,
    /// `hub` or `spoke`.
    pub role: String,
    /// The node's URL.
    pub rpc: String,
    /// The hub or spoke contract.
    pub verifier: Address,
}

impl ChainInfo {
    /// Whether it is the hub.
    pub fn is_hub(&self) -> bool {
        self.role == "hub"
    }
}

/// A service that runs as a process.
#[derive(Debug)]
pub struct Service {
    /// `coordinator`, `relayer`, `attestor-1` and so on.
    pub name: String,
    /// Its base URL.
    pub api: Api,
    kind: String,
    config: PathBuf,
    log: PathBuf,
    key_variable: String,
    key: String,
    pid: Mutex<u32>,
    again: Mutex<Option<Child>>,
}

/// A running devnet.
#[derive(Debug)]
pub struct Devnet {
    /// The coordinator's API.
    pub api: Api,
    /// The chains, hub first.
    pub chains: Vec<ChainInfo>,
    /// The services, coordinator first.
    pub services: Vec<Service>,
    /// Settings file for the user commands of `hypha`.
    pub settings: PathBuf,
    /// Deployment file.
    pub deployment: PathBuf,
    /// Keys of funded accounts, by what they are for.
    pub keys: BTreeMap<String, String>,
    /// What marks its processes.
    pub mark: String,
    folder: PathBuf,
    lifeline: Child,
    pub(crate) listener: Listener,
}

impl Devnet {
    /// Starts a devnet with two spokes and no demonstration, and waits until it is up. When this process ends, however it
    /// ends, the pipe to the guard closes and the devnet with everything in it ends too.
    ///
    /// # Panics
    /// When it is not up in time.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// As [`Devnet::start`], with further arguments of `hypha devnet`.
    ///
    /// # Panics
    /// When it is not up in time.
    pub fn start_with(name: &str, more: &[&str]) -> Self {
        let folder = scratch(name);
        let ready_file = folder.join("ready.json");
        let log = File::create(folder.join("devnet.log")).expect("the folder is new");
        let mut guard = command(hypha());
        guard
            .args(["guard", "--"])
            .arg(hypha())
            .args(["devnet", "--skip-demo", "--state"])
            .arg(folder.join("state"));
        guard.arg("--ports-file").arg(&ready_file).args(more).env(MARKER, name);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let mut lifeline = guard.spawn().expect("hypha runs");
        let ready = wait_until("the devnet is up", UP_WITHIN, || {
            if let Ok(Some(status)) = lifeline.try_wait() {
                panic!("the devnet ended ({status}): {}", read(&folder.join("devnet.log")));
            }
            serde_json::from_slice::<Value>(&std::fs::read(&ready_file).ok()?).ok()
        });
        let devnet = Self::of(&ready, name, folder, lifeline);
        devnet.wait_ready();
        devnet
    }

    fn of(ready: &Value, name: &str, folder: PathBuf, lifeline: Child) -> Self {
        let list = |field: &str| ready[field].as_array().expect("a list").clone();
        let api = Api::new(&text(ready, "api"));
        let chains: Vec<ChainInfo> = list("chains").iter().map(chain_info).collect();
        Self {
            listener: Listener::start(api.clone(), chains.clone()),
            api,
            chains,
            services: list("services").iter().map(Service::of).collect(),
            settings: text(ready, "settings").into(),
            deployment: text(ready, "deployment").into(),
            keys: list("accounts").iter().map(|one| (text(one, "name"), text(one, "key"))).collect(),
            mark: name.to_owned(),
            folder,
            lifeline,
        }
    }

    fn wait_ready(&self) {
        wait_until("the coordinator is ready", UP_WITHIN, || self.api.try_get("/readyz"));
    }

    /// A path in this devnet's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The hub.
    pub fn hub(&self) -> &ChainInfo {
        &self.chains[0]
    }

    /// The spokes.
    pub fn spokes(&self) -> &[ChainInfo] {
        &self.chains[1..]
    }

    /// A service by its name.
    ///
    /// # Panics
    /// When there is none.
    pub fn service(&self, name: &str) -> &Service {
        self.services.iter().find(|service| service.name == name).expect("a service of this name")
    }

    /// The domain for which operations are signed.
    pub fn domain(&self) -> Eip712Domain {
        hub_domain(self.hub().id, self.hub().verifier)
    }

    /// Hands in an issue, and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn issue(&self, issue: &Issue) -> String {
        let id = self.api.submit("issues", &json!(IssueJson::from(issue)));
        self.remember(id, Operation::Issue(issue.clone()))
    }

    /// Hands in a transfer, and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn transfer(&self, transfer: &Transfer) -> String {
        let id = self.api.submit("transfers", &json!(TransferJson::from(transfer)));
        self.remember(id, Operation::Transfer(transfer.clone()))
    }

    /// Remembers that an operation was answered 202, so that [`Self::check_promises`] asks for its end.
    fn remember(&self, id: String, operation: Operation) -> String {
        self.listener.remember(id.parse().expect("an id is a word"), operation);
        id
    }

    /// Waits until all chains hold the same index and root, and gives both.
    ///
    /// # Panics
    /// When they do not in time.
    pub fn one_root(&self) -> (u64, B256) {
        wait_until("all chains hold one root", FINALIZED_WITHIN, || {
            let held: Vec<(u64, B256)> = self
                .chains
                .iter()
                .map(|chain| {
                    let rpc = Rpc::new(&chain.rpc);
                    let index = rpc.call(chain.verifier, IRootVerifier::indexCall {}, None);
                    (index, rpc.call(chain.verifier, IRootVerifier::rootAtCall { atIndex: index }, None))
                })
                .collect();
            held.iter().all(|one| *one == held[0]).then(|| held[0])
        })
    }

    /// Runs a command of `hypha` with this devnet's settings.
    pub fn hypha(&self, arguments: &[&str]) -> Finished {
        let mut hypha = command(hypha());
        hypha.args(arguments).arg("--config").arg(&self.settings);
        finish(hypha, "", FINALIZED_WITHIN)
    }

    /// Runs a command of `hypha` with this devnet's settings and the key of a funded account.
    pub fn hypha_as(&self, account: &str, arguments: &[&str]) -> Finished {
        let mut hypha = command(hypha());
        hypha.args(arguments).arg("--config").arg(&self.settings).env("HYPHA_KEY", &self.keys[account]);
        finish(hypha, "", FINALIZED_WITHIN)
    }

    /// Rebuilds the tree from the hub's logs with `hypha verify`, which must agree with every chain; gives its report.
    ///
    /// # Panics
    /// When it does not.
    pub fn verify(&self) -> Value {
        let finished = self.hypha(&["verify", "--json"]);
        assert_eq!(finished.status, Some(0), "{finished:?}");
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
    }

    /// Kills the devnet itself, which has no time to tidy up.
    ///
    /// # Panics
    /// When it cannot be found.
    pub fn kill_outright(&mut self) {
        let line = |line: &str| line.contains(" devnet ") && !line.contains(" guard ");
        let left = crate::process::left_over(&self.mark);
        let found = left.iter().find(|(_, command)| line(command));
        let (pid, _) = found.unwrap_or_else(|| panic!("no devnet among {left:?}"));
        kill(*pid, "KILL");
        self.lifeline.wait().expect("the guard ends with the devnet");
    }
}

impl Service {
    fn of(ready: &Value) -> Self {
        Self {
            name: text(ready, "name"),
            api: Api::new(&text(ready, "url")),
            kind: text(ready, "kind"),
            config: text(ready, "config").into(),
            log: text(ready, "log").into(),
            key_variable: text(ready, "key_variable"),
            key: text(ready, "key"),
            pid: Mutex::new(
                ready["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process id"),
            ),
            again: Mutex::new(None),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        *self.pid.lock().expect("no test panics while it holds this")
    }

    /// Ends its process at once, without a chance to tidy up.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&self) {
        let pid = self.pid();
        kill(pid, "KILL");
        if let Some(mut child) = self.again.lock().expect("as above").take() {
            child.wait().expect("it was killed");
        }
        wait_until(&format!("{} is gone", self.name), READY_WITHIN, || (!is_alive(pid)).then_some(()));
    }

    /// Deletes the store of a service that does not run.
    ///
    /// # Panics
    /// When there is none.
    pub fn delete_store(&self) {
        std::fs::remove_file(self.config.with_extension("redb"))
            .expect("the devnet keeps it beside the configuration");
    }

    /// Starts it again as the devnet did, with the same configuration, store and key, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready in time.
    pub fn restart(&self, devnet: &Devnet) {
        let log = OpenOptions::new().append(true).open(&self.log).expect("the devnet made it");
        let mut hypha = command(hypha());
        hypha.arg(&self.kind).arg("--config").arg(&self.config).args(["--log", "json", "--exit-with-stdin"]);
        hypha.env(&self.key_variable, &self.key).env(MARKER, &devnet.mark);
        hypha.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let child = hypha.spawn().expect("hypha runs");
        *self.pid.lock().expect("as above") = child.id();
        let mut again = self.again.lock().expect("as above");
        let child = again.insert(child);
        wait_until(&format!("{} is ready again", self.name), READY_WITHIN, || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("{} ended ({status}): {}", self.name, read(&self.log));
            }
            self.api.try_get("/readyz")
        });
    }
}

fn chain_info(ready: &Value) -> ChainInfo {
    ChainInfo {
        id: text(ready, "chainId").parse().expect("a chain id"),
        role: text(ready, "role"),
        rpc: text(ready, "rpc"),
        verifier: text(ready, "verifier").parse().expect("an address"),
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {value}")).to_owned()
}

/// The last lines of a log.
fn read(path: &Path) -> String {
    let log = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
