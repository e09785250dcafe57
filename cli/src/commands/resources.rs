//! `hypha resources`: the notes of an owner.

use alloy::primitives::{Address, B256};
use clap::Args;

use super::submit::word_or_text;
use crate::client::{Client, NoteQuery};
use crate::exit::CliError;
use crate::forms::NoteView;
use crate::output::{Table, print, short};
use crate::settings::{Common, Settings};

/// List notes
///
/// Only unspent ones unless told otherwise.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  hypha resources --owner 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --domain 31338")]
pub(crate) struct ResourcesArgs {
    /// Only this owner's
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
    /// Only those of this chain
    #[arg(long, value_name = "CHAIN")]
    domain: Option<u64>,
    /// Only of this kind
    #[arg(long, value_name = "KIND", value_parser = word_or_text)]
    kind: Option<B256>,
    /// Spent ones too
    #[arg(long)]
    all: bool,
    /// Only spent ones
    #[arg(long, conflicts_with = "all")]
    spent: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Asks the service and prints the notes.
pub(crate) async fn run(args: &ResourcesArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let unspent = if args.all { None } else { Some(!args.spent) };
    let query = NoteQuery { owner: args.owner, domain: args.domain, kind: args.kind, unspent };
    let notes = Client::new(&settings.api)?.notes(&query).await?;
    if settings.json {
        print(serde_json::to_string(&notes).map_err(|error| CliError::Failed(error.into()))?);
    } else {
        print(table(&notes));
    }
    Ok(())
}

fn table(notes: &[NoteView]) -> Table {
    let mut table = Table::new(&["NOTE", "DOMAIN", "OWNER", "KIND", "QUANTITY", "SPENT"]);
    for note in notes {
        let resource = &note.resource;
        table.row([
            note.id.to_string(),
            resource.domain_id.clone(),
            short(&resource.owner),
            resource.kind.clone(),
            resource.quantity.clone(),
            if note.is_spent() { "spent".to_owned() } else { String::new() },
        ]);
    }
    table
}
