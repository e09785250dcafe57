//! `hypha status`: one operation, or all chains.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::client::Client;
use crate::exit::CliError;
use crate::follow::timeline;
use crate::forms::ChainView;
use crate::output::{Table, milliseconds, print, short};
use crate::settings::{Common, Settings};

/// Show how far a transfer is, or what every chain holds
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha status
  hypha status 0x5c0e…")]
pub(crate) struct StatusArgs {
    /// Id of a transfer or an issue; without it the chains are shown
    #[arg(value_name = "ID")]
    id: Option<alloy::primitives::B256>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Asks the service and prints what it says.
pub(crate) async fn run(args: &StatusArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let client = Client::new(&settings.api)?;
    let data =
        |value: Result<String, serde_json::Error>| value.map_err(|error| CliError::Failed(error.into()));
    if let Some(id) = args.id {
        let view = client.operation(&id.to_string()).await?;
        if settings.json {
            print(data(serde_json::to_string(&view))?);
        } else {
            let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            print(format!("{} {}{reason}\n\n{}", view.id, view.status, timeline(&view)));
        }
        return Ok(());
    }
    let view = client.chains().await?;
    if settings.json {
        print(data(serde_json::to_string(&view))?);
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        print(chains(&view.chains, now));
    }
    Ok(())
}

/// The chains side by side; `now` in Unix milliseconds.
fn chains(chains: &[ChainView], now: u64) -> Table {
    let mut table = Table::new(&["CHAIN", "NAME", "ROLE", "INDEX", "ROOT", "SINCE", "CONFIRMED", "TROUBLE"]);
    for chain in chains {
        table.row([
            chain.chain_id.clone(),
            chain.name.clone(),
            chain.role.clone(),
            chain.index.clone().unwrap_or_else(|| "?".into()),
            chain.root.as_deref().map(short).unwrap_or_default(),
            chain.updated_at.map(|at| milliseconds(now.saturating_sub(at))).unwrap_or_default(),
            chain.confirmed_index.clone().unwrap_or_default(),
            chain.error.clone().unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_was_never_seen_is_shown_as_such() {
        let seen = r#"{"chainId":"1","name":"hub","role":"hub","verifier":"0x0000000000000000000000000000000000000001",
            "index":"7","root":"0x0123456789abcdef0123456789abcdef","updatedAt":1000,"confirmedIndex":"6"}"#;
        let unseen = r#"{"chainId":"2","name":"b","role":"spoke","verifier":"0x0000000000000000000000000000000000000002"}"#;
        let views: Vec<ChainView> =
            [seen, unseen].iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let lines = chains(&views, 3500).lines();
        assert!(lines[1].contains("2.50 s") && lines[1].ends_with('6'), "{lines:?}");
        assert!(lines[2].ends_with('?'), "{lines:?}");
    }
}
