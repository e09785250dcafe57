//! What a contract's logs say, read page by page: the hub's tree and queue are rebuilt from them alone.

use std::collections::VecDeque;
use std::time::Duration;

use alloy::primitives::B256;
use alloy::sol_types::SolEvent;
use hypha_chain::{BlockTag, Log};
use hypha_protocol::contracts::IRootHub::{BatchApplied, RequestEnqueued};
use hypha_protocol::replay::{Replica, Step};
use tokio::time::Instant;

use crate::deployment::Deployed;
use crate::exit::CliError;
use crate::output::progress;
use crate::reader::{Reader, failure};

/// Blocks whose logs are asked for at once: public nodes refuse much wider ranges.
const BLOCKS_A_PAGE: u64 = 1_000;
/// Time between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Progress lines of something that may take long: one every two seconds.
pub(crate) struct Pace {
    told_at: Instant,
}

impl Pace {
    /// The first line is due in two seconds.
    pub(crate) fn new() -> Self {
        Self { told_at: Instant::now() }
    }

    /// Prints the line when it is due.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.told_at.elapsed() >= PROGRESS_EVERY {
            progress(line());
            self.told_at = Instant::now();
        }
    }
}

/// The state of the hub as its logs tell it.
pub(crate) struct History {
    /// The tree, rebuilt.
    pub(crate) replica: Replica,
    /// Requests that no batch has resolved, in the order in which they came.
    pub(crate) waiting: VecDeque<RequestEnqueued>,
}

impl History {
    /// Rebuilds the state up to a batch, or up to the latest. `watch` sees each step.
    ///
    /// The hub checked balances and signatures, so they are not checked again; each root and batch chain must be the one that its
    /// event says, and the last one the hub's own.
    pub(crate) async fn read(
        hub: &Deployed,
        reader: &Reader,
        until: Option<u64>,
        watch: &mut (dyn FnMut(&Step) + Send),
    ) -> Result<Self, CliError> {
        let replica = Replica::trusting(hub.chain_id, hub.verifier).with_queue();
        let mut history = Self { replica, waiting: VecDeque::new() };
        let mut pages = Pages::open(reader, hub.block).await?;
        let mut pace = Pace::new();
        'reading: while let Some(page) = pages.next().await? {
            for log in &page {
                if until == Some(history.replica.index()) {
                    break 'reading;
                }
                if let Some(step) = history.take(log)? {
                    watch(&step);
                }
                pace.tell(|| pages.line(&history.replica));
            }
        }
        history.check(reader, until).await?;
        Ok(history)
    }

    /// Takes one log, in order; gives the step that it makes.
    fn take(&mut self, log: &Log) -> Result<Option<Step>, CliError> {
        if let Some(event) = event::<RequestEnqueued>(log)? {
            let disagreed = |error| CliError::Disagreed(format!("the hub's logs: {error}"));
            self.replica.enqueue(&event).map_err(disagreed)?;
            self.waiting.push_back(event);
        }
        let Some(event) = event::<BatchApplied>(log)? else { return Ok(None) };
        let step = apply(&mut self.replica, &event)?;
        self.waiting.drain(..step.operations.resolutions().len());
        Ok(Some(step))
    }

    async fn check(&self, reader: &Reader, until: Option<u64>) -> Result<(), CliError> {
        let (index, root) = (self.replica.index(), B256::new(self.replica.root().into()));
        if let Some(until) = until.filter(|until| *until != index) {
            return Err(CliError::Disagreed(format!("the hub's logs end at index {index}, before {until}")));
        }
        match reader.root_at(index).await? {
            Some(held) if held != root => {
                Err(CliError::Disagreed(format!("the logs give the root {root} at {index}, the hub {held}")))
            }
            _ => Ok(()),
        }
    }
}

/// Applies one batch; the root and batch chain that the event says must be the ones that come out.
pub(crate) fn apply(replica: &mut Replica, event: &BatchApplied) -> Result<Step, CliError> {
    let disagreed =
        |why: String| CliError::Disagreed(format!("batch {} of the hub's logs: {why}", event.index));
    let step = replica.apply(event.index, &event.operations).map_err(|error| disagreed(error.to_string()))?;
    let (root, batch_chain) = (B256::new(step.root.into()), step.batch_chain);
    if (root, batch_chain) == (event.root, event.batchChain) {
        return Ok(step);
    }
    Err(disagreed(format!(
        "gives root {root} and batch chain {batch_chain}, the event says {} and {}",
        event.root, event.batchChain
    )))
}

/// Gives every log of a contract from a block on, oldest first.
pub(crate) async fn each_log(
    reader: &Reader,
    from: u64,
    mut take: impl FnMut(&Log) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut pages = Pages::open(reader, from).await?;
    while let Some(page) = pages.next().await? {
        page.iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// A contract's logs, oldest first, a page at a time.
pub(crate) struct Pages<'a> {
    reader: &'a Reader,
    next: u64,
    latest: u64,
}

impl<'a> Pages<'a> {
    /// The logs from a block on, up to the block that is the latest now.
    pub(crate) async fn open(reader: &'a Reader, from: u64) -> Result<Self, CliError> {
        let chain = reader.chain();
        let latest = chain.block(BlockTag::Latest).await.map_err(|error| failure(chain.id(), error))?;
        Ok(Self { reader, next: from, latest: latest.map_or(0, |block| block.number) })
    }

    /// The next page; none after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Log>>, CliError> {
        if self.next > self.latest {
            return Ok(None);
        }
        let to = self.latest.min(self.next + BLOCKS_A_PAGE - 1);
        let chain = self.reader.chain();
        let logs = chain.logs_in_range(self.reader.contract(), self.next, to).await;
        self.next = to + 1;
        logs.map(Some).map_err(|error| failure(chain.id(), error))
    }

    /// How far the reading is.
    pub(crate) fn line(&self, replica: &Replica) -> String {
        format!(
            "block {} of {}: {} batches, {} leaves",
            self.next - 1,
            self.latest,
            replica.index(),
            replica.tree().len()
        )
    }
}

/// The event, if the log is one.
pub(crate) fn event<E: SolEvent>(log: &Log) -> Result<Option<E>, CliError> {
    if log.topics.first() != Some(&E::SIGNATURE_HASH) {
        return Ok(None);
    }
    let decoded = E::decode_raw_log(log.topics.iter().copied(), &log.data);
    decoded.map(Some).map_err(|error| {
        CliError::Disagreed(format!("a log {} that is not understood: {error}", E::SIGNATURE))
    })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, Bytes};

    use super::*;

    #[test]
    fn an_event_that_says_another_root_than_its_operations_give_is_a_disagreement() {
        let mut replica = Replica::new(1, Address::repeat_byte(1));
        let event = BatchApplied {
            index: 1,
            root: B256::repeat_byte(1),
            batchChain: B256::repeat_byte(2),
            operations: Bytes::from_static(&[0, 0]),
        };
        assert!(matches!(apply(&mut replica, &event), Err(CliError::Disagreed(_))));
    }
}
