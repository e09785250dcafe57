//! A sequence of batches from the empty tree, and batches that every verifier refuses.

use alloy::primitives::Bytes;
use hypha_protocol::batch::{BatchError, build_witness, genesis_batch_chain, next_batch_chain, verify_batch};
use hypha_protocol::ids::word;
use hypha_protocol::operations::{Operation, Resource, Transfer, check_operations};
use hypha_protocol::replay::with_touches;
use hypha_protocol::tree::{Root, Tree};
use serde_json::{Value, json};

use crate::fixtures::*;
use crate::queue;

/// The batches of the sequence, each with its name.
fn story() -> Vec<(&'static str, Vec<Operation>)> {
    let to_split = note("gold", HUB_CHAIN, alice().address(), 16, 10);
    let split = transfer(
        vec![to_split.clone()],
        vec![output(gold(), HUB_CHAIN, alice().address(), 1); 16],
        &[alice()],
    );
    let pieces: Vec<Resource> = (0..16).map(|index| made(&split, index)).collect();
    let join = transfer(pieces, vec![output(gold(), OTHER_SPOKE_CHAIN, bob().address(), 1); 16], &[alice()]);
    vec![
        ("one issue into the empty tree", vec![Operation::Issue(issue("gold", alices_gold()))]),
        (
            "issues",
            vec![
                Operation::Issue(issue("silver", bobs_silver())),
                Operation::Issue(issue("gold", to_split)),
                Operation::Issue(issue("gold", spare())),
            ],
        ),
        (
            "a swap, and an issue",
            vec![Operation::Transfer(swap()), Operation::Issue(issue("gold", last_issued()))],
        ),
        ("one note into sixteen", vec![Operation::Transfer(split)]),
        ("sixteen notes into sixteen", vec![Operation::Transfer(join)]),
    ]
}

/// A note that is issued and never spent.
fn spare() -> Resource {
    note("gold", HUB_CHAIN, alice().address(), 7, 11)
}

fn last_issued() -> Resource {
    note("gold", OTHER_SPOKE_CHAIN, bob().address(), 5, 12)
}

pub(crate) fn sequence() -> Vec<Vec<u8>> {
    story().iter().map(|(_, operations)| pack(operations)).collect()
}

fn apply(tree: &Tree, bytes: &[u8]) -> Tree {
    with_touches(tree, check_operations(bytes, &hub_rules()).expect("honest operations").touches())
}

fn witness(tree: &Tree, bytes: &[u8]) -> Vec<u8> {
    build_witness(tree, check_operations(bytes, &hub_rules()).expect("honest operations").touches())
}

pub(crate) fn honest_vectors() -> Vec<Value> {
    let mut tree = Tree::new();
    let mut chain = genesis_batch_chain(HUB_CHAIN, HUB);
    let mut vectors = Vec::new();
    for (index, (name, operations)) in (1..).zip(story()) {
        let bytes = pack(&operations);
        let witness = witness(&tree, &bytes);
        let next = apply(&tree, &bytes);
        verify_batch(tree.root(), &bytes, &witness, next.root(), &hub_rules()).expect(name);
        let batch_chain = next_batch_chain(chain, index, next.root(), &bytes);
        vectors.push(json!({
            "name": name,
            "index": index,
            "root": word(tree.root()),
            "newRoot": word(next.root()),
            "previousBatchChain": chain,
            "batchChain": batch_chain,
            "operations": Bytes::from(bytes),
            "witness": Bytes::from(witness),
        }));
        (tree, chain) = (next, batch_chain);
    }
    vectors
}

pub(crate) struct Case {
    name: &'static str,
    root: Root,
    new_root: Root,
    operations: Vec<u8>,
    witness: Vec<u8>,
    reason: &'static str,
}

/// The tree after the first `count` batches.
fn tree_after(count: usize) -> Tree {
    sequence().iter().take(count).fold(Tree::new(), |tree, bytes| apply(&tree, bytes))
}

/// A batch on `tree` whose witness is as honest as it can be and which names the root that its touches would give.
pub(crate) fn case(name: &'static str, tree: &Tree, operations: &[Operation], reason: &'static str) -> Case {
    let bytes = pack(operations);
    let touches: Vec<_> = operations.iter().flat_map(Operation::touches).collect();
    let witness = build_witness(tree, &touches);
    let new_root = with_touches(tree, &touches).root();
    Case { name, root: tree.root(), new_root, operations: bytes, witness, reason }
}

