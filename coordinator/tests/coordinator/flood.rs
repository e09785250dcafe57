//! More than the coordinator can take: it says so, loses nothing that it took, and goes on answering who reads.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hypha_coordinator::config::BatchConfig;
use hypha_protocol::operations::Operation;
use serde_json::Value;
use tokio::time::Instant;

use super::wire::*;
use super::world::*;

/// Operations that fit in the queue, and that are handed in.
const ROOM: usize = 40;
const HANDED_IN: u64 = 200;
/// Clients that hand in at once.
const WRITERS: usize = 16;
/// Far more than a read takes from memory, on a machine that checks signatures on every processor.
const QUICK: Duration = Duration::from_millis(500);

fn request(operation: &Operation) -> String {
    let (path, body) = form(operation);
    let body = body.to_string();
    let length = body.len();
    let head = "host: a\r\nconnection: close\r\ncontent-type: application/json";
    format!("POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Hands in all of these, and gives the ids that were acknowledged. Every other one was told to come back.
async fn write(address: SocketAddr, requests: Vec<String>) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for request in requests {
        let answer = exchange(address, request).await;
        match outcome(&answer) {
            (202, _) => {
                let (_, body) = answer.split_once("\r\n\r\n").unwrap();
                let view: Value = serde_json::from_str(body).unwrap();
                acknowledged.insert(view["id"].as_str().unwrap().to_owned());
            }
            (503, code) if code == "queue_full" => {
                assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
            }
            other => panic!("{other:?}: {answer}"),
        }
    }
    acknowledged
}

/// Reads until it is told to stop, and gives how long each read took.
async fn read(address: SocketAddr, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let answer =
            exchange(address, "GET /v1/chains HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert_eq!(outcome(&answer).0, 200, "{answer}");
        took.push(begin.elapsed());
    }
    took.sort();
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_flood_is_refused_in_part_and_loses_nothing_that_was_acknowledged() {
    let mut world = World::new();
    world.limits.queue = ROOM;
    world.batch.max_age_ms = u64::MAX;
    let running = world.start().await;
    let address = listen(&running).await;
    let requests: Vec<String> =
        (0..HANDED_IN).map(|number| request(&issue(&note("alice", HUB_ID, number + 1, 1)))).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read(address, stop.clone()));
    let share = requests.len().div_ceil(WRITERS);
    let writers: Vec<_> =
        requests.chunks(share).map(|share| tokio::spawn(write(address, share.to_vec()))).collect();
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    stop.store(true, Ordering::Relaxed);
    let took = reader.await.unwrap();
    assert_eq!(acknowledged.len(), ROOM, "the queue is filled to its bound, and not beyond");
    let slow = took.iter().rev().take(1 + took.len() / 100).min();
    assert!(slow.is_some_and(|slow| *slow < QUICK), "99 of 100 of {} reads: {slow:?}", took.len());
    running.stop().await.unwrap();

    world.batch = BatchConfig { max_age_ms: 0, ..BatchConfig::default() };
    let running = world.start().await;
    for id in &acknowledged {
        world.until(&running, id, "finalized").await;
    }
    running.stop().await.unwrap();
}
