//! Processes of a devnet: found by a mark in their environment, which every child inherits, ended by their own id.

use std::path::Path;
use std::process::Command;

/// Environment variable that marks every process of one devnet.
pub const MARKER: &str = "HYPHA_E2E_DEVNET";

/// Whether a process runs. One that has ended and whose parent did not ask for its status yet does not.
pub fn is_alive(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name, in parentheses, may hold anything; the state follows it.
    let state = status.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Sends a signal, such as `KILL` or `INT`, to one process.
pub fn kill(pid: u32, signal: &str) {
    let status =
        Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().expect("kill runs");
    assert!(status.success(), "no process {pid} to send {signal} to");
}

/// Processes that carry a devnet's mark, with their command lines.
pub fn left_over(mark: &str) -> Vec<(u32, String)> {
    let wanted = format!("{MARKER}={mark}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux has /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if words(&entry.path().join("environ")).contains(&wanted) && is_alive(pid) {
            found.push((pid, words(&entry.path().join("cmdline")).join(" ")));
        }
    }
    found
}

/// The words of a file of /proc; none when the process has just gone.
fn words(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}
