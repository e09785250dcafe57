//! Requests, queued operations and voids that every verifier refuses, each with the reason that all of them give.

use alloy::primitives::{Bytes, U256};
use hypha_protocol::operations::{
    Content, Operation, Rules, Transfer, VoidReason, check_operations, check_request,
};
use serde_json::{Value, json};

use crate::fixtures::*;
use crate::refused::{Case, case, patched, zeroed};
use crate::requests::*;

/// Where the fields of a queued [`vault_transfer`] stand: name, begin, end.
const TRANSFER_FIELDS: [(&str, usize, usize); 19] = [
    ("tag", 2, 3),
    ("chain", 3, 11),
    ("number", 11, 19),
    ("sender", 19, 39),
    ("inputs", 39, 40),
    ("outputs", 40, 41),
    ("signatures", 41, 42),
    ("deadline", 42, 50),
    ("input domain", 50, 58),
    ("input owner", 58, 78),
    ("input kind", 78, 110),
    ("input header", 110, 111),
    ("input quantity", 111, 112),
    ("input salt", 112, 144),
    ("output domain", 144, 152),
    ("output owner", 152, 172),
    ("output kind", 172, 204),
    ("output header", 204, 205),
    ("output quantity", 205, 206),
];

/// Where the fields of a queued issue with data stand.
const ISSUE_FIELDS: [(&str, usize, usize); 10] = [
    ("tag", 2, 3),
    ("chain", 3, 11),
    ("number", 11, 19),
    ("sender", 19, 39),
    ("label", 39, 71),
    ("domain", 71, 79),
    ("owner", 79, 99),
    ("quantity", 100, 101),
    ("data", 101, 133),
    ("salt", 133, 165),
];

/// Where the fields of a void of [`vault_transfer`] stand.
const VOID_FIELDS: [(&str, usize, usize); 9] = [
    ("tag", 2, 3),
    ("chain", 3, 11),
    ("number", 11, 19),
    ("sender", 19, 39),
    ("type", 39, 40),
    ("length", 40, 42),
    ("content", 42, 209),
    ("reason", 209, 210),
    ("position", 210, 211),
];

fn queued(sender: alloy::primitives::Address, transfer: Transfer) -> Vec<u8> {
    pack(&[Operation::Queued(request(HUB_CHAIN, 1, sender, Content::Transfer(transfer)))])
}

fn transfer_bytes() -> Vec<u8> {
    queued(vault(), vault_transfer())
}

fn issue_bytes() -> Vec<u8> {
    let issue = requested_issue(SPOKE_CHAIN, SPOKE, 2);
    pack(&[Operation::Queued(request(SPOKE_CHAIN, 2, vault(), Content::Issue(issue)))])
}

fn void_bytes() -> Vec<u8> {
    let request = request(HUB_CHAIN, 1, vault(), Content::Transfer(vault_transfer()));
    pack(&[void(request, VoidReason::InputAbsent, 0)])
}

fn void_issue_bytes() -> Vec<u8> {
    let request = request(SPOKE_CHAIN, 2, vault(), Content::Issue(requested_issue(SPOKE_CHAIN, SPOKE, 2)));
    pack(&[void(request, VoidReason::OutputExists, 0)])
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(zeros());
    cases.extend(orders());
    cases.extend(counts());
    cases.extend(signatures());
    cases.extend(voids());
    cases.extend(hub_only());
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, bytes, fields) in [
        ("queued transfer", transfer_bytes(), &TRANSFER_FIELDS[..]),
        ("queued issue", issue_bytes(), &ISSUE_FIELDS[..]),
        ("void", void_bytes(), &VOID_FIELDS[..]),
    ] {
        for (field, begin, end) in fields {
            let before = format!("{kind} cut before its {field}");
            cases.push(case(before, bytes[..*begin].to_vec(), "OperationsLength"));
            let within = format!("{kind} cut in its {field}, or before a short one");
            cases.push(case(within, bytes[..end - 1].to_vec(), "OperationsLength"));
        }
        cases.push(case(format!("{kind} and a byte"), [bytes, vec![0]].concat(), "OperationsLength"));
    }
    for (name, length) in [("no", 0_u16), ("one too few", 166), ("one too many", 168), ("most", u16::MAX)] {
        let bytes = patched(void_bytes(), 40, &length.to_be_bytes());
        cases.push(case(format!("a void whose content has {name} bytes"), bytes, "RequestLength"));
    }
    let other_type = patched(void_bytes(), 39, &[4]);
    cases.push(case("a void of a transfer as an issue", other_type, "QuantityEncoding"));
    cases
}

