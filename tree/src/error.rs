//! Why a multiproof is refused.

use crate::{Key, Root};

/// The reason why a multiproof is refused. Names and fields are those of `IProofErrors` in
/// `contracts/interfaces/IHypha.sol`: every verifier gives the same one for the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no touch, so nothing to prove.
    #[error("no key is touched")]
    NoKeys,
    /// The root that is claimed for the old tree is zero.
    #[error("the root is zero")]
    ZeroRoot,
    /// The first key is zero.
    #[error("a key is zero")]
    ZeroKey,
    /// Two touches have the same key.
    #[error("key {key} is repeated")]
    KeyRepeated {
        /// The key.
        key: Key,
    },
    /// A key is smaller than the one before.
    #[error("key {index} is smaller than the one before")]
    KeysNotAscending {
        /// Position of the smaller, later key among the touches.
        index: u64,
    },
    /// The proof's length does not agree with its counts.
    #[error("the proof has {actual} bytes, its counts ask for {expected}")]
    ProofLength {
        /// Bytes that the counts ask for.
        expected: u64,
        /// Bytes that there are.
        actual: u64,
    },
    /// A key is left, but no terminal.
    #[error("a terminal is missing")]
    TerminalMissing,
    /// A terminal's header has an unknown kind or a bit set that is kept for later.
    #[error("terminal header {header:#06x} is not valid")]
    TerminalHeader {
        /// The header's 16 bits.
        header: u16,
    },
    /// A terminal stands deeper than 256.
    #[error("depth {depth} is greater than 256")]
    DepthTooLarge {
        /// The depth.
        depth: u16,
    },
    /// A terminal's place covers a key that an earlier terminal serves.
    #[error("terminal {index} overlaps the one before")]
    TerminalOverlap {
        /// Position of the terminal.
        index: u64,
    },
    /// What the touches say about the old tree is not what the terminal's kind shows.
    #[error("terminal {index} shows something else than the touches claim")]
    ClaimMismatch {
        /// Position of the terminal.
        index: u64,
    },
    /// A terminal is a foreign leaf, but none is left.
    #[error("a foreign leaf is missing")]
    ForeignMissing,
    /// A foreign leaf does not stand on the path of the keys that its terminal serves.
    #[error("the foreign leaf of terminal {index} is off its path")]
    ForeignOffPath {
        /// Position of the terminal.
        index: u64,
    },
    /// A leaf that is called foreign is that of a touched key.
    #[error("the foreign leaf of terminal {index} is a touched key's own")]
    ForeignIsTouched {
        /// Position of the terminal.
        index: u64,
    },
    /// The walk needs a sibling, but none is left.
    #[error("a sibling is missing")]
    SiblingMissing,
    /// A sibling's hash is the empty subtree's, which has to be left out.
    #[error("sibling {index} is spelled out but empty")]
    SiblingIsEmpty {
        /// Position of the sibling.
        index: u64,
    },
    /// All keys are served, but a terminal is left.
    #[error("a terminal is not used")]
    TerminalUnused,
    /// All keys are served, but a foreign leaf is left.
    #[error("a foreign leaf is not used")]
    ForeignUnused,
    /// All keys are served, but a sibling is left.
    #[error("a sibling is not used")]
    SiblingUnused,
    /// An unused bit of the bitmap's last byte is set.
    #[error("the bitmap's padding is not zero")]
    SiblingPadding,
    /// The proof is one of another tree or of other claims.
    #[error("the proof gives root {actual}, not {expected}")]
    RootMismatch {
        /// The root that is claimed.
        expected: Root,
        /// The root that the walk gives.
        actual: Root,
    },
    /// Membership of an empty value is claimed, which no leaf holds.
    #[error("the value is empty")]
    EmptyValue,
}

impl ProofError {
    /// The error's name in `IProofErrors`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoKeys => "NoKeys",
            Self::ZeroRoot => "ZeroRoot",
            Self::ZeroKey => "ZeroKey",
            Self::KeyRepeated { .. } => "KeyRepeated",
            Self::KeysNotAscending { .. } => "KeysNotAscending",
            Self::ProofLength { .. } => "ProofLength",
            Self::TerminalMissing => "TerminalMissing",
            Self::TerminalHeader { .. } => "TerminalHeader",
            Self::DepthTooLarge { .. } => "DepthTooLarge",
            Self::TerminalOverlap { .. } => "TerminalOverlap",
            Self::ClaimMismatch { .. } => "ClaimMismatch",
            Self::ForeignMissing => "ForeignMissing",
            Self::ForeignOffPath { .. } => "ForeignOffPath",
            Self::ForeignIsTouched { .. } => "ForeignIsTouched",
            Self::SiblingMissing => "SiblingMissing",
            Self::SiblingIsEmpty { .. } => "SiblingIsEmpty",
            Self::TerminalUnused => "TerminalUnused",
            Self::ForeignUnused => "ForeignUnused",
            Self::SiblingUnused => "SiblingUnused",
            Self::SiblingPadding => "SiblingPadding",
            Self::RootMismatch { .. } => "RootMismatch",
            Self::EmptyValue => "EmptyValue",
        }
    }
}
