//! The main job by one command: the demonstration comes out as it should, and nothing is left behind, however the devnet ends.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

use hypha_e2e::{Devnet, Finished, MARKER, command, finish, hypha, kill, left_over, scratch, wait_until};
use serde_json::Value;

/// Time for `hypha devnet --once`; the issue asks for 60 s warm with nothing else running.
const ONCE_WITHIN: Duration = Duration::from_secs(240);
/// Time for everything to be gone after the devnet is: services write their last bytes.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Runs the demonstration and gives what it wrote.
fn demonstrate(name: &str, more: &[&str]) -> (Finished, Value) {
    let folder = scratch(name);
    let out = folder.join("out.json");
    let mut devnet = command(hypha());
    devnet.args(["devnet", "--once", "--json"]).arg(&out).arg("--state").arg(folder.join("state"));
    devnet.args(more).env(MARKER, name);
    let finished = finish(devnet, "", ONCE_WITHIN);
    assert_eq!(finished.status, Some(0), "{finished:?}");
    let json = std::fs::read(&out).expect("it wrote the outcome");
    (finished, serde_json::from_slice(&json).expect("the outcome is JSON"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("{field} is no list in {value}"))
}

fn require_gone(mark: &str) {
    wait_until("no process is left behind", GONE_WITHIN, || left_over(mark).is_empty().then_some(()));
}

#[test]
fn one_command_shows_the_main_job_and_leaves_nothing_behind() {
    let (finished, outcome) = demonstrate("main-job", &[]);
    assert_eq!(left_over("main-job"), [], "all has ended when the command has");

    let chains = list(&outcome, "chains");
    let roles: Vec<&str> = chains.iter().filter_map(|chain| chain["role"].as_str()).collect();
    assert_eq!(roles, ["hub", "spoke", "spoke"]);
    let roots: BTreeSet<&str> = chains.iter().filter_map(|chain| chain["root"].as_str()).collect();
    assert_eq!(roots.len(), 1, "{outcome}");
    for field in ["chainId", "rpc", "verifier", "index"] {
        assert!(chains.iter().all(|chain| chain[field].is_string()), "{field} in {outcome}");
    }

    let transfers = list(&outcome, "transfers");
    assert!(transfers.len() >= 4, "two issues, a move and a swap: {outcome}");
    for transfer in transfers {
        assert_eq!(transfer["status"], "finalized", "{transfer}");
        require_stages(transfer);
    }
    let refused: Vec<&str> =
        list(&outcome, "refused").iter().filter_map(|one| one["code"].as_str()).collect();
    assert_eq!(refused, ["input_spent"]);
    let calls: BTreeSet<&str> =
        list(&outcome, "checks").iter().filter_map(|check| check["call"].as_str()).collect();
    assert_eq!(calls, BTreeSet::from(["verifyAbsence", "verifyProof"]));
    for transfer in transfers {
        let id = transfer["id"].as_str().expect("an id");
        assert!(finished.stdout.contains(id), "the timeline of {id} is printed");
    }
    for root in roots {
        assert_eq!(finished.stdout.matches(root).count(), chains.len(), "the roots stand side by side");
    }
}

/// Every stage is there, in an order that can be, and what happened on a chain names its transaction.
fn require_stages(transfer: &Value) {
    let stages = list(transfer, "stages");
    let at = |word: &str| {
        let stage = stages.iter().find(|stage| stage["stage"] == word);
        stage.unwrap_or_else(|| panic!("no {word} in {transfer}"))["atMs"].as_u64().expect("milliseconds")
    };
    let times = ["admitted", "batched", "committed", "delivered", "finalized"].map(at);
    assert!(times.is_sorted(), "{transfer}");
    assert!(at("relayed") <= at("reported"), "{transfer}");
    for stage in stages {
        let on_chain =
            ["delivered", "relayed", "reported"].contains(&stage["stage"].as_str().unwrap_or_default());
        let named = stage["tx"].as_str().is_some_and(|tx| tx.len() == 66) && stage["chainId"].is_string();
        assert!(!on_chain || named, "{stage}");
    }
    let delivered = stages.iter().find(|stage| stage["stage"] == "delivered").expect("seen above");
    assert!(
        delivered["gas"].as_str().and_then(|gas| gas.parse::<u64>().ok()).is_some_and(|gas| gas > 21_000),
        "{delivered}"
    );
}

/// A devnet that ends even when its test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            kill(self.0.id(), "INT");
        }
    }
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let folder = scratch("interrupted");
    let ready = folder.join("ready.json");
    let mut devnet = command(hypha());
    devnet.args(["devnet", "--skip-demo", "--chains", "1", "--state"]).arg(folder.join("state"));
    devnet.arg("--ports-file").arg(&ready).env(MARKER, "interrupted");
    devnet.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running(devnet.spawn().expect("hypha runs"));
    wait_until("the devnet is up", ONCE_WITHIN, || {
        assert!(running.0.try_wait().expect("its status can be asked").is_none(), "the devnet ended");
        ready.exists().then_some(())
    });
    let processes = left_over("interrupted");
    assert!(processes.len() >= 1 + 2 * 2 + 5, "devnet, two guarded chains, five services: {processes:?}");
    kill(running.0.id(), "INT");
    let status = running.0.wait().expect("it ends");
    assert_eq!(left_over("interrupted"), [], "all has ended when the devnet has");
    assert!(status.success(), "{status}");
}

#[test]
fn a_killed_devnet_leaves_nothing_behind() {
    let mut devnet = Devnet::start("killed-devnet");
    assert!(!left_over(&devnet.mark).is_empty());
    devnet.kill_outright();
    require_gone("killed-devnet");
}
