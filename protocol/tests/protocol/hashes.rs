//! Ids, nullifiers, kinds, keys, EIP-712 hashes and the batch chain, as vectors.

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U256, address, b256, keccak256};
use alloy::sol_types::SolValue;
use hypha_protocol::batch::{genesis_batch_chain, next_batch_chain};
use hypha_protocol::ids::{
    kind_of, namespaced_key, nullifier_key, nullifier_of, output_salt, resource_id, resource_key,
    resource_value, word,
};
use hypha_protocol::operations::{Issue, Operation, Resource, Transfer};
use hypha_protocol::signing::{SignatureError, digest, issue_hash, recover, sign_digest, transfer_hash};
use hypha_protocol::tree::Root;
use serde_json::{Value, json};

use crate::fixtures::*;

pub(crate) fn vectors() -> Value {
    json!({
        "resources": resources(),
        "kinds": kinds(),
        "keys": keys(),
        "transfers": [
            transfer_vector("one input, one output", &plain_transfer()),
            transfer_vector("two owners, two kinds, change", &swap()),
        ],
        "issues": [
            issue_vector("gold", &issue("gold", alices_gold())),
            issue_vector("largest quantity, with data", &issue("gold", largest())),
        ],
        "genesis": [
            { "name": "this hub", "chainId": HUB_CHAIN, "hub": HUB, "batchChain": genesis_batch_chain(HUB_CHAIN, HUB) },
            { "name": "mainnet", "chainId": 1, "hub": alice().address(), "batchChain": genesis_batch_chain(1, alice().address()) },
        ],
        "batchChains": batch_chains(),
        "signatures": signatures(),
    })
}

fn largest() -> Resource {
    Resource { quantity: U256::MAX, data: keccak256("data"), ..alices_gold() }
}

fn resources() -> Vec<Value> {
    let cases =
        [("gold on the hub", alices_gold()), ("silver on a spoke", bobs_silver()), ("largest", largest())];
    cases.map(|(name, resource)| resource_vector(name, &resource)).into()
}

fn resource_vector(name: &str, resource: &Resource) -> Value {
    json!({
        "name": name,
        "domainId": resource.domainId.to_string(),
        "owner": resource.owner,
        "kind": resource.kind,
        "quantity": resource.quantity.to_string(),
        "data": resource.data,
        "salt": resource.salt,
        "value": Bytes::from(resource_value(resource)),
        "resourceId": resource_id(resource),
        "nullifier": nullifier_of(resource),
        "resourceKey": word(resource_key(resource.domainId, resource_id(resource))),
        "nullifierKey": word(nullifier_key(nullifier_of(resource))),
    })
}

fn kinds() -> Vec<Value> {
    let cases =
        [("a signer's", 0, mint().address(), label("gold")), ("a contract's", 31338, HUB, label("share"))];
    cases
        .map(|(name, chain, issuer, label)| {
            json!({
                "name": name, "issuerChain": chain, "issuer": issuer, "label": label,
                "kind": kind_of(U256::from(chain), issuer, label),
            })
        })
        .into()
}

fn keys() -> Vec<Value> {
    let cases = [(1, keccak256("ROOT")), (HUB_CHAIN, keccak256("anything")), (u64::MAX, B256::ZERO)];
    cases
        .map(|(domain_id, key)| {
            json!({
                "name": format!("in domain {domain_id}"), "domainId": domain_id.to_string(), "key": key,
                "namespacedKey": word(namespaced_key(U256::from(domain_id), key)),
            })
        })
        .into()
}

fn transfer_vector(name: &str, transfer: &Transfer) -> Value {
    let hash = transfer_hash(transfer);
    let salts: Vec<B256> = (0..transfer.outputs.len()).map(|index| output_salt(hash, index)).collect();
    let ids: Vec<B256> =
        (0..transfer.outputs.len()).map(|index| resource_id(&made(transfer, index))).collect();
    json!({
        "name": name,
        "inputIds": transfer.inputs.iter().map(resource_id).collect::<Vec<_>>(),
        "outputs": Bytes::from(transfer.outputs.abi_encode()),
        "deadline": transfer.deadline,
        "operations": Bytes::from(pack(&[Operation::Transfer(transfer.clone())])),
        "transferHash": hash,
        "digest": digest(separator(), hash),
        "signatures": transfer.signatures,
        "outputSalts": salts,
        "outputIds": ids,
    })
}

