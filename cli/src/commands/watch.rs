//! `hypha watch`: everything that happens, as it happens.

use std::time::Duration;

use alloy::primitives::B256;
use clap::Args;
use tokio::time::Instant;

use crate::client::Client;
use crate::events::Message;
use crate::exit::CliError;
use crate::forms::EventView;
use crate::output::{print, progress, short};
use crate::settings::{Common, Settings};

/// Pause before a stream that broke is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// Show everything that happens to transfers, issues and requests, a line each
///
/// Misses nothing: when the connection breaks, it is opened again after the last line. Ends by Ctrl-C, when the service is away
/// for longer than --timeout, or when what --id names has ended.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha watch
  hypha watch --after 0 --json | jq .status
  hypha watch --id 0x5c0e…")]
pub(crate) struct WatchArgs {
    /// Begin after this sequence, 0 for all that ever happened; without, with what happens from now on
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<u64>,
    /// Only this transfer or issue, until it is finalized or rejected
    #[arg(long, value_name = "ID")]
    id: Option<B256>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Follows the events, through as many connections as it takes.
pub(crate) async fn run(args: &WatchArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let client = Client::new(&settings.api)?;
    let id = args.id.map(|id| id.to_string());
    let mut watch = Watch { after: args.after, id, json: settings.json, heard_at: Instant::now() };
    loop {
        match watch.follow(&client).await {
            Err(error) if error.can_pass() && watch.heard_at.elapsed() <= settings.timeout => {
                progress(format!("{error}; still trying"));
            }
            ended => return ended,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is shown, and how far it is.
struct Watch {
    /// The sequence from which to go on; none until the service has said what the newest is.
    after: Option<u64>,
    id: Option<String>,
    json: bool,
    /// When the service last said anything.
    heard_at: Instant,
}

impl Watch {
    /// Follows one connection, until what is watched has ended.
    async fn follow(&mut self, client: &Client) -> Result<(), CliError> {
        let mut events = client.events(self.after).await?;
        loop {
            let Message { id, event } = events.next().await?;
            self.heard_at = Instant::now();
            // From here on nothing is missed: only now it may be asked for what was before.
            if self.after.is_none() && self.has_ended(client).await? {
                return Ok(());
            }
            self.after = id.or(self.after);
            if event.is_some_and(|event| self.show(&event)) {
                return Ok(());
            }
        }
    }

    /// Whether what is watched had ended before its events were asked for; says how.
    async fn has_ended(&self, client: &Client) -> Result<bool, CliError> {
        let Some(id) = &self.id else { return Ok(false) };
        let view = match client.operation(id).await {
            Ok(view) => view,
            // Not handed in yet.
            Err(CliError::Refused(problem)) if problem.status == 404 => return Ok(false),
            Err(error) => return Err(error),
        };
        let has_ended = is_end(&view.status);
        if has_ended {
            progress(format!("{id} is {} already: hypha status {id}", view.status));
        }
        Ok(has_ended)
    }

    /// Prints what happened, if it is asked for; gives whether that was the last of it.
    fn show(&self, event: &EventView) -> bool {
        if self.id.as_ref().is_some_and(|id| *id != event.transfer) {
            return false;
        }
        if self.json {
            print(serde_json::json!(event));
        } else {
            print(line(event));
        }
        self.id.is_some() && is_end(&event.status)
    }
}

/// Whether nothing happens to an operation after this status.
fn is_end(status: &str) -> bool {
    ["finalized", "rejected"].contains(&status)
}

/// What happened in a line: sequence, status, operation, chain, index.
fn line(event: &EventView) -> String {
    let EventView { sequence, transfer, status, chain_id, index, .. } = event;
    let place = chain_id.as_ref().map(|chain| format!("  chain {chain}")).unwrap_or_default();
    let index = index.as_ref().map(|index| format!("  index {index}")).unwrap_or_default();
    format!("{sequence:>8}  {status:<9}  {}{place}{index}", short(transfer))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A service that breaks off after each of these answers, and what it was asked.
    async fn answer_each(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
                stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
            }
            asked
        });
        (base, asked)
    }

    fn event(sequence: u64, status: &str) -> String {
        let transfer = B256::repeat_byte(1);
        let data =
            format!(r#"{{"sequence":"{sequence}","transfer":"{transfer}","status":"{status}","at":1}}"#);
        format!("id: {sequence}\nevent: {status}\ndata: {data}\n\n")
    }

    #[tokio::test]
    async fn a_broken_stream_goes_on_after_the_last_event() {
        let first = format!("id: 0\n\n{}", event(6, "delivered"));
        let again = format!("id: 6\n\n{}", event(7, "finalized"));
        let (base, asked) = answer_each(vec![first, again]).await;
        let common = Common { api: Some(base), json: true, ..Common::default() };
        let args = WatchArgs { after: Some(0), id: Some(B256::repeat_byte(1)), common };
        tokio::time::timeout(Duration::from_secs(20), run(&args)).await.expect("in time").unwrap();
        let asked = asked.await.unwrap();
        assert!(asked[0].contains("last-event-id: 0\r\n"), "{asked:?}");
        assert!(asked[1].contains("last-event-id: 6\r\n"), "{asked:?}");
    }

    fn view(status: &str) -> EventView {
        let text = format!(
            r#"{{"sequence":"7","transfer":"{}","status":"{status}","chainId":"5","index":"2","at":1}}"#,
            B256::repeat_byte(1)
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_says_what_happened_where() {
        let line = line(&view("delivered"));
        assert_eq!(line, "       7  delivered  0x01010101…0101  chain 5  index 2");
    }

    #[test]
    fn one_operation_is_watched_to_its_end_and_all_for_ever() {
        let watch = |id: Option<B256>| Watch {
            after: None,
            id: id.map(|id| id.to_string()),
            json: true,
            heard_at: Instant::now(),
        };
        let one = watch(Some(B256::repeat_byte(1)));
        assert_eq!(
            ["delivered", "finalized", "rejected"].map(|word| one.show(&view(word))),
            [false, true, true]
        );
        assert!(!watch(Some(B256::repeat_byte(2))).show(&view("finalized")), "another operation");
        assert!(!watch(None).show(&view("finalized")));
    }
}