fn refused() -> Vec<Case> {
    let mut cases = against_the_tree();
    cases.extend(of_the_witness());
    cases.extend(of_roots_and_operations());
    cases.extend(queue::refused());
    cases
}

fn against_the_tree() -> Vec<Case> {
    let (issued, swapped) = (tree_after(2), tree_after(3));
    let bob = bob().address();
    let spend = |inputs: Vec<Resource>, quantity| {
        Operation::Transfer(transfer(inputs, vec![output(gold(), HUB_CHAIN, bob, quantity)], &[alice()]))
    };
    let other_spend = transfer(
        vec![alices_gold()],
        vec![output(gold(), OTHER_SPOKE_CHAIN, alice().address(), 100)],
        &[alice()],
    );
    let first = plain_transfer();
    let chained = transfer(vec![made(&first, 0)], vec![output(gold(), HUB_CHAIN, bob, 100)], &[self::bob()]);
    let never = note("gold", HUB_CHAIN, alice().address(), 7, 99);
    let elsewhere = Resource { domainId: alloy::primitives::U256::from(SPOKE_CHAIN), ..spare() };
    let again = Operation::Issue(issue("gold", spare()));
    vec![
        case(
            "one note spent by two transfers",
            &issued,
            &[Operation::Transfer(first.clone()), Operation::Transfer(other_spend)],
            "KeyRepeated",
        ),
        case("one note twice in a transfer", &issued, &[spend(vec![spare(), spare()], 14)], "KeyRepeated"),
        case(
            "one transfer twice",
            &issued,
            &[Operation::Transfer(swap()), Operation::Transfer(swap())],
            "KeyRepeated",
        ),
        case(
            "one issue twice",
            &issued,
            &vec![Operation::Issue(issue("gold", last_issued())); 2],
            "KeyRepeated",
        ),
        case(
            "a note spent in an earlier batch",
            &swapped,
            &[Operation::Transfer(first.clone())],
            "ClaimMismatch",
        ),
        case("a transfer of an earlier batch", &swapped, &[Operation::Transfer(swap())], "ClaimMismatch"),
        case("an input that never was", &issued, &[spend(vec![never], 7)], "ClaimMismatch"),
        case("an input of another chain", &issued, &[spend(vec![elsewhere], 7)], "ClaimMismatch"),
        case("an issue of an earlier batch", &issued, &[again], "ClaimMismatch"),
        case(
            "another operation's output as input",
            &issued,
            &[Operation::Transfer(first), Operation::Transfer(chained)],
            "KeyRepeated",
        ),
        case("an input into the empty tree", &Tree::new(), &[spend(vec![spare()], 7)], "ClaimMismatch"),
    ]
}

fn swap_on_issued() -> Case {
    case("", &tree_after(2), &[Operation::Transfer(swap())], "")
}

fn of_the_witness() -> Vec<Case> {
    let alter = |name, reason, change: &dyn Fn(&mut Vec<u8>)| {
        let mut case = Case { name, reason, ..swap_on_issued() };
        change(&mut case.witness);
        case
    };
    // Seven touched keys, so the order takes 14 bytes and the multiproof's counts begin there.
    let stale = witness(&tree_after(1), &pack(&[Operation::Issue(issue("gold", last_issued()))]));
    vec![
        alter("no witness", "OrderLength", &|witness| witness.clear()),
        alter("half an order", "OrderLength", &|witness| witness.truncate(13)),
        alter("an order and nothing more", "ProofLength", &|witness| witness.truncate(14)),
        alter("a position past the last", "OrderIndex", &|witness| witness[1] = 7),
        alter("a position far past the last", "OrderIndex", &|witness| witness[12] = 0xff),
        alter("two positions exchanged", "KeysNotAscending", &|witness| {
            witness.swap(1, 3);
        }),
        alter("one position twice", "KeyRepeated", &|witness| witness[1] = witness[3]),
        alter("a byte too many", "ProofLength", &|witness| witness.push(0)),
        alter("a byte too few", "ProofLength", &|witness| {
            witness.pop();
        }),
        alter("the last hash altered", "RootMismatch", &|witness| {
            let last = witness.len() - 1;
            witness[last] ^= 1;
        }),
        Case {
            name: "a witness of an older tree",
            witness: stale,
            ..case("", &tree_after(2), &[Operation::Issue(issue("gold", last_issued()))], "RootMismatch")
        },
    ]
}

