// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {
    Batch,
    IAttestedFacts,
    IFactVerifier,
    IRequestQueue,
    IRootSpoke,
    SpokeConfig
} from "./interfaces/IHypha.sol";
import {BoundedPause} from "./BoundedPause.sol";
import {FactNames} from "./libraries/FactNames.sol";
import {Operations} from "./libraries/Operations.sol";
import {TreeHash} from "./libraries/TreeHash.sol";
import {RequestQueue} from "./RequestQueue.sol";
import {RootVerifier} from "./RootVerifier.sol";

/// @title A spoke: follows the hub, verifying each batch again from the root it holds
contract RootSpoke is RequestQueue, BoundedPause, IRootSpoke {
    uint64 private constant NOT_FROZEN = type(uint64).max;

    /// @inheritdoc IRootSpoke
    bool public immutable attested;

    /// @dev The last of this chain's requests that a batch of this epoch resolved. What a batch of an earlier epoch resolved may not have
    /// happened, so it does not count; its fee has gone all the same.
    uint64 private _resolvedNumber;
    /// @dev For each epoch the index that it began with: by the checkpoint, later by what governance installed.
    mapping(uint64 epoch => uint64) private _startOf;
    /// @dev For each epoch the index from which its roots are no longer known.
    mapping(uint64 epoch => uint64) private _frozenAt;

    /// @param config What the spoke is built with; at index 0 the checkpoint must be the empty tree of that hub.
    constructor(SpokeConfig memory config)
        RootVerifier(config.hubChainId, config.hub, config.factVerifier, config.nullifierCache)
        RequestQueue(config.governance)
        BoundedPause(config.governance)
        Ownable(config.governance.owner)
    {
        if (config.nullifierCache && (config.attested || config.index != 0)) revert NoNullifierCache();
        if (config.root == 0 || config.batchChain == 0) revert ZeroRoot();
        bytes32 genesis = FactNames.genesisBatchChain(config.hubChainId, config.hub);
        bool isGenesis = config.root == TreeHash.EMPTY && config.batchChain == genesis;
        if (config.index == 0 && !isGenesis) revert HubMismatch(0);
        attested = config.attested;
        _startOf[0] = config.index;
        _frozenAt[0] = NOT_FROZEN;
        _install(config.index, config.root, config.batchChain);
    }

    /// @inheritdoc IRootSpoke
    function advance(Batch[] calldata batches, uint64 toIndex, bytes calldata factProof)
        external
        onHomeChain
        whenNotPaused
    {
        _checkMode(false);
        if (batches.length == 0 || batches.length > toIndex) revert BatchCount(batches.length);
        uint64 held = index;
        if (toIndex <= held) return;
        uint64 first = toIndex - uint64(batches.length) + 1; // cannot overflow: there are at most `toIndex`
        if (first > held + 1) revert IndexMismatch(held + 1, first);
        bytes32 root = stateRoot();
        bytes32 chain = batchChain(held);
        for (uint64 next = held + 1; next <= toIndex; ++next) {
            Batch calldata batch = batches[next - first];
            Operations.Checked memory checked =
                _verifyBatch(root, batch.operations, batch.witness, batch.newRoot);
            chain = FactNames.nextBatchChain(chain, next, batch.newRoot, batch.operations);
            _commit(root, next, batch.newRoot, chain);
            root = batch.newRoot;
            _markSpent(checked.nullifiers);
            _resolve(checked.resolutions);
        }
        _checkAccepted(toIndex, root, chain, factProof);
    }

    /// @inheritdoc IRootSpoke
    function advanceAttested(uint64 toIndex, bytes32 root, bytes32 chain, bytes calldata factProof)
        external
        onHomeChain
        whenNotPaused
    {
        _checkMode(true);
        _checkInstallable(toIndex, root, chain);
        if (toIndex > index) {
            _commit(stateRoot(), toIndex, root, chain);
            _creditWaiting();
        } else {
            bytes32 heldChain = batchChain(toIndex);
            // Not held is skipped or dropped: unknown, not different.
            if (heldChain == 0 || (heldChain == chain && rootAt(toIndex) == root)) return;
            _freeze(toIndex);
        }
        _checkAccepted(toIndex, root, chain, factProof);
    }

    /// @inheritdoc IRootSpoke
    function freezeOnDivergence(uint64 atIndex, bytes32 root, bytes32 chain, bytes calldata factProof)
        external
        onHomeChain
    {
        if (rootAt(atIndex) == root && batchChain(atIndex) == chain) revert NoDivergence();
        _freeze(atIndex);
        _checkAccepted(atIndex, root, chain, factProof);
    }

    /// @inheritdoc IRootSpoke
    function freezeOnConflict(uint64 atIndex, bytes32 first, bytes32 second, bytes calldata conflictProof)
        external
        onHomeChain
    {
        _freeze(atIndex);
        IAttestedFacts(factVerifier)
            .verifyConflict(hubChainId, hub, FactNames.rootAccepted(atIndex), first, second, conflictProof);
    }

    /// @inheritdoc IRootSpoke
    function thaw(uint64 toIndex, bytes32 root, bytes32 chain, bytes calldata factProof)
        external
        onHomeChain
        onlyOwner
    {
        if (!_frozen) revert NotFrozen();
        uint64 from = frozenAt();
        // Not below what is still known: that history stands.
        if (toIndex < from && toIndex <= index) revert IndexMismatch(from, toIndex);
        _checkInstallable(toIndex, root, chain);
        if (index > _contestedTo) _contestedTo = index;
        _startOf[++_epoch] = toIndex;
        _frozenAt[_epoch] = NOT_FROZEN;
        _frozen = false;
        _resolvedNumber = 0;
        _abandonCache();
        _commit(stateRoot(), toIndex, root, chain);
        emit Thawed(toIndex, root, chain);
        _checkAccepted(toIndex, root, chain, factProof);
    }

    /// @inheritdoc IRootSpoke
    function freeze(uint64 atIndex) external onHomeChain onlyOwner {
        _freeze(atIndex);
    }

    /// @inheritdoc IRootSpoke
    function setFactVerifier(address factVerifier_) external onHomeChain onlyOwner {
        _setFactVerifier(factVerifier_);
    }

    /// @inheritdoc IRequestQueue
    function requestsResolved() external view override returns (uint64) {
        return attested ? 0 : _creditedNumber;
    }

    /// @inheritdoc IRootSpoke
    function frozenAt() public view returns (uint64) {
        return _frozenAt[_epoch];
    }

    /// @dev Takes the roots from `atIndex` on out of the epoch that holds it. What an epoch began with was settled by
    /// governance, so evidence about that index or an older one touches earlier epochs only, and cannot undo a thaw.
    /// The loop is as long as there were thaws.
    function _freeze(uint64 atIndex) private {
        uint64 epoch = _epoch;
        while (epoch > 0 && _startOf[epoch] >= atIndex) --epoch;
        uint64 from = _frozenAt[epoch];
        if (atIndex >= from) revert Frozen(from);
        _frozenAt[epoch] = atIndex;
        if (epoch != _epoch) {
            emit RootsWithdrawn(atIndex);
            return;
        }
        _frozen = true;
        emit FrozenAt(atIndex);
    }

    /// @dev An attested spoke does not see what is resolved: whoever brings the next root has the fees of all requests.
    function _creditWaiting() private {
        if (!_feesWait) return;
        _feesWait = false;
        _credit(requestCount);
    }

    /// @dev Of what a batch resolves this chain knows its own requests: each must be one that was queued here, after those that this
    /// epoch resolved before. A thaw may have skipped some, and the batches that it took back may have resolved some.
    function _resolve(Operations.Resolution[] memory resolutions) private {
        for (uint256 i = 0; i < resolutions.length; ++i) {
            Operations.Resolution memory resolution = resolutions[i];
            if (resolution.chainId != block.chainid) continue;
            uint64 number = resolution.number;
            if (number <= _resolvedNumber) revert RequestNumber(block.chainid, _resolvedNumber + 1, number);
            bytes32 queued = requestHash[number];
            if (resolution.hash != queued) {
                revert RequestMismatch(block.chainid, number, queued, resolution.hash);
            }
            _resolvedNumber = number;
            if (number > _creditedNumber) _credit(number);
            emit RequestResolved(block.chainid, number, resolution.executed);
        }
    }

    /// @dev The greatest index is kept for "not frozen".
    function _checkInstallable(uint64 toIndex, bytes32 root, bytes32 chain) private pure {
        if (root == 0 || chain == 0) revert ZeroRoot();
        if (toIndex == NOT_FROZEN) revert IndexMismatch(NOT_FROZEN - 1, toIndex);
    }

    function _checkMode(bool needsAttested) private view {
        if (attested != needsAttested) revert WrongMode();
        if (_frozen) revert Frozen(frozenAt());
    }

    /// @dev Requires the fact that the hub asserts exactly this root and batch chain for the index.
    function _checkAccepted(uint64 atIndex, bytes32 root, bytes32 chain, bytes calldata factProof)
        private
        view
    {
        _checkFact(
            hubChainId,
            hub,
            FactNames.rootAccepted(atIndex),
            FactNames.rootAcceptedValue(root, chain),
            factProof
        );
    }

    function _rules() internal view override returns (Operations.Rules memory) {
        return Operations.Rules({
            domainSeparator: domainSeparator, hub: false, deadlines: false, isDomain: _isDomain
        });
    }

    /// @dev Domains are the hub's to check; nobody asks here.
    function _isDomain(uint256) private pure returns (bool) {
        return false;
    }

    function _queued(Request memory, bytes memory) internal override {
        if (attested) _feesWait = true;
    }

    function _isRing() internal view override returns (bool) {
        return attested;
    }

    function _announceRoot(bytes32 oldRoot, bytes32 newRoot, uint64 newIndex) internal override {
        if (newIndex > _contestedTo) super._announceRoot(oldRoot, newRoot, newIndex);
        else emit RootRestored(oldRoot, newRoot, newIndex);
    }

    function _withdrawnFrom(uint64 epoch) internal view override returns (uint64) {
        return _frozenAt[epoch];
    }
}
