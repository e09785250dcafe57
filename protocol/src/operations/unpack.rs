//! Packed bytes in, typed operations out. Fields are checked as they are read, from left to right.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::check::{check_balance, check_signature, check_signature_count};
use super::{
    DATA_FLAG, HubRules, Issue, LENGTH_MASK, MAX_INPUTS, MAX_OPERATIONS_BYTES, MAX_OUTPUTS, Operation,
    OperationError, Output, Resource, Rules, TAG_ISSUE, TAG_TRANSFER, Transfer,
};
use crate::ids::kind_of;
use crate::signing::{SIGNATURE_LENGTH, digest, distinct_owners, issue_hash, transfer_hash};

/// The operations that these bytes pack, unchecked: balances, signatures and what only the hub checks are not looked at.
/// The bytes are the only ones that pack them.
///
/// # Errors
/// What step 1, 2 or 3 of the README finds in the bytes alone.
pub fn decode_operations(bytes: &[u8]) -> Result<Vec<Operation>, OperationError> {
    read_operations(bytes, None)
}

/// Steps 1 to 3 of the README; those that need signatures, balances, time or chains only with `rules`.
pub(super) fn read_operations(bytes: &[u8], rules: Option<&Rules>) -> Result<Vec<Operation>, OperationError> {
    if bytes.len() > MAX_OPERATIONS_BYTES {
        return Err(OperationError::OperationsTooLong { maximum: MAX_OPERATIONS_BYTES, actual: bytes.len() });
    }
    let mut reader = Reader { bytes, position: 0, hub: rules.and_then(|rules| rules.hub.as_ref()) };
    let count = u16::from_be_bytes(reader.take()?);
    if count == 0 {
        return Err(OperationError::NoOperations);
    }
    // Not reserved by `count`, which the sender chose: bytes bound what is really there.
    let mut operations = Vec::new();
    for _ in 0..count {
        operations.push(match reader.byte()? {
            TAG_TRANSFER => Operation::Transfer(reader.transfer(rules)?),
            TAG_ISSUE => Operation::Issue(reader.issue(rules)?),
            tag => return Err(OperationError::UnknownOperation { tag }),
        });
    }
    if reader.position != bytes.len() {
        return Err(OperationError::OperationsLength { expected: reader.position, actual: bytes.len() });
    }
    Ok(operations)
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    hub: Option<&'a HubRules>,
}

