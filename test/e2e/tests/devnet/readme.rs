//! The examples of README.md do what it says.

use std::time::Duration;

use hypha_e2e::{FINALIZED_WITHIN, Finished, command, finish, repository};
use hypha_protocol::ids::{nullifier_of, resource_id, resource_key};
use serde_json::Value;

use super::wallet::{Wallet, issue_to_itself};
use super::{devnet, moved};

/// Stands before each block that is run here.
const MARK: &str = "<!-- run by test/e2e/tests/devnet/readme.rs -->\n```sh\n";
/// Stands between the answers to two lines of the block.
const BETWEEN: char = '\u{1e}';

#[test]
fn the_http_examples_of_the_readme_run() {
    let answers = run_block(&blocks()[0]);
    let fields: [(&str, &[&str]); 8] = [
        ("/v1/chains", &["chains", "domain"]),
        ("/v1/roots", &["roots"]),
        ("/v1/resources?", &["resources"]),
        ("/v1/resources/", &["id", "resource"]),
        ("/v1/proofs/", &["key", "index", "root", "present", "proof"]),
        ("/v1/proofs\"", &["keys", "index", "root", "proof"]),
        ("/v1/transfers/", &["id", "status", "stages"]),
        ("/v1/nullifiers/", &["nullifier", "spent"]),
    ];
    for (path, wanted) in fields {
        let (line, answer) =
            answers.iter().find(|(line, _)| line.contains(path)).expect("README.md shows this path");
        let json: Value =
            serde_json::from_str(answer).unwrap_or_else(|error| panic!("{line}: {error}: {answer}"));
        for field in wanted {
            assert!(!json[field].is_null(), "{line}: no {field} in {json}");
        }
    }
    let (line, events) =
        answers.iter().find(|(line, _)| line.contains("/v1/events")).expect("README.md shows the events");
    assert!(events.contains("event: finalized") && events.contains("id: "), "{line}: {events}");
    assert_eq!(answers.len(), fields.len() + 1, "a line of README.md is not looked at here");
}

#[test]
fn a_wrong_example_would_be_noticed() {
    let answers = run_block("curl -s \"$API/v1/resource\"\n");
    assert_eq!(
        serde_json::from_str::<Value>(&answers[0].1).expect("a problem document")["code"],
        "not_found"
    );
    assert_ne!(run("false\ntrue\n").status, Some(0));
}

#[test]
fn the_wallet_example_of_the_readme_runs() {
    let (devnet, wallet) = (devnet(), Wallet::open());
    let note = issue_to_itself(wallet, &devnet.spokes()[1].id.to_string());
    let folder = devnet.path("readme");
    std::fs::create_dir_all(&folder).expect("the folder is this test's");
    let mut bash = wallet.command("bash");
    bash.args(["-eu", "-o", "pipefail", "-s"]).current_dir(folder);
    bash.env("HYPHA_CONFIG", &devnet.settings)
        .env("OWNER", &wallet.address)
        .env("FRIEND", moved().bob.address.to_string())
        .env("SPOKE", devnet.spokes()[0].id.to_string())
        .env("KIND", note["kind"].as_str().expect("a kind"));
    let finished = finish(bash, &blocks()[1], FINALIZED_WITHIN);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("finalized"), "{finished:?}");
    assert_eq!(blocks().len(), 2, "a block of README.md is not run here");
}

fn blocks() -> Vec<String> {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let marked = readme.split(MARK).skip(1);
    marked.map(|rest| rest.split("```").next().expect("split gives at least one").to_owned()).collect()
}

/// Runs the block and gives each of its lines with what it printed.
fn run_block(block: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = block.lines().filter(|line| !line.trim().is_empty()).collect();
    let script: String = lines.iter().map(|line| format!("{line}\nprintf '{BETWEEN}'\n")).collect();
    let finished = run(&script);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let answers = finished.stdout.split(BETWEEN).map(str::to_owned);
    lines.into_iter().map(str::to_owned).zip(answers).collect()
}

/// Runs a script with the variables that README.md uses.
fn run(script: &str) -> Finished {
    let (devnet, moved) = (devnet(), moved());
    let arrived = &moved.created[0];
    let key = resource_key(arrived.domainId, resource_id(arrived));
    let mut bash = command("bash");
    bash.args(["-eu", "-o", "pipefail", "-s"]);
    bash.env("API", &devnet.api.base)
        .env("OWNER", moved.bob.address.to_string())
        .env("RESOURCE", resource_id(arrived).to_string())
        .env("KEY", format!("0x{}", alloy::hex::encode(key.as_bytes())))
        .env("SPOKE", devnet.spokes()[1].id.to_string())
        .env("TRANSFER", &moved.id)
        .env("NULLIFIER", nullifier_of(&moved.spent).to_string());
    finish(bash, script, Duration::from_secs(60))
}
