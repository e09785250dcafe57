//! Who may govern, and after how long: the timelock, and that it is the owner.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, keccak256};
use hypha_protocol::contracts::IExitTimelock;

use super::checks::{Checks, listed};
use crate::deploy::plan::Plan;
use crate::deploy::record::Recorded;
use crate::exit::CliError;
use crate::history::{Pages, event};
use crate::reader::Reader;

alloy::sol! {
    /// OpenZeppelin's two-step ownership.
    interface IOwnable2Step {
        function owner() external view returns (address);
        function pendingOwner() external view returns (address);
    }

    /// OpenZeppelin's timelock and its roles.
    interface ITimelock {
        event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender);
        event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender);
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

/// The delay, its lower bound, and everybody who has a role.
pub(super) async fn check_timelock(
    checks: &mut Checks,
    reader: &Reader,
    plan: &Plan,
    recorded: &Recorded,
) -> Result<(), CliError> {
    let governance = plan.governance.as_ref().expect("a plan without it has no timelock");
    checks.answer(reader, "delay", ITimelock::getMinDelayCall {}, governance.delay_s).await?;
    checks.answer(reader, "least delay", IExitTimelock::leastDelayCall {}, plan.least_delay_s()).await?;
    let mut members = members(reader, recorded.block).await?;
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

/// Who has which role, by all that the timelock's logs say was given and taken.
async fn members(reader: &Reader, from: u64) -> Result<BTreeMap<B256, BTreeSet<Address>>, CliError> {
    let mut members: BTreeMap<B256, BTreeSet<Address>> = BTreeMap::new();
    let mut pages = Pages::open(reader, from).await?;
    while let Some(page) = pages.next().await? {
        for log in &page {
            if let Some(granted) = event::<ITimelock::RoleGranted>(log)? {
                members.entry(granted.role).or_default().insert(granted.account);
            } else if let Some(revoked) = event::<ITimelock::RoleRevoked>(log)? {
                members.entry(revoked.role).or_default().remove(&revoked.account);
            }
        }
    }
    Ok(members)
}
