//! Honest evidence passes, and each lie that is put into it is found.

use alloy::primitives::{Address, Bytes, U256};
use hypha_protocol::contracts::{Issue, Output, Resource, Transfer};
use hypha_protocol::ids::kind_of;
use hypha_protocol::operations::encode_operations;

use super::*;

const HUB: u64 = 31_337;
const SPOKE: u64 = 31_338;
const ISSUER: Address = Address::repeat_byte(3);
const LABEL: B256 = B256::repeat_byte(4);
/// When everything here had come about.
const LATE: Head = Head { newest: 100, last_final: 90, time: 2_000 };
/// Of all operations here.
const DEADLINE: u64 = 1_900;

fn note(salt: u8) -> Resource {
    Resource {
        domainId: U256::from(SPOKE),
        owner: Address::repeat_byte(1),
        kind: kind_of(U256::ZERO, ISSUER, LABEL),
        quantity: U256::from(100),
        data: B256::ZERO,
        salt: B256::repeat_byte(salt),
    }
}

fn issue(salt: u8) -> Operation {
    Operation::Issue(Issue {
        resource: note(salt),
        issuer: ISSUER,
        label: LABEL,
        deadline: DEADLINE,
        signature: vec![27; 65].into(),
    })
}

/// Spends the note of an issue; each `quantity` is another transfer.
fn transfer(salt: u8, quantity: u64) -> Operation {
    let Resource { domainId: domain, owner, kind, .. } = note(salt);
    let output = Output { domainId: domain, owner, kind, quantity: U256::from(quantity), data: B256::ZERO };
    Operation::Transfer(Transfer {
        inputs: vec![note(salt)],
        outputs: vec![output],
        deadline: DEADLINE,
        signatures: vec![vec![27; 65].into()],
    })
}

/// A batch whose block is ten times its index.
fn batch(index: u64, operations: &[Operation]) -> Batch {
    let packed = encode_operations(operations).expect("they pack");
    let root = B256::with_last_byte(u8::try_from(index).expect("few"));
    Batch { index, root, operations: packed.into(), block: 10 * index }
}

fn told(end: End) -> Vec<Told> {
    vec![Told { end, heads: BTreeMap::from([(HUB, LATE), (SPOKE, LATE)]) }]
}

fn rejected(code: &str) -> End {
    End::Rejected(code.to_owned())
}

/// Two issues; a transfer in a batch of its own; and three that were rejected: its rival, one that came too late, and one of a
/// note that was never there.
fn honest() -> Evidence {
    let batches = vec![batch(1, &[issue(1), issue(2)]), batch(2, &[transfer(1, 100)])];
    let roots = batches.iter().map(|batch| Root { index: batch.index, root: batch.root, block: 30 });
    let confirmation = Confirmation { chain_id: SPOKE, index: 2, block: 40 };
    let ends = [
        (issue(1), End::Finalized(1)),
        (issue(2), End::Finalized(1)),
        (transfer(1, 100), End::Finalized(2)),
        (transfer(1, 99), rejected("input_spent")),
        (transfer(2, 98), rejected("deadline_passed")),
        (transfer(7, 97), rejected("input_absent")),
    ];
    Evidence {
        acknowledged: ends.iter().map(|(operation, _)| (operation.id(), operation.clone())).collect(),
        told: ends.iter().map(|(operation, end)| (operation.id(), told(end.clone()))).collect(),
        hub: HUB,
        spokes: vec![Spoke { chain_id: SPOKE, roots: roots.collect() }],
        batches,
        confirmations: vec![confirmation],
    }
}

/// What the checker says after an edit of the honest evidence.
fn edited(edit: impl FnOnce(&mut Evidence)) -> Vec<Lie> {
    let mut evidence = honest();
    edit(&mut evidence);
    check(&evidence)
}

/// As [`edited`], where one operation ended otherwise.
fn ended(id: B256, end: End) -> Vec<Lie> {
    edited(|evidence| evidence.told.get_mut(&id).expect("it has an end")[0].end = end)
}

/// As [`edited`], where a chain was not as far when the client was told of one operation.
fn when_told(id: B256, chain_id: u64, head: Head) -> Vec<Lie> {
    edited(|evidence| {
        evidence.told.get_mut(&id).expect("it has an end")[0].heads.insert(chain_id, head);
    })
}

#[test]
fn honest_evidence_passes() {
    assert_eq!(check(&honest()), []);
    let known = edited(|evidence| {
        evidence.acknowledged.pop_first();
    });
    assert_eq!(known, [], "an answer that got lost on its way binds nobody");
}

#[test]
fn what_was_acknowledged_must_not_be_forgotten() {
    let id = transfer(1, 100).id();
    let lies = edited(|evidence| {
        evidence.told.remove(&id);
    });
    assert_eq!(lies, [Lie::NoEnd(id)]);
}

