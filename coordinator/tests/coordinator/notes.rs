//! Notes, and the operations that the tests hand in.

use alloy::primitives::{B256, Bytes, U256};
use hypha_protocol::ids::{kind_of, output_resource, word};
use hypha_protocol::json::{IssueJson, TransferJson};
use hypha_protocol::operations::{Issue, Operation, Output, Resource, Transfer};
use hypha_protocol::signing::{distinct_owners, hub_domain, sign_issue, sign_transfer, transfer_hash};
use serde_json::Value;

use super::world::{DEADLINE, HUB_ID, hub_address, key};

/// Path and body of a request.
pub(crate) fn form(operation: &Operation) -> (&'static str, Value) {
    match operation {
        Operation::Transfer(transfer) => {
            ("/v1/transfers", serde_json::to_value(TransferJson::from(transfer)).unwrap())
        }
        Operation::Issue(issue) => ("/v1/issues", serde_json::to_value(IssueJson::from(issue)).unwrap()),
        Operation::Queued(_) | Operation::Void(_) => panic!("requests come by the chains"),
    }
}

pub(crate) const LABEL: B256 = B256::repeat_byte(0x77);

pub(crate) fn kind() -> B256 {
    kind_of(U256::ZERO, key("issuer").address(), LABEL)
}

/// A note of the test's kind.
pub(crate) fn note(owner: &str, domain: u64, quantity: u64, salt: u8) -> Resource {
    Resource {
        domainId: U256::from(domain),
        owner: key(owner).address(),
        kind: kind(),
        quantity: U256::from(quantity),
        data: B256::ZERO,
        salt: B256::repeat_byte(salt),
    }
}

pub(crate) fn issue_until(resource: &Resource, deadline: u64) -> Operation {
    let issuer = key("issuer");
    let mut issue = Issue {
        resource: resource.clone(),
        issuer: issuer.address(),
        label: LABEL,
        deadline,
        signature: Bytes::new(),
    };
    issue.signature = sign_issue(&issuer, &hub_domain(HUB_ID, hub_address()), &issue).unwrap();
    Operation::Issue(issue)
}

pub(crate) fn issue(resource: &Resource) -> Operation {
    issue_until(resource, DEADLINE)
}

pub(crate) fn output(owner: &str, domain: u64, quantity: u64) -> Output {
    let Resource { domainId, owner, kind, quantity, data, .. } = note(owner, domain, quantity, 1);
    Output { domainId, owner, kind, quantity, data }
}

/// A transfer, signed by those of these accounts that own an input.
pub(crate) fn transfer_until(
    inputs: &[Resource],
    outputs: &[Output],
    signers: &[&str],
    deadline: u64,
) -> Transfer {
    let mut transfer =
        Transfer { inputs: inputs.to_vec(), outputs: outputs.to_vec(), deadline, signatures: Vec::new() };
    let domain = hub_domain(HUB_ID, hub_address());
    for owner in distinct_owners(inputs) {
        let signer = signers.iter().map(|name| key(name)).find(|signer| signer.address() == owner);
        let signer = signer.unwrap_or_else(|| key("nobody"));
        transfer.signatures.push(sign_transfer(&signer, &domain, &transfer).unwrap());
    }
    transfer
}

pub(crate) fn transfer(inputs: &[Resource], outputs: &[Output], signers: &[&str]) -> Operation {
    Operation::Transfer(transfer_until(inputs, outputs, signers, DEADLINE))
}

/// The note that an output of a transfer becomes.
pub(crate) fn made(operation: &Operation, index: usize) -> Resource {
    let Operation::Transfer(transfer) = operation else { panic!("no transfer") };
    output_resource(transfer_hash(transfer), index, &transfer.outputs[index])
}

/// The keys of the tree that a note stands under, as text.
pub(crate) fn key_of(resource: &Resource) -> String {
    let id = hypha_protocol::ids::resource_id(resource);
    word(hypha_protocol::ids::resource_key(resource.domainId, id)).to_string()
}
