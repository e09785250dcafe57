//! Names of things: ids, nullifiers, kinds, salts and the tree keys of what the protocol stores.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::SolValue;
use hypha_tree::{Key, ValueHash};

use crate::contracts::{Output, Resource};

/// What the leaf of a nullifier holds.
pub const NULLIFIER_VALUE: &[u8] = b"1";
/// What the leaf of a void request holds.
pub const VOID_VALUE: &[u8] = b"1";

/// A word of the tree (a key, a root, a value hash) as alloy's 32 bytes.
pub fn word(bytes: impl Into<[u8; 32]>) -> B256 {
    B256::new(bytes.into())
}

/// The content address of a resource: `keccak(abi.encode(resource))`.
pub fn resource_id(resource: &Resource) -> B256 {
    keccak256(resource.abi_encode())
}

/// What the leaf of a resource holds: `abi.encode(resource)`.
pub fn resource_value(resource: &Resource) -> Vec<u8> {
    resource.abi_encode()
}

/// The nullifier that spends a resource: `keccak("hypha:nullifier" ‖ resourceId)`.
pub fn nullifier_of(resource: &Resource) -> B256 {
    nullifier_of_id(resource_id(resource))
}

/// The nullifier that spends the resource with this id.
pub fn nullifier_of_id(resource_id: B256) -> B256 {
    tagged("hypha:nullifier", resource_id.as_slice())
}

/// The kind that an issuer brings units of into being: `keccak(abi.encode(issuerChain, issuer, label))`. `issuer_chain` is
/// zero for an issuer that signs.
pub fn kind_of(issuer_chain: U256, issuer: Address, label: B256) -> B256 {
    keccak256((issuer_chain, issuer, label).abi_encode())
}

/// The salt of a transfer's output `index`: `keccak(abi.encode(transferHash, index))`.
pub fn output_salt(transfer_hash: B256, index: usize) -> B256 {
    keccak256((transfer_hash, U256::from(index)).abi_encode())
}

/// The resource that output `index` of a transfer becomes.
pub fn output_resource(transfer_hash: B256, index: usize, output: &Output) -> Resource {
    Resource {
        domainId: output.domainId,
        owner: output.owner,
        kind: output.kind,
        quantity: output.quantity,
        data: output.data,
        salt: output_salt(transfer_hash, index),
    }
}

/// The tree key of a nullifier: `keccak("nullifier:" ‖ nullifier)`.
pub fn nullifier_key(nullifier: B256) -> Key {
    Key::from(tagged("nullifier:", nullifier.as_slice()).0)
}

/// The value hash in the leaf of every nullifier.
pub fn nullifier_value_hash() -> ValueHash {
    ValueHash::of(NULLIFIER_VALUE)
}

/// The tree key of `key` in a domain: `keccak(uint256 domainId ‖ key)`.
pub fn namespaced_key(domain_id: U256, key: B256) -> Key {
    let mut preimage = [0; 64];
    preimage[..32].copy_from_slice(&domain_id.to_be_bytes::<32>());
    preimage[32..].copy_from_slice(key.as_slice());
    Key::from(keccak256(preimage).0)
}

/// The tree key of a resource: in its domain, `keccak("resource:" ‖ resourceId)`.
pub fn resource_key(domain_id: U256, resource_id: B256) -> Key {
    namespaced_key(domain_id, tagged("resource:", resource_id.as_slice()))
}

/// The tree key of a void request: in the domain of its queue, `keccak("void:" ‖ number)`.
pub fn void_key(chain_id: u64, number: u64) -> Key {
    namespaced_key(U256::from(chain_id), tagged("void:", &number.to_be_bytes()))
}

/// The value hash in the leaf of every void request.
pub fn void_value_hash() -> ValueHash {
    ValueHash::of(VOID_VALUE)
}

/// The salt of the note that a request for an issue asks for: `keccak(abi.encode(chainId, verifier, number))`, the verifier being
/// the hub or spoke that queued it.
pub fn requested_salt(chain_id: u64, verifier: Address, number: u64) -> B256 {
    keccak256((U256::from(chain_id), verifier, number).abi_encode())
}

/// What a queue holds of a request: `keccak(abi.encode(requestType, keccak(content), sender))`.
pub fn request_hash(request_type: u8, content: &[u8], sender: Address) -> B256 {
    keccak256((U256::from(request_type), keccak256(content), sender).abi_encode())
}

/// `keccak(tag ‖ rest)`.
pub(crate) fn tagged(tag: &str, rest: &[u8]) -> B256 {
    keccak256([tag.as_bytes(), rest].concat())
}
