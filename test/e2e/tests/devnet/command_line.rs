//! The user commands of `hypha`, from issue to proof, and what their exit statuses say.

use std::time::Duration;

use hypha_e2e::{FINALIZED_WITHIN, Finished, finish, hypha, in_an_hour};
use serde_json::{Value, json};

use super::wallet::{PASSWORD, Wallet};
use super::{devnet, moved};

/// Runs hypha with the devnet's settings and the wallet's keystore.
fn run(arguments: &[&str]) -> Finished {
    let wallet = Wallet::open();
    let mut hypha = wallet.command(hypha().to_str().expect("a plain path"));
    hypha.args(arguments).arg("--json").env("HYPHA_CONFIG", &devnet().settings);
    hypha.env("HYPHA_KEYSTORE", &wallet.keystore).env("HYPHA_KEYSTORE_PASSWORD", PASSWORD);
    finish(hypha, "", FINALIZED_WITHIN)
}

/// Runs hypha, which must succeed, and gives the JSON that it prints.
fn json_of(arguments: &[&str]) -> Value {
    let finished = run(arguments);
    assert_eq!(finished.status, Some(0), "{arguments:?}: {finished:?}");
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {finished:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[test]
fn from_issue_to_proof() {
    let devnet = devnet();
    let owner = &Wallet::open().address;
    let (hub, here, there) =
        (devnet.hub().id.to_string(), devnet.spokes()[0].id.to_string(), devnet.spokes()[1].id.to_string());
    let mut kind = String::new();
    for quantity in ["5", "7", "9"] {
        let issued =
            json_of(&["issue", "--label", "pearl", "--to", owner, "--domain", &here, "--quantity", quantity]);
        assert_eq!(issued["status"], "finalized", "{issued}");
        let notes = json_of(&["resources", "--owner", owner, "--domain", &here]);
        let created =
            notes.as_array().expect("a list").iter().find(|note| note["id"] == issued["created"][0]);
        kind = text(&created.unwrap_or_else(|| panic!("not in {notes}"))["resource"]["kind"]);
    }
    // 9 and 7 are the fewest that suffice for 12; 4 come back.
    let moved =
        json_of(&["transfer", "--to", owner, "--domain", &there, "--label", "pearl", "--quantity", "12"]);
    assert_eq!(moved["status"], "finalized", "{moved}");
    assert_eq!(moved["spent"].as_array().map(Vec::len), Some(2), "{moved}");
    let left = json_of(&["resources", "--owner", owner, "--kind", &kind]);
    let mut held: Vec<(String, String)> = left
        .as_array()
        .expect("a list")
        .iter()
        .map(|note| &note["resource"])
        .map(|resource| (text(&resource["domainId"]), text(&resource["quantity"])))
        .collect();
    held.sort();
    let pair = |chain: &str, quantity: &str| (chain.to_owned(), quantity.to_owned());
    assert_eq!(held, [pair(&here, "4"), pair(&here, "5"), pair(&there, "12")]);
    let spent = json_of(&["resources", "--owner", owner, "--kind", &kind, "--spent"]);
    assert_eq!(spent.as_array().map(Vec::len), Some(2), "{spent}");

    let view = json_of(&["status", &text(&moved["id"])]);
    assert_eq!((&view["id"], &view["status"]), (&moved["id"], &json!("finalized")));
    let chains = json_of(&["status"]);
    assert_eq!(chains["chains"].as_array().map(Vec::len), Some(3), "{chains}");

    let (arrived, gone) = (text(&moved["created"][0]), text(&moved["spent"][0]));
    let proof = devnet.path("arrived.json");
    let proof = proof.to_str().expect("a plain path");
    let made = run(&["prove", "--note", &arrived, "--domain", &there, "--chain", &there, "--out", proof]);
    assert_eq!(made.status, Some(0), "{made:?}");
    assert_eq!(json_of(&["verify", "--proof", proof])["verdict"], "present");
    assert_eq!(json_of(&["prove", "--spent", &gone, "--chain", &hub])["present"], true);
    assert_eq!(json_of(&["prove", "--spent", &arrived, "--chain", &here])["present"], false);
}

#[test]
fn the_exit_status_says_what_went_wrong() {
    let owner = &Wallet::open().address;
    let chain = devnet().hub().id.to_string();
    let issue = |more: &[&str]| {
        let base =
            ["issue", "--label", "amber", "--to", owner, "--domain", &chain, "--quantity", "1", "--no-wait"];
        run(&[base.as_slice(), more].concat())
    };
    let refused = issue(&["--deadline", "1"]);
    assert_eq!(refused.status, Some(3), "{refused:?}");
    let last = refused.stderr.lines().last().expect("it says something");
    let error: Value =
        serde_json::from_str(last).expect("after the progress, failures are JSON on standard error");
    assert_eq!(error["error"]["code"], "deadline_passed", "{error}");
    assert_eq!(error["error"]["problem"]["retryable"], false, "{error}");
    // Nobody listens on the discard port of a machine that runs tests.
    let unreachable = issue(&["--api", "http://127.0.0.1:9"]);
    assert_eq!(unreachable.status, Some(4), "{unreachable:?}");
    assert_eq!(issue(&["--keystore", "nowhere"]).status, Some(2));
    let kind = format!("0x{}", "12".repeat(32));
    let poor = run(&["transfer", "--to", owner, "--domain", &chain, "--kind", &kind, "--quantity", "1"]);
    assert_ne!(poor.status, Some(0), "{poor:?}");
    let deadline = in_an_hour().to_string();
    let same = ["--salt", "amber", "--deadline", &deadline];
    let taken = issue(&same);
    assert_eq!(taken.status, Some(0), "{taken:?}");
    assert!(!taken.stderr.contains("handed in before"), "{taken:?}");
    let again = issue(&same);
    assert_eq!((again.status, &again.stdout), (Some(0), &taken.stdout));
    assert!(again.stderr.contains("handed in before"), "{again:?}");
    let id = text(&serde_json::from_str::<Value>(&taken.stdout).expect("JSON")["id"]);
    devnet().api.finalized(&id);
}

#[test]
fn waiting_ends_in_time() {
    let owner = &Wallet::open().address;
    let chain = devnet().hub().id.to_string();
    let started = std::time::Instant::now();
    let late = run(&[
        "issue",
        "--label",
        "jet",
        "--to",
        owner,
        "--domain",
        &chain,
        "--quantity",
        "1",
        "--timeout",
        "0",
    ]);
    assert_eq!(late.status, Some(6), "{late:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn what_happened_is_watched_to_its_end() {
    let id = &moved().id;
    let finished = run(&["watch", "--after", "0", "--id", id]);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let words: Vec<String> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is an event"))
        .map(|event| text(&event["status"]))
        .collect();
    assert_eq!(words.first().map(String::as_str), Some("admitted"), "{words:?}");
    assert_eq!(words.last().map(String::as_str), Some("finalized"), "{words:?}");
    assert!(words.iter().any(|word| word == "delivered"), "{words:?}");
    let finished = run(&["watch", "--id", id]);
    assert_eq!((finished.status, finished.stdout.as_str()), (Some(0), ""), "{finished:?}");
    assert!(finished.stderr.contains("finalized already"), "{finished:?}");
}
