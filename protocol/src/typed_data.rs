//! What a wallet is asked to sign, as the JSON of `eth_signTypedData_v4` (EIP-712). It also goes through
//! `cast wallet sign --data`.

use alloy::primitives::Address;
use serde_json::{Value, json};

use crate::contracts::{Issue, Transfer};
use crate::ids::resource_id;
use crate::json::OutputJson;

/// The typed data that each owner of a transfer's inputs signs. Its signatures are not looked at.
pub fn typed_data(transfer: &Transfer, hub_chain_id: u64, hub: Address) -> Value {
    let inputs: Vec<_> = transfer.inputs.iter().map(resource_id).collect();
    let outputs: Vec<_> = transfer.outputs.iter().map(OutputJson::from).collect();
    let types = json!({
        "EIP712Domain": domain_type(),
        "Transfer": [
            field("inputs", "bytes32[]"),
            field("outputs", "Output[]"),
            field("deadline", "uint64"),
        ],
        "Output": [
            field("domainId", "uint256"),
            field("owner", "address"),
            field("kind", "bytes32"),
            field("quantity", "uint256"),
            field("data", "bytes32"),
        ],
    });
    let message = json!({ "inputs": inputs, "outputs": outputs, "deadline": transfer.deadline.to_string() });
    document(types, "Transfer", message, hub_chain_id, hub)
}

/// The typed data that the issuer of a note signs. Its signature is not looked at.
pub fn issue_typed_data(issue: &Issue, hub_chain_id: u64, hub: Address) -> Value {
    let types = json!({
        "EIP712Domain": domain_type(),
        "Issue": [
            field("resourceId", "bytes32"),
            field("issuer", "address"),
            field("label", "bytes32"),
            field("deadline", "uint64"),
        ],
    });
    let message = json!({
        "resourceId": resource_id(&issue.resource),
        "issuer": issue.issuer,
        "label": issue.label,
        "deadline": issue.deadline.to_string(),
    });
    document(types, "Issue", message, hub_chain_id, hub)
}

fn document(types: Value, primary_type: &str, message: Value, hub_chain_id: u64, hub: Address) -> Value {
    json!({
        "types": types,
        "primaryType": primary_type,
        // Wallets compare this chain id with the network they are on: as a number, the form that all of them read.
        "domain": { "name": "Hypha", "version": "1", "chainId": hub_chain_id, "verifyingContract": hub },
        "message": message,
    })
}

fn domain_type() -> Value {
    json!([
        field("name", "string"),
        field("version", "string"),
        field("chainId", "uint256"),
        field("verifyingContract", "address"),
    ])
}

fn field(name: &str, kind: &str) -> Value {
    json!({ "name": name, "type": kind })
}
