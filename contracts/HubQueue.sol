// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRootHub} from "./interfaces/IHypha.sol";
import {FactNames} from "./libraries/FactNames.sol";
import {Operations} from "./libraries/Operations.sol";
import {RequestQueue} from "./RequestQueue.sol";

/// @title The hub's one queue of all chains' requests, and whose turn it is to apply the batches that resolve them
abstract contract HubQueue is RequestQueue, IRootHub {
    /// @dev A request that no batch has resolved.
    struct Queued {
        bytes32 hash;
        uint64 chainId;
        uint64 number;
        uint64 dueAt;
    }

    /// @dev What every batch reads and writes of the queue and the turns: one slot.
    /// @param sequencedAt Time of the last sequencer's batch that left nothing overdue, Unix seconds.
    /// @param strangerAt When the sequencers' last turn began, with the batch of somebody who is no sequencer, Unix seconds.
    struct Progress {
        uint64 enqueued;
        uint64 resolved;
        uint64 sequencedAt;
        uint64 strangerAt;
    }

    /// @dev This part of the liveness window is the sequencers' turn after a stranger's batch,
    uint64 private constant TURN_DIVISOR = 8;
    /// @dev and this part while a request is overdue: a few blocks of a day's window. Once it is over strangers wait for nobody until
    /// the longer turn would be over too, so that a queue that takes many batches drains.
    uint64 private constant OVERDUE_TURN_DIVISOR = 1024;

    /// @inheritdoc IRootHub
    uint64 public immutable livenessWindow;
    /// @inheritdoc IRootHub
    uint64 public immutable inclusionWindow;
    Progress internal _progress;
    mapping(uint64 position => Queued) private _queuedAt;
    mapping(uint256 chainId => uint64) private _enqueuedOf;
    /// @inheritdoc IRootHub
    mapping(address account => bool) public isSequencer;

    constructor(uint64 livenessWindow_, uint64 inclusionWindow_) {
        if (livenessWindow_ == 0 || inclusionWindow_ == 0) revert ZeroWindow();
        livenessWindow = livenessWindow_;
        inclusionWindow = inclusionWindow_;
        _progress.sequencedAt = uint64(block.timestamp);
    }

    /// @inheritdoc IRootHub
    function enqueueRemote(
        uint256 chainId,
        uint64 number,
        uint8 requestType,
        address sender,
        bytes calldata content,
        bytes calldata factProof
    ) external onHomeChain {
        address spoke = _spoke(chainId);
        uint64 last = _enqueuedOf[chainId];
        if (number <= last) return;
        if (number != last + 1) revert RequestNumber(chainId, last + 1, number);
        // Its deadline counted when it was queued. A domain that is unknown here is a reason to resolve it as void, not to
        // leave it out: those after it would never come.
        Operations.Rules memory rules = _rules();
        rules.hub = false;
        rules.deadlines = false;
        Request memory request = Request(chainId, number, requestType, sender, 0);
        request.hash = _checkContent(request, content, rules);
        _enqueuedOf[chainId] = number;
        _enqueue(request, content);
        _checkFact(chainId, spoke, FactNames.requestQueued(number), request.hash, factProof);
    }

    /// @inheritdoc IRootHub
    function queue() external view returns (uint64 enqueued, uint64 resolved) {
        return (_progress.enqueued, _progress.resolved);
    }

    /// @inheritdoc IRootHub
    function queuedAt(uint64 position)
        external
        view
        returns (uint256 chainId, uint64 number, uint64 dueAt, bytes32 hash)
    {
        Queued memory queued = _queuedAt[position];
        return (queued.chainId, queued.number, queued.dueAt, queued.hash);
    }

    /// @inheritdoc IRootHub
    function enqueuedNumber(uint256 chainId) external view returns (uint64) {
        return chainId == hubChainId ? requestCount : _enqueuedOf[chainId];
    }

    /// @inheritdoc IRootHub
    function lastSequencedAt() external view returns (uint64) {
        return _progress.sequencedAt;
    }

    /// @dev Lets a sequencer in at any time; others only while the liveness window is open, and not so soon after one another that
    /// a sequencer could never come between.
    /// @return opensAt From when on the window is open, and every request due.
    function _checkTurn(Progress memory progress) internal view returns (uint256 opensAt) {
        opensAt = uint256(progress.sequencedAt) + livenessWindow;
        if (isSequencer[msg.sender]) return opensAt;
        if (block.timestamp < opensAt) revert NotSequencer(msg.sender, opensAt);
        uint64 turn =
            _hasOverdue(progress) ? livenessWindow / OVERDUE_TURN_DIVISOR : livenessWindow / TURN_DIVISOR;
        uint256 until = uint256(progress.strangerAt) + turn;
        if (block.timestamp < until) revert SequencersTurn(until);
    }

    /// @dev Takes what a batch resolves off the head of the queue, which is something when anything there is due; then the turn ends.
    function _resolve(Progress memory progress, Operations.Resolution[] memory resolutions, uint256 opensAt)
        internal
    {
        if (resolutions.length == 0) _checkNotDue(progress, opensAt);
        uint64 ownNumber = 0;
        for (uint256 i = 0; i < resolutions.length; ++i) {
            Operations.Resolution memory resolution = resolutions[i];
            _takeHead(progress, resolution);
            if (resolution.chainId == hubChainId) ownNumber = resolution.number;
            emit RequestResolved(resolution.chainId, resolution.number, resolution.executed);
        }
        if (ownNumber != 0) _credit(ownNumber);
        _endTurn(progress);
    }

    /// @dev The hub's own requests enter its queue at once.
    function _queued(Request memory request, bytes memory content) internal override {
        _enqueue(request, content);
    }

    function _setSequencer(address sequencer, bool allowed) internal {
        if (sequencer == address(0)) revert ZeroAddress();
        isSequencer[sequencer] = allowed;
        emit SequencerSet(sequencer, allowed);
    }

    /// @dev The spoke of a chain; reverts when none is registered.
    function _spoke(uint256 chainId) internal view virtual returns (address);

    function _enqueue(Request memory request, bytes memory content) private {
        (uint256 chainId, uint64 number) = (request.chainId, request.number);
        uint64 position = _progress.enqueued++;
        uint64 dueAt = uint64(block.timestamp) + inclusionWindow;
        // Every registered chain's id fits in 64 bits.
        // forge-lint: disable-next-line(unsafe-typecast)
        _queuedAt[position] = Queued(request.hash, uint64(chainId), number, dueAt);
        emit RequestEnqueued(chainId, number, position, dueAt, request.requestType, request.sender, content);
    }

    function _takeHead(Progress memory progress, Operations.Resolution memory resolution) private {
        (uint256 chainId, uint64 number) = (resolution.chainId, resolution.number);
        if (progress.resolved == progress.enqueued) revert QueueEmpty(chainId, number);
        Queued memory head = _queuedAt[progress.resolved];
        if (chainId != head.chainId || number != head.number) {
            revert RequestOrder(head.chainId, head.number, chainId, number);
        }
        if (resolution.hash != head.hash) {
            revert RequestMismatch(chainId, number, head.hash, resolution.hash);
        }
        delete _queuedAt[progress.resolved++];
    }

    /// @dev A stranger's batch gives the sequencers their turn; while something is overdue, not again before a whole one would be
    /// over. A sequencer's restarts the liveness window, but not one that leaves a request behind whose inclusion window is
    /// over: otherwise a sequencer who resolves one at a time would keep everybody out for as long as a queue can be made.
    function _endTurn(Progress memory progress) private view {
        bool hasOverdue = _hasOverdue(progress);
        if (isSequencer[msg.sender]) {
            if (!hasOverdue) progress.sequencedAt = uint64(block.timestamp);
            return;
        }
        uint256 wholeTurnOver = uint256(progress.strangerAt) + livenessWindow / TURN_DIVISOR;
        if (!hasOverdue || block.timestamp >= wholeTurnOver) progress.strangerAt = uint64(block.timestamp);
    }

    /// @dev Whether the inclusion window of the request at the head is over.
    function _hasOverdue(Progress memory progress) private view returns (bool) {
        return progress.resolved < progress.enqueued && block.timestamp >= _queuedAt[progress.resolved].dueAt;
    }

    function _checkNotDue(Progress memory progress, uint256 opensAt) private view {
        if (progress.resolved == progress.enqueued) return;
        Queued memory head = _queuedAt[progress.resolved];
        uint256 dueAt = Math.min(head.dueAt, opensAt);
        if (block.timestamp >= dueAt) revert RequestDue(head.chainId, head.number, dueAt);
    }
}
