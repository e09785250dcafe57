//! Properties of the packed form over arbitrary operations and arbitrary damage.

use alloy::primitives::{Address, B256, Bytes, U256};
use hypha_protocol::ids::kind_of;
use hypha_protocol::json::{RequestJson, VoidJson};
use hypha_protocol::operations::{
    Content, Issue, Operation, OperationError, Output, Request, RequestedIssue, Resource, Transfer, Void,
    VoidReason, check_operations, decode_operations, decode_request, encode_operations,
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
    let void = (request(), 0..4_usize, 0..4_u8).prop_filter_map(
        "a note at this position",
        |(request, reason, position)| {
            Void::new(request, VoidReason::ALL[reason], position).ok().map(Operation::Void)
        },
    );
    prop_oneof![transfer, issue, request().prop_map(Operation::Queued), void]
}

fn request() -> impl Strategy<Value = Request> {
    let transfer = (vec(resource(), 1..=4), vec(output(), 1..=4), any::<u64>(), vec(signature(), 0..4))
        .prop_map(|(inputs, outputs, deadline, signatures)| {
            Content::Transfer(Transfer { inputs, outputs, deadline, signatures })
        });
    let issue = (nonzero_word(), 1..=u64::MAX, address(), quantity(), data(), nonzero_word()).prop_map(
        |(label, domain_id, owner, quantity, data, salt)| {
            Content::Issue(RequestedIssue { label, domain_id, owner, quantity, data, salt })
        },
    );
    (1..=u64::MAX, 1..=u64::MAX, address(), prop_oneof![transfer, issue]).prop_map(
        |(chain_id, number, sender, content)| {
            Request::new(chain_id, number, sender, content).expect("a packed form")
        },
    )
}

/// Operations in an order in which a batch may have them.
fn operations(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), count).prop_map(|mut operations| {
        operations.sort_by_key(|operation| match operation {
            Operation::Void(_) => 0,
            Operation::Queued(_) => 1,
            Operation::Transfer(_) | Operation::Issue(_) => 2,
        });
        operations
    })
}

proptest! {
    #[test]
    fn operations_are_read_back(operations in operations(1..6)) {
        let bytes = encode_operations(&operations).expect("a packed form");
        prop_assert_eq!(decode_operations(&bytes), Ok(operations));
    }

    #[test]
    fn a_decoded_form_is_the_only_one(
        operations in operations(1..3),
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
    fn a_request_is_read_back_from_its_content_alone(
        request in request(),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (chain, number, sender) = (request.chain_id(), request.number(), request.sender());
        let read = |content: &[u8]| decode_request(chain, number, sender, request.request_type() as u8, content);
        prop_assert_eq!(read(request.packed_content()), Ok(request.clone()));
        let mut altered = request.packed_content().to_vec();
        let position = position.index(altered.len());
        altered[position] = byte;
        if let Ok(other) = read(&altered) {
            prop_assert_eq!(other.packed_content(), &Bytes::from(altered));
            prop_assert_eq!(other.hash() == request.hash(), other == request);
        }
    }

    #[test]
    fn only_voids_then_queued_then_others_are_read(operations in vec(operation(), 1..6)) {
        let place = |operation: &Operation| match operation {
            Operation::Void(_) => 0,
            Operation::Queued(_) => 1,
            Operation::Transfer(_) | Operation::Issue(_) => 2,
        };
        let early = operations.windows(2).position(|pair| place(&pair[1]) < place(&pair[0]));
        let bytes = encode_operations(&operations).expect("a packed form");
        let expected = early.map_or(Ok(operations), |before| {
            Err(OperationError::OperationOrder { position: before + 1 })
        });
        prop_assert_eq!(decode_operations(&bytes), expected);
    }

    #[test]
    fn forms_of_requests_become_what_they_were_made_from(request in request(), position in 0..4_u8) {
        let text = serde_json::to_string(&RequestJson::from(&request)).expect("JSON");
        let form: RequestJson = serde_json::from_str(&text).expect("its own form");
        prop_assert_eq!(Request::try_from(&form), Ok(request.clone()));
        if let Ok(void) = Void::new(request, VoidReason::OutputExists, position) {
            let text = serde_json::to_string(&VoidJson::from(&void)).expect("JSON");
            let form: VoidJson = serde_json::from_str(&text).expect("its own form");
            prop_assert_eq!(Void::try_from(&form), Ok(void));
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
