//! `hypha issue`: brings a note of the signer's own kind into being.

use alloy::primitives::{Address, B256, Bytes, U256};
use clap::Args;
use hypha_protocol::contracts::{Issue, Resource};
use hypha_protocol::ids::kind_of;
use hypha_protocol::json::{IssueJson, parse_signature};
use hypha_protocol::signing::{hub_domain, issue_hash, sign_issue};
use hypha_protocol::typed_data::issue_typed_data;

use super::submit::{Handling, quantity, word_or_text};
use crate::client::Client;
use crate::exit::CliError;
use crate::keys::KeySource;
use crate::output::progress;
use crate::settings::{Common, Settings};

/// Bring a note of your own kind into being
///
/// The kind follows from the issuer and the label. The issuer signs with HYPHA_KEY or --keystore.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  HYPHA_KEY=… hypha issue --label gold --to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --domain 31338 --quantity 100")]
pub(crate) struct IssueArgs {
    /// Name of the kind among the issuer's own: a text of at most 32 bytes, or 0x and 64 digits
    #[arg(long, value_name = "TEXT", value_parser = word_or_text, required_unless_present = "signature")]
    label: Option<B256>,
    /// Owner of the note
    #[arg(long, value_name = "ADDRESS", required_unless_present = "signature")]
    to: Option<Address>,
    /// Chain id of the chain that the note belongs to
    #[arg(long, value_name = "CHAIN", required_unless_present = "signature")]
    domain: Option<u64>,
    /// Units of the kind
    #[arg(long, value_name = "N", value_parser = quantity, required_unless_present = "signature")]
    quantity: Option<U256>,
    /// Free for applications: a text of at most 32 bytes, or 0x and 64 digits
    #[arg(long, value_name = "TEXT", value_parser = word_or_text)]
    data: Option<B256>,
    /// Makes the note unique; the same note cannot be issued twice [default: random]
    #[arg(long, value_name = "TEXT", value_parser = word_or_text)]
    salt: Option<B256>,
    /// The issuer, where --typed-data is for a wallet
    #[arg(long, value_name = "ADDRESS")]
    issuer: Option<Address>,
    #[command(flatten)]
    handling: Handling,
    #[command(flatten)]
    key: KeySource,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Builds, signs and submits the issue, and follows it to its end.
pub(crate) async fn run(args: &IssueArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    if let Some(signature) = args.handling.signature.first() {
        let mut form: IssueJson = args.handling.read_draft()?;
        form.signature.clone_from(signature);
        let usage = |error: hypha_protocol::json::FieldError| CliError::Usage(error.to_string());
        parse_signature("--signature", signature).map_err(usage)?;
        let issue = Issue::try_from(&form).map_err(usage)?;
        return args.handling.submit(&settings, "issues", issue_hash(&issue), &form).await;
    }
    let domain = Client::new(&settings.api)?.chains().await?.domain;
    if args.handling.typed_data {
        let issuer =
            args.issuer.ok_or_else(|| CliError::Usage("--typed-data needs --issuer ADDRESS".into()))?;
        let issue = args.issue(issuer)?;
        let typed_data = issue_typed_data(&issue, domain.chain_id()?, domain.verifying_contract);
        return args.handling.hand_to_wallet(&IssueJson::from(&issue), &typed_data);
    }
    let signer = args.key.signer(&settings)?;
    if args.issuer.is_some_and(|issuer| issuer != signer.address()) {
        return Err(CliError::Usage(format!("the key is that of {}, not of --issuer", signer.address())));
    }
    let mut issue = args.issue(signer.address())?;
    issue.signature = sign_issue(&signer, &hub_domain(domain.chain_id()?, domain.verifying_contract), &issue)
        .map_err(|error| CliError::Failed(error.into()))?;
    progress(format!("kind {}", issue.resource.kind));
    args.handling.submit(&settings, "issues", issue_hash(&issue), &IssueJson::from(&issue)).await
}

impl IssueArgs {
    /// The unsigned issue.
    fn issue(&self, issuer: Address) -> Result<Issue, CliError> {
        let missing = |what: &str| CliError::Usage(format!("{what} is missing"));
        let label = self.label.ok_or_else(|| missing("--label"))?;
        let resource = Resource {
            domainId: U256::from(self.domain.ok_or_else(|| missing("--domain"))?),
            owner: self.to.ok_or_else(|| missing("--to"))?,
            kind: kind_of(U256::ZERO, issuer, label),
            quantity: self.quantity.ok_or_else(|| missing("--quantity"))?,
            data: self.data.unwrap_or_default(),
            salt: self.salt.unwrap_or_else(B256::random),
        };
        Ok(Issue { resource, issuer, label, deadline: self.handling.deadline()?, signature: Bytes::new() })
    }
}
