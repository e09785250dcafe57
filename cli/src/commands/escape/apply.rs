//! `hypha escape apply`: resolves the requests at the head of the hub's queue by a batch of one's own.

use std::collections::BTreeSet;
use std::time::Duration;

use alloy::primitives::{B256, U256};
use alloy::sol_types::SolInterface;
use clap::Args;
use hypha_chain::submit::MAX_GAS;
use hypha_chain::{BlockTag, ChainError, Receipt};
use hypha_protocol::contracts::IPausable::IPausableErrors;
use hypha_protocol::contracts::IRootHub::{self, IRootHubErrors};
use hypha_protocol::contracts::IRootVerifier::IRootVerifierErrors;
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{Operation, Request, Rules};
use hypha_protocol::signing::hub_domain;
use serde::Serialize;
use tokio::time::Instant;

use super::batch::{Draft, request};
use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::history::{History, Pace};
use crate::keys::KeySource;
use crate::output::{Table, print, progress, short};
use crate::reader::{Reader, failure, reason};
use crate::settings::{Common, Settings};
use crate::wallet::Wallet;

/// Time between looks at the chain's time while a window is waited for.
const POLL: Duration = Duration::from_secs(1);

/// Apply a batch that resolves the oldest requests of the hub's queue
///
/// Rebuilds the tree and the queue from the hub's logs, resolves as many requests as one batch takes, executed or void, and sends
/// it. A sequencer may at any time; anyone else when for the liveness window none applied a batch that left no request overdue. Signs the
/// transaction with HYPHA_KEY or --keystore, whose account pays for it.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  HYPHA_KEY=… hypha escape apply --wait --deployment deployment.json --rpc 31337=http://127.0.0.1:8545")]
pub(super) struct ApplyArgs {
    /// Wait until the hub lets this account apply a batch; at most --timeout
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    key: KeySource,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The hub, and who sends to it.
struct Hub<'a> {
    deployed: &'a Deployed,
    reader: Reader,
    wallet: Wallet,
}

/// What came of an attempt.
enum Attempt {
    /// The batch is on the chain.
    Applied(Draft, Receipt),
    /// Nothing waits to be resolved.
    Empty,
    /// The hub takes no batch of this account before this time.
    TooEarly { until: u64, why: String },
    /// Somebody else's batch came first.
    Overtaken,
}

/// What was done, as data.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    index: String,
    root: B256,
    tx: B256,
    gas: String,
    resolved: Vec<Resolved>,
    /// Requests that wait still.
    waiting: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resolved {
    chain_id: String,
    number: String,
    /// `executed`, or why the request is void.
    outcome: &'static str,
    operation: B256,
    created: Vec<B256>,
}

/// Applies one batch.
pub(super) async fn run(args: &ApplyArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let deployment = Deployment::of(&settings)?;
    let reader = deployment.hub().reader(&settings).await?;
    let wallet = Wallet::new(&reader, args.key.signer(&settings)?, settings.timeout);
    let hub = Hub { deployed: deployment.hub(), reader, wallet };
    let deadline = Instant::now() + settings.timeout;
    loop {
        match hub.attempt().await? {
            Attempt::Applied(draft, receipt) => return hub.report(settings.json, &draft, &receipt).await,
            Attempt::Empty => return report_empty(settings.json),
            Attempt::Overtaken => progress("somebody else's batch came first: reading it"),
            Attempt::TooEarly { until, why } if args.wait => hub.wait(until, &why, deadline).await?,
            Attempt::TooEarly { until, why } => return Err(hub.too_early(until, &why).await?),
        }
        if Instant::now() >= deadline {
            return Err(CliError::TimedOut(format!("no batch within {} s", settings.timeout.as_secs())));
        }
    }
}

