//! Serves a router over HTTP/1.1 so that no peer can hold the service: silent, slow and too many connections, and peers that do not
//! read their answer, are bounded here. Deadlines of requests and limits of bodies are layers of the router's owner, who knows the
//! routes.

mod seat;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use seat::{Answer, Hall, Seat};

/// How long and how many.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at once. For a further one the connection that has waited longest for a request is closed; while each has a
    /// request under way, it waits in the system's queue.
    pub connections: usize,
    /// Time for a whole request head, counted from the connection's opening or from the answer before: so an idle
    /// connection ends after it too.
    pub head: Duration,
    /// How long a peer may take nothing of an answer.
    pub write: Duration,
    /// Time that running requests get after the shutdown began.
    pub drain: Duration,
}

impl Default for ServeLimits {
    /// 1024 connections (the usual limit of open files), 8 s for a head, 10 s without a byte taken, 10 s to drain.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connections: 1024, head: seconds(8), write: seconds(10), drain: seconds(10) }
    }
}

/// Pause after a failed accept: when the process has no file left, trying at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a request head: far above what any of our clients sends.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Seconds after which a peer that was told to go may come again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// [`serve_within`] the default [`ServeLimits`].
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_within(ServeLimits::default(), listener, router, shutdown).await;
}

/// Serves until `shutdown` is ready; then accepts no more, lets running requests end, and cuts what is left when the
/// drain's time is over. Handlers find the peer's address as `ConnectInfo<SocketAddr>`.
pub async fn serve_within(
    limits: ServeLimits,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let (slots, hall) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Hall::default()));
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    // Kept over the rounds: it makes room once for each connection.
    let newcomer = async || (accept(&listener).await, room(&slots, &hall).await);
    let mut next = Box::pin(newcomer());
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, slot) = &mut next => {
                next.set(newcomer());
                let (router, seat, closed) = (router.clone(), Seat::take(&hall), closed.clone());
                connections.spawn(async move {
                    connection(stream, router, limits, seat, closed).await;
                    drop(slot);
                });
            }
            // Ended connections leave the set at once, so that it holds no more than there are slots.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(next);
    drop(listener);
    closing.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(left = connections.len(), "connections cut at shutdown");
        connections.shutdown().await;
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A slot for a connection, if need be that of one which waits for a request.
async fn room(slots: &Arc<Semaphore>, hall: &Hall) -> OwnedSemaphorePermit {
    const OPEN: &str = "the semaphore is never closed";
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return slot;
    }
    let slot = Arc::clone(slots).acquire_owned();
    let mut slot = std::pin::pin!(slot);
    while !hall.dismiss_oldest() {
        tokio::select! {
            slot = &mut slot => return slot.expect(OPEN),
            () = hall.entered() => {}
        }
    }
    slot.await.expect(OPEN)
}

