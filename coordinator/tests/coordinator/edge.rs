//! Peers that would hold or confuse the service, on a real listener. The numbers are those of the catalogue of attacks.

use alloy::primitives::B256;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::wire::*;
use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn e1_an_oversized_body_is_refused_before_it_is_read() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    let limit = hasty().body_bytes;
    // Nothing of the body is sent.
    let declared = exchange(address, hand_in(&format!("content-length: {}\r\n", limit + 1), "")).await;
    assert_eq!(outcome(&declared), (413, "body_too_large".to_owned()));
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let endless = hand_in("transfer-encoding: chunked\r\n", &chunk.repeat(limit / 0x1000 + 1));
    assert_eq!(outcome(&exchange(address, endless).await), (413, "body_too_large".to_owned()));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_a_slow_header_ends_its_connection_and_many_keep_nobody_out() {
    let world = World::new();
    let mut limits = hasty();
    let running = world.start_with(limits.clone()).await;
    let mut slow = TcpStreams::open(listen(&running).await, 1, "GET / HTTP/1.1\r\nhost").await;
    assert!(!rest(&mut slow.0[0]).await.contains("200"));
    running.stop().await.unwrap();

    // As many as there is room for, and that would stay longer than the test.
    (limits.connections, limits.head_ms) = (64, 600_000);
    (limits.reads, limits.bodies, limits.streams) = (32, 32, 32);
    let running = world.start_with(limits).await;
    let address = listen(&running).await;
    let mut slow = TcpStreams::open(address, 200, "GET / HTTP/1.1\r\nhost").await;
    for _ in 0..50 {
        assert!(head(&mut send(address, HEALTH).await).await.contains(" 200 "));
    }
    assert_eq!(rest(&mut slow.0[0]).await, "", "the oldest went first");
    running.stop().await.unwrap();
}

/// Connections that said something, and are open.
struct TcpStreams(Vec<tokio::net::TcpStream>);

impl TcpStreams {
    async fn open(address: std::net::SocketAddr, count: usize, said: &str) -> Self {
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            streams.push(send(address, said).await);
        }
        Self(streams)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_a_silent_connection_ends() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    assert_eq!(answers(&exchange(address, "").await), 0);
    let idle = exchange(address, HEALTH).await;
    assert_eq!((answers(&idle), outcome(&idle).0), (1, 200), "{idle}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_a_slow_body_is_timed_out_and_slow_bodies_keep_nobody_from_reading() {
    let world = World::new();
    let mut limits = hasty();
    (limits.bodies, limits.request_ms) = (4, 5_000);
    let running = world.start_with(limits).await;
    let address = listen(&running).await;
    let half = hand_in("content-length: 1000\r\n", "{");
    let mut slow = TcpStreams::open(address, 4, &half).await;
    let ask = async || outcome(&exchange(address, measured("{}")).await);
    eventually("the room for bodies is full", async || ask().await == (503, "busy".to_owned())).await;
    let mut answer = send(address, measured("{}")).await;
    let head = head(&mut answer).await;
    assert!(head.contains("503") && head.to_lowercase().contains("retry-after: "), "{head}");
    for _ in 0..100 {
        assert!(outcome(&exchange_chains(address).await).0 == 200);
    }
    for stream in &mut slow.0 {
        assert_eq!(outcome(&rest(stream).await), (408, "request_timeout".to_owned()));
    }
    assert_eq!(ask().await.1, "missing_field", "there is room again");
    running.stop().await.unwrap();
}

async fn exchange_chains(address: std::net::SocketAddr) -> String {
    exchange(address, "GET /v1/chains HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_deep_body_is_refused_and_harms_nothing() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(40_000), format!("{}\"]\"", "[".repeat(9))] {
        assert_eq!(outcome(&exchange(address, measured(&deep)).await), (400, "too_deep".to_owned()));
    }
    running.stop().await.unwrap();
}