impl Hub<'_> {
    async fn attempt(&self) -> Result<Attempt, CliError> {
        let queue = self.reader.ask(IRootHub::queueCall {}).await?;
        if queue.enqueued == queue.resolved {
            return Ok(Attempt::Empty);
        }
        if let Some(attempt) = self.closed().await? {
            return Ok(attempt);
        }
        let history = History::read(self.deployed, &self.reader, None, &mut |_| ()).await?;
        let requests: Result<Vec<Request>, _> = history.waiting.iter().map(request).collect();
        let requests = requests.map_err(|error| CliError::Disagreed(format!("the hub's queue: {error}")))?;
        if requests.is_empty() {
            return Ok(Attempt::Overtaken);
        }
        progress(format!(
            "{} requests wait; the tree is that of index {}",
            requests.len(),
            history.replica.index()
        ));
        let rules = self.rules().await?;
        let mut most = requests.len();
        loop {
            let draft = Draft::build(&history.replica, &requests, &rules, most)?;
            match self.wallet.estimate(&draft.calldata, U256::ZERO).await {
                Ok(gas) if gas > MAX_GAS && draft.operations.len() > 1 => most = draft.operations.len() / 2,
                Ok(gas) => {
                    let receipt = self.wallet.call(draft.calldata.clone(), U256::ZERO, gas).await?;
                    return Ok(Attempt::Applied(draft, receipt));
                }
                Err(ChainError::Reverted { data }) => return refusal(&data),
                Err(error) => return Err(failure(self.deployed.chain_id, error)),
            }
        }
    }

    /// Whether the liveness window is closed to this account, before anything is rebuilt.
    async fn closed(&self) -> Result<Option<Attempt>, CliError> {
        let account = self.wallet.address();
        if self.reader.ask(IRootHub::isSequencerCall { account }).await? {
            return Ok(None);
        }
        let last = self.reader.ask(IRootHub::lastSequencedAtCall {}).await?;
        let until = last.saturating_add(self.reader.ask(IRootHub::livenessWindowCall {}).await?);
        let why = "the liveness window opens then: before, only sequencers may apply batches".to_owned();
        Ok((self.now().await? < until).then_some(Attempt::TooEarly { until, why }))
    }

    /// What the hub checks a batch against now.
    async fn rules(&self) -> Result<Rules, CliError> {
        let spokes = self.reader.ask(IRootHub::spokeChainsCall {}).await?;
        let domains: BTreeSet<u64> = spokes.iter().map(|chain| chain.saturating_to()).collect();
        let domains = domains.into_iter().chain([self.deployed.chain_id]).collect();
        let separator = hub_domain(self.deployed.chain_id, self.deployed.verifier).separator();
        Ok(Rules::hub(separator, self.now().await?, domains))
    }

    /// The chain's own time.
    async fn now(&self) -> Result<u64, CliError> {
        let broken = |error| failure(self.deployed.chain_id, error);
        let latest = self.reader.chain().block(BlockTag::Latest).await.map_err(broken)?;
        Ok(latest.ok_or(ChainError::UnknownBlock).map_err(broken)?.time)
    }

    async fn wait(&self, until: u64, why: &str, deadline: Instant) -> Result<(), CliError> {
        let mut now = self.now().await?;
        progress(format!("waiting {} s, until {until}: {why}", until.saturating_sub(now)));
        let mut pace = Pace::new();
        while now < until {
            if Instant::now() >= deadline {
                return Err(CliError::TimedOut(format!("{} s before {until}: {why}", until - now)));
            }
            pace.tell(|| format!("{} s to go", until - now));
            tokio::time::sleep(POLL).await;
            now = self.now().await?;
        }
        Ok(())
    }

    async fn too_early(&self, until: u64, why: &str) -> Result<CliError, CliError> {
        let resolved = self.reader.ask(IRootHub::queueCall {}).await?.resolved;
        let head = self.reader.ask(IRootHub::queuedAtCall { position: resolved }).await?;
        let seconds = until.saturating_sub(self.now().await?);
        Ok(CliError::TooEarly(format!(
            "{seconds} s to go, until {until}: {why}. The oldest request, {} of chain {}, is due at {}: from then on the hub takes \
             no batch without it. Run this again then, or now with --wait",
            head.number, head.chainId, head.dueAt
        )))
    }

    async fn report(&self, json: bool, draft: &Draft, receipt: &Receipt) -> Result<(), CliError> {
        let queue = self.reader.ask(IRootHub::queueCall {}).await?;
        let report = Report {
            index: draft.index.to_string(),
            root: draft.root,
            tx: receipt.tx_hash,
            gas: receipt.gas_used.to_string(),
            resolved: draft.operations.iter().filter_map(resolved).collect(),
            waiting: queue.enqueued.saturating_sub(queue.resolved).to_string(),
        };
        if json {
            print(serde_json::to_string(&report).map_err(|error| CliError::Failed(error.into()))?);
            return Ok(());
        }
        print(format!("batch {} applied ({} gas), root {}\n", report.index, report.gas, report.root));
        print(table(&report.resolved));
        for id in report.resolved.iter().flat_map(|one| &one.created) {
            print(format!("created {id}"));
        }
        if queue.enqueued > queue.resolved {
            print(format!("{} requests wait still: run this again", report.waiting));
        }
        Ok(())
    }
}

