//! `hypha admin`: tells a running coordinator what to do, on its operator's listener.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, Secret};
use crate::exit::CliError;
use crate::output::{Table, print, progress, short};
use crate::settings::{Common, Settings};

/// Where a coordinator listens for its operator unless told otherwise.
const DEFAULT_ADMIN: &str = "http://127.0.0.1:8081";
/// Time between looks at a coordinator that drains.
const POLL: Duration = Duration::from_millis(500);

/// Tell a running coordinator what to do: pause, resume, drain, retry; or look at a batch
///
/// Works on the coordinator's own machine alone, with the token that its configuration names.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha admin pause --token-file admin.token
  hypha admin drain --token-file admin.token --json
  hypha admin batch 17 --token-file admin.token")]
pub(crate) struct AdminArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show what the coordinator has been told, what waits and what is under way
    #[command(after_help = "Example:
  hypha admin state --token-file admin.token")]
    State(Reach),
    /// Choose no new batch until told to resume, also after a restart; transfers are taken in until the queue is full
    #[command(after_help = "Example:
  hypha admin pause --token-file admin.token")]
    Pause(Reach),
    /// End a pause or a drain
    #[command(after_help = "Example:
  hypha admin resume --token-file admin.token")]
    Resume(Reach),
    Drain(DrainArgs),
    /// Try at once again what the hub refuses
    #[command(after_help = "Example:
  hypha admin retry --token-file admin.token")]
    Retry(Reach),
    Batch(BatchArgs),
    /// Read the file of API keys again
    #[command(after_help = "Example:
  hypha admin reload-keys --token-file admin.token")]
    ReloadKeys(Reach),
}

/// How the operator's listener is reached.
#[derive(Args, Clone, Debug)]
struct Reach {
    /// Base URL of the operator's listener [default: http://127.0.0.1:8081]
    #[arg(long, value_name = "URL", env = "HYPHA_ADMIN")]
    admin: Option<String>,
    /// File that holds the operator's token
    #[arg(long, value_name = "FILE", env = "HYPHA_ADMIN_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Take in nothing new until told to resume, and wait until all that was taken in has ended
#[derive(Args, Debug)]
#[command(after_help = "Example:
  hypha admin drain --token-file admin.token --timeout 600")]
struct DrainArgs {
    /// Do not wait
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Show a batch: its members, and how far its transaction is
#[derive(Args, Debug)]
#[command(after_help = "Example:
  hypha admin batch 17 --token-file admin.token")]
struct BatchArgs {
    /// Number of its root
    index: u64,
    #[command(flatten)]
    reach: Reach,
}

impl AdminArgs {
    fn reach(&self) -> &Reach {
        match &self.action {
            Action::State(reach)
            | Action::Pause(reach)
            | Action::Resume(reach)
            | Action::Retry(reach)
            | Action::ReloadKeys(reach) => reach,
            Action::Drain(args) => &args.reach,
            Action::Batch(args) => &args.reach,
        }
    }

