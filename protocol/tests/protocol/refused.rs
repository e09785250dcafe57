//! Operations that every verifier refuses, each with the reason that all of them give.

use alloy::primitives::{Bytes, U256, uint};
use hypha_protocol::operations::{
    Operation, OperationError, PackError, Transfer, check_operations, decode_operations, encode_operations,
};
use hypha_protocol::signing::{hub_domain, sign_transfer};
use serde_json::{Value, json};

use crate::fixtures::*;
use crate::refused_requests;

/// Where the fields of [`plain_transfer`] stand in its packed form: name, begin, end.
const TRANSFER_FIELDS: [(&str, usize, usize); 17] = [
    ("tag", 2, 3),
    ("inputs", 3, 4),
    ("outputs", 4, 5),
    ("signatures", 5, 6),
    ("deadline", 6, 14),
    ("input domain", 14, 22),
    ("input owner", 22, 42),
    ("input kind", 42, 74),
    ("input header", 74, 75),
    ("input quantity", 75, 76),
    ("input salt", 76, 108),
    ("output domain", 108, 116),
    ("output owner", 116, 136),
    ("output kind", 136, 168),
    ("output header", 168, 169),
    ("output quantity", 169, 170),
    ("signature", 170, 235),
];

/// Where the fields of an issue with data stand in its packed form.
const ISSUE_FIELDS: [(&str, usize, usize); 11] = [
    ("tag", 2, 3),
    ("issuer", 3, 23),
    ("label", 23, 55),
    ("deadline", 55, 63),
    ("domain", 63, 71),
    ("owner", 71, 91),
    ("header", 91, 92),
    ("quantity", 92, 93),
    ("data", 93, 125),
    ("salt", 125, 157),
    ("signature", 157, 222),
];

const CURVE_ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reason: &'static str,
    /// Whether a spoke, which has no clock and knows no other chains, accepts it.
    pub(crate) only_hub: bool,
}

pub(crate) fn case(name: impl Into<String>, bytes: Vec<u8>, reason: &'static str) -> Case {
    Case { name: name.into(), bytes, reason, only_hub: false }
}

fn plain() -> Vec<u8> {
    pack(&[Operation::Transfer(plain_transfer())])
}

fn issue_with_data() -> Vec<u8> {
    let resource = hypha_protocol::operations::Resource {
        data: label("data"),
        ..note("gold", HUB_CHAIN, alice().address(), 9, 4)
    };
    pack(&[Operation::Issue(issue("gold", resource))])
}

fn packed(transfer: Transfer) -> Vec<u8> {
    pack(&[Operation::Transfer(transfer)])
}

/// `bytes` with those from `position` on replaced.
pub(crate) fn patched(mut bytes: Vec<u8>, position: usize, patch: &[u8]) -> Vec<u8> {
    bytes[position..position + patch.len()].copy_from_slice(patch);
    bytes
}

/// `bytes` with the named field all zero.
pub(crate) fn zeroed(bytes: Vec<u8>, fields: &[(&str, usize, usize)], name: &str) -> Vec<u8> {
    let (_, begin, end) = fields.iter().find(|(field, ..)| *field == name).expect("a field of this name");
    patched(bytes, *begin, &vec![0; end - begin])
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(lengths());
    cases.extend(counts());
    cases.extend(zeros());
    cases.extend(amounts());
    cases.extend(balances());
    cases.extend(signatures());
    cases.extend(hub_only());
    cases.extend(first_reason_wins());
    cases.extend(refused_requests::cases());
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases = vec![
        case("no bytes", vec![], "OperationsLength"),
        case("half a count", vec![0], "OperationsLength"),
        case("a count and nothing more", vec![0, 1], "OperationsLength"),
        case("more operations than there are", patched(plain(), 0, &[0, 2]), "OperationsLength"),
        case("fewer operations than there are", patched(swap_and_issue(), 0, &[0, 1]), "OperationsLength"),
        case("a byte too many", [plain(), vec![0]].concat(), "OperationsLength"),
        case("more than the maximum", vec![0; 65_537], "OperationsTooLong"),
        case("the maximum, of nothing", vec![0; 65_536], "NoOperations"),
        case("no operations", vec![0, 0], "NoOperations"),
        case("no operations and a byte", vec![0, 0, 1], "NoOperations"),
    ];
    for (kind, bytes, fields) in
        [("transfer", plain(), &TRANSFER_FIELDS[..]), ("issue", issue_with_data(), &ISSUE_FIELDS[..])]
    {
        for (field, begin, end) in fields {
            cases.push(case(
                format!("{kind} cut before its {field}"),
                bytes[..*begin].to_vec(),
                "OperationsLength",
            ));
            cases.push(case(
                format!("{kind} cut in its {field}, or before a short one"),
                bytes[..end - 1].to_vec(),
                "OperationsLength",
            ));
        }
    }
    cases
}

