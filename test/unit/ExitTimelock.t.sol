// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {ExitTimelock} from "../../contracts/ExitTimelock.sol";
import {Batch, IExitTimelock, IRootVerifier} from "../../contracts/interfaces/IHypha.sol";
import {World} from "../utils/World.sol";

contract ExitTimelockTest is World {
    uint256 private constant LEAST_DELAY = 3 * 7 days + WINDOW + INCLUSION_WINDOW + 7 days;

    uint64 private constant MAX_WINDOWS = 9 days;

    ExitTimelock private timelock;
    address private immutable PROPOSER = makeAddr("proposer");

    /// @dev The world as it is deployed: the timelock owns all that can be owned.
    function setUp() public override {
        super.setUp();
        timelock = build(LEAST_DELAY, single(PROPOSER), single(address(0)));
        take(HUB_CHAIN, hub);
        take(SPOKE_CHAIN, spoke);
        take(ATTESTED_CHAIN, attestedSpoke);
        take(HUB_CHAIN, facts);
    }

    // ---- how it is built

    function test_constructor_delayBelowTheLeast_reverts() public {
        assertEq(timelock.leastDelay(), LEAST_DELAY);
        assertEq(timelock.getMinDelay(), LEAST_DELAY);
        vm.expectRevert(tooShort(LEAST_DELAY - 1));
        build(LEAST_DELAY - 1, single(PROPOSER), single(address(0)));
    }

    /// @dev Whatever the windows, the delay is longer than they, the longest pauses of a hub and two spokes, and a week together.
    function testFuzz_constructor_leastDelay_coversEverything(uint64 liveness, uint64 inclusion) public {
        liveness = uint64(bound(liveness, 0, MAX_WINDOWS));
        inclusion = uint64(bound(inclusion, 0, MAX_WINDOWS - liveness));
        uint256 needed = uint256(3 * 7 days) + liveness + inclusion + 7 days;
        address[] memory accounts = single(PROPOSER);
        ExitTimelock other = new ExitTimelock(liveness, inclusion, needed, accounts, accounts);
        assertEq(other.leastDelay(), needed);
        vm.expectRevert(abi.encodeWithSelector(IExitTimelock.DelayTooShort.selector, needed, needed - 1));
        new ExitTimelock(liveness, inclusion, needed - 1, accounts, accounts);
    }

    /// @dev With longer windows more than one pause's length of one contract could fall into the delay.
    function testFuzz_constructor_windowsThatDoNotFitBetweenPauses_revert(uint64 liveness, uint64 inclusion)
        public
    {
        uint256 windows = uint256(liveness) + inclusion;
        vm.assume(windows > MAX_WINDOWS);
        address[] memory accounts = single(PROPOSER);
        vm.expectRevert(abi.encodeWithSelector(IExitTimelock.WindowsTooLong.selector, MAX_WINDOWS, windows));
        new ExitTimelock(liveness, inclusion, type(uint128).max, accounts, accounts);
    }

    function test_constructor_nobodyToGovern_reverts() public {
        vm.expectRevert(IExitTimelock.NoProposer.selector);
        build(LEAST_DELAY, new address[](0), single(address(0)));
        vm.expectRevert(IExitTimelock.NoExecutor.selector);
        build(LEAST_DELAY, single(PROPOSER), new address[](0));
    }

    /// @dev Who built it has no role, and nobody but the timelock gives any.
    function test_constructor_hasNoAdministratorButItself() public {
        bytes32 administrator = timelock.DEFAULT_ADMIN_ROLE();
        bytes32 proposer = timelock.PROPOSER_ROLE();
        assertTrue(timelock.hasRole(administrator, address(timelock)));
        address[2] memory others = [address(this), PROPOSER];
        for (uint256 i = 0; i < others.length; ++i) {
            assertFalse(timelock.hasRole(administrator, others[i]));
            vm.prank(others[i]);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAccessControl.AccessControlUnauthorizedAccount.selector, others[i], administrator
                )
            );
            timelock.grantRole(proposer, others[i]);
        }
        assertFalse(timelock.hasRole(proposer, address(this)));
    }

    // ---- its delay

    function test_updateDelay_belowTheLeast_neverHappens() public {
        bytes memory change = abi.encodeCall(timelock.updateDelay, (LEAST_DELAY - 1));
        schedule(address(timelock), change);
        vm.warp(block.timestamp + LEAST_DELAY);
        vm.expectRevert(tooShort(LEAST_DELAY - 1));
        timelock.execute(address(timelock), 0, change, 0, 0);
        assertEq(timelock.getMinDelay(), LEAST_DELAY);
    }

    function test_updateDelay_longerAndBack_waitsForThePresentOne() public {
        govern(HUB_CHAIN, address(timelock), abi.encodeCall(timelock.updateDelay, (LEAST_DELAY + 1)));
        assertEq(timelock.getMinDelay(), LEAST_DELAY + 1);
        bytes memory back = abi.encodeCall(timelock.updateDelay, (LEAST_DELAY));
        vm.prank(PROPOSER);
        vm.expectRevert(
            abi.encodeWithSelector(
                TimelockController.TimelockInsufficientDelay.selector, LEAST_DELAY, LEAST_DELAY + 1
            )
        );
        timelock.schedule(address(timelock), 0, back, 0, 0, LEAST_DELAY);
        govern(HUB_CHAIN, address(timelock), back);
        assertEq(timelock.getMinDelay(), LEAST_DELAY);
    }

    function test_updateDelay_anybodyElse_reverts() public {
        vm.prank(PROPOSER);
        vm.expectRevert(
            abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, PROPOSER)
        );
        timelock.updateDelay(LEAST_DELAY);
    }

    // ---- what governance does through it

    function test_hub_everyPower_afterTheDelay() public {
        address next = makeAddr("next");
        govern(HUB_CHAIN, address(hub), abi.encodeCall(hub.registerSpoke, (9009, next)));
        govern(HUB_CHAIN, address(hub), abi.encodeCall(hub.setSequencer, (SEQUENCER, false)));
        govern(HUB_CHAIN, address(hub), abi.encodeCall(hub.setFactVerifier, (next)));
        govern(HUB_CHAIN, address(hub), abi.encodeCall(hub.setRequestFee, (MAX_FEE)));
        govern(HUB_CHAIN, address(hub), abi.encodeCall(hub.armPause, (next)));
        assertEq(hub.spokeOf(9009), next);
        assertFalse(hub.isSequencer(SEQUENCER));
        assertEq(hub.factVerifier(), next);
        assertEq(hub.requestFee(), MAX_FEE);
        assertEq(hub.pauser(), next);
    }

    function test_facts_nextAttestors_afterTheDelay() public {
        bytes memory change = abi.encodeCall(facts.setAttestors, (single(PROPOSER), 1, FAR, FAR));
        govern(HUB_CHAIN, address(facts), change);
        assertEq(facts.currentSetId(), 2);
    }

    /// @dev A frozen spoke knows no root and takes none until what the timelock says has waited.
    function test_spoke_frozen_untilTheTimelockSpeaks() public {
        landIssues(2);
        follow(2);
        vm.chainId(SPOKE_CHAIN);
        bytes32 second = keccak256("second");
        spoke.freezeOnConflict(2, keccak256("first"), second, conflictProof(2, keccak256("first"), second));
        bytes memory thaw = abi.encodeCall(spoke.thaw, (2, rootOf[2], chainOf[2], rootFact(2)));
        schedule(address(spoke), thaw);
        vm.warp(block.timestamp + LEAST_DELAY - 1);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(spoke), 0, thaw, 0, 0);
        (Batch[] memory batches, bytes memory proof) = (batchesBetween(1, 2), rootFact(2));
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.advance(batches, 2, proof);
        assertFalse(spoke.isKnownRoot(rootOf[2]));
        vm.warp(block.timestamp + 1);
        timelock.execute(address(spoke), 0, thaw, 0, 0);
        assertEq(spoke.frozenAt(), FAR);
        assertTrue(spoke.isKnownRoot(rootOf[2]));
    }

    /// @dev What is scheduled can be called off, by who may schedule.
    function test_cancel_byAProposer_neverHappens() public {
        bytes memory change = abi.encodeCall(hub.setFactVerifier, (makeAddr("next")));
        bytes32 id = schedule(address(hub), change);
        vm.prank(PROPOSER);
        timelock.cancel(id);
        vm.warp(block.timestamp + LEAST_DELAY);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(address(hub), 0, change, 0, 0);
    }

    // ---- helpers

    function build(uint256 delay, address[] memory proposers, address[] memory executors)
        private
        returns (ExitTimelock)
    {
        return new ExitTimelock(WINDOW, INCLUSION_WINDOW, delay, proposers, executors);
    }

    function take(uint256 chainId, Ownable2Step owned) private {
        vm.chainId(chainId);
        vm.prank(GOVERNANCE);
        owned.transferOwnership(address(timelock));
        vm.prank(address(timelock));
        owned.acceptOwnership();
        vm.chainId(HUB_CHAIN);
    }

    function schedule(address target, bytes memory call) private returns (bytes32) {
        uint256 delay = timelock.getMinDelay();
        vm.prank(PROPOSER);
        timelock.schedule(target, 0, call, 0, 0, delay);
        return timelock.hashOperation(target, 0, call, 0, 0);
    }

    /// @dev A change that is scheduled, waits, and is carried out by whoever likes.
    function govern(uint256 chainId, address target, bytes memory call) private {
        vm.chainId(chainId);
        schedule(target, call);
        vm.warp(block.timestamp + timelock.getMinDelay());
        timelock.execute(target, 0, call, 0, 0);
    }

    function single(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }

    function tooShort(uint256 delay) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IExitTimelock.DelayTooShort.selector, LEAST_DELAY, delay);
    }
}
