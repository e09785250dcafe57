// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors} from "../interfaces/IHypha.sol";
import {TreeHash} from "./TreeHash.sol";
import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title The bytes of a multiproof (tree/README.md), each read once and in order
/// @dev A *place* is a position in calldata. All places at which anything is read lie inside the proof, as its length was checked
/// against its counts when it was opened.
library MultiproofReader {
    uint256 internal constant HEAD_LENGTH = 12;
    uint256 internal constant KIND_OWN = 1;
    uint256 internal constant KIND_FOREIGN = 2;
    uint256 internal constant KIND_INVALID = 3;

    /// @dev The next item of each part of the proof, and where the part ends: headers end where foreign leaves begin, these
    /// where the bitmap begins, hashes at `end`. `target` is where the last subtree was left to wait, and `top` the place in memory
    /// of the one that waits on top of the others.
    struct Walk {
        uint256 headersStart;
        uint256 header;
        uint256 foreignsStart;
        uint256 foreignLeaf;
        uint256 bitmap;
        uint256 siblings;
        uint256 siblingsUsed;
        uint256 hash;
        uint256 end;
        uint256 target;
        uint256 top;
    }

    /// @dev Reads the counts and checks that the lengths add up, so that every later read is inside the proof.
    function open(bytes calldata proof) internal pure returns (Walk memory walk) {
        if (proof.length < HEAD_LENGTH) revert IProofErrors.ProofLength(HEAD_LENGTH, proof.length);
        uint256 proofStart = start(proof);
        uint256 counts = uint256(word(proofStart));
        // Cannot overflow: counts are below 2^32 and places below 2^64.
        unchecked {
            uint256 siblings = (counts >> 160) & type(uint32).max;
            uint256 place = proofStart + HEAD_LENGTH;
            (walk.headersStart, walk.header) = (place, place);
            place += 2 * (counts >> 224);
            (walk.foreignsStart, walk.foreignLeaf) = (place, place);
            place += 64 * ((counts >> 192) & type(uint32).max);
            (walk.bitmap, walk.siblings) = (place, siblings);
            place += (siblings + 7) / 8;
            (walk.hash, walk.end) = (place, proofStart + proof.length);
            uint256 whole = walk.end > place ? (walk.end - place) / 32 : 0;
            uint256 expected = place + 32 * (whole < siblings ? whole : siblings);
            if (walk.end != expected) revert IProofErrors.ProofLength(expected - proofStart, proof.length);
        }
    }

    /// @dev The kind and the depth of the next terminal.
    function nextHeader(Walk memory walk) internal pure returns (uint256 kind, uint256 depth) {
        uint256 place = walk.header;
        if (place == walk.foreignsStart) revert IProofErrors.TerminalMissing();
        // Cannot overflow: places are inside calldata.
        unchecked {
            walk.header = place + 2;
        }
        uint256 header = uint256(word(place)) >> 240;
        kind = header >> 14;
        depth = header & 0x1ff;
        if (header & 0x3e00 != 0 || kind == KIND_INVALID) revert IProofErrors.TerminalHeader(header);
        if (depth > 256) revert IProofErrors.DepthTooLarge(depth);
    }

    /// @dev The next foreign leaf, which must lie below the terminal at `depth` of `key`.
    function nextForeign(Walk memory walk, Key key, uint256 depth)
        internal
        pure
        returns (Key foreignKey, bytes32 hash)
    {
        uint256 place = walk.foreignLeaf;
        if (place == walk.bitmap) revert IProofErrors.ForeignMissing();
        // Cannot overflow: places are inside calldata.
        unchecked {
            walk.foreignLeaf = place + 64;
            foreignKey = Key.wrap(word(place));
            hash = TreeHash.leaf(foreignKey, ValueHash.wrap(word(place + 32)));
        }
        if (!foreignKey.sharesBits(key, depth)) revert IProofErrors.ForeignOffPath(terminalIndex(walk));
    }

    /// @dev Folds the next siblings onto the subtree at `depth` of `key`, `MAX_RUN` of them at most, down to `stop`.
    /// @return reached The depth after them.
    function foldSiblings(
        Walk memory walk,
        Key key,
        uint256 depth,
        uint256 stop,
        bytes32 oldHash,
        bytes32 newHash
    ) internal pure returns (uint256 reached, bytes32, bytes32) {
        // Cannot overflow: `stop` is below `depth`, which is at most 256.
        unchecked {
            uint256 count = depth - stop;
            if (count > TreeHash.MAX_RUN) count = TreeHash.MAX_RUN;
            reached = depth - count;
            uint256 path = key.path(depth, count);
            (oldHash, newHash) = _foldRun(walk, path, _nextBits(walk, count), count, oldHash, newHash);
        }
        return (reached, oldHash, newHash);
    }

    /// @dev Folds siblings as their `bits` say. What is wrong with them is seen when they are folded, and named by reading them
    /// once more.
    function _foldRun(
        Walk memory walk,
        uint256 path,
        uint256 bits,
        uint256 count,
        bytes32 oldHash,
        bytes32 newHash
    ) private pure returns (bytes32, bytes32) {
        uint256 place = walk.hash;
        uint256 end;
        if (oldHash == newHash) {
            (oldHash, end) = TreeHash.fold(oldHash, path, bits, count, place);
            newHash = oldHash;
        } else {
            (oldHash, newHash, end) = TreeHash.foldBoth(oldHash, newHash, path, bits, count, place);
        }
        if (end > walk.end || walk.siblingsUsed > walk.siblings) _refuseRun(walk, path);
        walk.hash = end;
        return (oldHash, newHash);
    }

    /// @dev The bits of the next `count` siblings, and anything after them. Those beyond the bitmap are anything too.
    function _nextBits(Walk memory walk, uint256 count) private pure returns (uint256) {
        uint256 index = walk.siblingsUsed;
        // Cannot overflow: `count` is at most `MAX_RUN`, and `index` below 2^33.
        unchecked {
            walk.siblingsUsed = index + count;
            return uint256(word(walk.bitmap + index / 8)) << (index % 8);
        }
    }

    /// @dev Names what is wrong with the siblings along `path`, which are counted as used.
    function _refuseRun(Walk memory walk, uint256 path) private pure {
        uint256 place = walk.hash;
        uint256 end = walk.siblingsUsed < walk.siblings ? walk.siblingsUsed : walk.siblings;
        uint256 index = walk.siblingsUsed;
        for (; path > 1; path >>= 1) {
            --index;
        }
        for (; index < end; ++index) {
            if ((uint256(word(walk.bitmap + index / 8)) << (index % 8)) >> 255 == 0) continue;
            if (place == walk.end) break;
            if (word(place) == TreeHash.EMPTY) revert IProofErrors.SiblingIsEmpty(index);
            place += 32;
        }
        revert IProofErrors.SiblingMissing();
    }

    /// @dev Nothing of the proof is left over, and the padding of the bitmap is zero.
    function checkNothingLeft(Walk memory walk) internal pure {
        if (walk.header != walk.foreignsStart) revert IProofErrors.TerminalUnused();
        if (walk.foreignLeaf != walk.bitmap) revert IProofErrors.ForeignUnused();
        uint256 siblings = walk.siblings;
        if (walk.siblingsUsed != siblings || walk.hash != walk.end) revert IProofErrors.SiblingUnused();
        // Cannot overflow: places are inside calldata.
        unchecked {
            uint256 last = uint256(word(walk.bitmap + siblings / 8)) >> 248;
            if (siblings % 8 != 0 && (last << (siblings % 8)) & 0xff != 0) {
                revert IProofErrors.SiblingPadding();
            }
        }
    }

    /// @dev The index of the terminal whose header was read last.
    function terminalIndex(Walk memory walk) internal pure returns (uint256) {
        return (walk.header - walk.headersStart) / 2 - 1;
    }

    /// @dev Where the proof begins.
    function start(bytes calldata proof) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := proof.offset
        }
    }

    function word(uint256 place) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := calldataload(place)
        }
    }
}