/// Serves one connection to its end.
async fn connection(
    stream: TcpStream,
    router: Router,
    limits: ServeLimits,
    seat: Arc<Seat>,
    mut closed: watch::Receiver<bool>,
) {
    // A peer that is gone already needs no service; without a delay short answers leave at once.
    let (Ok(peer), Ok(())) = (stream.peer_addr(), stream.set_nodelay(true)) else { return };
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write));
    let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
        let seat = seat.clone();
        // A router is always ready, so that asking first would change nothing.
        let answer = seat.begin().then(|| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        async move {
            let answer = match answer {
                Some(answer) => answer.await.unwrap_or_else(|never| match never {}),
                None => go_away(),
            };
            Ok::<_, Infallible>(answer.map(|body| Answer::new(body, seat)))
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = seat.dismissed() => {
            tracing::debug!(%peer, "connection closed: another one needed the room");
            return;
        }
        // An error means that the server is gone, which is a shutdown as well.
        _ = async { closed.wait_for(|closing| *closing).await.is_ok() } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// The answer to a request that comes just when its connection has to go.
fn go_away() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);
    const SHORT: Duration = Duration::from_millis(100);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    struct Server {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    }

    async fn start(limits: ServeLimits, router: Router) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { stopped.await.unwrap_or_default() };
        Server { address, stop, task: tokio::spawn(serve_within(limits, listener, router, shutdown)) }
    }

    fn hello() -> Router {
        Router::new()
            .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()))
    }

    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut text)).await;
        read.expect("the connection ends in time").ok();
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn a_silent_a_slow_and_an_idle_connection_end() {
        let limits = ServeLimits { head: SHORT, ..ServeLimits::default() };
        let server = start(limits, hello()).await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        idle.write_all(REQUEST).await.unwrap();
        assert!(!rest(&mut silent).await.contains("200 OK"));
        assert!(!rest(&mut slow).await.contains("200 OK"));
        let answer = rest(&mut idle).await;
        assert!(answer.contains("200 OK") && answer.ends_with("127.0.0.1"), "{answer}");
    }

    /// A server with one request under way, which ends when it is notified, and the connection of that request.
    async fn busy(limits: ServeLimits) -> (Server, Arc<tokio::sync::Notify>, TcpStream) {
        let (entered, mut entries) = tokio::sync::mpsc::unbounded_channel();
        let release = Arc::new(tokio::sync::Notify::new());
        let waiting = Arc::clone(&release);
        let handler = async move || {
            entered.send(()).ok();
            waiting.notified().await;
            "whole"
        };
        let server = start(limits, Router::new().route("/", get(handler))).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        entries.recv().await.unwrap();
        (server, release, stream)
    }

    #[tokio::test]
    async fn a_connection_above_the_cap_waits_while_all_others_are_served() {
        let limits = ServeLimits { connections: 1, head: DEADLINE * 9, ..ServeLimits::default() };
        let (server, release, mut first) = busy(limits).await;
        let mut second = TcpStream::connect(server.address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        let mut byte = [0];
        assert!(tokio::time::timeout(SHORT, second.read(&mut byte)).await.is_err(), "served above the cap");
        release.notify_one();
        tokio::time::timeout(DEADLINE, first.read_exact(&mut byte)).await.unwrap().unwrap();
        release.notify_one();
        tokio::time::timeout(DEADLINE, second.read_exact(&mut byte)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn silent_and_idle_connections_make_room_for_those_who_ask() {
        let limits = ServeLimits { connections: 2, head: DEADLINE * 9, ..ServeLimits::default() };
        let server = start(limits, hello()).await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        let (mut byte, mut idle) = ([0], Vec::new());
        for _ in 0..20 {
            let mut asks = TcpStream::connect(server.address).await.unwrap();
            asks.write_all(REQUEST).await.unwrap();
            tokio::time::timeout(DEADLINE, asks.read_exact(&mut byte)).await.unwrap().unwrap();
            idle.push(asks);
        }
        assert_eq!(rest(&mut silent).await, "", "the one that had waited longest went first");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_its_answer_is_cut() {
        // More than the system's own buffers take.
        let large = Router::new().route("/", get(async || vec![b'x'; 64 << 20]));
        let limits = ServeLimits { write: SHORT, head: DEADLINE * 9, ..ServeLimits::default() };
        let server = start(limits, large).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        server.stop.send(()).unwrap();
        // The server does not end before the connection has.
        tokio::time::timeout(DEADLINE, server.task).await.unwrap().unwrap();
        assert!(rest(&mut stream).await.len() < 64 << 20);
    }

    #[tokio::test]
    async fn shutdown_lets_a_running_request_end_and_then_closes_its_connection() {
        let limits = ServeLimits { head: DEADLINE * 9, drain: DEADLINE * 9, ..ServeLimits::default() };
        let (server, release, mut stream) = busy(limits).await;
        server.stop.send(()).unwrap();
        tokio::time::timeout(DEADLINE, async { while TcpStream::connect(server.address).await.is_ok() {} })
            .await
            .expect("the listener closes in time");
        release.notify_one();
        assert!(rest(&mut stream).await.ends_with("whole"));
        tokio::time::timeout(DEADLINE, server.task).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn shutdown_cuts_a_request_that_never_ends() {
        let (server, _release, mut stream) =
            busy(ServeLimits { drain: SHORT, ..ServeLimits::default() }).await;
        server.stop.send(()).unwrap();
        assert_eq!(rest(&mut stream).await, "");
        tokio::time::timeout(DEADLINE, server.task).await.unwrap().unwrap();
    }
}
