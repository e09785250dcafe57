//! Packed bytes in, typed operations out. Fields are checked as they are read, from left to right.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::check::{check_balance, check_signature, check_signature_count};
use super::request::Head;
use super::terms::{Place, Terms};
use super::{
    Content, DATA_FLAG, Issue, LENGTH_MASK, MAX_OPERATIONS_BYTES, Operation, OperationError, Output, Request,
    RequestError, RequestType, RequestedIssue, Resource, Rules, TAG_ISSUE, TAG_TRANSFER, TAG_VOID, Transfer,
    Void, VoidReason,
};
use crate::ids::{kind_of, resource_id, resource_key};
use crate::signing::{SIGNATURE_LENGTH, digest, issue_hash, transfer_hash};

/// The operations that these bytes pack, unchecked: balances, signatures and what only the hub checks are not looked at.
/// The bytes are the only ones that pack them.
///
/// # Errors
/// What step 1, 2 or 3 of the README finds in the bytes alone.
pub fn decode_operations(bytes: &[u8]) -> Result<Vec<Operation>, OperationError> {
    read_operations(bytes, None)
}

/// The request whose content these bytes pack, unchecked as in [`decode_operations`].
///
/// # Errors
/// What is wrong with the bytes alone.
pub fn decode_request(
    chain_id: u64,
    number: u64,
    sender: Address,
    request_type: u8,
    content: &[u8],
) -> Result<Request, OperationError> {
    read_request(Head { chain_id, number, sender }, request_type, content, None)
}

/// Checks a request as a queue does that takes it in. A chain checks its own requests with the time, the hub also with the
/// domains; a spoke's request is checked with neither when the hub takes it in, lest it hold up those behind it.
///
/// # Errors
/// The reason, the same as that of every other verifier.
pub fn check_request(
    chain_id: u64,
    number: u64,
    sender: Address,
    request_type: u8,
    content: &[u8],
    rules: &Rules,
) -> Result<Request, OperationError> {
    let request = read_request(Head { chain_id, number, sender }, request_type, content, Some(rules))?;
    check_distinct(request.inputs())?;
    Ok(request)
}

fn check_distinct(inputs: &[Resource]) -> Result<(), OperationError> {
    let repeated = inputs.iter().enumerate().find(|(position, input)| inputs[..*position].contains(input));
    repeated.map_or(Ok(()), |(_, input)| {
        let key = resource_key(input.domainId, resource_id(input));
        Err(RequestError::KeyRepeated { key }.into())
    })
}

fn read_request(
    head: Head,
    request_type: u8,
    content: &[u8],
    rules: Option<&Rules>,
) -> Result<Request, OperationError> {
    let request_type = RequestType::try_from(request_type)?;
    let mut reader = Reader { bytes: content, position: 0 };
    let request = reader.request(head, request_type, &Terms::of(rules))?;
    if reader.position == content.len() {
        Ok(request)
    } else {
        Err(RequestError::RequestLength { expected: content.len(), actual: reader.position }.into())
    }
}

