//! `hypha verify` agrees with all chains, and can disagree.

use std::time::Duration;

use alloy::primitives::{B256, U256, keccak256};
use alloy::sol_types::SolValue;
use hypha_e2e::{Anvil, Devnet, Rpc, command, hypha};
use serde_json::{Value, json};

use super::{devnet, moved};

/// Slots of a contract's storage among which the mapping of roots is looked for.
const SLOTS: u64 = 64;

#[test]
fn the_hubs_logs_alone_give_the_roots_of_all_chains() {
    let devnet = devnet();
    moved();
    let (index, root) = devnet.one_root();
    let report = devnet.verify();
    let chains = report["chains"].as_array().expect("chains");
    assert_eq!(chains.len(), 3, "{report}");
    for chain in chains {
        assert_eq!(chain["index"], index.to_string(), "{chain}");
        assert_eq!(chain["root"], root.to_string(), "{chain}");
        assert_eq!(chain["compared"], json!(index + 1), "every index from 0 on: {chain}");
        assert_eq!(chain["differences"], json!([]), "{chain}");
    }
}

#[test]
fn a_spoke_with_another_root_is_a_disagreement() {
    let devnet = devnet();
    moved();
    let (index, root) = devnet.one_root();
    let spoke = &devnet.spokes()[0];
    let fork = Anvil::fork(&spoke.rpc);
    let pair = format!("{}={}", spoke.id, fork.rpc.url);
    assert_eq!(verify_with(devnet, &pair).status, Some(0), "a faithful copy of the spoke agrees");
    let slot = slot_of_root(&fork.rpc, spoke.verifier, index, root);
    let other = keccak256("another root");
    fork.rpc.ask("anvil_setStorageAt", json!([spoke.verifier, slot, other]));
    let finished = verify_with(devnet, &pair);
    assert_eq!(finished.status, Some(5), "{finished:?}");
    let report: Value = serde_json::from_str(&finished.stdout).expect("the report is printed all the same");
    let flawed: Vec<&Value> = report["chains"]
        .as_array()
        .expect("chains")
        .iter()
        .filter(|chain| chain["differences"] != json!([]))
        .collect();
    assert_eq!(flawed.len(), 1, "{report}");
    assert_eq!(flawed[0]["chainId"], spoke.id.to_string());
}

#[test]
fn the_devnet_stands_as_planned_behind_its_timelock() {
    let devnet = devnet();
    let state = devnet.deployment.parent().expect("the devnet's folder");
    let (plan, records) = (state.join("plan.toml"), state.join("deployments"));
    let [plan, records] = [&plan, &records].map(|path| path.to_str().expect("a plain path"));
    let finished = devnet.hypha(&["verify-deployment", "--json", "--plan", plan, "--deployments", records]);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let report: Value = serde_json::from_str(&finished.stdout).expect("a report");
    let delays = report["checks"].as_array().expect("checks").iter();
    let delays: Vec<&Value> = delays.filter(|check| check["what"] == "delay").collect();
    assert_eq!(delays.len(), devnet.chains.len(), "a timelock on each chain: {report}");
}

#[test]
fn a_proof_is_checked_against_a_chain() {
    let devnet = devnet();
    let arrived = &moved().created[0];
    let id = hypha_protocol::ids::resource_id(arrived);
    let key = devnet.api.get(&format!("/v1/resources/{id}"))["key"].as_str().expect("a key").to_owned();
    let chain = devnet.spokes()[1].id.to_string();
    let mut proof = devnet.api.get(&format!("/v1/proofs/{key}?chain={chain}"));
    assert_eq!(proof["present"], true, "{proof}");
    let path = devnet.path("proof.json");
    let verify = |proof: &Value| {
        std::fs::write(&path, proof.to_string()).expect("the folder is this test's");
        devnet.hypha(&["verify", "--json", "--proof", path.to_str().expect("a plain path")])
    };
    let finished = verify(&proof);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    proof["value"] = format!("{}00", proof["value"].as_str().expect("a value")).into();
    let finished = verify(&proof);
    assert_eq!(finished.status, Some(5), "{finished:?}");
}

fn verify_with(devnet: &Devnet, pair: &str) -> hypha_e2e::Finished {
    let mut verify = command(hypha());
    verify.args(["verify", "--json", "--rpc", pair, "--config"]).arg(&devnet.settings);
    hypha_e2e::finish(verify, "", Duration::from_secs(60))
}

/// The storage slot in which a contract keeps the root of an index: of the mappings in its first slots, the one that holds it.
fn slot_of_root(rpc: &Rpc, contract: alloy::primitives::Address, index: u64, root: B256) -> B256 {
    let slots: Vec<B256> =
        (0..SLOTS).map(|slot| keccak256((U256::from(index), U256::from(slot)).abi_encode())).collect();
    let requests: Vec<_> =
        slots.iter().map(|slot| ("eth_getStorageAt", json!([contract, slot, "latest"]))).collect();
    let held = rpc.batch(&requests);
    let place = held.iter().position(|word| word.as_ref().is_ok_and(|word| *word == root.to_string()));
    slots[place.expect("the root is in a mapping by index")]
}

#[test]
fn every_promise_of_this_devnet_was_kept() {
    moved();
    devnet().check_promises();
}
