//! What the exit status says. One place picks it, for every command alike.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::client::Problem;

/// The table of exit statuses, shown by `hypha --help`.
pub(crate) const TABLE: &str = "Exit status:
  0  done
  1  failed
  2  wrong usage: an argument, a setting or a file
  3  refused by the service, which said why (problem document)
  4  a service or a node was not reachable
  5  verification disagreed: a proof, a root or a batch chain is not what it should be
  6  timed out waiting
  7  too early: what is asked for is allowed later, and the message says when";

/// How a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Anything that has no status of its own.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// An argument, a setting or a file is not usable.
    #[error("{0}")]
    Usage(String),
    /// The service refused and said why.
    #[error("refused: {0}")]
    Refused(Box<Problem>),
    /// A service or a node could not be reached.
    #[error("not reachable: {what}: {why}")]
    Unreachable {
        /// Which one, without anything secret.
        what: String,
        /// What went wrong.
        why: String,
    },
    /// A check came out different from what it should.
    #[error("verification disagreed: {0}")]
    Disagreed(String),
    /// A condition was not met in time.
    #[error("timed out: {0}")]
    TimedOut(String),
    /// A contract allows it later.
    #[error("too early: {0}")]
    TooEarly(String),
}

impl CliError {
    /// Whether the same may succeed a little later: a service that is away, or says that the fault is its own.
    pub(crate) fn can_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => problem.status >= 500,
            _ => false,
        }
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Unreachable { .. } => 4,
            Self::Disagreed(_) => 5,
            Self::TimedOut(_) => 6,
            Self::TooEarly(_) => 7,
        }
    }

    /// One word for the kind of failure, as `--json` gives it.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Failed(_) => "failed",
            Self::Usage(_) => "usage",
            Self::Refused(problem) => &problem.code,
            Self::Unreachable { .. } => "unreachable",
            Self::Disagreed(_) => "disagreed",
            Self::TimedOut(_) => "timed_out",
            Self::TooEarly(_) => "too_early",
        }
    }

    /// The failure as data; a refusal carries the service's problem document.
    pub(crate) fn json(&self) -> Value {
        let problem = match self {
            Self::Refused(problem) => serde_json::to_value(problem).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        json!({ "error": { "code": self.code(), "message": self.to_string(), "exit": self.status(), "problem": problem } })
    }
}

/// Says on standard error what went wrong and gives the status to exit with.
pub(crate) fn finish(result: Result<(), CliError>, as_json: bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if as_json {
                eprintln!("{}", error.json());
            } else {
                eprintln!("hypha: {error}");
            }
            ExitCode::from(error.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_the_documented_status() {
        let problem = Problem { code: "input_spent".into(), title: "spent".into(), ..Problem::default() };
        let failures = [
            CliError::Failed(anyhow::anyhow!("x")),
            CliError::Usage("x".into()),
            CliError::Refused(Box::new(problem)),
            CliError::Unreachable { what: "x".into(), why: "y".into() },
            CliError::Disagreed("x".into()),
            CliError::TimedOut("x".into()),
            CliError::TooEarly("x".into()),
        ];
        for (position, failure) in failures.iter().enumerate() {
            assert_eq!(usize::from(failure.status()), position + 1);
            assert!(TABLE.contains(&format!("  {}  ", failure.status())));
        }
        assert_eq!(failures[2].json()["error"]["code"], "input_spent");
        assert_eq!(failures[2].json()["error"]["problem"]["title"], "spent");
    }
}
