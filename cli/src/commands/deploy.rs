//! `hypha deploy`: puts the contracts of a plan on its chains.

use std::path::PathBuf;

use clap::Args;

use crate::deploy::{self, Task, plan::Plan, rehearsal::rehearse};
use crate::deployment::write_json;
use crate::exit::CliError;
use crate::keys::KeySource;
use crate::output::{Table, print, progress};
use crate::settings::{Common, Settings, read_toml};

/// Deploy the contracts of a plan
///
/// Running it again is harmless: contracts that stand already are kept. The deployer signs with HYPHA_KEY or --keystore
/// and pays on every chain; all it may do later is to tell the hub of its first spokes, once. The timelock of the plan's
/// governance owns everything from the first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  HYPHA_KEY=… hypha deploy --plan deployments/plan.toml --dry-run
  HYPHA_KEY=… hypha deploy --plan deployments/plan.toml
  hypha verify-deployment --plan deployments/plan.toml

A plan:
  sequencers = [\"0x…\"]
  liveness_window_s = 86400
  attestors = [\"0x…\", \"0x…\", \"0x…\"]
  threshold = 2
  attestors_expire_at = 2000000000
  # pauser = \"0x…\"                      may stop new roots once, for so long:
  # pause_seconds = 259200
  # inclusion_window_s = 86400
  # request_fee_wei = 1000000000000000
  # max_request_fee_wei = 10000000000000000
  # salt = \"second\"                     other addresses for a second deployment
  # owner = \"0x…\"                       for tests, instead of [governance]: its changes wait for nothing
  [governance]
  proposers = [\"0x…\"]                   # who may schedule, and cancel
  delay_s = 2592000                       # at least three pauses of 7 days, both windows, and 7 days for an exit
  # executors = [\"0x…\"]                 who may execute what has waited; anybody when none is named
  [hub]
  chain_id = 31337
  name = \"hub\"
  rpc = \"http://127.0.0.1:8545\"
  # nullifier_cache = true              marks each nullifier in storage as well; not on attested spokes
  [[spokes]]
  chain_id = 31338
  name = \"spoke-1\"
  rpc = \"http://127.0.0.1:8546\"
  # attested = true                     takes attested roots without checking their batches")]
pub(crate) struct DeployArgs {
    /// Deployment plan (TOML)
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Say what would be done, and do nothing; with --json as one document
    #[arg(long)]
    dry_run: bool,
    /// Where the contracts are written down for the other commands, which take the file with --deployment
    #[arg(long, value_name = "FILE", default_value = "deployment.json")]
    out: PathBuf,
    /// Folder of the records, one of each chain, CHAIN.json; earlier ones there are taken into account
    #[arg(long, value_name = "FOLDER", default_value = "deployments", env = "HYPHA_DEPLOYMENTS")]
    deployments: PathBuf,
    /// Forge's output folder
    #[arg(long, value_name = "FOLDER", default_value = "out", env = "HYPHA_ARTIFACTS")]
    artifacts: PathBuf,
    #[command(flatten)]
    key: KeySource,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Deploys, writes the outcome and prints it.
pub(crate) async fn run(args: &DeployArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let plan: Plan = read_toml(&args.plan)?;
    let task = Task {
        plan: &plan,
        artifacts: &args.artifacts,
        signer: args.key.signer(&settings)?,
        records: &args.deployments,
        patience: settings.timeout,
        progress: &|line| progress(line),
    };
    if args.dry_run {
        let rehearsal = rehearse(&task).await?;
        if settings.json {
            print(serde_json::to_string(&rehearsal).map_err(|error| CliError::Failed(error.into()))?);
        }
        return Ok(());
    }
    let deployment = deploy::deploy(&task).await?;
    write_json(&args.out, &deployment)?;
    if settings.json {
        print(serde_json::to_string(&deployment).map_err(|error| CliError::Failed(error.into()))?);
        return Ok(());
    }
    let mut table = Table::new(&["CHAIN", "NAME", "VERIFIER", "FACT VERIFIER", "BLOCK"]);
    for chain in &deployment.chains {
        table.row([
            chain.chain_id.to_string(),
            chain.name.clone(),
            chain.verifier.to_string(),
            chain.fact_verifier.to_string(),
            chain.block.to_string(),
        ]);
    }
    print(table);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    #[test]
    fn the_plan_that_help_shows_is_one_when_it_has_addresses() {
        let command = DeployArgs::augment_args(clap::Command::new("deploy"));
        let help = command.get_after_help().unwrap().to_string();
        let shown = help.split_once("A plan:\n").unwrap().1;
        // What is commented out is a line of a plan too.
        let lines = shown.lines().map(|line| match line.trim().strip_prefix("# ") {
            Some(option) if !option.starts_with("owner") => option.split("   ").next().unwrap(),
            _ => line,
        });
        let mut plan = lines.collect::<Vec<_>>().join("\n");
        for number in 1.. {
            let Some(place) = plan.find("0x…") else { break };
            plan.replace_range(place.."0x…".len() + place, &format!("0x{number:040x}"));
        }
        let plan = plan.replace("attested = true", "");
        toml::from_str::<Plan>(&plan).unwrap_or_else(|error| panic!("{error}: {plan}")).validate().unwrap();
    }
}
