//! The chains of the devnet: one anvil each, on a free loopback port.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::process::Process;
use crate::exit::CliError;
use crate::keys;

/// Time for anvil to listen; it takes well under a second on an idle machine.
const START_TIME: Duration = Duration::from_secs(30);
/// Accounts that anvil funds from its published development mnemonic.
const ACCOUNTS: usize = 10;
/// Lines that anvil prints before it listens are some sixty; more mean that it is no anvil.
const MAX_LINES: usize = 1_000;

/// A running chain.
#[derive(Debug)]
pub(super) struct Anvil {
    /// Its process.
    pub(super) process: Process,
    /// Where it answers.
    pub(super) address: SocketAddr,
    /// The keys of its funded accounts.
    pub(super) keys: Vec<PrivateKeySigner>,
}

/// Starts a chain with one-second blocks and real finality, and waits until it listens.
pub(super) async fn start(chain_id: u64) -> Result<Anvil, CliError> {
    let this = std::env::current_exe().map_err(|error| CliError::Failed(error.into()))?;
    let chain = chain_id.to_string();
    let accounts = ACCOUNTS.to_string();
    let anvil = [
        ["anvil", "--host", "127.0.0.1", "--port", "0"].as_slice(),
        &["--chain-id", &chain, "--accounts", &accounts],
        &["--block-time", "1", "--slots-in-an-epoch", "1"],
    ]
    .concat();
    let name = format!("anvil {chain_id}");
    let mut command = Command::new(this);
    let mut process =
        Process::start(&name, command.args(["guard", "--"]).args(anvil).stdout(Stdio::piped()))?;
    let output = process.take_output().expect("its standard output was made a pipe");
    let mut output = BufReader::new(output);
    let started = tokio::time::timeout(START_TIME, read_start(&mut output)).await;
    let (address, keys) =
        started.map_err(|_| CliError::TimedOut(format!("{name} does not listen")))?.ok_or_else(|| {
            CliError::Failed(anyhow::anyhow!(
                "{name} did not start (is anvil on the PATH? scripts/devnet puts it there)"
            ))
        })?;
    // What it prints later is read so that its pipe never fills, and is of no use.
    tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
    Ok(Anvil { process, address, keys })
}

/// Reads what anvil prints up to where it listens; `None` when it ends before or has not the keys.
async fn read_start(output: &mut (impl AsyncRead + Unpin)) -> Option<(SocketAddr, Vec<PrivateKeySigner>)> {
    let mut lines = BufReader::new(output).lines();
    let mut found = Vec::new();
    for _ in 0..MAX_LINES {
        let line = lines.next_line().await.ok().flatten()?;
        if let Some(address) = line.trim().strip_prefix("Listening on ") {
            return (found.len() == ACCOUNTS).then_some((address.parse().ok()?, found));
        }
        found.extend(key_in(&line));
    }
    None
}

/// The key in a line such as `(0) 0xac09…`; the lines of addresses are shorter or go on.
fn key_in(line: &str) -> Option<PrivateKeySigner> {
    let (number, word) = line.trim().strip_prefix('(')?.split_once(") ")?;
    number.parse::<usize>().ok()?;
    (word.len() == 66).then(|| keys::from_hex(word, "anvil").ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_lines(accounts: usize) -> String {
        let addresses =
            (0..accounts).map(|n| format!("({n}) 0x{} (10000.000000000000000000 ETH)\n", "ab".repeat(20)));
        let keys = (0..accounts).map(|n| format!("({n}) 0x{:064x}\n", n + 1));
        let lines: String = addresses.chain(keys).collect();
        format!("Available Accounts\n==\n{lines}Base Fee\n\nListening on 127.0.0.1:4567\nlater\n")
    }

    #[tokio::test]
    async fn port_and_keys_are_read_from_the_start() {
        let text = start_lines(ACCOUNTS);
        let (address, keys) = read_start(&mut text.as_bytes()).await.unwrap();
        assert_eq!((address.port(), keys.len()), (4567, ACCOUNTS));
        assert_ne!(keys[0].address(), keys[1].address());
    }

    #[tokio::test]
    async fn a_start_without_keys_or_without_listening_is_none() {
        assert!(read_start(&mut start_lines(3).as_bytes()).await.is_none());
        assert!(
            read_start(&mut start_lines(ACCOUNTS).split("Listening").next().unwrap().as_bytes())
                .await
                .is_none()
        );
    }
}
