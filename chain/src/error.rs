//! Every error of the ports, typed, so that a caller asks the variant whether to try again and never searches a text.
//! Where a node offers only a text, [`read_node_error`] is the one function that reads it.

use std::path::PathBuf;
use std::time::Duration;

use alloy::primitives::{B256, Bytes, hex};

/// Why a chain gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The endpoint was not reached, cut the connection, limits the rate, or is overloaded.
    #[error("endpoint not reached: {0}")]
    Transport(String),
    /// The endpoint did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The call reverted, or ran into another end of the EVM's (then without data).
    #[error("reverted with {data}")]
    Reverted {
        /// What the contract gave as reason, ABI-encoded.
        data: Bytes,
    },
    /// The node does not have the block that the read names (yet, or any more), or not its state.
    #[error("unknown block")]
    UnknownBlock,
    /// More logs or blocks than the node gives in one answer.
    #[error("range of blocks too large for one answer")]
    RangeTooLarge,
    /// The endpoint serves another chain than the one configured.
    #[error("chain id is {actual}, configured is {expected}")]
    IdentityMismatch {
        /// The chain id that is configured.
        expected: u64,
        /// The chain id that the endpoint says.
        actual: u64,
    },
    /// The endpoint's first block is another than before: the chain was reset, or the endpoint changed its mind.
    #[error("first block is {actual}, was {expected}")]
    GenesisMismatch {
        /// The hash seen first.
        expected: B256,
        /// The hash seen now.
        actual: B256,
    },
    /// A transaction with this nonce is mined already.
    #[error("nonce too low")]
    NonceTooLow,
    /// An earlier nonce is missing.
    #[error("nonce too high")]
    NonceTooHigh,
    /// The fee is below what the node takes, or too little above that of the transaction it would replace.
    #[error("fee too low")]
    Underpriced,
    /// The node has this very transaction.
    #[error("transaction already known")]
    AlreadyKnown,
    /// The sender cannot pay for the transaction.
    #[error("insufficient funds")]
    InsufficientFunds,
    /// Endpoints of a quorum contradict each other, and none of the answers has the configured number behind it.
    #[error("endpoints disagree on {what}: {answers:?}")]
    Disagreement {
        /// The question.
        what: &'static str,
        /// The distinct answers, each cut short, with how many gave it.
        answers: Vec<String>,
    },
    /// Fewer endpoints of a quorum answered than must agree.
    #[error("{got} of {needed} needed endpoints answered on {what}")]
    NotEnoughAnswers {
        /// The question.
        what: &'static str,
        /// How many must agree.
        needed: usize,
        /// How many answered.
        got: usize,
        /// What one of the others failed with.
        #[source]
        cause: Option<Box<ChainError>>,
    },
    /// The endpoint's answer has not the form, or not the content, that the question demands.
    #[error("unexpected answer: {0}")]
    Response(&'static str),
    /// Any other error that the node names.
    #[error("node error {code}: {message}")]
    Node {
        /// JSON-RPC error code.
        code: i64,
        /// The node's words, cut at [`MAX_MESSAGE`] bytes.
        message: String,
    },
    /// A quorum or an endpoint is set up in a way that cannot work.
    #[error("chain setup: {0}")]
    Setup(String),
}

impl ChainError {
    /// Whether the same request can succeed later without anyone changing it. A `true` is no promise: callers bound
    /// their attempts or go on for ever in the background, visibly.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_)
            | Self::Timeout(_)
            | Self::UnknownBlock
            | Self::NonceTooHigh
            | Self::InsufficientFunds
            | Self::Disagreement { .. }
            | Self::NotEnoughAnswers { .. } => true,
            Self::Reverted { .. }
            | Self::RangeTooLarge
            | Self::IdentityMismatch { .. }
            | Self::GenesisMismatch { .. }
            | Self::NonceTooLow
            | Self::Underpriced
            | Self::AlreadyKnown
            | Self::Response(_)
            | Self::Node { .. }
            | Self::Setup(_) => false,
        }
    }
}

/// Bytes of a node's error text that are kept: enough to read, too few to flood a log.
pub const MAX_MESSAGE: usize = 200;

