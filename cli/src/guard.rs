//! A parent for programs that do not know when to end: it ends them when its own standard input closes, so that nothing
//! outlives the devnet, however that ended.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::exit::CliError;

/// Runs `program` until it ends, or until standard input closes: then it is killed.
pub(crate) async fn run(program: &[String]) -> Result<(), CliError> {
    let (name, arguments) =
        program.split_first().ok_or_else(|| CliError::Usage("no program to run".into()))?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| CliError::Failed(anyhow::anyhow!("{name}: {error}")))?;
    tokio::select! {
        status = child.wait() => {
            let status = status.map_err(|error| CliError::Failed(error.into()))?;
            Err(CliError::Failed(anyhow::anyhow!("{name} ended: {status}")))
        }
        () = stdin_closes() => child.kill().await.map_err(|error| CliError::Failed(error.into())),
    }
}

/// Waits until standard input is closed by whoever holds its other end.
pub(crate) async fn stdin_closes() {
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 64];
    while !matches!(input.read(&mut ignored).await, Ok(0) | Err(_)) {}
}
