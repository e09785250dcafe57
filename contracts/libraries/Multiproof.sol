// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors} from "../interfaces/IHypha.sol";
import {Calldata} from "./Calldata.sol";
import {TreeHash} from "./TreeHash.sol";
import {Key, Root, Touch, ValueHash} from "../types/TreeTypes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title The walk of tree/README.md: one multiproof folds the old and the new root from the same siblings
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
/// @dev A *place* is a position in calldata or memory at which the walk reads. What places are read has been checked when the
/// proof was opened, and touches are reached by their places, so that no step checks bounds again.
library Multiproof {
    using Calldata for bytes;

    uint256 private constant HEAD_LENGTH = 12;
    /// @dev Subtrees that can wait at once: one for each depth from 0 to 256, and the bottom of the stack.
    uint256 private constant MAX_WAITING = 258;
    /// @dev Bytes of a waiting subtree: its depth, its old and its new hash.
    uint256 private constant WAITING_LENGTH = 96;

    uint256 private constant KIND_EMPTY = 0;
    uint256 private constant KIND_OWN = 1;
    uint256 private constant KIND_FOREIGN = 2;
    uint256 private constant KIND_INVALID = 3;

    /// @dev The next item of each part of the proof, and where the part ends: headers end where foreign leaves begin, these
    /// where the bitmap begins, hashes at `end`.
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

    /// @notice Verifies `touches` against the tree with `root` and returns the root after them.
    /// @param touches In strictly ascending order of key.
    function verify(Root root, Touch[] memory touches, bytes calldata proof) internal pure returns (Root) {
        if (touches.length == 0) revert IProofErrors.NoKeys();
        if (Root.unwrap(root) == 0) revert IProofErrors.ZeroRoot();
        (uint256 place, uint256 end) = _placesOf(touches);
        _checkKeys(place, end);
        Walk memory walk = _open(proof);
        _reserveStack(walk);
        while (place < end) place = _serveTerminal(walk, place, end);
        _checkNothingLeft(walk);
        (bytes32 oldHash, bytes32 newHash) = _pop(walk);
        if (oldHash != Root.unwrap(root)) revert IProofErrors.RootMismatch(Root.unwrap(root), oldHash);
        return Root.wrap(newHash);
    }

    /// @notice Verifies that `key` has the value hash `value` under `root`, or is absent when it is zero.
    function verifyOne(Root root, Key key, ValueHash value, bytes calldata proof) internal pure {
        if (Root.unwrap(root) == 0) revert IProofErrors.ZeroRoot();
        if (Key.unwrap(key) == 0) revert IProofErrors.ZeroKey();
        Walk memory walk = _open(proof);
        (uint256 kind, uint256 depth) = _nextHeader(walk);
        (bytes32 hash,) = _terminalOfOne(walk, kind, depth, key, value, ValueHash.wrap(0));
        (hash,) = _foldSiblings(walk, key, depth, 0, hash, hash);
        _checkNothingLeft(walk);
        if (hash != Root.unwrap(root)) revert IProofErrors.RootMismatch(Root.unwrap(root), hash);
    }

    /// @notice Whether a proof for one key claims that the key is there. Only `verifyOne` says whether that is true.
    function claimsMembership(bytes calldata proof) internal pure returns (bool) {
        return proof.length > HEAD_LENGTH && uint8(proof[HEAD_LENGTH]) >> 6 == KIND_OWN;
    }

    function _checkKeys(uint256 place, uint256 end) private pure {
        Key previous = _touchAt(place).key;
        if (Key.unwrap(previous) == 0) revert IProofErrors.ZeroKey();
        uint256 first = place;
        // Cannot overflow: places are inside memory.
        unchecked {
            for (place += 32; place < end; place += 32) {
                Key key = _touchAt(place).key;
                if (!previous.isBelow(key)) {
                    if (key == previous) revert IProofErrors.KeyRepeated(Key.unwrap(key));
                    revert IProofErrors.KeysNotAscending((place - first) / 32);
                }
                previous = key;
            }
        }
    }

    /// @dev Reads the counts and checks that the lengths add up, so that every later read is inside the proof.
    function _open(bytes calldata proof) private pure returns (Walk memory walk) {
        if (proof.length < HEAD_LENGTH) revert IProofErrors.ProofLength(HEAD_LENGTH, proof.length);
        uint256 counts = uint256(proof.word(0));
        uint256 start;
        assembly ("memory-safe") {
            start := proof.offset
        }
        // Cannot overflow: counts are below 2^32 and places below 2^64.
        unchecked {
            uint256 siblings = (counts >> 160) & type(uint32).max;
            uint256 place = start + HEAD_LENGTH;
            (walk.headersStart, walk.header) = (place, place);
            place += 2 * (counts >> 224);
            (walk.foreignsStart, walk.foreignLeaf) = (place, place);
            place += 64 * ((counts >> 192) & type(uint32).max);
            (walk.bitmap, walk.siblings) = (place, siblings);
            place += (siblings + 7) / 8;
            (walk.hash, walk.end) = (place, start + proof.length);
            uint256 whole = walk.end > place ? (walk.end - place) / 32 : 0;
            uint256 expected = place + 32 * (whole < siblings ? whole : siblings);
            if (walk.end != expected) revert IProofErrors.ProofLength(expected - start, proof.length);
        }
    }

    /// @dev One round of the walk: the next terminal, the touches it serves, and the climb to where the next one joins.
    /// @return next The place of the first touch that waits for another terminal.
    function _serveTerminal(Walk memory walk, uint256 first, uint256 end)
        private
        pure
        returns (uint256 next)
    {
        (uint256 kind, uint256 depth) = _nextHeader(walk);
        // One more than the bits shared with the key before, which is where that key's terminal left off.
        if (depth < walk.target) revert IProofErrors.TerminalOverlap(_terminalIndex(walk));
        Touch memory touch = _touchAt(first);
        Key key = touch.key;
        next = first + 32;
        uint256 target = _targetAt(next, end);
        bytes32 oldHash;
        bytes32 newHash;
        if (target <= depth) {
            (oldHash, newHash) = _terminalOfOne(walk, kind, depth, key, touch.oldValue, touch.newValue);
        } else {
            while (next < end && key.sharesBits(_touchAt(next).key, depth)) next += 32;
            (oldHash, newHash) = _terminalOfMany(walk, kind, depth, first, next);
            target = _targetAt(next, end);
        }
        walk.target = target;
        _climb(walk, key, depth, oldHash, newHash);
    }

    function _nextHeader(Walk memory walk) private pure returns (uint256 kind, uint256 depth) {
        uint256 place = walk.header;
        if (place == walk.foreignsStart) revert IProofErrors.TerminalMissing();
        // Cannot overflow: places are inside calldata.
        unchecked {
            walk.header = place + 2;
        }
        uint256 header = uint256(_word(place)) >> 240;
        kind = header >> 14;
        depth = header & 0x1ff;
        if (header & 0x3e00 != 0 || kind == KIND_INVALID) revert IProofErrors.TerminalHeader(header);
        if (depth > 256) revert IProofErrors.DepthTooLarge(depth);
    }

    /// @dev The old and the new hash of a terminal that serves one touch.
    function _terminalOfOne(
        Walk memory walk,
        uint256 kind,
        uint256 depth,
        Key key,
        ValueHash oldValue,
        ValueHash newValue
    ) private pure returns (bytes32 oldHash, bytes32 newHash) {
        if ((kind == KIND_OWN) == oldValue.isAbsent()) {
            revert IProofErrors.ClaimMismatch(_terminalIndex(walk));
        }
        if (kind == KIND_FOREIGN) {
            Key other;
            (other, oldHash) = _nextForeign(walk, key, depth);
            if (other == key) revert IProofErrors.ForeignIsTouched(_terminalIndex(walk));
            if (newValue.isAbsent()) return (oldHash, oldHash);
            return (oldHash, _foldPair(key, TreeHash.leaf(key, newValue), other, oldHash, depth));
        }
        oldHash = kind == KIND_OWN ? TreeHash.leaf(key, oldValue) : TreeHash.EMPTY;
        newHash = newValue.isAbsent() ? oldHash : TreeHash.leaf(key, newValue);
    }

    /// @dev The next foreign leaf, which must lie below the terminal at `depth` of `key`.
    function _nextForeign(Walk memory walk, Key key, uint256 depth)
        private
        pure
        returns (Key foreignKey, bytes32 hash)
    {
        uint256 place = walk.foreignLeaf;
        if (place == walk.bitmap) revert IProofErrors.ForeignMissing();
        // Cannot overflow: places are inside calldata.
        unchecked {
            walk.foreignLeaf = place + 64;
            foreignKey = Key.wrap(_word(place));
            hash = TreeHash.leaf(foreignKey, ValueHash.wrap(_word(place + 32)));
        }
        if (!foreignKey.sharesBits(key, depth)) revert IProofErrors.ForeignOffPath(_terminalIndex(walk));
    }

    /// @dev Hash of the subtree at `depth` that holds exactly these two leaves.
    function _foldPair(Key key, bytes32 hash, Key otherKey, bytes32 otherHash, uint256 depth)
        private
        pure
        returns (bytes32)
    {
        uint256 shared = key.sharedBits(otherKey);
        hash = key.isBelow(otherKey) ? TreeHash.node(hash, otherHash) : TreeHash.node(otherHash, hash);
        // Two distinct keys share at most 255 bits.
        return _foldEmpty(hash, uint256(Key.unwrap(key)) >> (256 - shared), shared - depth);
    }

    /// @dev Folds `count` empty siblings onto a subtree; the last bit of `path` is its side, the one before its parent's.
    function _foldEmpty(bytes32 hash, uint256 path, uint256 count) private pure returns (bytes32) {
        // Cannot overflow: `count` is not zero where it falls.
        unchecked {
            for (; count > 0; --count) {
                hash = TreeHash.parent(path & 1, hash, TreeHash.EMPTY);
                path >>= 1;
            }
        }
        return hash;
    }

    /// @dev The old and the new hash of a terminal that serves the touches from `first` up to `next`.
    function _terminalOfMany(Walk memory walk, uint256 kind, uint256 depth, uint256 first, uint256 next)
        private
        pure
        returns (bytes32 oldHash, bytes32 newHash)
    {
        (uint256 claims, uint256 writes) = _countClaims(first, next);
        if (claims != (kind == KIND_OWN ? 1 : 0)) revert IProofErrors.ClaimMismatch(_terminalIndex(walk));
        Key foreignKey;
        oldHash = TreeHash.EMPTY;
        if (kind == KIND_FOREIGN) {
            (foreignKey, oldHash) = _nextForeign(walk, _touchAt(first).key, depth);
            for (uint256 place = first; place < next; place += 32) {
                if (_touchAt(place).key == foreignKey) {
                    revert IProofErrors.ForeignIsTouched(_terminalIndex(walk));
                }
            }
        }
        if (kind == KIND_OWN) oldHash = _ownLeaf(first);
        newHash = writes == 0 ? oldHash : _newSubtree(kind, depth, first, next, foreignKey, oldHash);
    }

    function _countClaims(uint256 place, uint256 end) private pure returns (uint256 claims, uint256 writes) {
        for (; place < end; place += 32) {
            Touch memory touch = _touchAt(place);
            if (!touch.oldValue.isAbsent()) ++claims;
            if (!touch.newValue.isAbsent()) ++writes;
        }
    }

    /// @dev The leaf of the first touch from `place` on that claims to be in the old tree.
    function _ownLeaf(uint256 place) private pure returns (bytes32) {
        while (_touchAt(place).oldValue.isAbsent()) place += 32;
        Touch memory touch = _touchAt(place);
        return TreeHash.leaf(touch.key, touch.oldValue);
    }

    /// @dev The leaves of a terminal's new subtree in order of key, then folded.
    function _newSubtree(
        uint256 kind,
        uint256 depth,
        uint256 place,
        uint256 next,
        Key foreignKey,
        bytes32 foreignHash
    ) private pure returns (bytes32) {
        Key[] memory keys = new Key[]((next - place) / 32 + 1);
        bytes32[] memory hashes = new bytes32[](keys.length);
        uint256 count = 0;
        bool foreignWaits = kind == KIND_FOREIGN;
        for (; place < next; place += 32) {
            Touch memory touch = _touchAt(place);
            if (foreignWaits && foreignKey.isBelow(touch.key)) {
                (keys[count], hashes[count++]) = (foreignKey, foreignHash);
                foreignWaits = false;
            }
            ValueHash value = touch.newValue.isAbsent() ? touch.oldValue : touch.newValue;
            if (value.isAbsent()) continue;
            (keys[count], hashes[count++]) = (touch.key, TreeHash.leaf(touch.key, value));
        }
        if (foreignWaits) (keys[count], hashes[count++]) = (foreignKey, foreignHash);
        return _foldLeaves(keys, hashes, count, depth);
    }

    /// @dev Hash of the subtree at `depth` that holds exactly these leaves. What is finished waits in the front of
    /// `hashes`, which never outgrows the leaves that it was made of.
    function _foldLeaves(Key[] memory keys, bytes32[] memory hashes, uint256 count, uint256 depth)
        private
        pure
        returns (bytes32)
    {
        uint256[] memory depths = new uint256[](count);
        uint256 waiting = 0;
        uint256 previousTarget = depth;
        for (uint256 i = 0; i < count; ++i) {
            uint256 target = i + 1 < count ? keys[i].sharedBits(keys[i + 1]) + 1 : depth;
            // A leaf stands at the shallowest depth where neither neighbour shares its prefix.
            uint256 height = previousTarget > target ? previousTarget : target;
            bytes32 hash = hashes[i];
            for (; height > target; --height) {
                if (waiting > 0 && depths[waiting - 1] == height) {
                    hash = TreeHash.node(hashes[--waiting], hash);
                } else if (keys[i].bitAt(height - 1)) {
                    hash = TreeHash.node(TreeHash.EMPTY, hash);
                } else {
                    hash = TreeHash.node(hash, TreeHash.EMPTY);
                }
            }
            (depths[waiting], hashes[waiting++]) = (target, hash);
            previousTarget = target;
        }
        return hashes[0];
    }

    /// @dev Folds the subtree at `depth` up to the walk's target and lets it wait there. What waits stands at ever greater
    /// depths, none below `depth` and none at the target, so a run of siblings leads to each join and to the end.
    function _climb(Walk memory walk, Key key, uint256 depth, bytes32 oldHash, bytes32 newHash) private pure {
        uint256 target = walk.target;
        while (depth > target) {
            uint256 stop = _topDepth(walk);
            if (stop == depth) {
                (oldHash, newHash) = _joinTop(walk, oldHash, newHash);
                // Cannot overflow: it is above the target.
                unchecked {
                    --depth;
                }
            } else {
                if (stop < target) stop = target;
                (oldHash, newHash) = _foldSiblings(walk, key, depth, stop, oldHash, newHash);
                depth = stop;
            }
        }
        _push(walk, target, oldHash, newHash);
    }

    /// @dev Takes the top of the stack for the left child. Where nothing changed, the new hash is the old one.
    function _joinTop(Walk memory walk, bytes32 oldRight, bytes32 newRight)
        private
        pure
        returns (bytes32 oldHash, bytes32 newHash)
    {
        (bytes32 oldLeft, bytes32 newLeft) = _pop(walk);
        oldHash = TreeHash.node(oldLeft, oldRight);
        bool unchanged = oldLeft == newLeft && oldRight == newRight;
        newHash = unchanged ? oldHash : TreeHash.node(newLeft, newRight);
    }

    /// @dev Folds the next `depth - stop` siblings onto the subtree at `depth` of `key`, by stretches of one kind: all
    /// with a hash in the proof, or all empty.
    function _foldSiblings(
        Walk memory walk,
        Key key,
        uint256 depth,
        uint256 stop,
        bytes32 oldHash,
        bytes32 newHash
    ) private pure returns (bytes32, bytes32) {
        // Cannot overflow: a stretch leads at most to `stop`, which is below `depth`.
        unchecked {
            while (depth > stop) {
                (uint256 count, bool hashed) = _nextStretch(walk, depth - stop);
                uint256 path = uint256(Key.unwrap(key)) >> (256 - depth);
                depth -= count;
                if (hashed) {
                    (oldHash, newHash) = _foldHashes(walk, path, count, oldHash, newHash);
                } else {
                    bool changed = oldHash != newHash;
                    oldHash = _foldEmpty(oldHash, path, count);
                    newHash = changed ? _foldEmpty(newHash, path, count) : oldHash;
                }
            }
        }
        return (oldHash, newHash);
    }

    /// @dev How many of the next siblings are of one kind, at most `most` and at most 248, and of which.
    function _nextStretch(Walk memory walk, uint256 most) private pure returns (uint256 count, bool hashed) {
        uint256 index = walk.siblingsUsed;
        // Cannot overflow: no more are used than there are.
        unchecked {
            uint256 left = walk.siblings - index;
            if (left == 0) revert IProofErrors.SiblingMissing();
            if (most > left) most = left;
            uint256 bits = uint256(_word(walk.bitmap + index / 8)) << (index % 8);
            hashed = bits >> 255 == 1;
            // Set where the kind changes, and where the word has no more bits of the map, wherever in its first byte they begin.
            uint256 changes = (hashed ? ~bits : bits) | 0xff;
            count = changes >> (256 - most) == 0 ? most : 255 - Math.log2(changes);
            walk.siblingsUsed = index + count;
        }
    }

    /// @dev Folds the next `count` hashes of the proof onto a subtree; the last bit of `path` is its side.
    function _foldHashes(Walk memory walk, uint256 path, uint256 count, bytes32 oldHash, bytes32 newHash)
        private
        pure
        returns (bytes32, bytes32)
    {
        uint256 start = walk.hash;
        uint256 end = walk.end;
        bool spoiled;
        // Cannot overflow: places are inside calldata, and `count` is at most 248.
        unchecked {
            if (start + 32 * count <= end) end = start + 32 * count;
            if (oldHash == newHash) {
                (oldHash, spoiled) = TreeHash.fold(oldHash, path, start, end);
                newHash = oldHash;
            } else {
                (oldHash, newHash, spoiled) = TreeHash.foldBoth(oldHash, newHash, path, start, end);
            }
            if (spoiled) _refuseEmpty(start, walk.siblingsUsed - count);
            if (end - start < 32 * count) revert IProofErrors.SiblingMissing();
        }
        walk.hash = end;
        return (oldHash, newHash);
    }

    /// @dev One of the hashes from `place` on is `EMPTY`; the first of them is that of the sibling `index`.
    function _refuseEmpty(uint256 place, uint256 index) private pure {
        for (; _word(place) != TreeHash.EMPTY; place += 32) {
            ++index;
        }
        revert IProofErrors.SiblingIsEmpty(index);
    }

    function _checkNothingLeft(Walk memory walk) private pure {
        if (walk.header != walk.foreignsStart) revert IProofErrors.TerminalUnused();
        if (walk.foreignLeaf != walk.bitmap) revert IProofErrors.ForeignUnused();
        uint256 siblings = walk.siblings;
        if (walk.siblingsUsed != siblings || walk.hash != walk.end) revert IProofErrors.SiblingUnused();
        // Cannot overflow: places are inside calldata.
        unchecked {
            uint256 last = uint256(_word(walk.bitmap + siblings / 8)) >> 248;
            if (siblings % 8 != 0 && (last << (siblings % 8)) & 0xff != 0) {
                revert IProofErrors.SiblingPadding();
            }
        }
    }

    /// @dev The index of the terminal whose header was read last.
    function _terminalIndex(Walk memory walk) private pure returns (uint256) {
        return (walk.header - walk.headersStart) / 2 - 1;
    }

    // ---- the stack: subtrees that wait for their right sibling, the last one on top

    /// @dev The stack grows into memory that nothing else uses, and begins with an entry at depth 0, where nothing is joined.
    function _reserveStack(Walk memory walk) private pure {
        uint256 terminals = (walk.foreignsStart - walk.headersStart) / 2 + 1;
        uint256 size = WAITING_LENGTH * (terminals < MAX_WAITING ? terminals : MAX_WAITING);
        uint256 top;
        // Elements are set before they are read, so nothing needs to be cleared.
        assembly ("memory-safe") {
            top := mload(0x40)
            mstore(0x40, add(top, size))
            mstore(top, 0)
        }
        walk.top = top;
    }

    function _topDepth(Walk memory walk) private pure returns (uint256 depth) {
        uint256 top = walk.top;
        assembly ("memory-safe") {
            depth := mload(top)
        }
    }

    function _push(Walk memory walk, uint256 depth, bytes32 oldHash, bytes32 newHash) private pure {
        // Cannot overflow: places are inside memory.
        unchecked {
            uint256 top = walk.top + WAITING_LENGTH;
            walk.top = top;
            assembly ("memory-safe") {
                mstore(top, depth)
                mstore(add(top, 32), oldHash)
                mstore(add(top, 64), newHash)
            }
        }
    }

    function _pop(Walk memory walk) private pure returns (bytes32 oldHash, bytes32 newHash) {
        // Cannot overflow: places are inside memory.
        unchecked {
            uint256 top = walk.top;
            walk.top = top - WAITING_LENGTH;
            assembly ("memory-safe") {
                oldHash := mload(add(top, 32))
                newHash := mload(add(top, 64))
            }
        }
    }

    // ---- places

    /// @dev Where the list has its first touch, and where it ends.
    function _placesOf(Touch[] memory touches) private pure returns (uint256 first, uint256 end) {
        assembly ("memory-safe") {
            first := add(touches, 32)
            end := add(first, shl(5, mload(touches)))
        }
    }

    function _touchAt(uint256 place) private pure returns (Touch memory touch) {
        assembly ("memory-safe") {
            touch := mload(place)
        }
    }

    /// @dev One more than the bits that the key at `next` shares with the one before it; 0 when there is none.
    function _targetAt(uint256 next, uint256 end) private pure returns (uint256) {
        // Cannot overflow: a touch stands before this one, and keys share at most 256 bits.
        unchecked {
            return next == end ? 0 : _touchAt(next - 32).key.sharedBits(_touchAt(next).key) + 1;
        }
    }

    function _word(uint256 place) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(place)
        }
    }
}
