//! Requests: their names, what they ask for, queued operations and voids that every verifier takes.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::SolValue;
use hypha_protocol::ids::{
    kind_of, namespaced_key, nullifier_key, nullifier_of, request_hash, requested_salt, resource_id,
    resource_key, void_key, word,
};
use hypha_protocol::operations::{
    Content, Operation, Output, Request, RequestedIssue, Resource, Transfer, Void, VoidReason, check_request,
    decode_request, encode_operations,
};
use hypha_protocol::signing::transfer_hash;
use hypha_protocol::tree::ValueHash;
use serde_json::{Value, json};

use crate::fixtures::*;

/// The contract that queues requests of the hub's chain in these vectors is the hub itself.
pub(crate) const SPOKE: Address = alloy::primitives::address!("0x4879706861000000000000000000000000000002");

/// A contract that holds notes and issues kinds of its own.
pub(crate) fn vault() -> Address {
    signer(7).address()
}

/// A note of the mint's gold that the vault owns.
pub(crate) fn vaults_gold(domain_id: u64, quantity: u64, salt_number: u64) -> Resource {
    note("gold", domain_id, vault(), quantity, salt_number)
}

pub(crate) fn request(chain_id: u64, number: u64, sender: Address, content: Content) -> Request {
    Request::new(chain_id, number, sender, content).expect("a packed form")
}

/// The vault's transfer of its own gold on the hub: no signature.
pub(crate) fn vault_transfer() -> Transfer {
    transfer(
        vec![vaults_gold(HUB_CHAIN, 30, 20)],
        vec![output(gold(), SPOKE_CHAIN, bob().address(), 30)],
        &[],
    )
}

/// The vault's gold and Alice's, of which Alice signs hers.
pub(crate) fn mixed_transfer() -> Transfer {
    let inputs = vec![vaults_gold(HUB_CHAIN, 30, 20), alices_gold()];
    transfer(inputs, vec![output(gold(), SPOKE_CHAIN, bob().address(), 130)], &[alice()])
}

/// Alice queues, on the hub, a transfer of Bob's note and of hers of both chains: for that of the spoke she signs herself, after
/// Bob, whose note is the first that needs a signature.
pub(crate) fn two_domains() -> Transfer {
    let inputs = vec![alices_gold(), bobs_silver(), note("gold", SPOKE_CHAIN, alice().address(), 7, 21)];
    let outputs = vec![
        output(gold(), HUB_CHAIN, bob().address(), 107),
        output(silver(), OTHER_SPOKE_CHAIN, alice().address(), 50),
    ];
    transfer(inputs, outputs, &[bob(), alice()])
}

pub(crate) fn four_notes() -> Transfer {
    let inputs = (0..4).map(|number| vaults_gold(HUB_CHAIN, 1, 30 + number)).collect();
    transfer(inputs, vec![output(gold(), OTHER_SPOKE_CHAIN, bob().address(), 1); 4], &[])
}

/// A transfer to a chain that nobody knows.
pub(crate) fn to_nowhere(from: u64) -> Transfer {
    transfer(
        vec![vaults_gold(from, 30, 20)],
        vec![output(gold(), HUB_CHAIN, bob().address(), 10), output(gold(), 31340, bob().address(), 20)],
        &[],
    )
}

/// The vault's share, issued by its request `number` on a chain.
pub(crate) fn requested_issue(chain_id: u64, verifier: Address, number: u64) -> RequestedIssue {
    RequestedIssue {
        label: label("share"),
        domain_id: SPOKE_CHAIN,
        owner: alice().address(),
        quantity: U256::from(12),
        data: label("deposit 1"),
        salt: requested_salt(chain_id, verifier, number),
    }
}

pub(crate) fn issue_to(domain_id: u64) -> RequestedIssue {
    RequestedIssue { domain_id, data: B256::ZERO, ..requested_issue(SPOKE_CHAIN, SPOKE, 2) }
}

/// Requests that a queue takes at [`NOW`], each with its name.
pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let late = transfer_until(vault_transfer().inputs, vault_transfer().outputs, &[], NOW);
    let own = |number, content| request(HUB_CHAIN, number, vault(), content);
    vec![
        ("a contract's own note", own(1, Content::Transfer(vault_transfer()))),
        ("somebody else's note as well", own(2, Content::Transfer(mixed_transfer()))),
        (
            "one owner's notes of two chains",
            request(HUB_CHAIN, 3, alice().address(), Content::Transfer(two_domains())),
        ),
        ("four inputs, four outputs", own(4, Content::Transfer(four_notes()))),
        ("nothing of the sender's", request(SPOKE_CHAIN, 1, vault(), Content::Transfer(swap()))),
        ("at its deadline", own(5, Content::Transfer(late))),
        (
            "an issue with data",
            request(SPOKE_CHAIN, 2, vault(), Content::Issue(requested_issue(SPOKE_CHAIN, SPOKE, 2))),
        ),
        ("an issue on the hub", own(u64::MAX, Content::Issue(issue_to(HUB_CHAIN)))),
    ]
}

