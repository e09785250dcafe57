// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Resource} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {Ledger} from "./Ledger.sol";

/// @title Honest steps: each must succeed, whatever was done before
/// @notice Requests are anybody's, so here are also those that can never be executed.
abstract contract HonestHandler is Ledger {
    uint256 private constant UNKNOWN_CHAIN = 9009;

    uint256 public executed;
    uint256 public voided;

    // ---- batches

    function landIssue(uint64 quantity) public {
        landHonest(issue(SPOKE_CHAIN, vm.addr(ALICE), 1 + uint256(quantity)));
    }

    function landTransfer(uint256 pick) public {
        resolveDue(); // which may spend what is unspent
        Resource memory note = unspentNote(pick);
        landHonest(move(note, ALICE, HUB_CHAIN, vm.addr(ALICE)));
    }

    function resolveNext() public {
        vm.chainId(HUB_CHAIN);
        if (!hasHead()) sendIssue(0, 1);
        uint256 before = landed.length;
        resolveHead(SEQUENCER);
        if (landed.length == before) ++voided;
        else ++executed;
    }

    /// @dev Nobody need wait for the sequencers once their window is open.
    function escape() public {
        vm.chainId(HUB_CHAIN);
        vm.warp(block.timestamp + WINDOW);
        if (!hasHead()) sendIssue(0, 1);
        resolveHead(vm.addr(BOB));
        vm.warp(block.timestamp + WINDOW / 8);
        landHonest(issue(HUB_CHAIN, vm.addr(ALICE), 1));
    }

    function wait_(uint256 time) public {
        vm.warp(block.timestamp + bound(time, 1, 2 * INCLUSION_WINDOW));
    }

    // ---- requests

    function sendIssue(uint256 chain, uint64 quantity) public {
        uint256 chainId = anyChain(chain);
        noteSent(requestIssue(chainId, address(this), HUB_CHAIN, vm.addr(ALICE), 1 + uint256(quantity)));
    }

    /// @dev Of a note that is there, that was spent, or that will be spent by another request.
    function sendMove(uint256 chain, uint256 pick) public {
        if (landed.length == 0) landIssue(1);
        Resource memory note = landed[bound(pick, 0, landed.length - 1)];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(ALICE));
        noteSent(requestTransfer(anyChain(chain), vm.addr(BOB), draft));
    }

    function sendMoveOfNothing(uint256 chain) public {
        Resource memory unborn = issue(HUB_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(unborn, ALICE, HUB_CHAIN, vm.addr(ALICE));
        noteSent(requestTransfer(anyChain(chain), vm.addr(BOB), draft));
    }

    function sendIssueToNowhere() public {
        noteSent(requestIssue(SPOKE_CHAIN, address(this), UNKNOWN_CHAIN, vm.addr(ALICE), 5));
    }

    function bringNext(uint256 chain) public {
        uint256 chainId = chain % 2 == 0 ? SPOKE_CHAIN : ATTESTED_CHAIN;
        uint64 last = hub.enqueuedNumber(chainId);
        if (last == queueOf(chainId).requestCount()) sendIssue(chain % 2 == 0 ? 1 : 2, 1);
        Request memory request = abi.decode(sentOf[chainId][last], (Request));
        enqueue(request);
        noteQueued(request);
    }

    /// @dev What is there already may be sent again by anyone, and does nothing.
    function bringAgain() public {
        if (hub.enqueuedNumber(SPOKE_CHAIN) == 0) bringNext(0);
        enqueue(abi.decode(sentOf[SPOKE_CHAIN][0], (Request)));
    }

    function withdraw() public {
        vm.chainId(HUB_CHAIN);
        uint256 owed = hub.feesOf(SEQUENCER);
        if (owed == 0) return;
        vm.prank(SEQUENCER);
        hub.withdrawFees(SEQUENCER);
        withdrawn += owed;
    }

    // ---- spokes

    function followSome(uint64 steps) public {
        uint64 held = spoke.index();
        if (held == hub.index()) landIssue(1);
        follow(uint64(bound(steps, held + 1, hub.index())));
    }

    function followAttestedSome(uint64 steps) public {
        uint64 held = attestedSpoke.index();
        if (held == hub.index()) landIssue(1);
        followAttested(uint64(bound(steps, held + 1, hub.index())));
    }

    function confirmSpoke() public {
        vm.chainId(HUB_CHAIN);
        uint64 index = spoke.index();
        hub.confirm(
            SPOKE_CHAIN, index, rootOf[index], appliedFact(SPOKE_CHAIN, address(spoke), index, rootOf[index])
        );
    }

    // ---- choosing

    function unspentNote(uint256 pick) internal returns (Resource memory) {
        while (true) {
            for (uint256 i = 0; i < landed.length; ++i) {
                Resource memory note = landed[addmod(i, pick, landed.length)];
                if (!isSpent[keccak256(abi.encode(note))]) return note;
            }
            landIssue(1);
        }
        revert("unreachable");
    }

    function anyChain(uint256 chain) internal pure returns (uint256) {
        uint256[3] memory chains = [HUB_CHAIN, SPOKE_CHAIN, ATTESTED_CHAIN];
        return chains[chain % 3];
    }
}
