//! The tree beside its peers, on the same keys in the same run.
//!
//! Every engine has a process of its own, so that its memory is its own and one that hangs or dies is left
//! out. The processes of one size live at the same time and measure in turns, round after round, so that what
//! else the machine does hits all of them; each number is the median of what they measured.
//!
//! `bench_tree [--quick] [CASE…]` prints rows, checks and notes as JSON. Cases: engines, reading, cold; by
//! default all.

mod checks;
mod cold;
mod compare;
mod engines;
mod keys;
mod machine;
mod model;
mod process;
mod reading;
mod report;

use std::path::Path;

use anyhow::{Context, bail};

use crate::report::Report;

/// The argument that makes a process one that serves an engine, or measures a case that wants a process of
/// its own.
const SERVE: &str = "serve";
const CASES: [&str; 3] = ["engines", "reading", "cold"];
const USAGE: &str = "usage: bench_tree [--quick] [engines] [reading] [cold]";

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// All sizes; minutes.
    Full,
    /// The smallest size only, to see that everything still runs; seconds.
    Quick,
}

/// What the command line says.
///
/// # Errors
/// When it says something unknown, or when our own engine cannot be measured. A peer that cannot is a note.
pub fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == SERVE
    {
        return serve(rest);
    }
    let (options, named): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with('-'));
    let known =
        options.iter().all(|option| *option == "--quick") && named.iter().all(|name| CASES.contains(name));
    if !known {
        bail!(USAGE);
    }
    let scale = if options.is_empty() { Scale::Full } else { Scale::Quick };
    let cases = if named.is_empty() { CASES.to_vec() } else { named };
    println!("{}", measure(scale, &cases)?.json());
    Ok(())
}

fn measure(scale: Scale, cases: &[&str]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    report.note(machine::load()?);
    for case in cases {
        match *case {
            "engines" => compare::measure(scale, &mut report)?,
            "reading" => process::case(&["reading"], scale, &mut report)?,
            _ => process::case(&["cold"], scale, &mut report)?,
        }
    }
    // A case that was not asked for has no number to compare.
    if scale == Scale::Full && cases == CASES {
        checks::check(&mut report);
    }
    Ok(report)
}

/// `serve engine NAME LEAVES DIRECTORY`, `serve reopen DIRECTORY`, `serve reading SCALE`, `serve cold SCALE`
fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["engine", name, leaves, directory] => {
            let leaves = leaves.parse().with_context(|| format!("not a number of leaves: {leaves}"))?;
            engines::serve(name, leaves, Path::new(directory))
        }
        ["reopen", directory] => engines::hypha::reopen(Path::new(directory)),
        ["reading", scale] => process::answer(&reading::measure(scale_of(scale))?),
        ["cold", scale] => process::answer(&cold::measure(scale_of(scale))?),
        _ => bail!(USAGE),
    }
}

fn scale_of(word: &str) -> Scale {
    if word == "quick" { Scale::Quick } else { Scale::Full }
}