/// Steps 1 to 3 of the README; those that need signatures, balances, time or chains only with `rules`.
pub(super) fn read_operations(bytes: &[u8], rules: Option<&Rules>) -> Result<Vec<Operation>, OperationError> {
    if bytes.len() > MAX_OPERATIONS_BYTES {
        return Err(OperationError::OperationsTooLong { maximum: MAX_OPERATIONS_BYTES, actual: bytes.len() });
    }
    let mut reader = Reader { bytes, position: 0 };
    let count = u16::from_be_bytes(reader.take()?);
    if count == 0 {
        return Err(OperationError::NoOperations);
    }
    let terms = Terms::of(rules);
    // Not reserved by `count`, which the sender chose: bytes bound what is really there.
    let mut operations = Vec::new();
    let mut last = Place::Void;
    for position in 0..usize::from(count) {
        let tag = reader.byte()?;
        let place = Place::of(tag)?;
        if place < last {
            return Err(OperationError::OperationOrder { position });
        }
        last = place;
        operations.push(reader.operation(tag, &terms)?);
    }
    if reader.position != bytes.len() {
        return Err(OperationError::OperationsLength { expected: reader.position, actual: bytes.len() });
    }
    Ok(operations)
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn operation(&mut self, tag: u8, terms: &Terms<'_>) -> Result<Operation, OperationError> {
        Ok(match tag {
            TAG_TRANSFER => Operation::Transfer(self.transfer(terms)?),
            TAG_ISSUE => Operation::Issue(self.issue(terms)?),
            TAG_VOID => Operation::Void(self.void(terms)?),
            queued => {
                let head = self.head()?;
                let terms = Terms { timestamp: None, ..*terms };
                Operation::Queued(self.request(head, RequestType::try_from(queued)?, &terms)?)
            }
        })
    }

    fn head(&mut self) -> Result<Head, OperationError> {
        let chain_id = self.domain()?;
        let number = u64::from_be_bytes(self.take()?);
        if number == 0 {
            return Err(RequestError::ZeroNumber.into());
        }
        let sender = self.address(RequestError::ZeroSender.into())?;
        Ok(Head { chain_id, number, sender })
    }

    fn void(&mut self, terms: &Terms<'_>) -> Result<Void, OperationError> {
        let head = self.head()?;
        let request_type = RequestType::try_from(self.byte()?)?;
        let length = usize::from(u16::from_be_bytes(self.take()?));
        // Its deadline has counted when it was queued; whether its domains are known is for the reason to say.
        let request =
            self.request(head, request_type, &Terms { timestamp: None, domains: None, ..*terms })?;
        let read = request.packed_content().len();
        if read != length {
            return Err(RequestError::RequestLength { expected: length, actual: read }.into());
        }
        let reason = VoidReason::try_from(self.byte()?)?;
        let void = Void::new(request, reason, self.byte()?)?;
        match (void.unknown_domain(), terms.domains) {
            (Some(domain_id), Some(domains)) if domains.contains(&domain_id) => {
                Err(RequestError::KnownDomain { domain_id }.into())
            }
            _ => Ok(void),
        }
    }

    /// The content of a request; its head is read.
    fn request(
        &mut self,
        head: Head,
        request_type: RequestType,
        terms: &Terms<'_>,
    ) -> Result<Request, OperationError> {
        let (terms, start) = (terms.of_request(head), self.position);
        let content = match request_type {
            RequestType::Transfer => Content::Transfer(self.transfer(&terms)?),
            RequestType::Issue => Content::Issue(self.requested_issue(&terms)?),
        };
        Ok(Request::read(head, content, &self.bytes[start..self.position]))
    }

    fn transfer(&mut self, terms: &Terms<'_>) -> Result<Transfer, OperationError> {
        let input_count = usize::from(self.byte()?);
        if input_count == 0 || input_count > terms.most_inputs {
            return Err(OperationError::InputCount { actual: input_count });
        }
        let output_count = usize::from(self.byte()?);
        if output_count == 0 || output_count > terms.most_outputs {
            return Err(OperationError::OutputCount { actual: output_count });
        }
        let signature_count = usize::from(self.byte()?);
        let deadline = self.deadline(terms)?;
        let inputs = (0..input_count).map(|_| self.input()).collect::<Result<Vec<_>, _>>()?;
        let outputs = (0..output_count).map(|_| self.output(terms)).collect::<Result<Vec<_>, _>>()?;
        let mut transfer = Transfer { inputs, outputs, deadline, signatures: Vec::new() };
        self.signatures(&mut transfer, signature_count, terms)?;
        Ok(transfer)
    }

    /// Judges a transfer whose notes are read, then reads and judges its signatures; without a separator it only reads them.
    fn signatures(
        &mut self,
        transfer: &mut Transfer,
        count: usize,
        terms: &Terms<'_>,
    ) -> Result<(), OperationError> {
        let Some(separator) = terms.separator else {
            transfer.signatures = (0..count).map(|_| self.signature()).collect::<Result<_, _>>()?;
            return Ok(());
        };
        check_balance(transfer)?;
        let signers = terms.signers(transfer);
        check_signature_count(signers.len(), count)?;
        let digest = digest(separator, transfer_hash(transfer));
        for signer in signers {
            let signature = self.signature()?;
            check_signature(signer, digest, &signature)?;
            transfer.signatures.push(signature);
        }
        Ok(())
    }

    fn issue(&mut self, terms: &Terms<'_>) -> Result<Issue, OperationError> {
        let issuer = self.address(OperationError::ZeroIssuer)?;
        let label = self.word(OperationError::ZeroLabel)?;
        let deadline = self.deadline(terms)?;
        let domain_id = self.created_domain(terms)?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let (quantity, data) = self.amount()?;
        let salt = self.word(OperationError::ZeroSalt)?;
        let kind = kind_of(U256::ZERO, issuer, label);
        let resource = Resource { domainId: U256::from(domain_id), owner, kind, quantity, data, salt };
        let signature = self.signature()?;
        let issue = Issue { resource, issuer, label, deadline, signature };
        if let Some(separator) = terms.separator {
            check_signature(issuer, digest(separator, issue_hash(&issue)), &issue.signature)?;
        }
        Ok(issue)
    }

    fn requested_issue(&mut self, terms: &Terms<'_>) -> Result<RequestedIssue, OperationError> {
        let label = self.word(OperationError::ZeroLabel)?;
        let domain_id = self.created_domain(terms)?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let (quantity, data) = self.amount()?;
        let salt = self.word(OperationError::ZeroSalt)?;
        Ok(RequestedIssue { label, domain_id, owner, quantity, data, salt })
    }

    fn output(&mut self, terms: &Terms<'_>) -> Result<Output, OperationError> {
        let domain_id = self.created_domain(terms)?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let kind = self.word(OperationError::ZeroKind)?;
        let (quantity, data) = self.amount()?;
        Ok(Output { domainId: U256::from(domain_id), owner, kind, quantity, data })
    }

    fn deadline(&mut self, terms: &Terms<'_>) -> Result<u64, OperationError> {
        terms.check_deadline(u64::from_be_bytes(self.take()?))
    }

    /// The domain of a note that comes into being: the hub takes only chains that it knows.
    fn created_domain(&mut self, terms: &Terms<'_>) -> Result<u64, OperationError> {
        terms.check_domain(self.domain()?)
    }

    fn input(&mut self) -> Result<Resource, OperationError> {
        let domain_id = self.domain()?;
        let owner = self.address(OperationError::ZeroOwner)?;
        let kind = self.word(OperationError::ZeroKind)?;
        let (quantity, data) = self.amount()?;
        let salt = self.word(OperationError::ZeroSalt)?;
        Ok(Resource { domainId: U256::from(domain_id), owner, kind, quantity, data, salt })
    }

    fn domain(&mut self) -> Result<u64, OperationError> {
        match u64::from_be_bytes(self.take()?) {
            0 => Err(OperationError::ZeroDomain),
            domain_id => Ok(domain_id),
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