fn of_roots_and_operations() -> Vec<Case> {
    let good = swap_on_issued;
    let mut unbalanced = swap();
    unbalanced.outputs[0].quantity += alloy::primitives::U256::ONE;
    let unsigned = Transfer { signatures: plain_transfer().signatures, ..plain_transfer_to_alice() };
    let late = transfer_until(plain_transfer().inputs, plain_transfer().outputs, &[alice()], NOW - 1);
    let tree = tree_after(2);
    vec![
        Case { name: "another new root", new_root: Root::from([7; 32]), reason: "NewRootMismatch", ..good() },
        Case { name: "no new root", new_root: Root::from([0; 32]), reason: "NewRootMismatch", ..good() },
        Case { name: "the old root as new root", new_root: good().root, reason: "NewRootMismatch", ..good() },
        Case { name: "no old root", root: Root::from([0; 32]), reason: "ZeroRoot", ..good() },
        Case { name: "another old root", root: tree_after(1).root(), reason: "RootMismatch", ..good() },
        Case { name: "the empty tree's root", root: Tree::new().root(), reason: "RootMismatch", ..good() },
        Case { name: "no operations", operations: vec![0, 0], reason: "NoOperations", ..good() },
        case("288 keys", &tree, &six_largest_transfers(), "TooManyKeys"),
        case("a transfer out of balance", &tree, &[Operation::Transfer(unbalanced)], "Unbalanced"),
        case("a signature of another transfer", &tree, &[Operation::Transfer(unsigned)], "SignerMismatch"),
        case("a transfer a second late", &tree, &[Operation::Transfer(late)], "DeadlinePassed"),
    ]
}

/// 48 keys each: two a note spent, one a note created.
fn six_largest_transfers() -> Vec<Operation> {
    let (alices, owner) = (alice(), alice().address());
    let spending = |first: u64| {
        let inputs =
            (first..first + 16).map(|salt| note("gold", HUB_CHAIN, owner, 1, 1_000 + salt)).collect();
        transfer(inputs, vec![output(gold(), HUB_CHAIN, owner, 1); 16], std::slice::from_ref(&alices))
    };
    (0..6).map(|number| Operation::Transfer(spending(16 * number))).collect()
}

fn plain_transfer_to_alice() -> Transfer {
    let mut transfer = plain_transfer();
    transfer.outputs[0].owner = alice().address();
    transfer
}

pub(crate) fn refused_vectors() -> Vec<Value> {
    refused().iter().map(refused_vector).collect()
}

fn verify(case: &Case) -> Result<hypha_protocol::tree::Transition, BatchError> {
    verify_batch(case.root, &case.operations, &case.witness, case.new_root, &hub_rules())
}

fn refused_vector(case: &Case) -> Value {
    let error = verify(case).expect_err(case.name);
    json!({
        "name": case.name,
        "root": word(case.root),
        "newRoot": word(case.new_root),
        "operations": Bytes::copy_from_slice(&case.operations),
        "witness": Bytes::copy_from_slice(&case.witness),
        "reason": error.reason(),
        "error": Bytes::from(error.abi_encode()),
    })
}

#[test]
fn each_is_refused_with_its_reason() {
    for case in refused() {
        let error = verify(&case).expect_err(case.name);
        assert_eq!(error.reason(), case.reason, "{}: {error}", case.name);
    }
}

#[test]
fn what_the_altered_ones_are_made_from_is_accepted() {
    let good = swap_on_issued();
    let transition = verify(&good).expect("the swap is honest");
    assert_eq!((transition.old, transition.new), (good.root, good.new_root));
}

/// A terminal that says "present" is altered to say "an empty slot". For the spent nullifier that is what the operation
/// claims, so only the root can tell; for the note's own leaf it is not.
#[test]
fn a_spent_nullifier_cannot_be_denied() {
    let spent = || case("", &tree_after(3), &[Operation::Transfer(plain_transfer())], "");
    let order = 2 * 3;
    let mut reasons = Vec::new();
    for header in (order + 12..).step_by(2).take(3) {
        let mut denied = spent();
        if denied.witness[header] >> 6 == 1 {
            denied.witness[header] &= 0x3f;
            reasons.push(verify(&denied).expect_err("a denial").reason());
        }
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["ClaimMismatch", "RootMismatch"]);
}
