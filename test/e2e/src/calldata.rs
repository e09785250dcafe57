//! Every transaction that moved a root, altered by one byte: it is refused, or it is the same call.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, keccak256};
use alloy::sol_types::SolCall;
use hypha_protocol::contracts::{IRootHub, IRootSpoke, IRootVerifier};
use serde_json::{Value, json};

use crate::devnet::{ChainInfo, Devnet};
use crate::rpc::{Rpc, number};

/// The first bytes, which are altered all: selector, fixed words and offsets.
const HEAD: usize = 200;
/// Positions that are altered behind the head, spread evenly.
const SAMPLED: usize = 200;

/// How many altered calls came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Transactions that were altered.
    pub transactions: usize,
    /// Of them, those to the hub.
    pub batches: usize,
    /// Altered calls.
    pub altered: usize,
    /// Refused ones.
    pub refused: usize,
    /// Ones that decode to the very same call (padding that no decoder looks at).
    pub same: usize,
    /// Ones that name an index which the spoke has reached already: the contract returns and nothing changes.
    pub idle: usize,
}

struct Landed {
    hash: B256,
    from: Address,
    block: u64,
    input: Bytes,
}

/// Alters every `applyBatch` and `advance` that landed on the devnet's chains and calls it from its sender on the state
/// before it.
///
/// # Panics
/// When an altered call is taken for another one, or an unaltered one is refused.
pub fn sweep(devnet: &Devnet) -> Sweep {
    let mut sweep = Sweep::default();
    for chain in &devnet.chains {
        let rpc = Rpc::new(&chain.rpc);
        for landed in landed(chain, &rpc) {
            alter(chain, &rpc, &landed, &mut sweep);
            sweep.transactions += 1;
            sweep.batches += usize::from(chain.is_hub());
        }
    }
    assert_eq!(sweep.altered, sweep.refused + sweep.same + sweep.idle);
    sweep
}

/// The transactions that moved a chain's root, of each block the first: it ran on the state before the block.
fn landed(chain: &ChainInfo, rpc: &Rpc) -> Vec<Landed> {
    let requests: Vec<(&str, Value)> = (1..=rpc.latest())
        .map(|block| ("eth_getBlockByNumber", json!([format!("{block:#x}"), true])))
        .collect();
    let selector =
        if chain.is_hub() { IRootHub::applyBatchCall::SELECTOR } else { IRootSpoke::advanceCall::SELECTOR };
    let mut landed = Vec::new();
    for block in rpc.batch(&requests) {
        let block = block.expect("a node keeps its blocks");
        for transaction in block["transactions"].as_array().expect("a list") {
            let field = |name: &str| transaction[name].clone();
            let to: Option<Address> = serde_json::from_value(field("to")).expect("an address or nothing");
            let input: Bytes = serde_json::from_value(field("input")).expect("bytes");
            if to == Some(chain.verifier) && input.starts_with(&selector) {
                landed.push(Landed {
                    hash: serde_json::from_value(field("hash")).expect("a hash"),
                    from: serde_json::from_value(field("from")).expect("an address"),
                    block: number(&block["number"]),
                    input,
                });
            }
        }
    }
    landed.retain(|one| rpc.ask("eth_getTransactionReceipt", json!([one.hash]))["status"] == "0x1");
    landed.dedup_by_key(|one| one.block);
    landed
}

fn alter(chain: &ChainInfo, rpc: &Rpc, landed: &Landed, sweep: &mut Sweep) {
    let call = |input: &Bytes| {
        let call = json!({ "from": landed.from, "to": chain.verifier, "input": input });
        ("eth_call", json!([call, format!("{:#x}", landed.block - 1)]))
    };
    let unaltered = rpc.batch(&[call(&landed.input)]).remove(0);
    assert!(unaltered.is_ok(), "{} is refused on the state before it: {unaltered:?}", landed.hash);
    let altered: BTreeMap<usize, Bytes> =
        positions(landed.input.len()).into_iter().map(|place| (place, altered(landed, place))).collect();
    let requests: Vec<_> = altered.values().map(call).collect();
    for ((place, input), answer) in altered.iter().zip(rpc.batch(&requests)) {
        sweep.altered += 1;
        match answer {
            Err(failure) if failure.is_refusal_by_contract() => sweep.refused += 1,
            Err(failure) => panic!("{} with byte {place} altered: {failure:?}", landed.hash),
            Ok(_) if is_same_call(chain, &landed.input, input) => sweep.same += 1,
            Ok(_) if names_index_reached(chain, rpc, landed, input) => sweep.idle += 1,
            Ok(_) => panic!("{} with byte {place} of {} altered is taken", landed.hash, landed.input.len()),
        }
    }
}

/// The head, and places spread over the rest.
fn positions(length: usize) -> Vec<usize> {
    let rest = length.saturating_sub(HEAD);
    let sampled = (0..SAMPLED.min(rest)).map(|i| HEAD + i * rest / SAMPLED.min(rest));
    (0..HEAD.min(length)).chain(sampled).collect()
}

/// The input with one byte changed, to a value that follows from the transaction and the place.
fn altered(landed: &Landed, place: usize) -> Bytes {
    let seed = keccak256([landed.hash.as_slice(), &place.to_be_bytes()].concat());
    let mut input = landed.input.to_vec();
    input[place] ^= seed[0].max(1);
    input.into()
}

fn is_same_call(chain: &ChainInfo, original: &[u8], altered: &[u8]) -> bool {
    fn same<C: SolCall + PartialEq>(original: &[u8], altered: &[u8]) -> bool {
        let decoded = C::abi_decode(original).expect("it landed");
        C::abi_decode(altered).is_ok_and(|altered| altered == decoded)
    }
    if chain.is_hub() {
        same::<IRootHub::applyBatchCall>(original, altered)
    } else {
        same::<IRootSpoke::advanceCall>(original, altered)
    }
}

/// Whether an altered `advance` names an index that the spoke held before the transaction: then, says the interface,
/// nothing happens. That it does not is seen by simulating it: no event.
fn names_index_reached(chain: &ChainInfo, rpc: &Rpc, landed: &Landed, input: &Bytes) -> bool {
    if chain.is_hub() {
        return false;
    }
    let Ok(call) = IRootSpoke::advanceCall::abi_decode(input) else { return false };
    let held = rpc.call(chain.verifier, IRootVerifier::indexCall {}, Some(landed.block - 1));
    if call.toIndex > held {
        return false;
    }
    let call = json!({ "from": landed.from, "to": chain.verifier, "input": input });
    let simulated = rpc.ask(
        "eth_simulateV1",
        json!([{ "blockStateCalls": [{ "calls": [call] }] }, format!("{:#x}", landed.block - 1)]),
    );
    let outcome = &simulated[0]["calls"][0];
    outcome["status"] == "0x1" && outcome["logs"].as_array().is_some_and(Vec::is_empty)
}