fn swap_and_issue() -> Vec<u8> {
    pack(&[Operation::Transfer(swap()), Operation::Issue(issue("gold", alices_gold()))])
}

fn counts() -> Vec<Case> {
    let mut cases: Vec<Case> = [0, 6, 7, 255]
        .map(|tag| case(format!("tag {tag}"), patched(plain(), 2, &[tag]), "UnknownOperation"))
        .into();
    for count in [0, 17, 255] {
        cases.push(case(format!("{count} inputs"), patched(plain(), 3, &[count]), "InputCount"));
        cases.push(case(format!("{count} outputs"), patched(plain(), 4, &[count]), "OutputCount"));
    }
    for count in [0, 2, 255] {
        cases.push(case(
            format!("{count} signatures of one owner"),
            patched(plain(), 5, &[count]),
            "SignatureCount",
        ));
    }
    let one_signature = Transfer { signatures: swap().signatures[..1].to_vec(), ..swap() };
    cases.push(case("one signature of two owners", packed(one_signature), "SignatureCount"));
    let turns = interleaved();
    let for_each_note = transfer(turns.inputs, turns.outputs, &[alice(), bob(), alice()]);
    cases.push(case("a signature for each note of two owners", packed(for_each_note), "SignatureCount"));
    cases
}

fn zeros() -> Vec<Case> {
    let transfers = [
        ("input domain", "ZeroDomain"),
        ("input owner", "ZeroOwner"),
        ("input kind", "ZeroKind"),
        ("input quantity", "ZeroQuantity"),
        ("input salt", "ZeroSalt"),
        ("output domain", "ZeroDomain"),
        ("output owner", "ZeroOwner"),
        ("output kind", "ZeroKind"),
        ("output quantity", "ZeroQuantity"),
    ]
    .map(|(field, reason)| case(format!("zero {field}"), zeroed(plain(), &TRANSFER_FIELDS, field), reason));
    let issues = [
        ("issuer", "ZeroIssuer"),
        ("label", "ZeroLabel"),
        ("domain", "ZeroDomain"),
        ("owner", "ZeroOwner"),
        ("quantity", "ZeroQuantity"),
        ("data", "ZeroData"),
        ("salt", "ZeroSalt"),
    ]
    .map(|(field, reason)| {
        case(format!("zero {field} of an issue"), zeroed(issue_with_data(), &ISSUE_FIELDS, field), reason)
    });
    transfers.into_iter().chain(issues).collect()
}

fn amounts() -> Vec<Case> {
    let mut cases: Vec<Case> = [0x00, 0x21, 0x3f, 0x40, 0x41, 0x80, 0xa1, 0xc1, 0xff]
        .map(|header| {
            case(format!("amount header {header:#04x}"), patched(plain(), 74, &[header]), "QuantityEncoding")
        })
        .into();
    let two_bytes = [&plain()[..74], &[2, 0, 100], &plain()[76..]].concat();
    cases.push(case("quantity with a leading zero", two_bytes, "ZeroQuantity"));
    let no_data = [&plain()[..74], &[0x81, 100], &[0; 32], &plain()[76..]].concat();
    cases.push(case("zero data of an input", no_data, "ZeroData"));
    cases.push(case("header of an output", patched(plain(), 168, &[0x42]), "QuantityEncoding"));
    cases.push(case("header of an issue", patched(issue_with_data(), 91, &[0x22]), "QuantityEncoding"));
    cases
}

