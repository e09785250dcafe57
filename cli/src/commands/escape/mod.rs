//! `hypha escape`: what a person does without a coordinator, from nodes alone.

mod apply;
mod batch;
mod enqueue;
mod prove;
mod request;

use clap::{Args, Subcommand};

use crate::exit::CliError;

/// Move what is yours without the coordinator's help
///
/// Needs --deployment, the file that `hypha deploy` wrote, and a node for each chain concerned (--rpc): everything is rebuilt from
/// the hub chain's logs. Of Hypha's services only the attestors are asked, and only for a spoke's request, which a request on the
/// hub itself goes without. The oldest request that has come to the hub must be in the next batch once it is due; when for the liveness
/// window no sequencer has applied a batch that left no request overdue, anyone may apply one.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  1. ask on any chain         HYPHA_KEY=… hypha escape request-transfer --chain 31338 --to 0x… --domain 31339 --kind 0x… --quantity 5
  2. bring it to the hub      HYPHA_KEY=… hypha escape enqueue --chain 31338 --attestor https://… --attestor https://…
  3. apply it, once allowed   HYPHA_KEY=… hypha escape apply --wait
  4. prove what came of it    hypha escape prove --note 0x… --chain 31339")]
pub(crate) struct EscapeArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand, Debug)]
enum Step {
    RequestTransfer(request::RequestArgs),
    Enqueue(enqueue::EnqueueArgs),
    Apply(apply::ApplyArgs),
    Prove(prove::ProveArgs),
}

impl EscapeArgs {
    /// Whether failures are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.step {
            Step::RequestTransfer(args) => args.common.json,
            Step::Enqueue(args) => args.common.json,
            Step::Apply(args) => args.common.json,
            Step::Prove(args) => args.common.json,
        }
    }
}

/// Runs one of the steps.
pub(crate) async fn run(args: &EscapeArgs) -> Result<(), CliError> {
    match &args.step {
        Step::RequestTransfer(args) => request::run(args).await,
        Step::Enqueue(args) => enqueue::run(args).await,
        Step::Apply(args) => apply::run(args).await,
        Step::Prove(args) => prove::run(args).await,
    }
}
