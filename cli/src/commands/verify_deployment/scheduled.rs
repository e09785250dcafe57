//! What a timelock is about to do: operations that are scheduled, and neither executed nor cancelled. None is a difference yet.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use alloy::primitives::{Address, B256, Bytes, U256};
use hypha_chain::BlockTag;
use hypha_protocol::json::decimal_u64;
use serde::Serialize;

use super::calls::call_in_words;
use super::checks::ask;
use super::governance::{ITimelock, TimelockHistory};
use crate::deploy::blueprint::Site;
use crate::exit::CliError;
use crate::reader::{Reader, failure};

/// What a timelock answers in place of a time for an operation that was executed; for one that was cancelled it answers 0.
const EXECUTED: U256 = U256::ONE;

/// An operation that waits, or is ready.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scheduled {
    #[serde(with = "decimal_u64")]
    chain_id: u64,
    /// As the timelock knows it: who may cancel it names it so.
    id: B256,
    /// From when on it can be executed, Unix seconds.
    #[serde(with = "decimal_u64")]
    ready_at: u64,
    /// In their order, all of them or none.
    calls: Vec<ScheduledCall>,
    /// Time of the chain's newest block, Unix seconds.
    #[serde(skip)]
    now: u64,
}

/// One call of an operation.
#[derive(Debug, Serialize)]
struct ScheduledCall {
    target: Address,
    /// Which contract of the deployment that is; none when it is another.
    contract: Option<&'static str>,
    /// Wei that go with it.
    value: String,
    data: Bytes,
    /// The call by the names of its function; none when it is of no function, or no contract, of the deployment.
    words: Option<String>,
}

impl ScheduledCall {
    fn new(site: &Site<'_>, call: ITimelock::CallScheduled) -> Self {
        let part = site.parts().find(|part| part.address == call.target);
        Self {
            target: call.target,
            contract: part.map(|part| part.artifact.name()),
            value: call.value.to_string(),
            words: part.and_then(|_| call_in_words(&call.data)),
            data: call.data,
        }
    }
}

impl Display for ScheduledCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, contract, value, data, words } = self;
        match contract {
            Some(contract) => write!(formatter, "{contract} at {target}: ")?,
            None => write!(formatter, "{target}, which is not of this deployment: ")?,
        }
        match words {
            Some(words) => formatter.write_str(words)?,
            None => write!(formatter, "{data}")?,
        }
        if value == "0" { Ok(()) } else { write!(formatter, ", with {value} wei") }
    }
}

impl Display for Scheduled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, id, ready_at, .. } = self;
        write!(formatter, "chain {chain_id}: scheduled operation {id}, ready ")?;
        match ready_at.saturating_sub(self.now) {
            0 => formatter.write_str("now")?,
            seconds => write!(formatter, "in {}, at {ready_at}", duration(seconds))?,
        }
        self.calls.iter().try_for_each(|call| write!(formatter, "\n  {call}"))
    }
}

/// Seconds as people read them: in minutes, begun ones counted; from a day on in full hours.
fn duration(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    let (days, hours, minutes) = (minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// The operations that a timelock has scheduled and not executed, in the order in which they become ready.
pub(super) async fn scheduled(
    reader: &Reader,
    site: &Site<'_>,
    history: TimelockHistory,
) -> Result<Vec<Scheduled>, CliError> {
    let chain = reader.chain();
    let latest = chain.block(BlockTag::Latest).await.map_err(|error| failure(chain.id(), error))?;
    let now = latest.map_or(0, |block| block.time);
    let mut operations: BTreeMap<B256, Vec<ScheduledCall>> = BTreeMap::new();
    for ((id, _), call) in history.calls {
        operations.entry(id).or_default().push(ScheduledCall::new(site, call));
    }
    let mut scheduled = Vec::new();
    for (id, calls) in operations {
        // Other code than a timelock's has no answer; that is a difference, and what it does is not known.
        let ready_at = ask(reader, ITimelock::getTimestampCall { id }).await?.unwrap_or_default();
        if ready_at > EXECUTED {
            scheduled.push(Scheduled {
                chain_id: chain.id(),
                id,
                ready_at: ready_at.saturating_to(),
                calls,
                now,
            });
        }
    }
    scheduled.sort_by_key(|operation| operation.ready_at);
    Ok(scheduled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_no_known_contract_is_shown_as_it_is() {
        let (target, data) = (Address::repeat_byte(1), Bytes::from_static(&[1, 2]));
        let call = ScheduledCall { target, contract: None, value: "7".into(), data, words: None };
        let operation = Scheduled { chain_id: 1, id: B256::ZERO, ready_at: 59, calls: vec![call], now: 60 };
        let text = operation.to_string();
        assert!(text.contains("ready now"), "{text}");
        assert!(
            text.ends_with(&format!("{target}, which is not of this deployment: 0x0102, with 7 wei")),
            "{text}"
        );
    }

    #[test]
    fn times_are_readable() {
        let times = [1, 3_600, 86_399, 86_400, 1_299_541].map(duration);
        assert_eq!(times, ["1 min", "1 h 0 min", "1 d 0 h", "1 d 0 h", "15 d 1 h"]);
    }
}
