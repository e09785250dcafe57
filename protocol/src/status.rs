//! The status words, spelled once for tables, metrics, logs and HTTP.

use std::fmt;
use std::str::FromStr;

/// A text that is no status word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no status: expected one of {expected}")]
pub struct UnknownWord {
    /// The text given, cut to its first 32 characters.
    pub text: String,
    /// The words, separated by commas.
    pub expected: String,
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum $name {
            $($(#[$meaning])* $variant,)+
        }

        impl $name {
            /// All of them, in the order in which they come.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| UnknownWord {
                    text: text.chars().take(32).collect(),
                    expected: [$($word,)+].join(", "),
                })
            }
        }

        impl From<$name> for &'static str {
            fn from(word: $name) -> Self {
                word.as_str()
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownWord;

            fn try_from(text: String) -> Result<Self, UnknownWord> {
                text.parse()
            }
        }
    };
}

words! {
    /// How far a transfer, an issue or a request has come.
    Status {
        /// Of a request only: its own chain has queued it, and it has not come to the hub.
        Queued = "queued",
        /// Durable at the coordinator, which has answered 202; of a request, come to the hub's queue.
        Admitted = "admitted",
        /// Chosen for a batch.
        Batched = "batched",
        /// Its batch is durable and a version of the tree carries it.
        Committed = "committed",
        /// Mined on the hub.
        Delivered = "delivered",
        /// Final on the hub, and confirmed by every registered spoke that it concerns.
        Finalized = "finalized",
        /// Refused, for good; of a request, that a final batch says that it is void.
        Rejected = "rejected",
    }
}

words! {
    /// How far a root has come on a spoke.
    RootStatus {
        /// The spoke applied it.
        Relayed = "relayed",
        /// The hub took the spoke's confirmation home.
        Reported = "reported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(*status));
            let json = serde_json::to_string(status).expect("a word is JSON");
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(serde_json::from_str::<Status>(&json).expect("its own word"), *status);
        }
        assert_eq!("relayed".parse(), Ok(RootStatus::Relayed));
        assert_eq!("reported".parse(), Ok(RootStatus::Reported));
    }

    #[test]
    fn other_words_are_refused() {
        let error = "Admitted".parse::<Status>().expect_err("words are lower case");
        assert!(error.to_string().contains("queued, admitted, batched, committed"));
        assert!(serde_json::from_str::<RootStatus>("\"finalized\"").is_err());
    }
}
