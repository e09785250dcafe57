// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors} from "../interfaces/IHypha.sol";
import {Calldata} from "./Calldata.sol";

/// @title Fields of packed operations: each stands inside the bytes and is valid (protocol/README.md)
/// @dev Positions are inside the bytes or a field's length beyond, so sums with them cannot overflow.
library Fields {
    using Calldata for bytes;

    /// @notice The `size` bytes at `position`, at most 32, as a big-endian number.
    function number(bytes calldata data, uint256 position, uint256 size) internal pure returns (uint256) {
        unchecked {
            checkEnd(data, position + size);
            return uint256(data.word(position)) >> (256 - 8 * size);
        }
    }

    /// @notice Requires that a field which ends at `end` is inside the bytes.
    function checkEnd(bytes calldata data, uint256 end) internal pure {
        if (end > data.length) _refuse(end, data.length);
    }

    /// @notice 20 bytes; the caller says what it means when they are zero.
    function account(bytes calldata data, uint256 position) internal pure returns (address) {
        return address(uint160(number(data, position, 20)));
    }

    /// @notice 8 bytes.
    function domain(bytes calldata data, uint256 position) internal pure returns (uint256 domainId) {
        domainId = number(data, position, 8);
        if (domainId == 0) revert IOperationErrors.ZeroDomain();
    }

    /// @notice 20 bytes.
    function owner(bytes calldata data, uint256 position) internal pure returns (address owner_) {
        owner_ = account(data, position);
        if (owner_ == address(0)) revert IOperationErrors.ZeroOwner();
    }

    /// @notice 32 bytes.
    function kind(bytes calldata data, uint256 position) internal pure returns (bytes32 kind_) {
        kind_ = bytes32(number(data, position, 32));
        if (kind_ == 0) revert IOperationErrors.ZeroKind();
    }

    /// @notice 32 bytes.
    function label(bytes calldata data, uint256 position) internal pure returns (bytes32 label_) {
        label_ = bytes32(number(data, position, 32));
        if (label_ == 0) revert IOperationErrors.ZeroLabel();
    }

    /// @notice 32 bytes.
    function salt(bytes calldata data, uint256 position) internal pure returns (bytes32 salt_) {
        salt_ = bytes32(number(data, position, 32));
        if (salt_ == 0) revert IOperationErrors.ZeroSalt();
    }

    /// @notice A quantity in as few bytes as it needs, and the data, which are left out when zero.
    /// @return quantity Not zero.
    /// @return noteData Zero when left out.
    /// @return end Where the next field begins.
    function amount(bytes calldata data, uint256 position)
        internal
        pure
        returns (uint256 quantity, bytes32 noteData, uint256 end)
    {
        uint256 header = number(data, position, 1);
        uint256 size = header & 0x3f;
        if (size == 0 || size > 32 || header & 0x40 != 0) revert IOperationErrors.QuantityEncoding(header);
        unchecked {
            quantity = number(data, position + 1, size);
            if (data.word(position + 1) >> 248 == 0) revert IOperationErrors.ZeroQuantity();
            end = position + 1 + size;
            if (header & 0x80 == 0) return (quantity, 0, end);
            noteData = bytes32(number(data, end, 32));
            if (noteData == 0) revert IOperationErrors.ZeroData();
            end += 32;
        }
    }

    /// @dev Apart from `checkEnd`, so that this is small enough for the compiler to put it in place of each call.
    function _refuse(uint256 end, uint256 length) private pure {
        revert IOperationErrors.OperationsLength(end, length);
    }
}
