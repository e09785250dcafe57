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

    /// @dev The parent of the parent, and so on, of `hash`. From the first bit of `bits` on, a set one says that the sibling is the
    /// next word of calldata, from `place` on, and another that it is `EMPTY`. The last bit of `path` is the side of `hash`, the one
    /// before that of its parent; before the sides a single set bit stands. There are at most `MAX_RUN` siblings, and no set bit
    /// after theirs.
    /// @return folded The last parent.
    /// @return end The place after the last word taken; far beyond any calldata when one of these words is `EMPTY`.
    function fold(bytes32 hash, uint256 path, uint256 bits, uint256 place)
        internal
        pure
        returns (bytes32 folded, uint256 end)
    {
        // The two children's places, 0x10 and 0x30, differ in one bit, which is the child's side. Four siblings at a time cost a
        // quarter less than one, and runs of one kind less than a choice for each. A function that leaves early is not inlined,
        // where it would outgrow the stack; a constant that comes from memory is not fetched from the code in each round.
        assembly ("memory-safe") {
            function climb(child, path_, bits_, place_) -> result, next {
                let free := mload(0x40)
                mstore(free, EMPTY)
                mstore(0, "JMT::IntrnalNode")
                let empty := mload(free)
                path_ := shl(5, path_)
                next := place_
                result := child
                for {} 1 {} {
                    for {} eq(shr(252, bits_), 15) { bits_ := shl(4, bits_) } {
                        let sibling := calldataload(next)
                        let spoiled := eq(sibling, empty)
                        let side := or(and(path_, 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, result)
                        result := keccak256(0, 80)
                        sibling := calldataload(add(next, 32))
                        spoiled := or(spoiled, eq(sibling, empty))
                        side := or(and(shr(1, path_), 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, result)
                        result := keccak256(0, 80)
                        sibling := calldataload(add(next, 64))
                        spoiled := or(spoiled, eq(sibling, empty))
                        side := or(and(shr(2, path_), 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, result)
                        result := keccak256(0, 80)
                        sibling := calldataload(add(next, 96))
                        spoiled := or(spoiled, eq(sibling, empty))
                        side := or(and(shr(3, path_), 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, result)
                        result := keccak256(0, 80)
                        path_ := shr(4, path_)
                        next := add(add(next, 128), shl(64, spoiled))
                    }
                    for {} slt(bits_, 0) { bits_ := shl(1, bits_) } {
                        let sibling := calldataload(next)
                        let side := or(and(path_, 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, result)
                        result := keccak256(0, 80)
                        path_ := shr(1, path_)
                        next := add(add(next, 32), shl(64, eq(sibling, empty)))
                    }
                    if lt(path_, 64) {
                        mstore(0x30, 0)
                        leave
                    }
                    for {} iszero(or(slt(bits_, 0), lt(path_, 64))) { bits_ := shl(1, bits_) } {
                        let side := or(and(path_, 32), 0x10)
                        mstore(xor(side, 32), empty)
                        mstore(side, result)
                        result := keccak256(0, 80)
                        path_ := shr(1, path_)
                    }
                }
            }
            folded, end := climb(hash, path, bits, place)
        }
    }

    /// @dev As `fold`, for an old and a new subtree with the same siblings.
    function foldBoth(bytes32 oldHash, bytes32 newHash, uint256 path, uint256 bits, uint256 place)
        internal
        pure
        returns (bytes32 oldFolded, bytes32 newFolded, uint256 end)
    {
        assembly ("memory-safe") {
            function climb(oldChild, newChild, path_, bits_, place_) -> oldResult, newResult, next {
                let free := mload(0x40)
                mstore(free, EMPTY)
                mstore(0, "JMT::IntrnalNode")
                let empty := mload(free)
                path_ := shl(5, path_)
                next := place_
                oldResult := oldChild
                newResult := newChild
                for {} 1 {} {
                    for {} eq(shr(252, bits_), 15) { bits_ := shl(4, bits_) } {
                        let sibling := calldataload(next)
                        let spoiled := eq(sibling, empty)
                        let side := or(and(path_, 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, oldResult)
                        oldResult := keccak256(0, 80)
                        mstore(side, newResult)
                        newResult := keccak256(0, 80)
                        sibling := calldataload(add(next, 32))
                        spoiled := or(spoiled, eq(sibling, empty))
                        side := or(and(shr(1, path_), 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, oldResult)
                        oldResult := keccak256(0, 80)
                        mstore(side, newResult)
                        newResult := keccak256(0, 80)
                        sibling := calldataload(add(next, 64))
                        spoiled := or(spoiled, eq(sibling, empty))
                        side := or(and(shr(2, path_), 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, oldResult)
                        oldResult := keccak256(0, 80)
                        mstore(side, newResult)
                        newResult := keccak256(0, 80)
                        sibling := calldataload(add(next, 96))
                        spoiled := or(spoiled, eq(sibling, empty))
                        side := or(and(shr(3, path_), 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, oldResult)
                        oldResult := keccak256(0, 80)
                        mstore(side, newResult)
                        newResult := keccak256(0, 80)
                        path_ := shr(4, path_)
                        next := add(add(next, 128), shl(64, spoiled))
                    }
                    for {} slt(bits_, 0) { bits_ := shl(1, bits_) } {
                        let sibling := calldataload(next)
                        let side := or(and(path_, 32), 0x10)
                        mstore(xor(side, 32), sibling)
                        mstore(side, oldResult)
                        oldResult := keccak256(0, 80)
                        mstore(side, newResult)
                        newResult := keccak256(0, 80)
                        path_ := shr(1, path_)
                        next := add(add(next, 32), shl(64, eq(sibling, empty)))
                    }
                    if lt(path_, 64) {
                        mstore(0x30, 0)
                        leave
                    }
                    for {} iszero(or(slt(bits_, 0), lt(path_, 64))) { bits_ := shl(1, bits_) } {
                        let side := or(and(path_, 32), 0x10)
                        mstore(xor(side, 32), empty)
                        mstore(side, oldResult)
                        oldResult := keccak256(0, 80)
                        mstore(side, newResult)
                        newResult := keccak256(0, 80)
                        path_ := shr(1, path_)
                    }
                }
            }
            oldFolded, newFolded, end := climb(oldHash, newHash, path, bits, place)
        }
    }
}
