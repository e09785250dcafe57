//! Processes of our own, asked line by line, with a deadline for every answer.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{SERVE, Scale, report::Report};

/// A case on its own may take this long.
const CASE_DEADLINE: Duration = Duration::from_secs(600);
/// The program that has sparse-merkle-tree with its feature `trie`, in the folder of this one.
const TRIE_PROGRAM: &str = "bench_tree_trie";

/// A process that serves one engine. It is killed when this is dropped.
pub(crate) struct Served {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Served {
    /// Starts the process; its first answer comes when it has built its tree.
    pub(crate) fn start(engine: &str, leaves: u64, directory: &Path) -> anyhow::Result<Self> {
        let directory = directory.to_str().context("the folder's name is no text")?;
        Self::spawn(engine.ends_with("/trie"), &["engine", engine, &leaves.to_string(), directory])
    }

    /// Starts a process that opens the snapshot in this folder; its only answer comes when it has.
    pub(crate) fn reopen(directory: &Path) -> anyhow::Result<Self> {
        Self::spawn(false, &["reopen", directory.to_str().context("the folder's name is no text")?])
    }

    fn spawn(trie: bool, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut program = std::env::current_exe()?;
        if trie {
            program.set_file_name(TRIE_PROGRAM);
        }
        let mut child = Command::new(&program)
            .arg(SERVE)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let questions = child.stdin.take().expect("it was asked for");
        let lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        let (sender, answers) = channel();
        // Ends with the process: then there are no more lines.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Self { child, questions, answers })
    }

    /// Sends a question, and waits for the answer.
    pub(crate) fn ask(&mut self, question: &str, deadline: Duration) -> anyhow::Result<Value> {
        writeln!(self.questions, "{question}").context("the process has ended")?;
        self.answer(deadline)
    }

    /// Waits for an answer.
    pub(crate) fn answer(&mut self, deadline: Duration) -> anyhow::Result<Value> {
        match self.answers.recv_timeout(deadline) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(RecvTimeoutError::Timeout) => bail!("no answer in {} s", deadline.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("the process has ended: {}", self.child.wait()?),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures a case in a process of its own.
pub(crate) fn case(words: &[&str], scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("bench: {}", words.join(" "));
    let scale = if scale == Scale::Quick { "quick" } else { "full" };
    let answer = Served::spawn(false, &[words, &[scale]].concat())?.answer(CASE_DEADLINE);
    report.merge(&answer.with_context(|| words.join(" "))?);
    Ok(())
}

/// What a process says when it has measured a case.
pub(crate) fn answer(report: &Report) -> anyhow::Result<()> {
    println!("{}", report.json());
    Ok(())
}
