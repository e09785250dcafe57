//! What an attacker would hand in: honest batches with something wrong, in the operations, in the bytes or in the witness.

use alloy::primitives::{Bytes, U256};
use hypha_protocol::operations::{
    Content, Issue, MAX_INPUTS, Operation, Request, Resource, Transfer, Void, VoidReason, decode_operations,
};
use hypha_protocol::tree::Root;

use crate::world::{Draft, NOW, UNKNOWN_DOMAIN, World};

/// A batch that is probably refused, on the world's tree.
pub(crate) fn draft(world: &mut World) -> Draft {
    match world.random.below(10) {
        0..5 => {
            let operations = operations(world);
            let mut draft = world.draft(&operations);
            if world.random.once_in(4) {
                draft = altered(world, draft);
            }
            draft
        }
        5..8 => {
            let honest = world.honest();
            let draft = world.draft(&honest);
            altered(world, draft)
        }
        _ => {
            let honest = world.honest();
            let draft = world.draft(&honest);
            with_witness_altered(world, draft)
        }
    }
}

/// Operations of which one breaks a rule, or which break one together.
fn operations(world: &mut World) -> Vec<Operation> {
    let mut operations = world.honest();
    match world.random.below(16) {
        0 => operations.extend(double_spend(world)),
        1 => operations.extend(spend_again(world)),
        2 => operations.extend(spend_absent(world)),
        3..6 => operations.insert(0, untrue_void(world)),
        6 => operations.extend(possible_and_void(world)),
        7 => world.random.shuffle(&mut operations),
        8 => operations.push(with_wrong_sums(world)),
        9 => operations.push(with_wrong_signatures(world)),
        10 => operations.push(late_or_nowhere(world)),
        11 => operations.extend(created_again(world)),
        12 => operations.push(of_another_sender(world)),
        13 if world.random.once_in(8) => operations = too_many_keys(world),
        14 => operations.insert(0, queued_nowhere(world)),
        _ => {
            let again = world.random.pick(&operations).clone();
            operations.push(again);
        }
    }
    // Often in an order that hides nothing else, as the order is checked first.
    if !world.random.once_in(8) {
        operations.sort_by_key(|operation| match operation {
            Operation::Void(_) => 0,
            Operation::Queued(_) => 1,
            Operation::Transfer(_) | Operation::Issue(_) => 2,
        });
    }
    operations
}

/// A transfer of this note by itself; queued where its owner speaks for it.
fn spend(world: &mut World, note: Resource, queued: bool) -> Operation {
    let asks = (note.domainId.to(), note.owner);
    let transfer = world.transfer(vec![note], NOW + 1);
    if queued {
        let content = Content::Transfer(world.sign(transfer, Some(asks)));
        let number = world.next_number();
        Operation::Queued(Request::new(asks.0, number, asks.1, content).expect("a packed form"))
    } else {
        Operation::Transfer(world.sign(transfer, None))
    }
}

fn any_note(world: &mut World) -> Resource {
    if world.unspent.is_empty() { world.issue().resource } else { world.random.pick(&world.unspent).clone() }
}

fn double_spend(world: &mut World) -> Vec<Operation> {
    let note = any_note(world);
    let (first, second) = (world.random.once_in(2), world.random.once_in(2));
    vec![spend(world, note.clone(), first), spend(world, note, second)]
}

fn spend_again(world: &mut World) -> Option<Operation> {
    let queued = world.random.once_in(2);
    let note = (!world.spent.is_empty()).then(|| world.random.pick(&world.spent).clone());
    note.map(|note| spend(world, note, queued))
}

fn spend_absent(world: &mut World) -> Option<Operation> {
    let (note, queued) = (world.issue().resource, world.random.once_in(2));
    Some(spend(world, note, queued))
}

fn untrue_void(world: &mut World) -> Operation {
    let mut notes = world.unspent.clone();
    let request = world.request(&mut notes);
    loop {
        let (reason, position) = (*world.random.pick(&VoidReason::ALL), world.random.byte() % 4);
        if let Ok(void) = Void::new(request.clone(), reason, position) {
            return Operation::Void(void);
        }
    }
}

/// A request is void for a note that the batch itself brings into being, spends or creates.
fn possible_and_void(world: &mut World) -> Vec<Operation> {
    let issue = world.issue();
    let Operation::Queued(request) = spend(world, issue.resource.clone(), true) else {
        unreachable!("it is queued")
    };
    let void = |reason| Operation::Void(Void::new(request.clone(), reason, 0).expect("one note each way"));
    match world.random.below(3) {
        0 => vec![void(VoidReason::InputAbsent), Operation::Issue(issue)],
        1 => vec![void(VoidReason::InputAbsent), Operation::Queued(request)],
        _ => vec![void(VoidReason::OutputExists), Operation::Queued(request)],
    }
}

fn with_wrong_sums(world: &mut World) -> Operation {
    let note = any_note(world);
    let asks = (note.domainId.to(), note.owner);
    let mut transfer = world.transfer(vec![note], NOW + 1);
    match world.random.below(3) {
        0 => transfer.outputs[0].quantity += U256::ONE,
        1 => transfer.outputs[0].kind = world.random.word(),
        _ => {
            transfer.outputs[0].quantity = U256::MAX;
            transfer.outputs.push(transfer.outputs[0].clone());
        }
    }
    if world.random.once_in(2) {
        return Operation::Transfer(world.sign(transfer, None));
    }
    let content = Content::Transfer(world.sign(transfer, Some(asks)));
    let number = world.next_number();
    Operation::Queued(Request::new(asks.0, number, asks.1, content).expect("a packed form"))
}