    /// Whether results and failures are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        self.reach().common.json
    }
}

/// Runs the command.
pub(crate) async fn run(args: &AdminArgs) -> Result<(), CliError> {
    let reach = args.reach();
    let settings = Settings::load(&reach.common)?;
    let client = reach.client(&settings)?;
    let answer = match &args.action {
        Action::State(_) => client.ask("/admin/state").await?,
        Action::Pause(_) => client.tell("/admin/pause").await?,
        Action::Resume(_) => client.tell("/admin/resume").await?,
        Action::Retry(_) => client.tell("/admin/retry").await?,
        Action::Drain(args) => drain(&client, args, settings.timeout).await?,
        Action::Batch(args) => client.ask(&format!("/admin/batches/{}", args.index)).await?,
        Action::ReloadKeys(_) => client.tell("/admin/reload-keys").await?,
    };
    match (&args.action, settings.json) {
        (_, true) => print(answer),
        (Action::Batch(_), false) => print(batch(&answer)),
        (Action::ReloadKeys(_), false) => print(format!("{} keys", answer["keys"])),
        (_, false) => print(state(&answer)),
    }
    Ok(())
}

impl Reach {
    fn client(&self, settings: &Settings) -> Result<Client, CliError> {
        let base = self.admin.as_ref().or(settings.admin.as_ref()).map_or(DEFAULT_ADMIN, String::as_str);
        let Some(path) = self.token_file.as_ref().or(settings.admin_token_file.as_ref()) else {
            let why = "no token: --token-file FILE, or HYPHA_ADMIN_TOKEN_FILE, the file that the coordinator's [admin] names";
            return Err(CliError::Usage(why.to_owned()));
        };
        let token = std::fs::read_to_string(path)
            .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
        Client::with_secret(base, Some(Secret::new(token.trim())))
    }
}

/// Drains, and waits for the end of it.
async fn drain(client: &Client, args: &DrainArgs, timeout: Duration) -> Result<Value, CliError> {
    let mut answer = client.tell("/admin/drain").await?;
    let deadline = Instant::now() + timeout;
    let mut shown = json!(null);
    while answer["drained"] != true && !args.no_wait {
        if Instant::now() > deadline {
            let left = &answer["underWay"];
            return Err(CliError::TimedOut(format!(
                "{left} operations are still under way; it goes on draining"
            )));
        }
        if shown != answer["underWay"] {
            shown = answer["underWay"].clone();
            progress(format!("{shown} operations are under way"));
        }
        tokio::time::sleep(POLL).await;
        answer = client.ask("/admin/state").await?;
    }
    Ok(answer)
}

/// What the coordinator does, in a line or two.
fn state(answer: &Value) -> String {
    let mode = answer["mode"].as_str().unwrap_or("?");
    let drained = if answer["drained"] == true { ", and nothing is left" } else { "" };
    let line = format!(
        "{mode}{drained}: {} operations wait for a batch, {} are under way",
        answer["waiting"], answer["underWay"]
    );
    match answer["parked"].as_str() {
        Some(parked) => format!("{line}\nparked: {parked}"),
        None => line,
    }
}

/// A batch, and its members in a table.
fn batch(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let transaction = &answer["transaction"];
    let hashes = transaction["hashes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut lines = vec![
        format!("batch {}: {}, attempt {}", text("index"), text("state"), answer["attempt"]),
        format!("root {} after {}", text("root"), text("oldRoot")),
        format!(
            "transaction {} {}",
            transaction["state"].as_str().unwrap_or("?"),
            hashes.collect::<Vec<_>>().join(" ")
        ),
    ];
    lines.extend(transaction["refusal"].as_str().map(|refusal| format!("refused: {refusal}")));
    lines.extend(answer["parked"].as_str().map(|parked| format!("parked: {parked}")));
    let mut table = Table::new(&["MEMBER", "STATUS"]);
    for request in answer["requests"].as_array().into_iter().flatten() {
        let of = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        table.row([format!("request {} of chain {}", of("number"), of("chainId")), String::new()]);
    }
    for operation in answer["operations"].as_array().into_iter().flatten() {
        table.row([
            short(operation["id"].as_str().unwrap_or("?")),
            operation["status"].as_str().unwrap_or("?").to_owned(),
        ]);
    }
    lines.push(table.to_string());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_coordinator_does_is_told_in_a_line() {
        let answer = json!({"mode": "draining", "waiting": 2, "underWay": 3, "drained": false});
        assert_eq!(state(&answer), "draining: 2 operations wait for a batch, 3 are under way");
        let answer =
            json!({"mode": "draining", "waiting": 0, "underWay": 0, "drained": true, "parked": "batch 2: x"});
        assert!(state(&answer).starts_with("draining, and nothing is left:"));
        assert!(state(&answer).ends_with("\nparked: batch 2: x"));
    }

    #[test]
    fn a_batch_shows_its_members_and_its_transaction() {
        let answer = json!({
            "index": "7", "state": "committed", "attempt": 1, "root": "0xaa", "oldRoot": "0xbb",
            "requests": [{"chainId": "5", "number": "2"}], "operations": [{"id": "0xcc", "status": "committed"}],
            "transaction": {"state": "refused", "hashes": [], "refusal": "0x12"},
        });
        let shown = batch(&answer);
        for part in ["batch 7: committed", "refused: 0x12", "request 2 of chain 5", "0xcc"] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
