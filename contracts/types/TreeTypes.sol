// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// The tree's words as types of their own, so that none can be taken for another. Outside they are all `bytes32`.

/// @notice The place of a leaf: 256 bits, most significant first.
type Key is bytes32;
/// @notice Keccak-256 of a leaf's value; zero says that the key is absent.
type ValueHash is bytes32;
/// @notice The commitment to a whole tree.
type Root is bytes32;

/// @notice What one step does to one key.
/// @param key The key.
/// @param oldValue The value hash in the old tree, zero when absent.
/// @param newValue The value hash it gets, zero when it is only read. A deletion cannot be written.
struct Touch {
    Key key;
    ValueHash oldValue;
    ValueHash newValue;
}

using {sharedBits, sharesBits, bitAt, path, isBelow, sameKey as ==} for Key global;
using {isAbsent} for ValueHash global;
using {otherRoot as !=} for Root global;

/// @dev Number of leading bits that two keys share, 256 when they are equal.
function sharedBits(Key a, Key b) pure returns (uint256 shared) {
    uint256 difference = uint256(Key.unwrap(a) ^ Key.unwrap(b));
    if (difference == 0) return 256;
    // Cannot overflow: there are at most 255.
    unchecked {
        for (; difference >> 224 == 0; difference <<= 32) {
            shared += 32;
        }
        return shared + _leadingZeros(difference >> 224);
    }
}

/// @dev Leading zeros of `word`, as one of 32 bits; it is not zero.
function _leadingZeros(uint256 word) pure returns (uint256 zeros) {
    // A walk asks this for each key. The table has the position of the highest bit of each word of four bits.
    assembly ("memory-safe") {
        let position := shl(4, gt(word, 0xffff))
        position := or(position, shl(3, gt(shr(position, word), 0xff)))
        position := or(position, shl(2, gt(shr(position, word), 0xf)))
        let table := 0x0000010102020202030303030303030300000000000000000000000000000000
        zeros := sub(31, or(position, byte(shr(position, word), table)))
    }
}

/// @dev Whether two keys share their first `bits` bits, 0 to 256.
function sharesBits(Key a, Key b, uint256 bits) pure returns (bool) {
    return uint256(Key.unwrap(a) ^ Key.unwrap(b)) >> (256 - bits) == 0;
}

/// @dev Bit `position` of a key, 0 to 255, the most significant first.
function bitAt(Key key, uint256 position) pure returns (bool) {
    return (uint256(Key.unwrap(key)) >> (255 - position)) & 1 == 1;
}

/// @dev The `count` last of the first `depth` bits of a key, and one set bit before them; at most 255 of them.
function path(Key key, uint256 depth, uint256 count) pure returns (uint256) {
    // Cannot overflow: `count` is at most `depth`, which is at most 256.
    unchecked {
        uint256 stop = 1 << count;
        return ((uint256(Key.unwrap(key)) >> (256 - depth)) & (stop - 1)) | stop;
    }
}

function isBelow(Key a, Key b) pure returns (bool) {
    return Key.unwrap(a) < Key.unwrap(b);
}

function sameKey(Key a, Key b) pure returns (bool) {
    return Key.unwrap(a) == Key.unwrap(b);
}

function isAbsent(ValueHash value) pure returns (bool) {
    return ValueHash.unwrap(value) == 0;
}

function otherRoot(Root a, Root b) pure returns (bool) {
    return Root.unwrap(a) != Root.unwrap(b);
}
