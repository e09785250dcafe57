// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calldata} from "../../contracts/libraries/Calldata.sol";

/// @title Reading of calldata behind a call, and the plain form of it
contract CalldataHarness {
    function word(bytes calldata data, uint256 position) external pure returns (bytes32) {
        return Calldata.word(data, position);
    }

    function plainWord(bytes calldata data, uint256 position) external pure returns (bytes32) {
        return bytes32(data[position:position + 32]);
    }

    /// @dev Also what memory held before and what is allocated after.
    function hash(bytes calldata data, bytes memory before)
        external
        pure
        returns (bytes32, bytes memory, bytes memory)
    {
        bytes32 hash_ = Calldata.hash(data);
        return (hash_, before, new bytes(data.length));
    }
}
