//! A hub's queue and the batches that resolve it, and batches that no tree and no queue allow.

use alloy::primitives::{B256, Bytes, U256};
use hypha_protocol::batch::{build_witness, verify_batch};
use hypha_protocol::contracts::IRootHub::RequestEnqueued;
use hypha_protocol::ids::word;
use hypha_protocol::operations::{Content, Operation, Request, Resource, VoidReason, check_operations};
use hypha_protocol::replay::{QueueError, ReplayError, Replica, with_touches};
use hypha_protocol::tree::Tree;
use serde_json::{Value, json};

use crate::batches::{Case, case};
use crate::fixtures::*;
use crate::requests::*;

/// The requests in the order in which they come to the hub.
fn queue() -> Vec<Request> {
    let of = |chain, number, content| request(chain, number, vault(), content);
    let share = || Content::Issue(requested_issue(SPOKE_CHAIN, SPOKE, 1));
    vec![
        of(HUB_CHAIN, 1, Content::Transfer(vault_transfer())),
        of(HUB_CHAIN, 2, Content::Transfer(mixed_transfer())),
        of(SPOKE_CHAIN, 1, share()),
        of(HUB_CHAIN, 3, Content::Transfer(four_notes())),
        of(SPOKE_CHAIN, 2, Content::Transfer(to_nowhere(SPOKE_CHAIN))),
        // No honest spoke queues one salt twice.
        of(SPOKE_CHAIN, 3, share()),
    ]
}

fn step(batch: usize) -> Vec<Operation> {
    let request = |position: usize| queue()[position].clone();
    let mint_to = |resource| Operation::Issue(issue("gold", resource));
    match batch {
        0 => vec![
            mint_to(vaults_gold(HUB_CHAIN, 30, 20)),
            mint_to(alices_gold()),
            mint_to(vaults_gold(HUB_CHAIN, 5, 22)),
        ],
        1 => vec![Operation::Queued(request(0)), mint_to(note("gold", SPOKE_CHAIN, vault(), 1, 23))],
        2 => vec![void(request(1), VoidReason::InputSpent, 0), Operation::Queued(request(2))],
        3 => vec![
            void(request(3), VoidReason::InputAbsent, 2),
            void(request(4), VoidReason::UnknownDomain, 1),
            void(request(5), VoidReason::OutputExists, 0),
        ],
        _ => unreachable!("the story has four batches"),
    }
}

/// The batches, and how many requests have come before each.
const STORY: [(&str, usize); 4] = [
    ("before any request", 0),
    ("a queued transfer before an issue", 1),
    ("a void before a queued issue", 3),
    ("three voids", 6),
];

fn tree_after(batches: usize) -> Tree {
    (0..batches).fold(Tree::new(), |tree, batch| {
        let touches: Vec<_> = step(batch).iter().flat_map(Operation::touches).collect();
        with_touches(&tree, &touches)
    })
}

pub(crate) fn queue_vectors() -> Vec<Value> {
    let vector = |(position, request): (usize, &Request)| {
        let before = STORY.iter().position(|(_, come)| *come > position).expect("a batch that resolves it");
        json!({
            "name": format!("position {position}"),
            "beforeIndex": before + 1,
            "chainId": request.chain_id(),
            "number": request.number(),
            "requestType": request.request_type() as u8,
            "sender": request.sender(),
            "content": request.packed_content(),
            "hash": request.hash(),
        })
    };
    queue().iter().enumerate().map(vector).collect()
}

pub(crate) fn batch_vectors() -> Vec<Value> {
    let mut replica = replica();
    let mut vectors = Vec::new();
    for (batch, (name, _)) in STORY.iter().enumerate() {
        let (operations, previous) = (pack(&step(batch)), replica.batch_chain());
        enqueue_for(&mut replica, batch);
        let step = replica.apply(batch as u64 + 1, &operations).expect(name);
        vectors.push(json!({
            "name": name,
            "index": step.index,
            "root": word(step.old_root),
            "newRoot": word(step.root),
            "previousBatchChain": previous,
            "batchChain": step.batch_chain,
            "operations": Bytes::from(operations),
            "witness": Bytes::from(step.witness),
        }));
    }
    vectors
}

fn replica() -> Replica {
    Replica::new(HUB_CHAIN, HUB).with_queue()
}

