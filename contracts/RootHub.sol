// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {HubConfig, IRootHub} from "./interfaces/IHypha.sol";
import {BoundedPause} from "./BoundedPause.sol";
import {HubQueue} from "./HubQueue.sol";
import {FactNames} from "./libraries/FactNames.sol";
import {Operations} from "./libraries/Operations.sol";
import {TreeHash} from "./libraries/TreeHash.sol";
import {RequestQueue} from "./RequestQueue.sol";
import {RootVerifier} from "./RootVerifier.sol";

/// @title The hub: takes batches from sequencers, requests from anyone, and confirmations from the spokes
contract RootHub is HubQueue, BoundedPause {
    struct Spoke {
        address account;
        uint64 confirmedIndex;
    }

    /// @dev Most bytes of operations and witness together. Nodes take transactions of 131,072 bytes; one that takes the batch to a spoke
    /// also carries the hub's fact, with a signature of 65 bytes from each of some hundred attestors at most.
    uint256 private constant MAX_BATCH_BYTES = 120 * 1024;

    /// @inheritdoc IRootHub
    address public registrar;
    mapping(uint256 chainId => Spoke) private _spokes;
    uint256[] private _spokeChains;

    /// @param config What the hub is built with.
    constructor(HubConfig memory config)
        RootVerifier(block.chainid, address(this), config.factVerifier, config.nullifierCache)
        RequestQueue(config.governance)
        HubQueue(config.livenessWindow, config.inclusionWindow)
        BoundedPause(config.governance)
        Ownable(config.governance.owner)
    {
        registrar = config.registrar;
        for (uint256 i = 0; i < config.sequencers.length; ++i) {
            _setSequencer(config.sequencers[i], true);
        }
        _install(0, TreeHash.EMPTY, FactNames.genesisBatchChain(block.chainid, address(this)));
    }

    /// @inheritdoc IRootHub
    function applyBatch(uint64 batchIndex, bytes calldata operations, bytes calldata witness, bytes32 newRoot)
        external
        onHomeChain
        whenNotPaused
    {
        // What the hub takes must fit the transaction that takes it to a spoke, signatures of attestors included.
        uint256 length = operations.length + witness.length;
        if (length > MAX_BATCH_BYTES) revert BatchTooLong(MAX_BATCH_BYTES, length);
        Progress memory progress = _progress;
        uint256 opensAt = _checkTurn(progress);
        uint64 held = index;
        if (batchIndex != held + 1) revert IndexMismatch(held + 1, batchIndex);
        bytes32 oldRoot = stateRoot();
        Operations.Checked memory checked = _verifyBatch(oldRoot, operations, witness, newRoot);
        bytes32 chain = FactNames.nextBatchChain(batchChain(held), batchIndex, newRoot, operations);
        _commit(oldRoot, batchIndex, newRoot, chain);
        _resolve(progress, checked.resolutions, opensAt);
        _progress = progress;
        _markSpent(checked.nullifiers);
        emit BatchApplied(batchIndex, newRoot, chain, operations);
        if (checked.nullifiers.length > 0) emit NullifiersMarked(batchIndex, checked.nullifiers);
        _announce(checked.created);
    }

    /// @inheritdoc IRootHub
    function confirm(uint256 chainId, uint64 atIndex, bytes32 root, bytes calldata factProof)
        external
        onHomeChain
    {
        address spoke = _spoke(chainId);
        uint64 confirmed = _spokes[chainId].confirmedIndex;
        if (atIndex < confirmed) return;
        bytes32 expected = rootAt(atIndex);
        if (atIndex == confirmed && root == expected) return;
        if (root == expected) {
            _spokes[chainId].confirmedIndex = atIndex;
            emit Confirmed(chainId, atIndex, root);
        } else {
            emit Diverged(chainId, atIndex, expected, root);
        }
        _checkFact(
            chainId, spoke, FactNames.rootApplied(atIndex), FactNames.rootAppliedValue(root), factProof
        );
    }

    /// @inheritdoc IRootHub
    function registerFirstSpokes(uint256[] calldata chainIds, address[] calldata spokes)
        external
        onHomeChain
    {
        if (msg.sender != registrar) revert NotRegistrar(msg.sender);
        if (chainIds.length != spokes.length) revert SpokeCount(chainIds.length, spokes.length);
        registrar = address(0);
        for (uint256 i = 0; i < chainIds.length; ++i) {
            _registerSpoke(chainIds[i], spokes[i]);
        }
    }

    /// @inheritdoc IRootHub
    function registerSpoke(uint256 chainId, address spoke) external onHomeChain onlyOwner {
        _registerSpoke(chainId, spoke);
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
    function spokeOf(uint256 chainId) external view returns (address) {
        return _spokes[chainId].account;
    }

    /// @inheritdoc IRootHub
    function confirmedIndex(uint256 chainId) external view returns (uint64) {
        return _spokes[chainId].confirmedIndex;
    }

    /// @inheritdoc IRootHub
    function spokeChains() external view returns (uint256[] memory) {
        return _spokeChains;
    }

    function _registerSpoke(uint256 chainId, address spoke) private {
        if (chainId == 0) revert ZeroDomain();
        // Operations and the queue have 64 bits for a chain's id: a longer one would be taken for another chain's.
        if (chainId > type(uint64).max) revert UnknownDomain(chainId);
        if (spoke == address(0)) revert ZeroAddress();
        if (_isDomain(chainId)) revert SpokeExists(chainId);
        _spokes[chainId].account = spoke;
        _spokeChains.push(chainId);
        emit SpokeRegistered(chainId, spoke);
    }

    function _announce(Operations.Created[] memory created) private {
        for (uint256 i = 0; i < created.length; ++i) {
            emit ResourceCreated(created[i].id, created[i].owner);
        }
    }

    function _spoke(uint256 chainId) internal view override returns (address spoke) {
        spoke = _spokes[chainId].account;
        if (spoke == address(0)) revert UnknownSpoke(chainId);
    }

    function _rules() internal view override returns (Operations.Rules memory) {
        return
            Operations.Rules({
                domainSeparator: domainSeparator, hub: true, deadlines: true, isDomain: _isDomain
            });
    }

    function _checkDomain(uint256 domainId) internal view override {
        if (!_isDomain(domainId)) revert UnknownDomain(domainId);
    }

    function _isDomain(uint256 domainId) private view returns (bool) {
        return domainId == hubChainId || _spokes[domainId].account != address(0);
    }

    /// @dev The hub's history is the history: nothing is ever withdrawn from it, and no root stands in it twice.
    function _withdrawnFrom(uint64) internal pure override returns (uint64) {
        return type(uint64).max;
    }

    function _holds(bytes32 root, uint64) internal pure override returns (bool) {
        return root != 0;
    }
}
