//! Just enough of the contracts: what they answer, and what they emit.

#![allow(non_snake_case, reason = "the fields of events have the names of the interface")]

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{SolCall, SolError, SolEvent};
use hypha_chain::ports::Call;
use hypha_chain::simulated::Execution;
use hypha_protocol::contracts::{IAttestedFacts, IRequestQueue, IRootHub, IRootSpoke, IRootVerifier};

use crate::world::{ATTESTED, HUB, THRESHOLD, VERIFYING, contract};

/// Contract, topics and data of a log.
type Emitted = (Address, Vec<B256>, Bytes);

/// A contract's state, moved by the logs that its chain mined.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) index: u64,
    pub(crate) frozen_at: u64,
    pub(crate) confirmed: BTreeMap<u64, u64>,
    pub(crate) set: (u64, Vec<Address>),
    /// Calls with more batches than this revert.
    pub(crate) most_batches: usize,
    /// Indexes to which the spoke was moved, in order.
    pub(crate) moves: Vec<u64>,
    /// Confirmations that were mined.
    pub(crate) confirmations: Vec<(u64, u64)>,
    /// Greatest number of each chain's queue that the hub has taken in.
    pub(crate) enqueued: BTreeMap<u64, u64>,
    /// Requests that the hub took in, in order.
    pub(crate) enqueuings: Vec<(u64, u64)>,
    /// Whether the hub knows no spoke.
    pub(crate) forgets_spokes: bool,
}

impl Model {
    /// The hub takes in a request. Of two in one block the contract, unlike this one, would take only the first.
    pub(crate) fn take_in(&mut self, chain: u64, number: u64) {
        let known = self.enqueued.entry(chain).or_default();
        if number == *known + 1 {
            *known = number;
            self.enqueuings.push((chain, number));
        }
    }
}

pub(crate) fn updated(index: u64) -> IRootVerifier::RootUpdated {
    IRootVerifier::RootUpdated {
        oldRoot: B256::repeat_byte(1),
        newRoot: B256::with_last_byte(index as u8),
        index,
    }
}

/// The contracts of one chain. What a transaction changes follows from its logs, when they are mined.
pub(crate) fn run(chain: u64, model: &Model, call: &Call) -> Result<Execution, Bytes> {
    let selector = <[u8; 4]>::try_from(&call.data[..4]).unwrap();
    let done = |logs: Vec<Emitted>| Ok(Execution { output: Bytes::new(), logs });
    let answered = |output: Vec<u8>| Ok(Execution { output: output.into(), logs: Vec::new() });
    match selector {
        IAttestedFacts::currentSetIdCall::SELECTOR => {
            answered(IAttestedFacts::currentSetIdCall::abi_encode_returns(&model.set.0))
        }
        IAttestedFacts::attestorsOfCall::SELECTOR => {
            let (attestors, threshold) = (model.set.1.clone(), THRESHOLD);
            let set = IAttestedFacts::attestorsOfReturn { attestors, threshold, expiresAt: u64::MAX };
            answered(IAttestedFacts::attestorsOfCall::abi_encode_returns(&set))
        }
        IRootVerifier::indexCall::SELECTOR => {
            answered(IRootVerifier::indexCall::abi_encode_returns(&model.index))
        }
        IRootSpoke::frozenAtCall::SELECTOR => {
            answered(IRootSpoke::frozenAtCall::abi_encode_returns(&model.frozen_at))
        }
        IRootHub::confirmedIndexCall::SELECTOR => {
            let spoke = IRootHub::confirmedIndexCall::abi_decode(&call.data).unwrap().chainId.to::<u64>();
            let known = model.confirmed.get(&spoke).copied().unwrap_or_default();
            answered(IRootHub::confirmedIndexCall::abi_encode_returns(&known))
        }
        IRootSpoke::advanceCall::SELECTOR => {
            assert_eq!(chain, VERIFYING, "advance is for verifying spokes");
            let call = IRootSpoke::advanceCall::abi_decode(&call.data).unwrap();
            proof_has_threshold(&call.factProof);
            if call.batches.len() > model.most_batches {
                return Err(refusal(call.batches.len()));
            }
            assert_eq!(call.toIndex - model.index.min(call.toIndex), call.batches.len() as u64);
            done(vec![log(chain, &updated(call.toIndex))])
        }
        IRootSpoke::advanceAttestedCall::SELECTOR => {
            assert_eq!(chain, ATTESTED, "advanceAttested is for attested spokes");
            let call = IRootSpoke::advanceAttestedCall::abi_decode(&call.data).unwrap();
            proof_has_threshold(&call.factProof);
            done(vec![log(chain, &updated(call.toIndex))])
        }
        IRootHub::confirmCall::SELECTOR => {
            let call = IRootHub::confirmCall::abi_decode(&call.data).unwrap();
            assert_eq!(call.root, updated(call.atIndex).newRoot);
            proof_has_threshold(&call.factProof);
            let confirmed =
                IRootHub::Confirmed { chainId: call.chainId, index: call.atIndex, root: call.root };
            done(vec![log(chain, &confirmed)])
        }
        IRootHub::enqueuedNumberCall::SELECTOR => {
            let spoke = IRootHub::enqueuedNumberCall::abi_decode(&call.data).unwrap().chainId.to::<u64>();
            let known = model.enqueued.get(&spoke).copied().unwrap_or_default();
            answered(IRootHub::enqueuedNumberCall::abi_encode_returns(&known))
        }
        IRootHub::enqueueRemoteCall::SELECTOR => {
            done(enqueue(model, IRootHub::enqueueRemoteCall::abi_decode(&call.data).unwrap())?)
        }
        other => panic!("chain {chain} has no function {other:?}"),
    }
}