/// Tells the replica of the requests that come before a batch and after the one before it.
fn enqueue_for(replica: &mut Replica, batch: usize) {
    let before = batch.checked_sub(1).map_or(0, |previous| STORY[previous].1);
    for position in before..STORY[batch].1 {
        replica.enqueue(&event(position)).expect("the next request");
    }
}

fn event(position: usize) -> RequestEnqueued {
    let request = &queue()[position];
    RequestEnqueued {
        chainId: U256::from(request.chain_id()),
        number: request.number(),
        position: position as u64,
        dueAt: NOW,
        requestType: request.request_type() as u8,
        sender: request.sender(),
        content: request.packed_content().clone(),
    }
}

/// The replica before a batch, its requests come.
fn replica_before(batch: usize) -> Replica {
    let mut replica = replica();
    for earlier in 0..batch {
        enqueue_for(&mut replica, earlier);
        replica.apply(earlier as u64 + 1, &pack(&step(earlier))).expect("an honest batch");
    }
    enqueue_for(&mut replica, batch);
    replica
}

/// Batches whose voids are untrue, or which resolve what the tree does not allow.
pub(crate) fn refused() -> Vec<Case> {
    let request = |position: usize| queue()[position].clone();
    let (first, later) = (tree_after(1), tree_after(3));
    let fresh = || vaults_gold(HUB_CHAIN, 8, 40);
    let spends_fresh = |number| {
        let transfer = transfer(vec![fresh()], vec![output(gold(), HUB_CHAIN, vault(), 8)], &[]);
        Operation::Queued(crate::requests::request(HUB_CHAIN, number, vault(), Content::Transfer(transfer)))
    };
    let void_of = |operation: Operation| match operation {
        Operation::Queued(request) => void(request, VoidReason::InputAbsent, 0),
        _ => unreachable!("it is queued"),
    };
    let mint_fresh = || Operation::Issue(issue("gold", fresh()));
    let untrue = |position, reason| vec![void(request(position), reason, 0)];
    vec![
        case("void for an input that is there", &first, &untrue(0, VoidReason::InputAbsent), "ClaimMismatch"),
        case("void for an input not spent", &first, &untrue(0, VoidReason::InputSpent), "ClaimMismatch"),
        case("void for an output not there", &first, &untrue(0, VoidReason::OutputExists), "ClaimMismatch"),
        case(
            "void for an input that never was, as spent",
            &first,
            &untrue(3, VoidReason::InputSpent),
            "ClaimMismatch",
        ),
        case("a request void a second time", &later, &untrue(1, VoidReason::InputSpent), "ClaimMismatch"),
        case(
            "a request void twice in a batch",
            &later,
            &[untrue(3, VoidReason::InputAbsent), untrue(3, VoidReason::InputAbsent)].concat(),
            "KeyRepeated",
        ),
        case(
            "void for an input that the batch creates",
            &first,
            &[void_of(spends_fresh(1)), mint_fresh()],
            "KeyRepeated",
        ),
        case(
            "void for an output that the batch creates",
            &first,
            &[void(request(2), VoidReason::OutputExists, 0), Operation::Queued(request(2))],
            "KeyRepeated",
        ),
        case(
            "void for an input that the batch spends",
            &first,
            &[void(request(1), VoidReason::InputSpent, 0), Operation::Queued(request(0))],
            "KeyRepeated",
        ),
        case(
            "two requests spend one note",
            &first,
            &[Operation::Queued(request(0)), Operation::Queued(request(1))],
            "KeyRepeated",
        ),
        case("a request spends a spent note", &later, &[Operation::Queued(request(1))], "ClaimMismatch"),
        case("a request spends what is not there", &first, &[spends_fresh(1)], "ClaimMismatch"),
        case(
            "a request spends what the batch creates",
            &first,
            &[spends_fresh(1), mint_fresh()],
            "KeyRepeated",
        ),
        case("a requested issue a second time", &later, &[Operation::Queued(request(5))], "ClaimMismatch"),
        case(
            "a known chain said to be unknown",
            &first,
            &[void(request(0), VoidReason::UnknownDomain, 0)],
            "KnownDomain",
        ),
    ]
}

