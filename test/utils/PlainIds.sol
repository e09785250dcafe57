// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The names that are hashed in scratch space, written plainly
library PlainIds {
    function outputSalt(bytes32 transferHash, uint256 position) internal pure returns (bytes32) {
        return keccak256(abi.encode(transferHash, position));
    }

    function nullifierOf(bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:nullifier", id));
    }

    function nullifierKey(bytes32 nullifier) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("nullifier:", nullifier));
    }

    function resourceKey(uint256 domainId, bytes32 id) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(domainId, keccak256(abi.encodePacked("resource:", id))));
    }

    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
    }
}
