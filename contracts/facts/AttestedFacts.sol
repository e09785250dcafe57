// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IAttestedFacts, IFactVerifier, IOperationErrors} from "../interfaces/IHypha.sol";
import {Signatures} from "../libraries/Signatures.sol";

/// @title Facts by a threshold of attestors
contract AttestedFacts is IFactVerifier, IAttestedFacts, IOperationErrors, Ownable2Step, EIP712 {
    /// @dev What is asked of a proof by a set of attestors: one slot.
    struct Terms {
        uint64 setId;
        uint64 threshold;
        uint64 expiresAt;
    }

    /// @dev Bounds the cost of installing a set and of checking a proof.
    uint256 private constant MAX_ATTESTORS = 64;
    uint256 private constant FACT_HEAD_LENGTH = 8 + 8 + 32 + 8;
    uint256 private constant CONFLICT_HEAD_LENGTH = 8;
    bytes32 private constant FACT_TYPEHASH = keccak256(
        "Fact(uint256 srcChain,address emitter,bytes32 key,bytes32 value,uint64 blockNumber,bytes32 blockHash,uint64 blockTime,uint64 setId)"
    );
    bytes32 private constant CONFLICT_TYPEHASH = keccak256(
        "Conflict(uint256 srcChain,address emitter,bytes32 key,bytes32 first,bytes32 second,uint64 setId)"
    );

    /// @dev Of the latest set, which nearly every proof names.
    Terms private _current;
    mapping(uint64 setId => Terms) private _replaced;
    mapping(uint64 setId => address[]) private _attestorsOf;
    mapping(uint64 setId => mapping(address account => bool)) private _isAttestor;

    /// @param governance Owner: installs the next sets.
    /// @param attestors The first set, in ascending order.
    /// @param threshold How many of them must sign, more than half.
    /// @param expiresAt Until when the set is good, Unix seconds.
    constructor(address governance, address[] memory attestors, uint64 threshold, uint64 expiresAt)
        Ownable(governance)
        EIP712("Hypha Facts", "1")
    {
        _install(attestors, threshold, expiresAt, 0);
    }

    /// @inheritdoc IFactVerifier
    function verifyFact(uint256 srcChain, address emitter, bytes32 key, bytes32 value, bytes calldata proof)
        external
        view
        returns (uint64 srcBlock, uint64 srcTime)
    {
        if (srcChain == 0 || emitter == address(0) || key == 0 || value == 0) revert ZeroFact();
        uint64 setId = _readSet(proof, FACT_HEAD_LENGTH);
        srcBlock = uint64(bytes8(proof[8:16]));
        bytes32 blockHash = bytes32(proof[16:48]);
        srcTime = uint64(bytes8(proof[48:56]));
        bytes32 structHash = keccak256(
            abi.encode(FACT_TYPEHASH, srcChain, emitter, key, value, srcBlock, blockHash, srcTime, setId)
        );
        _checkSigners(structHash, setId, proof[FACT_HEAD_LENGTH:]);
    }

    /// @inheritdoc IAttestedFacts
    function verifyConflict(
        uint256 srcChain,
        address emitter,
        bytes32 key,
        bytes32 first,
        bytes32 second,
        bytes calldata proof
    ) external view {
        bool hasZero =
            srcChain == 0 || emitter == address(0) || key == 0 || first == 0 || second == 0;
        if (hasZero) revert ZeroFact();
        if (first == second) revert ValuesEqual();
        uint64 setId = _readSet(proof, CONFLICT_HEAD_LENGTH);
        // Signed in ascending order, so that attestors which read them in another order sign the same.
        (bytes32 low, bytes32 high) = first < second ? (first, second) : (second, first);
        bytes32 structHash =
            keccak256(abi.encode(CONFLICT_TYPEHASH, srcChain, emitter, key, low, high, setId));
        _checkSigners(structHash, setId, proof[CONFLICT_HEAD_LENGTH:]);
    }

    /// @inheritdoc IAttestedFacts
    function setAttestors(
        address[] calldata attestors,
        uint64 threshold,
        uint64 expiresAt,
        uint64 previousExpiresAt
    ) external onlyOwner {
        Terms memory previous = _current;
        if (previousExpiresAt < previous.expiresAt) previous.expiresAt = previousExpiresAt;
        _replaced[previous.setId] = previous;
        _install(attestors, threshold, expiresAt, previous.expiresAt);
    }

    /// @inheritdoc IAttestedFacts
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IAttestedFacts
    function currentSetId() external view returns (uint64) {
        return _current.setId;
    }

    /// @inheritdoc IAttestedFacts
    function attestorsOf(uint64 setId)
        external
        view
        returns (address[] memory attestors, uint64 threshold, uint64 expiresAt)
    {
        Terms memory terms = _termsOf(setId);
        return (_attestorsOf[setId], terms.threshold, terms.expiresAt);
    }

    function _install(
        address[] memory attestors,
        uint64 threshold,
        uint64 expiresAt,
        uint64 previousExpiresAt
    ) private {
        uint256 count = attestors.length;
        if (count == 0 || count > MAX_ATTESTORS) revert AttestorCount(count);
        if (threshold > count || threshold <= count / 2) revert ThresholdNotMajority(threshold, count);
        uint64 setId = _current.setId + 1;
        if (expiresAt < block.timestamp) revert SetExpired(setId, expiresAt, block.timestamp);
        address last = address(0);
        for (uint256 i = 0; i < count; ++i) {
            if (attestors[i] <= last) revert AttestorsNotAscending(i);
            last = attestors[i];
            _isAttestor[setId][last] = true;
        }
        _current = Terms(setId, threshold, expiresAt);
        _attestorsOf[setId] = attestors;
        emit AttestorsSet(setId, attestors, threshold, expiresAt, previousExpiresAt);
    }

    /// @dev Reads the number of the set that signed, which must still be good, and checks the proof's length for it.
    function _readSet(bytes calldata proof, uint256 headLength) private view returns (uint64 setId) {
        if (proof.length < headLength) revert FactProofLength(headLength, proof.length);
        setId = uint64(bytes8(proof[:8]));
        Terms memory terms = _termsOf(setId);
        if (setId + 1 < _current.setId) revert SetReplaced(setId, _current.setId);
        if (block.timestamp > terms.expiresAt) revert SetExpired(setId, terms.expiresAt, block.timestamp);
        uint256 expected = headLength + Signatures.LENGTH * terms.threshold;
        if (proof.length != expected) revert FactProofLength(expected, proof.length);
    }

    /// @dev Every signature must be of an attestor of the set; that they ascend strictly makes them distinct.
    function _checkSigners(bytes32 structHash, uint64 setId, bytes calldata signatures) private view {
        bytes32 digest = _hashTypedDataV4(structHash);
        mapping(address account => bool) storage isAttestor = _isAttestor[setId];
        address last = address(0);
        for (uint256 i = 0; i < signatures.length / Signatures.LENGTH; ++i) {
            address signer = Signatures.recoverAt(digest, signatures, i * Signatures.LENGTH);
            if (!isAttestor[signer]) revert NotAttestor(signer);
            if (signer <= last) revert SignersNotAscending(i);
            last = signer;
        }
    }

    function _termsOf(uint64 setId) private view returns (Terms memory terms) {
        terms = _current;
        if (setId == terms.setId) return terms;
        terms = _replaced[setId];
        if (terms.setId == 0) revert UnknownSet(setId);
    }
}
