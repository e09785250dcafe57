// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Words of calldata without the checks of a slice, for reads whose place has been checked already
library Calldata {
    /// @dev `bytes32(data[position:])`: its first bytes are those of `data`; beyond its end stands anything.
    function word(bytes calldata data, uint256 position) internal pure returns (bytes32 value) {
        // A slice would check bounds that the callers have checked, twice for each word.
        assembly ("memory-safe") {
            value := calldataload(add(data.offset, position))
        }
    }
}