fn zeros() -> Vec<Case> {
    let of = |kind: &str, bytes: &[u8], fields: &[(&str, usize, usize)], named: &[(&str, &'static str)]| {
        let zero = |(field, reason): &(&str, &'static str)| {
            case(format!("zero {field} of a {kind}"), zeroed(bytes.to_vec(), fields, field), reason)
        };
        named.iter().map(zero).collect::<Vec<_>>()
    };
    let head = [("chain", "ZeroDomain"), ("number", "ZeroNumber"), ("sender", "ZeroSender")];
    let transfer = [
        ("input domain", "ZeroDomain"),
        ("input owner", "ZeroOwner"),
        ("input kind", "ZeroKind"),
        ("input quantity", "ZeroQuantity"),
        ("input salt", "ZeroSalt"),
        ("output domain", "ZeroDomain"),
        ("output owner", "ZeroOwner"),
    ];
    let issue = [
        ("label", "ZeroLabel"),
        ("domain", "ZeroDomain"),
        ("owner", "ZeroOwner"),
        ("quantity", "ZeroQuantity"),
        ("data", "ZeroData"),
        ("salt", "ZeroSalt"),
    ];
    [
        of("queued transfer", &transfer_bytes(), &TRANSFER_FIELDS, &[&head[..], &transfer].concat()),
        of("queued issue", &issue_bytes(), &ISSUE_FIELDS, &[&head[..], &issue].concat()),
        of("void", &void_bytes(), &VOID_FIELDS, &head),
    ]
    .concat()
}

/// Voids, then what is queued, then the others.
fn orders() -> Vec<Case> {
    let parts = [
        ("a void", void_bytes()),
        ("a queued transfer", transfer_bytes()),
        ("a transfer", pack(&[Operation::Transfer(plain_transfer())])),
        ("a queued issue", issue_bytes()),
        ("an issue", pack(&[Operation::Issue(issue("silver", bobs_silver()))])),
    ];
    let together = |positions: &[usize]| {
        let count = u16::try_from(positions.len()).expect("a few").to_be_bytes().to_vec();
        let bodies = positions.iter().map(|position| parts[*position].1[2..].to_vec());
        std::iter::once(count).chain(bodies).collect::<Vec<_>>().concat()
    };
    let mut cases: Vec<Case> = [(1, 0), (2, 0), (3, 0), (4, 0), (2, 1), (2, 3), (4, 1), (4, 3)]
        .map(|(first, second)| {
            let name = format!("{} before {}", parts[first].0, parts[second].0);
            case(name, together(&[first, second]), "OperationOrder")
        })
        .into();
    cases.push(case("a void after several", together(&[0, 1, 3, 2, 4, 0]), "OperationOrder"));
    let unknown_after = [together(&[2, 0])[..235].to_vec(), vec![6]].concat();
    cases.push(case("an unknown tag where a void may not stand", unknown_after, "UnknownOperation"));
    let wrong_order_of_wrong = patched(together(&[2, 0]), 236, &[0; 8]);
    cases.push(case("a void of no chain after a transfer", wrong_order_of_wrong, "OperationOrder"));
    cases
}

fn counts() -> Vec<Case> {
    let mut cases = Vec::new();
    for count in [0, 5, 16, 17, 255] {
        for (kind, bytes, at) in [("queued transfer", transfer_bytes(), 39), ("void", void_bytes(), 42)] {
            let name = |what| format!("{count} {what} of a {kind}");
            cases.push(case(name("inputs"), patched(bytes.clone(), at, &[count]), "InputCount"));
            cases.push(case(name("outputs"), patched(bytes, at + 1, &[count]), "OutputCount"));
        }
    }
    for request_type in [0, 1, 2, 5, 255] {
        let bytes = patched(void_bytes(), 39, &[request_type]);
        cases.push(case(format!("a void of type {request_type}"), bytes, "UnknownRequest"));
    }
    cases
}

fn signatures() -> Vec<Case> {
    let unsigned = |transfer: Transfer| Transfer { signatures: Vec::new(), ..transfer };
    let alices = alice().address();
    let resigned = |transfer: Transfer, signers: &[_]| transfer_of(&transfer, signers);
    let mut unbalanced = vault_transfer();
    unbalanced.outputs[0].quantity += U256::ONE;
    let elsewhere = transfer(
        vec![vaults_gold(SPOKE_CHAIN, 30, 20)],
        vec![output(gold(), SPOKE_CHAIN, bob().address(), 30)],
        &[],
    );
    let void_of = |transfer| {
        pack(&[void(request(HUB_CHAIN, 1, vault(), Content::Transfer(transfer)), VoidReason::InputAbsent, 0)])
    };
    vec![
        case("a signature too many, for the sender", patched(transfer_bytes(), 41, &[1]), "SignatureCount"),
        case("the sender is another", queued(SPOKE, vault_transfer()), "SignatureCount"),
        case("the sender's note of another chain", queued(vault(), elsewhere.clone()), "SignatureCount"),
        case("no signature of another owner", queued(vault(), unsigned(mixed_transfer())), "SignatureCount"),
        case(
            "another owner's signature by another",
            queued(vault(), resigned(mixed_transfer(), &[bob()])),
            "SignerMismatch",
        ),
        case(
            "one owner's notes of two chains without his signature",
            queued(alices, resigned(two_domains(), &[bob()])),
            "SignatureCount",
        ),
        case(
            "signatures in the order of the owners, not of those who sign",
            queued(alices, resigned(two_domains(), &[alice(), bob()])),
            "SignerMismatch",
        ),
        case("a queued transfer out of balance", queued(vault(), unbalanced.clone()), "Unbalanced"),
        case("a void of what is out of balance", void_of(unbalanced), "Unbalanced"),
        case("a void of what is not signed", void_of(unsigned(mixed_transfer())), "SignatureCount"),
        case(
            "a void of what another signed",
            void_of(resigned(mixed_transfer(), &[bob()])),
            "SignerMismatch",
        ),
        case("a void of a note that is not the sender's", void_of(elsewhere), "SignatureCount"),
    ]
}

fn transfer_of(unsigned: &Transfer, signers: &[alloy::signers::local::PrivateKeySigner]) -> Transfer {
    transfer(unsigned.inputs.clone(), unsigned.outputs.clone(), signers)
}

fn voids() -> Vec<Case> {
    let mut cases = Vec::new();
    for reason in [0, 5, 6, 255] {
        let bytes = patched(void_bytes(), 209, &[reason]);
        cases.push(case(format!("a void for reason {reason}"), bytes, "VoidReason"));
    }
    for reason in 1..=4 {
        for position in [1, 255] {
            let bytes = patched(void_bytes(), 209, &[reason, position]);
            cases.push(case(format!("void reason {reason} at {position}"), bytes, "VoidPosition"));
        }
    }
    let end = void_issue_bytes().len();
    for (reason, position) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
        let bytes = patched(void_issue_bytes(), end - 2, &[reason, position]);
        cases.push(case(format!("void reason {reason} of an issue at {position}"), bytes, "VoidPosition"));
    }
    cases
}

