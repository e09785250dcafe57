//! The coordinator's HTTP API, as any client sees it.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::FINALIZED_WITHIN;
use crate::waiting::{block_on, wait_until};

/// Longest time for one exchange.
const EXCHANGE: Duration = Duration::from_secs(20);

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type, without parameters.
    pub content_type: String,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `Allow` header.
    pub allow: Option<String>,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An HTTP service.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it is, without a slash at its end.
    pub base: String,
    client: reqwest::Client,
}

impl Api {
    /// The service at this base URL.
    pub fn new(base: &str) -> Self {
        let client = hypha_chain::net::client().expect("a client needs nothing but memory");
        Self { base: base.trim_end_matches('/').to_owned(), client }
    }

    /// The client, for what the methods here do not do.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends a request; `None` when the service cannot be reached.
    pub fn try_send(&self, request: RequestBuilder) -> Option<Answer> {
        block_on(async {
            let response = request.timeout(EXCHANGE).send().await.ok()?;
            let header =
                |name| response.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
            let content_type = header("content-type").unwrap_or_default();
            Some(Answer {
                status: response.status().as_u16(),
                content_type: content_type.split(';').next().unwrap_or_default().to_owned(),
                location: header("location"),
                allow: header("allow"),
                text: response.text().await.ok()?,
            })
        })
    }

    /// Sends a request of any method, with a body and its content type where one is given.
    ///
    /// # Panics
    /// When the service cannot be reached.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, String)>) -> Answer {
        let method: Method = method.parse().expect("a method");
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        self.try_send(request).unwrap_or_else(|| panic!("{method} {path}: {} is not reachable", self.base))
    }

    /// What a GET answers, if it answers 200.
    pub fn try_get(&self, path: &str) -> Option<Value> {
        let answer = self.try_send(self.client.get(format!("{}{path}", self.base)))?;
        (answer.status == 200).then(|| answer.json())
    }

    /// What a GET answers.
    ///
    /// # Panics
    /// When it is not 200.
    pub fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, None);
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer.json()
    }

    /// Posts JSON.
    ///
    /// # Panics
    /// When the service cannot be reached.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(("application/json", body.to_string())))
    }

    /// Posts an operation that must be taken in, and gives its id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn submit(&self, collection: &str, body: &Value) -> String {
        let answer = self.post(&format!("/v1/{collection}"), body);
        assert_eq!(answer.status, 202, "POST /v1/{collection} {body}: {answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until an operation is finalized, and gives all that the service says of it.
    ///
    /// # Panics
    /// When it is rejected or late.
    pub fn finalized(&self, id: &str) -> Value {
        wait_until(&format!("{id} is finalized"), FINALIZED_WITHIN, || {
            let view = self.try_get(&format!("/v1/transfers/{id}"))?;
            assert_ne!(view["status"], "rejected", "{view}");
            (view["status"] == "finalized").then_some(view)
        })
    }
}
