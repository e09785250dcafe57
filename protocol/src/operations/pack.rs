//! Typed operations in, packed bytes out.

use alloy::primitives::{B256, U256};

use super::{
    Content, DATA_FLAG, Issue, MAX_INPUTS, MAX_OUTPUTS, MAX_REQUEST_NOTES, Operation, Output, PackError,
    Request, RequestedIssue, Resource, TAG_ISSUE, TAG_TRANSFER, TAG_VOID, Transfer, Void,
};
use crate::ids::kind_of;
use crate::signing::SIGNATURE_LENGTH;

/// The packed form of these operations. Nothing is checked but what has no packed form.
///
/// # Errors
/// What does not fit ([`PackError`]).
pub fn encode_operations(operations: &[Operation]) -> Result<Vec<u8>, PackError> {
    let count = u16::try_from(operations.len())
        .ok()
        .filter(|count| *count > 0)
        .ok_or(PackError::OperationCount { actual: operations.len() })?;
    let mut bytes = count.to_be_bytes().to_vec();
    for operation in operations {
        write_operation(&mut bytes, operation)?;
    }
    Ok(bytes)
}

/// Bytes that an operation takes in a batch, which adds two bytes for all of them.
///
/// # Errors
/// What does not fit ([`PackError`]).
pub fn packed_length(operation: &Operation) -> Result<usize, PackError> {
    let mut bytes = Vec::new();
    write_operation(&mut bytes, operation)?;
    Ok(bytes.len())
}

/// The packed form of a request's content.
pub(super) fn encode_content(content: &Content) -> Result<Vec<u8>, PackError> {
    let mut bytes = Vec::new();
    match content {
        Content::Transfer(transfer) => {
            write_transfer(&mut bytes, transfer, MAX_REQUEST_NOTES, MAX_REQUEST_NOTES)?;
        }
        Content::Issue(issue) => write_requested_issue(&mut bytes, issue)?,
    }
    Ok(bytes)
}

fn write_operation(bytes: &mut Vec<u8>, operation: &Operation) -> Result<(), PackError> {
    match operation {
        Operation::Void(void) => write_void(bytes, void),
        Operation::Queued(request) => {
            bytes.push(request.request_type() as u8);
            write_head(bytes, request);
            bytes.extend_from_slice(request.packed_content());
        }
        Operation::Transfer(transfer) => {
            bytes.push(TAG_TRANSFER);
            write_transfer(bytes, transfer, MAX_INPUTS, MAX_OUTPUTS)?;
        }
        Operation::Issue(issue) => write_issue(bytes, issue)?,
    }
    Ok(())
}

fn write_head(bytes: &mut Vec<u8>, request: &Request) {
    bytes.extend_from_slice(&request.chain_id().to_be_bytes());
    bytes.extend_from_slice(&request.number().to_be_bytes());
    bytes.extend_from_slice(request.sender().as_slice());
}

fn write_void(bytes: &mut Vec<u8>, void: &Void) {
    let request = void.request();
    let content = request.packed_content();
    let length =
        u16::try_from(content.len()).expect("four notes each way and 255 signatures are less than 64 KiB");
    bytes.push(TAG_VOID);
    write_head(bytes, request);
    bytes.push(request.request_type() as u8);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(&[void.reason() as u8, void.position()]);
}

fn write_transfer(
    bytes: &mut Vec<u8>,
    transfer: &Transfer,
    most_inputs: usize,
    most_outputs: usize,
) -> Result<(), PackError> {
    let Transfer { inputs, outputs, deadline, signatures } = transfer;
    let input_count = one_byte(inputs.len(), most_inputs)
        .filter(|count| *count > 0)
        .ok_or(PackError::InputCount { actual: inputs.len() })?;
    let output_count = one_byte(outputs.len(), most_outputs)
        .filter(|count| *count > 0)
        .ok_or(PackError::OutputCount { actual: outputs.len() })?;
    let signature_count = one_byte(signatures.len(), usize::from(u8::MAX))
        .ok_or(PackError::SignatureCount { actual: signatures.len() })?;
    bytes.extend_from_slice(&[input_count, output_count, signature_count]);
    bytes.extend_from_slice(&deadline.to_be_bytes());
    for input in inputs {
        let Resource { domainId, owner, kind, quantity, data, salt } = input;
        write_domain(bytes, *domainId)?;
        bytes.extend_from_slice(owner.as_slice());
        bytes.extend_from_slice(kind.as_slice());
        write_amount(bytes, *quantity, *data)?;
        bytes.extend_from_slice(salt.as_slice());
    }
    for output in outputs {
        let Output { domainId, owner, kind, quantity, data } = output;
        write_domain(bytes, *domainId)?;
        bytes.extend_from_slice(owner.as_slice());
        bytes.extend_from_slice(kind.as_slice());
        write_amount(bytes, *quantity, *data)?;
    }
    signatures.iter().try_for_each(|signature| write_signature(bytes, signature))
}

fn write_issue(bytes: &mut Vec<u8>, issue: &Issue) -> Result<(), PackError> {
    let Issue { resource, issuer, label, deadline, signature } = issue;
    let kind = kind_of(U256::ZERO, *issuer, *label);
    if resource.kind != kind {
        return Err(PackError::KindMismatch { expected: kind, actual: resource.kind });
    }
    bytes.push(TAG_ISSUE);
    bytes.extend_from_slice(issuer.as_slice());
    bytes.extend_from_slice(label.as_slice());
    bytes.extend_from_slice(&deadline.to_be_bytes());
    write_domain(bytes, resource.domainId)?;
    bytes.extend_from_slice(resource.owner.as_slice());
    write_amount(bytes, resource.quantity, resource.data)?;
    bytes.extend_from_slice(resource.salt.as_slice());
    write_signature(bytes, signature)
}

fn write_requested_issue(bytes: &mut Vec<u8>, issue: &RequestedIssue) -> Result<(), PackError> {
    bytes.extend_from_slice(issue.label.as_slice());
    bytes.extend_from_slice(&issue.domain_id.to_be_bytes());
    bytes.extend_from_slice(issue.owner.as_slice());
    write_amount(bytes, issue.quantity, issue.data)?;
    bytes.extend_from_slice(issue.salt.as_slice());
    Ok(())
}

fn one_byte(count: usize, maximum: usize) -> Option<u8> {
    u8::try_from(count).ok().filter(|_| count <= maximum)
}

fn write_domain(bytes: &mut Vec<u8>, domain_id: U256) -> Result<(), PackError> {
    let packed = u64::try_from(domain_id).map_err(|_| PackError::DomainTooLarge { domain_id })?;
    bytes.extend_from_slice(&packed.to_be_bytes());
    Ok(())
}

fn write_amount(bytes: &mut Vec<u8>, quantity: U256, data: B256) -> Result<(), PackError> {
    let significant = quantity.to_be_bytes_trimmed_vec();
    let length = one_byte(significant.len(), 32).filter(|length| *length > 0);
    let length = length.ok_or(PackError::ZeroQuantity)?;
    bytes.push(if data.is_zero() { length } else { length | DATA_FLAG });
    bytes.extend_from_slice(&significant);
    if !data.is_zero() {
        bytes.extend_from_slice(data.as_slice());
    }
    Ok(())
}

fn write_signature(bytes: &mut Vec<u8>, signature: &[u8]) -> Result<(), PackError> {
    if signature.len() != SIGNATURE_LENGTH {
        return Err(PackError::SignatureLength { actual: signature.len() });
    }
    bytes.extend_from_slice(signature);
    Ok(())
}
