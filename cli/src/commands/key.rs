//! `hypha key new`: an API key, shown once, and the line that lets it in.

use alloy::hex;
use alloy::primitives::B256;
use clap::{Args, Subcommand, ValueEnum};
use hypha_coordinator::api::keys::{KeyRecord, Role};

use crate::exit::CliError;
use crate::output::{print, progress};

/// What a key begins with, so that one which leaked is found by whoever looks for secrets.
const PREFIX: &str = "hypha_";

/// Make API keys of a coordinator
#[derive(Args, Debug)]
#[command(after_help = "Example:
  hypha key new --name exchange --role writer >> keys.jsonl")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    New(NewArgs),
}

/// Make a key: it is shown once, on standard error; its line for the file of keys goes to standard output
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha key new --name exchange --role writer >> keys.jsonl
  hypha key new --name dashboard --role reader --rate 5 --burst 20 --json")]
struct NewArgs {
    /// Whose it is, for people
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it may do: a reader asks, a writer also hands in operations
    #[arg(long, value_name = "ROLE")]
    role: RoleWord,
    /// Requests a second
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Requests at once, after a pause
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    burst: u32,
    /// Print key and line as one JSON object on standard output
    #[arg(long, env = "HYPHA_JSON")]
    json: bool,
}

/// Words of [`Role`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleWord {
    /// Ask.
    Reader,
    /// Ask, and hand in operations.
    Writer,
}

impl KeyArgs {
    /// Whether results and failures are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        let Action::New(args) = &self.action;
        args.json
    }
}

/// Runs the command.
pub(crate) fn run(args: &KeyArgs) -> Result<(), CliError> {
    let Action::New(args) = &args.action;
    let (key, record) = make(args);
    let line = serde_json::to_string(&record).map_err(|error| CliError::Failed(error.into()))?;
    if args.json {
        print(serde_json::json!({ "key": key, "line": line }));
    } else {
        progress(format!("the key, shown this once:\n{key}\nits line, for the coordinator's file of keys:"));
        print(line);
    }
    Ok(())
}

fn make(args: &NewArgs) -> (String, KeyRecord) {
    let key = format!("{PREFIX}{}", hex::encode(B256::random()));
    let role = match args.role {
        RoleWord::Reader => Role::Reader,
        RoleWord::Writer => Role::Writer,
    };
    let hash = KeyRecord::hash_of(&key);
    let record = KeyRecord { name: args.name.clone(), role, rate: args.rate, burst: args.burst, hash };
    (key, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_another_and_its_line_has_only_its_hash() {
        let args = NewArgs { name: "a".into(), role: RoleWord::Writer, rate: 5, burst: 6, json: false };
        let ((first, record), (second, _)) = (make(&args), make(&args));
        assert_ne!(first, second);
        assert_eq!(first.len(), PREFIX.len() + 64);
        assert_eq!((record.role, record.rate, record.burst), (Role::Writer, 5, 6));
        assert_eq!(record.hash, KeyRecord::hash_of(&first));
        let line = serde_json::to_string(&record).unwrap();
        assert!(!line.contains(&first[PREFIX.len()..]), "{line}");
        assert_eq!(serde_json::from_str::<KeyRecord>(&line).unwrap(), record);
    }
}
