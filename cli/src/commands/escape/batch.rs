//! The batch that resolves the requests at the head of the hub's queue.

use std::collections::BTreeSet;

use alloy::primitives::{B256, Bytes, U256};
use alloy::sol_types::SolCall;
use hypha_protocol::batch::{MAX_CALLDATA_BYTES, verify_batch};
use hypha_protocol::contracts::IRootHub::{RequestEnqueued, applyBatchCall};
use hypha_protocol::contracts::Resource;
use hypha_protocol::ids::{nullifier_key, nullifier_of_id, resource_key};
use hypha_protocol::operations::{
    Ground, MAX_KEYS, MAX_OPERATIONS_BYTES, Operation, OperationError, Request, Rules, decode_request,
    encode_operations, packed_length, resolve,
};
use hypha_protocol::replay::Replica;
use hypha_protocol::tree::Tree;

use crate::exit::CliError;

/// A batch that nobody has applied.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its number.
    pub(super) index: u64,
    /// The root that it gives.
    pub(super) root: B256,
    /// What resolves the requests, in the order of the queue.
    pub(super) operations: Vec<Operation>,
    /// The call to the hub.
    pub(super) calldata: Bytes,
}

/// The request that came to the hub with this event.
pub(super) fn request(event: &RequestEnqueued) -> Result<Request, OperationError> {
    // The hub registers no chain whose id has more than 64 bits.
    let chain_id = event.chainId.saturating_to();
    decode_request(chain_id, event.number, event.sender, event.requestType, &event.content)
}

impl Draft {
    /// The largest batch of at most `most` requests from the head of the queue, checked as the hub checks it.
    pub(super) fn build(
        replica: &Replica,
        requests: &[Request],
        rules: &Rules,
        most: usize,
    ) -> Result<Self, CliError> {
        let ground = Replayed { tree: replica.tree(), rules };
        let mut operations = resolve_many(&ground, requests, most);
        loop {
            let draft = Self::of(replica, operations, rules)?;
            if draft.calldata.len() <= MAX_CALLDATA_BYTES || draft.operations.len() == 1 {
                return Ok(draft);
            }
            operations = draft.operations;
            operations.truncate(operations.len() / 2);
        }
    }

    fn of(replica: &Replica, operations: Vec<Operation>, rules: &Rules) -> Result<Self, CliError> {
        let wrong = |why: String| CliError::Disagreed(format!("the batch would be refused: {why}"));
        let index = replica.index() + 1;
        let packed = encode_operations(&operations).map_err(|error| wrong(error.to_string()))?;
        let step = replica.clone().apply(index, &packed).map_err(|error| wrong(error.to_string()))?;
        verify_batch(replica.root(), &packed, &step.witness, step.root, rules)
            .map_err(|error| wrong(error.to_string()))?;
        let root = B256::new(step.root.into());
        let call = applyBatchCall {
            batchIndex: index,
            operations: packed.into(),
            witness: step.witness.into(),
            newRoot: root,
        };
        Ok(Self { index, root, operations, calldata: call.abi_encode().into() })
    }
}

/// What resolves the requests from the first on, as far as one batch can: voids stand before all else and are judged by the old
/// tree, no key is touched twice, and everything has a bound.
fn resolve_many(ground: &Replayed<'_>, requests: &[Request], most: usize) -> Vec<Operation> {
    let (mut operations, mut keys, mut bytes) = (Vec::new(), BTreeSet::new(), 2);
    for request in requests.iter().take(most) {
        let operation = resolve(ground, request);
        let is_void = matches!(operation, Operation::Void(_));
        let touched: Vec<_> = operation.touches().into_iter().map(|touch| touch.key).collect();
        // A request was packed when it was queued, so it has a length.
        bytes += packed_length(&operation).unwrap_or(MAX_OPERATIONS_BYTES);
        let fits = bytes <= MAX_OPERATIONS_BYTES && keys.len() + touched.len() <= MAX_KEYS;
        let in_order = !is_void || matches!(operations.last(), None | Some(Operation::Void(_)));
        if !fits || !in_order || touched.iter().any(|key| keys.contains(key)) {
            break;
        }
        keys.extend(touched);
        operations.push(operation);
    }
    operations
}

/// The tree of a replica, and where the hub's rules let notes be created.
struct Replayed<'replica> {
    tree: &'replica Tree,
    rules: &'replica Rules,
}

