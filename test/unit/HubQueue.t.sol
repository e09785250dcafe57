// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Batch,
    IAttestedFacts,
    IOperationErrors,
    IProofErrors,
    IRequestQueue,
    IRootHub,
    Resource
} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

/// @title The hub's queue of all chains' requests: in what order and by when batches resolve it
contract HubQueueTest is RequestWorld {
    // ---- into the queue

    function test_ownRequest_entersAtOnce() public {
        uint64 dueAt = uint64(block.timestamp) + INCLUSION_WINDOW;
        Request memory expected = draftIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        vm.expectEmit(address(hub));
        emit IRootHub.RequestEnqueued(HUB_CHAIN, 1, 0, dueAt, ISSUE, address(this), expected.content);
        requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        assertQueue(1, 0);
        (uint256 chainId, uint64 number, uint64 heldDueAt, bytes32 hash) = hub.queuedAt(0);
        assertEq(chainId, HUB_CHAIN);
        assertEq(number, 1);
        assertEq(heldDueAt, dueAt);
        assertEq(hash, hashOf(expected));
        assertEq(hub.enqueuedNumber(HUB_CHAIN), 1);
        assertEq(hub.inclusionWindow(), INCLUSION_WINDOW);
        (,,, hash) = hub.queuedAt(1);
        assertEq(hash, 0);
    }

    function test_enqueueRemote_onItsFact_entersWhole() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        assertQueue(0, 0);
        vm.warp(block.timestamp + 99);
        uint64 dueAt = uint64(block.timestamp) + INCLUSION_WINDOW;
        vm.expectEmit(address(hub));
        emit IRootHub.RequestEnqueued(SPOKE_CHAIN, 1, 0, dueAt, ISSUE, address(this), request.content);
        enqueue(request);
        assertQueue(1, 0);
        assertEq(hub.enqueuedNumber(SPOKE_CHAIN), 1);
        assertEq(hub.enqueuedNumber(ATTESTED_CHAIN), 0);
    }

    /// @dev B15: whatever is sent again, no due time moves.
    function test_enqueueRemote_again_neverMovesTheDueTime() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        enqueue(request);
        (,, uint64 dueAt,) = hub.queuedAt(0);
        vm.warp(dueAt - 1);
        vm.recordLogs();
        enqueue(request);
        assertEq(vm.getRecordedLogs().length, 0);
        assertQueue(1, 0);
        (,, uint64 after_,) = hub.queuedAt(0);
        assertEq(after_, dueAt);
        land(commitBatch(execute(request)));
        enqueue(request);
        assertQueue(1, 1);
    }

    function test_enqueueRemote_inOrderOfNumbers() public {
        Request memory first = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        Request memory second = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 6);
        vm.chainId(HUB_CHAIN);
        bytes memory proof = requestFact(second);
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.RequestNumber.selector, SPOKE_CHAIN, 1, 2));
        hub.enqueueRemote(SPOKE_CHAIN, 2, ISSUE, address(this), second.content, proof);
        enqueue(first);
        enqueue(second);
        assertQueue(2, 0);
    }

    function test_enqueueRemote_forged_reverts() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        bytes memory content = request.content;
        vm.chainId(HUB_CHAIN);
        bytes memory honest = requestFact(request);
        bytes memory other = draftIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 6).content;
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        hub.enqueueRemote(SPOKE_CHAIN, 1, ISSUE, address(this), other, honest);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        hub.enqueueRemote(SPOKE_CHAIN, 1, ISSUE, vm.addr(BOB), content, honest);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        hub.enqueueRemote(ATTESTED_CHAIN, 1, ISSUE, address(this), content, honest);
        vm.expectPartialRevert(IAttestedFacts.FactProofLength.selector);
        hub.enqueueRemote(SPOKE_CHAIN, 1, ISSUE, address(this), content, "");
        vm.expectRevert(abi.encodeWithSelector(IRootHub.UnknownSpoke.selector, 9009));
        hub.enqueueRemote(9009, 1, ISSUE, address(this), content, honest);
        vm.expectRevert(abi.encodeWithSelector(IRootHub.UnknownSpoke.selector, HUB_CHAIN));
        hub.enqueueRemote(HUB_CHAIN, 1, ISSUE, address(this), content, honest);
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.UnknownRequest.selector, 5));
        hub.enqueueRemote(SPOKE_CHAIN, 1, 5, address(this), content, honest);
        assertQueue(0, 0);
    }

    /// @dev Even attestors cannot bring in what nobody could resolve.
    function test_enqueueRemote_attestedButInvalid_reverts() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        request.content = bytes.concat(request.content, hex"00");
        bytes memory proof = requestFact(request);
        vm.chainId(HUB_CHAIN);
        vm.expectPartialRevert(IOperationErrors.RequestLength.selector);
        hub.enqueueRemote(SPOKE_CHAIN, 1, ISSUE, address(this), request.content, proof);
    }

    function test_enqueueRemote_afterItsDeadline_enters() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        draft.deadline = uint64(block.timestamp);
        Request memory request = requestTransfer(SPOKE_CHAIN, vm.addr(BOB), draft);
        vm.warp(block.timestamp + 1 days);
        enqueue(request);
        land(commitBatch(execute(request)));
        assertQueue(1, 1);
    }

    // ---- out of it

    function test_applyBatch_executes_inOrderOfArrival() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        Request memory remote = requestMove(SPOKE_CHAIN, note, HUB_CHAIN, vm.addr(BOB));
        Request memory own = requestIssue(HUB_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 3);
        enqueue(remote);
        Batch memory batch = commitBatch(listOf(execute(own), execute(remote)));
        vm.expectEmit(address(hub));
        emit IRequestQueue.RequestResolved(HUB_CHAIN, 1, true);
        vm.expectEmit(address(hub));
        emit IRequestQueue.RequestResolved(SPOKE_CHAIN, 1, true);
        bytes32[] memory nullifiers = new bytes32[](1);
        nullifiers[0] = nullifierOf(note);
        vm.expectEmit(address(hub));
        emit IRootHub.NullifiersMarked(2, nullifiers);
        vm.expectEmit(address(hub));
        emit IRootHub.ResourceCreated(keccak256(abi.encode(own.created[0])), vm.addr(BOB));
        vm.expectEmit(address(hub));
        emit IRootHub.ResourceCreated(keccak256(abi.encode(remote.created[0])), vm.addr(BOB));
        land(batch);
        assertQueue(2, 2);
        assertTrue(hub.isNullifierSpent(nullifierOf(note)));
        assertEq(hub.requestsResolved(), 1);
        (uint256 chainId,, uint64 dueAt, bytes32 hash) = hub.queuedAt(0);
        assertEq(chainId + dueAt + uint256(hash), 0);
        bytes memory proof = proveOne(resourceKey(own.created[0]));
        assertTrue(hub.verifyProof(rootOf[2], resourceKey(own.created[0]), abi.encode(own.created[0]), proof));
    }

    function test_applyBatch_otherOrder_reverts() public {
        Request memory own = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 3);
        Request memory remote = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        enqueue(remote);
        Request memory second = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 4);
        refuseAs(
            SEQUENCER,
            drafted(only(execute(remote))),
            abi.encodeWithSelector(IRootHub.RequestOrder.selector, HUB_CHAIN, 1, SPOKE_CHAIN, 1)
        );
        refuseAs(
            SEQUENCER,
            drafted(only(execute(second))),
            abi.encodeWithSelector(IRootHub.RequestOrder.selector, HUB_CHAIN, 1, HUB_CHAIN, 2)
        );
        refuseAs(
            SEQUENCER,
            drafted(listOf(execute(own), execute(second))),
            abi.encodeWithSelector(IRootHub.RequestOrder.selector, SPOKE_CHAIN, 1, HUB_CHAIN, 2)
        );
        land(commitBatch(listOf(execute(own), execute(remote))));
        land(commitBatch(execute(second)));
    }

    function test_applyBatch_notQueued_reverts() public {
        Request memory invented = draftIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 3);
        refuseAs(
            SEQUENCER,
            drafted(only(execute(invented))),
            abi.encodeWithSelector(IRootHub.QueueEmpty.selector, HUB_CHAIN, 1)
        );
    }

    function test_applyBatch_twice_reverts() public {
        Request memory request = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 3);
        land(commitBatch(execute(request)));
        OperationBuilder.Operation memory again = voidOf(request, OUTPUT_EXISTS, 0);
        refuseAs(
            SEQUENCER,
            drafted(only(again)),
            abi.encodeWithSelector(IRootHub.QueueEmpty.selector, HUB_CHAIN, 1)
        );
    }

    function test_applyBatch_otherContent_reverts() public {
        Request memory request = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 3);
        Request memory altered = draftIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 4);
        altered.number = 1;
        bytes memory reason = abi.encodeWithSelector(
            IRequestQueue.RequestMismatch.selector, HUB_CHAIN, 1, hashOf(request), hashOf(altered)
        );
        refuseAs(SEQUENCER, drafted(only(execute(altered))), reason);
        altered = draftIssue(HUB_CHAIN, vm.addr(ALICE), HUB_CHAIN, vm.addr(BOB), 3);
        (altered.number, altered.content) = (1, request.content);
        altered.created[0].salt = request.created[0].salt;
        reason = abi.encodeWithSelector(
            IRequestQueue.RequestMismatch.selector, HUB_CHAIN, 1, hashOf(request), hashOf(altered)
        );
        refuseAs(SEQUENCER, drafted(only(execute(altered))), reason);
    }

    // ---- voids

    function test_void_inputAbsent_resolvesAndCanBeProved() public {
        Resource memory unborn = issue(HUB_CHAIN, vm.addr(ALICE), 5).created[0];
        Request memory request = requestMove(HUB_CHAIN, unborn, HUB_CHAIN, vm.addr(BOB));
        Batch memory impossible = drafted(only(execute(request)));
        vm.prank(SEQUENCER);
        vm.expectPartialRevert(IProofErrors.ClaimMismatch.selector);
        hub.applyBatch(1, impossible.operations, impossible.witness, impossible.newRoot);
        Batch memory batch = commitBatch(voidOf(request, INPUT_ABSENT, 0));
        vm.expectEmit(address(hub));
        emit IRequestQueue.RequestResolved(HUB_CHAIN, 1, false);
        land(batch);
        assertQueue(1, 1);
        assertEq(hub.feesOf(SEQUENCER), FEE);
        assertTrue(hub.verifyProof(rootOf[1], voidKey(request), "1", proveOne(voidKey(request))));
    }

    function test_void_untrue_reverts() public {
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        Request memory request = requestMove(HUB_CHAIN, note, HUB_CHAIN, vm.addr(BOB));
        uint8[3] memory reasons = [INPUT_ABSENT, INPUT_SPENT, OUTPUT_EXISTS];
        for (uint256 i = 0; i < reasons.length; ++i) {
            OperationBuilder.Operation memory untrue = voidOf(request, reasons[i], 0);
            Batch memory batch = draftBatch(only(untrue));
            batch.newRoot = keccak256("any");
            vm.prank(SEQUENCER);
            vm.expectPartialRevert(IProofErrors.ClaimMismatch.selector);
            hub.applyBatch(2, batch.operations, batch.witness, batch.newRoot);
        }
        refuseAs(
            SEQUENCER,
            drafted(only(voidOf(request, UNKNOWN_DOMAIN, 0))),
            abi.encodeWithSelector(IOperationErrors.KnownDomain.selector, HUB_CHAIN)
        );
        land(commitBatch(execute(request)));
    }

    /// @dev Two requests spend one note: the first is executed, the second is void in a later batch, never in the same.
    function test_twoRequestsOfOneNote_secondIsVoidInALaterBatch() public {
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        Request memory first = requestMove(HUB_CHAIN, note, HUB_CHAIN, vm.addr(BOB));
        Request memory second = requestMove(HUB_CHAIN, note, SPOKE_CHAIN, vm.addr(ALICE));
        Batch memory both = drafted(listOf(execute(first), execute(second)));
        vm.prank(SEQUENCER);
        vm.expectPartialRevert(IProofErrors.KeyRepeated.selector);
        hub.applyBatch(2, both.operations, both.witness, both.newRoot);
        refuseAs(
            SEQUENCER,
            drafted(listOf(voidOf(second, INPUT_SPENT, 0), execute(first))),
            abi.encodeWithSelector(IProofErrors.KeyRepeated.selector, nullifierKey(nullifierOf(note)))
        );
        land(commitBatch(execute(first)));
        land(commitBatch(voidOf(second, INPUT_SPENT, 0)));
        assertQueue(2, 2);
    }

    /// @dev A request that an earlier one makes possible: void as long as that one has not been executed, then never again.
    function test_void_ofWhatAnEarlierOneMakesPossible_notInTheSameBatch() public {
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        Request memory first = requestMove(HUB_CHAIN, note, HUB_CHAIN, vm.addr(BOB));
        Request memory second = requestMove(HUB_CHAIN, first.created[0], HUB_CHAIN, vm.addr(ALICE));
        OperationBuilder.Operation memory voided = voidOf(second, INPUT_ABSENT, 0);
        refuseAs(
            SEQUENCER,
            drafted(listOf(execute(first), voided)),
            abi.encodeWithSelector(IOperationErrors.OperationOrder.selector, 1)
        );
        land(commitBatch(execute(first)));
        Batch memory late = draftBatch(only(voided));
        vm.prank(SEQUENCER);
        vm.expectPartialRevert(IProofErrors.ClaimMismatch.selector);
        hub.applyBatch(3, late.operations, late.witness, late.newRoot);
        land(commitBatch(execute(second)));
    }

    function test_void_outputExists_keyAlreadyTaken() public {
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        Request memory request = requestTransfer(HUB_CHAIN, vm.addr(BOB), draft);
        // The same transfer, signed, comes first by the sequencer: the note is there and its input is spent.
        land(commitBatch(OperationBuilder.transfer(draft, hub.domainSeparator())));
        uint256 state = vm.snapshotState();
        land(commitBatch(voidOf(request, OUTPUT_EXISTS, 0)));
        vm.revertToState(state);
        land(commitBatch(voidOf(request, INPUT_SPENT, 0)));
    }

    function test_void_unknownDomain_untilItIsRegistered() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), 9009, vm.addr(BOB), 5);
        enqueue(request);
        refuseAs(
            SEQUENCER,
            drafted(only(execute(request))),
            abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, 9009)
        );
        uint256 state = vm.snapshotState();
        land(commitBatch(voidOf(request, UNKNOWN_DOMAIN, 0)));
        vm.revertToState(state);
        vm.prank(GOVERNANCE);
        hub.registerSpoke(9009, address(9));
        refuseAs(
            SEQUENCER,
            drafted(only(voidOf(request, UNKNOWN_DOMAIN, 0))),
            abi.encodeWithSelector(IOperationErrors.KnownDomain.selector, 9009)
        );
        land(commitBatch(execute(request)));
    }

    // ---- by when

    function test_applyBatch_leavesOutWhatIsDue_reverts() public {
        Request memory first = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 3);
        vm.warp(block.timestamp + 1);
        Request memory second = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 4);
        (,, uint64 dueAt,) = hub.queuedAt(0);
        keepWindowShut(dueAt - 1);
        landIssues(1);
        vm.warp(dueAt);
        bytes memory reason = abi.encodeWithSelector(IRootHub.RequestDue.selector, HUB_CHAIN, 1, dueAt);
        refuseAs(SEQUENCER, drafted(only(issue(HUB_CHAIN, vm.addr(ALICE), 5))), reason);
        land(commitBatch(execute(first)));
        landIssues(1);
        vm.warp(dueAt + 1);
        reason = abi.encodeWithSelector(IRootHub.RequestDue.selector, HUB_CHAIN, 2, dueAt + 1);
        refuseAs(SEQUENCER, drafted(only(issue(HUB_CHAIN, vm.addr(ALICE), 5))), reason);
        land(commitBatch(execute(second)));
        landIssues(1);
    }

    function test_applyBatch_windowOpen_everyRequestIsDue() public {
        Request memory request = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 3);
        uint256 opensAt = hub.lastSequencedAt() + WINDOW;
        vm.warp(opensAt - 1);
        uint256 state = vm.snapshotState();
        landIssues(1);
        vm.revertToState(state);
        vm.warp(opensAt);
        bytes memory reason = abi.encodeWithSelector(IRootHub.RequestDue.selector, HUB_CHAIN, 1, opensAt);
        Batch memory without = drafted(only(issue(HUB_CHAIN, vm.addr(ALICE), 5)));
        refuseAs(SEQUENCER, without, reason);
        refuseAs(address(this), without, reason);
        landAs(address(this), commitBatch(execute(request)));
        assertEq(hub.feesOf(address(this)), FEE);
        assertQueue(1, 1);
    }

    /// @dev However full the queue, a batch with the oldest due one alone is good.
    function test_applyBatch_fullQueue_oneAtATime() public {
        Request[] memory requests = new Request[](20);
        for (uint256 i = 0; i < requests.length; ++i) {
            requests[i] = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), i + 1);
        }
        vm.warp(block.timestamp + INCLUSION_WINDOW);
        for (uint256 i = 0; i < requests.length; ++i) {
            land(commitBatch(execute(requests[i])));
        }
        assertQueue(20, 20);
        assertEq(hub.feesOf(SEQUENCER), 20 * FEE);
    }

    function keepWindowShut(uint256 until) private {
        while (block.timestamp + WINDOW <= until) {
            vm.warp(block.timestamp + WINDOW / 2);
            landIssues(1);
        }
        vm.warp(until);
    }

    function assertQueue(uint64 enqueued, uint64 resolved) private view {
        (uint64 heldEnqueued, uint64 heldResolved) = hub.queue();
        assertEq(heldEnqueued, enqueued, "enqueued");
        assertEq(heldResolved, resolved, "resolved");
    }
}
