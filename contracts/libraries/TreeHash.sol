// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title The tree's commitments (tree/README.md)
/// @dev A walk does little else, so what is hashed stands beyond the end of used memory, which stays free; the plain forms
/// allocate it each time.
library TreeHash {
    /// @dev The empty subtree: not a hash, so nothing hashes to it.
    bytes32 internal constant EMPTY = "SPARSE_MERKLE_PLACEHOLDER_HASH__";

    /// @dev `keccak256(abi.encodePacked("JMT::LeafNode", key, value))`.
    function leaf(Key key, ValueHash value) internal pure returns (bytes32 hash) {
        // Hashes two words without allocating them.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, "JMT::LeafNode")
            mstore(add(free, 13), key)
            mstore(add(free, 45), value)
            hash := keccak256(free, 77)
        }
    }

    /// @dev `keccak256(abi.encodePacked("JMT::IntrnalNode", left, right))`.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        // Hashes two words without allocating them.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, "JMT::IntrnalNode")
            mstore(add(free, 16), left)
            mstore(add(free, 48), right)
            hash := keccak256(free, 80)
        }
    }

    /// @dev The parent of `child` and `sibling`; `side` is 1 when the child is the right one and 0 when it is the left.
    function parent(uint256 side, bytes32 child, bytes32 sibling) internal pure returns (bytes32 hash) {
        // Hashes two words without allocating them, and without a jump for the side.
        assembly ("memory-safe") {
            let free := mload(0x40)
            let place := shl(5, side)
            mstore(free, "JMT::IntrnalNode")
            mstore(add(add(free, 16), place), child)
            mstore(sub(add(free, 48), place), sibling)
            hash := keccak256(free, 80)
        }
    }
}
