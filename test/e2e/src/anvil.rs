//! A chain of its own for a test. Ends with the test process, however that ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use serde_json::{Value, json};

use crate::rpc::Rpc;
use crate::tools::{command, hypha};
use crate::waiting::wait_until;

/// Time for anvil to listen; well under a second on an idle machine.
const UP_WITHIN: Duration = Duration::from_secs(60);
/// Time for a transaction to be mined, which begins at once.
const MINED_WITHIN: Duration = Duration::from_secs(30);

/// A running chain.
#[derive(Debug)]
pub struct Anvil {
    /// Its node.
    pub rpc: Rpc,
    guard: Child,
}

impl Anvil {
    /// A new chain with this id, which makes a block of each transaction.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(chain_id: u64) -> Self {
        Self::with(&["--chain-id", &chain_id.to_string(), "--slots-in-an-epoch", "1"])
    }

    /// A copy of a chain at its present state, which goes its own way.
    ///
    /// # Panics
    /// When it does not start.
    pub fn fork(url: &str) -> Self {
        Self::with(&["--fork-url", url])
    }

    fn with(arguments: &[&str]) -> Self {
        let mut guard = command(hypha());
        guard.args(["guard", "--", "anvil", "--host", "127.0.0.1", "--port", "0"]).args(arguments);
        guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = guard.spawn().expect("hypha runs");
        let output = BufReader::new(guard.stdout.take().expect("it is piped"));
        let (sender, receiver) = channel();
        // Reads on after the address has come, so that the pipe never fills.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(address) = line.trim().strip_prefix("Listening on ") {
                    let _nobody_waits_any_more = sender.send(address.to_owned());
                }
            }
        });
        let address = receiver.recv_timeout(UP_WITHIN).expect("anvil says where it listens");
        Self { rpc: Rpc::new(&format!("http://{address}")), guard }
    }

    /// Gives an account what it needs for transactions.
    ///
    /// # Panics
    /// When the node refuses.
    pub fn fund(&self, account: Address) {
        let wei = U256::from(10).pow(U256::from(20));
        self.rpc.ask("anvil_setBalance", json!([account, wei]));
    }

    /// Sends a call as any account, without its key, which must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn send_as(&self, from: Address, to: Address, call: &impl SolCall) {
        self.fund(from);
        self.rpc.ask("anvil_impersonateAccount", json!([from]));
        let data = Bytes::from(call.abi_encode());
        let hash = self.rpc.ask("eth_sendTransaction", json!([{ "from": from, "to": to, "input": data }]));
        let receipt = wait_until("the transaction is mined", MINED_WITHIN, || {
            let receipt = self.rpc.ask("eth_getTransactionReceipt", json!([hash]));
            (!receipt.is_null()).then_some(receipt)
        });
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        self.rpc.ask("anvil_stopImpersonatingAccount", json!([from]));
    }

    /// Does something and takes it back, with everything that came of it.
    ///
    /// # Panics
    /// When the node cannot.
    pub fn undone<T>(&self, act: impl FnOnce() -> T) -> T {
        let snapshot = self.rpc.ask("evm_snapshot", json!([]));
        let outcome = act();
        assert_eq!(self.rpc.ask("evm_revert", json!([snapshot])), Value::Bool(true));
        outcome
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // The guard ends because its standard input closed; how does not matter here.
        let _status = self.guard.wait();
    }
}