#[test]
fn an_end_must_be_on_the_chains() {
    let (gone, done) = (transfer(1, 99).id(), transfer(1, 100).id());
    assert_eq!(ended(gone, End::Finalized(2)), [Lie::FinalizedNowhere(gone)]);
    let elsewhere = Lie::FinalizedElsewhere { id: done, said: 1, actual: 2 };
    assert_eq!(ended(done, End::Finalized(1)), [elsewhere]);
    let early = [Lie::FinalizedTooEarly { id: done, index: 2, chain_id: SPOKE }];
    let lies = edited(|evidence| {
        evidence.spokes[0].roots.pop();
    });
    assert_eq!(lies, early);
    let lies = edited(|evidence| evidence.confirmations[0].index = 1);
    assert_eq!(lies, early);
}

#[test]
fn an_end_must_have_come_before_it_is_told() {
    let id = transfer(1, 100).id();
    let early = [Lie::FinalizedTooEarly { id, index: 2, chain_id: SPOKE }];
    assert_eq!(when_told(id, SPOKE, Head { newest: 29, ..LATE }), early, "the spoke took the root later");
    assert_eq!(when_told(id, SPOKE, Head { newest: 30, ..LATE }), []);
    assert_eq!(when_told(id, HUB, Head { last_final: 39, ..LATE }), early, "it was confirmed, not for good");
    assert_eq!(when_told(id, HUB, Head { last_final: 40, ..LATE }), []);
    let lies = when_told(id, HUB, Head { last_final: 19, ..LATE });
    assert!(lies.contains(&Lie::FinalizedBeforeHub { id, index: 2 }), "{lies:?}");
}

#[test]
fn an_end_is_not_taken_back() {
    let id = transfer(1, 99).id();
    let finalized = || told(End::Finalized(2)).remove(0);
    let lies = edited(|evidence| evidence.told.get_mut(&id).expect("an end").insert(0, finalized()));
    assert_eq!(lies, [Lie::EndTakenBack(id)]);
    let id = transfer(1, 100).id();
    let late = || told(rejected("deadline_passed")).remove(0);
    let lies = edited(|evidence| evidence.told.get_mut(&id).expect("an end").insert(0, late()));
    assert_eq!(lies, [], "too late to be sent, and executed all the same because it was also requested");
}

#[test]
fn a_rejection_needs_a_reason_that_the_chains_show() {
    let without = |operation: &Operation, code: &str| {
        vec![Lie::RejectedWithoutReason { id: operation.id(), code: code.to_owned() }]
    };
    let (rival, late, absent) = (transfer(1, 99), transfer(2, 98), transfer(7, 97));
    let before = |operation: &Operation, head| when_told(operation.id(), HUB, head);
    assert_eq!(before(&rival, Head { newest: 19, ..LATE }), without(&rival, "input_spent"));
    assert_eq!(before(&late, Head { time: DEADLINE - 10, ..LATE }), without(&late, "deadline_passed"));
    assert_eq!(before(&late, Head { time: DEADLINE - 9, ..LATE }), []);
    for code in ["input_spent", "input_absent", "output_exists", "whatever"] {
        assert_eq!(ended(late.id(), rejected(code)), without(&late, code), "its note stands there unspent");
    }
    assert_eq!(ended(absent.id(), rejected("input_spent")), without(&absent, "input_spent"));
    let done = transfer(1, 100);
    let lies = ended(done.id(), rejected("deadline_passed"));
    assert_eq!(lies, [Lie::RejectedYetApplied { id: done.id(), index: 2 }]);
}

#[test]
fn nothing_happens_twice() {
    let note = resource_id(&note(1));
    let lies = edited(|evidence| evidence.batches.push(batch(3, &[transfer(1, 98)])));
    assert_eq!(lies, [Lie::SpentTwice { note, index: 3 }]);
    let id = issue(1).id();
    let lies = edited(|evidence| evidence.batches.push(batch(3, &[issue(1)])));
    let twice = [Lie::CreatedTwice { note, index: 3 }, Lie::AppliedTwice { id, first: 1, second: 3 }];
    assert_eq!(lies, twice);
}

#[test]
fn roots_are_those_of_the_hub_and_only_go_on() {
    let other = B256::repeat_byte(9);
    let lies = edited(|evidence| evidence.spokes[0].roots[0].root = other);
    assert_eq!(lies, [Lie::AnotherRoot { chain_id: SPOKE, index: 1, root: other }]);
    let lies = edited(|evidence| evidence.spokes[0].roots.reverse());
    assert_eq!(lies, [Lie::WentBack { chain_id: SPOKE, from: 2, to: 1 }]);
    let lies = edited(|evidence| evidence.batches.push(batch(4, &[issue(3)])));
    assert_eq!(lies, [Lie::IndexLeftOut { expected: 3, actual: 4 }]);
    let lies = edited(|evidence| evidence.batches[1].operations = Bytes::from_static(&[0xff]));
    assert!(lies.contains(&Lie::Unreadable(2)), "{lies:?}");
}

#[test]
fn no_chain_goes_unchecked() {
    let lies = edited(|evidence| evidence.spokes.clear());
    let unknown =
        |operation: &Operation, index| Lie::UnknownChain { id: operation.id(), index, chain_id: SPOKE };
    for lie in [unknown(&issue(1), 1), unknown(&issue(2), 1), unknown(&transfer(1, 100), 2)] {
        assert!(lies.contains(&lie), "{lie}: {lies:?}");
    }
    assert_eq!(lies.len(), 3, "{lies:?}");
}
