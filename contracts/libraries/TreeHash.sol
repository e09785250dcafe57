// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title The tree's commitments (tree/README.md)
library TreeHash {
    /// @dev The empty subtree: not a hash, so nothing hashes to it.
    bytes32 internal constant EMPTY = "SPARSE_MERKLE_PLACEHOLDER_HASH__";

    function leaf(Key key, ValueHash value) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("JMT::LeafNode", key, value));
    }

    /// @dev `keccak256(abi.encodePacked("JMT::IntrnalNode", left, right))`. A walk does little else, so the 80 bytes are
    /// hashed beyond the end of used memory, which they leave free; the plain form allocates them each time.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, "JMT::IntrnalNode")
            mstore(add(free, 16), left)
            mstore(add(free, 48), right)
            hash := keccak256(free, 80)
        }
    }
}
