//! The devnet's folder: configurations, stores, logs, and what a user or a test needs to know.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hypha_chain::config::RpcUrl;
use hypha_chain::{ChainConfig, Finality, KeyConfig};
use hypha_coordinator::config::AdminConfig;
use serde::Serialize;

use crate::deployment::Deployed;
use crate::exit::CliError;

/// What tells the devnet's own folder from any other, which is never wiped. Held locked while a devnet runs.
const MARK: &str = ".hypha-devnet";
/// Milliseconds between looks at a chain that makes a block a second.
const POLL_MS: u64 = 200;
/// Ports of the services: below those that Linux (from 32768) and macOS (from 49152) give to outgoing connections.
const SERVICE_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The folder, empty at first and this devnet's alone.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    lock: File,
}

impl Drop for Files {
    /// Closing the file would not do: a child that was just forked has it too, until it becomes another program.
    fn drop(&mut self) {
        let _gone_with_the_process_at_the_latest = self.lock.unlock();
    }
}

impl Files {
    /// Wipes what an earlier devnet left, and takes the folder.
    pub(super) fn prepare(folder: &Path) -> Result<Self, CliError> {
        let failed =
            |error: std::io::Error| CliError::Failed(anyhow::anyhow!("{}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let mark = folder.join(MARK);
        let strange = std::fs::read_dir(&folder).map_err(failed)?.next().is_some() && !mark.exists();
        if strange {
            let why = format!(
                "{} holds files that are not a devnet's: name another with --state",
                folder.display()
            );
            return Err(CliError::Usage(why));
        }
        let lock = File::create(&mark).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why =
                    format!("another devnet runs in {}: name another folder with --state", folder.display());
                return Err(CliError::Usage(why));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(&path).map_err(failed)?;
            } else if path != mark {
                std::fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(Self { folder, lock })
    }

    /// A file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a TOML file and gives its path.
    pub(super) fn write_toml(&self, name: &str, content: &impl Serialize) -> Result<PathBuf, CliError> {
        let path = self.path(name);
        let text = toml::to_string(content).map_err(|error| CliError::Failed(error.into()))?;
        std::fs::write(&path, text)
            .map_err(|error| CliError::Failed(anyhow::anyhow!("{}: {error}", path.display())))?;
        Ok(path)
    }

    /// Writes a secret that only this user can read, and gives the path of its file.
    pub(super) fn write_secret(&self, name: &str, secret: &str) -> Result<PathBuf, CliError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.path(name);
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| writeln!(file, "{secret}"))
            .map_err(|error| CliError::Failed(anyhow::anyhow!("{}: {error}", path.display())))?;
        Ok(path)
    }

    /// Writes variables that a shell takes over with `source`.
    pub(super) fn write_environment(
        &self,
        name: &str,
        variables: &[(String, String)],
    ) -> Result<(), CliError> {
        let path = self.path(name);
        let line =
            |(name, value): &(String, String)| format!("export {name}='{}'\n", value.replace('\'', "'\\''"));
        std::fs::write(&path, variables.iter().map(line).collect::<String>())
            .map_err(|error| CliError::Failed(anyhow::anyhow!("{}: {error}", path.display())))
    }
}

/// Configuration of any of the three services.
#[derive(Debug, Serialize)]
pub(super) struct ServiceFile {
    /// Where it answers.
    pub(super) listen: SocketAddr,
    /// Its store.
    pub(super) store: PathBuf,
    /// The operator's listener; for the coordinator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin: Option<AdminConfig>,
    /// Base URLs of the attestors; for the relayer only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attestors: Option<Vec<String>>,
    /// Its key.
    pub(super) key: KeyConfig,
    /// The chains.
    pub(super) chains: Vec<ChainConfig>,
}

/// A chain as a service is told of it: all of `rpc` must agree.
pub(super) fn chain_config(chain: &Deployed, rpc: &[SocketAddr]) -> ChainConfig {
    ChainConfig {
        chain_id: chain.chain_id,
        name: chain.name.clone(),
        role: chain.role,
        rpc: rpc.iter().map(|address| RpcUrl::from(format!("http://{address}"))).collect(),
        quorum: rpc.len(),
        verifier: chain.verifier,
        fact_verifier: chain.fact_verifier,
        attested: chain.attested,
        start_block: chain.block,
        poll_ms: POLL_MS,
        finality: Finality::Finalized,
        max_logs_range: 1_000,
    }
}

