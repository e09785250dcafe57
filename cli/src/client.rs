//! The coordinator's HTTP API as a client sees it: typed answers, and refusals as the problem documents they are.

use std::time::Duration;

use alloy::primitives::{Address, B256};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::events::Events;
use crate::exit::CliError;
use crate::forms::{Accepted, ChainsView, NoteView, NotesPage, OperationView, ProofView};

/// The longest answer that is read: a full page of notes is about 1 MB, a batch with its witness less.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// How long one request may take. The service answers from memory, or after one write to its disk.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Notes asked for at once; the service's own largest page.
const NOTES_A_PAGE: usize = 1000;
/// Pages of one owner's notes that are read before a narrower question is asked for: a million notes.
const MAX_PAGES: usize = 1000;

/// Environment variable of the API key, for a coordinator that wants one.
const API_KEY_VARIABLE: &str = "HYPHA_API_KEY";

/// An RFC 9457 problem document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// Stable URN of the kind of problem.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What the kind of problem is called.
    pub(crate) title: String,
    /// HTTP status.
    pub(crate) status: u16,
    /// What is wrong with this request.
    pub(crate) detail: String,
    /// Stable word that programs compare.
    pub(crate) code: String,
    /// Whether the same request can succeed later.
    pub(crate) retryable: bool,
    /// What else the service says, by problem.
    #[serde(flatten)]
    pub(crate) members: Map<String, Value>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}: {}",
            self.code,
            if self.detail.is_empty() { &self.title } else { &self.detail }
        )?;
        if self.retryable { formatter.write_str(" (trying again later can help)") } else { Ok(()) }
    }
}

/// Which notes are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NoteQuery {
    /// Their owner.
    pub(crate) owner: Option<Address>,
    /// Chain id that they belong to.
    pub(crate) domain: Option<u64>,
    /// Their kind.
    pub(crate) kind: Option<B256>,
    /// Unspent ones, spent ones, or all.
    pub(crate) unspent: Option<bool>,
}

/// What a service lets one in for. It is never shown.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// A token or a key, as it was read.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("…")
    }
}

/// A coordinator.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
    secret: Option<Secret>,
}

impl Client {
    /// A client of the coordinator at this base URL, with the API key of the environment if there is one.
    pub(crate) fn new(base: &str) -> Result<Self, CliError> {
        let key = std::env::var(API_KEY_VARIABLE).ok().filter(|key| !key.is_empty());
        Self::with_secret(base, key.map(Secret))
    }

    /// A client that shows this with each request.
    pub(crate) fn with_secret(base: &str, secret: Option<Secret>) -> Result<Self, CliError> {
        let http = hypha_chain::net::client().map_err(|error| CliError::Failed(error.into()))?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http, secret })
    }

    /// Asks the operator's listener.
    pub(crate) async fn ask(&self, path: &str) -> Result<Value, CliError> {
        self.get(path, &[]).await
    }

    /// Tells the coordinator something on the operator's listener.
    pub(crate) async fn tell(&self, path: &str) -> Result<Value, CliError> {
        self.send(self.http.post(format!("{}{path}", self.base))).await
    }

    /// The request with the secret, if there is one.
    fn shown(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.secret {
            Some(Secret(secret)) => request.bearer_auth(secret),
            None => request,
        }
    }

    /// Hands in a transfer or an issue; `collection` is `transfers` or `issues`.
    pub(crate) async fn submit(
        &self,
        collection: &str,
        operation: &impl Serialize,
    ) -> Result<Accepted, CliError> {
        let body = serde_json::to_vec(operation).map_err(|error| CliError::Failed(error.into()))?;
        let url = format!("{}/v1/{collection}", self.base);
        self.send(self.http.post(url).header("content-type", "application/json").body(body)).await
    }

    /// How far an operation has come.
    pub(crate) async fn operation(&self, id: &str) -> Result<OperationView, CliError> {
        self.get(&format!("/v1/transfers/{id}"), &[]).await
    }

    /// The chains, and the EIP-712 domain that operations are signed for.
    pub(crate) async fn chains(&self) -> Result<ChainsView, CliError> {
        self.get("/v1/chains", &[]).await
    }

    /// All notes that answer to the query.
    pub(crate) async fn notes(&self, query: &NoteQuery) -> Result<Vec<NoteView>, CliError> {
        let mut notes = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut asked = note_parameters(query);
            asked.extend(cursor.take().map(|place| ("cursor", place)));
            let page: NotesPage = self.get("/v1/resources", &asked).await?;
            notes.extend(page.resources);
            match page.cursor {
                Some(place) => cursor = Some(place),
                None => return Ok(notes),
            }
        }
        Err(CliError::Usage(format!(
            "more than {} notes: ask for one domain and kind",
            MAX_PAGES * NOTES_A_PAGE
        )))
    }

    /// The proof of a key at the root that a chain holds now, or at an index, or at the latest final one.
    pub(crate) async fn proof(
        &self,
        key: B256,
        chain: Option<u64>,
        index: Option<u64>,
    ) -> Result<ProofView, CliError> {
        let chain = chain.map(|chain| ("chain", chain.to_string()));
        let index = index.map(|index| ("index", index.to_string()));
        self.get(&format!("/v1/proofs/{key}"), &chain.into_iter().chain(index).collect::<Vec<_>>()).await
    }

    /// Opens the stream of events after a sequence, or of those that happen from now on. It has no deadline of its own.
    pub(crate) async fn events(&self, after: Option<u64>) -> Result<Events, CliError> {
        let mut request = self.http.get(format!("{}/v1/events", self.base));
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let sent = tokio::time::timeout(REQUEST_TIMEOUT, self.shown(request).send()).await;
        let late = |_| CliError::Unreachable { what: self.base.clone(), why: "no answer in time".into() };
        let mut response = sent.map_err(late)?.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Events::new(self.base.clone(), response));
        }
        let read = tokio::time::timeout(REQUEST_TIMEOUT, self.body(&mut response)).await;
        Err(CliError::Refused(Box::new(read_problem(status.as_u16(), &read.map_err(late)??))))
    }

    /// Whether the service is ready to work.
    pub(crate) async fn ready(&self) -> Result<Value, CliError> {
        self.get("/readyz", &[]).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, CliError> {
        let mut url = format!("{}{path}", self.base);
        for (position, (name, value)) in query.iter().enumerate() {
            // Values are numbers, hex or the service's own cursors; all that would need escaping is refused by it.
            url.push_str(&format!("{}{name}={value}", if position == 0 { '?' } else { '&' }));
        }
        self.send(self.http.get(url)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, CliError> {
        let sent = self.shown(request).timeout(REQUEST_TIMEOUT).send().await;
        let mut response = sent.map_err(|error| self.unreachable(error))?;
        let body = self.body(&mut response).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(CliError::Refused(Box::new(read_problem(status.as_u16(), &body))));
        }
        serde_json::from_slice(&body).map_err(|error| {
            CliError::Failed(anyhow::anyhow!("{}: an answer that is not understood: {error}", self.base))
        })
    }

    /// The whole of an answer, of at most [`MAX_ANSWER_BYTES`].
    async fn body(&self, response: &mut reqwest::Response) -> Result<Vec<u8>, CliError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                let what = format!("{}: an answer over {MAX_ANSWER_BYTES} bytes", self.base);
                return Err(CliError::Failed(anyhow::anyhow!(what)));
            }
        }
        Ok(body)
    }

    fn unreachable(&self, error: reqwest::Error) -> CliError {
        CliError::Unreachable { what: self.base.clone(), why: deepest_cause(&error.without_url()) }
    }
}