pub(crate) fn void(request: Request, reason: VoidReason, position: u8) -> Operation {
    Operation::Void(Void::new(request, reason, position).expect("a note at this position"))
}

/// Voids of every reason.
pub(crate) fn voids() -> Vec<(&'static str, Operation)> {
    let mixed = || request(HUB_CHAIN, 2, vault(), Content::Transfer(mixed_transfer()));
    let issue = || request(SPOKE_CHAIN, 2, vault(), Content::Issue(issue_to(SPOKE_CHAIN)));
    let nowhere = || request(HUB_CHAIN, 6, vault(), Content::Transfer(to_nowhere(HUB_CHAIN)));
    vec![
        ("void for an absent input", void(mixed(), VoidReason::InputAbsent, 0)),
        ("void for a spent input", void(mixed(), VoidReason::InputSpent, 1)),
        ("void for an output that exists", void(mixed(), VoidReason::OutputExists, 0)),
        ("void for an issue that exists", void(issue(), VoidReason::OutputExists, 0)),
        ("void for an unknown chain", void(nowhere(), VoidReason::UnknownDomain, 1)),
        ("void for an absent input, to an unknown chain", void(nowhere(), VoidReason::InputAbsent, 0)),
        (
            "void issue to an unknown chain",
            void(
                request(SPOKE_CHAIN, 3, vault(), Content::Issue(issue_to(31340))),
                VoidReason::UnknownDomain,
                0,
            ),
        ),
    ]
}

/// Operations that resolve requests, alone and among others.
pub(crate) fn operations() -> Vec<(&'static str, Vec<Operation>)> {
    let queued = requests().into_iter().map(|(name, request)| (name, vec![Operation::Queued(request)]));
    let voids = voids().into_iter().map(|(name, operation)| (name, vec![operation]));
    let past = transfer_until(vault_transfer().inputs, vault_transfer().outputs, &[], 0);
    let late = Operation::Queued(request(HUB_CHAIN, 1, vault(), Content::Transfer(past.clone())));
    let late_void = void(request(HUB_CHAIN, 1, vault(), Content::Transfer(past)), VoidReason::InputAbsent, 0);
    let others =
        vec![Operation::Transfer(plain_transfer()), Operation::Issue(issue("silver", bobs_silver()))];
    let mixed = [
        self::voids().into_iter().map(|(_, operation)| operation).collect(),
        requests().into_iter().map(|(_, request)| Operation::Queued(request)).collect(),
        others,
    ]
    .concat();
    queued
        .chain(voids)
        .chain([
            ("a queued transfer long after its deadline", vec![late]),
            ("a void long after its deadline", vec![late_void]),
            ("voids, then what is queued, then the others", mixed),
        ])
        .collect()
}

pub(crate) fn vectors() -> Vec<Value> {
    requests().iter().map(|(name, request)| vector(name, request)).collect()
}

fn vector(name: &str, request: &Request) -> Value {
    json!({
        "name": name,
        "chainId": request.chain_id(),
        "number": request.number().to_string(),
        "requestType": request.request_type() as u8,
        "sender": request.sender(),
        "content": request.packed_content(),
        "hash": request.hash(),
        "operationId": request.operation_id(),
        "voidKey": word(void_key(request.chain_id(), request.number())),
        "created": request.created().iter().map(resource_id).collect::<Vec<_>>(),
    })
}

/// What a void touches, with the names of the rule, as vectors are too many words to read.
#[test]
fn a_void_inserts_its_key_and_reads_its_evidence() {
    let touches = |name: &str| {
        let (_, operation) = voids().into_iter().find(|(found, _)| *found == name).expect("a void");
        let touches = operation.touches();
        assert_eq!(touches.len(), operation.key_count(), "{name}");
        touches
    };
    let absent = touches("void for an absent input");
    assert_eq!(absent[0].key, void_key(HUB_CHAIN, 2));
    assert_eq!((absent[0].old, absent[0].new), (None, Some(ValueHash::of(b"1"))));
    let input = vaults_gold(HUB_CHAIN, 30, 20);
    assert_eq!(absent[1].key, resource_key(input.domainId, resource_id(&input)));
    assert_eq!((absent[1].old, absent[1].new), (None, None));
    let spent = touches("void for a spent input");
    assert_eq!(spent[1].key, nullifier_key(nullifier_of(&alices_gold())));
    assert_eq!((spent[1].old, spent[1].new), (Some(ValueHash::of(b"1")), None));
    let exists = touches("void for an output that exists");
    let output = made(&mixed_transfer(), 0);
    assert_eq!(exists[1].key, resource_key(output.domainId, resource_id(&output)));
    assert_eq!((exists[1].old, exists[1].new), (Some(ValueHash::from(resource_id(&output).0)), None));
    assert_eq!(touches("void for an unknown chain").len(), 1);
}

