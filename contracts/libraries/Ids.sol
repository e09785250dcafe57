// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Resource} from "../interfaces/IHypha.sol";
import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title Names of things (protocol/README.md)
library Ids {
    /// @dev The value hash of a spent nullifier, whose value is the one byte "1".
    ValueHash internal constant SPENT = ValueHash.wrap(keccak256("1"));

    function resourceId(Resource memory resource) internal pure returns (bytes32) {
        return keccak256(abi.encode(resource));
    }

    /// @dev The kind of an issuer that signs; a contract's kinds carry its chain instead of zero.
    function signedKind(address issuer, bytes32 label) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint256(0), issuer, label));
    }

    function outputSalt(bytes32 transferHash, uint256 position) internal pure returns (bytes32) {
        return _hashOfTwo(transferHash, bytes32(position));
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
