//! `hypha escape enqueue`: brings a spoke's requests to the hub, when no relayer does.

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Bytes, U256};
use alloy::sol_types::SolCall;
use clap::Args;
use hypha_chain::{HttpNet, SystemClock};
use hypha_protocol::contracts::IRequestQueue::RequestQueued;
use hypha_protocol::contracts::IRootHub::{enqueueRemoteCall, enqueuedNumberCall};
use hypha_protocol::fact::{Fact, FactName};
use hypha_protocol::ids::request_hash;
use hypha_relayer::{Attestors, Destination, RelayerError};
use tokio::time::Instant;

use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::history::{Pace, Pages, event};
use crate::keys::KeySource;
use crate::output::{print, progress};
use crate::reader::{Reader, failure};
use crate::settings::{Common, Settings};
use crate::wallet::Wallet;

/// Time between two rounds of asking the attestors.
const POLL: Duration = Duration::from_secs(1);

/// Bring a spoke's requests to the hub's queue, on the attestors' word
///
/// All of them that are not there yet, in order, since the hub takes no later one first. Needs as many of the attestors as must
/// agree; they answer once the request is final on its chain. Signs the transactions with HYPHA_KEY or --keystore.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  HYPHA_KEY=… hypha escape enqueue --chain 31338 --attestor https://one.example --attestor https://two.example")]
pub(super) struct EnqueueArgs {
    /// The spoke's chain
    #[arg(long, value_name = "CHAIN")]
    chain: u64,
    /// Base URL of an attestor; repeat it, or separate by commas
    #[arg(long, value_name = "URL", env = "HYPHA_ATTESTORS", value_delimiter = ',', required = true)]
    attestor: Vec<String>,
    /// Stop after the request with this number
    #[arg(long, value_name = "N")]
    until: Option<u64>,
    #[command(flatten)]
    key: KeySource,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Where facts are gathered and to what hub they go.
struct Carrier {
    attestors: Attestors,
    destination: Destination,
    wallet: Wallet,
    patience: Duration,
}

/// Brings the requests, one after another.
pub(super) async fn run(args: &EnqueueArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let deployment = Deployment::of(&settings)?;
    let (hub, spoke) = (deployment.hub(), deployment.chain(args.chain)?);
    if hub.chain_id == spoke.chain_id {
        return Err(CliError::Usage("requests on the hub's own chain are in its queue at once".into()));
    }
    let (hub_reader, spoke_reader) = (hub.reader(&settings).await?, spoke.reader(&settings).await?);
    let carrier = Carrier::new(args, &settings, hub, &hub_reader)?;
    let last = hub_reader.ask(enqueuedNumberCall { chainId: U256::from(spoke.chain_id) }).await?;
    let wanted = |number: u64| number > last && args.until.is_none_or(|until| number <= until);
    let mut brought = Vec::new();
    let mut pages = Pages::open(&spoke_reader, spoke.block).await?;
    while let Some(page) = pages.next().await? {
        for log in &page {
            let Some(request) = event::<RequestQueued>(log)?.filter(|one| wanted(one.number)) else {
                continue;
            };
            carrier.carry(spoke, &request).await?;
            progress(format!("request {} of chain {} is in the hub's queue", request.number, spoke.chain_id));
            brought.push(request.number.to_string());
        }
    }
    if settings.json {
        print(serde_json::json!({ "chainId": spoke.chain_id.to_string(), "enqueued": brought }));
    } else if brought.is_empty() {
        print(format!("chain {}: all {last} requests are in the hub's queue already", spoke.chain_id));
    } else {
        print(format!("chain {}: brought {} to the hub's queue", spoke.chain_id, brought.join(", ")));
    }
    Ok(())
}

impl Carrier {
    fn new(
        args: &EnqueueArgs,
        settings: &Settings,
        hub: &Deployed,
        reader: &Reader,
    ) -> Result<Self, CliError> {
        let net = HttpNet::new().map_err(|error| CliError::Failed(error.into()))?;
        Ok(Self {
            attestors: Attestors::new(Arc::new(net), &args.attestor),
            destination: Destination::new(reader.chain().clone(), hub.fact_verifier, Arc::new(SystemClock)),
            wallet: Wallet::new(reader, args.key.signer(settings)?, settings.timeout),
            patience: settings.timeout,
        })
    }

    async fn carry(&self, spoke: &Deployed, request: &RequestQueued) -> Result<(), CliError> {
        let (number, sender) = (request.number, request.sender);
        let fact = Fact {
            src_chain: spoke.chain_id,
            emitter: spoke.verifier,
            key: FactName::RequestQueued { number }.key(),
            value: request_hash(request.requestType, &request.content, sender),
        };
        let call = enqueueRemoteCall {
            chainId: U256::from(spoke.chain_id),
            number,
            requestType: request.requestType,
            sender,
            content: request.content.clone(),
            factProof: self.proof(&fact, number).await?,
        };
        let data: Bytes = call.abi_encode().into();
        let chain_id = self.wallet.chain_id();
        let gas = self.wallet.estimate(&data, U256::ZERO).await.map_err(|error| failure(chain_id, error))?;
        self.wallet.call(data, U256::ZERO, gas).await.map(|_| ())
    }

    /// The attestors' proof, for which it is waited.
    async fn proof(&self, fact: &Fact, number: u64) -> Result<Bytes, CliError> {
        let deadline = Instant::now() + self.patience;
        let mut pace = Pace::new();
        loop {
            let why = match self.attestors.prove(fact, &self.destination).await {
                Ok(proof) => return Ok(proof),
                Err(error @ RelayerError::Attestations { .. }) => error.to_string(),
                Err(error) => return Err(CliError::Failed(error.into())),
            };
            if Instant::now() >= deadline {
                let seconds = self.patience.as_secs();
                return Err(CliError::TimedOut(format!("request {number} after {seconds} s: {why}")));
            }
            pace.tell(|| format!("request {number}: {why}"));
            tokio::time::sleep(POLL).await;
        }
    }
}
