//! Follows an operation to its end, and shows what happened to it.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::client::{Client, Problem};
use crate::exit::CliError;
use crate::forms::{OperationView, Stage};
use crate::history::Pace;
use crate::output::{Table, milliseconds, short};

/// Time between looks at the operation.
const POLL: Duration = Duration::from_millis(200);

/// Waits until the operation is finalized, and shows each stage once as it comes. A service that is away is waited for.
pub(crate) async fn follow(
    client: &Client,
    id: &str,
    patience: Duration,
    mut show: impl FnMut(&Stage),
) -> Result<OperationView, CliError> {
    let deadline = Instant::now() + patience;
    let mut shown: Vec<(String, Option<String>)> = Vec::new();
    let mut last = String::from("unknown");
    let mut pace = Pace::new();
    loop {
        match client.operation(id).await {
            Ok(view) => {
                for stage in &view.stages {
                    let name = (stage.stage.clone(), stage.chain_id.clone());
                    if !shown.contains(&name) {
                        show(stage);
                        shown.push(name);
                    }
                }
                match view.status.as_str() {
                    "finalized" => return Ok(view),
                    "rejected" => return Err(rejected(&view)),
                    status => last = status.to_owned(),
                }
            }
            Err(error) if error.can_pass() => pace.tell(|| format!("{error}; still trying")),
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Err(CliError::TimedOut(format!("{id} is {last} after {} s", patience.as_secs())));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A rejection after admission, in the form of the refusals at admission.
fn rejected(view: &OperationView) -> CliError {
    let reason = view.reason.clone().unwrap_or(Value::Null);
    let text = |name: &str| reason.get(name).and_then(Value::as_str).map(str::to_owned);
    CliError::Refused(Box::new(Problem {
        kind: "urn:hypha:problem:rejected".into(),
        title: "Rejected".into(),
        code: text("code")
            .or_else(|| reason.as_str().map(str::to_owned))
            .unwrap_or_else(|| "rejected".into()),
        detail: text("detail").unwrap_or_default(),
        ..Problem::default()
    }))
}

/// One stage in a line.
pub(crate) fn line(stage: &Stage) -> String {
    let place = stage.chain_id.as_ref().map(|chain| format!(" on chain {chain}")).unwrap_or_default();
    let gas = stage.gas.as_ref().map(|gas| format!(" ({gas} gas)")).unwrap_or_default();
    format!("{:>9}  {}{place}{gas}", milliseconds(stage.at_ms), stage.stage)
}

/// What happened to an operation, as a table.
pub(crate) fn timeline(view: &OperationView) -> Table {
    let mut table = Table::new(&["STAGE", "SINCE SUBMIT", "CHAIN", "TRANSACTION", "GAS"]);
    for stage in &view.stages {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let transaction = stage.tx.as_deref().map(short).unwrap_or_default();
        table.row([
            stage.stage.clone(),
            milliseconds(stage.at_ms),
            text(&stage.chain_id),
            transaction,
            text(&stage.gas),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_keeps_its_code() {
        let view: OperationView = serde_json::from_str(
            r#"{"id":"0x1","status":"rejected","reason":{"code":"deadline_passed","detail":"too late"},"stages":[]}"#,
        )
        .unwrap();
        let error = rejected(&view);
        assert_eq!((error.code(), error.status()), ("deadline_passed", 3));
        assert!(error.to_string().contains("too late"));
    }

    #[test]
    fn a_timeline_has_a_row_a_stage() {
        let view: OperationView = serde_json::from_str(
            r#"{"id":"0x1","status":"delivered","stages":[{"stage":"admitted","atMs":0},
               {"stage":"delivered","chainId":"31337","atMs":1500,"tx":"0x0123456789abcdef0123456789abcdef","gas":"21000"}]}"#,
        )
        .unwrap();
        let lines = timeline(&view).lines();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[2].contains("1.50 s") && lines[2].contains("31337") && lines[2].ends_with("21000"),
            "{lines:?}"
        );
    }
}
