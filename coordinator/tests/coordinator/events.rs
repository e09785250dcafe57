//! Following what happens.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::StreamExt;
use tower::ServiceExt;

use super::world::*;

/// The first `count` events of a stream: id, name.
pub(crate) async fn read(
    running: &Running,
    path: &str,
    last: Option<&str>,
    count: usize,
) -> Vec<(u64, String)> {
    let mut request = Request::get(path);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = running.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let (mut text, mut events) = (String::new(), Vec::new());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while events.len() < count {
        // Heartbeats come all the time, so that it is the whole which has a deadline.
        let chunk = tokio::time::timeout_at(deadline, stream.next()).await.expect("in time");
        text.push_str(std::str::from_utf8(&chunk.expect("open").unwrap()).unwrap());
        events = text.split("\n\n").filter_map(parse).collect();
    }
    events.truncate(count);
    events
}

fn parse(block: &str) -> Option<(u64, String)> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (id, event, data) = (field("id:")?, field("event:")?, field("data:")?);
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    assert_eq!((data["sequence"].as_str(), data["status"].as_str()), (Some(id), Some(event)));
    Some((id.parse().unwrap(), event.to_owned()))
}

const WORDS: [&str; 7] =
    ["admitted", "batched", "committed", "delivered", "relayed", "reported", "finalized"];

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_gives_every_status_and_resumes_after_the_last_event_also_after_a_restart() {
    let world = World::new();
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", SPOKE_ID, 5, 1))).await;
    world.until(&running, &id, "finalized").await;
    let all = read(&running, "/v1/events?after=0", None, WORDS.len()).await;
    // Of two chains, either may be seen first.
    let words = |chosen: fn(&&str) -> bool| -> Vec<&str> {
        all.iter().map(|(_, word)| word.as_str()).filter(chosen).collect()
    };
    assert_eq!(
        words(|word| *word != "relayed"),
        WORDS.into_iter().filter(|word| *word != "relayed").collect::<Vec<_>>()
    );
    assert_eq!(words(|word| *word == "relayed"), ["relayed"]);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "ids rise");
    running.stop().await.unwrap();

    let running = world.start().await;
    let third = all[2].0.to_string();
    let rest = read(&running, "/v1/events?after=0", Some(&third), WORDS.len() - 3).await;
    assert_eq!(rest, all[3..]);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_at_once_where_it_begins() {
    let world = World::new();
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 5, 1))).await;
    world.until(&running, &id, "finalized").await;
    // A note of the hub concerns no spoke.
    let last = read(&running, "/v1/events?after=0", None, WORDS.len() - 2).await.last().unwrap().0;
    let request = Request::get("/v1/events").body(Body::empty()).unwrap();
    let response = running.router.clone().oneshot(request).await.unwrap();
    let first = response.into_body().into_data_stream().next().await.unwrap().unwrap();
    let first = std::str::from_utf8(&first).unwrap();
    assert!(first.strip_prefix("id: ").unwrap().trim().parse::<u64>().unwrap() >= last, "{first}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_a_beginning_gives_what_happens_from_now_on() {
    let world = World::new();
    let running = world.start().await;
    let first = running.accept(&issue(&note("alice", HUB_ID, 5, 1))).await;
    world.until(&running, &first, "finalized").await;
    // The disk says "finalized" a moment before those who follow hear of it: until they have, that word is still to come.
    let mut told = 1;
    while read(&running, "/v1/events?after=0", None, told).await[told - 1].1 != "finalized" {
        told += 1;
    }
    let following = read(&running, "/v1/events", None, 1);
    let handed_in = async {
        // The stream begins before this is handed in: joined futures are polled in order.
        tokio::task::yield_now().await;
        running.accept(&issue(&note("alice", HUB_ID, 6, 2))).await
    };
    let (events, _) = tokio::join!(following, handed_in);
    assert_eq!(events[0].1, "admitted");
    running.stop().await.unwrap();
}
