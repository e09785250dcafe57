// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors} from "../../contracts/interfaces/IHypha.sol";
import {Calldata} from "../../contracts/libraries/Calldata.sol";
import {Key, Root, Touch, ValueHash} from "../../contracts/types/TreeTypes.sol";
import {TreeModel} from "./TreeModel.sol";

/// @title The walk of tree/README.md as plainly as it can be written, which the tests compare with the one that is deployed
/// @dev Every step stands in the order of that text; nothing is saved.
library PlainMultiproof {
    using Calldata for bytes;

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

    /// @dev A place of the old tree where paths end, and the touches `first` to `next - 1` that it serves. All rounds share
    /// one: `own` means something for the kind own only, the foreign leaf for the kind foreign.
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
        Terminal memory terminal; // one for all rounds
        for (uint256 served = 0; served < touches.length;) {
            served = _serveTerminal(touches, served, proof, walk, terminal);
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
        uint256 count = touches.length;
        for (uint256 i = 1; i < count; ++i) {
            Key key = touches[i].key;
            if (!previous.isBelow(key)) {
                if (key == previous) revert IProofErrors.KeyRepeated(Key.unwrap(key));
                revert IProofErrors.KeysNotAscending(i);
            }
            previous = key;
        }
    }

    /// @dev Reads the counts and checks that the lengths add up, so that every later read is inside the proof.
    function _open(bytes calldata proof) private pure returns (Walk memory walk) {
        if (proof.length < HEAD_LENGTH) revert IProofErrors.ProofLength(HEAD_LENGTH, proof.length);
        uint256 counts = uint256(proof.word(0));
        walk.terminals = counts >> 224;
        walk.foreigns = (counts >> 192) & type(uint32).max;
        walk.siblings = (counts >> 160) & type(uint32).max;
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
    function _serveTerminal(
        Touch[] memory touches,
        uint256 first,
        bytes calldata proof,
        Walk memory walk,
        Terminal memory terminal
    ) private pure returns (uint256 next) {
        _readTerminal(touches, first, proof, walk, terminal);
        next = terminal.next;
        bytes32 oldHash = _oldHash(touches, terminal);
        bytes32 newHash = terminal.writes ? _newHash(touches, terminal) : oldHash;
        walk.target = next < touches.length ? touches[next - 1].key.sharedBits(touches[next].key) + 1 : 0;
        _climb(proof, walk, touches[first].key, terminal.depth, oldHash, newHash);
    }

    function _readTerminal(
        Touch[] memory touches,
        uint256 first,
        bytes calldata proof,
        Walk memory walk,
        Terminal memory terminal
    ) private pure {
        uint256 index = walk.terminalsUsed;
        if (index == walk.terminals) revert IProofErrors.TerminalMissing();
        walk.terminalsUsed = index + 1;
        uint256 start = HEAD_LENGTH + 2 * index;
        uint256 header = uint256(proof.word(start)) >> 240;
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
        bool writes = false;
        do {
            Touch memory touch = touches[next];
            // Cannot overflow: both are at most the number of touches.
            unchecked {
                if (!touch.oldValue.isAbsent()) {
                    ++claims;
                    terminal.own = next;
                }
                ++next;
            }
            if (!touch.newValue.isAbsent()) writes = true;
        } while (next < touches.length && key.sharesBits(touches[next].key, terminal.depth));
        terminal.writes = writes;
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
        Key key = Key.wrap(proof.word(start));
        if (!key.sharesBits(touches[terminal.first].key, terminal.depth)) {
            revert IProofErrors.ForeignOffPath(walk.terminalsUsed - 1);
        }
        for (uint256 i = terminal.first; i < terminal.next; ++i) {
            if (key == touches[i].key) revert IProofErrors.ForeignIsTouched(walk.terminalsUsed - 1);
        }
        terminal.foreignKey = key;
        terminal.foreignHash = _leaf(key, ValueHash.wrap(proof.word(start + 32)));
    }

    function _oldHash(Touch[] memory touches, Terminal memory terminal) private pure returns (bytes32) {
        if (terminal.kind == KIND_FOREIGN) return terminal.foreignHash;
        if (terminal.kind != KIND_OWN) return TreeModel.EMPTY;
        Touch memory touch = touches[terminal.own];
        return _leaf(touch.key, touch.oldValue);
    }

    /// @dev The subtree that stands in the terminal's place afterwards. Most terminals serve one touch, which is written.
    function _newHash(Touch[] memory touches, Terminal memory terminal) private pure returns (bytes32) {
        if (terminal.next - terminal.first > 1) return _newHashOfMany(touches, terminal);
        Touch memory touch = touches[terminal.first];
        bytes32 hash = _leaf(touch.key, touch.newValue);
        if (terminal.kind != KIND_FOREIGN) return hash;
        return _foldPair(touch.key, hash, terminal.foreignKey, terminal.foreignHash, terminal.depth);
    }

    /// @dev Hash of the subtree at `depth` that holds exactly these two leaves.
    function _foldPair(Key key, bytes32 hash, Key otherKey, bytes32 otherHash, uint256 depth)
        private
        pure
        returns (bytes32 folded)
    {
        uint256 shared = key.sharedBits(otherKey);
        folded =
            key.isBelow(otherKey) ? TreeModel.nodeHash(hash, otherHash) : TreeModel.nodeHash(otherHash, hash);
        for (uint256 height = shared; height > depth; --height) {
            folded = key.bitAt(height - 1)
                ? TreeModel.nodeHash(TreeModel.EMPTY, folded)
                : TreeModel.nodeHash(folded, TreeModel.EMPTY);
        }
    }

    /// @dev The leaves of the terminal's new subtree in order of key, then folded.
    function _newHashOfMany(Touch[] memory touches, Terminal memory terminal) private pure returns (bytes32) {
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
            (keys[count], hashes[count++]) = (touch.key, _leaf(touch.key, value));
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
                    hash = TreeModel.nodeHash(hashes[--waiting], hash);
                } else if (keys[i].bitAt(height - 1)) {
                    hash = TreeModel.nodeHash(TreeModel.EMPTY, hash);
                } else {
                    hash = TreeModel.nodeHash(hash, TreeModel.EMPTY);
                }
            }
            (depths[waiting], hashes[waiting++]) = (target, hash);
            previousTarget = target;
        }
        return hashes[0];
    }

    /// @dev Folds the subtree at `depth` up to the walk's target and lets it wait there.
    function _climb(
        bytes calldata proof,
        Walk memory walk,
        Key key,
        uint256 depth,
        bytes32 oldHash,
        bytes32 newHash
    ) private pure {
        for (; depth > walk.target; --depth) {
            if (walk.waiting > 0 && walk.stack[walk.waiting - 1].depth == depth) {
                Subtree memory left = walk.stack[--walk.waiting];
                oldHash = TreeModel.nodeHash(left.oldHash, oldHash);
                newHash = TreeModel.nodeHash(left.newHash, newHash);
            } else {
                bytes32 sibling = _nextSibling(proof, walk);
                bool right = key.bitAt(depth - 1);
                oldHash = right ? TreeModel.nodeHash(sibling, oldHash) : TreeModel.nodeHash(oldHash, sibling);
                newHash = right ? TreeModel.nodeHash(sibling, newHash) : TreeModel.nodeHash(newHash, sibling);
            }
        }
        walk.stack[walk.waiting++] = Subtree(walk.target, oldHash, newHash);
    }

    function _nextSibling(bytes calldata proof, Walk memory walk) private pure returns (bytes32 sibling) {
        uint256 index = walk.siblingsUsed;
        if (index == walk.siblings) revert IProofErrors.SiblingMissing();
        walk.siblingsUsed = index + 1;
        if ((uint8(proof[walk.bitmapStart + index / 8]) >> (7 - index % 8)) & 1 == 0) return TreeModel.EMPTY;
        if (walk.hashesUsed == walk.hashes) revert IProofErrors.SiblingMissing();
        sibling = proof.word(walk.hashStart + 32 * walk.hashesUsed++);
        if (sibling == TreeModel.EMPTY) revert IProofErrors.SiblingIsEmpty(index);
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

    function _leaf(Key key, ValueHash value) private pure returns (bytes32) {
        return TreeModel.leafHash(Key.unwrap(key), ValueHash.unwrap(value));
    }
}