impl Reader<'_> {
    fn transfer(&mut self, rules: Option<&Rules>) -> Result<Transfer, OperationError> {
        let input_count = usize::from(self.byte()?);
        if input_count == 0 || input_count > MAX_INPUTS {
            return Err(OperationError::InputCount { actual: input_count });
        }
        let output_count = usize::from(self.byte()?);
        if output_count == 0 || output_count > MAX_OUTPUTS {
            return Err(OperationError::OutputCount { actual: output_count });
        }
        let signature_count = usize::from(self.byte()?);
        let deadline = self.deadline()?;
        let inputs = (0..input_count).map(|_| self.input()).collect::<Result<Vec<_>, _>>()?;
        let outputs = (0..output_count).map(|_| self.output()).collect::<Result<Vec<_>, _>>()?;
        let mut transfer = Transfer { inputs, outputs, deadline, signatures: Vec::new() };
        match rules {
            None => {
                for _ in 0..signature_count {
                    transfer.signatures.push(self.signature()?);
                }
            }
            Some(rules) => self.checked_signatures(&mut transfer, signature_count, rules)?,
        }
        Ok(transfer)
    }

    /// Judges a transfer whose notes are read, then reads and judges its signatures.
    fn checked_signatures(
        &mut self,
        transfer: &mut Transfer,
        count: usize,
        rules: &Rules,
    ) -> Result<(), OperationError> {
        check_balance(transfer)?;
        let owners = distinct_owners(&transfer.inputs);
        check_signature_count(owners.len(), count)?;
        let digest = digest(rules.separator, transfer_hash(transfer));
        for owner in owners {
            let signature = self.signature()?;
            check_signature(owner, digest, &signature)?;
            transfer.signatures.push(signature);
        }
        Ok(())
    }

    fn issue(&mut self, rules: Option<&Rules>) -> Result<Issue, OperationError> {
        let issuer = self.address(OperationError::ZeroIssuer)?;
        let label = self.word(OperationError::ZeroLabel)?;
        let deadline = self.deadline()?;
        let domain_id = self.created_domain()?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let (quantity, data) = self.amount()?;
        let salt = self.word(OperationError::ZeroSalt)?;
        let kind = kind_of(U256::ZERO, issuer, label);
        let resource = Resource { domainId: U256::from(domain_id), owner, kind, quantity, data, salt };
        let signature = self.signature()?;
        let issue = Issue { resource, issuer, label, deadline, signature };
        if let Some(rules) = rules {
            check_signature(issuer, digest(rules.separator, issue_hash(&issue)), &issue.signature)?;
        }
        Ok(issue)
    }

    fn input(&mut self) -> Result<Resource, OperationError> {
        let domain_id = self.domain()?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let kind = self.word(OperationError::ZeroKind)?;
        let (quantity, data) = self.amount()?;
        let salt = self.word(OperationError::ZeroSalt)?;
        Ok(Resource { domainId: U256::from(domain_id), owner, kind, quantity, data, salt })
    }

    fn output(&mut self) -> Result<Output, OperationError> {
        let domain_id = self.created_domain()?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let kind = self.word(OperationError::ZeroKind)?;
        let (quantity, data) = self.amount()?;
        Ok(Output { domainId: U256::from(domain_id), owner, kind, quantity, data })
    }

    fn deadline(&mut self) -> Result<u64, OperationError> {
        let deadline = u64::from_be_bytes(self.take()?);
        match self.hub {
            Some(hub) if hub.timestamp > deadline => {
                Err(OperationError::DeadlinePassed { deadline, timestamp: hub.timestamp })
            }
            _ => Ok(deadline),
        }
    }

    fn domain(&mut self) -> Result<u64, OperationError> {
        match u64::from_be_bytes(self.take()?) {
            0 => Err(OperationError::ZeroDomain),
            domain_id => Ok(domain_id),
        }
    }

    /// The domain of a note that comes into being: the hub takes only chains that it knows.
    fn created_domain(&mut self) -> Result<u64, OperationError> {
        let domain_id = self.domain()?;
        match self.hub {
            Some(hub) if !hub.domains.contains(&domain_id) => {
                Err(OperationError::UnknownDomain { domain_id })
            }
            _ => Ok(domain_id),
        }
    }

    fn amount(&mut self) -> Result<(U256, B256), OperationError> {
        let header = self.byte()?;
        let length = header & LENGTH_MASK;
        if header & !(DATA_FLAG | LENGTH_MASK) != 0 || length == 0 || length > 32 {
            return Err(OperationError::QuantityEncoding { header });
        }
        let digits = self.slice(usize::from(length))?;
        if digits[0] == 0 {
            return Err(OperationError::ZeroQuantity);
        }
        let quantity = U256::from_be_slice(digits);
        let data = if header & DATA_FLAG == 0 { B256::ZERO } else { self.word(OperationError::ZeroData)? };
        Ok((quantity, data))
    }

    fn address(&mut self, if_zero: OperationError) -> Result<Address, OperationError> {
        let address = Address::new(self.take()?);
        if address.is_zero() { Err(if_zero) } else { Ok(address) }
    }

    fn word(&mut self, if_zero: OperationError) -> Result<B256, OperationError> {
        let word = B256::new(self.take()?);
        if word.is_zero() { Err(if_zero) } else { Ok(word) }
    }

    fn signature(&mut self) -> Result<Bytes, OperationError> {
        self.slice(SIGNATURE_LENGTH).map(Bytes::copy_from_slice)
    }

    fn byte(&mut self) -> Result<u8, OperationError> {
        self.take().map(|[byte]| byte)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], OperationError> {
        let mut field = [0; N];
        field.copy_from_slice(self.slice(N)?);
        Ok(field)
    }
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], OperationError> {
        let end = self.position + length;
        let field = self
            .bytes
            .get(self.position..end)
            .ok_or(OperationError::OperationsLength { expected: end, actual: self.bytes.len() })?;
        self.position = end;
        Ok(field)
    }
}
