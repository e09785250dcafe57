//! What was compared, and what came out.

use std::fmt::{self, Display};

use alloy::sol_types::SolCall;
use hypha_chain::ChainError;
use hypha_protocol::json::decimal_u64;
use serde::Serialize;

use crate::exit::CliError;
use crate::output::short;
use crate::reader::{Reader, failure};

/// What is said in place of a value that a contract does not tell.
pub(super) const NO_ANSWER: &str = "no answer";

/// Characters of 32 bytes in hex.
const WORD: usize = 66;

/// One comparison, in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    #[serde(with = "decimal_u64")]
    chain_id: u64,
    contract: &'static str,
    what: &'static str,
    expected: String,
    actual: String,
}

impl Check {
    /// Whether it came out as it should.
    pub(super) fn agrees(&self) -> bool {
        self.expected == self.actual
    }

    /// Chain and contract.
    pub(super) fn place(&self) -> (u64, &'static str) {
        (self.chain_id, self.contract)
    }

    /// As a row of a table; what is longer than a word of the EVM is shortened.
    pub(super) fn cells(&self) -> [String; 5] {
        let value = |text: &str| {
            if text.starts_with("0x") && !text.contains(' ') && text.len() > WORD {
                short(text)
            } else {
                text.to_owned()
            }
        };
        [
            self.chain_id.to_string(),
            self.contract.to_owned(),
            self.what.to_owned(),
            value(&self.expected),
            value(&self.actual),
        ]
    }
}

impl Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, contract, what, expected, actual } = self;
        write!(formatter, "chain {chain_id} {contract}: {what} is {actual}, not {expected}")
    }
}

/// The comparisons of one contract.
pub(super) struct Checks {
    chain_id: u64,
    contract: &'static str,
    list: Vec<Check>,
}

impl Checks {
    /// None yet.
    pub(super) fn new(chain_id: u64, contract: &'static str) -> Self {
        Self { chain_id, contract, list: Vec::new() }
    }

    /// All of them.
    pub(super) fn done(self) -> Vec<Check> {
        self.list
    }

    /// Two values that must be the same.
    pub(super) fn same<T: Display>(&mut self, what: &'static str, expected: T, actual: T) {
        self.written_alike(what, expected, actual);
    }

    /// As [`Self::same`], of values of different types.
    pub(super) fn written_alike(&mut self, what: &'static str, expected: impl Display, actual: impl Display) {
        self.list.push(Check {
            chain_id: self.chain_id,
            contract: self.contract,
            what,
            expected: expected.to_string(),
            actual: actual.to_string(),
        });
    }

    /// What the contract must answer.
    pub(super) async fn answer<C: SolCall>(
        &mut self,
        reader: &Reader,
        what: &'static str,
        question: C,
        expected: impl Display,
    ) -> Result<(), CliError>
    where
        C::Return: Display,
    {
        let actual = ask(reader, question).await?.map(|actual| actual.to_string());
        self.written_alike(what, expected, actual.unwrap_or_else(|| NO_ANSWER.to_owned()));
        Ok(())
    }
}

/// Asks a contract; none when it has no answer, because other code stands there.
pub(super) async fn ask<C: SolCall>(reader: &Reader, question: C) -> Result<Option<C::Return>, CliError> {
    match reader.try_ask(question).await {
        Ok(answer) => Ok(answer),
        Err(ChainError::Reverted { .. }) => Ok(None),
        Err(error) => Err(failure(reader.chain().id(), error)),
    }
}

/// Values as one text, in ascending order.
pub(super) fn listed<T: Display + Ord>(values: impl IntoIterator<Item = T>) -> String {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort();
    let words: Vec<String> = values.iter().map(ToString::to_string).collect();
    if words.is_empty() { "nobody".to_owned() } else { words.join(" ") }
}
