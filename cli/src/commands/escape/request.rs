//! `hypha escape request-transfer`: asks a chain's own queue for a transfer.

use std::collections::{BTreeSet, HashMap};

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{SolCall, SolEvent};
use clap::Args;
use hypha_chain::{BlockTag, PrivateKeySigner, Receipt};
use hypha_protocol::contracts::IRequestQueue::{RequestQueued, requestFeeCall, requestTransferCall};
use hypha_protocol::contracts::{IRootHub, Output, Resource, Transfer};
use hypha_protocol::ids::{nullifier_of, resource_id};
use hypha_protocol::operations::{Content, MAX_REQUEST_NOTES, Request, Rules, check_request};
use hypha_protocol::signing::{hub_domain, owners_beside_sender, sign_transfer};

use super::super::submit::{quantity, word_or_text};
use super::super::transfer::change_output;
use super::batch;
use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::history::{History, event};
use crate::keys::KeySource;
use crate::notes::select;
use crate::output::{print, progress};
use crate::reader::{Reader, failure};
use crate::settings::{Common, Settings};
use crate::wallet::Wallet;

/// Seconds for which the transaction may be on its way to the queue; afterwards the deadline counts no longer.
const VALID_S: u64 = 3_600;

/// Queue a transfer of your notes on a chain, with no service's help
///
/// Finds your unspent notes in the hub's logs and pays the queue's fee, exactly. You are the sender, so for notes of this very
/// chain you sign only the transaction. At most 4 notes are spent; what is left over comes back to you.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  HYPHA_KEY=… hypha escape request-transfer --chain 31338 --to 0x… --domain 31339 --kind 0x… --quantity 5

  out of a vault: the note becomes the vault's, and says to whom it is to pay
  HYPHA_KEY=… hypha escape request-transfer --chain 31338 --to 0x<vault> --recipient 0x… --domain 31339 --kind 0x… --quantity 5")]
pub(super) struct RequestArgs {
    /// Chain whose queue is asked: the hub's, or that of any spoke
    #[arg(long, value_name = "CHAIN")]
    chain: u64,
    /// The new owner
    #[arg(long, value_name = "ADDRESS")]
    to: Address,
    /// Chain id of the chain that the units go to
    #[arg(long, value_name = "CHAIN")]
    domain: u64,
    /// What to move: 0x and 64 digits
    #[arg(long, value_name = "KIND")]
    kind: B256,
    /// How many units
    #[arg(long, value_name = "N", value_parser = quantity)]
    quantity: U256,
    /// Free for applications: a text of at most 32 bytes, or 0x and 64 digits
    #[arg(long, value_name = "TEXT", value_parser = word_or_text)]
    data: Option<B256>,
    /// Whom a vault is to pay, where --to is a vault: the address as data
    #[arg(long, value_name = "ADDRESS", conflicts_with = "data")]
    recipient: Option<Address>,
    /// Spend only notes of this chain
    #[arg(long, value_name = "CHAIN")]
    from_domain: Option<u64>,
    #[command(flatten)]
    key: KeySource,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Queues the transfer.
pub(super) async fn run(args: &RequestArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let deployment = Deployment::of(&settings)?;
    let signer = args.key.signer(&settings)?;
    let queue = deployment.chain(args.chain)?.reader(&settings).await?;
    let (hub, hub_reader) = (deployment.hub(), deployment.hub().reader(&settings).await?);
    let notes = unspent(hub, &hub_reader, signer.address()).await?;
    let now = time(&queue).await?;
    let transfer = args.transfer(hub, &signer, notes, now + VALID_S)?;
    let request = Request::new(args.chain, 1, signer.address(), Content::Transfer(transfer))
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let rules = rules(hub, &hub_reader, now).await?;
    let content = request.packed_content().clone();
    check_request(args.chain, 1, signer.address(), request.request_type() as u8, &content, &rules)
        .map_err(|error| CliError::Usage(format!("the queue would refuse this: {error}")))?;
    let fee = queue.ask(requestFeeCall {}).await?;
    progress(format!("{} notes are spent; the request costs {fee} wei", request.inputs().len()));
    let wallet = Wallet::new(&queue, signer, settings.timeout);
    let (data, value) = (requestTransferCall { content }.abi_encode().into(), U256::from(fee));
    let gas = wallet.estimate(&data, value).await.map_err(|error| failure(args.chain, error))?;
    let receipt = wallet.call(data, value, gas).await?;
    let number = queued_number(&queue, &receipt).await?;
    args.report(settings.json, &request, number, fee, &receipt, args.chain == hub.chain_id);
    Ok(())
}

impl RequestArgs {
    /// The transfer, signed where it must be.
    fn transfer(
        &self,
        hub: &Deployed,
        signer: &PrivateKeySigner,
        notes: Vec<Resource>,
        deadline: u64,
    ) -> Result<Transfer, CliError> {
        let from = self.from_domain.map(U256::from);
        let fits =
            |note: &Resource| note.kind == self.kind && from.is_none_or(|domain| note.domainId == domain);
        let selection = select(notes.into_iter().filter(fits).collect(), self.quantity, MAX_REQUEST_NOTES)?;
        let output = Output {
            domainId: U256::from(self.domain),
            owner: self.to,
            kind: self.kind,
            quantity: self.quantity,
            data: self.data.or(self.recipient.map(|account| account.into_word())).unwrap_or_default(),
        };
        let change =
            (!selection.change.is_zero()).then(|| change_output(&selection.notes[0], selection.change));
        let outputs = std::iter::once(output).chain(change).collect();
        let mut transfer = Transfer { inputs: selection.notes, outputs, deadline, signatures: Vec::new() };
        // All notes are the sender's: he signs once, or not at all.
        if !owners_beside_sender(&transfer.inputs, self.chain, signer.address()).is_empty() {
            let domain = hub_domain(hub.chain_id, hub.verifier);
            let signature: Result<Bytes, _> = sign_transfer(signer, &domain, &transfer);
            transfer.signatures = vec![signature.map_err(|error| CliError::Failed(error.into()))?];
        }
        Ok(transfer)
    }

