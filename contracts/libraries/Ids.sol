// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Resource} from "../interfaces/IHypha.sol";
import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title Names of things (protocol/README.md)
library Ids {
    /// @dev The value hash of a spent nullifier, whose value is the one byte "1".
    ValueHash internal constant SPENT = ValueHash.wrap(keccak256("1"));
    /// @dev The value hash of a void request, whose value is the same.
    ValueHash internal constant VOID = SPENT;

    function resourceId(Resource memory resource) internal pure returns (bytes32) {
        return keccak256(abi.encode(resource));
    }

    /// @dev The kind of an issuer that signs; a contract's kinds carry its chain instead of zero.
    function signedKind(address issuer, bytes32 label) internal pure returns (bytes32) {
        return contractKind(0, issuer, label);
    }

    /// @dev The kind of a contract that issues by requests on `chainId`.
    function contractKind(uint256 chainId, address issuer, bytes32 label) internal pure returns (bytes32) {
        return keccak256(abi.encode(chainId, issuer, label));
    }

    function outputSalt(bytes32 transferHash, uint256 position) internal pure returns (bytes32) {
        return _hashOfTwo(transferHash, bytes32(position));
    }

    /// @dev The salt of a requested issue's note; `verifier` is the hub or spoke that queued the request.
    function requestedSalt(uint256 chainId, address verifier, uint64 number) internal pure returns (bytes32) {
        return keccak256(abi.encode(chainId, verifier, number));
    }

    /// @dev What a queue holds of a request.
    function requestHash(uint256 requestType, bytes32 contentHash, address sender)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(requestType, contentHash, sender));
    }

    function nullifierOf(bytes32 id) internal pure returns (bytes32) {
        return _prefixed("hypha:nullifier", 15, id);
    }

    function nullifierKey(bytes32 nullifier) internal pure returns (Key) {
        return Key.wrap(_prefixed("nullifier:", 10, nullifier));
    }

    function resourceKey(uint256 domainId, bytes32 id) internal pure returns (Key) {
        return namespacedKey(domainId, _prefixed("resource:", 9, id));
    }

    /// @dev Key of "this request of that chain was void".
    function voidKey(uint256 chainId, uint64 number) internal pure returns (Key) {
        return namespacedKey(chainId, keccak256(abi.encodePacked("void:", number)));
    }

    function namespacedKey(uint256 domainId, bytes32 key) internal pure returns (Key) {
        return Key.wrap(_hashOfTwo(bytes32(domainId), key));
    }

    /// @dev `keccak256(abi.encodePacked(first, second))`.
    function _hashOfTwo(bytes32 first, bytes32 second) private pure returns (bytes32 hash) {
        // Hashes two words in the scratch space: the plain form allocates them each time.
        assembly ("memory-safe") {
            mstore(0, first)
            mstore(32, second)
            hash := keccak256(0, 64)
        }
    }

    /// @dev Keccak-256 of the first `length` bytes of `prefix`, at most 32, and of `word`.
    function _prefixed(bytes32 prefix, uint256 length, bytes32 word) private pure returns (bytes32 hash) {
        // Hashes two words in the scratch space: the plain form allocates them each time.
        assembly ("memory-safe") {
            mstore(0, prefix)
            mstore(length, word)
            hash := keccak256(0, add(length, 32))
        }
    }
}
