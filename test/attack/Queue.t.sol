// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Batch, IRootHub, Resource} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

/// @title A queue that is filled to keep one request from ever being resolved
contract QueueAttackTest is RequestWorld {
    uint256 private constant STUFFED = 24;
    /// @dev How long strangers wait for the sequencers while something is overdue, seconds.
    uint256 private constant OVERDUE_TURN = WINDOW / 1024;

    /// @dev A hostile sequencer stuffs the queue ahead of the victim, gets the fees back, and then resolves one request a batch: never
    /// the victim's. That does not restart the liveness window, so soon anybody resolves what is left.
    function test_sequencer_resolvingOneDueRequestABatch_cannotHoldTheWindowShut() public {
        Request[] memory stuffing = stuff();
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        Request memory victim = requestMove(HUB_CHAIN, note, SPOKE_CHAIN, vm.addr(BOB));
        uint256 before = hub.lastSequencedAt();
        vm.warp(block.timestamp + INCLUSION_WINDOW);
        land(commitBatch(execute(stuffing[0])));
        assertEq(hub.lastSequencedAt(), before, "the window goes on");
        vm.warp(block.timestamp + WINDOW);
        land(commitBatch(execute(stuffing[1])));
        for (uint256 i = 2; i < stuffing.length; ++i) {
            landAs(vm.addr(BOB), commitBatch(execute(stuffing[i])));
            if (i == 2) vm.warp(block.timestamp + OVERDUE_TURN);
        }
        landAs(vm.addr(BOB), commitBatch(execute(victim)));
        (uint64 enqueued, uint64 resolved) = hub.queue();
        assertEq(resolved, enqueued, "in one short turn");
        Batch memory next = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 1));
        refuseAs(vm.addr(BOB), next, sequencersTurn(WINDOW / 8));
        land(next);
        assertEq(hub.lastSequencedAt(), block.timestamp, "nothing is left that is overdue");
    }

    /// @dev A stranger who stuffed the queue is quicker than every sequencer. Between two of its batches the sequencers have their turn
    /// all the same, and one batch of theirs that leaves nothing overdue ends it.
    function test_strangerResolvingOneOverdueRequestABatch_cannotKeepTheSequencersOut() public {
        Request[] memory stuffing = stuff();
        vm.warp(block.timestamp + INCLUSION_WINDOW + WINDOW);
        landAs(vm.addr(BOB), commitBatch(execute(stuffing[0])));
        Batch memory next = commitBatch(execute(stuffing[1]));
        refuseAs(vm.addr(BOB), next, sequencersTurn(OVERDUE_TURN));
        vm.warp(block.timestamp + OVERDUE_TURN - 1);
        refuseAs(vm.addr(BOB), next, sequencersTurn(1));
        uint256 state = vm.snapshotState();
        vm.warp(block.timestamp + 1);
        landAs(vm.addr(BOB), next);
        vm.revertToState(state);
        land(next);
        assertLt(hub.lastSequencedAt(), block.timestamp, "something is still overdue");
        OperationBuilder.Operation[] memory rest = new OperationBuilder.Operation[](STUFFED - 2);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = execute(stuffing[i + 2]);
        }
        land(commitBatch(rest));
        assertEq(hub.lastSequencedAt(), block.timestamp);
        Batch memory late = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 1));
        refuseAs(
            vm.addr(BOB),
            late,
            abi.encodeWithSelector(IRootHub.NotSequencer.selector, vm.addr(BOB), block.timestamp + WINDOW)
        );
    }

    /// @dev While something is overdue the sequencers have their short turn once in an eighth of the window, also when strangers'
    /// batches come without end.
    function test_overdue_theSequencersTurnComesAgain() public {
        Request[] memory stuffing = stuff();
        vm.warp(block.timestamp + INCLUSION_WINDOW + WINDOW);
        landAs(vm.addr(BOB), commitBatch(execute(stuffing[0])));
        uint256 began = block.timestamp;
        vm.warp(began + WINDOW / 8 - 1);
        landAs(vm.addr(BOB), commitBatch(execute(stuffing[1])));
        landAs(vm.addr(BOB), commitBatch(execute(stuffing[2])));
        vm.warp(began + WINDOW / 8);
        landAs(vm.addr(BOB), commitBatch(execute(stuffing[3])));
        refuseAs(vm.addr(BOB), commitBatch(execute(stuffing[4])), sequencersTurn(OVERDUE_TURN));
    }

    /// @dev Requests that are void for one and the same reason take a batch each, because a batch reads no key twice. With the
    /// sequencers gone somebody else resolves them in as many batches, after one short turn.
    function test_voidsOfOneSpentNote_waitForOneShortTurn() public {
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        Request[] memory spends = new Request[](8);
        for (uint256 i = 0; i < spends.length; ++i) {
            spends[i] = requestMove(HUB_CHAIN, note, SPOKE_CHAIN, vm.addr(uint256(i + 1)));
        }
        land(commitBatch(execute(spends[0])));
        vm.warp(block.timestamp + INCLUSION_WINDOW + WINDOW);
        for (uint256 i = 1; i < spends.length; ++i) {
            landAs(vm.addr(BOB), commitBatch(voidOf(spends[i], INPUT_SPENT, 0)));
            if (i == 1) vm.warp(block.timestamp + OVERDUE_TURN);
        }
        (uint64 enqueued, uint64 resolved) = hub.queue();
        assertEq(resolved, enqueued);
    }

    /// @dev What a stranger hears for so many seconds more.
    function sequencersTurn(uint256 secondsLeft) private view returns (bytes memory) {
        return abi.encodeWithSelector(IRootHub.SequencersTurn.selector, block.timestamp + secondsLeft);
    }

    function stuff() private returns (Request[] memory stuffing) {
        stuffing = new Request[](STUFFED);
        for (uint256 i = 0; i < STUFFED; ++i) {
            stuffing[i] = requestIssue(HUB_CHAIN, vm.addr(ISSUER), HUB_CHAIN, vm.addr(ISSUER), 1);
        }
    }
}