    fn report(&self, json: bool, request: &Request, number: u64, fee: u128, receipt: &Receipt, is_hub: bool) {
        let created: Vec<B256> = request.created().iter().map(resource_id).collect();
        if json {
            print(serde_json::json!({
                "chainId": self.chain.to_string(),
                "number": number.to_string(),
                "operation": request.operation_id(),
                "created": created,
                "feeWei": fee.to_string(),
                "tx": receipt.tx_hash,
                "gas": receipt.gas_used.to_string(),
            }));
            return;
        }
        print(format!("request {number} of chain {}: transfer {}", self.chain, request.operation_id()));
        for id in created {
            print(format!("will create {id}"));
        }
        let next = if is_hub {
            "it is in the hub's queue: a batch must resolve it once it is due (hypha escape apply says when)"
                .to_owned()
        } else {
            format!(
                "a relayer brings it to the hub; if none does: hypha escape enqueue --chain {}",
                self.chain
            )
        };
        progress(next);
    }
}

/// The owner's notes that no batch has spent, and that no request in the hub's queue would spend.
async fn unspent(hub: &Deployed, reader: &Reader, owner: Address) -> Result<Vec<Resource>, CliError> {
    let mut notes: HashMap<B256, Resource> = HashMap::new();
    let history = History::read(hub, reader, None, &mut |step| {
        let own = step.operations.created().iter().filter(|note| note.owner == owner);
        notes.extend(own.map(|note| (nullifier_of(note), note.clone())));
        for nullifier in step.operations.nullifiers() {
            notes.remove(nullifier);
        }
    })
    .await?;
    for event in &history.waiting {
        let request = batch::request(event)
            .map_err(|error| CliError::Disagreed(format!("the hub's queue: {error}")))?;
        for input in request.inputs() {
            notes.remove(&nullifier_of(input));
        }
    }
    Ok(notes.into_values().collect())
}

/// What a request is checked against: what the queue looks at, and whether its notes go to chains that the hub knows, since it would
/// only be void otherwise.
async fn rules(hub: &Deployed, reader: &Reader, now: u64) -> Result<Rules, CliError> {
    let separator = hub_domain(hub.chain_id, hub.verifier).separator();
    let spokes = reader.ask(IRootHub::spokeChainsCall {}).await?;
    let domains: BTreeSet<u64> =
        spokes.iter().map(|chain| chain.saturating_to()).chain([hub.chain_id]).collect();
    Ok(Rules::hub(separator, now, domains))
}

async fn time(queue: &Reader) -> Result<u64, CliError> {
    let chain = queue.chain();
    let latest = chain.block(BlockTag::Latest).await.map_err(|error| failure(chain.id(), error))?;
    Ok(latest.map_or(0, |block| block.time))
}

/// The number that the queue gave to the request of this transaction.
async fn queued_number(queue: &Reader, receipt: &Receipt) -> Result<u64, CliError> {
    let chain = queue.chain();
    let logs = chain.logs_in_block(queue.contract(), receipt.block_hash).await;
    let logs = logs.map_err(|error| failure(chain.id(), error))?;
    let own = logs.iter().find(|log| {
        log.tx_hash == receipt.tx_hash && log.topics.first() == Some(&RequestQueued::SIGNATURE_HASH)
    });
    let queued = own.map(event::<RequestQueued>).transpose()?.flatten();
    let missing = || CliError::Disagreed(format!("{} succeeded and queued nothing", receipt.tx_hash));
    queued.map(|event| event.number).ok_or_else(missing)
}