/// What a refusal means for the next attempt.
fn refusal(data: &[u8]) -> Result<Attempt, CliError> {
    if let Ok(IPausableErrors::Paused(error)) = IPausableErrors::abi_decode(data) {
        return Ok(Attempt::TooEarly { until: error.until, why: "the hub is paused until then".to_owned() });
    }
    if let Ok(IRootVerifierErrors::IndexMismatch(_)) = IRootVerifierErrors::abi_decode(data) {
        return Ok(Attempt::Overtaken);
    }
    match IRootHubErrors::abi_decode(data) {
        Ok(IRootHubErrors::NotSequencer(error)) => Ok(Attempt::TooEarly {
            until: error.opensAt.saturating_to(),
            why: "a sequencer applied a batch meanwhile; the liveness window opens anew then".to_owned(),
        }),
        Ok(IRootHubErrors::SequencersTurn(error)) => Ok(Attempt::TooEarly {
            until: error.until.saturating_to(),
            why: "somebody who is no sequencer applied a batch a short while ago; until then it is the sequencers' turn"
                .to_owned(),
        }),
        _ => Err(CliError::Disagreed(format!("the hub would refuse the batch: {}", reason(data)))),
    }
}

fn resolved(operation: &Operation) -> Option<Resolved> {
    let resolution = operation.resolution()?;
    let outcome = match operation {
        Operation::Void(void) => void.reason().as_str(),
        _ => "executed",
    };
    Some(Resolved {
        chain_id: resolution.chain_id.to_string(),
        number: resolution.number.to_string(),
        outcome,
        operation: operation.id(),
        created: operation.created().iter().map(resource_id).collect(),
    })
}

fn table(resolved: &[Resolved]) -> Table {
    let mut table = Table::new(&["CHAIN", "REQUEST", "OUTCOME", "OPERATION"]);
    for one in resolved {
        let operation = short(&one.operation.to_string());
        table.row([one.chain_id.clone(), one.number.clone(), one.outcome.to_owned(), operation]);
    }
    table
}

fn report_empty(json: bool) -> Result<(), CliError> {
    if json {
        print(serde_json::json!({ "resolved": [], "waiting": "0" }));
    } else {
        print("nothing waits in the hub's queue: there is no batch to apply");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};
    use alloy::sol_types::SolError;
    use hypha_protocol::contracts::{IPausable, IRootVerifier};

    use super::*;

    #[test]
    fn a_refusal_says_whether_to_wait_to_read_again_or_to_give_up() {
        let early = |data: Vec<u8>| match refusal(&data) {
            Ok(Attempt::TooEarly { until, .. }) => until,
            _ => 0,
        };
        let caller = Address::repeat_byte(1);
        assert_eq!(early(IRootHub::NotSequencer { caller, opensAt: U256::from(7) }.abi_encode()), 7);
        assert_eq!(early(IRootHub::SequencersTurn { until: U256::from(8) }.abi_encode()), 8);
        assert_eq!(early(IPausable::Paused { until: 9 }.abi_encode()), 9);
        let overtaken = IRootVerifier::IndexMismatch { expected: 2, actual: 1 }.abi_encode();
        assert!(matches!(refusal(&overtaken), Ok(Attempt::Overtaken)));
        let due =
            IRootHub::RequestDue { chainId: U256::from(1), number: 2, dueAt: U256::from(3) }.abi_encode();
        assert!(matches!(refusal(&due), Err(CliError::Disagreed(text)) if text.contains("RequestDue")));
    }
}
