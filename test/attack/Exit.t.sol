// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BoundedPause} from "../../contracts/BoundedPause.sol";
import {ExitTimelock} from "../../contracts/ExitTimelock.sol";
import {HubConfig, IPausable, SpokeConfig} from "../../contracts/interfaces/IHypha.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {World} from "../utils/World.sol";

/// @title Governance and its pauser against those who want to leave before a change
contract ExitAttackTest is World {
    uint256 private constant EXIT = 7 days;

    ExitTimelock private timelock;
    RootHub private ownHub;
    RootSpoke private ownSpoke;
    RootSpoke private otherSpoke;

    function setUp() public override {
        super.setUp();
        address[] memory proposers = new address[](1);
        proposers[0] = address(this);
        uint256 delay = 3 * 7 days + EXIT + WINDOW + INCLUSION_WINDOW;
        timelock = new ExitTimelock(WINDOW, INCLUSION_WINDOW, delay, proposers, new address[](1));
        HubConfig memory ofHub = hubConfig();
        (ofHub.governance.owner, ofHub.governance.pauseSeconds) = (address(timelock), 7 days);
        ownHub = new RootHub(ofHub);
        SpokeConfig memory ofSpoke = spokeConfig(false, false);
        (ofSpoke.governance.owner, ofSpoke.governance.pauseSeconds) = (address(timelock), 7 days);
        vm.chainId(SPOKE_CHAIN);
        ownSpoke = new RootSpoke(ofSpoke);
        otherSpoke = new RootSpoke(ofSpoke);
        vm.chainId(HUB_CHAIN);
    }

    /// @dev Calls that arm the pause again have waited and are kept, for what is ready never expires. Then the change is scheduled,
    /// and a pause is tried whenever none is on until it happens.
    function test_armPause_keptReady_cannotPauseThroughTheWholeDelay() public {
        bytes memory arm = abi.encodeCall(BoundedPause.armPause, (PAUSER));
        for (uint256 i = 0; i < 3; ++i) {
            timelock.schedule(address(ownHub), 0, arm, 0, bytes32(i), timelock.getMinDelay());
        }
        vm.warp(block.timestamp + 60 days);

        bytes memory change = abi.encodeCall(RootHub.setFactVerifier, (address(0xBAD)));
        timelock.schedule(address(ownHub), 0, change, 0, 0, timelock.getMinDelay());
        uint256 scheduledAt = block.timestamp;
        uint256 happensAt = scheduledAt + timelock.getMinDelay();
        vm.prank(PAUSER);
        ownHub.pause();
        uint256 pausedUntil = ownHub.pausedUntil();
        for (uint256 i = 0; i < 3; ++i) {
            timelock.execute(address(ownHub), 0, arm, 0, bytes32(i));
            vm.warp(pausedUntil + (happensAt - pausedUntil) * i / 3);
            vm.prank(PAUSER);
            vm.expectRevert(abi.encodeWithSelector(IPausable.PauseTooSoon.selector, pausedUntil + 30 days));
            ownHub.pause();
        }
        vm.warp(happensAt);
        timelock.execute(address(ownHub), 0, change, 0, 0);
        assertEq(ownHub.factVerifier(), address(0xBAD));
        assertEq(pausedUntil - scheduledAt, 7 days, "one pause, and then time to leave");
        assertGe(happensAt - pausedUntil, WINDOW + INCLUSION_WINDOW + EXIT);
    }

    /// @dev A way out leads through a step of the spoke that holds the change, the hub's batch, and a step of the spoke that holds the
    /// money; each can be paused in its turn.
    function test_leastDelay_coversThePausesOfHubAndSpokesInTurn() public {
        uint256 happensAt = block.timestamp + timelock.leastDelay();
        vm.warp(block.timestamp + INCLUSION_WINDOW); // a request of the first moment is due now
        vm.warp(block.timestamp + pauseOf(otherSpoke)); // the spoke tells of the change now
        vm.prank(PAUSER);
        ownHub.pause();
        vm.warp(ownHub.pausedUntil()); // a batch resolves it now
        vm.warp(block.timestamp + pauseOf(ownSpoke)); // the spoke takes the batch now
        assertGe(happensAt, block.timestamp + EXIT, "less is left than a person needs");
    }

    /// @dev Pauses a spoke, and gives for how many seconds.
    function pauseOf(RootSpoke spoke_) private returns (uint256) {
        vm.chainId(SPOKE_CHAIN);
        vm.prank(PAUSER);
        spoke_.pause();
        uint256 until = spoke_.pausedUntil();
        vm.chainId(HUB_CHAIN);
        return until - block.timestamp;
    }
}
