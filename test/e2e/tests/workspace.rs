//! The workspace keeps its shape: which crate may know which, and that all take the same lints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom (development dependencies apart), as ARCHITECTURE.md says.
const EDGES: &[(&str, &[&str])] = &[
    ("hypha-tree", &[]),
    ("hypha-chain", &[]),
    ("hypha-protocol", &["hypha-tree"]),
    ("hypha-coordinator", &["hypha-tree", "hypha-protocol", "hypha-chain"]),
    ("hypha-attestor", &["hypha-protocol", "hypha-chain"]),
    ("hypha-relayer", &["hypha-protocol", "hypha-chain"]),
    (
        "hypha-cli",
        &[
            "hypha-tree",
            "hypha-protocol",
            "hypha-chain",
            "hypha-coordinator",
            "hypha-attestor",
            "hypha-relayer",
        ],
    ),
    ("hypha-e2e", &["hypha-tree", "hypha-protocol", "hypha-chain"]),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

#[test]
fn dependencies_run_one_way() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    for package in packages() {
        let name = package["name"].as_str().expect("a name");
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in EDGES"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let dependency_name = dependency["name"].as_str().expect("a name");
            if dependency["kind"].is_null() && dependency_name.starts_with("hypha-") {
                assert!(allowed.contains(dependency_name), "{name} must not depend on {dependency_name}");
            }
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for package in packages() {
        let manifest =
            std::fs::read_to_string(package["manifest_path"].as_str().expect("a path")).expect("a manifest");
        let lints = manifest.split("[lints]").nth(1).unwrap_or_default();
        assert!(
            lints.trim_start().starts_with("workspace = true"),
            "{} lacks [lints] workspace = true",
            package["name"]
        );
    }
}

/// Where `unsafe` may stand: what it is for, and why it holds, is written there.
const UNSAFE: &str = "tree/src/machine.rs";
/// The lint against it. No other file so much as names it, this one included, in whatever attribute.
const LINT: &str = concat!("unsafe", "_code");

#[test]
fn unsafe_stands_in_one_module() {
    let listed = Command::new("git")
        .args(["ls-files", "*.rs"])
        .current_dir(root())
        .output()
        .expect("git lists the files of its checkout");
    let files = String::from_utf8(listed.stdout).expect("names are text");
    let names_lint =
        |file: &&str| std::fs::read_to_string(root().join(file)).unwrap_or_default().contains(LINT);
    assert_eq!(files.lines().filter(names_lint).collect::<Vec<_>>(), [UNSAFE]);
}
