//! A coordinator on a real listener, and what goes over the wire byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use hypha_coordinator::config::LimitsConfig;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world::*;

/// Longest wait for an answer, or for the end of a connection.
pub(crate) const IN_TIME: Duration = Duration::from_secs(20);

/// A request without a body.
pub(crate) const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

/// Limits with which what takes too long ends soon.
pub(crate) fn hasty() -> LimitsConfig {
    LimitsConfig { head_ms: 300, request_ms: 2_000, ..LimitsConfig::default() }
}

/// Serves the coordinator's API as `run` does.
pub(crate) async fn listen(running: &Running) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(running.service.serve(listener));
    address
}

/// A connection with this sent.
pub(crate) async fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who has been refused already may have hung up.
    stream.write_all(bytes.as_ref()).await.ok();
    stream
}

/// All that comes until the connection ends.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(IN_TIME, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    read.expect("the connection ends in time").ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everything that is answered to these bytes.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    rest(&mut send(address, bytes).await).await
}

/// The head of an answer, as soon as it is there.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(IN_TIME, read).await.expect("an answer in time");
    String::from_utf8(bytes).unwrap()
}

/// How many answers there are.
pub(crate) fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

/// Status of the first answer, and its code when it is a problem document.
pub(crate) fn outcome(answer: &str) -> (u16, String) {
    let status = answer.get(9..12).and_then(|digits| digits.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let document: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let code = document["code"].as_str().unwrap_or_default().to_owned();
    (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), code)
}

/// A request that hands in a transfer, with these headers and this body.
pub(crate) fn hand_in(headers: &str, body: &str) -> String {
    format!("POST /v1/transfers HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{headers}\r\n{body}")
}

/// A request that hands in a body of this length.
pub(crate) fn measured(body: &str) -> String {
    hand_in(&format!("content-length: {}\r\n", body.len()), body)
}
