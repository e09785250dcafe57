//! Server-sent events as they come over a connection, a message at a time.

use std::time::Duration;

use crate::exit::CliError;
use crate::forms::EventView;

/// Longest silence of a stream that lives: the service says something every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest message that is read: events have a few hundred bytes.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// One message of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// From where to resume.
    pub(crate) id: Option<u64>,
    /// What happened; none in a message that only says from where to resume.
    pub(crate) event: Option<EventView>,
}

/// An open stream.
pub(crate) struct Events {
    service: String,
    response: reqwest::Response,
    unread: Vec<u8>,
}

impl Events {
    /// The stream in an answer of this service.
    pub(crate) fn new(service: String, response: reqwest::Response) -> Self {
        Self { service, response, unread: Vec::new() }
    }

    /// The next message, once it has come whole. A connection that ends, or is silent, can be opened again after the last one.
    pub(crate) async fn next(&mut self) -> Result<Message, CliError> {
        loop {
            if let Some(message) = take(&mut self.unread)? {
                return Ok(message);
            }
            let broken = |why: String| CliError::Unreachable { what: self.service.clone(), why };
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| broken(format!("nothing came for {} s", SILENCE.as_secs())))?;
            let chunk = chunk.ok().flatten().ok_or_else(|| broken("the connection ended".into()))?;
            self.unread.extend_from_slice(&chunk);
            if self.unread.len() > MAX_MESSAGE_BYTES {
                return Err(not_understood(format!("a message over {MAX_MESSAGE_BYTES} bytes")));
            }
        }
    }
}

fn not_understood(why: impl std::fmt::Display) -> CliError {
    CliError::Failed(anyhow::anyhow!("an event that is not understood: {why}"))
}

/// Takes the first whole message that says anything; comments, which keep the connection alive, are passed over.
fn take(unread: &mut Vec<u8>) -> Result<Option<Message>, CliError> {
    while let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
        let block: Vec<u8> = unread.drain(..end + 2).collect();
        let block = std::str::from_utf8(&block).map_err(not_understood)?;
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
        let id = field("id:").map(str::parse).transpose().map_err(not_understood)?;
        let event = field("data:").map(serde_json::from_str).transpose().map_err(not_understood)?;
        if id.is_some() || event.is_some() {
            return Ok(Some(Message { id, event }));
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
        let event = messages[1].event.as_ref().unwrap();
        assert_eq!((event.status.as_str(), event.chain_id.as_deref()), ("delivered", Some("1")));
        assert_eq!(messages[0].event, None);
    }

    #[test]
    fn what_is_no_event_is_not_understood() {
        for text in ["data: {}\n\n", "data: <html>\n\n", "id: x\n\n"] {
            assert!(matches!(take(&mut text.as_bytes().to_vec()), Err(CliError::Failed(_))), "{text}");
        }
        assert!(matches!(take(&mut vec![0xff, b'\n', b'\n']), Err(CliError::Failed(_))));
    }
}
