//! Operations that every verifier takes, with the keys that they touch.

use alloy::primitives::{B256, Bytes, U256, keccak256};
use hypha_protocol::ids::word;
use hypha_protocol::operations::{Operation, Resource, check_operations, decode_operations};
use hypha_protocol::tree::ValueHash;
use serde_json::{Value, json};

use crate::fixtures::*;
use crate::requests;

/// Operations that the hub takes at [`NOW`], each with its name.
pub(crate) fn cases() -> Vec<(&'static str, Vec<Operation>)> {
    let with_data = Resource { data: keccak256("data"), ..alices_gold() };
    let largest = Resource { quantity: U256::MAX, ..alices_gold() };
    let many = (0..16).map(|number| note("gold", HUB_CHAIN, alice().address(), 1, 100 + number)).collect();
    let sixteen = vec![output(gold(), OTHER_SPOKE_CHAIN, bob().address(), 1); 16];
    let mut cases = vec![
        ("one issue", vec![Operation::Issue(issue("gold", alices_gold()))]),
        ("an issue with data", vec![Operation::Issue(issue("gold", with_data))]),
        ("an issue of the largest quantity", vec![Operation::Issue(issue("gold", largest))]),
        ("an issue at its deadline", vec![Operation::Issue(issue_until("gold", alices_gold(), NOW))]),
        ("one transfer", vec![Operation::Transfer(plain_transfer())]),
        (
            "a transfer at its deadline",
            vec![Operation::Transfer(transfer_until(
                vec![alices_gold()],
                vec![output(gold(), SPOKE_CHAIN, bob().address(), 100)],
                &[alice()],
                NOW,
            ))],
        ),
        ("a swap of two owners", vec![Operation::Transfer(swap())]),
        ("two owners in turns", vec![Operation::Transfer(interleaved())]),
        ("sixteen inputs, sixteen outputs", vec![Operation::Transfer(transfer(many, sixteen, &[alice()]))]),
        (
            "one note twice, which is for the tree to refuse",
            vec![Operation::Transfer(transfer(
                vec![alices_gold(), alices_gold()],
                vec![output(gold(), HUB_CHAIN, bob().address(), 200)],
                &[alice()],
            ))],
        ),
        (
            "several operations",
            vec![
                Operation::Issue(issue("silver", bobs_silver())),
                Operation::Transfer(plain_transfer()),
                Operation::Issue(issue("gold", note("gold", OTHER_SPOKE_CHAIN, bob().address(), 7, 3))),
            ],
        ),
    ];
    cases.extend(requests::operations());
    cases
}

pub(crate) fn vectors() -> Vec<Value> {
    cases().iter().map(|(name, operations)| vector(name, &pack(operations))).collect()
}

fn vector(name: &str, bytes: &[u8]) -> Value {
    let checked = check_operations(bytes, &hub_rules()).expect(name);
    let hash = |value: Option<ValueHash>| value.map_or(B256::ZERO, word);
    json!({
        "name": name,
        "operations": Bytes::copy_from_slice(bytes),
        "hubChainId": HUB_CHAIN,
        "hub": HUB,
        "domainSeparator": separator(),
        "timestamp": NOW,
        "domains": domains(),
        "ids": checked.ids(),
        "touchKeys": checked.touches().iter().map(|touch| word(touch.key)).collect::<Vec<_>>(),
        "touchOlds": checked.touches().iter().map(|touch| hash(touch.old)).collect::<Vec<_>>(),
        "touchNews": checked.touches().iter().map(|touch| hash(touch.new)).collect::<Vec<_>>(),
    })
}

#[test]
fn what_is_packed_is_read_back() {
    for (name, operations) in cases() {
        let bytes = pack(&operations);
        assert_eq!(decode_operations(&bytes).as_ref(), Ok(&operations), "{name}");
        let checked = check_operations(&bytes, &spoke_rules()).expect(name);
        assert_eq!(checked.operations(), operations, "{name}");
        let touches: Vec<_> = operations.iter().flat_map(Operation::touches).collect();
        assert_eq!(checked.touches(), touches, "{name}");
        let created: Vec<_> = operations.iter().flat_map(Operation::created).collect();
        assert_eq!(checked.created(), created, "{name}");
        let nullifiers: Vec<_> = operations.iter().flat_map(Operation::nullifiers).collect();
        assert_eq!(checked.nullifiers(), nullifiers, "{name}");
        let length: usize =
            operations.iter().map(|one| hypha_protocol::operations::packed_length(one).expect(name)).sum();
        assert_eq!(bytes.len(), 2 + length, "{name}");
    }
}

#[test]
fn touches_are_read_inserted_and_created_in_order() {
    let swap = swap();
    let touches = Operation::Transfer(swap.clone()).touches();
    let shape: Vec<_> = touches.iter().map(|touch| (touch.old.is_some(), touch.new.is_some())).collect();
    let (read, insert) = ((true, false), (false, true));
    assert_eq!(shape, [read, insert, read, insert, insert, insert, insert]);
    assert_eq!(touches[1].new, Some(ValueHash::of(b"1")));
    let last = hypha_protocol::ids::resource_id(&made(&swap, 2));
    assert_eq!(touches[6].new, Some(ValueHash::from(last.0)));
}
