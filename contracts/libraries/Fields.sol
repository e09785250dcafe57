// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors} from "../interfaces/IHypha.sol";
import {Calldata} from "./Calldata.sol";

/// @title Fields of packed operations, read from left to right: each stands inside the bytes and is valid (protocol/README.md)
library Fields {
    using Calldata for bytes;

    /// @dev Where the next field begins.
    struct Reader {
        uint256 position;
    }

    /// @notice The next `size` bytes, at most 32, as a big-endian number.
    function number(bytes calldata data, Reader memory reader, uint256 size) internal pure returns (uint256) {
        uint256 start = skip(data, reader, size);
        // Cannot overflow: every size read is at most 32.
        unchecked {
            return uint256(data.word(start)) >> (256 - 8 * size);
        }
    }

    /// @notice Moves past the next `size` bytes and returns where they begin.
    function skip(bytes calldata data, Reader memory reader, uint256 size)
        internal
        pure
        returns (uint256 start)
    {
        start = reader.position;
        uint256 end;
        // Cannot overflow: the position is inside the data, and every size is at most 65.
        unchecked {
            end = start + size;
        }
        if (end > data.length) revert IOperationErrors.OperationsLength(end, data.length);
        reader.position = end;
    }

    /// @notice The next 20 bytes; the caller says what it means when they are zero.
    function account(bytes calldata data, Reader memory reader) internal pure returns (address) {
        return address(uint160(number(data, reader, 20)));
    }

    function domain(bytes calldata data, Reader memory reader) internal pure returns (uint256 domainId) {
        domainId = number(data, reader, 8);
        if (domainId == 0) revert IOperationErrors.ZeroDomain();
    }

    function owner(bytes calldata data, Reader memory reader) internal pure returns (address owner_) {
        owner_ = account(data, reader);
        if (owner_ == address(0)) revert IOperationErrors.ZeroOwner();
    }

    function kind(bytes calldata data, Reader memory reader) internal pure returns (bytes32 kind_) {
        kind_ = bytes32(number(data, reader, 32));
        if (kind_ == 0) revert IOperationErrors.ZeroKind();
    }

    function label(bytes calldata data, Reader memory reader) internal pure returns (bytes32 label_) {
        label_ = bytes32(number(data, reader, 32));
        if (label_ == 0) revert IOperationErrors.ZeroLabel();
    }

    function salt(bytes calldata data, Reader memory reader) internal pure returns (bytes32 salt_) {
        salt_ = bytes32(number(data, reader, 32));
        if (salt_ == 0) revert IOperationErrors.ZeroSalt();
    }

    /// @notice A quantity in as few bytes as it needs, and the data, which are left out when zero.
    function amount(bytes calldata data, Reader memory reader)
        internal
        pure
        returns (uint256 quantity, bytes32 noteData)
    {
        uint256 header = number(data, reader, 1);
        uint256 size = header & 0x3f;
        if (size == 0 || size > 32 || header & 0x40 != 0) revert IOperationErrors.QuantityEncoding(header);
        quantity = number(data, reader, size);
        // Cannot overflow: the size is 1 to 32.
        unchecked {
            if (quantity >> (8 * (size - 1)) == 0) revert IOperationErrors.ZeroQuantity();
        }
        if (header & 0x80 == 0) return (quantity, 0);
        noteData = bytes32(number(data, reader, 32));
        if (noteData == 0) revert IOperationErrors.ZeroData();
    }
}
