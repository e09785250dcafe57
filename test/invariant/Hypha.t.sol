// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
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
        bytes4[] memory actions = new bytes4[](15);
        actions[0] = HostileHandler.landIssue.selector;
        actions[1] = HostileHandler.landTransfer.selector;
        actions[2] = HostileHandler.followSome.selector;
        actions[3] = HostileHandler.followAttestedSome.selector;
        actions[4] = HostileHandler.confirmSpoke.selector;
        actions[5] = HostileHandler.lieReplay.selector;
        actions[6] = HostileHandler.lieSpendAgain.selector;
        actions[7] = HostileHandler.lieSpendUnborn.selector;
        actions[8] = HostileHandler.lieNewRoot.selector;
        actions[9] = HostileHandler.lieStrangersTurn.selector;
        actions[10] = HostileHandler.lieStaleFact.selector;
        actions[11] = HostileHandler.lieGap.selector;
        actions[12] = HostileHandler.lieForeignFact.selector;
        actions[13] = HostileHandler.lieZeroRoot.selector;
        actions[14] = HostileHandler.lieDivergence.selector;
        targetSelector(FuzzSelector(address(_handler), actions));
        targetContract(address(_handler));
    }

    /// forge-config: default.invariant.runs = 16
    /// forge-config: default.invariant.depth = 48
    /// forge-config: default.invariant.fail-on-revert = true
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
        assertTrue(_handler.allSpentAreMarked(), "nullifiers");
    }

    function afterInvariant() public {
        uint256 refusedBefore = _handler.refused();
        _handler.finish();
        assertEq(_handler.refused(), refusedBefore + 10, "every lie was told");
        assertFalse(_handler.believed(), "a lie was believed");
        assertGe(_hub.index(), 2);
        assertEq(_spoke.stateRoot(), _hub.stateRoot());
        assertEq(_attestedSpoke.stateRoot(), _hub.stateRoot());
        assertEq(_hub.confirmedIndex(2002), _hub.index());
    }
}
