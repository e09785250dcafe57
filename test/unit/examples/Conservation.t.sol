// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {VaultHandler} from "../../utils/VaultHandler.sol";

/// @title Whatever is done in whatever order, the vaults hold what they owe, and all of it can be paid
contract ConservationTest is Test {
    VaultHandler private _handler;

    function setUp() public {
        _handler = new VaultHandler();
        _handler.setUp();
        bytes4[] memory actions = new bytes4[](11);
        actions[0] = VaultHandler.enter.selector;
        actions[1] = VaultHandler.depart.selector;
        actions[2] = VaultHandler.resolve.selector;
        actions[3] = VaultHandler.move.selector;
        actions[4] = VaultHandler.takeOut.selector;
        actions[5] = VaultHandler.gather.selector;
        actions[6] = VaultHandler.giveBack.selector;
        actions[7] = VaultHandler.lieWithdrawAgain.selector;
        actions[8] = VaultHandler.lieMore.selector;
        actions[9] = VaultHandler.lieRefund.selector;
        actions[10] = VaultHandler.lieSpendAgain.selector;
        targetSelector(FuzzSelector(address(_handler), actions));
        targetContract(address(_handler));
    }

    function invariant_vaultsHoldWhatTheyOwe() public view {
        assertFalse(_handler.believed(), "a lie was believed");
        (uint256 atHome, uint256 supply) = _handler.balances();
        assertEq(atHome, _handler.claimsOnHome(), "home");
        assertEq(supply + _handler.owed(4004) + _handler.gifts(), _handler.reserveAway(), "away");
    }

    /// @dev Everything comes home; then one of each thing, so that nothing above holds for want of anything happening.
    function afterInvariant() public {
        drain();
        bytes4[4] memory lies = [
            VaultHandler.lieMore.selector,
            VaultHandler.lieWithdrawAgain.selector,
            VaultHandler.lieRefund.selector,
            VaultHandler.lieSpendAgain.selector
        ];
        uint256[4] memory told;
        for (uint256 i = 0; i < lies.length; ++i) {
            told[i] = _handler.done(lies[i]);
        }
        _handler.enter(0, 1000); // to the synthetic token, for Alice
        _handler.enter(10, 1000); // to a chain that there is not
        _handler.resolve();
        _handler.lieMore(0);
        _handler.takeOut(0);
        _handler.lieWithdrawAgain(0);
        _handler.lieRefund(1, false);
        _handler.depart(4, 10); // to the home vault, with change
        _handler.lieSpendAgain(0);
        for (uint256 i = 0; i < lies.length; ++i) {
            assertEq(_handler.done(lies[i]), told[i] + 1, "a lie was refused");
        }
        drain();
        assertGt(_handler.done(VaultHandler.giveBack.selector), 0, "void");
        assertGt(_handler.done(VaultHandler.gather.selector), 0, "change");
    }

    function drain() private {
        _handler.drain();
        (uint256 atHome, uint256 supply) = _handler.balances();
        assertEq(supply, 0, "all tokens came home");
        assertEq(atHome, _handler.gifts(), "all was paid but what was given away");
        assertFalse(_handler.believed(), "a lie was believed");
    }
}
