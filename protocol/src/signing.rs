//! What is signed and how a signature is judged: EIP-712 with the strict rules of the README.

use alloy::primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy::signers::SignerSync;
use alloy::sol_types::{Eip712Domain, SolStruct, eip712_domain};

use crate::contracts::{Issue, Output, Resource, Transfer};
use crate::ids::resource_id;

/// Bytes of a signature: `r ‖ s ‖ v`.
pub const SIGNATURE_LENGTH: usize = 65;

/// Half the order of secp256k1: a greater `s` is the other form of the same signature.
const HALF_ORDER: U256 =
    U256::from_limbs([0xDFE9_2F46_681B_20A0, 0x5D57_6E73_57A4_501D, u64::MAX, u64::MAX >> 1]);

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Another length than [`SIGNATURE_LENGTH`].
    #[error("a signature has 65 bytes, this one {actual}")]
    Length {
        /// Bytes given.
        actual: usize,
    },
    /// `s` is above half the order.
    #[error("the signature's s is above half the curve's order")]
    Malleable,
    /// `v` is neither 27 nor 28.
    #[error("the signature's v is {v}, not 27 or 28")]
    Parity {
        /// The last byte.
        v: u8,
    },
    /// No key gives this signature (`ecrecover` answers zero).
    #[error("no signer can be recovered from the signature")]
    Unrecoverable,
}

/// The structs that are signed: inputs stand in them as resource ids, and signatures do not.
mod signed {
    alloy::sol! {
        struct Output {
            uint256 domainId;
            address owner;
            bytes32 kind;
            uint256 quantity;
            bytes32 data;
        }

        struct Transfer {
            bytes32[] inputs;
            Output[] outputs;
            uint64 deadline;
        }

        struct Issue {
            bytes32 resourceId;
            address issuer;
            bytes32 label;
            uint64 deadline;
        }
    }
}

/// The EIP-712 domain of all operations: the hub's, on every chain alike.
pub fn hub_domain(chain_id: u64, hub: Address) -> Eip712Domain {
    eip712_domain! { name: "Hypha", version: "1", chain_id: chain_id, verifying_contract: hub, }
}

/// The EIP-712 hash of a transfer (`hashStruct`, not the digest): the id of the operation. It does not cover the
/// signatures.
pub fn transfer_hash(transfer: &Transfer) -> B256 {
    let inputs: Vec<B256> = transfer.inputs.iter().map(resource_id).collect();
    transfer_hash_of(&inputs, &transfer.outputs, transfer.deadline)
}

/// [`transfer_hash`] where the ids of the inputs are known.
pub(crate) fn transfer_hash_of(inputs: &[B256], outputs: &[Output], deadline: u64) -> B256 {
    let outputs = outputs.iter().map(|output| signed::Output {
        domainId: output.domainId,
        owner: output.owner,
        kind: output.kind,
        quantity: output.quantity,
        data: output.data,
    });
    signed::Transfer { inputs: inputs.to_vec(), outputs: outputs.collect(), deadline }.eip712_hash_struct()
}

/// The EIP-712 hash of an issue (`hashStruct`, not the digest): the id of the operation. It does not cover the signature.
pub fn issue_hash(issue: &Issue) -> B256 {
    signed::Issue {
        resourceId: resource_id(&issue.resource),
        issuer: issue.issuer,
        label: issue.label,
        deadline: issue.deadline,
    }
    .eip712_hash_struct()
}

/// What is signed: `keccak(0x1901 ‖ separator ‖ hashStruct)`.
pub fn digest(separator: B256, struct_hash: B256) -> B256 {
    let mut preimage = [0; 66];
    preimage[..2].copy_from_slice(&[0x19, 0x01]);
    preimage[2..34].copy_from_slice(separator.as_slice());
    preimage[34..].copy_from_slice(struct_hash.as_slice());
    keccak256(preimage)
}

/// The signer of `digest`, never zero.
///
/// # Errors
/// In this order: the length, a high `s`, a `v` that is not 27 or 28, no signer.
pub fn recover(digest: B256, signature: &[u8]) -> Result<Address, SignatureError> {
    let bytes: &[u8; SIGNATURE_LENGTH] =
        signature.try_into().map_err(|_| SignatureError::Length { actual: signature.len() })?;
    if U256::from_be_slice(&bytes[32..64]) > HALF_ORDER {
        return Err(SignatureError::Malleable);
    }
    let v = bytes[64];
    if v != 27 && v != 28 {
        return Err(SignatureError::Parity { v });
    }
    Signature::from_bytes_and_parity(bytes, v == 28)
        .recover_address_from_prehash(&digest)
        .ok()
        .filter(|signer| !signer.is_zero())
        .ok_or(SignatureError::Unrecoverable)
}

/// Signs a digest, in the form that [`recover`] takes.
///
/// # Errors
/// Whatever the signer says.
pub fn sign_digest(signer: &impl SignerSync, digest: B256) -> Result<Bytes, alloy::signers::Error> {
    Ok(Bytes::from(signer.sign_hash_sync(&digest)?.normalized_s().as_bytes()))
}

/// One owner's signature of a transfer.
///
/// # Errors
/// Whatever the signer says.
pub fn sign_transfer(
    signer: &impl SignerSync,
    domain: &Eip712Domain,
    transfer: &Transfer,
) -> Result<Bytes, alloy::signers::Error> {
    sign_digest(signer, digest(domain.separator(), transfer_hash(transfer)))
}

/// The issuer's signature of an issue.
///
/// # Errors
/// Whatever the signer says.
pub fn sign_issue(
    signer: &impl SignerSync,
    domain: &Eip712Domain,
    issue: &Issue,
) -> Result<Bytes, alloy::signers::Error> {
    sign_digest(signer, digest(domain.separator(), issue_hash(issue)))
}

/// Who must sign a transfer of these inputs: each distinct owner, in order of first appearance.
pub fn distinct_owners<'a>(inputs: impl IntoIterator<Item = &'a Resource>) -> Vec<Address> {
    let mut owners = Vec::new();
    for input in inputs {
        if !owners.contains(&input.owner) {
            owners.push(input.owner);
        }
    }
    owners
}

/// Who must sign a transfer of these inputs that `sender` queued on the chain `chain_id`: the distinct owners of those that are not
/// the sender's own on that chain, in order of first appearance among them.
pub fn owners_beside_sender(inputs: &[Resource], chain_id: u64, sender: Address) -> Vec<Address> {
    let chain_id = U256::from(chain_id);
    distinct_owners(inputs.iter().filter(|input| input.domainId != chain_id || input.owner != sender))
}
