//! Puts a coordinator under load and prints rows as JSON: `bench_http READY_FILE`, the file that a devnet writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hypha_e2e::load::Target;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Requests in flight at once.
const CONNECTIONS: [usize; 2] = [16, 256];
/// Requests of one measurement: some seconds on a small machine, and far less than the coordinator's queue holds.
const REQUESTS: usize = 1_024;
/// Longest time for one answer; a coordinator that takes longer has failed the measurement.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// What one measurement sends.
#[derive(Clone)]
enum Load {
    /// `GET /v1/roots`, answered 200.
    Read,
    /// `POST /v1/issues`, each another one, answered 202.
    Accept(Arc<Vec<String>>),
}

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("usage: bench_http READY_FILE")?;
    let target = Target::of(&PathBuf::from(path))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let rows = runtime.block_on(measure_all(Arc::new(target)))?;
    println!("{}", json!({ "rows": rows }));
    Ok(())
}

async fn measure_all(target: Arc<Target>) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let times = measure(&target, connections, &Load::Read).await?;
        rows.extend(rows_of(&format!("read/connections={connections}"), times));
    }
    for connections in CONNECTIONS {
        let issues = Arc::new(target.issues(&format!("accept {connections}"), REQUESTS)?);
        let times = measure(&target, connections, &Load::Accept(issues)).await?;
        rows.extend(rows_of(&format!("accept/connections={connections}"), times));
    }
    Ok(rows)
}

/// How long all requests took together, and each.
struct Times {
    whole: Duration,
    each: Vec<Duration>,
}

/// Each connection sends its next request when the one before is answered.
async fn measure(target: &Arc<Target>, connections: usize, load: &Load) -> anyhow::Result<Times> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        let (target, next, load) = (target.clone(), next.clone(), load.clone());
        senders.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return anyhow::Ok(times);
                }
                let before = Instant::now();
                send(&target, &load, number).await?;
                times.push(before.elapsed());
            }
        });
    }
    let mut each = Vec::with_capacity(REQUESTS);
    while let Some(times) = senders.join_next().await {
        each.extend(times??);
    }
    each.sort();
    Ok(Times { whole: started.elapsed(), each })
}

async fn send(target: &Target, load: &Load, number: usize) -> anyhow::Result<()> {
    let (request, wanted) = match load {
        Load::Read => (target.client.get(format!("{}/v1/roots", target.api)), StatusCode::OK),
        Load::Accept(issues) => {
            let request = target.client.post(format!("{}/v1/issues", target.api));
            let body = issues[number].clone();
            (request.header("content-type", "application/json").body(body), StatusCode::ACCEPTED)
        }
    };
    let response = request.timeout(ANSWER_TIME).send().await?;
    let status = response.status();
    let text = response.text().await?;
    if status != wanted {
        bail!("{status}: {text}");
    }
    Ok(())
}

fn rows_of(case: &str, times: Times) -> [Value; 3] {
    let milliseconds = |share: usize| {
        let position = (times.each.len() * share / 100).min(times.each.len() - 1);
        times.each[position].as_secs_f64() * 1e3
    };
    let row = |metric: &str, value: f64, unit: &str| {
        // One digit after the point: more would be noise.
        json!({ "case": case, "metric": metric, "value": (value * 10.0).round() / 10.0, "unit": unit })
    };
    [
        row("per_second", times.each.len() as f64 / times.whole.as_secs_f64(), "1/s"),
        row("p50_ms", milliseconds(50), "ms"),
        row("p99_ms", milliseconds(99), "ms"),
    ]
}