/// What each text of a node means, tried in this order on the text in lower case. Order matters: "replacement transaction underpriced"
/// is about the fee, "exceeds block gas limit" is no range.
const TEXTS: &[(&str, ChainError)] = &[
    ("already known", ChainError::AlreadyKnown),
    ("already imported", ChainError::AlreadyKnown),
    ("already exists", ChainError::AlreadyKnown),
    ("alreadyknown", ChainError::AlreadyKnown),
    ("known transaction", ChainError::AlreadyKnown),
    ("nonce too low", ChainError::NonceTooLow),
    ("nonce is too low", ChainError::NonceTooLow),
    ("oldnonce", ChainError::NonceTooLow),
    ("nonce too high", ChainError::NonceTooHigh),
    ("nonce is too high", ChainError::NonceTooHigh),
    ("nonce gap", ChainError::NonceTooHigh),
    ("underpriced", ChainError::Underpriced),
    ("fee too low", ChainError::Underpriced),
    ("feetoolow", ChainError::Underpriced),
    ("fee cap less than block base fee", ChainError::Underpriced),
    ("less than block base fee", ChainError::Underpriced),
    ("gas price too low", ChainError::Underpriced),
    ("insufficient funds", ChainError::InsufficientFunds),
    ("insufficient balance", ChainError::InsufficientFunds),
    ("insufficientfunds", ChainError::InsufficientFunds),
    ("header not found", ChainError::UnknownBlock),
    ("block not found", ChainError::UnknownBlock),
    ("unknown block", ChainError::UnknownBlock),
    ("header for hash not found", ChainError::UnknownBlock),
    ("not currently canonical", ChainError::UnknownBlock),
    ("resource not found", ChainError::UnknownBlock),
    ("blockoutofrange", ChainError::UnknownBlock),
    ("block height", ChainError::UnknownBlock),
    ("missing trie node", ChainError::UnknownBlock),
    ("state not available", ChainError::UnknownBlock),
    ("block range", ChainError::RangeTooLarge),
    ("query returned more than", ChainError::RangeTooLarge),
    ("too many results", ChainError::RangeTooLarge),
    ("response size", ChainError::RangeTooLarge),
];

/// Texts of a call that ended without a reason of the contract's: as final as a revert for the same state.
const HALTS: &[&str] = &[
    "execution reverted",
    "vm execution error",
    "invalid opcode",
    "out of gas",
    "evm error",
    "stack underflow",
];

/// JSON-RPC codes that mean "come back later": rate and capacity limits.
const BUSY_CODES: &[i64] = &[-32005, -32016, 429];

/// Reads the error object of a JSON-RPC answer.
pub fn read_node_error(code: i64, message: &str, data: Option<&serde_json::Value>) -> ChainError {
    let text = message.to_lowercase();
    if let Some(data) = revert_data(code, &text, data) {
        return ChainError::Reverted { data };
    }
    if let Some((_, error)) = TEXTS.iter().find(|(part, _)| text.contains(part)) {
        return error.clone();
    }
    if HALTS.iter().any(|part| text.contains(part)) {
        return ChainError::Reverted { data: Bytes::new() };
    }
    let message = shorten(message);
    if BUSY_CODES.contains(&code) || text.contains("rate limit") || text.contains("too many requests") {
        return ChainError::Transport(message);
    }
    ChainError::Node { code, message }
}

/// The data of a revert: code 3 (geth, anvil, reth), or hex beside a text that speaks of a revert (others).
fn revert_data(code: i64, text: &str, data: Option<&serde_json::Value>) -> Option<Bytes> {
    if code != 3 && !text.contains("revert") && !text.contains("vm execution error") {
        return None;
    }
    let data = data?;
    let words = data.as_str().or_else(|| data.get("data")?.as_str())?;
    let start = words.find("0x")?;
    hex::decode(words[start..].trim()).ok().map(Bytes::from)
}

