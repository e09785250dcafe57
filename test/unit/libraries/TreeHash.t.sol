// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {TreeHash} from "../../../contracts/libraries/TreeHash.sol";
import {Key, ValueHash} from "../../../contracts/types/TreeTypes.sol";
import {TreeModel} from "../../utils/TreeModel.sol";
import {Vectors} from "../../utils/Vectors.sol";

contract TreeHashTest is Test {
    using TreeModel for TreeModel.Tree;

    mapping(uint256 => TreeModel.Tree) private _trees;

    function testFuzz_node_sameAsThePlainForm(bytes32 left, bytes32 right, bytes memory before) public pure {
        bytes32 kept = keccak256(before);
        assertEq(TreeHash.node(left, right), TreeModel.nodeHash(left, right));
        bytes memory after_ = abi.encodePacked(left, right);
        assertEq(TreeHash.node(right, left), TreeModel.nodeHash(right, left));
        assertEq(keccak256(before), kept, "memory before");
        assertEq(after_, abi.encodePacked(left, right), "memory after");
    }

    function testFuzz_leaf_sameAsThePlainForm(bytes32 key, bytes32 value) public pure {
        assertEq(TreeHash.leaf(Key.wrap(key), ValueHash.wrap(value)), TreeModel.leafHash(key, value));
    }

    function testFuzz_leaf_leavesMemoryAlone(bytes32 key, bytes32 value, bytes memory before) public pure {
        bytes32 kept = keccak256(before);
        TreeHash.leaf(Key.wrap(key), ValueHash.wrap(value));
        assertEq(keccak256(before), kept, "memory before");
        assertEq(keccak256(new bytes(96)), keccak256(abi.encode(0, 0, 0)), "memory after");
    }

    /// @dev All lengths that a run of siblings can have, with gaps among its first `gaps` and none after them; beyond the run, anything.
    function testFuzz_fold_sameAsStepByStep(
        bytes32 oldHash,
        bytes32 newHash,
        uint256 path,
        uint256 bits,
        uint8 length,
        uint8 gaps
    ) public view {
        uint256 count = bound(length, 0, TreeHash.MAX_RUN);
        uint256 first = bound(gaps, 0, count);
        bits |= (type(uint256).max >> first) & ~(type(uint256).max >> count);
        path = (path & (2 ** count - 1)) | 2 ** count;
        bytes memory siblings = _siblings(bits, count);
        (bytes32 folded, uint256 taken) = this.fold(oldHash, path, bits, count, siblings);
        assertEq(folded, _folded(oldHash, path, bits, siblings), "one");
        assertEq(taken, siblings.length, "taken");
        bytes32 newFolded;
        (folded, newFolded, taken) = this.foldBoth(oldHash, newHash, path, bits, count, siblings);
        assertEq(folded, _folded(oldHash, path, bits, siblings), "old");
        assertEq(newFolded, _folded(newHash, path, bits, siblings), "new");
        assertEq(taken, siblings.length, "taken by both");
    }

    /// @dev Wherever it stands, before a gap or after all of them.
    function testFuzz_fold_emptySpelledOut_endsFarAway(uint8 length, uint8 gap, uint8 spelled) public view {
        uint256 count = bound(length, 2, 40);
        uint256 bits = (type(uint256).max << (256 - count)) ^ (2 ** (255 - uint256(gap) % count));
        bytes memory siblings = _siblings(bits, count);
        uint256 place = 32 * (uint256(spelled) % (count - 1));
        for (uint256 i = 0; i < 32; ++i) {
            siblings[place + i] = TreeHash.EMPTY[i];
        }
        (, uint256 taken) = this.fold(0, 2 ** count, bits, count, siblings);
        assertGt(taken, 2 ** 63);
        (,, taken) = this.foldBoth(0, bytes32(uint256(1)), 2 ** count, bits, count, siblings);
        assertGt(taken, 2 ** 63);
    }

    function fold(bytes32 hash, uint256 path, uint256 bits, uint256 count, bytes calldata siblings)
        external
        pure
        returns (bytes32 folded, uint256 taken)
    {
        (uint256 start, uint256 free) = (_startOf(siblings), _free());
        (folded, taken) = TreeHash.fold(hash, path, bits, count, start);
        taken -= start;
        assertEq(_free(), free, "free memory");
    }

    function foldBoth(
        bytes32 oldHash,
        bytes32 newHash,
        uint256 path,
        uint256 bits,
        uint256 count,
        bytes calldata siblings
    ) external pure returns (bytes32 oldFolded, bytes32 newFolded, uint256 taken) {
        (uint256 start, uint256 free) = (_startOf(siblings), _free());
        (oldFolded, newFolded, taken) = TreeHash.foldBoth(oldHash, newHash, path, bits, count, start);
        taken -= start;
        assertEq(_free(), free, "free memory");
    }

    function _siblings(uint256 bits, uint256 count) private pure returns (bytes memory siblings) {
        for (uint256 i = 0; i < count; ++i) {
            if ((bits << i) >> 255 == 1) {
                siblings = abi.encodePacked(siblings, keccak256(abi.encode(bits, i)));
            }
        }
    }

    function _folded(bytes32 hash, uint256 path, uint256 bits, bytes memory siblings)
        private
        pure
        returns (bytes32)
    {
        uint256 next = 32;
        for (; path > 1; path >>= 1) {
            bytes32 sibling = TreeModel.EMPTY;
            if (bits >> 255 == 1) {
                assembly ("memory-safe") {
                    sibling := mload(add(siblings, next))
                }
                next += 32;
            }
            hash = path & 1 == 1 ? TreeModel.nodeHash(sibling, hash) : TreeModel.nodeHash(hash, sibling);
            bits <<= 1;
        }
        return hash;
    }

    function _startOf(bytes calldata data) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := data.offset
        }
    }

    function _free() private pure returns (uint256 free) {
        assembly ("memory-safe") {
            free := mload(0x40)
        }
    }

    /// @dev Keys that differ from some bit on: in that one alone, or anyhow after it.
    function testFuzz_sharedBits_sameAsCounting(bytes32 a, uint8 flipped, uint256 noise, bool equal)
        public
        pure
    {
        uint256 first = 2 ** (255 - uint256(flipped));
        bytes32 b = equal ? a : a ^ bytes32(first | (noise & (first - 1)));
        uint256 count = 0;
        while (count < 256 && (uint256(a ^ b) >> (255 - count)) & 1 == 0) ++count;
        Key left = Key.wrap(a);
        Key right = Key.wrap(b);
        assertEq(left.sharedBits(right), count);
        assertTrue(left.sharesBits(right, count));
        if (count < 256) {
            assertFalse(left.sharesBits(right, count + 1));
            assertNotEq(left.bitAt(count), right.bitAt(count));
        }
    }

    /// @dev The model that the other tests lean on gives the roots of the vectors.
    function test_model_vectors_sameRoots() public {
        Vectors.Roots[] memory list = Vectors.roots(Vectors.tree());
        assertGe(list.length, 8, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].keys.length > 300) continue; // the model is quadratic
            for (uint256 j = 0; j < list[i].keys.length; ++j) {
                _trees[i].set(list[i].keys[j], keccak256(list[i].values[j]));
            }
            assertEq(_trees[i].root(), list[i].root, list[i].name);
        }
    }
}