fn balances() -> Vec<Case> {
    let bob = bob().address();
    let largest = |salt_number| {
        let note = note("gold", HUB_CHAIN, alice().address(), 1, salt_number);
        hypha_protocol::operations::Resource { quantity: U256::MAX, ..note }
    };
    let spend = |inputs, outputs| packed(transfer(inputs, outputs, &[alice()]));
    let largest_output =
        hypha_protocol::operations::Output { quantity: U256::MAX, ..output(gold(), HUB_CHAIN, bob, 1) };
    let some_silver = note("silver", HUB_CHAIN, alice().address(), 5, 9);
    vec![
        case(
            "too little made",
            spend(vec![alices_gold()], vec![output(gold(), HUB_CHAIN, bob, 99)]),
            "Unbalanced",
        ),
        case(
            "too much made",
            spend(vec![alices_gold()], vec![output(gold(), HUB_CHAIN, bob, 101)]),
            "Unbalanced",
        ),
        case(
            "another kind made",
            spend(vec![alices_gold()], vec![output(silver(), HUB_CHAIN, bob, 100)]),
            "Unbalanced",
        ),
        case(
            "a second kind from nothing",
            spend(
                vec![alices_gold()],
                vec![output(gold(), HUB_CHAIN, bob, 100), output(silver(), HUB_CHAIN, bob, 1)],
            ),
            "Unbalanced",
        ),
        case(
            "inputs overflow to the outputs' sum",
            spend(
                vec![largest(1), largest(2)],
                vec![output(gold(), HUB_CHAIN, bob, 1), largest_output.clone()],
            ),
            "QuantityOverflow",
        ),
        case(
            "outputs overflow to the inputs' sum",
            spend(vec![alices_gold()], vec![output(gold(), HUB_CHAIN, bob, 101), largest_output]),
            "QuantityOverflow",
        ),
        case(
            "the first kind is out of balance, the second overflows",
            spend(vec![some_silver, largest(1), largest(2)], vec![output(gold(), HUB_CHAIN, bob, 1)]),
            "Unbalanced",
        ),
    ]
}

fn signatures() -> Vec<Case> {
    let at = 170;
    let s = U256::from_be_slice(&plain()[at + 32..at + 64]);
    let high = (CURVE_ORDER - s).to_be_bytes::<32>();
    let other_v = if plain()[at + 64] == 27 { 28 } else { 27 };
    let half = (CURVE_ORDER >> 1_usize).to_be_bytes::<32>();
    let above_half = ((CURVE_ORDER >> 1_usize) + U256::ONE).to_be_bytes::<32>();
    let swapped = Transfer { signatures: swap().signatures.into_iter().rev().collect(), ..swap() };
    let mut elsewhere = plain_transfer();
    let other_hub = hub_domain(HUB_CHAIN, alice().address());
    elsewhere.signatures = vec![sign_transfer(&alice(), &other_hub, &elsewhere).expect("a local key signs")];
    let by_bob = transfer(plain_transfer().inputs, plain_transfer().outputs, &[bob()]);
    let malleable = patched(patched(plain(), at + 32, &high), at + 64, &[other_v]);
    vec![
        case("the other form of a signature", malleable, "SignatureMalleable"),
        case("s just above half the order", patched(plain(), at + 32, &above_half), "SignatureMalleable"),
        case("s of half the order", patched(plain(), at + 32, &half), "SignerMismatch"),
        case("v 0", patched(plain(), at + 64, &[0]), "SignatureParity"),
        case("v 1", patched(plain(), at + 64, &[1]), "SignatureParity"),
        case("v 29", patched(plain(), at + 64, &[29]), "SignatureParity"),
        case("the other v", patched(plain(), at + 64, &[other_v]), "SignerMismatch"),
        case("no r", patched(plain(), at, &[0; 32]), "SignerMismatch"),
        case("no s", patched(plain(), at + 32, &[0; 32]), "SignerMismatch"),
        case("r of the order", patched(plain(), at, &CURVE_ORDER.to_be_bytes::<32>()), "SignerMismatch"),
        case("signed by another", packed(by_bob), "SignerMismatch"),
        case("signed for another hub", packed(elsewhere), "SignerMismatch"),
        case("signatures in another order than the owners", packed(swapped), "SignerMismatch"),
        case(
            "an issue signed by another",
            patched(issue_with_data(), 3, alice().address().as_slice()),
            "SignerMismatch",
        ),
        case("an issue whose salt is altered", patched(issue_with_data(), 125, &[1; 32]), "SignerMismatch"),
        case("an issue with a high s", patched(issue_with_data(), 157 + 32, &[0xff]), "SignatureMalleable"),
    ]
}

