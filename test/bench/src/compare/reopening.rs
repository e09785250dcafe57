//! From the pages of a snapshot back to a tree.

use super::{ANSWER_DEADLINE, OURS, Size, number};
use crate::{machine::median, process::Served, report::Report};

/// How often the snapshot is opened, each time by a new process.
const OPENINGS: usize = 3;

impl Size {
    /// Has ours write a snapshot of the tree as it is.
    pub(super) fn snapshot(&mut self) -> anyhow::Result<()> {
        let ours = self.engines.iter_mut().find(|(name, _)| *name == OURS);
        ours.map_or(Ok(()), |(_, served)| served.ask("snapshot", ANSWER_DEADLINE).map(|_| ()))
    }

    /// Opens that snapshot. No engine serves any more, so that the memory is as free as for a service that
    /// starts.
    pub(super) fn measure_reopening(mut self, report: &mut Report) -> anyhow::Result<()> {
        eprintln!("bench: {} leaves: reopening", self.leaves);
        self.engines.clear();
        let open = |_| {
            Ok(number(&Served::reopen(self.directory.path())?.answer(ANSWER_DEADLINE)?, "nanoseconds") / 1e9)
        };
        let seconds = (0..OPENINGS).map(open).collect::<anyhow::Result<_>>()?;
        report.row(&format!("hypha/n={}/reopen", self.leaves), "reopen_s", median(seconds), "s");
        Ok(())
    }
}
