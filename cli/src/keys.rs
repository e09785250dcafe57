//! The key that signs: from the environment or from a keystore, never from the command line, never printed.

use std::path::PathBuf;

use alloy::signers::local::PrivateKeySigner;
use clap::Args;

use crate::exit::CliError;
use crate::settings::Settings;

/// Environment variable of the key itself, as hex.
const KEY_VARIABLE: &str = "HYPHA_KEY";
/// Environment variable of the keystore's password.
const PASSWORD_VARIABLE: &str = "HYPHA_KEYSTORE_PASSWORD";

/// Where the signing key comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct KeySource {
    /// Keystore file of the signing key; its password is read from HYPHA_KEYSTORE_PASSWORD. Without it the key is read
    /// from HYPHA_KEY (64 hex digits)
    #[arg(long, value_name = "FILE", env = "HYPHA_KEYSTORE")]
    pub(crate) keystore: Option<PathBuf>,
}

impl KeySource {
    /// The signer: from a keystore named by flag or variable, else from `HYPHA_KEY`, else from the settings file's keystore.
    pub(crate) fn signer(&self, settings: &Settings) -> Result<PrivateKeySigner, CliError> {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        if self.keystore.is_none()
            && let Some(key) = variable(KEY_VARIABLE)
        {
            return from_hex(&key, KEY_VARIABLE);
        }
        let Some(path) = self.keystore.as_ref().or(settings.keystore.as_ref()) else {
            return Err(CliError::Usage(format!(
                "no key to sign with: set {KEY_VARIABLE} (64 hex digits), or --keystore FILE and {PASSWORD_VARIABLE}"
            )));
        };
        let password = variable(PASSWORD_VARIABLE).ok_or_else(|| {
            CliError::Usage(format!("{PASSWORD_VARIABLE} is not set, so {} stays closed", path.display()))
        })?;
        PrivateKeySigner::decrypt_keystore(path, password)
            .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))
    }
}

/// A key written as hex; an error names where it came from and never what it is.
pub(crate) fn from_hex(key: &str, source: &str) -> Result<PrivateKeySigner, CliError> {
    key.trim()
        .parse()
        .map_err(|_| CliError::Usage(format!("{source} does not hold a key: 64 hex digits are wanted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_never_repeated() {
        let secret = "0xdeadbeefdeadbeef";
        let error = from_hex(secret, KEY_VARIABLE).unwrap_err().to_string();
        assert!(error.contains(KEY_VARIABLE) && !error.contains("deadbeef"), "{error}");
    }

    #[test]
    fn a_key_is_read_with_and_without_its_prefix() {
        let digits = "11".repeat(32);
        let plain = from_hex(&digits, "x").unwrap();
        assert_eq!(plain.address(), from_hex(&format!("0x{digits}\n"), "x").unwrap().address());
    }
}
