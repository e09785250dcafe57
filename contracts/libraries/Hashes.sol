// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Keccak-256 of words, without allocating them
/// @dev What is hashed stands beyond the end of used memory, which stays free; the plain forms allocate it each time.
library Hashes {
    /// @dev `keccak256(abi.encode(first, second, third))`.
    function ofThree(bytes32 first, bytes32 second, bytes32 third) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, first)
            mstore(add(free, 32), second)
            mstore(add(free, 64), third)
            hash := keccak256(free, 96)
        }
    }

    /// @dev `keccak256(abi.encode(first, second, third, fourth))`.
    function ofFour(bytes32 first, bytes32 second, bytes32 third, bytes32 fourth)
        internal
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, first)
            mstore(add(free, 32), second)
            mstore(add(free, 64), third)
            mstore(add(free, 96), fourth)
            hash := keccak256(free, 128)
        }
    }

    /// @dev Of the `count` words from `start` on, which are inside `words`.
    function ofWords(bytes32[] memory words, uint256 start, uint256 count)
        internal
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            hash := keccak256(add(add(words, 32), shl(5, start)), shl(5, count))
        }
    }
}
