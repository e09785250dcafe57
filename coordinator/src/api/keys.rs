//! API keys: who may do what, and how often. The file has hashes, so whoever reads it can do nothing with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use alloy::primitives::{B256, keccak256};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::problem::{Code, Problem};
use super::token::bearer;

/// Most keys in a file: each has a row in memory.
const MAX_KEYS: usize = 10_000;
/// Most requests a second, and most at once, that a key can be given.
const MAX_RATE: u32 = 1_000_000;

/// What a key may do. Who may more may less as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ask.
    Reader,
    /// Ask, and hand in operations.
    Writer,
}

impl Role {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
        }
    }
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Whose it is, for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Requests a second.
    pub rate: u32,
    /// Requests at once, after a pause.
    pub burst: u32,
    /// Keccak-256 of the key. A key is 32 random bytes, so nothing slower is needed.
    pub hash: B256,
}

impl KeyRecord {
    /// The hash that stands for a key in the file.
    pub fn hash_of(key: &str) -> B256 {
        keccak256(key)
    }
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        error: std::io::Error,
    },
    /// A line is not what `hypha key new` prints.
    #[error("{path}, line {line}: {detail}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// Too many keys.
    #[error("{path} holds more than {MAX_KEYS} keys")]
    TooMany {
        /// The file.
        path: PathBuf,
    },
}

/// The keys of one reading of the file, by hash.
type Ring = HashMap<B256, Entry>;

struct Entry {
    record: KeyRecord,
    bucket: Mutex<Bucket>,
}

/// The file of keys, and what it said when it was last read.
pub struct Keys {
    path: PathBuf,
    ring: RwLock<Arc<Ring>>,
    begin: Instant,
}

impl Keys {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or a line is not what `hypha key new` prints.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let ring = RwLock::new(Arc::new(read(path)?));
        Ok(Self { path: path.to_owned(), ring, begin: Instant::now() })
    }

    /// Reads the file again; a file that cannot be used changes nothing. Gives how many keys it holds.
    pub(crate) fn reload(&self) -> Result<usize, KeysError> {
        let ring = read(&self.path)?;
        let count = ring.len();
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(count)
    }

    /// Lets a request through whose key has this role, as often as the key may.
    fn admit(&self, headers: &HeaderMap, needed: Role) -> Result<(), Problem> {
        let shown = bearer(headers).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "expected Authorization: Bearer and an API key")
        })?;
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        let unknown = || Problem::new(Code::Unauthorized, "this API key is not known");
        let entry = ring.get(&KeyRecord::hash_of(shown)).ok_or_else(unknown)?;
        let KeyRecord { name, role, rate, .. } = &entry.record;
        if *role < needed {
            let detail =
                format!("{name} has a key of a {}, a {} may do this", role.as_str(), needed.as_str());
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let mut bucket = entry.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(self.begin.elapsed()).map_err(|wait| {
            let detail = format!("{name} may make {rate} requests a second");
            Problem::new(Code::RateLimited, detail).retry_after(wait)
        })
    }
}

fn read(path: &Path) -> Result<Ring, KeysError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| KeysError::Read { path: path.to_owned(), error })?;
    let mut ring = Ring::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |detail: String| KeysError::Line { path: path.to_owned(), line: place + 1, detail };
        let record: KeyRecord = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        let range = 1..=MAX_RATE;
        if !range.contains(&record.rate) || !range.contains(&record.burst) {
            return Err(wrong(format!("rate and burst are from 1 to {MAX_RATE}")));
        }
        let bucket = Mutex::new(Bucket::new(record.rate, record.burst));
        if let Some(Entry { record: before, .. }) = ring.insert(record.hash, Entry { record, bucket }) {
            return Err(wrong(format!("the same key as that of {}", before.name)));
        }
        if ring.len() > MAX_KEYS {
            return Err(KeysError::TooMany { path: path.to_owned() });
        }
    }
    Ok(ring)
}