#[test]
fn the_hub_and_spokes_take_the_batches() {
    for (batch, (name, _)) in STORY.iter().enumerate() {
        let (tree, bytes) = (tree_after(batch), pack(&step(batch)));
        let touches = check_operations(&bytes, &hub_rules()).expect(name).touches().to_vec();
        let (witness, root) = (build_witness(&tree, &touches), tree_after(batch + 1).root());
        for rules in [hub_rules(), spoke_rules()] {
            verify_batch(tree.root(), &bytes, &witness, root, &rules).expect(name);
        }
    }
}

#[test]
fn a_replica_that_follows_the_queue_resolves_it_in_its_order() {
    let refused = |replica: &mut Replica, operations: &[Operation]| {
        let (index, root) = (replica.index() + 1, replica.root());
        let error = replica.apply(index, &pack(operations)).expect_err("not the queue's order");
        assert_eq!((replica.index() + 1, replica.root()), (index, root));
        match error {
            ReplayError::Queue { error, .. } => error,
            other => panic!("{other}"),
        }
    };
    let mut before_second = replica_before(1);
    let empty = Operation::Queued(queue()[0].clone());
    assert_eq!(
        refused(&mut replica_before_any(), std::slice::from_ref(&empty)),
        QueueError::QueueEmpty { chain_id: HUB_CHAIN, number: 1 }
    );
    let next = Operation::Queued(queue()[2].clone());
    assert_eq!(
        refused(&mut before_second, &[next]),
        QueueError::RequestOrder { expected: (U256::from(HUB_CHAIN), 1), chain_id: SPOKE_CHAIN, number: 1 }
    );
    let other = request(HUB_CHAIN, 1, SPOKE, Content::Issue(issue_to(HUB_CHAIN)));
    let (expected, actual) = (queue()[0].hash(), other.hash());
    assert_eq!(
        refused(&mut before_second, &[Operation::Queued(other)]),
        QueueError::RequestMismatch { chain_id: HUB_CHAIN, number: 1, expected, actual }
    );
    before_second.apply(2, &pack(&step(1))).expect("it can still go on");
    for batch in 2..STORY.len() {
        enqueue_for(&mut before_second, batch);
        before_second.apply(batch as u64 + 1, &pack(&step(batch))).expect("an honest batch");
    }
    assert_eq!(before_second.root(), tree_after(4).root());
}

/// After the first batch, no request has come.
fn replica_before_any() -> Replica {
    let mut replica = replica_before(0);
    replica.apply(1, &pack(&step(0))).expect("an honest batch");
    replica
}

#[test]
fn requests_are_told_to_a_replica_in_their_order() {
    let mut replica = replica();
    assert_eq!(replica.enqueue(&event(1)), Err(QueueError::PositionMismatch { expected: 0, actual: 1 }));
    replica.enqueue(&event(0)).expect("the first request");
    assert_eq!(replica.enqueue(&event(0)), Err(QueueError::PositionMismatch { expected: 1, actual: 0 }));
    assert_eq!(Replica::new(HUB_CHAIN, HUB).enqueue(&event(0)), Err(QueueError::NotFollowed));
}

/// Without the queue's events the tree's rules alone are checked, by the hub's word.
#[test]
fn a_replica_without_the_queue_takes_the_same_batches() {
    for mut replica in [Replica::new(HUB_CHAIN, HUB), Replica::trusting(HUB_CHAIN, HUB)] {
        for batch in 0..STORY.len() {
            replica.apply(batch as u64 + 1, &pack(&step(batch))).expect("an honest batch");
        }
        assert_eq!(replica.root(), tree_after(4).root());
    }
}

/// Value is conserved through the queue: what the vault had is Bob's, and its shares are as many as it asked for.
#[test]
fn the_story_creates_what_was_asked_for() {
    let created: Vec<Resource> = (0..STORY.len())
        .flat_map(|batch| step(batch).iter().flat_map(Operation::created).collect::<Vec<_>>())
        .collect();
    let total = |owner, kind: B256| -> U256 {
        created.iter().filter(|note| note.owner == owner && note.kind == kind).map(|note| note.quantity).sum()
    };
    assert_eq!(total(bob().address(), gold()), U256::from(30));
    let share = hypha_protocol::ids::kind_of(U256::from(SPOKE_CHAIN), vault(), label("share"));
    assert_eq!(total(alice().address(), share), U256::from(12));
}