/// As the hub does it: nothing for one that is there already, and none out of turn.
fn enqueue(model: &Model, call: IRootHub::enqueueRemoteCall) -> Result<Vec<Emitted>, Bytes> {
    if model.forgets_spokes {
        return Err(IRootHub::UnknownSpoke { chainId: call.chainId }.abi_encode().into());
    }
    let chain = call.chainId.to::<u64>();
    let expected = model.enqueued.get(&chain).copied().unwrap_or_default() + 1;
    if call.number < expected {
        return Ok(Vec::new());
    }
    if call.number > expected {
        let (chain_id, actual) = (call.chainId, call.number);
        return Err(IRequestQueue::RequestNumber { chainId: chain_id, expected, actual }.abi_encode().into());
    }
    let asked = queued(chain, call.number);
    assert_eq!(
        (call.requestType, call.sender, &call.content),
        (asked.requestType, asked.sender, &asked.content)
    );
    proof_has_threshold(&call.factProof);
    Ok(vec![log(HUB, &enqueued(chain, call.number))])
}

/// The request that a spoke queues under a number.
pub(crate) fn queued(chain: u64, number: u64) -> IRequestQueue::RequestQueued {
    let content = format!("request {number} of chain {chain}").into_bytes();
    let requestType = 3 + (number % 2) as u8;
    let sender = contract(chain + number);
    IRequestQueue::RequestQueued { number, requestType, sender, fee: 7, content: content.into() }
}

/// What the hub says when it takes it in.
pub(crate) fn enqueued(chain: u64, number: u64) -> IRootHub::RequestEnqueued {
    let IRequestQueue::RequestQueued { requestType, sender, content, .. } = queued(chain, number);
    let (chainId, position, dueAt) = (U256::from(chain), number - 1, 9);
    IRootHub::RequestEnqueued { chainId, number, position, dueAt, requestType, sender, content }
}

fn proof_has_threshold(proof: &[u8]) {
    assert_eq!(proof.len(), 56 + 65 * THRESHOLD as usize);
}

fn refusal(count: usize) -> Bytes {
    IRootSpoke::BatchCount { count: U256::from(count) }.abi_encode().into()
}

fn log(chain: u64, event: &impl SolEvent) -> Emitted {
    let log = event.encode_log_data();
    (contract(chain), log.topics().to_vec(), log.data.clone())
}
