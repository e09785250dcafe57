// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calldata} from "./Calldata.sol";

/// @title Keys and values of the facts, and the batch chain that one of them commits to (protocol/README.md)
library FactNames {
    using Calldata for bytes;

    /// @dev Key of "the hub accepted the root with this index".
    function rootAccepted(uint64 index) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:root", index));
    }

    function rootAcceptedValue(bytes32 root, bytes32 batchChain) internal pure returns (bytes32) {
        return keccak256(abi.encode(root, batchChain));
    }

    /// @dev Key of "the spoke applied the root with this index".
    function rootApplied(uint64 index) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:applied", index));
    }

    function rootAppliedValue(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(root));
    }

    /// @dev Key of "this request was queued"; its value is the request's hash (`Ids.requestHash`).
    function requestQueued(uint64 number) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:request", number));
    }

    /// @dev The batch chain at index 0.
    function genesisBatchChain(uint256 hubChainId, address hub) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:genesis", hubChainId, hub));
    }

    /// @dev The batch chain at `index`, from that before and what was applied.
    function nextBatchChain(bytes32 previous, uint64 index, bytes32 root, bytes calldata operations)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(previous, index, root, operations.hash()));
    }
}