fn issue_vector(name: &str, issue: &Issue) -> Value {
    let hash = issue_hash(issue);
    json!({
        "name": name,
        "resourceId": resource_id(&issue.resource),
        "issuer": issue.issuer,
        "label": issue.label,
        "deadline": issue.deadline,
        "operations": Bytes::from(pack(&[Operation::Issue(issue.clone())])),
        "issueHash": hash,
        "digest": digest(separator(), hash),
        "signature": issue.signature,
    })
}

fn batch_chains() -> Vec<Value> {
    let mut previous = genesis_batch_chain(HUB_CHAIN, HUB);
    let cases: [(u64, &[u8]); 3] = [(1, b"first"), (2, b""), (u64::MAX, b"last")];
    cases
        .map(|(index, operations)| {
            let root = keccak256(index.to_be_bytes());
            let chain = next_batch_chain(previous, index, Root::from(root.0), operations);
            let vector = json!({
                "name": format!("at index {index}"), "previous": previous, "index": index.to_string(),
                "root": root, "operations": Bytes::copy_from_slice(operations), "batchChain": chain,
            });
            previous = chain;
            vector
        })
        .into()
}

fn signatures() -> Vec<Value> {
    let digest = keccak256("what is signed");
    (1..=3)
        .map(|number| {
            let signature = sign_digest(&signer(number), digest).expect("a local key signs");
            json!({
                "name": format!("key {number}"), "digest": digest, "signature": signature,
                "secret": keccak256(format!("hypha test key {number}")), "signer": signer(number).address(),
            })
        })
        .collect()
}

/// The typed struct hash, spelled out once more from the README's type strings.
#[test]
fn hashes_are_those_of_the_readme() {
    let swap = swap();
    let mut outputs = Vec::new();
    for output in &swap.outputs {
        let type_hash =
            keccak256("Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)");
        outputs.extend_from_slice(keccak256((type_hash, output.clone()).abi_encode()).as_slice());
    }
    let inputs: Vec<u8> = swap.inputs.iter().flat_map(|input| keccak256(input.abi_encode()).0).collect();
    let type_hash = keccak256(concat!(
        "Transfer(bytes32[] inputs,Output[] outputs,uint64 deadline)",
        "Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)"
    ));
    let expected = keccak256((type_hash, keccak256(inputs), keccak256(outputs), DEADLINE).abi_encode());
    assert_eq!(transfer_hash(&swap), expected);
    assert_eq!(Operation::Transfer(swap).id(), expected);

    let issue = issue("gold", alices_gold());
    let type_hash = keccak256("Issue(bytes32 resourceId,address issuer,bytes32 label,uint64 deadline)");
    let id = keccak256(issue.resource.abi_encode());
    let expected = keccak256((type_hash, id, issue.issuer, issue.label, DEADLINE).abi_encode());
    assert_eq!(issue_hash(&issue), expected);
    assert_eq!(Operation::Issue(issue).id(), expected);

    let type_hash =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    let domain = (type_hash, keccak256("Hypha"), keccak256("1"), U256::from(HUB_CHAIN), HUB);
    assert_eq!(separator(), keccak256(domain.abi_encode()));
}

#[test]
fn ids_are_those_of_the_readme() {
    let resource = alices_gold();
    assert_eq!(resource_value(&resource).len(), 6 * 32);
    let id = keccak256(resource_value(&resource));
    assert_eq!(resource_id(&resource), id);
    let nullifier = keccak256([b"hypha:nullifier".as_slice(), id.as_slice()].concat());
    assert_eq!(nullifier_of(&resource), nullifier);
    assert_eq!(
        word(nullifier_key(nullifier)),
        keccak256([b"nullifier:".as_slice(), nullifier.as_slice()].concat())
    );
    let key = keccak256([b"resource:".as_slice(), id.as_slice()].concat());
    let namespaced = keccak256([resource.domainId.to_be_bytes::<32>(), key.0].concat());
    assert_eq!(word(resource_key(resource.domainId, id)), namespaced);
    let preimage = [b"hypha:genesis".as_slice(), &U256::from(HUB_CHAIN).to_be_bytes::<32>(), HUB.as_slice()];
    assert_eq!(genesis_batch_chain(HUB_CHAIN, HUB), keccak256(preimage.concat()));
}

/// A signature that a wallet of others made: the one in the text of EIP-712 (the mail from Cow to Bob).
#[test]
fn recovers_the_signer_of_the_example_in_eip_712() {
    let digest = b256!("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
    let signature = hex!(
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
        "1c"
    );
    let cow: Address = address!("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
    assert_eq!(recover(digest, &signature), Ok(cow));
    assert_eq!(recover(digest, &signature[..64]), Err(SignatureError::Length { actual: 64 }));
    assert_ne!(recover(keccak256("another"), &signature), Ok(cow));
}