fn note_parameters(query: &NoteQuery) -> Vec<(&'static str, String)> {
    let mut asked = vec![("limit", NOTES_A_PAGE.to_string())];
    asked.extend(query.owner.map(|owner| ("owner", format!("{owner:#x}"))));
    asked.extend(query.domain.map(|domain| ("domain", domain.to_string())));
    asked.extend(query.kind.map(|kind| ("kind", kind.to_string())));
    asked.extend(query.unspent.map(|unspent| ("unspent", unspent.to_string())));
    asked
}

/// The problem document in a refusal; a refusal without one (from a proxy in between, say) gets a code from its status.
fn read_problem(status: u16, body: &[u8]) -> Problem {
    let document: Option<Problem> = serde_json::from_slice(body).ok();
    document.filter(|problem| !problem.code.is_empty()).unwrap_or_else(|| Problem {
        title: format!("HTTP status {status}"),
        status,
        detail: String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned(),
        code: format!("http_{status}"),
        retryable: status >= 500,
        ..Problem::default()
    })
}

/// The last "caused by" of an error: for a failed connection the operating system's own words.
fn deepest_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that gives one answer to one request, and what it was asked.
    async fn answer_once(answer: String) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (base, asked)
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_problem_document_keeps_its_code_and_members() {
        let body = r#"{"type":"urn:hypha:problem:input_spent","title":"Spent","status":409,"detail":"input 0 is spent",
            "code":"input_spent","retryable":false,"spender":"0xaa"}"#;
        let (base, asked) = answer_once(http("409 Conflict", body)).await;
        let error = Client::new(&base).unwrap().submit("transfers", &Value::Null).await.unwrap_err();
        let CliError::Refused(problem) = &error else { panic!("{error}") };
        assert_eq!((problem.code.as_str(), problem.status), ("input_spent", 409));
        assert_eq!(problem.members["spender"], "0xaa");
        assert_eq!(problem.to_string(), "input_spent: input 0 is spent");
        assert!(asked.await.unwrap().starts_with("POST /v1/transfers "));
    }

    #[tokio::test]
    async fn a_refusal_without_a_document_gets_a_code_from_its_status() {
        for body in ["<html>", r#"{"message":"down"}"#] {
            let (base, _) = answer_once(http("502 Bad Gateway", body)).await;
            let error = Client::new(&base).unwrap().chains().await.unwrap_err();
            let CliError::Refused(problem) = &error else { panic!("{error}") };
            assert_eq!((problem.code.as_str(), problem.retryable), ("http_502", true));
            assert_eq!(problem.detail, body);
        }
    }

    #[tokio::test]
    async fn a_secret_is_sent_in_a_header_and_shown_nowhere_else() {
        let (base, asked) = answer_once(http("200 OK", "{}")).await;
        let client = Client::with_secret(&base, Some(Secret::new("s3cret"))).unwrap();
        client.tell("/admin/pause").await.unwrap();
        let asked = asked.await.unwrap().to_lowercase();
        assert!(
            asked.starts_with("post /admin/pause http") && asked.contains("authorization: bearer s3cret")
        );
        assert!(!format!("{client:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn nobody_listening_is_unreachable() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Client::new(&base).unwrap().chains().await.unwrap_err();
        assert!(matches!(error, CliError::Unreachable { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_query_names_only_what_is_asked() {
        let (base, asked) = answer_once(http("200 OK", r#"{"resources":[]}"#)).await;
        let query = NoteQuery { domain: Some(5), unspent: Some(true), ..NoteQuery::default() };
        assert!(Client::new(&base).unwrap().notes(&query).await.unwrap().is_empty());
        assert!(asked.await.unwrap().starts_with("GET /v1/resources?limit=1000&domain=5&unspent=true "));
    }
}
