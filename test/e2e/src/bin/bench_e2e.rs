//! Hands a devnet issues at a steady rate and prints as rows of JSON how long they took to be on the hub, and to be final on all
//! chains: `bench_e2e READY_FILE`, the file that a devnet writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hypha_e2e::load::Target;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Issues a second.
const RATES: [u32; 3] = [1, 50, 500];
/// How long each rate is held.
const LOAD_TIME: Duration = Duration::from_secs(20);
/// Longest time until the last is finalized after it was handed in.
const END_TIME: Duration = Duration::from_secs(180);
/// Longest time for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Requests in flight at once: enough for the highest rate while an answer takes half a second.
const MOST_AT_ONCE: usize = 256;
/// Pause between looks at the last one.
const POLL: Duration = Duration::from_millis(500);

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("usage: bench_e2e READY_FILE")?;
    let target = Arc::new(Target::of(&PathBuf::from(path))?);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rows = Vec::new();
    for rate in RATES {
        rows.extend(runtime.block_on(measure(&target, rate))?);
    }
    println!("{}", json!({ "rows": rows }));
    Ok(())
}

/// How long one issue took, in milliseconds since it was admitted.
struct Took {
    delivered: u64,
    finalized: u64,
}

async fn measure(target: &Arc<Target>, rate: u32) -> anyhow::Result<Vec<Value>> {
    let count = usize::try_from(u64::from(rate) * LOAD_TIME.as_secs())?;
    let bodies = target.issues(&format!("rate {rate}"), count)?;
    let begun = Instant::now();
    let ids = hand_in(target, rate, bodies).await?;
    let handing_in = begun.elapsed();
    let deadline = Instant::now() + END_TIME;
    for id in &ids {
        while view(target, id).await?["status"] != "finalized" {
            ensure!(Instant::now() < deadline, "{id} is not finalized in time");
            tokio::time::sleep(POLL).await;
        }
    }
    let mut took = Vec::with_capacity(count);
    for id in &ids {
        took.push(stages(&view(target, id).await?)?);
    }
    let case = format!("load/per_second={rate}");
    let row = |metric: String, value: f64, unit: &str| json!({ "case": case, "metric": metric, "value": (value * 10.0).round() / 10.0, "unit": unit });
    let mut rows =
        vec![row("handed_in_per_second".to_owned(), count as f64 / handing_in.as_secs_f64(), "1/s")];
    for (stage, of) in
        [("delivered", (|one| one.delivered) as fn(&Took) -> u64), ("finalized", |one| one.finalized)]
    {
        let mut times: Vec<u64> = took.iter().map(of).collect();
        times.sort_unstable();
        for percent in [50, 95] {
            let place = (times.len() * percent / 100).min(times.len() - 1);
            rows.push(row(format!("{stage}_p{percent}"), times[place] as f64, "ms"));
        }
    }
    Ok(rows)
}

/// Hands them in, each at its time whatever became of those before. Gives their ids.
async fn hand_in(target: &Arc<Target>, rate: u32, bodies: Vec<String>) -> anyhow::Result<Vec<String>> {
    let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut senders = JoinSet::new();
    for body in bodies {
        ticks.tick().await;
        let permit = room.clone().acquire_owned().await?;
        let target = target.clone();
        senders.spawn(async move {
            let _permit = permit;
            let deadline = Instant::now() + END_TIME;
            loop {
                let request = target.client.post(format!("{}/v1/issues", target.api)).timeout(ANSWER_TIME);
                let request = request.header("content-type", "application/json").body(body.clone());
                let response = request.send().await?;
                let status = response.status();
                let answer: Value = response.json().await?;
                match status.as_u16() {
                    202 => return Ok(answer["id"].as_str().context("an id")?.to_owned()),
                    // Full: what the coordinator takes a second is seen from how long handing in takes.
                    503 if answer["retryable"] == true && Instant::now() < deadline => {}
                    _ => bail!("{status}: {answer}"),
                }
                tokio::time::sleep(POLL).await;
            }
        });
    }
    senders.join_all().await.into_iter().collect()
}

async fn view(target: &Target, id: &str) -> anyhow::Result<Value> {
    let request = target.client.get(format!("{}/v1/transfers/{id}", target.api)).timeout(ANSWER_TIME);
    Ok(request.send().await?.json().await?)
}

fn stages(view: &Value) -> anyhow::Result<Took> {
    let stages = view["stages"].as_array().context("stages")?;
    let at = |name: &str| {
        let stage = stages.iter().find(|stage| stage["stage"] == name);
        stage.and_then(|stage| stage["atMs"].as_u64()).with_context(|| format!("no stage {name}: {view}"))
    };
    Ok(Took { delivered: at("delivered")?, finalized: at("finalized")? })
}
