//! The whole tree, rebuilt from the operations that the hub's logs carry.

mod queue;

use alloy::primitives::{Address, B256};
use hypha_tree::{Root, Touch, Tree};

use crate::batch::{BatchError, build_witness, genesis_batch_chain, next_batch_chain, walk};
use crate::contracts::IRootHub::RequestEnqueued;
use crate::operations::{Checked, Rules, check_operations, decode_operations};
use crate::signing::hub_domain;
use queue::Queue;
pub use queue::QueueError;

/// Why operations do not follow on a replica. The replica has not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Another index than the next one.
    #[error("the next batch is number {expected}, not {actual}")]
    IndexMismatch {
        /// The next index.
        expected: u64,
        /// The index given.
        actual: u64,
    },
    /// The index is 2^64 - 1: none comes after it.
    #[error("there is no index after the last")]
    IndexExhausted,
    /// The batch is refused.
    #[error("batch {index} is refused: {error}")]
    Batch {
        /// The index given.
        index: u64,
        /// The reason.
        #[source]
        error: BatchError,
    },
    /// The batch resolves requests otherwise than the hub's queue has them.
    #[error("batch {index} does not follow the queue: {error}")]
    Queue {
        /// The index given.
        index: u64,
        /// The reason.
        #[source]
        error: QueueError,
    },
}

/// One step of the sequence of roots, with all that a spoke needs to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of `root`.
    pub index: u64,
    /// The root before.
    pub old_root: Root,
    /// The root after.
    pub root: Root,
    /// The batch chain after.
    pub batch_chain: B256,
    /// The witness from `old_root` to `root`.
    pub witness: Vec<u8>,
    /// The operations, and what they touch, create and spend.
    pub operations: Checked,
}

/// The state of a hub, moved by its operations alone. A clone is a cheap version of its own: the trees share their nodes.
#[derive(Clone)]
pub struct Replica {
    tree: Tree,
    index: u64,
    batch_chain: B256,
    rules: Rules,
    trusting: bool,
    /// `None` where the queue is not followed.
    queue: Option<Queue>,
}

impl Replica {
    /// The empty tree of a hub. Every operation is checked again, but for what the hub alone can check: deadlines, and
    /// the chains that were registered at the time, and the queue ([`Replica::with_queue`]).
    pub fn new(hub_chain_id: u64, hub: Address) -> Self {
        let rules = Rules::spoke(hub_domain(hub_chain_id, hub).separator());
        let batch_chain = genesis_batch_chain(hub_chain_id, hub);
        Self { tree: Tree::new(), index: 0, batch_chain, rules, trusting: false, queue: None }
    }

    /// As [`Replica::new`], but balances and signatures are not checked again, which is nearly all of the cost. Only for
    /// operations from the hub's own logs, since the hub checked them; the tree's rules are still checked.
    pub fn trusting(hub_chain_id: u64, hub: Address) -> Self {
        Self { trusting: true, ..Self::new(hub_chain_id, hub) }
    }

    /// Follows the hub's queue as well: every request that the hub took in must be told ([`Replica::enqueue`]) before the batch that
    /// resolves it, and batches must resolve them in that order.
    #[must_use]
    pub fn with_queue(self) -> Self {
        Self { queue: Some(Queue::default()), ..self }
    }

    /// Takes in a request that came to the hub's queue.
    ///
    /// # Errors
    /// Another position than the next one, or a replica that does not follow the queue: then nothing has changed.
    pub fn enqueue(&mut self, event: &RequestEnqueued) -> Result<(), QueueError> {
        self.queue.as_mut().ok_or(QueueError::NotFollowed)?.enqueue(event)
    }

    /// The tree as it is now.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The number of the root; 0 is the empty tree.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The root.
    pub fn root(&self) -> Root {
        self.tree.root()
    }

    /// The batch chain at the index.
    pub fn batch_chain(&self) -> B256 {
        self.batch_chain
    }

    /// Applies the operations of the next batch, and tells the step that they make.
    ///
    /// # Errors
    /// Another index than the next one, or operations that are refused: then nothing has changed.
    pub fn apply(&mut self, index: u64, operations: &[u8]) -> Result<Step, ReplayError> {
        let expected = self.index.checked_add(1).ok_or(ReplayError::IndexExhausted)?;
        if index != expected {
            return Err(ReplayError::IndexMismatch { expected, actual: index });
        }
        let step = self.step(index, operations).map_err(|error| ReplayError::Batch { index, error })?;
        let resolutions = step.operations.resolutions();
        if let Some(queue) = &mut self.queue {
            queue.check(resolutions).map_err(|error| ReplayError::Queue { index, error })?;
            queue.resolve(resolutions.len());
        }
        self.tree = with_touches(&self.tree, step.operations.touches());
        debug_assert_eq!(self.tree.root(), step.root, "the tree and the walk fold the same leaves");
        self.index = index;
        self.batch_chain = step.batch_chain;
        Ok(step)
    }

    /// Checks all of a step and changes nothing.
    fn step(&self, index: u64, bytes: &[u8]) -> Result<Step, BatchError> {
        let operations = if self.trusting {
            Checked::assume(decode_operations(bytes)?)
        } else {
            check_operations(bytes, &self.rules)?
        };
        let witness = build_witness(&self.tree, operations.touches());
        let transition = walk(self.root(), operations.touches(), &witness)?;
        Ok(Step {
            index,
            old_root: transition.old,
            root: transition.new,
            batch_chain: next_batch_chain(self.batch_chain, index, transition.new, bytes),
            witness,
            operations,
        })
    }
}

/// The version of a tree in which what is touched has its new values.
pub fn with_touches(tree: &Tree, touches: &[Touch]) -> Tree {
    tree.with(touches.iter().filter_map(|touch| touch.new.map(|new| (touch.key, new))))
}
