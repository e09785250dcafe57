//! What `issue` and `transfer` have in common: until when, signing elsewhere, and following.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::B256;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::Client;
use crate::exit::CliError;
use crate::follow::{follow, line, timeline};
use crate::output::{print, progress};
use crate::settings::Settings;

/// Seconds for which an operation is good unless told otherwise: an hour, against a hub that is slow or crowded.
const DEFAULT_VALID_S: u64 = 3600;

/// How the operation is signed and followed.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Handling {
    /// Seconds from now until the hub refuses it [default: 3600]
    #[arg(long, value_name = "SECONDS", conflicts_with = "deadline")]
    pub(crate) valid_for: Option<u64>,
    /// Unix time in seconds after which the hub refuses it
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<u64>,
    /// Print the EIP-712 typed data for a wallet instead of signing; --draft keeps what it is about
    #[arg(long, requires = "draft")]
    pub(crate) typed_data: bool,
    /// File of the unsigned operation: written with --typed-data, read with --signature
    #[arg(long, value_name = "FILE")]
    pub(crate) draft: Option<PathBuf>,
    /// Submit the draft with this signature from a wallet; repeat it in the order of the owners
    #[arg(long, value_name = "0x…", requires = "draft", conflicts_with = "typed_data")]
    pub(crate) signature: Vec<String>,
    /// Stop once the service took it in
    #[arg(long)]
    pub(crate) no_wait: bool,
}

impl Handling {
    /// The last second in which the hub takes the operation.
    pub(crate) fn deadline(&self) -> Result<u64, CliError> {
        if let Some(deadline) = self.deadline {
            return Ok(deadline);
        }
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| CliError::Failed(error.into()))?;
        Ok(now.as_secs().saturating_add(self.valid_for.unwrap_or(DEFAULT_VALID_S)))
    }

    /// Keeps the unsigned operation and prints what the wallet is to sign.
    pub(crate) fn hand_to_wallet(
        &self,
        draft: &impl Serialize,
        typed_data: &serde_json::Value,
    ) -> Result<(), CliError> {
        let path = self.draft_file()?;
        let text = serde_json::to_string_pretty(draft).map_err(|error| CliError::Failed(error.into()))?;
        std::fs::write(path, text + "\n")
            .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
        print(serde_json::to_string_pretty(typed_data).map_err(|error| CliError::Failed(error.into()))?);
        progress(format!(
            "sign this, then run the command again with --draft {} --signature 0x…",
            path.display()
        ));
        Ok(())
    }

    /// The operation that was kept.
    pub(crate) fn read_draft<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        let path = self.draft_file()?;
        let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))
    }

    fn draft_file(&self) -> Result<&Path, CliError> {
        self.draft.as_deref().ok_or_else(|| CliError::Usage("--draft FILE is missing".into()))
    }

    /// Hands the signed operation in, follows it to its end and prints what happened.
    pub(crate) async fn submit(
        &self,
        settings: &Settings,
        collection: &str,
        id: B256,
        operation: &impl Serialize,
    ) -> Result<(), CliError> {
        let client = Client::new(&settings.api)?;
        if client.operation(&id.to_string()).await.is_ok() {
            progress(format!(
                "{id} was handed in before: equal content is one operation, not two (--deadline makes another)"
            ));
        }
        let accepted = client.submit(collection, operation).await?;
        if self.no_wait {
            let word = format!("{} {}", accepted.id, accepted.status);
            print(if settings.json {
                json!({ "id": accepted.id, "status": accepted.status }).to_string()
            } else {
                word
            });
            return Ok(());
        }
        progress(format!("{} {}", accepted.id, accepted.status));
        let view = follow(&client, &accepted.id, settings.timeout, |stage| progress(line(stage))).await?;
        if settings.json {
            print(serde_json::to_string(&view).map_err(|error| CliError::Failed(error.into()))?);
        } else {
            print(format!("{} {}\n\n{}", view.id, view.status, timeline(&view)));
            for id in &view.created {
                print(format!("created {id}"));
            }
        }
        Ok(())
    }
}

/// 32 bytes given as 0x and 64 digits, or as a text of at most 32 bytes, which is padded with zeros at its end.
pub(crate) fn word_or_text(text: &str) -> Result<B256, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.parse().map_err(|_| "0x is to be followed by 64 hex digits".to_owned());
    }
    if text.is_empty() || text.len() > 32 {
        return Err("a text of 1 to 32 bytes, or 0x and 64 hex digits".to_owned());
    }
    Ok(B256::right_padding_from(text.as_bytes()))
}

/// A quantity in decimal digits.
pub(crate) fn quantity(text: &str) -> Result<alloy::primitives::U256, String> {
    hypha_protocol::json::parse_decimal("quantity", text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_text_or_a_word() {
        let gold = word_or_text("gold").unwrap();
        assert!(gold.starts_with(b"gold\0") && gold.ends_with(&[0; 28]));
        assert_eq!(word_or_text(&gold.to_string()).unwrap(), gold);
        assert!(
            word_or_text("").is_err()
                && word_or_text("0x12").is_err()
                && word_or_text(&"x".repeat(33)).is_err()
        );
    }

    #[test]
    fn a_given_deadline_stands_and_another_is_counted_from_now() {
        let given = Handling { deadline: Some(5), ..Handling::default() };
        assert_eq!(given.deadline().unwrap(), 5);
        let short = Handling { valid_for: Some(10), ..Handling::default() }.deadline().unwrap();
        let long = Handling::default().deadline().unwrap();
        assert!(long >= short + DEFAULT_VALID_S - 10 - 1);
    }

    #[test]
    fn a_draft_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let handling = Handling { draft: Some(folder.path().join("draft.json")), ..Handling::default() };
        handling.hand_to_wallet(&json!({ "deadline": "7" }), &json!({})).unwrap();
        assert_eq!(handling.read_draft::<serde_json::Value>().unwrap()["deadline"], "7");
        assert!(matches!(Handling::default().read_draft::<u8>(), Err(CliError::Usage(_))));
    }
}
