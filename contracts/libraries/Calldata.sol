// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Calldata as it stands: words without the checks of a slice, whose place has been checked already, and hashes
library Calldata {
    /// @dev `bytes32(data[position:])`: its first bytes are those of `data`; beyond its end stands anything.
    function word(bytes calldata data, uint256 position) internal pure returns (bytes32 value) {
        // A slice would check bounds that the callers have checked, twice for each word.
        assembly ("memory-safe") {
            value := calldataload(add(data.offset, position))
        }
    }

    /// @dev `keccak256(data)`.
    function hash(bytes calldata data) internal pure returns (bytes32 hash_) {
        // Copies it beyond the end of used memory, which stays free: the plain form keeps the copy for ever.
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, data.offset, data.length)
            hash_ := keccak256(free, data.length)
        }
    }
}
