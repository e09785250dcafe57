//! The secrets that a client shows, of which only hashes are kept.

use std::path::{Path, PathBuf};

use alloy::primitives::{B256, keccak256};
use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

/// Fewest characters of a token: 32 hexadecimal digits are 128 bits.
const SHORTEST: usize = 32;

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        error: std::io::Error,
    },
    /// Others than its owner can read the file.
    #[error("{path} can be read by others than its owner (mode {mode:o}): chmod 600 it")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It can be guessed.
    #[error("{path} holds {actual} characters, a token has at least {SHORTEST}")]
    Short {
        /// The file.
        path: PathBuf,
        /// How many it holds.
        actual: usize,
    },
}

/// The hash of a secret token.
pub struct Token(B256);

impl Token {
    /// Of the token in this file, without the blanks around it.
    ///
    /// # Errors
    /// When it cannot be read, others can read it, or it can be guessed.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let failed = |error| TokenError::Read { path: path.to_owned(), error };
        let mode = mode(path).map_err(failed)?;
        if mode & 0o077 != 0 {
            return Err(TokenError::Open { path: path.to_owned(), mode });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let token = text.trim();
        if token.len() < SHORTEST {
            return Err(TokenError::Short { path: path.to_owned(), actual: token.len() });
        }
        Ok(Self(keccak256(token)))
    }

    /// Whether this is the token. Hashes are compared, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, shown: &str) -> bool {
        keccak256(shown).ct_eq(self.0.as_slice()).into()
    }
}

/// The permissions of a file, without what kind of file it is.
#[cfg(unix)]
fn mode(path: &Path) -> std::io::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

/// What stands after `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_token_is_read_without_its_line_end_and_only_it_is_it() {
        let secret = "0123456789abcdef".repeat(2);
        let (_folder, path) = written(&format!("{secret}\n"), 0o600);
        let token = Token::read(&path).unwrap();
        assert!(token.is(&secret));
        for other in ["", &secret[1..], &format!("{secret}0"), &secret.to_uppercase()] {
            assert!(!token.is(other), "{other}");
        }
    }

    #[test]
    fn a_token_that_others_can_read_or_guess_is_refused_and_never_repeated() {
        let (_folder, path) = written(&"a".repeat(32), 0o640);
        assert!(matches!(Token::read(&path), Err(TokenError::Open { mode: 0o640, .. })));
        let (_folder, path) = written("hunter2", 0o600);
        let Err(error) = Token::read(&path) else { panic!("taken") };
        assert!(matches!(error, TokenError::Short { actual: 7, .. }));
        assert!(!error.to_string().contains("hunter2"));
        assert!(matches!(Token::read(&path.join("none")), Err(TokenError::Read { .. })));
    }

    #[test]
    fn only_a_bearer_is_read() {
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(read("bearer abc"), Some("abc".to_owned()));
        for other in ["abc", "Basic abc", "Bearerabc"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
