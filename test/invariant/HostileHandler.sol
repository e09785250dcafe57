// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PAUSE_SPACING_SECONDS} from "../../contracts/BoundedPause.sol";
import {
    Batch,
    IOperationErrors,
    IPausable,
    IRequestQueue,
    IRootHub,
    IRootVerifier,
    Resource
} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {HonestHandler} from "./HonestHandler.sol";

/// @title Every kind of lie, told between the honest steps
/// @notice A lie must be refused; one that is not sets `believed`. Where a lie is wrong in one way only, it must be refused
/// for that reason.
contract HostileHandler is HonestHandler {
    uint256 public refused;
    bool public believed;

    // ---- lies

    function lieReplay(uint256 pick) external {
        if (batchOf.length == 0) landIssue(1);
        Batch memory old = batchOf[bound(pick, 0, batchOf.length - 1)];
        _mustFailOnHub(old);
    }

    function lieSpendAgain(uint256 pick) external {
        Resource memory note = spentNote(pick);
        Batch memory batch = draftBatch(only(move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB))));
        batch.newRoot = keccak256("any");
        _mustFailOnHub(batch);
    }

    function lieSpendUnborn(uint64 quantity) external {
        OperationBuilder.Operation memory unborn = issue(HUB_CHAIN, vm.addr(ALICE), 1 + uint256(quantity));
        Batch memory batch = draftBatch(only(move(unborn.created[0], ALICE, HUB_CHAIN, vm.addr(BOB))));
        batch.newRoot = keccak256("any");
        _mustFailOnHub(batch);
    }

    function lieInflate(uint256 pick) external {
        OperationBuilder.TransferDraft memory draft =
            moveDraft(unspentNote(pick), ALICE, HUB_CHAIN, vm.addr(ALICE));
        ++draft.outputs[0].quantity;
        _mustFailOnHub(
            drafted(OperationBuilder.transfer(draft, hub.domainSeparator())),
            IOperationErrors.Unbalanced.selector
        );
    }

    function lieNewRoot(bytes32 root) external {
        Batch memory batch = draftBatch(only(issue(HUB_CHAIN, vm.addr(ALICE), 5)));
        batch.newRoot = root;
        _mustFailOnHub(batch);
    }

    function lieStrangersTurn() external {
        vm.chainId(HUB_CHAIN);
        Batch memory batch = draftBatch(only(issue(HUB_CHAIN, vm.addr(ALICE), 5)));
        _mustFail(
            address(hub),
            abi.encodeCall(hub.applyBatch, (hub.index() + 1, batch.operations, batch.witness, batch.newRoot))
        );
    }

    function lieStaleFact() external {
        uint64 next = spoke.index() + 1;
        if (next > hub.index()) landIssue(1);
        vm.chainId(SPOKE_CHAIN);
        bytes memory stale = rootFact(next - 1);
        _mustFail(address(spoke), abi.encodeCall(spoke.advance, (batchesBetween(next, next), next, stale)));
    }

    function lieGap() external {
        uint64 beyond = spoke.index() + 2;
        while (beyond > hub.index()) {
            landIssue(1);
        }
        vm.chainId(SPOKE_CHAIN);
        bytes memory honest = rootFact(beyond);
        _mustFail(
            address(spoke), abi.encodeCall(spoke.advance, (batchesBetween(beyond, beyond), beyond, honest))
        );
    }

    function lieForeignFact(bytes32 root) external {
        vm.chainId(ATTESTED_CHAIN);
        uint64 next = attestedSpoke.index() + 1;
        bytes32 key = keccak256(abi.encodePacked("hypha:root", next));
        bytes memory ofSpoke = fact(SPOKE_CHAIN, address(spoke), key, keccak256(abi.encode(root, root)));
        _mustFail(
            address(attestedSpoke), abi.encodeCall(attestedSpoke.advanceAttested, (next, root, root, ofSpoke))
        );
    }

    function lieZeroRoot() external {
        vm.chainId(ATTESTED_CHAIN);
        uint64 next = attestedSpoke.index() + 1;
        bytes32 chain = keccak256("chain");
        bytes memory vouched = rootFact(next, 0, chain);
        _mustFail(
            address(attestedSpoke), abi.encodeCall(attestedSpoke.advanceAttested, (next, 0, chain, vouched))
        );
    }

    function lieDivergence(bytes32 root) external {
        vm.chainId(SPOKE_CHAIN);
        uint64 index = spoke.index();
        bytes memory honest = rootFact(index);
        _mustFail(address(spoke), abi.encodeCall(spoke.freezeOnDivergence, (index, root, root, honest)));
    }

    // ---- lies about requests

    /// @dev A batch that passes over what is due.
    function lieLeaveOutDue() external {
        vm.chainId(HUB_CHAIN);
        if (!hasHead()) sendIssue(0, 1);
        (, uint64 resolved) = hub.queue();
        if (block.timestamp < dueAtOf[resolved]) vm.warp(dueAtOf[resolved]);
        _mustFailOnHub(drafted(issue(HUB_CHAIN, vm.addr(ALICE), 5)), IRootHub.RequestDue.selector);
    }

    function lieInventRequest() external {
        bytes4 reason = hasHead() ? IRootHub.RequestOrder.selector : IRootHub.QueueEmpty.selector;
        Request memory invented = draftIssue(HUB_CHAIN, vm.addr(BOB), HUB_CHAIN, vm.addr(BOB), 1000);
        _mustFailOnHub(drafted(execute(invented)), reason);
    }

    /// @dev The head under its number, with a content that its sender never sent.
    function lieAlterRequest() external {
        vm.chainId(HUB_CHAIN);
        if (!hasHead()) sendIssue(0, 1);
        Request memory head = headRequest();
        Request memory altered = draftIssue(head.chainId, head.sender, HUB_CHAIN, vm.addr(BOB), 1000);
        altered.number = head.number;
        _mustFailOnHub(drafted(execute(altered)), IRequestQueue.RequestMismatch.selector);
    }

    /// @dev A void of a request that can be executed.
    function lieVoid(uint8 reason) external {
        vm.chainId(HUB_CHAIN);
        while (hasHead()) {
            resolveNext();
        }
        OperationBuilder.TransferDraft memory draft =
            moveDraft(unspentNote(reason), ALICE, HUB_CHAIN, vm.addr(ALICE));
        Request memory request = requestTransfer(HUB_CHAIN, vm.addr(BOB), draft);
        noteSent(request);
        _mustFailOnHub(drafted(voidOf(request, 1 + reason % 4, 0)));
    }

    /// @dev Another content under the fact of a request that was queued.
    function lieForgeRemote() external {
        uint64 last = hub.enqueuedNumber(SPOKE_CHAIN);
        if (last == spoke.requestCount()) sendIssue(1, 1);
        Request memory honest = abi.decode(sentOf[SPOKE_CHAIN][last], (Request));
        vm.chainId(HUB_CHAIN);
        bytes memory proof = requestFact(honest);
        bytes memory content = draftIssue(SPOKE_CHAIN, honest.sender, HUB_CHAIN, vm.addr(BOB), 1000).content;
        _mustFail(
            address(hub),
            abi.encodeCall(
                hub.enqueueRemote, (SPOKE_CHAIN, honest.number, ISSUE, honest.sender, content, proof)
            )
        );
    }

    /// @dev A request that a spoke never queued, in a history that attestors vouch for.
    function lieInventOnSpoke() external {
        uint64 next = spoke.index() + 1;
        if (next <= hub.index()) follow(hub.index());
        next = spoke.index() + 1;
        Request memory invented = draftIssue(SPOKE_CHAIN, vm.addr(BOB), HUB_CHAIN, vm.addr(BOB), 1000);
        uint256 state = vm.snapshotState();
        Batch[] memory batches = new Batch[](1);
        batches[0] = commitBatch(execute(invented));
        vm.chainId(SPOKE_CHAIN);
        bytes memory proof = rootFact(next);
        vm.revertToState(state);
        vm.chainId(SPOKE_CHAIN);
        _mustFail(
            address(spoke),
            abi.encodeCall(spoke.advance, (batches, next, proof)),
            IRequestQueue.RequestMismatch.selector
        );
    }

    function lieWithdraw() external {
        vm.chainId(HUB_CHAIN);
        _mustFail(
            address(hub), abi.encodeCall(hub.withdrawFees, (vm.addr(BOB))), IRequestQueue.NothingOwed.selector
        );
    }

    // ---- brakes

    /// @dev While it is paused, and longer than it may be; or again soon after, and by somebody else.
    function liePaused() external {
        vm.chainId(HUB_CHAIN);
        vm.prank(GOVERNANCE);
        hub.armPause(PAUSER);
        if (block.timestamp < uint256(hub.pausedUntil()) + PAUSE_SPACING_SECONDS) {
            vm.prank(PAUSER);
            _mustFail(address(hub), abi.encodeCall(hub.pause, ()), IPausable.PauseTooSoon.selector);
            return _mustFail(address(hub), abi.encodeCall(hub.pause, ()), IPausable.NotPauser.selector);
        }
        vm.prank(PAUSER);
        hub.pause();
        Batch memory batch = drafted(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        _mustFailOnHub(batch, IPausable.Paused.selector);
        vm.prank(PAUSER);
        _mustFail(address(hub), abi.encodeCall(hub.pause, ()), IPausable.PauseSpent.selector);
        vm.prank(PAUSER);
        hub.unpause();
    }

    /// @dev Frozen spokes take nothing, not even the truth, until governance thaws them.
    function lieFrozen() external {
        while (spoke.index() == hub.index() || attestedSpoke.index() == hub.index()) {
            landIssue(1);
        }
        uint64 next = spoke.index() + 1;
        vm.chainId(SPOKE_CHAIN);
        bytes memory proof = rootFact(next);
        vm.prank(GOVERNANCE);
        spoke.freeze(next);
        bytes memory call = abi.encodeCall(spoke.advance, (batchesBetween(next, next), next, proof));
        _mustFail(address(spoke), call, IRootVerifier.Frozen.selector);
        vm.prank(GOVERNANCE);
        spoke.thaw(next, rootOf[next], chainOf[next], proof);
        next = attestedSpoke.index() + 1;
        vm.chainId(ATTESTED_CHAIN);
        proof = rootFact(next);
        vm.prank(GOVERNANCE);
        attestedSpoke.freeze(next);
        call = abi.encodeCall(attestedSpoke.advanceAttested, (next, rootOf[next], chainOf[next], proof));
        _mustFail(address(attestedSpoke), call, IRootVerifier.Frozen.selector);
        vm.prank(GOVERNANCE);
        attestedSpoke.thaw(next, rootOf[next], chainOf[next], proof);
    }

    /// @dev After whatever was done, every lie is still refused, and the honest path still leads to the hub's latest root.
    function finish() external {
        landIssue(1);
        landTransfer(0);
        this.lieReplay(0);
        this.lieSpendAgain(0);
        this.lieSpendUnborn(0);
        this.lieNewRoot(0);
        this.lieStrangersTurn();
        this.lieStaleFact();
        this.lieGap();
        this.lieForeignFact(keccak256("root"));
        this.lieZeroRoot();
        this.lieDivergence(keccak256("root"));
        this.lieInflate(0);
        this.lieLeaveOutDue();
        this.lieInventRequest();
        this.lieAlterRequest();
        this.lieVoid(0);
        this.lieForgeRemote();
        this.lieInventOnSpoke();
        this.lieWithdraw();
        this.liePaused();
        this.lieFrozen();
        sendMoveOfNothing(0);
        sendMove(1, 0);
        bringNext(0);
        while (hasHead()) {
            resolveNext();
        }
        escape();
        landIssue(1);
        follow(hub.index());
        followAttested(hub.index());
        confirmSpoke();
        withdraw();
    }

    function rootAtHistory(uint64 index) external view returns (bytes32 root, bytes32 chain) {
        return (rootOf[index], chainOf[index]);
    }

    function contracts() external view returns (address, address, address) {
        return (address(hub), address(spoke), address(attestedSpoke));
    }

    function spentNote(uint256 pick) private returns (Resource memory) {
        landTransfer(pick);
        for (uint256 i = 0; i < landed.length; ++i) {
            Resource memory note = landed[addmod(i, pick, landed.length)];
            if (isSpent[keccak256(abi.encode(note))]) return note;
        }
        revert("unreachable");
    }

    function _mustFailOnHub(Batch memory batch) private {
        _mustFailOnHub(batch, 0);
    }

    function _mustFailOnHub(Batch memory batch, bytes4 reason) private {
        vm.chainId(HUB_CHAIN);
        uint64 next = hub.index() + 1;
        vm.prank(SEQUENCER);
        _mustFail(
            address(hub),
            abi.encodeCall(hub.applyBatch, (next, batch.operations, batch.witness, batch.newRoot)),
            reason
        );
    }

    function _mustFail(address target, bytes memory call) private {
        _mustFail(target, call, 0);
    }

    /// @param reason The error it must fail with, zero for any.
    function _mustFail(address target, bytes memory call, bytes4 reason) private {
        (bool done, bytes memory answer) = target.call(call);
        // The selector of an error is what is meant.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (done || (reason != 0 && bytes4(answer) != reason)) believed = true;
        ++refused;
    }
}