fn with_wrong_signatures(world: &mut World) -> Operation {
    let note = any_note(world);
    let transfer = world.transfer(vec![note], NOW + 1);
    let mut transfer = world.sign(transfer, None);
    let (position, bit) = (world.random.below(65), world.random.below(8));
    let mut signature = transfer.signatures[0].to_vec();
    match world.random.below(5) {
        0 => transfer.signatures.clear(),
        1 => transfer.signatures.push(Bytes::from(signature)),
        2 => transfer.deadline += 1, // signed for another
        3 => {
            signature[32] = 0xff;
            transfer.signatures = vec![signature.into()];
        }
        _ => {
            signature[position] ^= 1 << bit;
            transfer.signatures = vec![signature.into()];
        }
    }
    Operation::Transfer(transfer)
}

fn late_or_nowhere(world: &mut World) -> Operation {
    if world.random.once_in(3) {
        let mut issue = world.issue();
        if world.random.once_in(2) {
            issue.deadline = NOW - 1;
        } else {
            issue.resource.domainId = U256::from(UNKNOWN_DOMAIN);
        }
        return Operation::Issue(world.sign_issue(issue));
    }
    let note = any_note(world);
    let deadline = NOW - world.random.next() % 2;
    let mut transfer = world.transfer(vec![note], deadline);
    if world.random.once_in(2) {
        transfer.outputs[0].domainId = U256::from(UNKNOWN_DOMAIN);
    }
    Operation::Transfer(world.sign(transfer, None))
}

fn queued_nowhere(world: &mut World) -> Operation {
    let (chain, number, sender) = (world.domain(), world.next_number(), world.account());
    let mut issue = world.requested_issue(chain, number);
    issue.domain_id = UNKNOWN_DOMAIN;
    Operation::Queued(Request::new(chain, number, sender, Content::Issue(issue)).expect("a packed form"))
}

fn created_again(world: &mut World) -> Option<Operation> {
    let issue = world.issue();
    let again =
        Issue { resource: Resource { salt: world.random.word(), ..issue.resource.clone() }, ..issue.clone() };
    // Half of them are signed for another salt.
    let again = if world.random.once_in(2) { world.sign_issue(again) } else { again };
    Some(Operation::Issue(again))
}

/// A request that somebody else is said to have sent, or on another chain.
fn of_another_sender(world: &mut World) -> Operation {
    let mut notes = world.unspent.clone();
    let request = world.request(&mut notes);
    let (chain, sender) = if world.random.once_in(2) {
        (request.chain_id(), world.account())
    } else {
        (world.domain(), request.sender())
    };
    let content = request.content().clone();
    Operation::Queued(Request::new(chain, request.number(), sender, content).expect("a packed form"))
}

fn too_many_keys(world: &mut World) -> Vec<Operation> {
    let largest = |world: &mut World| {
        let first = world.issue();
        let inputs = (0..MAX_INPUTS)
            .map(|_| Resource { owner: first.issuer, salt: world.random.word(), ..first.resource.clone() })
            .collect();
        let mut transfer: Transfer = world.transfer(inputs, NOW);
        let quantity = first.resource.quantity;
        transfer.outputs = vec![transfer.outputs[0].clone(); MAX_INPUTS];
        transfer.outputs.iter_mut().for_each(|output| output.quantity = quantity);
        Operation::Transfer(world.sign(transfer, None))
    };
    (0..6).map(|_| largest(world)).collect()
}

/// The bytes of the operations altered; often with a witness for what they then say.
fn altered(world: &mut World, mut draft: Draft) -> Draft {
    for _ in 0..1 + world.random.below(2) {
        alter(world, &mut draft.operations);
    }
    if world.random.once_in(2)
        && let Ok(operations) = decode_operations(&draft.operations)
    {
        return Draft { operations: draft.operations, ..world.draft(&operations) };
    }
    draft
}

/// One alteration of some bytes.
pub(crate) fn alter(world: &mut World, bytes: &mut Vec<u8>) {
    let random = &mut world.random;
    let position = random.below(bytes.len().max(1));
    match random.below(8) {
        _ if bytes.is_empty() => bytes.push(random.byte()),
        0 | 1 => bytes[position] ^= 1 << random.below(8),
        2 => bytes[position] = random.byte(),
        3 => bytes.insert(position, random.byte()),
        4 => drop(bytes.remove(position)),
        5 => bytes.truncate(position),
        6 => {
            let length = [1, 2, 8, 20, 32][random.below(5)];
            bytes.iter_mut().skip(position).take(length).for_each(|byte| *byte = 0);
        }
        // Tags, counts, heads and reasons stand at the begin and the end.
        _ => {
            let near = random.below(bytes.len().min(48));
            let near = if random.once_in(2) { near } else { bytes.len() - 1 - near };
            bytes[near] = random.byte() % 8;
        }
    }
}

fn with_witness_altered(world: &mut World, mut draft: Draft) -> Draft {
    match world.random.below(5) {
        0 => draft.root = Root::from(world.random.word().0),
        1 => draft.new_root = Root::from(world.random.word().0),
        2 => {
            let pairs = draft.witness.len() / 2;
            let (first, second) = (world.random.below(pairs), world.random.below(pairs.min(16)));
            draft.witness.swap(2 * first + 1, 2 * second + 1);
        }
        _ => alter(world, &mut draft.witness),
    }
    draft
}
