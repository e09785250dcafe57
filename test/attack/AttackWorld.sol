// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Batch} from "../../contracts/interfaces/IHypha.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

/// @title What the tests of attacks share
/// @notice Each test there is named after its row of the table of attacks in docs/attacks.md, which says where every row is tested.
abstract contract AttackWorld is RequestWorld {
    bytes4 private constant PANIC = bytes4(keccak256("Panic(uint256)"));

    /// @dev The call must revert, with an error that says why: no panic, and not without a word.
    function refuse(address caller, address target, bytes memory call)
        internal
        returns (bytes memory reason)
    {
        vm.prank(caller);
        bool done;
        (done, reason) = target.call(call);
        assertFalse(done, "accepted");
        assertGe(reason.length, 4, "no reason");
        assertNotEq(selectorOf(reason), PANIC, "panic");
    }

    function refuse(address caller, address target, bytes memory call, bytes4 selector) internal {
        assertEq(selectorOf(refuse(caller, target, call)), selector, "another reason");
    }

    function applyCall(uint64 index, Batch memory batch) internal view returns (bytes memory) {
        return abi.encodeCall(hub.applyBatch, (index, batch.operations, batch.witness, batch.newRoot));
    }

    /// @dev The bytes with one more at `position`.
    function inserted(bytes memory data, uint256 position, bytes1 value)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(part(data, 0, position), value, part(data, position, data.length));
    }

    /// @dev The bytes without that at `position`.
    function removed(bytes memory data, uint256 position) internal pure returns (bytes memory) {
        return bytes.concat(part(data, 0, position), part(data, position + 1, data.length));
    }

    function flipped(bytes memory data, uint256 position, uint256 bit) internal pure returns (bytes memory) {
        bytes memory altered = bytes.concat(data);
        altered[position] ^= byteOf(2 ** bit);
        return altered;
    }

    function part(bytes memory data, uint256 from, uint256 to) internal pure returns (bytes memory piece) {
        piece = new bytes(to - from);
        for (uint256 i = 0; i < piece.length; ++i) {
            piece[i] = data[from + i];
        }
    }

    /// @dev The lowest byte of a number.
    function byteOf(uint256 value) internal pure returns (bytes1) {
        return abi.encode(value)[31];
    }

    /// @dev Which error it is.
    function selectorOf(bytes memory reason) internal pure returns (bytes4) {
        // Its first four bytes are meant.
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes4(reason);
    }
}
