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
        return keccak256(abi.encode(transferHash, position));
    }

    function nullifierOf(bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:nullifier", id));
    }

    function nullifierKey(bytes32 nullifier) internal pure returns (Key) {
        return Key.wrap(keccak256(abi.encodePacked("nullifier:", nullifier)));
    }

    function resourceKey(uint256 domainId, bytes32 id) internal pure returns (Key) {
        return namespacedKey(domainId, keccak256(abi.encodePacked("resource:", id)));
    }

    function namespacedKey(uint256 domainId, bytes32 key) internal pure returns (Key) {
        return Key.wrap(keccak256(abi.encodePacked(domainId, key)));
    }
}