fn hub_only() -> Vec<Case> {
    let only_hub = |name: &str, bytes, reason| Case { only_hub: true, ..case(name, bytes, reason) };
    let late =
        |deadline| transfer_until(plain_transfer().inputs, plain_transfer().outputs, &[alice()], deadline);
    let nowhere =
        transfer(vec![alices_gold()], vec![output(gold(), 31340, bob().address(), 100)], &[alice()]);
    let issued_nowhere = note("gold", 31340, alice().address(), 1, 5);
    vec![
        only_hub("a transfer a second late", packed(late(NOW - 1)), "DeadlinePassed"),
        only_hub("a transfer without a deadline", packed(late(0)), "DeadlinePassed"),
        only_hub(
            "an issue a second late",
            pack(&[Operation::Issue(issue_until("gold", alices_gold(), NOW - 1))]),
            "DeadlinePassed",
        ),
        only_hub("an output on an unknown chain", packed(nowhere), "UnknownDomain"),
        only_hub(
            "an issue on an unknown chain",
            pack(&[Operation::Issue(issue("gold", issued_nowhere))]),
            "UnknownDomain",
        ),
    ]
}

fn first_reason_wins() -> Vec<Case> {
    let mut bad_then_cut = packed(swap());
    let first = bad_then_cut.len() - 130;
    bad_then_cut[first + 32] = 0xff;
    bad_then_cut.truncate(first + 65 + 10);
    let unbalanced =
        transfer(vec![alices_gold()], vec![output(gold(), HUB_CHAIN, bob().address(), 1)], &[alice()]);
    let unknown_tag = [patched(packed(unbalanced), 0, &[0, 2]), vec![9]].concat();
    let second_bad = {
        let good = plain();
        let bad = patched(issue_with_data(), 157 + 64, &[26]);
        [&[0, 2], &good[2..], &bad[2..]].concat()
    };
    vec![
        case("a first signature of high s, the second cut", bad_then_cut, "SignatureMalleable"),
        case("an operation out of balance before one of unknown tag", unknown_tag, "Unbalanced"),
        case("a good operation before a bad one", second_bad, "SignatureParity"),
        case("no inputs, no outputs", patched(plain(), 3, &[0, 0]), "InputCount"),
        case("zero owner and zero kind", patched(plain(), 22, &[0; 52]), "ZeroOwner"),
        case("zero salt, and an output of zero domain", patched(plain(), 76, &[0; 40]), "ZeroSalt"),
    ]
}

pub(crate) fn vectors() -> Vec<Value> {
    cases().iter().map(vector).collect()
}

fn vector(case: &Case) -> Value {
    let error = check_operations(&case.bytes, &hub_rules()).expect_err(&case.name);
    json!({
        "name": case.name,
        "operations": Bytes::copy_from_slice(&case.bytes),
        "timestamp": NOW,
        "domains": domains(),
        "onlyHub": case.only_hub,
        "reason": error.reason(),
        "error": Bytes::from(error.abi_encode()),
    })
}

#[test]
fn each_is_refused_with_its_reason() {
    for case in cases() {
        let error = check_operations(&case.bytes, &hub_rules()).expect_err(&case.name);
        assert_eq!(error.reason(), case.reason, "{}: {error}", case.name);
        let on_a_spoke = check_operations(&case.bytes, &spoke_rules());
        if case.only_hub {
            assert!(on_a_spoke.is_ok(), "{}", case.name);
        } else {
            assert_eq!(on_a_spoke, Err(error), "{}", case.name);
        }
    }
}

