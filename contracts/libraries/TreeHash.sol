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

    /// @dev The parent of the parent, and so on, of `hash`: each word of calldata from `start` to `end` is the sibling of the
    /// result so far. The last bit of `path` is the side of `hash`, the one before that of its parent; at most 251 siblings.
    /// @return folded The last parent.
    /// @return spoiled Whether one of the siblings is `EMPTY`.
    function fold(bytes32 hash, uint256 path, uint256 start, uint256 end)
        internal
        pure
        returns (bytes32 folded, bool spoiled)
    {
        // The prefix is written once. Of the two children's places, which differ in one bit, the path's gives the child's.
        assembly ("memory-safe") {
            let left := and(add(mload(0x40), 95), not(63))
            let preimage := sub(left, 16)
            mstore(preimage, "JMT::IntrnalNode")
            path := shl(5, path)
            for {} lt(start, end) { start := add(start, 32) } {
                let sibling := calldataload(start)
                let child := or(left, and(path, 32))
                mstore(child, hash)
                mstore(xor(child, 32), sibling)
                hash := keccak256(preimage, 80)
                spoiled := or(spoiled, eq(sibling, EMPTY))
                path := shr(1, path)
            }
            folded := hash
        }
    }

    /// @dev As `fold`, for an old and a new subtree with the same siblings.
    function foldBoth(bytes32 oldHash, bytes32 newHash, uint256 path, uint256 start, uint256 end)
        internal
        pure
        returns (bytes32 oldFolded, bytes32 newFolded, bool spoiled)
    {
        assembly ("memory-safe") {
            let left := and(add(mload(0x40), 95), not(63))
            let preimage := sub(left, 16)
            mstore(preimage, "JMT::IntrnalNode")
            path := shl(5, path)
            for {} lt(start, end) { start := add(start, 32) } {
                let sibling := calldataload(start)
                let child := or(left, and(path, 32))
                mstore(xor(child, 32), sibling)
                mstore(child, oldHash)
                oldHash := keccak256(preimage, 80)
                mstore(child, newHash)
                newHash := keccak256(preimage, 80)
                spoiled := or(spoiled, eq(sibling, EMPTY))
                path := shr(1, path)
            }
            oldFolded := oldHash
            newFolded := newHash
        }
    }
}