impl Ground for Replayed<'_> {
    fn has_note(&self, note: &Resource, id: B256) -> bool {
        self.tree.get(&resource_key(note.domainId, id)).is_some()
    }

    fn is_spent(&self, id: B256) -> bool {
        self.tree.get(&nullifier_key(nullifier_of_id(id))).is_some()
    }

    fn is_domain(&self, domain_id: U256) -> bool {
        let is_known = |domains: &BTreeSet<u64>| domains.contains(&domain_id.saturating_to::<u64>());
        self.rules.domains.as_ref().is_none_or(is_known)
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;
    use hypha_protocol::contracts::{Output, Transfer};
    use hypha_protocol::ids::{kind_of, output_resource, request_hash, requested_salt, resource_id};
    use hypha_protocol::operations::{Content, RequestedIssue, VoidReason};
    use hypha_protocol::signing::{hub_domain, transfer_hash};

    use super::*;

    const HUB: Address = Address::repeat_byte(0x11);
    const PERSON: Address = Address::repeat_byte(0x22);

    fn rules() -> Rules {
        Rules::hub(hub_domain(1, HUB).separator(), 1_000, BTreeSet::from([1, 2]))
    }

    /// A request by the person on chain 2 for a note of his own kind there, or on another chain.
    fn issue(number: u64, domain_id: u64) -> Request {
        let issue = RequestedIssue {
            label: B256::repeat_byte(1),
            domain_id,
            owner: PERSON,
            quantity: U256::from(number),
            data: B256::ZERO,
            salt: requested_salt(2, HUB, number),
        };
        Request::new(2, number, PERSON, Content::Issue(issue)).unwrap()
    }

    /// A request by the person on chain 2 that moves this note to chain 1.
    fn transfer(number: u64, note: Resource) -> Request {
        let output = Output {
            domainId: U256::from(1),
            owner: PERSON,
            kind: note.kind,
            quantity: note.quantity,
            data: B256::ZERO,
        };
        let transfer =
            Transfer { inputs: vec![note], outputs: vec![output], deadline: number, signatures: Vec::new() };
        Request::new(2, number, PERSON, Content::Transfer(transfer)).unwrap()
    }

    /// A replica whose queue has these requests.
    fn replica(requests: &[Request]) -> Replica {
        let mut replica = Replica::new(1, HUB).with_queue();
        for (position, request) in requests.iter().enumerate() {
            let event = RequestEnqueued {
                chainId: U256::from(request.chain_id()),
                number: request.number(),
                position: position as u64,
                dueAt: 0,
                requestType: request.request_type() as u8,
                sender: request.sender(),
                content: request.packed_content().clone(),
            };
            assert_eq!(self::request(&event).as_ref(), Ok(request));
            assert_eq!(request_hash(event.requestType, &event.content, event.sender), request.hash());
            replica.enqueue(&event).unwrap();
        }
        replica
    }

    /// Applies batches until the queue is empty; gives the word for what each of them did.
    fn words(requests: &[Request]) -> Vec<Vec<String>> {
        let (mut replica, mut left, mut words) = (replica(requests), requests, Vec::new());
        while !left.is_empty() {
            let draft = Draft::build(&replica, left, &rules(), usize::MAX).unwrap();
            let call = applyBatchCall::abi_decode(&draft.calldata).unwrap();
            replica.apply(draft.index, &call.operations).unwrap();
            assert_eq!(B256::new(replica.root().into()), draft.root);
            left = &left[draft.operations.len()..];
            words.push(draft.operations.iter().map(word).collect());
        }
        words
    }

    fn word(operation: &Operation) -> String {
        match operation {
            Operation::Void(void) => void.reason().as_str().to_owned(),
            other => other.kind().to_owned(),
        }
    }

    #[test]
    fn requests_that_can_run_are_executed_in_one_batch() {
        assert_eq!(words(&[issue(1, 2), issue(2, 1)]), [["queuedIssue", "queuedIssue"]]);
    }

    #[test]
    fn a_note_can_be_spent_in_the_batch_after_the_one_that_makes_it() {
        let made = issue(1, 2).created().remove(0);
        assert_eq!(words(&[issue(1, 2), transfer(2, made)]), [["queuedIssue"], ["queuedTransfer"]]);
    }

    #[test]
    fn a_note_that_is_spent_twice_makes_the_second_request_void() {
        let made = issue(1, 2).created().remove(0);
        let requests = [issue(1, 2), transfer(2, made.clone()), transfer(3, made)];
        assert_eq!(words(&requests), [["queuedIssue"], ["queuedTransfer"], ["inputSpent"]]);
    }

    #[test]
    fn voids_stand_first_and_an_unknown_domain_is_one() {
        let absent = Resource {
            kind: kind_of(U256::ZERO, PERSON, B256::repeat_byte(9)),
            ..issue(9, 2).created().remove(0)
        };
        let requests = [issue(1, 3), transfer(2, absent), issue(3, 2), issue(4, 3)];
        assert_eq!(
            words(&requests),
            [vec!["unknownDomain", "inputAbsent", "queuedIssue"], vec!["unknownDomain"]]
        );
    }

    #[test]
    fn an_output_that_stands_already_makes_a_request_void() {
        let note = issue(1, 2).created().remove(0);
        let moving = transfer(2, note.clone());
        let Content::Transfer(content) = moving.content() else { panic!("it is one") };
        let output = output_resource(transfer_hash(content), 0, &content.outputs[0]);
        let leaf = |note: &Resource| {
            let id = resource_id(note);
            (resource_key(note.domainId, id), hypha_protocol::tree::ValueHash::from(id.0))
        };
        let tree = Tree::new().with([leaf(&note), leaf(&output)]);
        let Operation::Void(void) = resolve(&Replayed { tree: &tree, rules: &rules() }, &moving) else {
            panic!("it is void")
        };
        assert_eq!((void.reason(), void.position()), (VoidReason::OutputExists, 0));
    }

    #[test]
    fn the_number_of_requests_is_bounded_by_what_is_asked_and_by_the_keys() {
        let requests: Vec<Request> = (1..=300).map(|number| issue(number, 2)).collect();
        let built = |most| Draft::build(&replica(&requests), &requests, &rules(), most).unwrap();
        assert_eq!(built(7).operations.len(), 7);
        assert_eq!(built(usize::MAX).operations.len(), MAX_KEYS);
    }
}
