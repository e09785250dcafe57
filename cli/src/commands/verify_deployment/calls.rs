//! Calls of the functions that governance has, in words.

use std::fmt::Debug;

use alloy::sol_types::SolInterface;
use hypha_protocol::contracts::{
    IAttestedFacts::IAttestedFactsCalls, IPausable::IPausableCalls, IRequestQueue::IRequestQueueCalls,
    IRootHub::IRootHubCalls, IRootSpoke::IRootSpokeCalls,
};

use self::IOwnable::IOwnableCalls;
use self::ITimelockRoles::ITimelockRolesCalls;

alloy::sol! {
    #![sol(all_derives)]

    /// What an owner may do with its ownership, of OpenZeppelin.
    interface IOwnable {
        function transferOwnership(address newOwner) external;
        function acceptOwnership() external;
        function renounceOwnership() external;
    }

    /// What a timelock does to itself, of OpenZeppelin.
    interface ITimelockRoles {
        function grantRole(bytes32 role, address account) external;
        function revokeRole(bytes32 role, address account) external;
        function renounceRole(bytes32 role, address callerConfirmation) external;
        function updateDelay(uint256 newDelay) external;
    }
}

/// The call by the names of its function and its arguments; none when it is of no function that is known.
pub(super) fn call_in_words(data: &[u8]) -> Option<String> {
    let readers = [
        read::<IRootHubCalls>,
        read::<IRootSpokeCalls>,
        read::<IAttestedFactsCalls>,
        read::<IRequestQueueCalls>,
        read::<IPausableCalls>,
        read::<IOwnableCalls>,
        read::<ITimelockRolesCalls>,
    ];
    readers.iter().find_map(|read| read(data))
}

fn read<C: SolInterface + Debug>(data: &[u8]) -> Option<String> {
    // As `name(nameCall { argument: value })`.
    let text = format!("{:?}", C::abi_decode(data).ok()?);
    let (name, call) = text.split_once('(')?;
    let arguments = call.strip_prefix(name)?.strip_prefix("Call")?.strip_suffix(')')?;
    Some(format!("{name}{arguments}"))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};
    use alloy::sol_types::SolCall as _;
    use hypha_protocol::contracts::{IRequestQueue, IRootHub};

    use super::*;

    #[test]
    fn a_call_is_told_by_the_names_of_its_function_and_only_when_it_reads() {
        let spoke = Address::repeat_byte(0xe5);
        let data = IRootHub::registerSpokeCall { chainId: U256::from(7), spoke }.abi_encode();
        let words = format!("registerSpoke {{ chainId: 7, spoke: {spoke:?} }}");
        assert_eq!(call_in_words(&data), Some(words));
        for unread in [&[][..], &data[..3], &data[..40], &[0; 4]] {
            assert_eq!(call_in_words(unread), None);
        }
        let fee = IRequestQueue::setRequestFeeCall { fee: 5 }.abi_encode();
        assert_eq!(call_in_words(&fee).as_deref(), Some("setRequestFee { fee: 5 }"));
        let accept = IOwnable::acceptOwnershipCall {}.abi_encode();
        assert_eq!(call_in_words(&accept).as_deref(), Some("acceptOwnership"));
        let delay = ITimelockRoles::updateDelayCall { newDelay: U256::from(9) }.abi_encode();
        assert_eq!(call_in_words(&delay).as_deref(), Some("updateDelay { newDelay: 9 }"));
    }
}
