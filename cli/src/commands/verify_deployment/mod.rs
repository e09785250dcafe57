//! `hypha verify-deployment`: compares what stands on the chains with what the plan and the compiled code say.

mod calls;
mod checks;
mod code;
mod governance;
mod past;
mod scheduled;
mod verifiers;

use std::path::PathBuf;

use clap::Args;
use hypha_chain::Role;

use crate::deploy::blueprint::{Blueprint, Code, Site};
use crate::deploy::plan::Plan;
use crate::deploy::record::Record;
use crate::exit::CliError;
use crate::output::{Table, print};
use crate::reader::Reader;
use crate::settings::{Common, Settings, read_toml};
use checks::{Check, Checks};
use governance::TimelockHistory;
use scheduled::Scheduled;

/// Compare the contracts on all chains with a plan
///
/// For each contract: its address, which commits to its code and its constructor's arguments; the code that stands there, byte by
/// byte; its owner; and all that governance, the registrar or the pauser could have changed since. A change that
/// governance made is a difference too: this says what the contracts are, not whether they may be so. What governance has
/// scheduled and not executed is shown, with the time at which it can be, and is no difference yet. Needs nodes, the plan,
/// the records and the compiled contracts. Exits with 5 when anything differs.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha verify-deployment --plan deployments/plan.toml
  hypha verify-deployment --plan deployments/plan.toml --rpc 31337=http://127.0.0.1:8545 --json")]
pub(crate) struct VerifyDeploymentArgs {
    /// Deployment plan (TOML); nodes named by --rpc or in the settings file are asked in place of the plan's
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Folder of the records, one of each chain, CHAIN.json
    #[arg(long, value_name = "FOLDER", default_value = "deployments", env = "HYPHA_DEPLOYMENTS")]
    deployments: PathBuf,
    /// Forge's output folder
    #[arg(long, value_name = "FOLDER", default_value = "out", env = "HYPHA_ARTIFACTS")]
    artifacts: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A chain of the plan, what is written down of it, and where it is asked.
struct Ground<'a> {
    plan: &'a Plan,
    blueprint: &'a Blueprint<'a>,
    site: &'a Site<'a>,
    record: &'a Record,
    url: &'a str,
}

/// Compares every contract on every chain.
pub(crate) async fn run(args: &VerifyDeploymentArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let plan: Plan = read_toml(&args.plan)?;
    let records = plan.chains().map(|planned| Record::read(&args.deployments, planned.chain_id));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let code = Code::read(&args.artifacts)?;
    let blueprint = Blueprint::new(&plan, &code, records[0].deployer)?;
    let mut report = Report::default();
    for (site, record) in blueprint.sites().zip(&records) {
        let planned = site.planned;
        let url = settings.rpc.get(&planned.chain_id).map_or(planned.rpc.expose(), String::as_str);
        let ground = Ground { plan: &plan, blueprint: &blueprint, site, record, url };
        ground.check(&mut report).await?;
    }
    report.show(settings.json)
}

impl Ground<'_> {
    /// Everything that is to be seen on the chain.
    async fn check(&self, report: &mut Report) -> Result<(), CliError> {
        report.checks.extend(self.check_record());
        for part in self.site.parts() {
            let name = part.artifact.name();
            let mut checks = Checks::new(self.site.planned.chain_id, name);
            let Some(recorded) = self.record.of(part) else {
                checks.written_alike("record", part.address, "none");
                report.checks.extend(checks.done());
                continue;
            };
            let reader = Reader::connect(self.url, self.site.planned.chain_id, recorded.address).await?;
            code::check(&mut checks, &reader, part, recorded).await?;
            match name {
                "ExitTimelock" => {
                    let history = TimelockHistory::read(&reader, recorded.block).await?;
                    governance::check_timelock(&mut checks, &reader, self.plan, &history).await?;
                    report.scheduled.extend(scheduled::scheduled(&reader, self.site, history).await?);
                }
                "AttestedFacts" => verifiers::check_facts(&mut checks, &reader, self).await?,
                _ if self.site.role == Role::Hub => {
                    verifiers::check_hub(&mut checks, &reader, self, recorded).await?;
                }
                _ => verifiers::check_spoke(&mut checks, &reader, self, recorded).await?,
            }
            report.checks.extend(checks.done());
        }
        Ok(())
    }

    /// What the record says of the chain itself.
    fn check_record(&self) -> Vec<Check> {
        let (planned, record) = (self.site.planned, self.record);
        let mut checks = Checks::new(planned.chain_id, "record");
        checks.same("role", words(self.site.role), words(record.role));
        checks.same("attested", planned.attested, record.attested);
        checks.same("salt", &self.plan.salt, &record.salt);
        checks.done()
    }
}

fn words(role: Role) -> &'static str {
    match role {
        Role::Hub => "hub",
        Role::Spoke => "spoke",
    }
}

/// What was found on all chains.
#[derive(Default)]
struct Report {
    checks: Vec<Check>,
    scheduled: Vec<Scheduled>,
}

impl Report {
    /// Prints it, and fails when anything differs.
    fn show(&self, json: bool) -> Result<(), CliError> {
        let Self { checks, scheduled } = self;
        let differing: Vec<&Check> = checks.iter().filter(|check| !check.agrees()).collect();
        if json {
            let different = differing.len();
            print(serde_json::json!({ "checks": checks, "different": different, "scheduled": scheduled }));
        } else {
            print(summary(checks));
            if !differing.is_empty() {
                print(format!("\n{}", differences(&differing)));
            }
            print(format!("\n{}", about_to_change(scheduled)));
        }
        match differing.first() {
            None => Ok(()),
            Some(first) => {
                Err(CliError::Disagreed(format!("{} differences, the first: {first}", differing.len())))
            }
        }
    }
}

fn about_to_change(scheduled: &[Scheduled]) -> String {
    if scheduled.is_empty() {
        return "nothing is scheduled".to_owned();
    }
    scheduled.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A row for each contract.
fn summary(all: &[Check]) -> Table {
    let mut table = Table::new(&["CHAIN", "CONTRACT", "CHECKS", "DIFFERENT"]);
    for contract in all.chunk_by(|one, next| one.place() == next.place()) {
        let different = contract.iter().filter(|check| !check.agrees()).count();
        let (chain_id, name) = contract[0].place();
        table.row([chain_id.to_string(), name.to_owned(), contract.len().to_string(), different.to_string()]);
    }
    table
}

fn differences(differing: &[&Check]) -> Table {
    let mut table = Table::new(&["CHAIN", "CONTRACT", "WHAT", "EXPECTED", "ACTUAL"]);
    for check in differing {
        table.row(check.cells());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_difference_anywhere_is_a_disagreement() {
        let mut good = Checks::new(1, "RootHub");
        good.same("owner", 7, 7);
        let mut report = Report { checks: good.done(), ..Report::default() };
        report.show(true).unwrap();
        let mut bad = Checks::new(2, "RootSpoke");
        bad.same("owner", 7, 7);
        bad.same("owner", 7, 8);
        report.checks.extend(bad.done());
        let error = report.show(false).unwrap_err();
        assert!(
            matches!(&error, CliError::Disagreed(text) if text.contains("chain 2 RootSpoke: owner is 8"))
        );
        assert_eq!(summary(&report.checks).lines().len(), 3);
    }
}
