//! Who may govern, and after how long: the timelock, that it is the owner, and what it has scheduled.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256, keccak256};
use hypha_chain::Log;
use hypha_protocol::contracts::IExitTimelock;

use super::checks::{Checks, listed};
use super::past::check_birth;
use crate::deploy::blueprint::FACTORY;
use crate::deploy::plan::Plan;
use crate::exit::CliError;
use crate::history::{each_log, event};
use crate::reader::Reader;

alloy::sol! {
    /// OpenZeppelin's two-step ownership.
    interface IOwnable2Step {
        event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
        function owner() external view returns (address);
        function pendingOwner() external view returns (address);
    }

    /// OpenZeppelin's timelock and its roles.
    interface ITimelock {
        event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender);
        event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender);
        event CallScheduled(
            bytes32 indexed id,
            uint256 indexed index,
            address target,
            uint256 value,
            bytes data,
            bytes32 predecessor,
            uint256 delay
        );
        function getTimestamp(bytes32 id) external view returns (uint256);
        function getMinDelay() external view returns (uint256);
    }
}

/// Role of whoever may give and take roles.
const ADMINISTRATOR: B256 = B256::ZERO;

/// The owner, and nobody on the way to be it.
pub(super) async fn check_owner(
    checks: &mut Checks,
    reader: &Reader,
    owner: Address,
) -> Result<(), CliError> {
    checks.answer(reader, "owner", IOwnable2Step::ownerCall {}, owner).await?;
    checks.answer(reader, "pending owner", IOwnable2Step::pendingOwnerCall {}, Address::ZERO).await
}

/// What a timelock's logs say.
#[derive(Default)]
pub(super) struct TimelockHistory {
    /// Whether the logs of its constructor are among them.
    is_born: bool,
    /// Who has which role.
    members: BTreeMap<B256, BTreeSet<Address>>,
    /// Every call that was ever scheduled, by its operation and its place there.
    pub(super) calls: BTreeMap<(B256, U256), ITimelock::CallScheduled>,
}

impl TimelockHistory {
    /// Reads the logs from a block on.
    pub(super) async fn read(reader: &Reader, from: u64) -> Result<Self, CliError> {
        let mut history = Self::default();
        each_log(reader, from, |log| history.take(log)).await?;
        Ok(history)
    }

    fn take(&mut self, log: &Log) -> Result<(), CliError> {
        if let Some(granted) = event::<ITimelock::RoleGranted>(log)? {
            // Roles that its constructor gives are given by who created it, which calls nothing ever after.
            self.is_born |= granted.sender == FACTORY;
            self.members.entry(granted.role).or_default().insert(granted.account);
        } else if let Some(revoked) = event::<ITimelock::RoleRevoked>(log)? {
            self.members.entry(revoked.role).or_default().remove(&revoked.account);
        } else if let Some(call) = event::<ITimelock::CallScheduled>(log)? {
            self.calls.insert((call.id, call.index), call);
        }
        Ok(())
    }
}

/// The delay, its lower bound, and everybody who has a role.
pub(super) async fn check_timelock(
    checks: &mut Checks,
    reader: &Reader,
    plan: &Plan,
    history: &TimelockHistory,
) -> Result<(), CliError> {
    let governance = plan.governance.as_ref().expect("a plan without it has no timelock");
    checks.answer(reader, "delay", ITimelock::getMinDelayCall {}, governance.delay_s).await?;
    checks.answer(reader, "least delay", IExitTimelock::leastDelayCall {}, plan.least_delay_s()).await?;
    check_birth(checks, history.is_born);
    let mut members = history.members.clone();
    let mut role = |what, role: B256, expected: &[Address]| {
        let actual = members.remove(&role).unwrap_or_default();
        checks.same(what, listed(expected), listed(&actual));
    };
    role("administrators", ADMINISTRATOR, &[reader.contract()]);
    role("proposers", keccak256("PROPOSER_ROLE"), &governance.proposers);
    role("cancellers", keccak256("CANCELLER_ROLE"), &governance.proposers);
    role("executors", keccak256("EXECUTOR_ROLE"), &governance.executors());
    let others = members.into_values().flatten();
    checks.same("other roles", listed::<Address>([]), listed(others));
    Ok(())
}
