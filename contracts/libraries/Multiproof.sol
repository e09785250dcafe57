// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors} from "../interfaces/IHypha.sol";
import {Leaves} from "./Leaves.sol";
import {MultiproofReader} from "./MultiproofReader.sol";
import {Touches} from "./Touches.sol";
import {TreeHash} from "./TreeHash.sol";
import {Key, Root, Touch, ValueHash} from "../types/TreeTypes.sol";

/// @title The walk of tree/README.md: one multiproof folds the old and the new root from the same siblings
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
/// @dev `test/utils/PlainMultiproof.sol` is the same walk without regard to gas; the tests compare the two.
library Multiproof {
    /// @dev Bytes of the counts and the header of a proof with one terminal.
    uint256 private constant ONLY_HEAD_LENGTH = MultiproofReader.HEAD_LENGTH + 2;
    /// @dev What else there is in the head of such a proof, beside its depth and the two counts that are known: the kind of the
    /// terminal, and the number of foreign leaves.
    uint256 private constant ONLY_EMPTY = 0;
    uint256 private constant ONLY_OWN = MultiproofReader.KIND_OWN << 14;
    uint256 private constant ONLY_FOREIGN = (1 << 48) | (MultiproofReader.KIND_FOREIGN << 14);
    /// @dev Subtrees that can wait at once: one for each depth from 0 to 256, and the bottom of the stack.
    uint256 private constant MAX_WAITING = 258;
    /// @dev Bytes of a waiting subtree: its depth, its old and its new hash.
    uint256 private constant WAITING_LENGTH = 96;

    /// @notice Verifies `touches` against the tree with `root` and returns the root after them.
    /// @param touches In strictly ascending order of key.
    function verify(Root root, Touch[] memory touches, bytes calldata proof) internal pure returns (Root) {
        if (touches.length == 0) revert IProofErrors.NoKeys();
        if (Root.unwrap(root) == 0) revert IProofErrors.ZeroRoot();
        (uint256 place, uint256 end) = Touches.placesOf(touches);
        Touches.checkKeys(place, end);
        MultiproofReader.Walk memory walk = MultiproofReader.open(proof);
        _reserveStack(walk);
        while (place < end) place = _serveTerminal(walk, place, end);
        MultiproofReader.checkNothingLeft(walk);
        (bytes32 oldHash, bytes32 newHash) = _pop(walk);
        if (oldHash != Root.unwrap(root)) revert IProofErrors.RootMismatch(Root.unwrap(root), oldHash);
        return Root.wrap(newHash);
    }

    /// @notice Verifies that `key` has the value hash `value` under `root`, or is absent when it is zero.
    function verifyOne(Root root, Key key, ValueHash value, bytes calldata proof) internal pure {
        if (_provesOne(root, key, value, proof)) return;
        Touch[] memory touches = new Touch[](1);
        touches[0] = Touch(key, value, ValueHash.wrap(0));
        verify(root, touches, proof);
    }

    /// @notice Whether a proof for one key claims that the key is there. Only `verifyOne` says whether that is true.
    function claimsMembership(bytes calldata proof) internal pure returns (bool) {
        return proof.length > MultiproofReader.HEAD_LENGTH
            && uint8(proof[MultiproofReader.HEAD_LENGTH]) >> 6 == MultiproofReader.KIND_OWN;
    }

    /// @dev The whole walk for one key that is only read, as it goes when all is well: every byte of the proof is then what it must
    /// be. Where this says no, the walk says why, or accepts a path of more than 127 siblings, which is rare.
    function _provesOne(Root root, Key key, ValueHash value, bytes calldata proof)
        private
        pure
        returns (bool)
    {
        // Cannot overflow: places are inside calldata, and `depth` is at most 127.
        unchecked {
            uint256 place = MultiproofReader.start(proof);
            uint256 head = uint256(MultiproofReader.word(place)) >> 144; // the three counts and the only header
            uint256 depth = head & 0x7f;
            head ^= (1 << 80) | (depth * 0x10001); // one terminal, `depth` siblings, and the depth of the terminal
            place += ONLY_HEAD_LENGTH;
            if (Key.unwrap(key) == 0) return false;
            bytes32 hash;
            if (head == ONLY_OWN) {
                if (value.isAbsent()) return false;
                hash = TreeHash.leaf(key, value);
            } else {
                if (!value.isAbsent()) return false;
                if (head == ONLY_FOREIGN) {
                    Key other = Key.wrap(MultiproofReader.word(place));
                    if (other == key || !other.sharesBits(key, depth)) return false;
                    hash = TreeHash.leaf(other, ValueHash.wrap(MultiproofReader.word(place + 32)));
                    place += 64;
                } else if (head == ONLY_EMPTY) {
                    hash = TreeHash.EMPTY;
                } else {
                    return false;
                }
            }
            return _onlyClimb(root, hash, key, depth, place, MultiproofReader.start(proof) + proof.length);
        }
    }

    /// @dev Whether `depth` siblings, whose bitmap stands at `place`, lead from `hash` to the root, and the proof ends with them.
    function _onlyClimb(Root root, bytes32 hash, Key key, uint256 depth, uint256 place, uint256 end)
        private
        pure
        returns (bool)
    {
        // Cannot overflow: places are inside calldata, and `depth` is at most 127.
        unchecked {
            uint256 bits = uint256(MultiproofReader.word(place));
            uint256 size = (depth + 7) & 0xf8; // of the bitmap with its padding, in bits
            uint256 wrong = ((bits >> (256 - depth)) << (size - depth)) ^ (bits >> (256 - size));
            (hash, place) = TreeHash.fold(hash, key.path(depth, depth), bits, depth, place + size / 8);
            return wrong | (place ^ end) | uint256(hash ^ Root.unwrap(root)) == 0;
        }
    }

    /// @dev One round of the walk: the next terminal, the touches it serves, and the climb to where the next one joins.
    /// @return next The place of the first touch that waits for another terminal.
    function _serveTerminal(MultiproofReader.Walk memory walk, uint256 first, uint256 end)
        private
        pure
        returns (uint256 next)
    {
        (uint256 kind, uint256 depth) = MultiproofReader.nextHeader(walk);
        // One more than the bits shared with the key before, which is where that key's terminal left off.
        if (depth < walk.target) revert IProofErrors.TerminalOverlap(MultiproofReader.terminalIndex(walk));
        Key key = Touches.keyAt(first);
        unchecked {
            next = first + 32;
        }
        uint256 target = Touches.targetAt(next, end);
        bytes32 oldHash;
        bytes32 newHash;
        if (target <= depth) {
            (oldHash, newHash) =
                _terminalOfOne(walk, kind, depth, key, Touches.oldValueAt(first), Touches.newValueAt(first));
        } else {
            while (next < end && key.sharesBits(Touches.keyAt(next), depth)) next += 32;
            (oldHash, newHash) = _terminalOfMany(walk, kind, depth, first, next);
            target = Touches.targetAt(next, end);
        }
        walk.target = target;
        _climb(walk, key, depth, oldHash, newHash);
    }

    /// @dev The old and the new hash of a terminal that serves one touch.
    function _terminalOfOne(
        MultiproofReader.Walk memory walk,
        uint256 kind,
        uint256 depth,
        Key key,
        ValueHash oldValue,
        ValueHash newValue
    ) private pure returns (bytes32 oldHash, bytes32 newHash) {
        if ((kind == MultiproofReader.KIND_OWN) == oldValue.isAbsent()) {
            revert IProofErrors.ClaimMismatch(MultiproofReader.terminalIndex(walk));
        }
        if (kind == MultiproofReader.KIND_FOREIGN) {
            Key other;
            (other, oldHash) = MultiproofReader.nextForeign(walk, key, depth);
            if (other == key) revert IProofErrors.ForeignIsTouched(MultiproofReader.terminalIndex(walk));
            if (newValue.isAbsent()) return (oldHash, oldHash);
            return (oldHash, Leaves.foldPair(key, TreeHash.leaf(key, newValue), other, oldHash, depth));
        }
        oldHash = kind == MultiproofReader.KIND_OWN ? TreeHash.leaf(key, oldValue) : TreeHash.EMPTY;
        newHash = newValue.isAbsent() ? oldHash : TreeHash.leaf(key, newValue);
    }

    /// @dev The old and the new hash of a terminal that serves the touches from `first` up to `next`.
    function _terminalOfMany(
        MultiproofReader.Walk memory walk,
        uint256 kind,
        uint256 depth,
        uint256 first,
        uint256 next
    ) private pure returns (bytes32 oldHash, bytes32 newHash) {
        (uint256 claims, uint256 writes) = Touches.countClaims(first, next);
        if (claims != (kind == MultiproofReader.KIND_OWN ? 1 : 0)) {
            revert IProofErrors.ClaimMismatch(MultiproofReader.terminalIndex(walk));
        }
        Key foreignKey;
        oldHash = TreeHash.EMPTY;
        if (kind == MultiproofReader.KIND_FOREIGN) {
            (foreignKey, oldHash) = MultiproofReader.nextForeign(walk, Touches.keyAt(first), depth);
            for (uint256 place = first; place < next; place += 32) {
                if (Touches.keyAt(place) == foreignKey) {
                    revert IProofErrors.ForeignIsTouched(MultiproofReader.terminalIndex(walk));
                }
            }
        }
        if (kind == MultiproofReader.KIND_OWN) oldHash = Touches.ownLeaf(first);
        newHash = writes == 0 ? oldHash : _newSubtree(kind, depth, first, next, foreignKey, oldHash);
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
        bool foreignWaits = kind == MultiproofReader.KIND_FOREIGN;
        for (; place < next; place += 32) {
            Key key = Touches.keyAt(place);
            if (foreignWaits && foreignKey.isBelow(key)) {
                (keys[count], hashes[count++]) = (foreignKey, foreignHash);
                foreignWaits = false;
            }
            ValueHash value =
                Touches.newValueAt(place).isAbsent() ? Touches.oldValueAt(place) : Touches.newValueAt(place);
            if (value.isAbsent()) continue;
            (keys[count], hashes[count++]) = (key, TreeHash.leaf(key, value));
        }
        if (foreignWaits) (keys[count], hashes[count++]) = (foreignKey, foreignHash);
        return Leaves.foldLeaves(keys, hashes, count, depth);
    }

    /// @dev Folds the subtree at `depth` up to the walk's target and lets it wait there. What waits stands at ever greater
    /// depths, none below `depth` and none at the target, so a run of siblings leads to each join and to the end.
    function _climb(
        MultiproofReader.Walk memory walk,
        Key key,
        uint256 depth,
        bytes32 oldHash,
        bytes32 newHash
    ) private pure {
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
                (depth, oldHash, newHash) =
                    MultiproofReader.foldSiblings(walk, key, depth, stop, oldHash, newHash);
            }
        }
        _push(walk, target, oldHash, newHash);
    }

    /// @dev Takes the top of the stack for the left child. Where nothing changed, the new hash is the old one.
    function _joinTop(MultiproofReader.Walk memory walk, bytes32 oldRight, bytes32 newRight)
        private
        pure
        returns (bytes32 oldHash, bytes32 newHash)
    {
        (bytes32 oldLeft, bytes32 newLeft) = _pop(walk);
        oldHash = TreeHash.node(oldLeft, oldRight);
        bool unchanged = oldLeft == newLeft && oldRight == newRight;
        newHash = unchanged ? oldHash : TreeHash.node(newLeft, newRight);
    }

    // ---- the stack: subtrees that wait for their right sibling, the last one on top

    /// @dev The stack grows into memory that nothing else uses, and begins with an entry at depth 0, where nothing is joined.
    function _reserveStack(MultiproofReader.Walk memory walk) private pure {
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

    function _topDepth(MultiproofReader.Walk memory walk) private pure returns (uint256 depth) {
        uint256 top = walk.top;
        assembly ("memory-safe") {
            depth := mload(top)
        }
    }

    function _push(MultiproofReader.Walk memory walk, uint256 depth, bytes32 oldHash, bytes32 newHash)
        private
        pure
    {
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

    function _pop(MultiproofReader.Walk memory walk) private pure returns (bytes32 oldHash, bytes32 newHash) {
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
}
