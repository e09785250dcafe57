// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Multiproof} from "../../contracts/libraries/Multiproof.sol";
import {TreeHash} from "../../contracts/libraries/TreeHash.sol";
import {Key, Root, Touch, ValueHash} from "../../contracts/types/TreeTypes.sol";

/// @title Lemmas of the walk, for all keys, values, siblings and roots at once
/// @notice `scripts/test.d/halmos` proves them for proofs of two steps, the fewest in which the order of the siblings shows; every
/// further step is the same one. The path's two bits are spelled out, and the siblings begin with a byte that is not that of `EMPTY`
/// (`test_A12_...` is about those), because a prover cannot branch on a place in memory.
contract MultiproofLemmas {
    /// @dev Headers of a terminal at depth 2: an empty slot, the own leaf, a foreign leaf.
    uint16 private constant EMPTY_SLOT = 2;
    uint16 private constant OWN = 0x4002;
    uint16 private constant FOREIGN = 0x8002;

    /// @dev What a proof of one key may show, all of it chosen by the attacker.
    struct Path {
        bytes32 rest; // of the key, after its first two bits
        bytes32 value;
        bytes31 lower; // the sibling at depth 2, after its first byte
        bytes31 upper; // the sibling at depth 1, as well
        bytes32 root;
    }

    function verifyOne(bytes32 root, bytes32 key, bytes32 value, bytes calldata proof) external pure {
        Multiproof.verifyOne(Root.wrap(root), Key.wrap(key), ValueHash.wrap(value), proof);
    }

    function verify(bytes32 root, bytes32 key, bytes32 oldValue, bytes32 newValue, bytes calldata proof)
        external
        pure
        returns (bytes32)
    {
        Touch[] memory touches = new Touch[](1);
        touches[0] = Touch(Key.wrap(key), ValueHash.wrap(oldValue), ValueHash.wrap(newValue));
        return Root.unwrap(Multiproof.verify(Root.wrap(root), touches, proof));
    }

    /// @dev What is accepted as a member stands where the key's bits say, under exactly this root.
    function check_membership_positionComesFromTheKey(uint8 bits, Path calldata path) external view {
        (uint256 place, bytes32 key) = _placeOf(bits, path.rest);
        if (!_accepts(path.root, key, path.value, _proof(OWN, path))) return;
        assert(path.root == _fold(place, _leaf(key, path.value), path));
        assert(path.value != 0 && key != 0 && path.root != 0);
    }

    /// @dev What is accepted as absent has an empty slot in its place.
    function check_absence_emptySlotIsInTheKeysPlace(uint8 bits, Path calldata path) external view {
        (uint256 place, bytes32 key) = _placeOf(bits, path.rest);
        if (!_accepts(path.root, key, 0, _proof(EMPTY_SLOT, path))) return;
        assert(path.root == _fold(place, TreeHash.EMPTY, path));
    }

    /// @dev Or the leaf of another key that shares the path.
    function check_absence_foreignLeafIsAnotherKeyOnThePath(uint8 bits, Path calldata path, bytes32 foreign)
        external
        view
    {
        (uint256 place, bytes32 key) = _placeOf(bits, path.rest);
        if (!_accepts(path.root, key, 0, _proof(FOREIGN, path, foreign))) return;
        assert(foreign != key);
        assert(uint256(foreign) >> 254 == place);
        assert(path.root == _fold(place, _leaf(foreign, path.value), path));
    }

    /// @dev "Could not prove" is never "absent": no root has a proof of a member and one of its empty slot.
    function check_memberAndEmptySlot_neverBoth(uint8 bits, Path calldata path, Path memory other)
        external
        view
    {
        (, bytes32 key) = _placeOf(bits, path.rest);
        if (_leaf(key, path.value) == TreeHash.EMPTY) return; // nothing is known that hashes to it
        if (!_accepts(path.root, key, path.value, _proof(OWN, path))) return;
        assert(!_accepts(path.root, key, 0, _proof(EMPTY_SLOT, other)));
    }

    /// @dev Nor one of a member and one of another leaf in its place.
    function check_memberAndForeignLeaf_neverBoth(
        uint8 bits,
        Path calldata path,
        Path memory other,
        bytes32 foreign
    ) external view {
        (, bytes32 key) = _placeOf(bits, path.rest);
        if (!_accepts(path.root, key, path.value, _proof(OWN, path))) return;
        assert(!_accepts(path.root, key, 0, _proof(FOREIGN, other, foreign)));
    }

    /// @dev An insertion starts from the root held and ends in the root with just this leaf in the empty slot.
    function check_insertion_oneLeafFromTheSameSiblings(uint8 bits, Path calldata path) external view {
        (uint256 place, bytes32 key) = _placeOf(bits, path.rest);
        bytes memory call =
            abi.encodeCall(this.verify, (path.root, key, 0, path.value, _proof(EMPTY_SLOT, path)));
        (bool accepted, bytes memory result) = address(this).staticcall(call);
        if (!accepted || path.value == 0) return;
        assert(path.root == _fold(place, TreeHash.EMPTY, path));
        assert(abi.decode(result, (bytes32)) == _fold(place, _leaf(key, path.value), path));
    }

    /// @dev That the lemmas above are about something: what is honest is accepted.
    function check_honestProofs_areAccepted(uint8 bits, Path memory path, bytes32 foreign) external view {
        (uint256 place, bytes32 key) = _placeOf(bits, path.rest);
        if (key == 0 || path.value == 0) return;
        path.root = _fold(place, _leaf(key, path.value), path);
        assert(path.root == 0 || _accepts(path.root, key, path.value, _proof(OWN, path)));
        path.root = _fold(place, TreeHash.EMPTY, path);
        assert(path.root == 0 || _accepts(path.root, key, 0, _proof(EMPTY_SLOT, path)));
        bytes32 other = _keyAt(place, foreign);
        if (other == key) return;
        path.root = _fold(place, _leaf(other, path.value), path);
        assert(path.root == 0 || _accepts(path.root, key, 0, _proof(FOREIGN, path, other)));
    }

    /// @dev The key with the two bits that `bits` says, which each branch knows as a number.
    function _placeOf(uint8 bits, bytes32 rest) private pure returns (uint256 place, bytes32 key) {
        while (place < 3 && bits != place) ++place;
        key = _keyAt(place, rest);
    }

    function _accepts(bytes32 root, bytes32 key, bytes32 value, bytes memory proof)
        private
        view
        returns (bool accepted)
    {
        (accepted,) = address(this).staticcall(abi.encodeCall(this.verifyOne, (root, key, value, proof)));
    }

    function _keyAt(uint256 bits, bytes32 rest) private pure returns (bytes32) {
        return bytes32((bits << 254) | (uint256(rest) & (type(uint256).max >> 2)));
    }

    /// @dev The root with `hash` in the place that the two bits say, plainly.
    function _fold(uint256 bits, bytes32 hash, Path memory path) private pure returns (bytes32) {
        hash = bits & 1 == 1 ? _node(_sibling(path.lower), hash) : _node(hash, _sibling(path.lower));
        return bits & 2 == 2 ? _node(_sibling(path.upper), hash) : _node(hash, _sibling(path.upper));
    }

    function _sibling(bytes31 rest) private pure returns (bytes32) {
        return bytes32(abi.encodePacked(hex"80", rest));
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked("JMT::IntrnalNode", left, right));
    }

    function _leaf(bytes32 key, bytes32 value) private pure returns (bytes32) {
        return keccak256(abi.encodePacked("JMT::LeafNode", key, value));
    }

    /// @dev One terminal at depth 2 and two siblings.
    function _proof(uint16 header, Path memory path) private pure returns (bytes memory) {
        return abi.encodePacked(
            uint32(1), uint32(0), uint32(2), header, hex"c0", _sibling(path.lower), _sibling(path.upper)
        );
    }

    function _proof(uint16 header, Path memory path, bytes32 foreign) private pure returns (bytes memory) {
        return abi.encodePacked(
            uint32(1),
            uint32(1),
            uint32(2),
            header,
            foreign,
            path.value,
            hex"c0",
            _sibling(path.lower),
            _sibling(path.upper)
        );
    }
}
