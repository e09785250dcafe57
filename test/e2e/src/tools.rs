//! The programs that tests run: hypha itself, cast, curl, bash.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::kill;
use crate::waiting::wait_until;

/// What a finished program left.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::canonicalize(root).expect("the crate is in the repository")
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// A new, empty folder for one test, kept afterwards so that its logs can be read.
pub fn scratch(name: &str) -> PathBuf {
    let folder = target().join("e2e").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an earlier run's folder can go");
    }
    std::fs::create_dir_all(&folder).expect("target can be written");
    folder
}

/// The binary under test.
///
/// # Panics
/// When it was not built.
pub fn hypha() -> PathBuf {
    let path = target().join("debug/hypha");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --bin hypha`, or scripts/test e2e",
        path.display()
    );
    path
}

/// A command that finds the pinned tools, from the repository's root, with nothing of the caller's HYPHA_ settings.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let tools = repository().join("scripts/toolchain/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [tools, hypha_folder()].into_iter().chain(std::env::split_paths(&path));
    command
        .current_dir(repository())
        .env("PATH", std::env::join_paths(folders).expect("no folder has a colon"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("HYPHA_")) {
            command.env_remove(name);
        }
    }
    command
}

fn hypha_folder() -> PathBuf {
    target().join("debug")
}

/// Runs a program to its end, which it must reach within `deadline`; `input` is what it reads.
///
/// # Panics
/// When it does not start or is late.
pub fn finish(mut command: Command, input: &str, deadline: Duration) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = child.id();
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // A program that ends without reading all closes the pipe: that is its good right.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
    let waiter = std::thread::spawn(move || Child::wait_with_output(child));
    let late = std::cell::Cell::new(false);
    let started = std::time::Instant::now();
    wait_until(&format!("{command:?} ends"), deadline + Duration::from_secs(10), || {
        if started.elapsed() > deadline && !late.replace(true) {
            kill(pid, "KILL");
        }
        waiter.is_finished().then_some(())
    });
    let output = waiter.join().expect("the thread only waits").expect("its output can be read");
    writer.join().expect("the thread only writes");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let finished =
        Finished { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!late.get(), "{command:?} took longer than {deadline:?}: {finished:?}");
    finished
}

/// Runs a program that must succeed, and gives what it printed without the last newline.
///
/// # Panics
/// When it fails.
pub fn run(command: Command) -> String {
    let shown = format!("{command:?}");
    let finished = finish(command, "", Duration::from_secs(30));
    assert_eq!(finished.status, Some(0), "{shown}: {finished:?}");
    finished.stdout.trim_end().to_owned()
}

/// Runs cast, which must succeed.
///
/// # Panics
/// When it fails.
pub fn cast(arguments: &[&str]) -> String {
    let mut cast = command("cast");
    cast.args(arguments);
    run(cast)
}

/// Runs cast, which must fail, and gives what it says on standard error.
///
/// # Panics
/// When it succeeds.
pub fn cast_fails(arguments: &[&str]) -> String {
    let mut cast = command("cast");
    cast.args(arguments);
    let finished = finish(cast, "", Duration::from_secs(30));
    assert_ne!(finished.status, Some(0), "cast {arguments:?} succeeded: {finished:?}");
    finished.stderr
}