fn hub_only() -> Vec<Case> {
    let only_hub = |name: &str, bytes, reason| Case { only_hub: true, ..case(name, bytes, reason) };
    let nowhere = || request(HUB_CHAIN, 6, vault(), Content::Transfer(to_nowhere(HUB_CHAIN)));
    let issue = request(SPOKE_CHAIN, 3, vault(), Content::Issue(issue_to(31340)));
    let known = |position| pack(&[void(nowhere(), VoidReason::UnknownDomain, position)]);
    vec![
        only_hub(
            "a queued transfer to an unknown chain",
            pack(&[Operation::Queued(nowhere())]),
            "UnknownDomain",
        ),
        only_hub("a queued issue to an unknown chain", pack(&[Operation::Queued(issue)]), "UnknownDomain"),
        only_hub("a chain that the hub knows, said to be unknown", known(0), "KnownDomain"),
        only_hub("an issue's chain, said to be unknown", known_issue(), "KnownDomain"),
    ]
}

fn known_issue() -> Vec<u8> {
    let issue = request(SPOKE_CHAIN, 3, vault(), Content::Issue(issue_to(SPOKE_CHAIN)));
    pack(&[void(issue, VoidReason::UnknownDomain, 0)])
}

/// What is handed to a queue and refused.
struct Asked {
    name: &'static str,
    request_type: u8,
    content: Vec<u8>,
    reason: &'static str,
    /// Whether it is accepted where neither the time nor the chains are looked at.
    only_hub: bool,
}

