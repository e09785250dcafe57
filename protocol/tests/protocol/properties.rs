//! Properties of the packed form over arbitrary operations and arbitrary damage.

use alloy::primitives::{Address, B256, Bytes, U256};
use hypha_protocol::ids::kind_of;
use hypha_protocol::operations::{
    Issue, Operation, Output, Resource, Transfer, check_operations, decode_operations, encode_operations,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixtures::{pack, spoke_rules};
use crate::honest;

fn nonzero_word() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new).prop_filter("zero is never valid", |word| !word.is_zero())
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::new).prop_filter("zero is never valid", |address| !address.is_zero())
}

fn data() -> impl Strategy<Value = B256> {
    prop_oneof![Just(B256::ZERO), nonzero_word()]
}

/// Quantities of every length.
fn quantity() -> impl Strategy<Value = U256> {
    (nonzero_word(), 0_usize..256)
        .prop_map(|(word, shift)| (U256::from_be_bytes(word.0) >> shift).max(U256::ONE))
}

fn output() -> impl Strategy<Value = Output> {
    (1..=u64::MAX, address(), nonzero_word(), quantity(), data()).prop_map(
        |(domain_id, owner, kind, quantity, data)| Output {
            domainId: U256::from(domain_id),
            owner,
            kind,
            quantity,
            data,
        },
    )
}

fn resource() -> impl Strategy<Value = Resource> {
    (output(), nonzero_word()).prop_map(|(output, salt)| Resource {
        domainId: output.domainId,
        owner: output.owner,
        kind: output.kind,
        quantity: output.quantity,
        data: output.data,
        salt,
    })
}

fn signature() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 65).prop_map(Bytes::from)
}

fn operation() -> impl Strategy<Value = Operation> {
    let transfer = (vec(resource(), 1..=16), vec(output(), 1..=16), any::<u64>(), vec(signature(), 0..4))
        .prop_map(|(inputs, outputs, deadline, signatures)| {
            Operation::Transfer(Transfer { inputs, outputs, deadline, signatures })
        });
    let issue = (resource(), address(), nonzero_word(), any::<u64>(), signature()).prop_map(
        |(resource, issuer, label, deadline, signature)| {
            let resource = Resource { kind: kind_of(U256::ZERO, issuer, label), ..resource };
            Operation::Issue(Issue { resource, issuer, label, deadline, signature })
        },
    );
    prop_oneof![transfer, issue]
}

proptest! {
    #[test]
    fn operations_are_read_back(operations in vec(operation(), 1..6)) {
        let bytes = encode_operations(&operations).expect("a packed form");
        prop_assert_eq!(decode_operations(&bytes), Ok(operations));
    }

    #[test]
    fn a_decoded_form_is_the_only_one(
        operations in vec(operation(), 1..3),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode_operations(&operations).expect("a packed form");
        let position = position.index(bytes.len());
        bytes[position] = byte;
        if let Ok(decoded) = decode_operations(&bytes) {
            prop_assert_eq!(encode_operations(&decoded), Ok(bytes));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        if let Ok(decoded) = decode_operations(&bytes) {
            prop_assert_eq!(encode_operations(&decoded), Ok(bytes));
        }
    }
}

/// Every bit of honest operations is bound by a check or a signature: no altered bit leaves them acceptable.
#[test]
fn no_altered_bit_is_accepted() {
    let mut accepted = Vec::new();
    for (name, operations) in
        honest::cases().into_iter().filter(|(_, operations)| operations.len() == 1).take(5)
    {
        let bytes = pack(&operations);
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 1 << (position % 8);
            if check_operations(&altered, &spoke_rules()).is_ok() {
                accepted.push((name, position));
            }
        }
    }
    assert_eq!(accepted, []);
}
