// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {NoteVault} from "../../../contracts/examples/NoteVault.sol";
import {TokenVault} from "../../../contracts/examples/TokenVault.sol";
import {
    IProofErrors,
    IRequestQueue,
    IRootVerifier,
    IOperationErrors,
    Output,
    Resource
} from "../../../contracts/interfaces/IHypha.sol";
import {HyphaConsumer} from "../../../contracts/libraries/HyphaConsumer.sol";
import {PlainToken} from "../../utils/tokens/PlainToken.sol";
import {VaultWorld} from "../../utils/VaultWorld.sol";

contract TokenVaultTest is VaultWorld {
    // ---- in

    function test_deposit_locksAndRequestsTheNote() public {
        (uint64 number, Resource memory note) = depositHome(alice, 1000, AWAY_CHAIN, bob, "order 7");
        assertEq(token.balanceOf(address(home)), 1000);
        assertEq(token.balanceOf(alice), 999_000);
        assertEq(note.quantity, 1000);
        (address depositor, uint256 quantity) = home.deposits(number);
        assertEq(depositor, alice);
        assertEq(quantity, 1000);
        bytes32 expected = keccak256(abi.encode(HOME_CHAIN, address(home), bytes32("hypha:token")));
        assertEq(home.kind(), expected, "kind");
    }

    function test_deposit_tellsIt() public {
        vm.chainId(HOME_CHAIN);
        bytes32 salt = keccak256(abi.encode(HOME_CHAIN, address(spoke), uint64(1)));
        Resource memory note = Resource(AWAY_CHAIN, bob, home.kind(), 1000, 0, salt);
        vm.expectEmit(address(home));
        emit NoteVault.Deposited(1, alice, idOf(note), 1000);
        vm.prank(alice);
        home.deposit{value: FEE}(1000, AWAY_CHAIN, bob, 0);
    }

    function test_deposit_wrongFee_reverts() public {
        vm.chainId(HOME_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeMismatch.selector, FEE, FEE - 1));
        vm.prank(alice);
        home.deposit{value: FEE - 1}(1000, AWAY_CHAIN, bob, 0);
    }

    function test_deposit_nothing_reverts() public {
        vm.chainId(HOME_CHAIN);
        vm.expectRevert(IOperationErrors.ZeroQuantity.selector);
        vm.prank(alice);
        home.deposit{value: FEE}(0, AWAY_CHAIN, bob, 0);
    }

    function test_build_zeroToken_reverts() public {
        IRootVerifier verifier = home.verifier();
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new TokenVault(verifier, IERC20(address(0)));
    }

    function test_build_attestedSpoke_reverts() public {
        IRootVerifier attested = IRootVerifier(address(attestedSpoke));
        vm.chainId(ATTESTED_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.AttestedVerifier.selector, attested));
        new TokenVault(attested, token);
    }

    // ---- out

    function test_withdraw_paysWhomTheNoteNames() public {
        Resource memory note = issued(alice, 1000, AWAY_CHAIN, bob, 0);
        Resource memory exit = pay(note, BOB, 400, HOME_CHAIN, address(home), named(bob))[0];
        vm.expectEmit(address(home));
        emit NoteVault.Withdrawn(idOf(exit), bob, 400);
        withdraw(exit);
        assertEq(token.balanceOf(bob), 1_000_400);
        assertEq(token.balanceOf(address(home)), 600);
        assertTrue(home.isClaimed(idOf(exit)));
    }

    function test_withdraw_olderKnownRoot_pays() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        (bytes32 older, bytes memory proof) = (root(), proveNote(exit));
        issued(alice, 1, AWAY_CHAIN, bob, 0);
        vm.chainId(HOME_CHAIN);
        home.withdraw(exit, older, proof);
        assertEq(token.balanceOf(bob), 1_001_000);
    }

    function test_withdraw_twice_reverts() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        issued(alice, 1000, AWAY_CHAIN, bob, 0); // so that there is something to steal
        withdraw(exit);
        bytes memory proof = proveNote(exit);
        bytes32 root_ = root();
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.AlreadyClaimed.selector, idOf(exit)));
        home.withdraw(exit, root_, proof);
    }

    function test_withdraw_otherChainsNote_reverts() public {
        // The address is the same, the contract there is another (B5).
        Resource memory exit = issued(alice, 1000, AWAY_CHAIN, address(home), named(bob));
        expectRefusal(
            exit, abi.encodeWithSelector(HyphaConsumer.ForeignDomain.selector, HOME_CHAIN, AWAY_CHAIN)
        );
    }

    function test_withdraw_onAFork_reverts() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        vm.chainId(UNKNOWN_CHAIN);
        vm.expectRevert(
            abi.encodeWithSelector(HyphaConsumer.ForeignDomain.selector, UNKNOWN_CHAIN, HOME_CHAIN)
        );
        home.withdraw(exit, root_, proof);
    }

    function test_withdraw_otherOwnersNote_reverts() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, alice, named(bob));
        expectRefusal(exit, abi.encodeWithSelector(HyphaConsumer.ForeignOwner.selector, address(home), alice));
    }

    function test_withdraw_otherKindsNote_reverts() public {
        issued(alice, 1000, AWAY_CHAIN, bob, 0); // so that there is something to steal
        Resource memory fake = issuedBy(HOME_CHAIN, alice, HOME_CHAIN, address(home), named(bob));
        expectRefusal(
            fake, abi.encodeWithSelector(HyphaConsumer.ForeignKind.selector, home.kind(), fake.kind)
        );
    }

    /// @dev A11: no field of the note can be changed, whatever key the proof is for.
    function test_withdraw_changedField_reverts(uint256 field, bytes32 noise) public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        issued(alice, 1000, AWAY_CHAIN, bob, 0);
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        Resource memory changed = abi.decode(abi.encode(exit), (Resource));
        field %= 3;
        vm.assume(noise != 0);
        if (field == 0) changed.data = named(alice);
        else if (field == 1) changed.quantity = 1000 ^ uint256(noise);
        else changed.salt = exit.salt ^ noise;
        bytes memory ownProof = proveNote(changed);
        vm.chainId(HOME_CHAIN);
        for (uint256 i = 0; i < 2; ++i) {
            try home.withdraw(changed, root_, i == 0 ? proof : ownProof) {
                assertTrue(false, "paid what was never a note");
            } catch (bytes memory reason) {
                assertTrue(isProofError(reason), "refused for its proof");
            }
        }
        home.withdraw(exit, root_, proof);
        assertEq(token.balanceOf(bob), 1_001_000);
    }

    function test_withdraw_unknownRoot_reverts() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        issued(alice, 1000, AWAY_CHAIN, bob, 0);
        bytes memory proof = proveNote(exit);
        bytes32[2] memory unknown = [bytes32(0), keccak256("invented")];
        vm.chainId(HOME_CHAIN);
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.UnknownRoot.selector, unknown[i]));
            home.withdraw(exit, unknown[i], proof);
        }
    }

    function test_withdraw_frozenSpoke_onlyWhatWasKnownBefore() public {
        Resource memory before = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        (bytes32 rootBefore, bytes memory proofBefore) = (root(), proveNote(before));
        Resource memory later = issued(alice, 500, HOME_CHAIN, address(home), named(bob));
        freezeHome();
        expectRefusal(later, abi.encodeWithSelector(HyphaConsumer.UnknownRoot.selector, root()));
        home.withdraw(before, rootBefore, proofBefore);
        assertEq(token.balanceOf(bob), 1_001_000);
    }

    function test_withdraw_malformedRecipient_reverts(bytes32 data) public {
        data = uint256(data) % 2 == 0 ? bytes32(0) : data | bytes32(uint256(1) << 160);
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), data);
        expectRefusal(exit, abi.encodeWithSelector(NoteVault.RecipientMalformed.selector, data));
    }

    /// @dev B16: who cannot be paid holds up nobody else, and is paid when he can be.
    function test_withdraw_refusedRecipient_othersArePaid() public {
        Resource memory stuck = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        Resource memory other = issued(alice, 500, HOME_CHAIN, address(home), named(alice));
        token.refuse(bob, true);
        expectRefusal(stuck, abi.encodeWithSelector(PlainToken.Refused.selector, bob));
        withdraw(other);
        assertEq(token.balanceOf(alice), 999_000);
        token.refuse(bob, false);
        withdraw(stuck);
        assertEq(token.balanceOf(bob), 1_001_000);
    }

    /// @dev B12: whatever gas the caller gives, the note is paid as a whole or untouched.
    function test_withdraw_anyGas_wholeOrNothing() public {
        Resource memory exit = issued(alice, 1000, HOME_CHAIN, address(home), named(bob));
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        vm.chainId(HOME_CHAIN);
        bytes memory call = abi.encodeCall(NoteVault.withdraw, (exit, root_, proof));
        uint256 refused = 0;
        for (uint256 gas_ = 5000; !home.isClaimed(idOf(exit)); gas_ += 500) {
            (bool paid,) = address(home).call{gas: gas_}(call);
            assertEq(paid, home.isClaimed(idOf(exit)));
            assertEq(token.balanceOf(bob), paid ? 1_001_000 : 1_000_000);
            if (!paid) ++refused;
        }
        assertGt(refused, 10);
    }

    function test_onTheHub_allTheWay() public {
        vm.chainId(HUB_CHAIN);
        TokenVault vault = new TokenVault(IRootVerifier(address(hub)), token);
        vm.startPrank(alice);
        token.approve(address(vault), 1000);
        (uint64 number, bytes32 id) = vault.deposit{value: FEE}(1000, HUB_CHAIN, address(vault), named(bob));
        vm.stopPrank();
        Output memory output = Output(HUB_CHAIN, address(vault), 0, 1000, named(bob));
        Resource memory exit = rememberIssue(HUB_CHAIN, number, address(vault), output);
        assertEq(idOf(exit), id);
        execute(HUB_CHAIN, number);
        (bytes32 root_, bytes memory proof) = (root(), proveNote(exit));
        vm.chainId(HUB_CHAIN);
        vault.withdraw(exit, root_, proof);
        assertEq(token.balanceOf(bob), 1_001_000);
    }

    // ---- void

    function test_refund_void_givesBack() public {
        (uint64 number,) = depositHome(alice, 1000, UNKNOWN_CHAIN, bob, 0);
        voidRequest(HOME_CHAIN, number);
        vm.expectEmit(address(home));
        emit NoteVault.Refunded(number, alice, 1000);
        refund(home, number);
        assertEq(token.balanceOf(alice), 1_000_000);
        assertEq(token.balanceOf(address(home)), 0);
        assertTrue(home.isRefunded(number));
    }

    function test_refund_twice_reverts() public {
        (uint64 number,) = depositHome(alice, 1000, UNKNOWN_CHAIN, bob, 0);
        depositHome(bob, 1000, AWAY_CHAIN, bob, 0);
        voidRequest(HOME_CHAIN, number);
        refund(home, number);
        (bytes32 root_, bytes memory proof) = (root(), proveOne(voidKey(HOME_CHAIN, number)));
        vm.expectRevert(
            abi.encodeWithSelector(HyphaConsumer.AlreadyClaimed.selector, voidKey(HOME_CHAIN, number))
        );
        home.refund(number, root_, proof);
    }

    function test_refund_executed_reverts() public {
        (uint64 number,) = depositHome(alice, 1000, AWAY_CHAIN, bob, 0);
        execute(HOME_CHAIN, number);
        expectNoRefund(number);
    }

    function test_refund_unresolved_reverts() public {
        issued(alice, 1000, AWAY_CHAIN, bob, 0);
        (uint64 number,) = depositHome(alice, 1000, AWAY_CHAIN, bob, 0);
        expectNoRefund(number);
    }

    /// @dev Another chain's void of the same number, and another number's void, prove nothing here.
    function test_refund_othersVoid_reverts() public {
        (uint64 number,) = depositHome(alice, 1000, AWAY_CHAIN, bob, 0);
        execute(HOME_CHAIN, number);
        voidRequest(AWAY_CHAIN, othersRequest(AWAY_CHAIN));
        assertEq(othersRequest(HOME_CHAIN), number + 1);
        voidRequest(HOME_CHAIN, number + 1);
        (bytes32 root_, bytes memory away_) = (root(), proveOne(voidKey(AWAY_CHAIN, number)));
        bytes memory other = proveOne(voidKey(HOME_CHAIN, number + 1));
        vm.chainId(HOME_CHAIN);
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        home.refund(number, root_, away_);
        vm.chainId(AWAY_CHAIN); // a fork of the home chain, with the other's id (B4)
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        home.refund(number, root_, away_);
        vm.chainId(HOME_CHAIN);
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        home.refund(number, root_, other);
        vm.expectRevert(abi.encodeWithSelector(NoteVault.UnknownDeposit.selector, number + 1));
        home.refund(number + 1, root_, other);
    }

    function test_refund_unknownRoot_reverts() public {
        (uint64 number,) = depositHome(alice, 1000, UNKNOWN_CHAIN, bob, 0);
        voidRequest(HOME_CHAIN, number);
        bytes memory proof = proveOne(voidKey(HOME_CHAIN, number));
        vm.chainId(HOME_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(HyphaConsumer.UnknownRoot.selector, bytes32(0)));
        home.refund(number, 0, proof);
    }

    // ---- helpers

    function expectRefusal(Resource memory note, bytes memory reason) private {
        (bytes32 root_, bytes memory proof) = (root(), proveNote(note));
        vm.chainId(HOME_CHAIN);
        vm.expectRevert(reason);
        home.withdraw(note, root_, proof);
    }

    function expectNoRefund(uint64 number) private {
        (bytes32 root_, bytes memory proof) = (root(), proveOne(voidKey(HOME_CHAIN, number)));
        vm.chainId(HOME_CHAIN);
        vm.expectPartialRevert(IProofErrors.ClaimMismatch.selector);
        home.refund(number, root_, proof);
    }

    function isProofError(bytes memory reason) private pure returns (bool) {
        bytes4 selector = bytes4(reason);
        return selector == IProofErrors.ClaimMismatch.selector
            || selector == IProofErrors.RootMismatch.selector
            || selector == IProofErrors.ForeignOffPath.selector;
    }
}