fn asked() -> Vec<Asked> {
    let content = transfer_bytes()[39..].to_vec();
    let issue = issue_bytes()[39..].to_vec();
    let late = transfer_until(vault_transfer().inputs, vault_transfer().outputs, &[], NOW - 1);
    let of = |transfer| queued(vault(), transfer)[39..].to_vec();
    let refused = |name, request_type, content, reason| {
        let only_hub = matches!(reason, "DeadlinePassed" | "UnknownDomain");
        Asked { name, request_type, content, reason, only_hub }
    };
    vec![
        refused("no type", 0, content.clone(), "UnknownRequest"),
        refused("a void", 5, content.clone(), "UnknownRequest"),
        refused("an unknown type and no content", 1, vec![], "UnknownRequest"),
        refused("no content", 3, vec![], "OperationsLength"),
        refused("an issue without content", 4, vec![], "OperationsLength"),
        refused("a byte too few", 3, content[..content.len() - 1].to_vec(), "OperationsLength"),
        refused("a byte too many", 3, [content.clone(), vec![0]].concat(), "RequestLength"),
        refused("an issue and a byte too many", 4, [issue, vec![0]].concat(), "RequestLength"),
        refused("a second late", 3, of(late), "DeadlinePassed"),
        refused("to an unknown chain", 3, of(to_nowhere(HUB_CHAIN)), "UnknownDomain"),
        refused("five inputs", 3, patched(content.clone(), 0, &[5]), "InputCount"),
        refused("not balanced", 3, patched(content.clone(), 166, &[31]), "Unbalanced"),
        refused("one note twice", 3, of(twice(&[0, 0])), "KeyRepeated"),
        refused("the last of four notes again", 3, of(twice(&[0, 1, 2, 1])), "KeyRepeated"),
        refused(
            "one note twice, and a byte too many",
            3,
            [of(twice(&[0, 0])), vec![0]].concat(),
            "RequestLength",
        ),
        refused("not signed", 3, of(Transfer { signatures: vec![], ..mixed_transfer() }), "SignatureCount"),
        refused(
            "out of balance and too long",
            3,
            [patched(content, 166, &[31]), vec![0]].concat(),
            "Unbalanced",
        ),
    ]
}

/// A transfer of the vault's notes with these numbers.
fn twice(numbers: &[u64]) -> Transfer {
    let inputs: Vec<_> = numbers.iter().map(|number| vaults_gold(HUB_CHAIN, 1, 50 + number)).collect();
    let outputs = vec![output(gold(), HUB_CHAIN, vault(), inputs.len() as u64)];
    transfer(inputs, outputs, &[])
}

fn ask(asked: &Asked, rules: &Rules) -> Result<(), hypha_protocol::operations::OperationError> {
    check_request(HUB_CHAIN, 1, vault(), asked.request_type, &asked.content, rules).map(drop)
}

pub(crate) fn request_vectors() -> Vec<Value> {
    let vector = |one: &Asked| {
        let error = ask(one, &hub_rules()).expect_err(one.name);
        json!({
            "name": one.name,
            "chainId": HUB_CHAIN,
            "requestType": one.request_type,
            "sender": vault(),
            "content": Bytes::copy_from_slice(&one.content),
            "onlyHub": one.only_hub,
            "reason": error.reason(),
            "error": Bytes::from(error.abi_encode()),
        })
    };
    asked().iter().map(vector).collect()
}

#[test]
fn a_queue_refuses_each_with_its_reason() {
    for one in asked() {
        let error = ask(&one, &hub_rules()).expect_err(one.name);
        assert_eq!(error.reason(), one.reason, "{}: {error}", one.name);
        let elsewhere = ask(&one, &spoke_rules());
        assert_eq!(elsewhere.is_ok(), one.only_hub, "{}: {elsewhere:?}", one.name);
    }
}

/// Whatever bit of an operation that resolves a request is altered: it is refused, or it is no longer said of that request, so that
/// the queue refuses it. Only what a void says of the tree may change.
#[test]
fn no_altered_bit_passes_for_the_same_request() {
    let claims = 2 * 8;
    for bytes in [transfer_bytes(), issue_bytes(), void_bytes(), void_issue_bytes()] {
        let honest = check_operations(&bytes, &spoke_rules()).expect("honest operations");
        let bits = if bytes[2] == 5 { bytes.len() * 8 - claims } else { bytes.len() * 8 };
        for bit in 0..bits {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            if let Ok(checked) = check_operations(&altered, &spoke_rules()) {
                assert_ne!(checked.resolutions(), honest.resolutions(), "bit {bit} of {}", bytes[2]);
            }
        }
    }
}