#[test]
fn every_reason_of_the_checks_is_covered() {
    let seen: std::collections::BTreeSet<_> = cases().iter().map(|case| case.reason).collect();
    let names = hypha_protocol::contracts::IOperationErrors::IOperationErrorsErrors::SELECTORS
        .iter()
        .filter_map(|selector| {
            hypha_protocol::contracts::IOperationErrors::IOperationErrorsErrors::name_by_selector(*selector)
        });
    // The number and the order of the keys belong to the walk (batches.rs).
    let elsewhere = ["TooManyKeys", "OrderLength", "OrderIndex"];
    let missing: Vec<_> = names.filter(|name| !seen.contains(name) && !elsewhere.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn errors_carry_what_the_solidity_ones_carry() {
    let refuse = |bytes: &[u8]| check_operations(bytes, &hub_rules()).expect_err("refused");
    assert_eq!(refuse(&plain()[..100]), OperationError::OperationsLength { expected: 108, actual: 100 });
    assert_eq!(
        refuse(&[plain(), vec![0]].concat()),
        OperationError::OperationsLength { expected: 235, actual: 236 }
    );
    let nobody = alloy::primitives::Address::ZERO;
    assert_eq!(
        refuse(&patched(plain(), 170, &[0; 32])),
        OperationError::SignerMismatch { expected: alice().address(), actual: nobody }
    );
    let selector = &alloy::primitives::keccak256("OperationsLength(uint256,uint256)")[..4];
    let words = [U256::from(108).to_be_bytes::<32>(), U256::from(100).to_be_bytes::<32>()].concat();
    assert_eq!(refuse(&plain()[..100]).abi_encode(), [selector, &words].concat());
}

#[test]
fn decoding_refuses_what_needs_no_rules() {
    let structural = ["Length", "Count", "Zero", "TooLong", "NoOperations", "Unknown", "QuantityEncoding"];
    for case in cases().iter().filter(|case| !case.only_hub && case.reason != "SignatureCount") {
        let decoded = decode_operations(&case.bytes);
        if structural.iter().any(|part| case.reason.contains(part)) {
            assert_eq!(decoded.expect_err(&case.name).reason(), case.reason, "{}", case.name);
        } else if let Ok(operations) = decoded {
            assert_eq!(pack(&operations), case.bytes, "{}", case.name);
        }
    }
}

#[test]
fn what_has_no_packed_form_is_refused() {
    let reason = |transfer: Transfer| {
        encode_operations(&[Operation::Transfer(transfer)]).expect_err("no form").reason()
    };
    assert_eq!(encode_operations(&[]), Err(PackError::OperationCount { actual: 0 }));
    assert_eq!(reason(Transfer { inputs: vec![], ..swap() }), "InputCount");
    assert_eq!(reason(Transfer { inputs: vec![alices_gold(); 17], ..swap() }), "InputCount");
    assert_eq!(reason(Transfer { outputs: vec![], ..swap() }), "OutputCount");
    assert_eq!(reason(Transfer { outputs: vec![swap().outputs[0].clone(); 17], ..swap() }), "OutputCount");
    let signature = swap().signatures[0].clone();
    assert_eq!(reason(Transfer { signatures: vec![signature; 256], ..swap() }), "SignatureCount");
    assert_eq!(reason(Transfer { signatures: vec![Bytes::from(vec![1; 64])], ..swap() }), "SignatureLength");
    let mut far = swap();
    far.outputs[0].domainId = U256::from(u64::MAX) + U256::ONE;
    assert_eq!(reason(far), "DomainTooLarge");
    let mut nothing = swap();
    nothing.inputs[1].quantity = U256::ZERO;
    assert_eq!(reason(nothing), "ZeroQuantity");
    let mut other_kind = issue("gold", alices_gold());
    other_kind.resource.kind = silver();
    assert_eq!(
        encode_operations(&[Operation::Issue(other_kind)]),
        Err(PackError::KindMismatch { expected: gold(), actual: silver() })
    );
}
