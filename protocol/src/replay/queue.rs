//! The hub's queue of requests, as its events tell it.

use std::collections::VecDeque;

use alloy::primitives::{B256, U256};

use crate::contracts::IRootHub::RequestEnqueued;
use crate::ids::request_hash;
use crate::operations::Resolution;

/// Why the hub's events, or a batch, do not follow on the queue. Neither has then changed anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The replica does not follow the queue, so it cannot take its events.
    #[error("the replica does not follow the queue")]
    NotFollowed,
    /// Another position than the next one.
    #[error("the next request has the position {expected}, not {actual}")]
    PositionMismatch {
        /// The next position.
        expected: u64,
        /// The position given.
        actual: u64,
    },
    /// A batch resolves more requests than are queued.
    #[error("request {number} of chain {chain_id} is resolved and nothing is queued")]
    QueueEmpty {
        /// Chain id of the request's own queue.
        chain_id: u64,
        /// The request.
        number: u64,
    },
    /// A batch resolves another request than the one that has waited longest.
    #[error("request {} of chain {} is next, not {number} of chain {chain_id}", expected.1, expected.0)]
    RequestOrder {
        /// Chain id and number of the next one.
        expected: (U256, u64),
        /// Chain id of the request that is resolved.
        chain_id: u64,
        /// The request that is resolved.
        number: u64,
    },
    /// What the batch says of a request is not what was queued.
    #[error("request {number} of chain {chain_id} has the hash {expected}, not {actual}")]
    RequestMismatch {
        /// Chain id of the request's own queue.
        chain_id: u64,
        /// The request.
        number: u64,
        /// As queued.
        expected: B256,
        /// As resolved.
        actual: B256,
    },
}

/// Requests that no batch has resolved, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    enqueued: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Debug)]
struct Waiting {
    chain_id: U256,
    number: u64,
    hash: B256,
}

impl Queue {
    /// Takes in the next request.
    pub(super) fn enqueue(&mut self, event: &RequestEnqueued) -> Result<(), QueueError> {
        if event.position != self.enqueued {
            return Err(QueueError::PositionMismatch { expected: self.enqueued, actual: event.position });
        }
        let hash = request_hash(event.requestType, &event.content, event.sender);
        self.waiting.push_back(Waiting { chain_id: event.chainId, number: event.number, hash });
        self.enqueued += 1;
        Ok(())
    }

    /// Whether these are the next requests, in this order.
    pub(super) fn check(&self, resolutions: &[Resolution]) -> Result<(), QueueError> {
        let mut waiting = self.waiting.iter();
        resolutions.iter().try_for_each(|resolution| {
            let Resolution { chain_id, number, hash, .. } = *resolution;
            let next = waiting.next().ok_or(QueueError::QueueEmpty { chain_id, number })?;
            if (next.chain_id, next.number) != (U256::from(chain_id), number) {
                return Err(QueueError::RequestOrder {
                    expected: (next.chain_id, next.number),
                    chain_id,
                    number,
                });
            }
            if next.hash != hash {
                return Err(QueueError::RequestMismatch {
                    chain_id,
                    number,
                    expected: next.hash,
                    actual: hash,
                });
            }
            Ok(())
        })
    }

    /// Takes out so many, which [`Queue::check`] found to be the next.
    pub(super) fn resolve(&mut self, count: usize) {
        self.waiting.drain(..count);
    }
}
