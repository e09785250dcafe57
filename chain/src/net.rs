//! Outbound HTTP: one client for all, and the port [`Net`] over it.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, Response};

use crate::error::NetError;
use crate::ports::Net;

/// Time for a whole exchange between our own services.
pub const NET_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to connect: a peer that is down is found out well before a call's own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client that follows no redirect (an endpoint is the one configured, no other) and takes no proxy from the
/// environment. Its connections are pooled; cloning it is cheap.
///
/// # Errors
/// [`NetError::Transport`] when the system's certificates cannot be read.
pub fn client() -> Result<Client, NetError> {
    // Fails only when a provider is installed already, which then serves as well.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
        .map_err(|error| NetError::Transport(words(error)))
}

/// An error's words and those of its causes, without the URL, which may hold a secret.
pub(crate) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    crate::error::shorten(&text)
}

/// The body of an answer, at most `limit` bytes of it: a longer one is refused while it is read.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, NetError> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(NetError::TooLarge(limit));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| NetError::Transport(words(error)))? {
        if bytes.len() + chunk.len() > limit {
            return Err(NetError::TooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// [`Net`] over HTTP, each exchange within [`NET_TIMEOUT`].
#[derive(Clone, Debug)]
pub struct HttpNet {
    client: Client,
    timeout: Duration,
}

impl HttpNet {
    /// A client of its own.
    ///
    /// # Errors
    /// As [`client`].
    pub fn new() -> Result<Self, NetError> {
        Ok(Self { client: client()?, timeout: NET_TIMEOUT })
    }

    async fn exchange(&self, request: RequestBuilder, limit: usize) -> Result<Vec<u8>, NetError> {
        let exchange = async {
            let response = request.send().await.map_err(|error| {
                if error.is_builder() { NetError::Address } else { NetError::Transport(words(error)) }
            })?;
            if !response.status().is_success() {
                return Err(NetError::Status(response.status().as_u16()));
            }
            body(response, limit).await
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(NetError::Timeout(self.timeout)))
    }
}

#[async_trait]
impl Net for HttpNet {
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, NetError> {
        self.exchange(self.client.get(url), limit).await
    }

    async fn post(&self, url: &str, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, NetError> {
        let request = self.client.post(url).header("content-type", "application/json").body(body);
        self.exchange(request, limit).await
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::routing::{get, post};
    use axum::{Router, http::StatusCode};
    use futures::stream;

    use super::*;

    /// Serves a few answers on a free port and gives its address.
    async fn peer() -> String {
        let router = Router::new()
            .route("/ten", get(async || "0123456789"))
            .route(
                "/chunks",
                get(async || Body::from_stream(stream::iter(["01234", "56789"].map(Ok::<_, Infallible>)))),
            )
            .route("/busy", get(async || StatusCode::SERVICE_UNAVAILABLE))
            .route("/moved", get(async || (StatusCode::FOUND, [("location", "/ten")])))
            .route("/silent", get(async || std::future::pending::<()>().await))
            .route("/echo", post(async |body: String| (StatusCode::ACCEPTED, body)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(crate::http::serve(listener, router, std::future::pending()));
        format!("http://{address}")
    }

    #[tokio::test]
    async fn answers_come_back_whole_or_as_a_typed_error() {
        let (net, url) = (HttpNet::new().unwrap(), peer().await);
        assert_eq!(net.get(&format!("{url}/ten"), 10).await, Ok(b"0123456789".to_vec()));
        assert_eq!(net.get(&format!("{url}/ten"), 9).await, Err(NetError::TooLarge(9)));
        assert_eq!(net.get(&format!("{url}/chunks"), 10).await, Ok(b"0123456789".to_vec()));
        assert_eq!(
            net.get(&format!("{url}/chunks"), 9).await,
            Err(NetError::TooLarge(9)),
            "of no stated length"
        );
        assert_eq!(net.get(&format!("{url}/busy"), 9).await, Err(NetError::Status(503)));
        assert_eq!(net.get(&format!("{url}/moved"), 9).await, Err(NetError::Status(302)));
        assert_eq!(net.post(&format!("{url}/echo"), b"{}".to_vec(), 9).await, Ok(b"{}".to_vec()));
        assert_eq!(net.get("no address", 9).await, Err(NetError::Address));
    }

    #[tokio::test]
    async fn a_silent_peer_is_left_in_time() {
        let url = peer().await;
        let net = HttpNet { client: client().unwrap(), timeout: Duration::from_millis(50) };
        assert_eq!(net.get(&format!("{url}/silent"), 9).await, Err(NetError::Timeout(net.timeout)));
    }

    #[tokio::test]
    async fn a_peer_that_is_down_is_named_without_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = HttpNet::new().unwrap().get(&format!("http://{address}/secret"), 9).await.unwrap_err();
        assert!(error.is_retryable());
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
