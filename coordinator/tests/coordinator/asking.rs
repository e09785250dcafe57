//! Requests, as the chains tell of them.

use alloy::primitives::{Address, B256, U256};
use hypha_chain::ports::{BlockTag, Chain};
use hypha_chain::simulated::Faults;
use hypha_protocol::contracts::IRequestQueue::RequestQueued;
use hypha_protocol::contracts::IRootHub::{BatchApplied, RequestEnqueued};
use hypha_protocol::ids::requested_salt;
use hypha_protocol::operations::{Content, Operation, Output, Request, RequestedIssue, Resource, Transfer};
use hypha_protocol::replay::Replica;
use hypha_protocol::signing::{hub_domain, owners_beside_sender, sign_transfer};
use serde_json::Value;

use super::world::*;

/// When a request must be resolved at the latest.
pub(crate) const DUE_AT: u64 = 3_000_000_000;

/// The contract that asks for issues.
pub(crate) fn contract() -> Address {
    Address::repeat_byte(0xcc)
}

/// A request for an issue of the contract's own kind, whose salt follows from `salt` rather than the request's number.
pub(crate) fn asks_issue_for(chain_id: u64, number: u64, domain_id: u64, salt: u64) -> Request {
    let issue = RequestedIssue {
        label: LABEL,
        domain_id,
        owner: key("alice").address(),
        quantity: U256::from(100),
        data: B256::ZERO,
        salt: requested_salt(chain_id, hub_address(), salt),
    };
    Request::new(chain_id, number, contract(), Content::Issue(issue)).unwrap()
}

/// A request for an issue on the hub.
pub(crate) fn asks_issue(chain_id: u64, number: u64) -> Request {
    asks_issue_for(chain_id, number, HUB_ID, number)
}

/// A request of `sender` for a transfer, signed by those of the owners who must sign beside the sender.
pub(crate) fn asks_transfer(
    chain_id: u64,
    number: u64,
    sender: &str,
    inputs: &[Resource],
    outputs: &[Output],
) -> Request {
    let sender = key(sender).address();
    let (inputs, outputs) = (inputs.to_vec(), outputs.to_vec());
    let mut transfer = Transfer { inputs, outputs, deadline: DEADLINE, signatures: Vec::new() };
    let domain = hub_domain(HUB_ID, hub_address());
    for owner in owners_beside_sender(&transfer.inputs, chain_id, sender) {
        let signer = ["alice", "bob", "carol"].map(key).into_iter().find(|signer| signer.address() == owner);
        transfer.signatures.push(sign_transfer(&signer.unwrap(), &domain, &transfer).unwrap());
    }
    Request::new(chain_id, number, sender, Content::Transfer(transfer)).unwrap()
}

/// The path of a request in the API.
pub(crate) fn path(request: &Request) -> String {
    format!("/v1/requests/{}/{}", request.chain_id(), request.number())
}

impl World {
    /// The request comes to the hub's queue, in its next block.
    pub(crate) fn enqueue(&self, request: &Request) {
        let mut queue = self.queue();
        let event = RequestEnqueued {
            chainId: U256::from(request.chain_id()),
            number: request.number(),
            position: queue.len() as u64,
            dueAt: DUE_AT,
            requestType: request.request_type() as u8,
            sender: request.sender(),
            content: request.packed_content().clone(),
        };
        queue.push((request.chain_id(), request.number(), request.hash()));
        emit(&self.hub, hub_address(), &event);
    }

    /// The hub's contract after a reorg that dropped all of its past.
    pub(crate) fn begin_anew(&self) {
        self.queue().clear();
    }

    /// The spoke queues the request, in its next block.
    pub(crate) fn queue_on_spoke(&self, request: &Request) {
        let event = RequestQueued {
            number: request.number(),
            requestType: request.request_type() as u8,
            sender: request.sender(),
            fee: 0,
            content: request.packed_content().clone(),
        };
        emit(&self.spoke, spoke_address(), &event);
    }

    /// Turns the world until a request has this status.
    pub(crate) async fn until_request(&self, running: &Running, request: &Request, status: &str) -> Value {
        self.until_at(running, &path(request), status).await
    }

    /// What the hub's logs alone give: the queue is followed, and each batch checked again. Gives the root, and how many requests
    /// were executed and void.
    pub(crate) async fn replay(&self) -> (B256, usize, usize) {
        let mut replica = Replica::new(HUB_ID, hub_address()).with_queue();
        let (mut executed, mut void) = (0, 0);
        let head = self.hub.block(BlockTag::Latest).await.unwrap().unwrap();
        for log in self.hub.logs_in_range(hub_address(), 0, head.number).await.unwrap() {
            if let Some(event) = read::<RequestEnqueued>(&log) {
                replica.enqueue(&event).unwrap();
            } else if let Some(event) = read::<BatchApplied>(&log) {
                let step = replica.apply(event.index, &event.operations).unwrap();
                assert_eq!((step.root.as_bytes(), step.batch_chain), (&event.root.0, event.batchChain));
                let operations = step.operations.operations();
                executed += operations.iter().filter(|one| matches!(one, Operation::Queued(_))).count();
                void += operations.iter().filter(|one| matches!(one, Operation::Void(_))).count();
            }
        }
        (hypha_protocol::ids::word(replica.root()), executed, void)
    }
}

/// The root that the coordinator is at.
pub(crate) fn head(running: &Running) -> B256 {
    running.service.context().ledger.state().head().root
}

/// A node that loses what it is sent.
pub(crate) fn losing() -> Faults {
    Faults { loses_transactions: true, ..Faults::default() }
}

/// The void that the API shows, and the code of the rejection.
pub(crate) fn void_of(view: &Value) -> (&str, &str) {
    (view["void"]["reason"].as_str().unwrap_or(""), view["reason"]["code"].as_str().unwrap_or(""))
}

/// The hub's logs alone give the same root.
pub(crate) async fn is_replayed(world: &World, running: &Running) {
    assert_eq!(world.replay().await.0, head(running));
}
