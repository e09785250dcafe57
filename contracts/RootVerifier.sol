// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IFactVerifier, IOperationErrors, IProofErrors, IRootVerifier} from "./interfaces/IHypha.sol";
import {Calldata} from "./libraries/Calldata.sol";
import {Ids} from "./libraries/Ids.sol";
import {Multiproof} from "./libraries/Multiproof.sol";
import {Operations} from "./libraries/Operations.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {RootHistory} from "./RootHistory.sol";
import {Key, Root, Touch, ValueHash} from "./types/TreeTypes.sol";

/// @title What hub and spokes have in common: the step from one root to the next, and proofs
abstract contract RootVerifier is RootHistory, IProofErrors, IOperationErrors {
    using Calldata for bytes;

    ValueHash private constant ABSENT = ValueHash.wrap(0);

    /// @inheritdoc IRootVerifier
    uint256 public immutable hubChainId;
    /// @inheritdoc IRootVerifier
    address public immutable hub;
    /// @inheritdoc IRootVerifier
    bytes32 public immutable domainSeparator;
    /// @dev The chain that this contract was deployed on; on a fork with another id it stands still.
    uint256 private immutable _homeChainId;

    /// @dev Whether `_spent` holds every nullifier of the tree.
    bool private _cacheComplete;
    mapping(bytes32 nullifier => bool) private _spent;
    /// @inheritdoc IRootVerifier
    address public factVerifier;
    /// @dev Until when new roots are refused (`BoundedPause`); here because it is read with the fact verifier.
    uint64 internal _pausedUntil;

    modifier onHomeChain() {
        _checkHomeChain();
        _;
    }

    constructor(uint256 hubChainId_, address hub_, address factVerifier_, bool nullifierCache) {
        if (hub_ == address(0)) revert ZeroAddress();
        if (hubChainId_ == 0) revert ZeroDomain();
        hubChainId = hubChainId_;
        hub = hub_;
        domainSeparator = Signatures.operationsDomain(hubChainId_, hub_);
        _homeChainId = block.chainid;
        _cacheComplete = nullifierCache;
        _setFactVerifier(factVerifier_);
    }

    /// @inheritdoc IRootVerifier
    function verifyProof(bytes32 root, bytes32 key, bytes calldata value, bytes calldata proof)
        external
        view
        returns (bool)
    {
        if (!isKnownRoot(root)) return false;
        if (value.length == 0) revert EmptyValue();
        Multiproof.verifyOne(Root.wrap(root), Key.wrap(key), ValueHash.wrap(value.hash()), proof);
        return true;
    }

    /// @inheritdoc IRootVerifier
    function verifyAbsence(bytes32 root, bytes32 key, bytes calldata proof) external view returns (bool) {
        if (!isKnownRoot(root)) return false;
        Multiproof.verifyOne(Root.wrap(root), Key.wrap(key), ABSENT, proof);
        return true;
    }

    /// @inheritdoc IRootVerifier
    function getNamespacedKey(uint256 domainId, bytes32 key) external pure returns (bytes32) {
        return Key.unwrap(Ids.namespacedKey(domainId, key));
    }

    /// @inheritdoc IRootVerifier
    function getDomainState(uint256 domainId, bytes32 key, bytes calldata proof)
        external
        view
        returns (bytes memory)
    {
        bytes calldata value = _bytesAt(proof, 0);
        ValueHash valueHash = value.length == 0 ? ABSENT : ValueHash.wrap(value.hash());
        Multiproof.verifyOne(_latestRoot(), Ids.namespacedKey(domainId, key), valueHash, _bytesAt(proof, 32));
        return value;
    }

    /// @inheritdoc IRootVerifier
    function isNullifierSpent(bytes32 nullifier, bytes calldata proof) external view returns (bool spent) {
        spent = Multiproof.claimsMembership(proof);
        Multiproof.verifyOne(_latestRoot(), Ids.nullifierKey(nullifier), spent ? Ids.SPENT : ABSENT, proof);
    }

    /// @inheritdoc IRootVerifier
    function isNullifierSpent(bytes32 nullifier) external view returns (bool) {
        if (!_cacheComplete) revert NoNullifierCache();
        _latestRoot();
        return _spent[nullifier];
    }

    /// @dev Verifies every operation against `root`, and that they lead exactly to `newRoot`.
    /// @return checked What the operations spend, create and resolve.
    function _verifyBatch(bytes32 root, bytes calldata operations, bytes calldata witness, bytes32 newRoot)
        internal
        view
        returns (Operations.Checked memory checked)
    {
        checked = Operations.check(operations, _rules());
        (Touch[] memory touches, bytes calldata proof) = Operations.inOrder(checked.touches, witness);
        Root actual = Multiproof.verify(Root.wrap(root), touches, proof);
        if (actual != Root.wrap(newRoot)) revert NewRootMismatch(newRoot, Root.unwrap(actual));
    }

    /// @dev Marks what was spent in the cache, where there is one.
    function _markSpent(bytes32[] memory nullifiers) internal {
        if (!_cacheComplete) return;
        for (uint256 i = 0; i < nullifiers.length; ++i) {
            _spent[nullifiers[i]] = true;
        }
    }

    /// @dev From now on this chain has not seen every batch, and can never again say "unspent" by itself.
    function _abandonCache() internal {
        _cacheComplete = false;
    }

    /// @dev Requires the fact that `emitter` on `chainId` asserted the value for the key.
    function _checkFact(
        uint256 chainId,
        address emitter,
        bytes32 key,
        bytes32 value,
        bytes calldata factProof
    ) internal view {
        IFactVerifier(factVerifier).verifyFact(chainId, emitter, key, value, factProof);
    }

    function _setFactVerifier(address factVerifier_) internal {
        if (factVerifier_ == address(0)) revert ZeroAddress();
        factVerifier = factVerifier_;
        emit FactVerifierSet(factVerifier_);
    }

    /// @dev What this chain checks of an operation beyond its own validity.
    function _rules() internal view virtual returns (Operations.Rules memory);

    function _checkHomeChain() private view {
        if (block.chainid != _homeChainId) revert ChainIdMismatch(_homeChainId, block.chainid);
    }

    /// @dev The latest root, for questions that must not be answered by an older or a withdrawn one.
    function _latestRoot() private view returns (Root) {
        bytes32 root = stateRoot();
        if (!isKnownRoot(root)) revert Frozen(_withdrawnFrom(_epoch));
        return Root.wrap(root);
    }

    /// @dev The `bytes` of an ABI encoding whose offset stands at `position`.
    function _bytesAt(bytes calldata encoded, uint256 position) private pure returns (bytes calldata) {
        uint256 start = _wordAt(encoded, position) + 32;
        uint256 length = _wordAt(encoded, start - 32);
        if (length > encoded.length - start) revert ProofLength(start + length, encoded.length);
        return encoded[start:start + length];
    }

    /// @dev A word that must be an offset or a length inside `encoded`, so that sums with it cannot overflow.
    function _wordAt(bytes calldata encoded, uint256 position) private pure returns (uint256 word) {
        uint256 end = position + 32;
        if (encoded.length < end) revert ProofLength(end, encoded.length);
        word = uint256(bytes32(encoded[position:end]));
        if (word > encoded.length) revert ProofLength(word, encoded.length);
    }
}
