// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title The tree's commitments (tree/README.md)
/// @dev A walk does little else, so nothing is allocated: a preimage stands at the very front of memory, where the compiler
/// keeps nothing but, from 0x40 on, the free memory pointer. Of that the preimage covers only the upper half, which is zero, for
/// no memory is that large, and is made zero again.
library TreeHash {
    /// @dev The empty subtree: not a hash, so nothing hashes to it.
    bytes32 internal constant EMPTY = "SPARSE_MERKLE_PLACEHOLDER_HASH__";

    /// @dev Siblings that `fold` takes at once. Also the bits of a bitmap that one word surely gives, wherever in its first byte they
    /// begin.
    uint256 internal constant MAX_RUN = 248;

    /// @dev `keccak256(abi.encodePacked("JMT::LeafNode", key, value))`.
    function leaf(Key key, ValueHash value) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, "JMT::LeafNode")
            mstore(13, key)
            mstore(45, value)
            hash := keccak256(0, 77)
            mstore(0x30, 0)
        }
    }

    /// @dev `keccak256(abi.encodePacked("JMT::IntrnalNode", left, right))`.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, "JMT::IntrnalNode")
            mstore(0x10, left)
            mstore(0x30, right)
            hash := keccak256(0, 80)
            mstore(0x30, 0)
        }
    }

    /// @dev The parent of the parent, and so on, of `hash`, over `count` siblings, at most `MAX_RUN`. From the first bit of `bits` on,
    /// a set one says that the sibling is the next word of calldata, from `place` on, and another that it is `EMPTY`. The last bit
    /// of `path` is the side of `hash`, the one before that of its parent; before the sides a single set bit stands.
    /// @return folded The last parent.
    /// @return end The place after the last word taken; far beyond any calldata when one of these words is `EMPTY`.
    function fold(bytes32 hash, uint256 path, uint256 bits, uint256 count, uint256 place)
        internal
        pure
        returns (bytes32 folded, uint256 end)
    {
        // Siblings are empty near the leaves only: one by one up to the last empty one, then several at a time, which costs a third
        // less. The two children's places, 0x10 and 0x30, differ in one bit, which is the child's side. A constant that comes
        // from memory is not fetched from the code for each sibling.
        assembly ("memory-safe") {
            let ones := shr(sub(256, count), bits)
            let limit := shl(6, and(not(ones), add(ones, 1)))
            let free := mload(0x40)
            mstore(free, EMPTY)
            mstore(0, "JMT::IntrnalNode")
            let empty := mload(free)
            path := shl(5, path)
            end := place
            folded := hash
            let spoiled := 0
            for {} iszero(lt(path, limit)) {} {
                let sibling := empty
                if slt(bits, 0) {
                    sibling := calldataload(end)
                    spoiled := or(spoiled, eq(sibling, empty))
                    end := add(end, 32)
                }
                let side := or(and(path, 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, folded)
                folded := keccak256(0, 80)
                path := shr(1, path)
                bits := shl(1, bits)
            }
            for {} gt(path, 511) {} {
                let sibling := calldataload(end)
                spoiled := or(spoiled, eq(sibling, empty))
                let side := or(and(path, 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, folded)
                folded := keccak256(0, 80)
                sibling := calldataload(add(end, 32))
                spoiled := or(spoiled, eq(sibling, empty))
                side := or(and(shr(1, path), 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, folded)
                folded := keccak256(0, 80)
                sibling := calldataload(add(end, 64))
                spoiled := or(spoiled, eq(sibling, empty))
                side := or(and(shr(2, path), 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, folded)
                folded := keccak256(0, 80)
                sibling := calldataload(add(end, 96))
                spoiled := or(spoiled, eq(sibling, empty))
                side := or(and(shr(3, path), 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, folded)
                folded := keccak256(0, 80)
                path := shr(4, path)
                end := add(end, 128)
            }
            for {} gt(path, 63) {} {
                let sibling := calldataload(end)
                spoiled := or(spoiled, eq(sibling, empty))
                let side := or(and(path, 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, folded)
                folded := keccak256(0, 80)
                path := shr(1, path)
                end := add(end, 32)
            }
            mstore(0x30, 0)
            end := add(end, shl(64, spoiled))
        }
    }

    /// @dev As `fold`, for an old and a new subtree with the same siblings.
    function foldBoth(
        bytes32 oldHash,
        bytes32 newHash,
        uint256 path,
        uint256 bits,
        uint256 count,
        uint256 place
    ) internal pure returns (bytes32 oldFolded, bytes32 newFolded, uint256 end) {
        assembly ("memory-safe") {
            let ones := shr(sub(256, count), bits)
            let limit := shl(6, and(not(ones), add(ones, 1)))
            let free := mload(0x40)
            mstore(free, EMPTY)
            mstore(0, "JMT::IntrnalNode")
            let empty := mload(free)
            path := shl(5, path)
            end := place
            oldFolded := oldHash
            newFolded := newHash
            let spoiled := 0
            for {} iszero(lt(path, limit)) {} {
                let sibling := empty
                if slt(bits, 0) {
                    sibling := calldataload(end)
                    spoiled := or(spoiled, eq(sibling, empty))
                    end := add(end, 32)
                }
                let side := or(and(path, 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, oldFolded)
                oldFolded := keccak256(0, 80)
                mstore(side, newFolded)
                newFolded := keccak256(0, 80)
                path := shr(1, path)
                bits := shl(1, bits)
            }
            for {} gt(path, 511) {} {
                let sibling := calldataload(end)
                spoiled := or(spoiled, eq(sibling, empty))
                let side := or(and(path, 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, oldFolded)
                oldFolded := keccak256(0, 80)
                mstore(side, newFolded)
                newFolded := keccak256(0, 80)
                sibling := calldataload(add(end, 32))
                spoiled := or(spoiled, eq(sibling, empty))
                side := or(and(shr(1, path), 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, oldFolded)
                oldFolded := keccak256(0, 80)
                mstore(side, newFolded)
                newFolded := keccak256(0, 80)
                sibling := calldataload(add(end, 64))
                spoiled := or(spoiled, eq(sibling, empty))
                side := or(and(shr(2, path), 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, oldFolded)
                oldFolded := keccak256(0, 80)
                mstore(side, newFolded)
                newFolded := keccak256(0, 80)
                sibling := calldataload(add(end, 96))
                spoiled := or(spoiled, eq(sibling, empty))
                side := or(and(shr(3, path), 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, oldFolded)
                oldFolded := keccak256(0, 80)
                mstore(side, newFolded)
                newFolded := keccak256(0, 80)
                path := shr(4, path)
                end := add(end, 128)
            }
            for {} gt(path, 63) {} {
                let sibling := calldataload(end)
                spoiled := or(spoiled, eq(sibling, empty))
                let side := or(and(path, 32), 0x10)
                mstore(xor(side, 32), sibling)
                mstore(side, oldFolded)
                oldFolded := keccak256(0, 80)
                mstore(side, newFolded)
                newFolded := keccak256(0, 80)
                path := shr(1, path)
                end := add(end, 32)
            }
            mstore(0x30, 0)
            end := add(end, shl(64, spoiled))
        }
    }
}
