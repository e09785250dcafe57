//! `hypha transfer`: moves units of a kind to another owner or chain, with change back.

use alloy::primitives::{Address, B256, Bytes, U256};
use clap::Args;
use hypha_protocol::contracts::{Output, Resource, Transfer};
use hypha_protocol::ids::kind_of;
use hypha_protocol::json::{TransferJson, parse_signature};
use hypha_protocol::operations::MAX_INPUTS;
use hypha_protocol::signing::{hub_domain, sign_transfer, transfer_hash};
use hypha_protocol::typed_data::typed_data;

use super::submit::{Handling, quantity, word_or_text};
use crate::client::{Client, NoteQuery};
use crate::exit::CliError;
use crate::forms::DomainView;
use crate::keys::KeySource;
use crate::notes::select;
use crate::output::progress;
use crate::settings::{Common, Settings};

/// Move units of a kind to another owner or chain
///
/// Spends the fewest of your unspent notes that suffice, the largest first and at most 16; what is left over comes back
/// to you, on the chain of the largest. Signs with HYPHA_KEY or --keystore.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  HYPHA_KEY=… hypha transfer --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --domain 31339 --kind 0x… --quantity 30
  HYPHA_KEY=… hypha transfer --to 0x… --domain 31339 --label gold --issuer 0x… --quantity 30

  with a wallet, so that no key of yours comes near this program:
  hypha transfer --from 0x… --to 0x… --domain 31339 --kind 0x… --quantity 30 --typed-data --draft t.json > typed.json
  hypha transfer --draft t.json --signature $(cast wallet sign --data --from-file typed.json --interactive)")]
pub(crate) struct TransferArgs {
    /// The new owner
    #[arg(long, value_name = "ADDRESS", required_unless_present = "signature")]
    to: Option<Address>,
    /// Chain id of the chain that the units go to
    #[arg(long, value_name = "CHAIN", required_unless_present = "signature")]
    domain: Option<u64>,
    /// What to move: 0x and 64 digits, as `hypha issue` and `hypha resources` print it
    #[arg(long, value_name = "KIND", required_unless_present_any = ["signature", "label"])]
    kind: Option<B256>,
    /// What to move, by the label that its issuer gave it; yours, unless --issuer says whose
    #[arg(long, value_name = "TEXT", value_parser = word_or_text, conflicts_with = "kind")]
    label: Option<B256>,
    /// Who issued the kind with --label
    #[arg(long, value_name = "ADDRESS", requires = "label")]
    issuer: Option<Address>,
    /// How many units
    #[arg(long, value_name = "N", value_parser = quantity, required_unless_present = "signature")]
    quantity: Option<U256>,
    /// Spend only notes of this chain
    #[arg(long, value_name = "CHAIN")]
    from_domain: Option<u64>,
    /// Free for applications: a text of at most 32 bytes, or 0x and 64 digits
    #[arg(long, value_name = "TEXT", value_parser = word_or_text)]
    data: Option<B256>,
    /// The owner of the notes, where --typed-data is for a wallet
    #[arg(long, value_name = "ADDRESS")]
    from: Option<Address>,
    #[command(flatten)]
    handling: Handling,
    #[command(flatten)]
    key: KeySource,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Builds, signs and submits the transfer, and follows it to its end.
pub(crate) async fn run(args: &TransferArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    if !args.handling.signature.is_empty() {
        let mut form: TransferJson = args.handling.read_draft()?;
        for signature in &args.handling.signature {
            parse_signature("--signature", signature).map_err(|error| CliError::Usage(error.to_string()))?;
        }
        form.signatures.clone_from(&args.handling.signature);
        let transfer = Transfer::try_from(&form).map_err(|error| CliError::Usage(error.to_string()))?;
        return args.handling.submit(&settings, "transfers", transfer_hash(&transfer), &form).await;
    }
    let client = Client::new(&settings.api)?;
    let domain = client.chains().await?.domain;
    if args.handling.typed_data {
        let from = args.from.ok_or_else(|| CliError::Usage("--typed-data needs --from ADDRESS".into()))?;
        let transfer = args.transfer(&client, from).await?;
        let typed_data = typed_data(&transfer, domain.chain_id()?, domain.verifying_contract);
        return args.handling.hand_to_wallet(&TransferJson::from(&transfer), &typed_data);
    }
    let signer = args.key.signer(&settings)?;
    if args.from.is_some_and(|from| from != signer.address()) {
        return Err(CliError::Usage(format!("the key is that of {}, not of --from", signer.address())));
    }
    let mut transfer = args.transfer(&client, signer.address()).await?;
    let signature = sign(&domain, &signer, &transfer)?;
    transfer.signatures = vec![signature];
    let id = transfer_hash(&transfer);
    args.handling.submit(&settings, "transfers", id, &TransferJson::from(&transfer)).await
}

fn sign(
    domain: &DomainView,
    signer: &hypha_chain::PrivateKeySigner,
    transfer: &Transfer,
) -> Result<Bytes, CliError> {
    let domain = hub_domain(domain.chain_id()?, domain.verifying_contract);
    sign_transfer(signer, &domain, transfer).map_err(|error| CliError::Failed(error.into()))
}

impl TransferArgs {
    /// The unsigned transfer of the owner's notes.
    async fn transfer(&self, client: &Client, from: Address) -> Result<Transfer, CliError> {
        let missing = |what: &str| CliError::Usage(format!("{what} is missing"));
        let labelled = |label| kind_of(U256::ZERO, self.issuer.unwrap_or(from), label);
        let kind = self.kind.or(self.label.map(labelled)).ok_or_else(|| missing("--kind"))?;
        let quantity = self.quantity.ok_or_else(|| missing("--quantity"))?;
        let output = Output {
            domainId: U256::from(self.domain.ok_or_else(|| missing("--domain"))?),
            owner: self.to.ok_or_else(|| missing("--to"))?,
            kind,
            quantity,
            data: self.data.unwrap_or_default(),
        };
        let query =
            NoteQuery { owner: Some(from), domain: self.from_domain, kind: Some(kind), unspent: Some(true) };
        let notes: Result<Vec<Resource>, CliError> =
            client.notes(&query).await?.iter().map(|note| note.typed()).collect();
        let selection = select(notes?, quantity, MAX_INPUTS)?;
        progress(format!("spends {} of the notes, change {}", selection.notes.len(), selection.change));
        let change =
            (!selection.change.is_zero()).then(|| change_output(&selection.notes[0], selection.change));
        Ok(Transfer {
            inputs: selection.notes,
            outputs: std::iter::once(output).chain(change).collect(),
            deadline: self.handling.deadline()?,
            signatures: Vec::new(),
        })
    }
}

/// What is left over goes back to the owner of the largest note, on that note's chain.
pub(super) fn change_output(largest: &Resource, quantity: U256) -> Output {
    Output {
        domainId: largest.domainId,
        owner: largest.owner,
        kind: largest.kind,
        quantity,
        data: B256::ZERO,
    }
}