/// Cuts a foreign text at [`MAX_MESSAGE`] bytes, at a character.
pub(crate) fn shorten(text: &str) -> String {
    let mut end = text.len().min(MAX_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Why an HTTP request gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The address is no URL of HTTP.
    #[error("not an HTTP address")]
    Address,
    /// The peer was not reached or cut the connection.
    #[error("peer not reached: {0}")]
    Transport(String),
    /// No whole answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The peer answered with a status that is no success.
    #[error("status {0}")]
    Status(u16),
    /// The answer is longer than the caller's limit, in bytes.
    #[error("answer longer than {0} bytes")]
    TooLarge(usize),
}

impl NetError {
    /// Whether the same request can succeed later without anyone changing it.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(_) | Self::Timeout(_) => true,
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Address | Self::TooLarge(_) => false,
        }
    }
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the store open.
    #[error("store {0} is open in another process")]
    Locked(PathBuf),
    /// The store cannot be opened.
    #[error("store {path} cannot be opened: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The engine's reason.
        reason: String,
    },
    /// The disk failed, or the file is damaged. The store is poisoned from here on.
    #[error("store failed: {0}")]
    Failed(String),
    /// An earlier call failed: what is on the disk is unknown, and a second fsync would lie. Exit and open again.
    #[error("store unusable after an earlier failure: restart the process")]
    Poisoned,
    /// A stored row has not the form that this program writes.
    #[error("row of table {table} not readable: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_nodes_are_read() {
        let cases: &[(i64, &str, ChainError)] = &[
            (-32000, "already known", ChainError::AlreadyKnown),
            (-32003, "transaction already imported", ChainError::AlreadyKnown),
            (-32010, "AlreadyKnown", ChainError::AlreadyKnown),
            (-32000, "nonce too low: next nonce 5, tx nonce 3", ChainError::NonceTooLow),
            (-32003, "nonce too low", ChainError::NonceTooLow),
            (-32000, "nonce too high: address 0x00", ChainError::NonceTooHigh),
            (-32000, "replacement transaction underpriced", ChainError::Underpriced),
            (-32003, "replacement transaction underpriced", ChainError::Underpriced),
            (-32000, "transaction underpriced: tip needed 1, tip permitted 0", ChainError::Underpriced),
            (
                -32000,
                "max fee per gas less than block base fee: address 0x00, maxFeePerGas: 1, baseFee: 7",
                ChainError::Underpriced,
            ),
            (-32003, "max fee per gas less than block base fee", ChainError::Underpriced),
            (-32000, "insufficient funds for gas * price + value: balance 0", ChainError::InsufficientFunds),
            (-32003, "Insufficient funds for gas * price + value", ChainError::InsufficientFunds),
            (-32000, "header not found", ChainError::UnknownBlock),
            (-32000, "unknown block", ChainError::UnknownBlock),
            (-32602, "BlockOutOfRangeError: block height is 7 but requested was 9", ChainError::UnknownBlock),
            (-32001, "Resource not found", ChainError::UnknownBlock),
            (-32000, "hash 0x01 is not currently canonical", ChainError::UnknownBlock),
            (-32000, "missing trie node 01 (path )", ChainError::UnknownBlock),
            (-32005, "query returned more than 10000 results", ChainError::RangeTooLarge),
            (-32000, "exceed maximum block range: 5000", ChainError::RangeTooLarge),
            (-32005, "limit exceeded", ChainError::Transport("limit exceeded".into())),
            (429, "slow down", ChainError::Transport("slow down".into())),
            (-32000, "execution reverted", ChainError::Reverted { data: Bytes::new() }),
            (-32603, "EVM error OutOfGas", ChainError::Reverted { data: Bytes::new() }),
            (-32000, "invalid opcode: INVALID", ChainError::Reverted { data: Bytes::new() }),
            (
                -32601,
                "method not found",
                ChainError::Node { code: -32601, message: "method not found".into() },
            ),
        ];
        for (code, message, expected) in cases {
            assert_eq!(&read_node_error(*code, message, None), expected, "{message}");
        }
    }

    #[test]
    fn data_of_a_revert_is_found_in_every_clients_form() {
        let expected = ChainError::Reverted { data: Bytes::from_static(&[0xde, 0xad]) };
        let string = serde_json::json!("0xdead");
        let object = serde_json::json!({ "data": "0xdead" });
        let words = serde_json::json!("Reverted 0xdead");
        assert_eq!(read_node_error(3, "execution reverted: custom error", Some(&string)), expected);
        assert_eq!(read_node_error(-32000, "execution reverted", Some(&object)), expected);
        assert_eq!(read_node_error(-32015, "VM execution error.", Some(&words)), expected);
        let bad = serde_json::json!("0xzz");
        assert_eq!(
            read_node_error(3, "execution reverted", Some(&bad)),
            ChainError::Reverted { data: Bytes::new() }
        );
    }

    #[test]
    fn a_long_foreign_text_is_cut_at_a_character() {
        let ChainError::Node { message, .. } = read_node_error(1, &"é".repeat(MAX_MESSAGE), None) else {
            panic!("expected the unread variant")
        };
        assert_eq!(message.len(), MAX_MESSAGE);
        assert_eq!(shorten(&format!("a{}", "é".repeat(MAX_MESSAGE))).len(), MAX_MESSAGE - 1);
    }
}
