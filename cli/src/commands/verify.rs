//! `hypha verify`: rebuilds the tree from the hub chain's logs alone and compares it with every chain; or asks a chain
//! about a proof.

use std::path::PathBuf;

use alloy::primitives::B256;
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use hypha_protocol::contracts::IRootVerifier;
use hypha_protocol::replay::Replica;
use serde::Serialize;

use super::prove::check;
use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::forms::ProofView;
use crate::history::{Pace, Pages, apply, event};
use crate::output::{Table, print, progress, short};
use crate::reader::Reader;
use crate::settings::{Common, Settings};

/// Questions to one node at a time.
const QUESTIONS_AT_ONCE: usize = 16;

/// Rebuild the tree from the hub chain's logs and compare every root on every chain
///
/// Needs no service of Hypha, only nodes: --deployment, and a node for each chain (--rpc, or the table rpc in the settings file).
/// Exits with 5 when anything differs.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha verify --deployment deployment.json --rpc 31337=http://127.0.0.1:8545,31338=http://127.0.0.1:8546
  hypha verify --proof proof.json --chain 31338")]
pub(crate) struct VerifyArgs {
    /// Proof from `hypha prove`: ask the chain whether it holds, by eth_call
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// The chain to ask, where the proof names none or another one is wanted
    #[arg(long, value_name = "CHAIN", requires = "proof")]
    chain: Option<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Runs either of the two verifications.
pub(crate) async fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let deployment = Deployment::of(&settings)?;
    match &args.proof {
        Some(path) => verify_proof(&settings, &deployment, path, args.chain).await,
        None => verify_history(&settings, &deployment).await,
    }
}

async fn verify_proof(
    settings: &Settings,
    deployment: &Deployment,
    path: &std::path::Path,
    chain: Option<u64>,
) -> Result<(), CliError> {
    let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let proof: ProofView = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let named = proof.chain_id.as_deref().and_then(|chain| chain.parse().ok());
    let chain_id =
        chain.or(named).ok_or_else(|| CliError::Usage("the proof names no chain: --chain CHAIN".into()))?;
    check(&proof)?;
    let reader = deployment.chain(chain_id)?.reader(settings).await?;
    if !reader.accepts(&proof).await? {
        return Err(CliError::Disagreed(format!("chain {chain_id} does not know the root {}", proof.root)));
    }
    let word = if proof.present { "present" } else { "absent" };
    if settings.json {
        print(
            serde_json::json!({ "chainId": chain_id.to_string(), "key": proof.key, "root": proof.root, "verdict": word }),
        );
    } else {
        print(format!(
            "{} is {word} under {}, says {} on chain {chain_id}",
            proof.key,
            proof.root,
            reader.contract()
        ));
    }
    Ok(())
}

/// One step of the sequence of roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    root: B256,
    batch_chain: B256,
}

impl std::fmt::Display for Point {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "root {} and batch chain {}", self.root, self.batch_chain)
    }
}

/// A point in words.
fn words(point: Option<&Point>) -> String {
    point.map_or_else(|| "nothing".to_owned(), Point::to_string)
}

/// What came out for one chain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    chain_id: String,
    role: hypha_chain::Role,
    index: String,
    root: B256,
    /// Indexes whose root and batch chain are the rebuilt ones.
    compared: usize,
    /// Indexes that the chain skipped or no longer holds.
    unknown: usize,
    differences: Vec<String>,
}

async fn verify_history(settings: &Settings, deployment: &Deployment) -> Result<(), CliError> {
    let mut readers = Vec::new();
    for chain in &deployment.chains {
        readers.push((chain, chain.reader(settings).await?));
    }
    // First how far each chain is, then the hub's logs: no chain can then be ahead of what is rebuilt.
    let mut indexes = Vec::new();
    for (_, reader) in &readers {
        indexes.push(reader.ask(IRootVerifier::indexCall {}).await?);
    }
    let hub = readers
        .iter()
        .position(|(chain, _)| chain.role == hypha_chain::Role::Hub)
        .expect("a deployment has a hub");
    let history = rebuild(deployment.hub(), &readers[hub].1).await?;
    let mut verdicts = Vec::new();
    for ((chain, reader), index) in readers.iter().zip(indexes) {
        verdicts.push(compare(chain, reader, index, &history).await?);
    }
    report(settings.json, history.len() - 1, &verdicts)
}

