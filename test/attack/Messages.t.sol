// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Batch,
    IProofErrors,
    IRequestQueue,
    IRootVerifier,
    Resource
} from "../../contracts/interfaces/IHypha.sol";
import {AttackWorld} from "./AttackWorld.sol";

/// @title Attacks on what travels, and with what the EVM does (rows B7 to B10, B12 to B16 and B20 of docs/attacks.md)
contract MessageAttacksTest is AttackWorld {
    // ---- B7, B8, B20: again, in another order, two for one index

    /// @dev Whatever is sent again: each batch counts once, and each note is spent and created once.
    function test_B7_everythingReplayed_countsOnce() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        land(commitBatch(move(note, ALICE, HUB_CHAIN, vm.addr(BOB))));
        follow(2);
        for (uint64 i = 0; i < 2; ++i) {
            for (uint64 index = 0; index < 4; ++index) {
                refuse(SEQUENCER, address(hub), applyCall(index, batchOf[i]));
            }
        }
        vm.chainId(HUB_CHAIN);
        Batch memory again = draftBatch(only(move(note, ALICE, SPOKE_CHAIN, vm.addr(ALICE))));
        refuse(SEQUENCER, address(hub), applyCall(3, again));
        vm.chainId(SPOKE_CHAIN);
        bytes memory proof = rootFact(2);
        Batch[] memory both = batchesBetween(1, 2);
        vm.recordLogs();
        spoke.advance(both, 2, proof);
        spoke.advance(batchesBetween(2, 2), 2, proof);
        assertEq(vm.getRecordedLogs().length, 0, "nothing happens twice");
        refuse(address(this), address(spoke), abi.encodeCall(spoke.advance, (both, 3, proof)));
        assertEq(spoke.index(), 2);
    }

    /// @dev In any order and with repetitions the spoke has the hub's root of its index at every moment, and comes to the end.
    function testFuzz_B8_anyOrderOfDelivery_sameRoots(uint256 seed) public {
        landIssues(5);
        vm.chainId(SPOKE_CHAIN);
        bytes[] memory proofs = new bytes[](6);
        for (uint64 i = 1; i < 6; ++i) {
            proofs[i] = rootFact(i);
        }
        for (uint256 i = 0; i < 12; ++i) {
            uint64 index = uint64(1 + uint256(keccak256(abi.encode(seed, i))) % 5);
            uint64 held = spoke.index();
            try spoke.advance(batchesBetween(index, index), index, proofs[index]) {
                assertLe(index, held + 1, "a gap");
            } catch (bytes memory reason) {
                assertEq(
                    reason, abi.encodeWithSelector(IRootVerifier.IndexMismatch.selector, held + 1, index)
                );
            }
            assertEq(spoke.stateRoot(), rootOf[spoke.index()]);
            assertEq(spoke.batchChain(spoke.index()), chainOf[spoke.index()]);
        }
        if (spoke.index() < 5) follow(5);
        assertEq(spoke.stateRoot(), rootOf[5]);
        followAttested(2);
        followAttested(5);
        followAttested(3);
        assertEq(attestedSpoke.stateRoot(), rootOf[5]);
    }

    function test_B20_twoValidBatchesForOneIndex_firstStands() public {
        Batch memory rival = draftBatch(only(issue(HUB_CHAIN, vm.addr(BOB), 7)));
        uint256 before = vm.snapshotState();
        Batch memory first = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        bytes32 firstRoot = first.newRoot;
        vm.revertToState(before);
        bytes memory call = abi.encodeCall(hub.applyBatch, (1, rival.operations, rival.witness, bytes32(0)));
        bytes memory reason = refuse(SEQUENCER, address(hub), call);
        // What it leads to is in the reason; with it the batch is valid, as the first one is.
        (, bytes32 rivalRoot) = abi.decode(part(reason, 4, reason.length), (bytes32, bytes32));
        rival.newRoot = rivalRoot;
        landAs(SEQUENCER, first);
        refuse(SEQUENCER, address(hub), applyCall(1, rival), IRootVerifier.IndexMismatch.selector);
        refuse(SEQUENCER, address(hub), applyCall(2, rival));
        assertEq(hub.rootAt(1), firstRoot);
        assertFalse(hub.isKnownRoot(rivalRoot));
    }

    // ---- B9, B10: old roots

    /// @dev That a note was unspent once says nothing now: only the latest root answers.
    function test_B9_unspentOfAnOldRoot_isNoAnswer() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        bytes32 nullifier = nullifierOf(note);
        bytes memory old = proveOne(nullifierKey(nullifier));
        bytes32 key = keccak256(abi.encodePacked("resource:", keccak256(abi.encode(note))));
        bytes memory state = abi.encode(abi.encode(note), proveOne(resourceKey(note)));
        assertFalse(hub.isNullifierSpent(nullifier, old));
        land(commitBatch(move(note, ALICE, HUB_CHAIN, vm.addr(BOB))));
        bytes4 reason = IProofErrors.RootMismatch.selector;
        bytes memory call = abi.encodeWithSignature("isNullifierSpent(bytes32,bytes)", nullifier, old);
        refuse(address(this), address(hub), call, reason);
        call = abi.encodeCall(hub.getDomainState, (SPOKE_CHAIN, key, state));
        refuse(address(this), address(hub), call, reason);
        assertTrue(hub.verifyAbsence(rootOf[1], nullifierKey(nullifier), old), "as of that root it is true");
        call = abi.encodeCall(hub.verifyAbsence, (rootOf[2], nullifierKey(nullifier), old));
        refuse(address(this), address(hub), call, reason);
    }

    /// @dev After three times around, and at every step, just the last 256 roots are known.
    function test_B10_ring_knowsJustTheLast256() public {
        vm.chainId(ATTESTED_CHAIN);
        for (uint64 index = 1; index <= 3 * 256 + 7; ++index) {
            (bytes32 root, bytes32 chain) = (ringRoot(index), keccak256(abi.encode("chain", index)));
            attestedSpoke.advanceAttested(index, root, chain, rootFact(index, root, chain));
            uint64 oldest = index < 256 ? 0 : index - 255;
            assertTrue(attestedSpoke.isKnownRoot(ringRoot(index)));
            assertTrue(attestedSpoke.isKnownRoot(ringRoot(oldest)));
            if (oldest > 0) assertFalse(attestedSpoke.isKnownRoot(ringRoot(oldest - 1)));
            assertFalse(attestedSpoke.isKnownRoot(ringRoot(index + 1)));
        }
        assertEq(attestedSpoke.rootAt(520), ringRoot(520));
        assertEq(attestedSpoke.rootAt(775), ringRoot(775));
        bytes memory call = abi.encodeCall(attestedSpoke.rootAt, (519));
        refuse(address(this), address(attestedSpoke), call, IRootVerifier.UnknownIndex.selector);
    }

    // ---- B12 to B14, B16: what callers and callees can do

    /// @dev With less gas than it needs a call changes nothing; with enough it does all.
    function test_B12_littleGas_allOrNothing() public {
        Batch memory batch = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        bytes memory call = applyCall(1, batch);
        bool landed = false;
        for (uint256 gas_ = 20_000; !landed; gas_ += gas_ / 8) {
            vm.prank(SEQUENCER);
            (landed,) = address(hub).call{gas: gas_}(call);
            assertEq(hub.stateRoot(), landed ? rootOf[1] : rootOf[0]);
            assertEq(hub.batchChain(1), landed ? chainOf[1] : bytes32(0));
        }
        vm.chainId(SPOKE_CHAIN);
        call = abi.encodeCall(spoke.advance, (batchesBetween(1, 1), 1, rootFact(1)));
        landed = false;
        for (uint256 gas_ = 20_000; !landed; gas_ += gas_ / 8) {
            (landed,) = address(spoke).call{gas: gas_}(call);
            assertEq(spoke.stateRoot(), landed ? rootOf[1] : rootOf[0]);
        }
    }

    /// @dev The one call out is the payment of fees, to an account that its owner names: it can harm only him.
    function test_B13_B16_payeeThatFailsOrBombs_stopsNobody() public {
        Payee payee = new Payee();
        earnFees(address(payee), 2);
        for (uint8 mode = 0; mode < 3; ++mode) {
            payee.setMode(Payee.Mode(mode));
            vm.prank(address(payee));
            (bool paid,) =
                address(hub).call{gas: 3_000_000}(abi.encodeCall(hub.withdrawFees, (address(payee))));
            assertFalse(paid);
            assertEq(hub.feesOf(address(payee)), 2 * FEE);
        }
        earnFees(SEQUENCER, 1);
        vm.prank(SEQUENCER);
        hub.withdrawFees(address(0xFEE));
        assertEq(address(0xFEE).balance, FEE);
        vm.prank(address(payee));
        hub.withdrawFees(address(0xBEEF));
        assertEq(address(0xBEEF).balance, 2 * FEE);
    }

    /// @dev Whatever the payee calls while it is paid, the state is as if it had called it later.
    function test_B14_payeeThatReenters_gainsNothing() public {
        Payee payee = new Payee();
        earnFees(address(payee), 2);
        earnFees(SEQUENCER, 1);
        Batch memory next = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        payee.setMode(Payee.Mode.Reenter);
        payee.add(address(hub), abi.encodeCall(hub.withdrawFees, (address(payee))));
        payee.add(address(hub), applyCall(hub.index(), batchOf[0]));
        payee.add(address(hub), applyCall(hub.index() + 1, next));
        vm.prank(address(payee));
        hub.withdrawFees(address(payee));
        assertEq(payee.answer(0), abi.encodeWithSelector(IRequestQueue.NothingOwed.selector, address(payee)));
        assertEq(selectorOf(payee.answer(1)), IRootVerifier.IndexMismatch.selector);
        assertEq(payee.answer(2), "", "a sequencer's next batch lands, here as anywhere");
        assertEq(address(payee).balance, 2 * FEE);
        assertEq(address(hub).balance, FEE);
        assertEq(hub.stateRoot(), next.newRoot);
    }

    // ---- B15: timers

    /// @dev Nothing that anybody can repeat moves the time at which a request must be resolved.
    function test_B15_dueTime_neverMoves() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        enqueue(request);
        (,, uint64 dueAt,) = hub.queuedAt(0);
        vm.warp(block.timestamp + INCLUSION_WINDOW / 4);
        enqueue(request);
        requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        Request memory next = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 6);
        enqueue(next);
        vm.prank(PAUSER);
        hub.pause();
        vm.prank(PAUSER);
        hub.unpause();
        vm.prank(GOVERNANCE);
        hub.setRequestFee(0);
        landIssues(1);
        (,, uint64 now_, bytes32 hash) = hub.queuedAt(0);
        assertEq(now_, dueAt);
        assertEq(hash, hashOf(request));
    }

    // ---- helpers

    /// @dev Lets `account` resolve so many requests.
    function earnFees(address account, uint256 count) private {
        vm.prank(GOVERNANCE);
        hub.setSequencer(account, true);
        for (uint256 i = 0; i < count; ++i) {
            Request memory request = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 1 + i);
            landAs(account, commitBatch(execute(request)));
        }
    }

    function ringRoot(uint64 index) private view returns (bytes32) {
        return index == 0 ? rootOf[0] : keccak256(abi.encode("root", index));
    }
}

/// @title An account that is paid, and does something about it
contract Payee {
    enum Mode {
        Revert,
        ReturnBomb,
        BurnGas,
        Reenter
    }

    struct Call {
        address target;
        bytes data;
    }

    Mode private _mode;
    Call[] private _calls;
    bytes[] private _answers;

    receive() external payable {
        if (_mode == Mode.Revert) revert("no");
        if (_mode == Mode.ReturnBomb) bomb();
        while (_mode == Mode.BurnGas) {}
        for (uint256 i = 0; i < _calls.length; ++i) {
            (bool done, bytes memory reason) = _calls[i].target.call(_calls[i].data);
            _answers.push(done ? bytes("") : reason);
        }
    }

    function setMode(Mode mode) external {
        _mode = mode;
    }

    function add(address target, bytes calldata data) external {
        _calls.push(Call(target, data));
    }

    function answer(uint256 position) external view returns (bytes memory) {
        return _answers[position];
    }

    function bomb() private pure {
        assembly {
            revert(0, 300000)
        }
    }
}