/// How often a key may ask: the generic cell rate algorithm, which needs one time for each key.
struct Bucket {
    interval: Duration,
    /// How far ahead of the even rate it may be.
    ahead: Duration,
    /// When the next request would be due at the even rate.
    due: Duration,
}

impl Bucket {
    fn new(rate: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate;
        Self { interval, ahead: interval * (burst - 1), due: Duration::ZERO }
    }

    /// Takes one request at this time, or says how long to wait for it.
    fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let due = self.due.max(now);
        let wait = due.saturating_sub(now + self.ahead);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        self.due = due + self.interval;
        Ok(())
    }
}

/// Lets through who may ask.
pub(super) async fn as_reader(State(api): Shared, request: Request, next: Next) -> Result<Response, Problem> {
    api.keys.as_ref().map_or(Ok(()), |keys| keys.admit(request.headers(), Role::Reader))?;
    Ok(next.run(request).await)
}

/// Lets through who may hand in.
pub(super) async fn as_writer(State(api): Shared, request: Request, next: Next) -> Result<Response, Problem> {
    api.keys.as_ref().map_or(Ok(()), |keys| keys.admit(request.headers(), Role::Writer))?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, rate: u32) -> String {
        let hash = KeyRecord::hash_of(name);
        let record = KeyRecord { name: name.to_owned(), role: Role::Reader, rate, burst: 2, hash };
        serde_json::to_string(&record).unwrap()
    }

    fn opened(text: &str) -> Result<(tempfile::TempDir, Keys), KeysError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, text).unwrap();
        Keys::open(&path).map(|keys| (folder, keys))
    }

    #[test]
    fn a_key_has_its_rate_and_after_a_pause_its_burst() {
        let mut bucket = Bucket::new(10, 3);
        let at = Duration::from_millis;
        assert_eq!([0, 0, 0].map(|now| bucket.take(at(now))), [Ok(()); 3]);
        assert_eq!(bucket.take(at(0)), Err(at(100)));
        assert_eq!(bucket.take(at(40)), Err(at(60)), "a refusal costs nothing");
        assert_eq!([100, 200].map(|now| bucket.take(at(now))), [Ok(()); 2]);
        assert_eq!(bucket.take(at(250)), Err(at(50)));
        assert_eq!([9_000, 9_000, 9_000].map(|now| bucket.take(at(now))), [Ok(()); 3]);
        assert!(bucket.take(at(9_000)).is_err(), "no pause gives more than the burst");
    }

    #[test]
    fn a_file_is_read_with_comments_and_refused_with_the_line_that_is_wrong() {
        let text = format!("# the first\n{}\n\n{}\n", line("a", 5), line("b", 5));
        let (_folder, keys) = opened(&text).unwrap();
        assert_eq!(keys.reload().unwrap(), 2);
        for (text, wrong) in [
            (format!("{}\nnonsense", line("a", 5)), 2),
            (line("a", 0), 1),
            (line("a", MAX_RATE + 1), 1),
            (format!("{0}\n#\n{0}", line("a", 5)), 3),
            (line("a", 5).replace("reader", "owner"), 1),
            (line("a", 5).replacen('{', "{\"more\":1,", 1), 1),
        ] {
            let refused = opened(&text).map(|_| ());
            assert!(
                matches!(&refused, Err(KeysError::Line { line, .. }) if *line == wrong),
                "{text}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_file_that_became_wrong_changes_nothing() {
        let (_folder, keys) = opened(&line("a", 5)).unwrap();
        std::fs::write(&keys.path, "nonsense").unwrap();
        assert!(keys.reload().is_err());
        assert_eq!(keys.ring.read().unwrap().len(), 1);
        std::fs::write(&keys.path, "").unwrap();
        assert_eq!(keys.reload().unwrap(), 0);
        assert!(keys.ring.read().unwrap().is_empty());
    }
}