/// Applies every batch of the hub's logs, checking all of each again, and gives the sequence from index 0.
async fn rebuild(hub: &Deployed, reader: &Reader) -> Result<Vec<Point>, CliError> {
    let mut replica = Replica::new(hub.chain_id, hub.verifier);
    let mut history = vec![point(&replica)];
    let mut pages = Pages::open(reader, hub.block).await?;
    let mut pace = Pace::new();
    while let Some(page) = pages.next().await? {
        for log in &page {
            if let Some(event) = event(log)? {
                apply(&mut replica, &event)?;
                history.push(point(&replica));
                pace.tell(|| pages.line(&replica));
            }
        }
    }
    progress(format!(
        "rebuilt {} batches, {} leaves, every signature checked",
        replica.index(),
        replica.tree().len()
    ));
    Ok(history)
}

fn point(replica: &Replica) -> Point {
    Point { root: B256::new(replica.root().into()), batch_chain: replica.batch_chain() }
}

/// Compares everything that a chain holds up to `index` with what was rebuilt.
async fn compare(
    chain: &Deployed,
    reader: &Reader,
    index: u64,
    history: &[Point],
) -> Result<Verdict, CliError> {
    let held = stream::iter(0..=index)
        .map(async |at| Ok::<_, CliError>((at, held(reader, at).await?)))
        .buffered(QUESTIONS_AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let root = held.last().and_then(|(_, point)| *point).map_or(B256::ZERO, |point| point.root);
    let (mut compared, mut unknown, mut differences) = (0, 0, Vec::new());
    for (at, point) in held {
        let rebuilt = usize::try_from(at).ok().and_then(|at| history.get(at));
        match (point, rebuilt) {
            (None, _) if chain.attested && at < index => unknown += 1,
            (Some(point), Some(rebuilt)) if point == *rebuilt => compared += 1,
            (point, rebuilt) => differences.push(format!(
                "index {at}: holds {}, rebuilt is {}",
                words(point.as_ref()),
                words(rebuilt)
            )),
        }
    }
    Ok(Verdict {
        chain_id: chain.chain_id.to_string(),
        role: chain.role,
        index: index.to_string(),
        root,
        compared,
        unknown,
        differences,
    })
}

/// What the chain holds at an index.
async fn held(reader: &Reader, at: u64) -> Result<Option<Point>, CliError> {
    let Some(root) = reader.root_at(at).await? else { return Ok(None) };
    let batch_chain = reader.ask(IRootVerifier::batchChainCall { atIndex: at }).await?;
    Ok(Some(Point { root, batch_chain }))
}

fn report(json: bool, batches: usize, verdicts: &[Verdict]) -> Result<(), CliError> {
    if json {
        print(serde_json::json!({ "batches": batches, "chains": verdicts }));
    } else {
        let mut table = Table::new(&["CHAIN", "INDEX", "ROOT", "COMPARED", "SKIPPED", "DIFFERENT"]);
        for verdict in verdicts {
            table.row([
                verdict.chain_id.clone(),
                verdict.index.clone(),
                short(&verdict.root.to_string()),
                verdict.compared.to_string(),
                verdict.unknown.to_string(),
                verdict.differences.len().to_string(),
            ]);
        }
        print(table);
    }
    let differences: Vec<String> = verdicts
        .iter()
        .flat_map(|verdict| {
            verdict.differences.iter().map(|text| format!("chain {} {text}", verdict.chain_id))
        })
        .collect();
    match differences.first() {
        None => Ok(()),
        Some(first) => {
            Err(CliError::Disagreed(format!("{} differences, the first: {first}", differences.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(differences: Vec<String>) -> Verdict {
        Verdict {
            chain_id: "1".into(),
            role: hypha_chain::Role::Hub,
            index: "3".into(),
            root: B256::ZERO,
            compared: 4,
            unknown: 0,
            differences,
        }
    }

    #[test]
    fn one_difference_anywhere_is_a_disagreement() {
        report(true, 3, &[verdict(vec![]), verdict(vec![])]).unwrap();
        let error = report(true, 3, &[verdict(vec![]), verdict(vec!["index 2: x".into()])]).unwrap_err();
        assert!(matches!(&error, CliError::Disagreed(text) if text.contains("index 2")), "{error}");
    }
}
