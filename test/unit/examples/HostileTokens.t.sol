// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {NoteVault} from "../../../contracts/examples/NoteVault.sol";
import {TokenVault} from "../../../contracts/examples/TokenVault.sol";
import {IOperationErrors, Resource} from "../../../contracts/interfaces/IHypha.sol";
import {FeeToken} from "../../utils/tokens/FeeToken.sol";
import {PlainToken} from "../../utils/tokens/PlainToken.sol";
import {ReentrantToken} from "../../utils/tokens/ReentrantToken.sol";
import {SilentToken} from "../../utils/tokens/SilentToken.sol";
import {VaultWorld} from "../../utils/VaultWorld.sol";

contract FeeTokenVaultTest is VaultWorld {
    function newToken() internal override returns (PlainToken) {
        return new FeeToken();
    }

    function test_deposit_creditsWhatArrives() public {
        Resource memory note = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        assertEq(note.quantity, 970);
        assertEq(token.balanceOf(address(home)), 970);
        withdraw(note);
        assertEq(token.balanceOf(address(home)), 0);
        assertEq(token.balanceOf(bob), 1_000_000 + 941);
    }

    function test_refund_givesBackWhatArrived() public {
        (uint64 number,) = depositHome(alice, 1000, UNKNOWN_CHAIN, bob, 0);
        voidRequest(HOME_CHAIN, number);
        refund(home, number);
        assertEq(token.balanceOf(address(home)), 0);
        assertEq(token.balanceOf(alice), 999_000 + 941);
    }

    function test_deposit_nothingArrives_reverts() public {
        FeeToken(address(token)).setFeePercent(100);
        vm.chainId(HOME_CHAIN);
        vm.expectRevert(IOperationErrors.ZeroQuantity.selector);
        vm.prank(alice);
        home.deposit{value: FEE}(1000, AWAY_CHAIN, bob, 0);
    }
}

contract SilentTokenVaultTest is VaultWorld {
    function newToken() internal override returns (PlainToken) {
        return PlainToken(address(new SilentToken()));
    }

    function test_allTheWay_works() public {
        withdraw(issued(alice, 1000, HOME_CHAIN, address(home), named(bob)));
        assertEq(token.balanceOf(bob), 1_001_000);
        (uint64 number,) = depositHome(alice, 1000, UNKNOWN_CHAIN, bob, 0);
        voidRequest(HOME_CHAIN, number);
        refund(home, number);
        assertEq(token.balanceOf(alice), 999_000);
    }
}

/// @dev B14: whatever the token calls while it moves, everything ends as if it had called nothing.
contract ReentrantTokenVaultTest is VaultWorld {
    function newToken() internal override returns (PlainToken) {
        return new ReentrantToken();
    }

    function test_whileDepositing_everyFunctionIsClosed() public {
        bytes[3] memory calls = everyCall();
        for (uint256 i = 0; i < calls.length; ++i) {
            aim(calls[i]);
            (, Resource memory note) = depositHome(bob, 100, AWAY_CHAIN, bob, 0);
            assertEq(note.quantity, 100);
            expectClosed();
        }
        assertEq(token.balanceOf(address(home)), 2300);
        expectOpen(calls);
    }

    function test_whileWithdrawing_everyFunctionIsClosed() public {
        bytes[3] memory calls = everyCall();
        Resource[3] memory exits;
        for (uint256 i = 0; i < calls.length; ++i) {
            exits[i] = issued(bob, 100, HOME_CHAIN, address(home), named(bob));
        }
        for (uint256 i = 0; i < calls.length; ++i) {
            aim(calls[i]);
            withdraw(exits[i]);
            expectClosed();
        }
        assertEq(token.balanceOf(address(home)), 2000);
        expectOpen(calls);
    }

    function test_whileRefunding_everyFunctionIsClosed() public {
        bytes[3] memory calls = everyCall();
        for (uint256 i = 0; i < calls.length; ++i) {
            (uint64 number,) = depositHome(bob, 100, UNKNOWN_CHAIN, bob, 0);
            voidRequest(HOME_CHAIN, number);
            aim(calls[i]);
            refund(home, number);
            expectClosed();
            ReentrantToken(address(token)).aim(address(0), "");
        }
        assertEq(token.balanceOf(address(home)), 2000);
        expectOpen(calls);
    }

    /// @dev A call of each external function that changes anything; those for a note and for a void request would succeed.
    function everyCall() private returns (bytes[3] memory calls) {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(alice));
        (uint64 number,) = depositHome(alice, 1000, UNKNOWN_CHAIN, alice, 0);
        voidRequest(HOME_CHAIN, number);
        bytes memory proof = proveNote(exit);
        calls[0] = abi.encodeCall(TokenVault.deposit, (1, AWAY_CHAIN, alice, 0));
        calls[1] = abi.encodeCall(NoteVault.withdraw, (exit, root(), proof));
        proof = proveOne(voidKey(HOME_CHAIN, number));
        calls[2] = abi.encodeCall(NoteVault.refund, (number, root(), proof));
    }

    function aim(bytes memory call) private {
        ReentrantToken(address(token)).aim(address(home), call);
    }

    /// @dev The token called, and was told that the vault is busy.
    function expectClosed() private view {
        ReentrantToken reentrant = ReentrantToken(address(token));
        assertEq(reentrant.calls(), 1);
        assertFalse(reentrant.entered());
        assertEq(
            reentrant.returned(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }

    /// @dev The same calls from outside do what they should: it was the guard that stopped them.
    function expectOpen(bytes[3] memory calls) private {
        ReentrantToken(address(token)).aim(address(0), "");
        vm.chainId(HOME_CHAIN);
        for (uint256 i = 1; i < 3; ++i) {
            (bool done,) = address(home).call(calls[i]);
            assertTrue(done);
        }
        assertEq(token.balanceOf(alice), 1_000_000);
    }
}
