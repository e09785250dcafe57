//! The command `hypha`: the services, what operators and users do with them, and a whole Hypha on one machine.

mod client;
mod commands;
mod deploy;
mod deployment;
mod devnet;
mod events;
mod exit;
mod follow;
mod forms;
mod guard;
mod history;
mod keys;
mod notes;
mod output;
mod reader;
mod settings;
mod wallet;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    admin, deploy as deployer, escape, issue, key, prove, resources, service, status, transfer, verify,
    verify_deployment, watch,
};
use exit::CliError;

/// One tree of notes, its root on many chains, each of which verifies every step.
#[derive(Parser, Debug)]
#[command(name = "hypha", version, after_help = exit::TABLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Devnet(devnet::DevnetArgs),
    Coordinator(service::CoordinatorArgs),
    Admin(admin::AdminArgs),
    Attestor(service::AttestorArgs),
    Relayer(service::RelayerArgs),
    Deploy(deployer::DeployArgs),
    VerifyDeployment(verify_deployment::VerifyDeploymentArgs),
    Issue(issue::IssueArgs),
    Key(key::KeyArgs),
    Transfer(transfer::TransferArgs),
    Status(status::StatusArgs),
    Watch(watch::WatchArgs),
    Resources(resources::ResourcesArgs),
    Prove(prove::ProveArgs),
    Verify(verify::VerifyArgs),
    Escape(escape::EscapeArgs),
    /// Run a program until standard input closes
    #[command(hide = true)]
    Guard {
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        program: Vec<String>,
    },
}

impl Command {
    /// Whether failures are printed as JSON.
    fn json(&self) -> bool {
        match self {
            Self::Devnet(_) | Self::Guard { .. } => false,
            Self::Coordinator(args) => args.service.json,
            Self::Admin(args) => args.json(),
            Self::Attestor(args) => args.json(),
            Self::Relayer(args) => args.service.json,
            Self::Deploy(args) => args.common.json,
            Self::VerifyDeployment(args) => args.common.json,
            Self::Issue(args) => args.common.json,
            Self::Key(args) => args.json(),
            Self::Transfer(args) => args.common.json,
            Self::Status(args) => args.common.json,
            Self::Watch(args) => args.common.json,
            Self::Resources(args) => args.common.json,
            Self::Prove(args) => args.common.json,
            Self::Verify(args) => args.common.json,
            Self::Escape(args) => args.json(),
        }
    }

    async fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Devnet(args) => devnet::run(args).await,
            Self::Coordinator(args) => service::coordinator(args).await,
            Self::Admin(args) => admin::run(args).await,
            Self::Attestor(args) => service::attestor(args).await,
            Self::Relayer(args) => service::relayer(args).await,
            Self::Deploy(args) => deployer::run(args).await,
            Self::VerifyDeployment(args) => verify_deployment::run(args).await,
            Self::Issue(args) => issue::run(args).await,
            Self::Key(args) => key::run(args),
            Self::Transfer(args) => transfer::run(args).await,
            Self::Status(args) => status::run(args).await,
            Self::Watch(args) => watch::run(args).await,
            Self::Resources(args) => resources::run(args).await,
            Self::Prove(args) => prove::run(args).await,
            Self::Verify(args) => verify::run(args).await,
            Self::Escape(args) => escape::run(args).await,
            Self::Guard { program } => guard::run(program).await,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.command.json();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return exit::finish(Err(CliError::Failed(error.into())), json),
    };
    let result = runtime.block_on(cli.command.run());
    // A read of standard input cannot be cancelled: it must not hold the process.
    runtime.shutdown_background();
    exit::finish(result, json)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn refused(line: &str) -> ErrorKind {
        Cli::try_parse_from(line.split(' ')).unwrap_err().kind()
    }

    fn taken(line: &str) -> Command {
        Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}")).command
    }

    /// Every command that is not hidden, and those within it.
    fn shown(parent: &clap::Command) -> Vec<clap::Command> {
        let commands = parent.get_subcommands().filter(|command| !command.is_hide_set());
        commands.flat_map(|command| std::iter::once(command.clone()).chain(shown(command))).collect()
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for mut command in shown(&Cli::command()) {
            let help = command.render_help().to_string();
            assert!(help.contains("Example") && help.contains("hypha "), "{}: {help}", command.get_name());
        }
    }

    #[test]
    fn every_command_has_json() {
        for command in shown(&Cli::command()).iter().filter(|command| !command.is_subcommand_required_set()) {
            let has = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
            assert!(has, "{}", command.get_name());
        }
    }

    #[test]
    fn no_key_can_be_given_on_the_command_line() {
        let words = ["key", "private-key", "password", "mnemonic", "secret"];
        for command in shown(&Cli::command()) {
            for argument in command.get_arguments() {
                assert!(
                    !argument.get_long().is_some_and(|long| words.contains(&long)),
                    "{}",
                    command.get_name()
                );
            }
        }
    }

    #[test]
    fn arguments_that_do_not_fit_together_are_refused() {
        let address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
        assert_eq!(refused("hypha transfer"), ErrorKind::MissingRequiredArgument);
        assert_eq!(
            refused("hypha issue --label x --to nobody --domain 1 --quantity 1"),
            ErrorKind::ValueValidation
        );
        assert_eq!(refused("hypha transfer --signature 0x12"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("hypha prove"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("hypha devnet --chains 9"), ErrorKind::ValueValidation);
        assert_eq!(refused("hypha devnet --chains 0"), ErrorKind::ValueValidation);
        let negative = format!("hypha issue --label x --to {address} --domain 1 --quantity 01");
        assert_eq!(refused(&negative), ErrorKind::ValueValidation);
        assert!(matches!(taken(&negative.replace("quantity 01", "quantity 1")), Command::Issue(_)));
        assert!(matches!(taken("hypha transfer --draft a --signature 0x12"), Command::Transfer(_)));
        assert!(matches!(taken("hypha attestor resume --config a"), Command::Attestor(_)));
        assert!(matches!(taken("hypha guard -- anvil --port 0"), Command::Guard { .. }));
    }
}
