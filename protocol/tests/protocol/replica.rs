//! A replica follows the hub's operations, and stops at what the hub could not have taken.

use hypha_protocol::batch::{BatchError, genesis_batch_chain, next_batch_chain, verify_batch};
use hypha_protocol::operations::{Operation, OperationError};
use hypha_protocol::replay::{ReplayError, Replica};
use hypha_protocol::tree::ProofError;

use crate::batches::sequence;
use crate::fixtures::*;

#[test]
fn follows_the_sequence_and_tells_what_a_spoke_needs() {
    let mut replica = Replica::new(HUB_CHAIN, HUB);
    let mut trusting = Replica::trusting(HUB_CHAIN, HUB);
    let mut chain = genesis_batch_chain(HUB_CHAIN, HUB);
    for (index, bytes) in (1..).zip(sequence()) {
        let before = replica.root();
        let step = replica.apply(index, &bytes).expect("an honest batch");
        assert_eq!((step.index, step.old_root, step.root), (index, before, replica.root()));
        chain = next_batch_chain(chain, index, step.root, &bytes);
        assert_eq!((step.batch_chain, replica.batch_chain()), (chain, chain));
        verify_batch(before, &bytes, &step.witness, step.root, &hub_rules()).expect("a spoke takes the step");
        assert_eq!(trusting.apply(index, &bytes).expect("an honest batch"), step);
    }
    assert_eq!(replica.index(), 5);
    assert_eq!(replica.tree().root(), trusting.root());
}

#[test]
fn refuses_what_does_not_follow_and_stays_as_it_was() {
    let mut replica = Replica::new(HUB_CHAIN, HUB);
    let batches = sequence();
    replica.apply(1, &batches[0]).expect("an honest batch");
    let (root, chain) = (replica.root(), replica.batch_chain());
    assert_eq!(replica.apply(1, &batches[1]), Err(ReplayError::IndexMismatch { expected: 2, actual: 1 }));
    assert_eq!(replica.apply(3, &batches[1]), Err(ReplayError::IndexMismatch { expected: 2, actual: 3 }));
    let again = replica.apply(2, &batches[0]).expect_err("the note is there already");
    assert!(
        matches!(
            again,
            ReplayError::Batch { index: 2, error: BatchError::Proof(ProofError::ClaimMismatch { .. }) }
        ),
        "{again}"
    );
    assert_eq!((replica.root(), replica.index(), replica.batch_chain()), (root, 1, chain));
    replica.apply(2, &batches[1]).expect("it can still go on");
}

#[test]
fn time_and_chains_are_the_hubs_but_signatures_are_not_taken_on_trust() {
    let far = note("gold", 31340, alice().address(), 1, 5);
    let late = pack(&[Operation::Issue(issue_until("gold", far, 0))]);
    Replica::new(HUB_CHAIN, HUB).apply(1, &late).expect("the hub's own checks are not repeated");

    let mut forged = sequence()[0].clone();
    *forged.last_mut().expect("bytes") = 26;
    assert_eq!(
        Replica::new(HUB_CHAIN, HUB).apply(1, &forged),
        Err(ReplayError::Batch {
            index: 1,
            error: BatchError::Operation(OperationError::SignatureParity { v: 26 })
        })
    );
    Replica::trusting(HUB_CHAIN, HUB).apply(1, &forged).expect("the trusting one takes the hub's word");
    let other_hub = alice().address();
    assert!(Replica::new(HUB_CHAIN, other_hub).apply(1, &sequence()[0]).is_err(), "signed for another hub");
}
