//! Writes and holds `test/vectors/protocol.json`.

use serde_json::{Value, json};

use crate::fixtures::{DEADLINE, HUB, HUB_CHAIN, NOW, domains, separator};
use crate::{batches, facts, hashes, honest, queue, refused, refused_requests, requests};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/protocol.json");

fn vectors() -> Value {
    json!({
        "about": "Written by hypha-protocol's tests (HYPHA_WRITE_VECTORS=1 cargo test -p hypha-protocol). Times are \
                  Unix seconds; `error` is the data with which a contract reverts; `onlyHub` marks what a spoke accepts.",
        "hubChainId": HUB_CHAIN,
        "hub": HUB,
        "domainSeparator": separator(),
        "domains": domains(),
        "timestamp": NOW,
        "deadline": DEADLINE,
        "hashes": hashes::vectors(),
        "facts": facts::vectors(),
        "requests": requests::vectors(),
        "refusedRequests": refused_requests::request_vectors(),
        "operations": honest::vectors(),
        "refusedOperations": refused::vectors(),
        "batches": batches::honest_vectors(),
        "queue": queue::queue_vectors(),
        "queuedBatches": queue::batch_vectors(),
        "refusedBatches": batches::refused_vectors(),
    })
}

#[test]
fn vectors_file_is_what_this_crate_says() {
    let written = format!("{:#}\n", vectors());
    if std::env::var_os("HYPHA_WRITE_VECTORS").is_some() {
        std::fs::write(PATH, &written).expect("the vectors file can be written");
    }
    let file = std::fs::read_to_string(PATH).expect("the vectors file is there");
    assert!(
        file == written,
        "test/vectors/protocol.json differs: HYPHA_WRITE_VECTORS=1 cargo test -p hypha-protocol writes it anew"
    );
}
