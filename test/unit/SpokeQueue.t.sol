// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Batch, IRequestQueue, Resource} from "../../contracts/interfaces/IHypha.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

/// @title What spokes check and pay of the requests that batches resolve
contract SpokeQueueTest is RequestWorld {
    address private immutable RELAYER = makeAddr("relayer");

    function test_advance_ownRequest_isResolvedAndPaid() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        enqueue(request);
        land(commitBatch(execute(request)));
        vm.expectEmit(address(spoke));
        emit IRequestQueue.RequestResolved(SPOKE_CHAIN, 1, true);
        followAs(RELAYER, 1);
        assertEq(spoke.requestsResolved(), 1);
        assertEq(spoke.feesOf(RELAYER), FEE);
        assertEq(hub.feesOf(SEQUENCER), 0);
        bytes32 key = resourceKey(request.created[0]);
        assertTrue(spoke.verifyProof(rootOf[1], key, abi.encode(request.created[0]), proveOne(key)));
        vm.prank(RELAYER);
        spoke.withdrawFees(RELAYER);
        assertEq(RELAYER.balance, FEE);
    }

    function test_advance_void_isResolved() public {
        Resource memory unborn = issue(SPOKE_CHAIN, vm.addr(ALICE), 5).created[0];
        Request memory request = requestMove(SPOKE_CHAIN, unborn, HUB_CHAIN, vm.addr(BOB));
        enqueue(request);
        land(commitBatch(voidOf(request, INPUT_ABSENT, 0)));
        vm.expectEmit(address(spoke));
        emit IRequestQueue.RequestResolved(SPOKE_CHAIN, 1, false);
        followAs(RELAYER, 1);
        assertEq(spoke.requestsResolved(), 1);
        assertEq(spoke.feesOf(RELAYER), FEE);
    }

    function test_advance_otherChainsRequests_areTheHubsToCheck() public {
        land(commitBatch(execute(requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5))));
        Request memory remote = requestIssue(ATTESTED_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 5);
        enqueue(remote);
        land(commitBatch(execute(remote)));
        followAs(RELAYER, 2);
        assertEq(spoke.requestsResolved(), 0);
        assertEq(spoke.feesOf(RELAYER), 0);
    }

    /// @dev Whoever signs facts can bring a request to the hub that this chain has never queued. Its spoke stops rather than
    /// follow, and goes on with the honest batch for the same index.
    function test_advance_inventedRequest_stopsUntilTheHonestBatch() public {
        Request memory invented = draftIssue(SPOKE_CHAIN, vm.addr(BOB), SPOKE_CHAIN, vm.addr(BOB), 1000);
        uint256 honestWorld = vm.snapshotState();
        enqueue(invented);
        land(commitBatch(execute(invented)));
        (Batch[] memory batches, bytes memory proof) = onSpoke(1, 1);
        vm.revertToState(honestWorld);
        vm.chainId(SPOKE_CHAIN);
        bytes memory reason = abi.encodeWithSelector(
            IRequestQueue.RequestMismatch.selector, SPOKE_CHAIN, 1, bytes32(0), hashOf(invented)
        );
        vm.expectRevert(reason);
        spoke.advance(batches, 1, proof);
        landIssues(1);
        follow(1);
        assertEq(spoke.requestsResolved(), 0);
    }

    function test_advance_otherContent_stops() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        Request memory altered = draftIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 6);
        altered.number = 1;
        enqueue(altered);
        land(commitBatch(execute(altered)));
        (Batch[] memory batches, bytes memory proof) = onSpoke(1, 1);
        bytes memory reason = abi.encodeWithSelector(
            IRequestQueue.RequestMismatch.selector, SPOKE_CHAIN, 1, hashOf(request), hashOf(altered)
        );
        vm.expectRevert(reason);
        spoke.advance(batches, 1, proof);
    }

    /// @dev An issue executed twice would mint twice: its number is good once, in whatever history attestors vouch for.
    function test_advance_sameNumberAgain_stops() public {
        Resource memory unborn = issue(SPOKE_CHAIN, vm.addr(ALICE), 5).created[0];
        Request memory first = requestMove(SPOKE_CHAIN, unborn, HUB_CHAIN, vm.addr(BOB));
        Request memory second = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        commitBatch(execute(second));
        follow(1);
        commitBatch(voidOf(first, INPUT_ABSENT, 0));
        (Batch[] memory batches, bytes memory proof) = onSpoke(2, 2);
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.RequestNumber.selector, SPOKE_CHAIN, 3, 1));
        spoke.advance(batches, 2, proof);
    }

    /// @dev What a thaw skips was resolved where this chain did not look: its fees go with the next.
    function test_thaw_skipsNumbers_feesGoWithTheNext() public {
        Request memory first = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        Request memory second = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 6);
        enqueue(first);
        enqueue(second);
        land(commitBatch(execute(first)));
        land(commitBatch(execute(second)));
        vm.chainId(SPOKE_CHAIN);
        bytes memory factProof = rootFact(1);
        vm.startPrank(GOVERNANCE);
        spoke.freeze(1);
        spoke.thaw(1, rootOf[1], chainOf[1], factProof);
        vm.stopPrank();
        assertEq(spoke.requestsResolved(), 0);
        followAs(RELAYER, 2);
        assertEq(spoke.requestsResolved(), 2);
        assertEq(spoke.feesOf(RELAYER), 2 * FEE);
    }

    /// @dev What a false history resolved is resolved again by the true one, and paid once.
    function test_thaw_afterAFalseHistory_takesTheTrueBatchOfARequest() public {
        Request memory request = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        Request memory next = requestIssue(SPOKE_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 6);
        Batch memory lie = drafted(listOf(execute(request), execute(next)));
        bytes32 chain = keccak256(abi.encode(chainOf[0], uint64(1), lie.newRoot, keccak256(lie.operations)));
        Batch[] memory lies = new Batch[](1);
        lies[0] = lie;
        vm.chainId(SPOKE_CHAIN);
        bytes memory falseProof = rootFact(1, lie.newRoot, chain);
        vm.prank(RELAYER);
        spoke.advance(lies, 1, falseProof);
        assertEq(spoke.feesOf(RELAYER), 2 * FEE);
        landIssues(1);
        vm.chainId(SPOKE_CHAIN);
        bytes memory factProof = rootFact(1);
        spoke.freezeOnDivergence(1, rootOf[1], chainOf[1], factProof);
        vm.prank(GOVERNANCE);
        spoke.thaw(1, rootOf[1], chainOf[1], factProof);
        enqueue(request);
        enqueue(next);
        land(commitBatch(execute(request)));
        land(commitBatch(execute(next)));
        followAs(RELAYER, 2);
        followAs(RELAYER, 3);
        assertEq(spoke.stateRoot(), rootOf[3]);
        assertEq(spoke.feesOf(RELAYER), 2 * FEE, "paid once");
    }

    // ---- attested

    function test_advanceAttested_paysForAllThatWait() public {
        requestIssue(ATTESTED_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        requestIssue(ATTESTED_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 6);
        landIssues(2);
        followAttestedAs(RELAYER, 1);
        assertEq(attestedSpoke.feesOf(RELAYER), 2 * FEE);
        assertEq(attestedSpoke.requestsResolved(), 0);
        address other = makeAddr("other relayer");
        followAttestedAs(other, 2);
        assertEq(attestedSpoke.feesOf(other), 0);
        requestIssue(ATTESTED_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 7);
        landIssues(1);
        followAttestedAs(other, 3);
        assertEq(attestedSpoke.feesOf(other), FEE);
        vm.prank(RELAYER);
        attestedSpoke.withdrawFees(RELAYER);
        assertEq(address(attestedSpoke).balance, FEE);
    }

    function test_advanceAttested_thatMovesNothing_paysNothing() public {
        landIssues(2);
        followAttested(2);
        requestIssue(ATTESTED_CHAIN, address(this), SPOKE_CHAIN, vm.addr(BOB), 5);
        followAttestedAs(RELAYER, 2);
        followAttestedAs(RELAYER, 1);
        assertEq(attestedSpoke.feesOf(RELAYER), 0);
    }

    function followAs(address caller, uint64 toIndex) private {
        (Batch[] memory batches, bytes memory proof) = onSpoke(spoke.index() + 1, toIndex);
        vm.prank(caller);
        spoke.advance(batches, toIndex, proof);
    }

    function followAttestedAs(address caller, uint64 toIndex) private {
        vm.chainId(ATTESTED_CHAIN);
        bytes memory proof = rootFact(toIndex);
        vm.prank(caller);
        attestedSpoke.advanceAttested(toIndex, rootOf[toIndex], chainOf[toIndex], proof);
    }

    function onSpoke(uint64 first, uint64 last) private returns (Batch[] memory batches, bytes memory proof) {
        vm.chainId(SPOKE_CHAIN);
        return (batchesBetween(first, last), rootFact(last));
    }
}
