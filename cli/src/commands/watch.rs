//! `hypha watch`: everything that happens, as it happens.

use std::time::Duration;

use alloy::primitives::B256;
use clap::Args;
use tokio::time::Instant;

use crate::client::Client;
use crate::events::Happening;
use crate::exit::CliError;
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
    let mut watch = Watch { after: args.after, id: args.id.map(|id| id.to_string()), json: settings.json };
    let mut heard_at = Instant::now();
    loop {
        match client.events(watch.after).await {
            Ok(mut events) => loop {
                match events.next().await {
                    Ok(message) => {
                        heard_at = Instant::now();
                        watch.after = message.id.or(watch.after);
                        let is_last = match message.happening {
                            Some(happening) => watch.show(&happening),
                            // From here on nothing is missed: only now it may be asked for what was before.
                            None => watch.has_ended(&client).await?,
                        };
                        if is_last {
                            return Ok(());
                        }
                    }
                    Err(broken) => {
                        progress(format!("{broken}; opening it again"));
                        break;
                    }
                }
            },
            Err(CliError::Refused(problem)) if !problem.retryable => {
                return Err(CliError::Refused(problem));
            }
            Err(error) if heard_at.elapsed() > settings.timeout => return Err(error),
            Err(error) => progress(format!("{error}; still trying")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is shown, and how far it is.
struct Watch {
    /// The last sequence that was shown.
    after: Option<u64>,
    id: Option<String>,
    json: bool,
}

impl Watch {
    /// Whether what is watched had ended before its events were asked for; says how.
    async fn has_ended(&self, client: &Client) -> Result<bool, CliError> {
        let Some(id) = self.id.as_ref().filter(|_| self.after.is_none_or(|after| after > 0)) else {
            return Ok(false);
        };
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
    fn show(&self, happening: &Happening) -> bool {
        if self.id.as_ref().is_some_and(|id| *id != happening.transfer) {
            return false;
        }
        if self.json {
            print(serde_json::json!(happening));
        } else {
            print(line(happening));
        }
        self.id.is_some() && is_end(&happening.status)
    }
}

/// Whether nothing happens to an operation after this status.
fn is_end(status: &str) -> bool {
    ["finalized", "rejected"].contains(&status)
}

/// What happened in a line: sequence, status, operation, chain, index.
fn line(happening: &Happening) -> String {
    let Happening { sequence, transfer, status, chain_id, index, .. } = happening;
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
        let (base, asked) = answer_each(vec![first, event(7, "finalized")]).await;
        let common = Common { api: Some(base), json: true, ..Common::default() };
        let args = WatchArgs { after: Some(0), id: Some(B256::repeat_byte(1)), common };
        tokio::time::timeout(Duration::from_secs(20), run(&args)).await.expect("in time").unwrap();
        let asked = asked.await.unwrap();
        assert!(asked[0].contains("last-event-id: 0\r\n"), "{asked:?}");
        assert!(asked[1].contains("last-event-id: 6\r\n"), "{asked:?}");
    }

    fn happening(status: &str) -> Happening {
        let text = format!(
            r#"{{"sequence":"7","transfer":"{}","status":"{status}","chainId":"5","index":"2","at":1}}"#,
            B256::repeat_byte(1)
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_says_what_happened_where() {
        let line = line(&happening("delivered"));
        assert_eq!(line, "       7  delivered  0x01010101…0101  chain 5  index 2");
    }

    #[test]
    fn one_operation_is_watched_to_its_end_and_all_for_ever() {
        let watch = |id: Option<B256>| Watch { after: None, id: id.map(|id| id.to_string()), json: true };
        let one = watch(Some(B256::repeat_byte(1)));
        assert_eq!(
            ["delivered", "finalized", "rejected"].map(|word| one.show(&happening(word))),
            [false, true, true]
        );
        assert!(!watch(Some(B256::repeat_byte(2))).show(&happening("finalized")), "another operation");
        assert!(!watch(None).show(&happening("finalized")));
    }
}
