// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Contents} from "./Contents.sol";
import {Fields} from "./Fields.sol";
import {Memory} from "./Memory.sol";

/// @title Reading of one note of a transfer into its place in memory (`Contents`)
library NoteReader {
    using Fields for bytes;

    /// @notice The plain version: each field in its turn, and for whatever is wrong the reason.
    /// @return end Where the next field begins.
    function read(bytes calldata data, uint256 position, uint256 note) internal pure returns (uint256 end) {
        unchecked {
            Memory.store(note + Contents.DOMAIN, data.domain(position));
            Memory.store(note + Contents.OWNER, uint160(data.owner(position + 8)));
            Memory.store(note + Contents.KIND, uint256(data.kind(position + 28)));
            return readAmount(data, position + 60, note);
        }
    }

    /// @notice A note's amount.
    /// @return end Where the next field begins.
    function readAmount(bytes calldata data, uint256 position, uint256 note)
        internal
        pure
        returns (uint256 end)
    {
        uint256 quantity;
        bytes32 noteData;
        (quantity, noteData, end) = data.amount(position);
        unchecked {
            Memory.store(note + Contents.QUANTITY, quantity);
            Memory.store(note + Contents.DATA, uint256(noteData));
        }
    }

    /// @notice The same at a third of the cost for the notes that most transfers are made of: without data, and with a quantity of at
    /// most 31 bytes. Of all others it says nothing, not even why.
    /// @return end Where the next field begins, as `read` says; 0 when `read` must be asked.
    function readSimple(bytes calldata data, uint256 position, uint256 note)
        internal
        pure
        returns (uint256 end)
    {
        // One jump instead of one for each check: all must hold at once, and `read` finds the one that does not.
        assembly ("memory-safe") {
            let start := add(data.offset, position)
            let head := calldataload(start)
            let domainId := shr(192, head)
            let owner := shr(96, shl(64, head))
            let kind := calldataload(add(start, 28))
            let amount := calldataload(add(start, 60))
            let size := byte(0, amount)
            mstore(add(note, 32), domainId)
            mstore(add(note, 64), owner)
            mstore(add(note, 96), kind)
            mstore(add(note, 128), shr(sub(256, shl(3, size)), shl(8, amount)))
            mstore(add(note, 160), 0)
            end := add(add(position, 61), size)
            // The size is 1 to 31 and the quantity's first byte is not zero; all is inside; nothing is zero.
            let valid := and(lt(sub(size, 1), 31), iszero(iszero(byte(1, amount))))
            valid := and(valid, iszero(gt(end, data.length)))
            valid := and(valid, iszero(or(or(iszero(domainId), iszero(owner)), iszero(kind))))
            end := mul(end, valid)
        }
    }
}
