//! Serves a router over HTTP/1.1 so that no peer can hold the service: silent, slow and too many connections are
//! bounded here. Deadlines of requests and limits of bodies are layers of the router's owner, who knows the routes.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::Service;

/// How long and how many.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at once; further ones wait in the system's queue.
    pub connections: usize,
    /// Time for a whole request head, counted from the connection's opening or from the answer before: so an idle
    /// connection ends after it too.
    pub head: Duration,
    /// Time that running requests get after the shutdown began.
    pub drain: Duration,
}

impl Default for ServeLimits {
    /// 1024 connections (the usual limit of open files), 10 s for a head, 10 s to drain.
    fn default() -> Self {
        Self { connections: 1024, head: Duration::from_secs(10), drain: Duration::from_secs(10) }
    }
}

/// Pause after a failed accept: when the process has no file left, trying at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a request head: far above what any of our clients sends.
const MAX_HEAD_BYTES: usize = 32 * 1024;

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
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, slot) = accept(&listener, &slots) => {
                let (router, closed) = (router.clone(), closed.clone());
                connections.spawn(async move {
                    connection(stream, router, limits.head, closed).await;
                    drop(slot);
                });
            }
            // Ended connections leave the set at once, so that it holds no more than there are slots.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    closing.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(left = connections.len(), "connections cut at shutdown");
        connections.shutdown().await;
    }
}

/// The next connection, once there is a slot for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, head: Duration, mut closed: watch::Receiver<bool>) {
    // A peer that is gone already needs no service; without a delay short answers leave at once.
    let (Ok(peer), Ok(())) = (stream.peer_addr(), stream.set_nodelay(true)) else { return };
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready, so that asking first would change nothing.
        let answer = router.clone().call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
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

    #[tokio::test]
    async fn a_connection_above_the_cap_waits_for_a_slot() {
        let server = start(ServeLimits { connections: 1, ..ServeLimits::default() }, hello()).await;
        let mut first = TcpStream::connect(server.address).await.unwrap();
        first.write_all(REQUEST).await.unwrap();
        let mut byte = [0];
        first.read_exact(&mut byte).await.unwrap();
        let mut second = TcpStream::connect(server.address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        assert!(tokio::time::timeout(SHORT, second.read(&mut byte)).await.is_err(), "served above the cap");
        drop(first);
        tokio::time::timeout(DEADLINE, second.read_exact(&mut byte)).await.unwrap().unwrap();
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
