//! The dashboard and the alert rules in `ops/` name what the services measure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::world::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every word that is named like a metric.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let is_metric = |word: &&str| word.starts_with("hypha_") && word.len() > "hypha_".len();
    words.filter(is_metric).map(str::to_owned).collect()
}

/// Every text in quotes of a service's code that is named like a metric.
fn measured() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for service in ["chain", "coordinator", "attestor", "relayer"] {
        let mut folders = vec![repository().join(service).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(path).unwrap();
                    names.extend(text.split('"').skip(1).step_by(2).flat_map(metrics_in));
                }
            }
        }
    }
    names
}

fn file(name: &str) -> String {
    std::fs::read_to_string(repository().join("ops").join(name)).unwrap()
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&file("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap().clone());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The conditions of the alerts.
fn conditions() -> Vec<String> {
    let text = file("alerts.yaml");
    let conditions = text.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let conditions: Vec<String> = conditions.map(str::to_owned).collect();
    assert_eq!(conditions.len(), text.matches("- alert: ").count(), "a condition is one line");
    conditions
}

#[test]
fn the_dashboard_and_the_alerts_name_only_what_is_measured() {
    let measured = measured();
    assert!(measured.contains("hypha_queue_depth"), "{measured:?}");
    for expression in queries().iter().chain(&conditions()) {
        let named = metrics_in(expression);
        assert!(!named.is_empty(), "{expression} names no metric");
        assert!(named.is_subset(&measured), "{expression}: {:?}", named.difference(&measured));
    }
}

#[test]
fn the_dashboard_shows_what_the_alerts_are_about() {
    let metrics = |expressions: Vec<String>| -> BTreeSet<String> {
        expressions.iter().flat_map(|expression| metrics_in(expression)).collect()
    };
    let shown = metrics(queries());
    // Of these one is enough to act.
    let silent = [
        "hypha_attestor_guard",
        "hypha_attestor_conflicts_total",
        "hypha_spoke_followed",
        "hypha_snapshots_damaged_total",
    ];
    for metric in metrics(conditions()) {
        assert_eq!(shown.contains(&metric), !silent.contains(&metric.as_str()), "{metric}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_the_coordinator_is_ready_is_measured() {
    let world = World::new();
    let running = world.start().await;
    let ready = async || {
        let text = running.get_text("/metrics").await;
        text.lines().find_map(|line| line.strip_prefix("hypha_ready ")).map(str::to_owned)
    };
    eventually("it is ready", async || ready().await.as_deref() == Some("1")).await;
    running.stop().await.unwrap();
}
