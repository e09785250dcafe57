//! Writes batches and requests, honest and hostile, with Rust's verdict, for `test/differential` to give to the contracts.
//!
//!     cargo run -p hypha-protocol --example differential -- COUNT DIRECTORY
//!
//! COUNT honest batches and as many hostile ones; COUNT requests, some of them late, and as many altered ones.

mod hostile;
mod random;
mod world;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use hypha_protocol::batch::{BatchError, verify_batch};
use hypha_protocol::operations::{OperationError, RequestType, Rules, check_request, encode_operations};
use serde_json::json;

use world::{DOMAINS, Draft, HUB, NOW, World, hub_rules, separator};

/// Honest cases in a file, and as many hostile ones: a world of its own, that begins with an empty tree.
const PER_FILE: usize = 125;

/// How often each reason was given; `accepted` where none was.
type Reasons = BTreeMap<&'static str, usize>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "differential COUNT DIRECTORY";
    let count: usize = arguments.next().ok_or(usage)?.parse()?;
    let directory = PathBuf::from(arguments.next().ok_or(usage)?);
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    let (mut of_batches, mut of_requests) = (Reasons::new(), Reasons::new());
    let files = count.div_ceil(PER_FILE);
    for file in 0..files {
        let cases = PER_FILE.min(count - file * PER_FILE);
        write_file(&directory, file, cases, &mut of_batches, &mut of_requests)?;
    }
    let manifest = json!({
        "hubChainId": DOMAINS[0], "hub": HUB, "domains": DOMAINS, "timestamp": NOW,
        "files": files, "batches": 2 * count, "requests": 2 * count,
    });
    fs::write(directory.join("manifest.json"), manifest.to_string())?;
    println!("batches: {of_batches:?}\nrequests: {of_requests:?}");
    Ok(())
}

fn write_file(
    directory: &Path,
    file: usize,
    cases: usize,
    of_batches: &mut Reasons,
    of_requests: &mut Reasons,
) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(file as u64 + 1);
    let (mut batches, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..cases {
        let hostile = hostile::draft(&mut world);
        write_batch(&mut batches, &hostile, of_batches);
        write_requests(&mut requests, &mut world, of_requests);
        let honest = world.honest();
        let draft = world.draft(&honest);
        verify(&draft, &hub_rules()).map_err(|error| format!("an honest batch of file {file}: {error}"))?;
        write_batch(&mut batches, &draft, of_batches);
        world.apply(&honest);
    }
    fs::write(directory.join(format!("batches-{file}.bin")), batches)?;
    fs::write(directory.join(format!("requests-{file}.bin")), requests)?;
    Ok(())
}

fn verify(draft: &Draft, rules: &Rules) -> Result<(), BatchError> {
    verify_batch(draft.root, &draft.operations, &draft.witness, draft.new_root, rules).map(drop)
}

/// root, new root, operations, witness, what the hub and what a spoke reverts with: nothing where it takes the batch.
fn write_batch(bytes: &mut Vec<u8>, draft: &Draft, reasons: &mut Reasons) {
    bytes.extend_from_slice(&<[u8; 32]>::from(draft.root));
    bytes.extend_from_slice(&<[u8; 32]>::from(draft.new_root));
    write_long(bytes, &draft.operations);
    write_long(bytes, &draft.witness);
    for rules in [hub_rules(), Rules::spoke(separator())] {
        let verdict = verify(draft, &rules);
        *reasons.entry(verdict.as_ref().map_or_else(BatchError::reason, |()| "accepted")).or_default() += 1;
        write_long(bytes, &verdict.map_or_else(|error| error.abi_encode(), |()| Vec::new()));
    }
}

/// A request and an altered one.
fn write_requests(bytes: &mut Vec<u8>, world: &mut World, reasons: &mut Reasons) {
    let mut notes = world.unspent.clone();
    let request = world.request(&mut notes);
    let (chain, sender) = (request.chain_id(), request.sender());
    let (request_type, content) = (request.request_type() as u8, request.packed_content().to_vec());
    write_request(bytes, chain, sender, request_type, &content, reasons);

    let mut content = content;
    let (mut chain, mut sender, mut request_type) = (chain, sender, request_type);
    match world.random.below(8) {
        0 => chain = world.domain(),
        1 => sender = world.account(),
        2 => request_type = world.random.byte() % 8,
        3 if request_type == RequestType::Transfer as u8 => content = one_note_twice(world),
        _ => hostile::alter(world, &mut content),
    }
    write_request(bytes, chain, sender, request_type, &content, reasons);
}

/// The content of a transfer that names one note twice.
fn one_note_twice(world: &mut World) -> Vec<u8> {
    let note = world.issue().resource;
    let transfer = world.transfer(vec![note.clone(), note], NOW);
    let signed = world.sign(transfer, None);
    let packed = encode_operations(&[hypha_protocol::operations::Operation::Transfer(signed)]);
    packed.expect("a packed form")[3..].to_vec()
}

/// chain, type, sender, content, then what the hub, a spoke, and the hub for a spoke's request say: the hash of the request where
/// they take it, else what they revert with.
fn write_request(
    bytes: &mut Vec<u8>,
    chain: u64,
    sender: Address,
    request_type: u8,
    content: &[u8],
    reasons: &mut Reasons,
) {
    bytes.extend_from_slice(&chain.to_be_bytes());
    bytes.push(request_type);
    bytes.extend_from_slice(sender.as_slice());
    write_long(bytes, content);
    let own = Rules { domains: None, ..hub_rules() };
    for rules in [hub_rules(), own, Rules::spoke(separator())] {
        let verdict = check_request(chain, 1, sender, request_type, content, &rules);
        *reasons.entry(verdict.as_ref().map_or_else(OperationError::reason, |_| "accepted")).or_default() +=
            1;
        write_long(
            bytes,
            &verdict.map_or_else(|error| error.abi_encode(), |request| request.hash().to_vec()),
        );
    }
}

fn write_long(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).expect("fields are short");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field);
}