fn spend() -> Value {
    form(&transfer(&[note("alice", HUB_ID, 10, 1)], &[output("bob", HUB_ID, 10)], &["alice"])).1
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_what_stands_twice_or_is_unknown_is_refused() {
    let world = World::new();
    let running = world.start().await;
    let body = spend().to_string();
    let twice = |field: &str| {
        let at = body.find(&format!("\"{field}\":")).unwrap();
        format!("{}\"{field}\":\"1\",{}", &body[..at], &body[at..])
    };
    for field in ["deadline", "quantity", "owner", "salt"] {
        let (_, answer) = running.post("/v1/transfers", twice(field)).await;
        assert_eq!(answer["code"], "malformed_json", "{field}: {answer:#}");
    }
    let escaped = body.replacen("\"deadline\"", "\"deadlin\\u0065\":\"1\",\"deadline\"", 1);
    let (_, answer) = running.post("/v1/transfers", escaped).await;
    assert_eq!(answer["code"], "malformed_json", "the same name in other words: {answer:#}");
    for (path, code) in [
        ("/v1/roots?limit=1&limit=2", "ambiguous"),
        ("/v1/resources?owner=1&owner=2", "bad_hex"),
        ("/v1/roots?limit=1&Limit=2", "unknown_field"),
        ("/v1/events?after=1&after=1", "ambiguous"),
    ] {
        assert_eq!(running.get(path).await.1["code"], code, "{path}");
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn e7_numbers_that_readers_take_differently_are_refused() {
    let world = World::new();
    let running = world.start().await;
    let wrong =
        ["5", "1.0", "1e3", "18446744073709551616", "9007199254740993", "-0", "\"1e3\"", "\"0x5\"", "\"+5\""];
    for number in wrong.into_iter().chain(["\" 5\"", "\"\u{665}\"", "\"5.0\"", "\"\""]) {
        let body = spend().to_string().replacen(&format!("\"{DEADLINE}\""), number, 1);
        let (status, answer) = running.post("/v1/transfers", body).await;
        assert_eq!(
            (status.as_u16(), answer["code"].as_str()),
            (400, Some("bad_number")),
            "{number}: {answer:#}"
        );
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn e8_one_transfer_in_many_spellings_is_one_transfer() {
    let world = World::new();
    let running = world.start().await;
    let issued = running.accept(&issue(&note("alice", HUB_ID, 10, 1))).await;
    world.until(&running, &issued, "finalized").await;
    let written = spend();
    let shout = |value: &Value| {
        let digits = |text: &str| format!("0x{}", text[2..].to_uppercase());
        json!(value.as_str().filter(|text| text.starts_with("0x")).map_or(value.to_string(), digits))
    };
    let mut loud = written.clone();
    loud["signatures"][0] = shout(&written["signatures"][0]);
    for field in ["owner", "kind", "salt"] {
        loud["inputs"][0][field] = shout(&written["inputs"][0][field]);
    }
    let mut ids = Vec::new();
    for body in [written.to_string(), loud.to_string(), format!("{loud:#}")] {
        let (status, answer) = running.post("/v1/transfers", body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer:#}");
        ids.push(answer["id"].as_str().unwrap().to_owned());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let upper = format!("0x{}", ids[0][2..].to_uppercase());
    assert_eq!(running.get(&format!("/v1/transfers/{upper}")).await.1["id"], ids[0]);
    for wrong in [
        ids[0][2..].to_owned(),
        format!("0X{}", &ids[0][2..]),
        format!("{}0", ids[0]),
        ids[0][..65].to_owned(),
    ] {
        assert_eq!(
            running.get(&format!("/v1/transfers/{wrong}")).await.0,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn e12_no_path_or_header_of_a_client_becomes_a_metric() {
    let world = World::new();
    let running = world.start().await;
    for number in 0..200_u8 {
        let path = format!("/v1/{}/secretword{number}", B256::repeat_byte(number));
        assert_eq!(running.get(&path).await.0, StatusCode::NOT_FOUND);
    }
    let text = running.get_text("/metrics").await;
    assert!(text.contains("not_found") && !text.contains("secretword"), "{text}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn e15_a_flood_of_headers_is_refused() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    let many = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    let large = format!("x-large: {}\r\n", "x".repeat(64 << 10));
    for headers in [many, large] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        assert_eq!(outcome(&exchange(address, request).await).0, 431);
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    let body = b"{\"deadline\":\"\xff\xfe\"}";
    let mut request = hand_in(&format!("content-length: {}\r\n", body.len()), "").into_bytes();
    request.extend_from_slice(body);
    assert_eq!(outcome(&exchange(address, request).await), (400, "malformed_json".to_owned()));
    for (line, code) in [
        ("GET /v1/transfers/%ff%fe", "bad_value"),
        ("GET /v1/resources?owner=%ff", "bad_hex"),
        ("GET /v1/resources?%ff=1", "unknown_field"),
    ] {
        let answer = exchange(address, format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(outcome(&answer), (400, code.to_owned()), "{line}");
    }
    let tagged = b"GET /v1/events HTTP/1.1\r\nhost: a\r\nlast-event-id: \xff\r\n\r\n";
    assert_eq!(outcome(&exchange(address, tagged).await), (400, "bad_number".to_owned()));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_who_follow_than_there_is_room_for_are_told_to_come_back() {
    let world = World::new();
    let mut limits = hasty();
    limits.streams = 2;
    let running = world.start_with(limits).await;
    let address = listen(&running).await;
    let follow = "GET /v1/events HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut following = TcpStreams::open(address, 2, follow).await;
    for stream in &mut following.0 {
        assert!(head(stream).await.contains(" 200 "));
    }
    let refused = exchange(address, follow).await;
    assert_eq!(outcome(&refused), (503, "too_many_streams".to_owned()));
    assert!(refused.to_lowercase().contains("retry-after: "), "{refused}");
    following.0.pop();
    eventually("a place is free", async || {
        let mut next = send(address, follow).await;
        head(&mut next).await.contains(" 200 ")
    })
    .await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_followed_and_is_gone_holds_no_shutdown_up() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    let mut stream = send(address, "GET /v1/events?after=0 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(head(&mut stream).await.contains(" 200 "));
    stream.shutdown().await.unwrap();
    drop(stream);
    let begin = Instant::now();
    running.stop().await.unwrap();
    assert!(begin.elapsed() < IN_TIME);
    let gone = timeout(IN_TIME, tokio::net::TcpStream::connect(address)).await.unwrap();
    if let Ok(mut stream) = gone {
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }
}
