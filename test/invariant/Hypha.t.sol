// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {HonestHandler} from "./HonestHandler.sol";
import {HostileHandler} from "./HostileHandler.sol";

contract HyphaInvariantTest is Test {
    HostileHandler private _handler;
    RootHub private _hub;
    RootSpoke private _spoke;
    RootSpoke private _attestedSpoke;

    function setUp() public {
        _handler = new HostileHandler();
        _handler.setUp();
        (address hub, address spoke, address attestedSpoke) = _handler.contracts();
        (_hub, _spoke, _attestedSpoke) = (RootHub(hub), RootSpoke(spoke), RootSpoke(attestedSpoke));
        bytes4[] memory actions = new bytes4[](35);
        actions[0] = HonestHandler.landIssue.selector;
        actions[1] = HonestHandler.landTransfer.selector;
        actions[2] = HonestHandler.resolveNext.selector;
        actions[3] = HonestHandler.escape.selector;
        actions[4] = HonestHandler.wait_.selector;
        actions[5] = HonestHandler.sendIssue.selector;
        actions[6] = HonestHandler.sendMove.selector;
        actions[7] = HonestHandler.sendMoveOfNothing.selector;
        actions[8] = HonestHandler.sendIssueToNowhere.selector;
        actions[9] = HonestHandler.bringNext.selector;
        actions[10] = HonestHandler.bringAgain.selector;
        actions[11] = HonestHandler.withdraw.selector;
        actions[12] = HonestHandler.followSome.selector;
        actions[13] = HonestHandler.followAttestedSome.selector;
        actions[14] = HonestHandler.confirmSpoke.selector;
        actions[15] = HostileHandler.lieReplay.selector;
        actions[16] = HostileHandler.lieSpendAgain.selector;
        actions[17] = HostileHandler.lieSpendUnborn.selector;
        actions[18] = HostileHandler.lieInflate.selector;
        actions[19] = HostileHandler.lieNewRoot.selector;
        actions[20] = HostileHandler.lieStrangersTurn.selector;
        actions[21] = HostileHandler.lieStaleFact.selector;
        actions[22] = HostileHandler.lieGap.selector;
        actions[23] = HostileHandler.lieForeignFact.selector;
        actions[24] = HostileHandler.lieZeroRoot.selector;
        actions[25] = HostileHandler.lieDivergence.selector;
        actions[26] = HostileHandler.lieLeaveOutDue.selector;
        actions[27] = HostileHandler.lieInventRequest.selector;
        actions[28] = HostileHandler.lieAlterRequest.selector;
        actions[29] = HostileHandler.lieVoid.selector;
        actions[30] = HostileHandler.lieForgeRemote.selector;
        actions[31] = HostileHandler.lieInventOnSpoke.selector;
        actions[32] = HostileHandler.lieWithdraw.selector;
        actions[33] = HostileHandler.liePaused.selector;
        actions[34] = HostileHandler.lieFrozen.selector;
        targetSelector(FuzzSelector(address(_handler), actions));
        targetContract(address(_handler));
    }

    function invariant_oneHistoryEverywhere() public view {
        assertFalse(_handler.believed(), "a lie was believed");
        for (uint64 i = 0; i <= _hub.index(); ++i) {
            (bytes32 root, bytes32 chain) = _handler.rootAtHistory(i);
            assertEq(_hub.rootAt(i), root, "hub");
            assertEq(_hub.batchChain(i), chain, "hub");
            if (i <= _spoke.index()) assertEq(_spoke.rootAt(i), root, "spoke");
            if (i <= _spoke.index()) assertEq(_spoke.batchChain(i), chain, "spoke");
            bool held = _attestedSpoke.isKnownRoot(root);
            if (held) assertEq(_attestedSpoke.rootAt(i), root, "attested spoke");
        }
        assertEq(_hub.rootAt(_spoke.index()), _spoke.stateRoot(), "spoke's latest");
        assertEq(_hub.rootAt(_attestedSpoke.index()), _attestedSpoke.stateRoot(), "attested spoke's latest");
        assertLe(_hub.confirmedIndex(2002), _spoke.index(), "confirmed");
        assertEq(_spoke.frozenAt(), type(uint64).max);
        assertEq(_attestedSpoke.frozenAt(), type(uint64).max);
        assertFalse(_hub.isKnownRoot(0) || _spoke.isKnownRoot(0) || _attestedSpoke.isKnownRoot(0), "zero");
        _handler.checkNotes();
        assertTrue(_handler.noDueTimeMoved(), "due times");
        assertTrue(_handler.feesAreThere(), "fees");
    }

    function afterInvariant() public {
        uint256 refusedBefore = _handler.refused();
        _handler.finish();
        assertEq(_handler.refused(), refusedBefore + 22, "every lie was told");
        assertFalse(_handler.believed(), "a lie was believed");
        assertGe(_hub.index(), 2);
        assertGe(_handler.executed(), 1);
        assertGe(_handler.voided(), 1);
        assertGe(_handler.withdrawn(), 1);
        assertEq(_spoke.stateRoot(), _hub.stateRoot());
        assertEq(_attestedSpoke.stateRoot(), _hub.stateRoot());
        assertEq(_hub.confirmedIndex(2002), _hub.index());
        _handler.checkNotes();
        assertTrue(_handler.noDueTimeMoved() && _handler.feesAreThere());
    }
}
