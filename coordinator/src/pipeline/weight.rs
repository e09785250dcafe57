//! How heavy a batch is, before a node is asked: bytes of its calldata, and a bound of the gas that its transaction needs.

use alloy::primitives::Bytes;
use hypha_protocol::operations::Operation;

use crate::config::BatchConfig;
use crate::store::BatchBody;

/// Gas of every transaction.
const TRANSACTION: u64 = 21_000;
/// Gas of a byte of calldata: of zero, of another, and at least, whatever is computed (EIP-7623).
const ZERO_BYTE: u64 = 4;
const OTHER_BYTE: u64 = 16;
const ZERO_BYTE_FLOOR: u64 = 10;
const OTHER_BYTE_FLOOR: u64 = 40;
/// Most gas of what every batch does: it reads and writes indexes, root and batch chain, takes a turn, and emits two events.
const BATCH: u64 = 250_000;
/// Most gas of a touched key: its hashes, its claim, its event, and a slot of the nullifier cache.
const KEY: u64 = 30_000;
/// Most gas of a sibling: the hashes of two nodes, one of the old and one of the new tree.
const SIBLING: u64 = 1_000;
/// Most gas of a byte of operations: it is copied, hashed and emitted.
const OPERATION_BYTE: u64 = 32;
/// Most gas of a signature.
const SIGNATURE: u64 = 8_000;
/// Most gas of taking a request off the queue, its event and its fee included.
const REQUEST: u64 = 50_000;

/// Whether a batch is too heavy for one transaction with this calldata and this bound of its gas.
pub(super) fn is_too_heavy(config: &BatchConfig, calldata: &Bytes, gas: u64) -> bool {
    calldata.len() > config.max_calldata_bytes || gas > config.max_gas
}

/// Gas that the transaction does not exceed. Measured costs are about half of it (`scripts/bench gas`).
pub(super) fn gas_bound(calldata: &Bytes, body: &BatchBody, operations: &[Operation]) -> u64 {
    let zeros = count(calldata.iter().filter(|byte| **byte == 0).count());
    let others = count(calldata.len()) - zeros;
    let keys: usize = operations.iter().map(Operation::key_count).sum();
    let requests = operations.iter().filter(|operation| operation.resolution().is_some()).count();
    let execution = BATCH
        + KEY * count(keys)
        + SIBLING * siblings(body, keys)
        + OPERATION_BYTE * count(body.operations.len())
        + SIGNATURE * operations.iter().map(|operation| count(signatures(operation))).sum::<u64>()
        + REQUEST * count(requests);
    let floor = ZERO_BYTE_FLOOR * zeros + OTHER_BYTE_FLOOR * others;
    TRANSACTION + floor.max(ZERO_BYTE * zeros + OTHER_BYTE * others + execution)
}

/// Siblings in the witness, those that are EMPTY included: each is hashed, and costs no more than a bit of calldata. Their
/// number is the third of the multiproof, which comes after the order of the keys.
fn siblings(body: &BatchBody, keys: usize) -> u64 {
    let at = 2 * keys + 8;
    let field = body.witness.get(at..at + 4).and_then(|field| <[u8; 4]>::try_from(field).ok());
    field.map_or(0, |field| u64::from(u32::from_be_bytes(field)))
}

