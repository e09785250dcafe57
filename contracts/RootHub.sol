// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IFactVerifier, IRootHub} from "./interfaces/IHypha.sol";
import {FactNames} from "./libraries/FactNames.sol";
import {Ids} from "./libraries/Ids.sol";
import {Operations} from "./libraries/Operations.sol";
import {TreeHash} from "./libraries/TreeHash.sol";
import {RootVerifier} from "./RootVerifier.sol";

/// @title The hub: takes batches from sequencers, and confirmations from the spokes
contract RootHub is RootVerifier, IRootHub, Ownable2Step {
    /// @inheritdoc IRootHub
    uint64 public immutable livenessWindow;
    /// @inheritdoc IRootHub
    uint64 public lastSequencedAt;
    /// @inheritdoc IRootHub
    mapping(address account => bool) public isSequencer;
    /// @inheritdoc IRootHub
    mapping(uint256 chainId => address) public spokeOf;
    /// @inheritdoc IRootHub
    mapping(uint256 chainId => uint64) public confirmedIndex;
    uint256[] private _spokeChains;

    /// @param governance Owner: registers spokes, sets sequencers and the fact verifier.
    /// @param factVerifier_ Says whether a spoke asserted that it applied a root.
    /// @param sequencers Accounts that may apply batches at any time.
    /// @param livenessWindow_ Seconds without a sequencer's batch after which anyone may apply one.
    /// @param nullifierCache Whether each nullifier is also marked in storage.
    constructor(
        address governance,
        address factVerifier_,
        address[] memory sequencers,
        uint64 livenessWindow_,
        bool nullifierCache
    ) RootVerifier(block.chainid, address(this), factVerifier_, nullifierCache) Ownable(governance) {
        livenessWindow = livenessWindow_;
        lastSequencedAt = uint64(block.timestamp);
        for (uint256 i = 0; i < sequencers.length; ++i) {
            _setSequencer(sequencers[i], true);
        }
        _install(0, TreeHash.EMPTY, FactNames.genesisBatchChain(block.chainid, address(this)));
    }

    /// @inheritdoc IRootHub
    function applyBatch(uint64 batchIndex, bytes calldata operations, bytes calldata witness, bytes32 newRoot)
        external
        onHomeChain
    {
        _takeTurn();
        uint64 held = index;
        if (batchIndex != held + 1) revert IndexMismatch(held + 1, batchIndex);
        Operations.Note[] memory notes = _verifyBatch(operations, witness, newRoot);
        bytes32 chain = FactNames.nextBatchChain(batchChain(held), batchIndex, newRoot, operations);
        _commit(batchIndex, newRoot, chain);
        _markSpent(notes);
        emit BatchApplied(batchIndex, newRoot, chain, operations);
        _announce(notes);
    }

    /// @inheritdoc IRootHub
    function confirm(uint256 chainId, uint64 atIndex, bytes32 root, bytes calldata factProof)
        external
        onHomeChain
    {
        address spoke = spokeOf[chainId];
        if (spoke == address(0)) revert UnknownSpoke(chainId);
        uint64 confirmed = confirmedIndex[chainId];
        if (atIndex < confirmed) return;
        bytes32 expected = rootAt(atIndex);
        if (atIndex == confirmed && root == expected) return;
        if (root == expected) {
            confirmedIndex[chainId] = atIndex;
            emit Confirmed(chainId, atIndex, root);
        } else {
            emit Diverged(chainId, atIndex, expected, root);
        }
        IFactVerifier(factVerifier)
            .verifyFact(
                chainId, spoke, FactNames.rootApplied(atIndex), FactNames.rootAppliedValue(root), factProof
            );
    }

    /// @inheritdoc IRootHub
    function registerSpoke(uint256 chainId, address spoke) external onHomeChain onlyOwner {
        if (chainId == 0) revert ZeroDomain();
        if (spoke == address(0)) revert ZeroAddress();
        if (chainId == hubChainId || spokeOf[chainId] != address(0)) revert SpokeExists(chainId);
        spokeOf[chainId] = spoke;
        _spokeChains.push(chainId);
        emit SpokeRegistered(chainId, spoke);
    }

    /// @inheritdoc IRootHub
    function setSequencer(address sequencer, bool allowed) external onHomeChain onlyOwner {
        _setSequencer(sequencer, allowed);
    }

    /// @inheritdoc IRootHub
    function setFactVerifier(address factVerifier_) external onHomeChain onlyOwner {
        _setFactVerifier(factVerifier_);
    }

    /// @inheritdoc IRootHub
    function spokeChains() external view returns (uint256[] memory) {
        return _spokeChains;
    }

    function _setSequencer(address sequencer, bool allowed) private {
        if (sequencer == address(0)) revert ZeroAddress();
        isSequencer[sequencer] = allowed;
        emit SequencerSet(sequencer, allowed);
    }

    /// @dev Lets a sequencer in at any time and restarts the window; others only while the window is open, which their
    /// batches do not close.
    function _takeTurn() private {
        if (isSequencer[msg.sender]) {
            lastSequencedAt = uint64(block.timestamp);
            return;
        }
        uint256 opensAt = uint256(lastSequencedAt) + livenessWindow;
        if (block.timestamp < opensAt) revert NotSequencer(msg.sender, opensAt);
    }

    function _announce(Operations.Note[] memory notes) private {
        for (uint256 i = 0; i < notes.length; ++i) {
            Operations.Note memory note = notes[i];
            if (note.spent) emit NullifierMarked(Ids.nullifierOf(note.id));
            else emit ResourceCreated(note.id, note.resource.domainId, note.resource.owner);
        }
    }

    function _rules() internal view override returns (Operations.Rules memory) {
        return Operations.Rules({domainSeparator: domainSeparator, hub: true, isDomain: _isDomain});
    }

    function _isDomain(uint256 domainId) private view returns (bool) {
        return domainId == hubChainId || spokeOf[domainId] != address(0);
    }

    /// @dev The hub's history is the history: nothing is ever withdrawn from it.
    function _withdrawnFrom(uint64) internal pure override returns (uint64) {
        return type(uint64).max;
    }
}
