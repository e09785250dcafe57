//! Child processes that end with the devnet, however it ends: each has its own process group, so that a Ctrl-C reaches the
//! devnet alone, and each stops when its standard input closes, which the operating system does for a parent that died.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::exit::CliError;

/// Time for a child to write its last bytes after it was told to stop.
const GRACE: Duration = Duration::from_secs(8);

/// A running child.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    pid: u32,
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts a program that stops when its standard input closes.
    pub(super) fn start(name: &str, command: &mut Command) -> Result<Self, CliError> {
        let failed = |why: String| CliError::Failed(anyhow::anyhow!("{name}: {why}"));
        let mut child = command
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let pid = child.id().ok_or_else(|| failed("ended at once".into()))?;
        let lifeline = child.stdin.take();
        Ok(Self { name: name.to_owned(), pid, child, lifeline })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its standard output, once, where that was made a pipe.
    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Tells it to stop, and kills it when it does not.
    async fn stop(mut self) {
        self.lifeline = None;
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            let _ended_meanwhile = self.child.kill().await;
        }
    }
}

/// All children, in the order of their start.
#[derive(Debug, Default)]
pub(super) struct Processes(Vec<Process>);

impl Processes {
    /// Keeps a child until the end.
    pub(super) fn keep(&mut self, process: Process) {
        self.0.push(process);
    }

    /// Children that have ended, each told once.
    pub(super) fn take_ended(&mut self) -> Vec<(String, ExitStatus)> {
        let mut ended = Vec::new();
        self.0.retain_mut(|process| match process.ended() {
            Some(status) => {
                ended.push((process.name().to_owned(), status));
                false
            }
            None => true,
        });
        ended
    }

    /// Stops the services first and the chains last, those of a kind together.
    pub(super) async fn stop(&mut self) {
        let (chains, services) = std::mem::take(&mut self.0)
            .into_iter()
            .partition::<Vec<_>, _>(|process| process.name().starts_with("anvil"));
        futures::future::join_all(services.into_iter().map(Process::stop)).await;
        futures::future::join_all(chains.into_iter().map(Process::stop)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_ends_when_its_lifeline_is_cut() {
        let mut command = Command::new("cat");
        let process = Process::start("cat", command.stdout(Stdio::null())).unwrap();
        let mut processes = Processes::default();
        processes.keep(process);
        assert!(processes.take_ended().is_empty());
        tokio::time::timeout(GRACE / 2, processes.stop()).await.expect("cat ends at the end of its input");
    }

    #[tokio::test]
    async fn an_end_is_told_once() {
        let mut processes = Processes::default();
        processes.keep(Process::start("false", &mut Command::new("false")).unwrap());
        let deadline = tokio::time::Instant::now() + GRACE;
        let ended = loop {
            let ended = processes.take_ended();
            if !ended.is_empty() || tokio::time::Instant::now() > deadline {
                break ended;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!((ended.len(), ended[0].0.as_str(), ended[0].1.code()), (1, "false", Some(1)));
        assert!(processes.take_ended().is_empty());
    }
}
