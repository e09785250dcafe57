// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors} from "../interfaces/IHypha.sol";
import {TreeHash} from "./TreeHash.sol";
import {Key, Root, Touch, ValueHash} from "../types/TreeTypes.sol";

/// @title The walk of tree/README.md: one multiproof folds the old and the new root from the same siblings
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
library Multiproof {
    uint256 private constant HEAD_LENGTH = 12;
    /// @dev Subtrees that can wait at once: one for each depth from 0 to 256.
    uint256 private constant MAX_WAITING = 257;

    uint256 private constant KIND_OWN = 1;
    uint256 private constant KIND_FOREIGN = 2;
    uint256 private constant KIND_INVALID = 3;

    /// @dev A finished left child that waits for its right one.
    struct Subtree {
        uint256 depth;
        bytes32 oldHash;
        bytes32 newHash;
    }

    /// @dev Where the parts of the proof begin, how many items each has, and how many of them are used.
    struct Walk {
        uint256 foreignStart;
        uint256 bitmapStart;
        uint256 hashStart;
        uint256 terminals;
        uint256 foreigns;
        uint256 siblings;
        uint256 hashes;
        uint256 terminalsUsed;
        uint256 foreignsUsed;
        uint256 siblingsUsed;
        uint256 hashesUsed;
        uint256 target;
        uint256 waiting;
        Subtree[] stack;
    }

    /// @dev A place of the old tree where paths end, and the touches `first` to `next - 1` that it serves.
    struct Terminal {
        uint256 kind;
        uint256 depth;
        uint256 first;
        uint256 next;
        uint256 own;
        bool writes;
        Key foreignKey;
        bytes32 foreignHash;
    }

    /// @notice Verifies `touches` against the tree with `root` and returns the root after them.
    /// @param touches In strictly ascending order of key.
    function verify(Root root, Touch[] memory touches, bytes calldata proof) internal pure returns (Root) {
        _checkTouches(root, touches);
        Walk memory walk = _open(proof);
        for (uint256 served = 0; served < touches.length;) {
            served = _serveTerminal(touches, served, proof, walk);
        }
        _checkNothingLeft(proof, walk);
        Subtree memory top = walk.stack[0];
        if (top.oldHash != Root.unwrap(root)) {
            revert IProofErrors.RootMismatch(Root.unwrap(root), top.oldHash);
        }
        return Root.wrap(top.newHash);
    }

    /// @notice Verifies that `key` has the value hash `value` under `root`, or is absent when it is zero.
    function verifyOne(Root root, Key key, ValueHash value, bytes calldata proof) internal pure {
        Touch[] memory touches = new Touch[](1);
        touches[0] = Touch(key, value, ValueHash.wrap(0));
        verify(root, touches, proof);
    }

    /// @notice Whether a proof for one key claims that the key is there. Only `verifyOne` says whether that is true.
    function claimsMembership(bytes calldata proof) internal pure returns (bool) {
        return proof.length > HEAD_LENGTH && uint8(proof[HEAD_LENGTH]) >> 6 == KIND_OWN;
    }

    function _checkTouches(Root root, Touch[] memory touches) private pure {
        if (touches.length == 0) revert IProofErrors.NoKeys();
        if (Root.unwrap(root) == 0) revert IProofErrors.ZeroRoot();
        Key previous = touches[0].key;
        if (Key.unwrap(previous) == 0) revert IProofErrors.ZeroKey();
        for (uint256 i = 1; i < touches.length; ++i) {
            Key key = touches[i].key;
            if (key == previous) revert IProofErrors.KeyRepeated(Key.unwrap(key));
            if (key.isBelow(previous)) revert IProofErrors.KeysNotAscending(i);
            previous = key;
        }
    }

    /// @dev Reads the counts and checks that the lengths add up, so that every later read is inside the proof.
    function _open(bytes calldata proof) private pure returns (Walk memory walk) {
        if (proof.length < HEAD_LENGTH) revert IProofErrors.ProofLength(HEAD_LENGTH, proof.length);
        walk.terminals = uint32(bytes4(proof[:4]));
        walk.foreigns = uint32(bytes4(proof[4:8]));
        walk.siblings = uint32(bytes4(proof[8:12]));
        walk.foreignStart = HEAD_LENGTH + 2 * walk.terminals;
        walk.bitmapStart = walk.foreignStart + 64 * walk.foreigns;
        uint256 hashStart = walk.bitmapStart + (walk.siblings + 7) / 8;
        walk.hashStart = hashStart;
        uint256 whole = proof.length > hashStart ? (proof.length - hashStart) / 32 : 0;
        walk.hashes = whole < walk.siblings ? whole : walk.siblings;
        uint256 expected = hashStart + 32 * walk.hashes;
        if (proof.length != expected) revert IProofErrors.ProofLength(expected, proof.length);
        walk.stack = new Subtree[](walk.terminals < MAX_WAITING ? walk.terminals : MAX_WAITING);
    }

    /// @dev One round of the walk: the next terminal, the touches it serves, and the climb to where the next one joins.
    function _serveTerminal(Touch[] memory touches, uint256 first, bytes calldata proof, Walk memory walk)
        private
        pure
        returns (uint256 next)
    {
        Terminal memory terminal = _readTerminal(touches, first, proof, walk);
        next = terminal.next;
        bytes32 oldHash = _oldHash(touches, terminal);
        bytes32 newHash = terminal.writes ? _newHash(touches, terminal) : oldHash;
        walk.target = next < touches.length ? touches[next - 1].key.sharedBits(touches[next].key) + 1 : 0;
        _climb(proof, walk, touches[first].key, Subtree(terminal.depth, oldHash, newHash));
    }

    function _readTerminal(Touch[] memory touches, uint256 first, bytes calldata proof, Walk memory walk)
        private
        pure
        returns (Terminal memory terminal)
    {
        uint256 index = walk.terminalsUsed;
        if (index == walk.terminals) revert IProofErrors.TerminalMissing();
        walk.terminalsUsed = index + 1;
        uint256 start = HEAD_LENGTH + 2 * index;
        uint256 header = uint16(bytes2(proof[start:start + 2]));
        terminal.kind = header >> 14;
        terminal.depth = header & 0x1ff;
        if (header & 0x3e00 != 0 || terminal.kind == KIND_INVALID) {
            revert IProofErrors.TerminalHeader(header);
        }
        if (terminal.depth > 256) revert IProofErrors.DepthTooLarge(terminal.depth);
        // One more than the bits shared with the key before, which is where that key's terminal left off.
        if (terminal.depth < walk.target) revert IProofErrors.TerminalOverlap(index);
        if (_collect(touches, first, terminal) != (terminal.kind == KIND_OWN ? 1 : 0)) {
            revert IProofErrors.ClaimMismatch(index);
        }
        if (terminal.kind == KIND_FOREIGN) _readForeign(touches, terminal, proof, walk);
    }

    /// @dev Finds the touches that the terminal serves and returns how many of them claim to be in the old tree.
    function _collect(Touch[] memory touches, uint256 first, Terminal memory terminal)
        private
        pure
        returns (uint256 claims)
    {
        Key key = touches[first].key;
        uint256 next = first;
        do {
            Touch memory touch = touches[next];
            if (!touch.oldValue.isAbsent()) {
                ++claims;
                terminal.own = next;
            }
            if (!touch.newValue.isAbsent()) terminal.writes = true;
            ++next;
        } while (next < touches.length && key.sharesBits(touches[next].key, terminal.depth));
        terminal.first = first;
        terminal.next = next;
    }

    function _readForeign(
        Touch[] memory touches,
        Terminal memory terminal,
        bytes calldata proof,
        Walk memory walk
    ) private pure {
        uint256 index = walk.foreignsUsed;
        if (index == walk.foreigns) revert IProofErrors.ForeignMissing();
        walk.foreignsUsed = index + 1;
        uint256 start = walk.foreignStart + 64 * index;
        Key key = Key.wrap(bytes32(proof[start:start + 32]));
        if (!key.sharesBits(touches[terminal.first].key, terminal.depth)) {
            revert IProofErrors.ForeignOffPath(walk.terminalsUsed - 1);
        }
        for (uint256 i = terminal.first; i < terminal.next; ++i) {
            if (key == touches[i].key) revert IProofErrors.ForeignIsTouched(walk.terminalsUsed - 1);
        }
        terminal.foreignKey = key;
        terminal.foreignHash = TreeHash.leaf(key, ValueHash.wrap(bytes32(proof[start + 32:start + 64])));
    }

    function _oldHash(Touch[] memory touches, Terminal memory terminal) private pure returns (bytes32) {
        if (terminal.kind == KIND_FOREIGN) return terminal.foreignHash;
        if (terminal.kind != KIND_OWN) return TreeHash.EMPTY;
        Touch memory touch = touches[terminal.own];
        return TreeHash.leaf(touch.key, touch.oldValue);
    }

    /// @dev The subtree that stands in the terminal's place afterwards: its leaves in order of key, then folded.
    function _newHash(Touch[] memory touches, Terminal memory terminal) private pure returns (bytes32) {
        uint256 capacity = terminal.next - terminal.first + 1;
        Key[] memory keys = new Key[](capacity);
        bytes32[] memory hashes = new bytes32[](capacity);
        uint256 count = 0;
        bool foreignWaits = terminal.kind == KIND_FOREIGN;
        for (uint256 i = terminal.first; i < terminal.next; ++i) {
            Touch memory touch = touches[i];
            if (foreignWaits && terminal.foreignKey.isBelow(touch.key)) {
                (keys[count], hashes[count++]) = (terminal.foreignKey, terminal.foreignHash);
                foreignWaits = false;
            }
            ValueHash value = touch.newValue.isAbsent() ? touch.oldValue : touch.newValue;
            if (value.isAbsent()) continue;
            (keys[count], hashes[count++]) = (touch.key, TreeHash.leaf(touch.key, value));
        }
        if (foreignWaits) (keys[count], hashes[count++]) = (terminal.foreignKey, terminal.foreignHash);
        return _foldLeaves(keys, hashes, count, terminal.depth);
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

    /// @dev Folds `subtree` up to the walk's target and lets it wait there.
    function _climb(bytes calldata proof, Walk memory walk, Key key, Subtree memory subtree) private pure {
        uint256 target = walk.target;
        for (uint256 depth = subtree.depth; depth > target; --depth) {
            if (walk.waiting > 0 && walk.stack[walk.waiting - 1].depth == depth) {
                Subtree memory left = walk.stack[--walk.waiting];
                _join(subtree, left.oldHash, left.newHash, subtree.oldHash, subtree.newHash);
            } else {
                bytes32 sibling = _nextSibling(proof, walk);
                if (key.bitAt(depth - 1)) _join(subtree, sibling, sibling, subtree.oldHash, subtree.newHash);
                else _join(subtree, subtree.oldHash, subtree.newHash, sibling, sibling);
            }
        }
        subtree.depth = target;
        walk.stack[walk.waiting++] = subtree;
    }

    /// @dev Makes `subtree` the parent of two children. Where nothing changed, the new hash is the old one.
    function _join(
        Subtree memory subtree,
        bytes32 oldLeft,
        bytes32 newLeft,
        bytes32 oldRight,
        bytes32 newRight
    ) private pure {
        bytes32 oldHash = TreeHash.node(oldLeft, oldRight);
        subtree.oldHash = oldHash;
        bool unchanged = oldLeft == newLeft && oldRight == newRight;
        subtree.newHash = unchanged ? oldHash : TreeHash.node(newLeft, newRight);
    }

    function _nextSibling(bytes calldata proof, Walk memory walk) private pure returns (bytes32 hash) {
        uint256 index = walk.siblingsUsed;
        if (index == walk.siblings) revert IProofErrors.SiblingMissing();
        walk.siblingsUsed = index + 1;
        if ((uint8(proof[walk.bitmapStart + index / 8]) >> (7 - index % 8)) & 1 == 0) return TreeHash.EMPTY;
        uint256 start = walk.hashStart + 32 * walk.hashesUsed;
        if (start == proof.length) revert IProofErrors.SiblingMissing();
        ++walk.hashesUsed;
        hash = bytes32(proof[start:start + 32]);
        if (hash == TreeHash.EMPTY) revert IProofErrors.SiblingIsEmpty(index);
    }

    function _checkNothingLeft(bytes calldata proof, Walk memory walk) private pure {
        if (walk.terminalsUsed != walk.terminals) revert IProofErrors.TerminalUnused();
        if (walk.foreignsUsed != walk.foreigns) revert IProofErrors.ForeignUnused();
        if (walk.siblingsUsed != walk.siblings || walk.hashesUsed != walk.hashes) {
            revert IProofErrors.SiblingUnused();
        }
        uint256 usedBits = walk.siblings % 8;
        if (usedBits != 0 && proof[walk.hashStart - 1] << usedBits != 0) {
            revert IProofErrors.SiblingPadding();
        }
    }
}