#[test]
fn names_are_those_of_the_readme() {
    let key = namespaced_key(
        U256::from(SPOKE_CHAIN),
        keccak256([b"void:".as_slice(), &7_u64.to_be_bytes()].concat()),
    );
    assert_eq!(void_key(SPOKE_CHAIN, 7), key);
    let salt = (U256::from(SPOKE_CHAIN), SPOKE, 7_u64).abi_encode();
    assert_eq!(requested_salt(SPOKE_CHAIN, SPOKE, 7), keccak256(salt));
    let (_, issue) = &requests()[6];
    let content = keccak256(issue.packed_content());
    assert_eq!(issue.hash(), keccak256((U256::from(4), content, vault()).abi_encode()));
    assert_eq!(issue.hash(), request_hash(4, issue.packed_content(), vault()));
    let created = issue.created();
    assert_eq!(created[0].kind, kind_of(U256::from(SPOKE_CHAIN), vault(), label("share")));
    assert_eq!(issue.operation_id(), resource_id(&created[0]));
    let (_, transfer) = &requests()[0];
    assert_eq!(transfer.operation_id(), transfer_hash(&vault_transfer()));
    assert_eq!(transfer.packed_content().len(), 3 + 8 + 94 + 62);
    assert_eq!(Operation::Queued(transfer.clone()).id(), transfer.operation_id());
    let void = void(transfer.clone(), VoidReason::InputAbsent, 0);
    assert_eq!(void.id(), transfer.hash());
    let resolutions: Vec<_> =
        [&void, &Operation::Queued(transfer.clone()), &Operation::Transfer(vault_transfer())]
            .map(|operation| {
                operation.resolution().map(|resolution| (resolution.number, resolution.executed))
            })
            .into();
    assert_eq!(resolutions, [Some((1, false)), Some((1, true)), None]);
}

#[test]
fn a_queue_takes_them_and_reads_them_back() {
    for (name, request) in requests() {
        let (chain, number, sender) = (request.chain_id(), request.number(), request.sender());
        let (request_type, content) = (request.request_type() as u8, request.packed_content());
        let checked = check_request(chain, number, sender, request_type, content, &hub_rules());
        assert_eq!(checked.as_ref(), Ok(&request), "{name}");
        assert_eq!(
            decode_request(chain, number, sender, request_type, content),
            Ok(request.clone()),
            "{name}"
        );
    }
}

#[test]
fn a_content_without_a_packed_form_is_no_request() {
    let reason = |content| Request::new(HUB_CHAIN, 1, vault(), content).expect_err("no form").reason();
    let five: Vec<Resource> = (0..5).map(|number| vaults_gold(HUB_CHAIN, 1, 30 + number)).collect();
    let one: Vec<Output> = vec![output(gold(), HUB_CHAIN, vault(), 1)];
    let transfer = |inputs: Vec<Resource>, outputs: Vec<Output>| {
        Content::Transfer(Transfer { inputs, outputs, deadline: DEADLINE, signatures: Vec::<Bytes>::new() })
    };
    assert_eq!(reason(transfer(five.clone(), one.clone())), "InputCount");
    assert_eq!(reason(transfer(five[..1].to_vec(), vec![one[0].clone(); 5])), "OutputCount");
    let nothing = RequestedIssue { quantity: U256::ZERO, ..issue_to(HUB_CHAIN) };
    assert_eq!(reason(Content::Issue(nothing)), "ZeroQuantity");
}

#[test]
fn an_issue_has_no_input_and_one_output() {
    let issue = || request(HUB_CHAIN, 1, vault(), Content::Issue(issue_to(HUB_CHAIN)));
    for (reason, position, good) in [
        (VoidReason::InputAbsent, 0, false),
        (VoidReason::InputSpent, 0, false),
        (VoidReason::OutputExists, 0, true),
        (VoidReason::OutputExists, 1, false),
        (VoidReason::UnknownDomain, 0, true),
        (VoidReason::UnknownDomain, 1, false),
    ] {
        assert_eq!(Void::new(issue(), reason, position).is_ok(), good, "{reason:?} {position}");
    }
}

/// The largest request still fits a void, whose length has two bytes.
#[test]
fn the_largest_content_fits_its_length() {
    let signatures = vec![Bytes::from(vec![1; 65]); 255];
    let big = |note: Resource| Resource { quantity: U256::MAX, data: label("data"), ..note };
    let inputs = vec![big(vaults_gold(HUB_CHAIN, 1, 1)); 4];
    let outputs =
        vec![Output { quantity: U256::MAX, data: label("data"), ..output(gold(), 1, vault(), 1) }; 4];
    let content = Content::Transfer(Transfer { inputs, outputs, deadline: 0, signatures });
    let void = void(request(HUB_CHAIN, 1, vault(), content), VoidReason::InputAbsent, 3);
    assert_eq!(encode_operations(&[void]).expect("a packed form").len(), 2 + 1 + 36 + 3 + 17_714 + 2);
}
