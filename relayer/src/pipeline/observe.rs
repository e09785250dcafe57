//! observe: the hub's final batches become stored batches with their witnesses, and the requests that it took in for good
//! are noted.

use alloy::primitives::{Address, B256};
use alloy::sol_types::SolEvent;
use hypha_chain::follow::Follower;
use hypha_chain::ports::{Change, Log};
use hypha_protocol::contracts::IRootHub::{BatchApplied, RequestEnqueued};
use hypha_protocol::ids::word;
use hypha_protocol::replay::Replica;
use tokio::sync::{Mutex, watch};

use super::Progress;
use crate::error::RelayerError;
use crate::service::blocking;
use crate::store::{BatchRecord, Rows, put_batch, put_enqueued};

/// Reads the hub.
pub(crate) struct Observer {
    follower: Follower,
    rows: Rows,
    hub_chain_id: u64,
    hub: Address,
    /// The tree at the last stored batch; `None` until it is rebuilt from the store.
    replica: Mutex<Option<Replica>>,
    /// Latest final index of the hub.
    index: watch::Sender<u64>,
}

impl Observer {
    pub(crate) fn new(follower: Follower, rows: Rows, hub_chain_id: u64, hub: Address) -> Self {
        Self { follower, rows, hub_chain_id, hub, replica: Mutex::new(None), index: watch::Sender::new(0) }
    }

    /// The latest final index of the hub, and its changes.
    pub(crate) fn index(&self) -> watch::Receiver<u64> {
        self.index.subscribe()
    }

    /// Takes the next final blocks of the hub; replays their batches and stores each with the witness that its operations
    /// need, together with the position. The root and the batch chain that come out must be those of the event.
    ///
    /// # Errors
    /// When the chain or the store fails, or the history does not replay; the position then has not moved.
    pub(crate) async fn observe(&self) -> Result<Progress, RelayerError> {
        let mut held = self.replica.lock().await;
        let replica = match held.take() {
            Some(replica) => replica,
            None => self.rebuild().await?,
        };
        let result = self.step(&replica).await;
        *held = Some(match &result {
            Ok(Some(moved)) => moved.clone(),
            _ => replica,
        });
        let moved = result?.map(|replica| self.index.send_replace(replica.index()));
        Ok(if moved.is_some() { Progress::Moved } else { Progress::Idle })
    }

    /// One step of the follower; the replica after it, `None` when there was none.
    async fn step(&self, replica: &Replica) -> Result<Option<Replica>, RelayerError> {
        let Some(step) = self.follower.next().await? else { return Ok(None) };
        if let Some(block) = step.removed.first() {
            // Batches below the configured finality were taken back; the store is behind the times as a whole.
            return Err(RelayerError::HistoryChanged { block: block.hash });
        }
        let (rows, mut replica) = (self.rows.clone(), replica.clone());
        blocking(move || {
            let mut changes = step.cursor;
            for (block, logs) in &step.added {
                for log in logs {
                    changes.extend(change_of(&mut replica, block.hash, log)?);
                }
            }
            rows.write(changes)?;
            Ok(Some(replica))
        })
        .await
    }

    /// Replays what is stored, after a start.
    async fn rebuild(&self) -> Result<Replica, RelayerError> {
        let (rows, chain_id, hub) = (self.rows.clone(), self.hub_chain_id, self.hub);
        let replica = blocking(move || {
            let mut replica = Replica::trusting(chain_id, hub);
            for index in 1..=rows.last_index()? {
                let stored = rows.batch(index)?.ok_or(RelayerError::Row { table: "batches" })?;
                let event = BatchApplied {
                    index,
                    root: stored.root,
                    batchChain: stored.batch_chain,
                    operations: stored.operations,
                };
                replay(&mut replica, &event)?;
            }
            Ok(replica)
        });
        let replica = replica.await?;
        self.index.send_replace(replica.index());
        Ok(replica)
    }
}

/// The row that a log is stored as, if it is one of interest; a batch moves the replica.
fn change_of(replica: &mut Replica, block: B256, log: &Log) -> Result<Option<Change>, RelayerError> {
    if let Some(event) = decoded::<BatchApplied>(block, log)? {
        return replay(replica, &event).map(Some);
    }
    let enqueued = decoded::<RequestEnqueued>(block, log)?;
    Ok(enqueued.and_then(|event| Some(put_enqueued(event.chainId.try_into().ok()?, event.number))))
}

/// The event, when the log is one of these.
fn decoded<E: SolEvent>(block: B256, log: &Log) -> Result<Option<E>, RelayerError> {
    if log.topics.first() != Some(&E::SIGNATURE_HASH) {
        return Ok(None);
    }
    let event = E::decode_raw_log(log.topics.iter().copied(), &log.data);
    event.map(Some).map_err(|_| RelayerError::EventMalformed { event: E::SIGNATURE, block })
}

/// Moves the replica by a batch; the row to store.
fn replay(replica: &mut Replica, event: &BatchApplied) -> Result<Change, RelayerError> {
    let step = replica.apply(event.index, &event.operations)?;
    if word(step.root) != event.root || step.batch_chain != event.batchChain {
        let (index, root, batch_chain) = (event.index, step.root, step.batch_chain);
        return Err(RelayerError::EventMismatch { index, root, batch_chain });
    }
    let record = BatchRecord {
        root: event.root,
        batch_chain: event.batchChain,
        operations: event.operations.clone(),
        witness: step.witness.into(),
    };
    Ok(put_batch(event.index, &record))
}