fn signatures(operation: &Operation) -> usize {
    use hypha_protocol::operations::Content;
    let of_request = |content: &Content| match content {
        Content::Transfer(transfer) => transfer.signatures.len(),
        Content::Issue(_) => 0,
    };
    match operation {
        Operation::Void(void) => of_request(void.request().content()),
        Operation::Queued(request) => of_request(request.content()),
        Operation::Transfer(transfer) => transfer.signatures.len(),
        Operation::Issue(_) => 1,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256, U256};
    use hypha_protocol::operations::{
        Content, MAX_KEYS, MAX_REQUEST_NOTES, Output, Request, Resource, Transfer, packed_length,
    };

    use super::*;

    /// Levels of the deepest path that there can be.
    const DEEPEST: usize = 256;
    const ADDRESS: Address = Address::repeat_byte(0xff);
    const WORD: B256 = B256::repeat_byte(0xff);

    /// A queued transfer of as many notes, of different owners, as a request may have, each as long as it can be.
    fn largest_request() -> Operation {
        let (domain, quantity) = (U256::from(u64::MAX), U256::MAX);
        let input =
            Resource { domainId: domain, owner: ADDRESS, kind: WORD, quantity, data: WORD, salt: WORD };
        let output = Output { domainId: domain, owner: ADDRESS, kind: WORD, quantity, data: WORD };
        let transfer = Transfer {
            inputs: vec![input; MAX_REQUEST_NOTES],
            outputs: vec![output; MAX_REQUEST_NOTES],
            deadline: u64::MAX,
            signatures: vec![vec![0xff; 65].into(); MAX_REQUEST_NOTES],
        };
        let request = Request::new(u64::MAX, u64::MAX, ADDRESS, Content::Transfer(transfer));
        Operation::Queued(request.expect("it packs"))
    }

    /// A batch of these whose paths have so many siblings, of which none is EMPTY and none is shared; of bytes that cost most.
    fn batch(operations: &[Operation], siblings: usize) -> (Bytes, BatchBody) {
        let keys: usize = operations.iter().map(Operation::key_count).sum();
        let packed = operations.iter().map(|one| packed_length(one).expect("it packs")).sum::<usize>() + 2;
        let mut witness = vec![0xff; 2 * keys + 12 + 66 * keys + siblings.div_ceil(8) + 32 * siblings];
        let count = u32::try_from(siblings).expect("few").to_be_bytes();
        witness[2 * keys + 8..2 * keys + 12].copy_from_slice(&count);
        let body = BatchBody { operations: vec![0xff; packed].into(), witness: witness.into() };
        let calldata = vec![0xff; 4 + 7 * 32 + body.operations.len() + body.witness.len()];
        (calldata.into(), body)
    }

    fn is_heavy(config: &BatchConfig, calldata: &Bytes, body: &BatchBody, operations: &[Operation]) -> bool {
        is_too_heavy(config, calldata, gas_bound(calldata, body, operations))
    }

    #[test]
    fn the_largest_request_passes_alone_on_the_deepest_paths() {
        let operations = [largest_request()];
        let keys = operations[0].key_count();
        let (calldata, body) = batch(&operations, keys * DEEPEST);
        assert_eq!(keys, 12);
        assert!(!is_heavy(&BatchConfig::default(), &calldata, &body, &operations), "{}", calldata.len());
    }

    #[test]
    fn as_many_keys_as_a_batch_may_have_pass_in_a_tree_of_a_million_leaves() {
        let operations: Vec<Operation> = std::iter::repeat_n(largest_request(), MAX_KEYS / 12).collect();
        // The paths of 256 random keys share 8 of 20 levels.
        let (calldata, body) = batch(&operations, MAX_KEYS * 9);
        assert!(gas_bound(&calldata, &body, &operations) < BatchConfig::default().max_gas);
    }

    #[test]
    fn what_is_hashed_and_not_sent_weighs_as_well() {
        let operations = [largest_request(), largest_request()];
        let (calldata, body) = batch(&operations, 0);
        let config = BatchConfig::default();
        assert!(!is_heavy(&config, &calldata, &body, &operations));
        let mut empty = body.witness.to_vec();
        let at = 2 * 24 + 8;
        empty[at..at + 4].copy_from_slice(&20_000_u32.to_be_bytes());
        let deep = BatchBody { witness: empty.into(), ..body };
        assert!(is_heavy(&config, &calldata, &deep, &operations), "20,000 siblings, all EMPTY");
    }

    #[test]
    fn calldata_counts_to_the_last_byte() {
        let operations = [largest_request()];
        let (calldata, body) = batch(&operations, 10);
        let config = |bytes| BatchConfig { max_calldata_bytes: bytes, ..BatchConfig::default() };
        assert!(!is_heavy(&config(calldata.len()), &calldata, &body, &operations));
        assert!(is_heavy(&config(calldata.len() - 1), &calldata, &body, &operations));
    }
}