/// Free loopback ports for services, which take them a moment later and, started again, once more. They are outside of the
/// range from which the system serves everybody else's connections, so that none of those can come in between.
pub(super) fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, CliError> {
    let addresses: Result<Vec<SocketAddr>, _> =
        listeners(count)?.iter().map(TcpListener::local_addr).collect();
    addresses.map_err(|error| CliError::Failed(error.into()))
}

/// Takes so many free ports of the services.
fn listeners(count: usize) -> Result<Vec<TcpListener>, CliError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    // Another devnet that starts at the same time begins its search elsewhere.
    let first = (now ^ std::process::id()) as usize % SERVICE_PORTS.len();
    let ports = SERVICE_PORTS.skip(first).chain(SERVICE_PORTS.take(first));
    let listeners: Vec<TcpListener> =
        ports.filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).take(count).collect();
    if listeners.len() < count {
        let why = format!("no {count} free ports from {SERVICE_PORTS:?} on 127.0.0.1");
        return Err(CliError::Failed(anyhow::anyhow!(why)));
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_folder_is_never_wiped() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("letters.txt"), "dear").unwrap();
        assert!(matches!(Files::prepare(folder.path()), Err(CliError::Usage(_))));
        assert!(folder.path().join("letters.txt").exists());
    }

    #[test]
    fn an_earlier_devnet_is_wiped_and_a_running_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = Files::prepare(folder.path()).unwrap();
        std::fs::write(first.path("old.log"), "x").unwrap();
        assert!(
            matches!(Files::prepare(folder.path()), Err(CliError::Usage(text)) if text.contains("another devnet"))
        );
        assert!(first.path("old.log").exists());
        drop(first);
        let second = Files::prepare(folder.path()).unwrap();
        assert!(!second.path("old.log").exists());
    }

    #[test]
    fn ports_are_distinct_and_those_in_use_are_passed_over() {
        let held = listeners(20).unwrap();
        let mut all: Vec<SocketAddr> = held.iter().map(|listener| listener.local_addr().unwrap()).collect();
        all.extend(free_addresses(20).unwrap());
        all.sort();
        all.dedup();
        assert_eq!(all.len(), held.len() + 20);
        assert!(all.iter().all(|address| SERVICE_PORTS.contains(&address.port())));
    }

    #[test]
    fn a_shell_takes_over_the_environment_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::prepare(folder.path()).unwrap();
        let value = "it's $HOME; `a` \"b\"";
        files.write_environment("hypha.env", &[("NAME".to_owned(), value.to_owned())]).unwrap();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", ". ./hypha.env; printf %s \"$NAME\""]).current_dir(files.path(""));
        assert_eq!(String::from_utf8(shell.output().unwrap().stdout).unwrap(), value);
    }

    #[test]
    fn a_written_configuration_is_one_that_the_services_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::prepare(folder.path()).unwrap();
        let chain = Deployed {
            chain_id: 31337,
            name: "hub".into(),
            role: hypha_chain::Role::Hub,
            verifier: alloy::primitives::Address::repeat_byte(1),
            fact_verifier: alloy::primitives::Address::repeat_byte(2),
            attested: false,
            block: 3,
        };
        let addresses = free_addresses(2).unwrap();
        let content = |attestors| ServiceFile {
            admin: None,
            listen: addresses[0],
            store: files.path("store.redb"),
            attestors,
            key: KeyConfig::Env("NAME".into()),
            chains: vec![chain_config(&chain, &addresses)],
        };
        let path = files.write_toml("a.toml", &content(None)).unwrap();
        let attestor: hypha_attestor::AttestorConfig = crate::settings::read_toml(&path).unwrap();
        attestor.validate().unwrap();
        assert_eq!(attestor.chains[0].quorum, 2);
        let coordinator: hypha_coordinator::CoordinatorConfig = crate::settings::read_toml(&path).unwrap();
        coordinator.validate().unwrap();
        let path = files.write_toml("r.toml", &content(Some(vec!["http://127.0.0.1:1".into()]))).unwrap();
        let relayer: hypha_relayer::RelayerConfig = crate::settings::read_toml(&path).unwrap();
        relayer.validate().unwrap();
    }
}
