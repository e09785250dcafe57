// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Resource} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

/// @title What must be true of notes, requests and fees, kept beside the contracts
abstract contract Ledger is RequestWorld {
    /// @dev Every note that was ever landed, in order.
    Resource[] internal landed;
    mapping(bytes32 id => bool) internal isBorn;
    mapping(bytes32 id => bool) internal isSpent;
    /// @dev What issuers have brought into being.
    mapping(bytes32 kind => uint256) public issuedOf;
    bytes32[] public kinds;

    /// @dev Requests of each chain by number, and the hub's queue by position, encoded.
    mapping(uint256 chainId => bytes[]) internal sentOf;
    bytes[] internal queueOfHub;
    uint64[] public dueAtOf;
    uint256 public withdrawn;

    // ---- what has come to pass

    function noteEffects(OperationBuilder.Operation memory operation) internal {
        for (uint256 i = 0; i < operation.spent.length; ++i) {
            isSpent[keccak256(abi.encode(operation.spent[i]))] = true;
        }
        for (uint256 i = 0; i < operation.created.length; ++i) {
            landed.push(operation.created[i]);
            isBorn[keccak256(abi.encode(operation.created[i]))] = true;
        }
        if (operation.spent.length == 0) {
            for (uint256 i = 0; i < operation.created.length; ++i) {
                noteIssue(operation.created[i]);
            }
        }
    }

    function noteIssue(Resource memory note) private {
        if (issuedOf[note.kind] == 0) kinds.push(note.kind);
        issuedOf[note.kind] += note.quantity;
    }

    function noteSent(Request memory request) internal {
        sentOf[request.chainId].push(abi.encode(request));
        if (request.chainId == HUB_CHAIN) noteQueued(request);
    }

    function noteQueued(Request memory request) internal {
        queueOfHub.push(abi.encode(request));
        (,, uint64 dueAt,) = hub.queuedAt(uint64(queueOfHub.length - 1));
        dueAtOf.push(dueAt);
    }

    // ---- honest batches

    /// @dev Lands an operation by a sequencer, after everything that is due.
    function landHonest(OperationBuilder.Operation memory operation) internal {
        resolveDue();
        land(commitBatch(operation));
        noteEffects(operation);
    }

    function resolveDue() internal {
        while (headIsDue()) {
            resolveHead(SEQUENCER);
        }
    }

    function resolveHead(address caller) internal {
        OperationBuilder.Operation memory operation = resolutionOf(headRequest());
        landAs(caller, commitBatch(operation));
        noteEffects(operation);
    }

    /// @dev Executes what can be, and says truly why anything else cannot.
    function resolutionOf(Request memory request) internal returns (OperationBuilder.Operation memory) {
        for (uint8 i = 0; i < request.spent.length; ++i) {
            bytes32 id = keccak256(abi.encode(request.spent[i]));
            if (!isBorn[id]) return voidOf(request, INPUT_ABSENT, i);
            if (isSpent[id]) return voidOf(request, INPUT_SPENT, i);
        }
        for (uint8 i = 0; i < request.created.length; ++i) {
            if (!isDomain(request.created[i].domainId)) return voidOf(request, UNKNOWN_DOMAIN, i);
        }
        return execute(request);
    }

    function isDomain(uint256 domainId) private view returns (bool) {
        return domainId == HUB_CHAIN || hub.spokeOf(domainId) != address(0);
    }

    // ---- the queue

    function hasHead() internal view returns (bool) {
        (uint64 enqueued, uint64 resolved) = hub.queue();
        return resolved < enqueued;
    }

    function headRequest() internal view returns (Request memory) {
        (, uint64 resolved) = hub.queue();
        return abi.decode(queueOfHub[resolved], (Request));
    }

    function headIsDue() internal view returns (bool) {
        if (!hasHead()) return false;
        (, uint64 resolved) = hub.queue();
        return block.timestamp >= dueAtOf[resolved] || windowIsOpen();
    }

    function windowIsOpen() internal view returns (bool) {
        return block.timestamp >= uint256(hub.lastSequencedAt()) + WINDOW;
    }

    // ---- questions of the invariants

    /// @dev What was spent stays spent, and of every kind the unspent notes are worth what was issued.
    function checkNotes() external view {
        uint256[] memory sums = new uint256[](kinds.length);
        for (uint256 i = 0; i < landed.length; ++i) {
            Resource memory note = landed[i];
            bool spent = hub.isNullifierSpent(nullifierOf(note));
            assertEq(spent, isSpent[keccak256(abi.encode(note))], "spent");
            for (uint256 j = 0; !spent && j < sums.length; ++j) {
                if (kinds[j] == note.kind) sums[j] += note.quantity;
            }
        }
        for (uint256 j = 0; j < sums.length; ++j) {
            assertEq(sums[j], issuedOf[kinds[j]], "value");
        }
    }

    /// @dev Whatever was sent since, a request is due when it was as it came.
    function noDueTimeMoved() external view returns (bool) {
        (uint64 enqueued, uint64 resolved) = hub.queue();
        if (enqueued != dueAtOf.length) return false;
        for (uint64 i = resolved; i < enqueued; ++i) {
            (,, uint64 dueAt, bytes32 hash) = hub.queuedAt(i);
            if (dueAt != dueAtOf[i] || hash == 0) return false;
        }
        return true;
    }

    /// @dev Every contract has what was paid to it and not paid out, and owes no more than that.
    function feesAreThere() external view returns (bool) {
        uint256 paidIn = uint256(FEE) * hub.requestCount();
        if (address(hub).balance != paidIn - withdrawn) return false;
        if (hub.feesOf(SEQUENCER) > address(hub).balance) return false;
        return address(spoke).balance == uint256(FEE) * spoke.requestCount()
            && spoke.feesOf(address(this)) == uint256(FEE) * spoke.requestsResolved();
    }
}
