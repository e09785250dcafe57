// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {
    Batch,
    HubConfig,
    IPausable,
    IRootVerifier,
    Resource,
    SpokeConfig
} from "../../contracts/interfaces/IHypha.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

contract BoundedPauseTest is RequestWorld {
    function test_constructor_armsThePauser() public view {
        assertEq(hub.pauser(), PAUSER);
        assertEq(hub.pauseSeconds(), PAUSE);
        assertTrue(hub.pauseArmed() && spoke.pauseArmed());
        assertLe(hub.pausedUntil(), block.timestamp);
    }

    function test_constructor_tooLong_reverts() public {
        HubConfig memory config = hubConfig();
        config.governance.pauseSeconds = 7 days;
        new RootHub(config);
        config.governance.pauseSeconds = 7 days + 1;
        vm.expectRevert(abi.encodeWithSelector(IPausable.PauseTooLong.selector, 7 days, 7 days + 1));
        new RootHub(config);
        SpokeConfig memory ofSpoke = spokeConfig(false, false);
        ofSpoke.governance.pauseSeconds = 7 days + 1;
        vm.expectRevert(abi.encodeWithSelector(IPausable.PauseTooLong.selector, 7 days, 7 days + 1));
        new RootSpoke(ofSpoke);
    }

    function test_constructor_noPauser_nobodyCanPause() public {
        HubConfig memory config = hubConfig();
        config.governance.pauser = address(0);
        RootHub quiet = new RootHub(config);
        assertFalse(quiet.pauseArmed());
        vm.prank(address(0));
        vm.expectRevert(IPausable.PauseSpent.selector);
        quiet.pause();
    }

    function test_pause_stopsBatchesUntilItEnds() public {
        Batch memory batch = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        uint64 until = uint64(block.timestamp) + PAUSE;
        vm.expectEmit(address(hub));
        emit IPausable.PausedUntil(until);
        pauseAll();
        assertEq(hub.pausedUntil(), until);
        bytes memory reason = abi.encodeWithSelector(IPausable.Paused.selector, until);
        refuseAs(SEQUENCER, batch, reason);
        vm.warp(until - 1);
        refuseAs(SEQUENCER, batch, reason);
        refuseAs(address(this), batch, reason);
        vm.warp(until);
        land(batch);
    }

    function test_pause_stopsSpokesUntilItEnds() public {
        landIssues(1);
        pauseAll();
        bytes memory reason = abi.encodeWithSelector(IPausable.Paused.selector, spoke.pausedUntil());
        vm.chainId(SPOKE_CHAIN);
        (Batch[] memory batches, bytes memory proof) = (batchesBetween(1, 1), rootFact(1));
        vm.expectRevert(reason);
        spoke.advance(batches, 1, proof);
        vm.chainId(ATTESTED_CHAIN);
        proof = rootFact(1);
        vm.expectRevert(reason);
        attestedSpoke.advanceAttested(1, rootOf[1], chainOf[1], proof);
        vm.warp(spoke.pausedUntil());
        follow(1);
        followAttested(1);
    }

    function test_pause_once_cannotBeExtended() public {
        pauseAll();
        uint64 until = hub.pausedUntil();
        vm.startPrank(PAUSER);
        vm.expectRevert(IPausable.PauseSpent.selector);
        hub.pause();
        hub.unpause();
        vm.expectRevert(IPausable.PauseSpent.selector);
        hub.pause();
        vm.warp(until + 365 days);
        vm.expectRevert(IPausable.PauseSpent.selector);
        hub.pause();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, PAUSER));
        hub.armPause(PAUSER);
    }

    function test_armPause_byGovernance_onceMore() public {
        pauseAll();
        address next = makeAddr("next pauser");
        vm.expectEmit(address(hub));
        emit IPausable.PauseArmed(next);
        vm.prank(GOVERNANCE);
        hub.armPause(next);
        vm.prank(PAUSER);
        vm.expectRevert(abi.encodeWithSelector(IPausable.NotPauser.selector, PAUSER));
        hub.pause();
        uint256 earliest = uint256(hub.pausedUntil()) + 30 days;
        vm.warp(earliest - 1);
        vm.prank(next);
        vm.expectRevert(abi.encodeWithSelector(IPausable.PauseTooSoon.selector, earliest));
        hub.pause();
        vm.warp(earliest);
        vm.prank(next);
        hub.pause();
        assertFalse(hub.pauseArmed());
    }

    /// @dev What ends nothing does not put off the next pause.
    function test_unpause_withoutAPause_changesNothing() public {
        uint64 before = hub.pausedUntil();
        vm.startPrank(PAUSER);
        hub.unpause();
        assertEq(hub.pausedUntil(), before);
        hub.pause();
    }

    function test_pause_stranger_reverts() public {
        bytes memory reason = abi.encodeWithSelector(IPausable.NotPauser.selector, address(this));
        vm.expectRevert(reason);
        hub.pause();
        vm.expectRevert(reason);
        hub.unpause();
        vm.prank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IPausable.NotPauser.selector, GOVERNANCE));
        hub.pause();
    }

    function test_unpause_byPauserOrGovernance_endsIt() public {
        Batch memory batch = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        pauseAll();
        vm.prank(GOVERNANCE);
        hub.unpause();
        land(batch);
        vm.chainId(SPOKE_CHAIN);
        vm.prank(PAUSER);
        spoke.unpause();
        follow(1);
    }

    /// @dev All but new roots goes on: requests, proofs, confirmations, freezes, thaws, payments.
    function test_pause_everythingElse_goesOn() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        Request memory first = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(ALICE), 3);
        land(commitBatch(execute(first)));
        follow(2);
        pauseAll();
        requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(ALICE), 3);
        enqueue(requestMove(SPOKE_CHAIN, note, HUB_CHAIN, vm.addr(BOB)));
        requestIssue(ATTESTED_CHAIN, address(this), HUB_CHAIN, vm.addr(ALICE), 3);
    }

    function test_pause_confirmProofsAndFees_goOn() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        Request memory first = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(ALICE), 3);
        land(commitBatch(execute(first)));
        follow(2);
        pauseAll();
        bytes memory proof = proveOne(resourceKey(note));
        assertTrue(hub.verifyProof(rootOf[2], resourceKey(note), abi.encode(note), proof));
        assertTrue(spoke.verifyProof(rootOf[2], resourceKey(note), abi.encode(note), proof));
        vm.chainId(HUB_CHAIN);
        hub.confirm(SPOKE_CHAIN, 2, rootOf[2], appliedFact(SPOKE_CHAIN, address(spoke), 2, rootOf[2]));
        vm.prank(SEQUENCER);
        hub.withdrawFees(SEQUENCER);
        assertEq(SEQUENCER.balance, FEE);
        vm.chainId(SPOKE_CHAIN);
        bytes32 second = keccak256("second");
        spoke.freezeOnConflict(2, keccak256("first"), second, conflictProof(2, keccak256("first"), second));
        bytes memory factProof = rootFact(2);
        vm.prank(GOVERNANCE);
        spoke.thaw(2, rootOf[2], chainOf[2], factProof);
        assertEq(spoke.frozenAt(), FAR);
    }

    function test_everyStateChange_otherChain_reverts() public {
        vm.chainId(SPOKE_CHAIN);
        bytes memory reason =
            abi.encodeWithSelector(IRootVerifier.ChainIdMismatch.selector, HUB_CHAIN, SPOKE_CHAIN);
        vm.startPrank(PAUSER);
        vm.expectRevert(reason);
        hub.pause();
        vm.expectRevert(reason);
        hub.unpause();
        vm.stopPrank();
        vm.prank(GOVERNANCE);
        vm.expectRevert(reason);
        hub.armPause(PAUSER);
    }

    function pauseAll() private {
        vm.startPrank(PAUSER);
        vm.chainId(HUB_CHAIN);
        hub.pause();
        vm.chainId(SPOKE_CHAIN);
        spoke.pause();
        vm.chainId(ATTESTED_CHAIN);
        attestedSpoke.pause();
        vm.chainId(HUB_CHAIN);
        vm.stopPrank();
    }
}
