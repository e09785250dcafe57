//! E9 of the catalogue of attacks: requests that two readers could take for different ones. None is answered as two, and none has an
//! effect.

use super::wire::*;
use super::world::*;

/// What would be smuggled in.
const SECOND: &str = HEALTH;

/// Headers that measure a body, each in a way that readers differ about.
const LENGTHS: [&str; 19] = [
    "content-length: 5\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    "content-length: 2\r\ncontent-length: 3\r\n",
    "content-length: 2, 2\r\n",
    "content-length: +2\r\n",
    "content-length: -2\r\n",
    "content-length: 0x2\r\n",
    "content-length: 2 2\r\n",
    "content-length: 2.0\r\n",
    "content-length: \r\n",
    "content-length: 99999999999999999999\r\n",
    "content-length : 2\r\n",
    "transfer-encoding: identity\r\n",
    "transfer-encoding: chunked, identity\r\n",
    "transfer-encoding: xchunked\r\n",
    "transfer-encoding : chunked\r\n",
    "transfer-encoding:\r\n chunked\r\n",
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: \x0bchunked\r\n",
];

/// Bodies in chunks that are none.
const CHUNKS: [&str; 9] = [
    "0x2\r\n{}\r\n0\r\n\r\n",
    "-2\r\n{}\r\n0\r\n\r\n",
    "+2\r\n{}\r\n0\r\n\r\n",
    "2 2\r\n{}\r\n0\r\n\r\n",
    "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}0\r\n\r\n",
    "\r\n{}\r\n0\r\n\r\n",
    "2;a\n{}\r\n0\r\n\r\n",
    "g\r\n{}\r\n0\r\n\r\n",
];

/// Requests that are wrong in their head.
const HEADS: [&str; 13] = [
    "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
    "GET /v1/events HTTP/1.1\r\nhost: a\r\nlast-event-id: 1\r\nlast-event-id: 2\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n",
    "GET /healthz HTTP/1.1\r\n host: a\r\n\r\n",
    "GET /healthz HTTP/1.2\r\nhost: a\r\n\r\n",
    "GET\t/healthz\tHTTP/1.1\r\nhost: a\r\n\r\n",
    "\0GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /healthz HTTP/1.1 x\r\nhost: a\r\n\r\n",
    "\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03",
];

#[tokio::test(flavor = "multi_thread")]
async fn e9_no_ambiguous_request_is_taken_for_two_or_has_an_effect() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    let lengths = LENGTHS.iter().map(|headers| hand_in(headers, &format!("0\r\n\r\n{SECOND}")));
    let chunks =
        CHUNKS.iter().map(|body| hand_in("transfer-encoding: chunked\r\n", &format!("{body}{SECOND}")));
    let heads = HEADS.iter().map(|head| format!("{head}{SECOND}"));
    let types = hand_in("content-type: text/plain\r\ncontent-length: 2\r\n", &format!("{{}}{SECOND}"));
    let old =
        hand_in("transfer-encoding: chunked\r\n", &format!("0\r\n\r\n{SECOND}")).replacen("/1.1", "/1.0", 1);
    let all: Vec<String> = lengths.chain(chunks).chain(heads).chain([types, old]).collect();
    assert!(all.len() >= 40);
    let mut wrong = Vec::new();
    for request in all {
        let answer = exchange(address, &request).await;
        // What is no HTTP/1 at all is answered by the end of the connection.
        let is_refused = answers(&answer) == 1 && (400..500).contains(&outcome(&answer).0);
        if !(is_refused || answer.is_empty()) || answer.contains("ok\n") {
            wrong.push(format!("{request:?}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_whole_request_is_the_next_one_and_a_body_is_never_one() {
    let world = World::new();
    let running = world.start_with(hasty()).await;
    let address = listen(&running).await;
    assert_eq!(answers(&exchange(address, format!("{HEALTH}{HEALTH}")).await), 2);
    let swallowed =
        format!("GET /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{SECOND}", SECOND.len());
    assert_eq!(answers(&exchange(address, swallowed).await), 1);
    // Two equal lengths are one (RFC 9112, section 6.3).
    let equal = hand_in("content-length: 2\r\ncontent-length: 2\r\n", &format!("{{}}{SECOND}"));
    assert_eq!(answers(&exchange(address, equal).await), 2);
    let refused = format!("{}{SECOND}", measured("{}"));
    assert_eq!(
        answers(&exchange(address, refused).await),
        2,
        "a body that was read whole ends where it ends"
    );
    running.stop().await.unwrap();
}
