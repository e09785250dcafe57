// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Words of memory without the checks of an array, for places that have been checked already
/// @dev Places are byte positions in memory that was allocated here or by the compiler.
library Memory {
    /// @dev Room for `count` words, which are not set.
    function allocate(uint256 count) internal pure returns (uint256 place) {
        // `new` sets each word, and arrays here are filled anyway.
        assembly ("memory-safe") {
            place := mload(0x40)
            mstore(0x40, add(place, shl(5, count)))
        }
    }

    /// @dev An empty list: its length and, after it, room for `capacity` items, as an array in memory is laid out.
    function makeList(uint256 capacity) internal pure returns (uint256 list) {
        unchecked {
            list = allocate(capacity + 1);
        }
        store(list, 0);
    }

    /// @dev Appends a word to a list that has room for it.
    function push(uint256 list, uint256 word) internal pure {
        assembly ("memory-safe") {
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), word)
        }
    }

    /// @dev Appends a struct of two words to a list that has room for it.
    function pushTwo(uint256 list, uint256 first, uint256 second) internal pure {
        // One step: the compiler checks the end of memory for each struct, and the bounds for each item.
        assembly ("memory-safe") {
            let item := mload(0x40)
            mstore(0x40, add(item, 64))
            mstore(item, first)
            mstore(add(item, 32), second)
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), item)
        }
    }

    /// @dev Appends a struct of three words to a list that has room for it.
    function pushThree(uint256 list, uint256 first, uint256 second, uint256 third) internal pure {
        assembly ("memory-safe") {
            let item := mload(0x40)
            mstore(0x40, add(item, 96))
            mstore(item, first)
            mstore(add(item, 32), second)
            mstore(add(item, 64), third)
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), item)
        }
    }

    /// @dev Appends a struct of four words to a list that has room for it.
    function pushFour(uint256 list, uint256 first, uint256 second, uint256 third, uint256 fourth)
        internal
        pure
    {
        assembly ("memory-safe") {
            let item := mload(0x40)
            mstore(0x40, add(item, 128))
            mstore(item, first)
            mstore(add(item, 32), second)
            mstore(add(item, 64), third)
            mstore(add(item, 96), fourth)
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), item)
        }
    }

    function load(uint256 place) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(place)
        }
    }

    function store(uint256 place, uint256 word) internal pure {
        assembly ("memory-safe") {
            mstore(place, word)
        }
    }

    /// @dev Keccak-256 of `size` bytes where they stand; the plain form copies them.
    function hash(uint256 place, uint256 size) internal pure returns (bytes32 hash_) {
        assembly ("memory-safe") {
            hash_ := keccak256(place, size)
        }
    }

    /// @dev `keccak256(abi.encode(first, second, third, fourth))`.
    function hashOfFour(bytes32 first, bytes32 second, bytes32 third, bytes32 fourth)
        internal
        pure
        returns (bytes32 hash_)
    {
        // Hashes beyond the end of used memory, which stays free: the plain form allocates each time.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, first)
            mstore(add(free, 32), second)
            mstore(add(free, 64), third)
            mstore(add(free, 96), fourth)
            hash_ := keccak256(free, 128)
        }
    }
}
