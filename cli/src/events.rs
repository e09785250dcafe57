//! Server-sent events as they come over a connection, a message at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest silence of a stream that lives: the service says something every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest message that is read: events have a few hundred bytes.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Something that happened to a transfer, an issue or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Happening {
    /// Its place in the order of all that happened.
    pub(crate) sequence: String,
    /// Id of the operation.
    pub(crate) transfer: String,
    /// The request, when it came by a chain's queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<serde_json::Value>,
    /// Status word.
    pub(crate) status: String,
    /// The chain where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) chain_id: Option<String>,
    /// The index that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<String>,
    /// Unix milliseconds.
    pub(crate) at: u64,
}

/// One message of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// From where to resume.
    pub(crate) id: Option<u64>,
    /// What happened; none in a message that only says from where to resume.
    pub(crate) happening: Option<Happening>,
}

/// Why a stream gives no more; it can be opened again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The connection ended.
    #[error("the connection ended")]
    Ended,
    /// The service, or what stands between, went silent.
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silent,
    /// What came is no stream of events.
    #[error("what came is not understood")]
    NotUnderstood,
}

/// An open stream.
pub(crate) struct Events {
    response: reqwest::Response,
    unread: Vec<u8>,
}

impl Events {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self { response, unread: Vec::new() }
    }

    /// The next message, once it has come whole.
    pub(crate) async fn next(&mut self) -> Result<Message, Broken> {
        loop {
            if let Some(message) = take(&mut self.unread)? {
                return Ok(message);
            }
            let chunk =
                tokio::time::timeout(SILENCE, self.response.chunk()).await.map_err(|_| Broken::Silent)?;
            let chunk = chunk.ok().flatten().ok_or(Broken::Ended)?;
            self.unread.extend_from_slice(&chunk);
            if self.unread.len() > MAX_MESSAGE_BYTES {
                return Err(Broken::NotUnderstood);
            }
        }
    }
}

/// Takes the first whole message that says anything; comments, which keep the connection alive, are passed over.
fn take(unread: &mut Vec<u8>) -> Result<Option<Message>, Broken> {
    while let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
        let block: Vec<u8> = unread.drain(..end + 2).collect();
        let block = std::str::from_utf8(&block).map_err(|_| Broken::NotUnderstood)?;
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
        let id = field("id:").and_then(|id| id.parse().ok());
        let happening = field("data:").map(serde_json::from_str).transpose();
        let happening = happening.map_err(|_| Broken::NotUnderstood)?;
        if id.is_some() || happening.is_some() {
            return Ok(Some(Message { id, happening }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Message> {
        let mut unread = text.as_bytes().to_vec();
        let mut messages = Vec::new();
        while let Some(message) = take(&mut unread).unwrap() {
            messages.push(message);
        }
        messages
    }

    const EVENT: &str = "id: 7\nevent: delivered\ndata: {\"sequence\":\"7\",\"transfer\":\"0x1\",\
        \"status\":\"delivered\",\"chainId\":\"1\",\"at\":5}\n\n";

    #[test]
    fn messages_come_out_whole_and_comments_do_not() {
        let messages = all(&format!("id: 6\n\n: \n\n{EVENT}id: 8\nda"));
        assert_eq!(messages.iter().map(|one| one.id).collect::<Vec<_>>(), [Some(6), Some(7)]);
        let happening = messages[1].happening.as_ref().unwrap();
        assert_eq!((happening.status.as_str(), happening.chain_id.as_deref()), ("delivered", Some("1")));
        assert_eq!(messages[0].happening, None);
    }

    #[test]
    fn what_is_no_event_is_not_understood() {
        for text in ["data: {}\n\n", "data: <html>\n\n"] {
            assert!(matches!(take(&mut text.as_bytes().to_vec()), Err(Broken::NotUnderstood)), "{text}");
        }
        assert!(matches!(take(&mut vec![0xff, b'\n', b'\n']), Err(Broken::NotUnderstood)));
    }
}
