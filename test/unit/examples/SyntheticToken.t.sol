// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {NoteVault} from "../../../contracts/examples/NoteVault.sol";
import {SyntheticToken} from "../../../contracts/examples/SyntheticToken.sol";
import {
    IOperationErrors,
    IProofErrors,
    IRequestQueue,
    IRootVerifier,
    Resource
} from "../../../contracts/interfaces/IHypha.sol";
import {HyphaConsumer} from "../../../contracts/libraries/HyphaConsumer.sol";
import {VaultWorld} from "../../utils/VaultWorld.sol";

contract SyntheticTokenTest is VaultWorld {
    // ---- out of the tree: minted

    function test_withdraw_mintsToWhomTheNoteNames() public {
        Resource memory exit = issued(alice, 1000, AWAY_CHAIN, address(away), named(bob));
        withdraw(exit);
        assertEq(away.balanceOf(bob), 1000);
        assertEq(away.totalSupply(), 1000);
        assertTrue(away.isHeld(idOf(exit)));
    }

    function test_withdraw_twice_reverts() public {
        Resource memory exit = minted(bob, 1000);
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.AlreadyClaimed.selector, idOf(exit)));
        away.withdraw(exit, root_, proof);
    }

    function test_withdraw_homeVaultsNote_reverts() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        vm.chainId(AWAY_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.ForeignDomain.selector, AWAY_CHAIN, HOME_CHAIN));
        away.withdraw(exit, root_, proof);
    }

    /// @dev A kind with the home vault's label, of its address on another chain or of another contract on its chain.
    function test_withdraw_otherKinds_reverts() public {
        Resource[2] memory fakes = [
            issuedBy(AWAY_CHAIN, address(home), AWAY_CHAIN, address(away), named(bob)),
            issuedBy(HOME_CHAIN, alice, AWAY_CHAIN, address(away), named(bob))
        ];
        bytes32 root_ = root();
        for (uint256 i = 0; i < fakes.length; ++i) {
            bytes memory proof = proveNote(fakes[i]);
            bytes memory reason =
                abi.encodeWithSelector(HyphaConsumer.ForeignKind.selector, home.kind(), fakes[i].kind);
            vm.chainId(AWAY_CHAIN);
            vm.expectRevert(reason);
            away.withdraw(fakes[i], root_, proof);
        }
    }

    function test_withdraw_noRecipient_reverts() public {
        Resource memory gift = issued(alice, 1000, AWAY_CHAIN, address(away), 0);
        (bytes32 root_, bytes memory proof) = (root(), proveNote(gift));
        vm.chainId(AWAY_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(NoteVault.RecipientMalformed.selector, bytes32(0)));
        away.withdraw(gift, root_, proof);
    }

    // ---- into the tree: burned, and the notes move on

    function test_deposit_wholeNote_comesHome() public {
        Resource memory exit = minted(bob, 1000);
        vm.expectEmit(address(away));
        emit SyntheticToken.NoteSpent(idOf(exit), 1);
        (uint64 number,) = depositAway(bob, 1000, HOME_CHAIN, address(home), named(bob), list(exit));
        assertEq(away.totalSupply(), 0);
        assertFalse(away.isHeld(idOf(exit)));
        Resource[] memory created = execute(AWAY_CHAIN, number);
        assertEq(created.length, 1, "no change");
        withdraw(created[0]);
        assertEq(token.balanceOf(bob), 1_001_000);
        assertEq(token.balanceOf(address(home)), 0);
    }

    function test_deposit_partOfNotes_changeIsCollectedAndMovesOn() public {
        Resource[] memory notes = list(minted(bob, 1000), minted(alice, 50));
        (uint64 number,) = depositAway(bob, 700, AWAY_CHAIN, alice, "rent", notes);
        Resource[] memory created = execute(AWAY_CHAIN, number);
        assertEq(created[0].quantity, 700);
        assertEq(created[0].owner, alice);
        assertEq(created[1].quantity, 350);
        assertFalse(away.isHeld(idOf(created[1])));
        vm.expectEmit(address(away));
        emit SyntheticToken.Collected(idOf(created[1]), 350);
        collect(created[1]);
        assertTrue(away.isHeld(idOf(created[1])));
        assertEq(away.totalSupply(), 350);
        (number,) = depositAway(bob, 300, HOME_CHAIN, address(home), named(bob), list(created[1]));
        withdraw(execute(AWAY_CHAIN, number)[0]);
        assertEq(token.balanceOf(bob), 1_000_300);
    }

    function test_deposit_notClaimed_reverts() public {
        minted(bob, 1000);
        Resource memory unclaimed = issued(alice, 1000, AWAY_CHAIN, address(away), named(alice));
        expectNoDeposit(list(unclaimed), notHeld(unclaimed));
    }

    function test_deposit_spentNote_reverts() public {
        Resource memory exit = minted(bob, 1000);
        depositAway(bob, 400, HOME_CHAIN, address(home), named(bob), list(exit));
        expectNoDeposit(list(exit), notHeld(exit));
    }

    function test_deposit_sameNoteTwice_reverts() public {
        Resource memory exit = minted(bob, 100);
        minted(bob, 400);
        expectNoDeposit(list(exit, exit), notHeld(exit));
    }

    function test_deposit_changedNote_reverts() public {
        Resource memory exit = minted(bob, 1000);
        exit.quantity = 2000;
        expectNoDeposit(list(exit), notHeld(exit));
    }

    function test_deposit_notesTooSmall_reverts() public {
        Resource memory exit = minted(bob, 100);
        minted(bob, 400);
        expectNoDeposit(list(exit), abi.encodeWithSelector(SyntheticToken.NotesTooSmall.selector, 200, 100));
    }

    function test_deposit_withoutTokens_reverts() public {
        Resource memory exit = minted(alice, 1000);
        expectNoDeposit(
            list(exit), abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, bob, 0, 200)
        );
    }

    function test_deposit_wrongFee_reverts() public {
        Resource memory exit = minted(bob, 1000);
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeMismatch.selector, FEE, 0));
        vm.prank(bob);
        away.deposit(200, HOME_CHAIN, bob, 0, list(exit));
    }

    /// @dev Notes are given to a request by its number, so it must be the one that the queue gives.
    function test_deposit_otherNumber_reverts() public {
        Resource memory exit = minted(bob, 1000);
        vm.mockCall(address(awaySpoke), abi.encodeCall(IRequestQueue.requestCount, ()), abi.encode(7));
        expectNoDeposit(list(exit), abi.encodeWithSignature("Panic(uint256)", 1));
    }

    // ---- change

    function test_collect_twice_reverts() public {
        Resource memory gift = issued(alice, 1000, AWAY_CHAIN, address(away), 0);
        collect(gift);
        (bytes32 root_, bytes memory proof) = (root(), proveNote(gift));
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.AlreadyClaimed.selector, idOf(gift)));
        away.collect(gift, root_, proof);
    }

    /// @dev What names a recipient is his: nobody may take it in as change.
    function test_collect_exitNote_reverts() public {
        Resource memory exit = issued(alice, 1000, AWAY_CHAIN, address(away), named(bob));
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        vm.chainId(AWAY_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(SyntheticToken.NotChange.selector, named(bob)));
        away.collect(exit, root_, proof);
    }

    /// @dev The change of a request that is not resolved is no note yet.
    function test_collect_early_reverts() public {
        Resource memory exit = minted(bob, 1000);
        (, Resource[] memory created) = depositAway(bob, 700, AWAY_CHAIN, alice, 0, list(exit));
        Resource memory change = created[1];
        (bytes32 root_, bytes memory proof) = (root(), proveNote(change));
        vm.expectPartialRevert(IProofErrors.ClaimMismatch.selector);
        away.collect(change, root_, proof);
    }

    // ---- void

    function test_refund_void_mintsAgainAndHoldsTheNotes() public {
        Resource memory exit = minted(bob, 1000);
        (uint64 number,) = depositAway(bob, 400, UNKNOWN_CHAIN, bob, 0, list(exit));
        assertEq(away.totalSupply(), 600);
        voidRequest(AWAY_CHAIN, number);
        assertFalse(away.isHeld(idOf(exit)), "not before it is shown");
        refund(away, number);
        assertEq(away.balanceOf(bob), 1000);
        assertTrue(away.isHeld(idOf(exit)));
        (number,) = depositAway(bob, 1000, HOME_CHAIN, address(home), named(bob), list(exit));
        withdraw(execute(AWAY_CHAIN, number)[0]);
        assertEq(token.balanceOf(bob), 1_001_000);
    }

    function test_refund_twice_reverts() public {
        Resource memory exit = minted(bob, 1000);
        (uint64 number,) = depositAway(bob, 400, UNKNOWN_CHAIN, bob, 0, list(exit));
        voidRequest(AWAY_CHAIN, number);
        refund(away, number);
        (bytes32 root_, bytes memory proof) = (root(), proveOne(voidKey(AWAY_CHAIN, number)));
        vm.expectRevert(
            abi.encodeWithSelector(HyphaConsumer.AlreadyClaimed.selector, voidKey(AWAY_CHAIN, number))
        );
        away.refund(number, root_, proof);
    }

    function test_refund_executed_reverts() public {
        Resource memory exit = minted(bob, 1000);
        (uint64 number,) = depositAway(bob, 400, HOME_CHAIN, address(home), named(bob), list(exit));
        execute(AWAY_CHAIN, number);
        (bytes32 root_, bytes memory proof) = (root(), proveOne(voidKey(AWAY_CHAIN, number)));
        vm.expectPartialRevert(IProofErrors.ClaimMismatch.selector);
        away.refund(number, root_, proof);
    }

    // ---- building

    function test_build_badHome_reverts() public {
        IRootVerifier verifier = away.verifier();
        vm.expectRevert(IOperationErrors.ZeroDomain.selector);
        new SyntheticToken(verifier, 0, address(home), "", "", 18);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new SyntheticToken(verifier, HOME_CHAIN, address(0), "", "", 18);
    }

    function test_build_attestedSpoke_reverts() public {
        IRootVerifier attested = IRootVerifier(address(attestedSpoke));
        vm.chainId(ATTESTED_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.AttestedVerifier.selector, attested));
        new SyntheticToken(attested, HOME_CHAIN, address(home), "", "", 18);
    }

    function test_build_sameKindAsHome() public view {
        assertEq(away.kind(), home.kind());
        assertEq(away.decimals(), 18);
    }

    // ---- helpers

    /// @dev An exit note that was withdrawn: the contract holds it, `account` has the tokens.
    function minted(address account, uint256 quantity) private returns (Resource memory exit) {
        exit = issued(alice, quantity, AWAY_CHAIN, address(away), named(account));
        withdraw(exit);
    }

    function expectNoDeposit(Resource[] memory notes, bytes memory reason) private {
        vm.chainId(AWAY_CHAIN);
        vm.expectRevert(reason);
        vm.prank(bob);
        away.deposit{value: FEE}(200, HOME_CHAIN, bob, 0, notes);
    }

    function notHeld(Resource memory note) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SyntheticToken.NotHeld.selector, idOf(note));
    }
}
