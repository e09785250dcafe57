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

    function testFuzz_parent_sameAsThePlainForm(bytes32 child, bytes32 sibling, bytes memory before)
        public
        pure
    {
        bytes32 kept = keccak256(before);
        assertEq(TreeHash.parent(0, child, sibling), TreeModel.nodeHash(child, sibling), "left");
        assertEq(TreeHash.parent(1, child, sibling), TreeModel.nodeHash(sibling, child), "right");
        assertEq(keccak256(before), kept, "memory before");
        assertEq(keccak256(new bytes(96)), keccak256(abi.encode(0, 0, 0)), "memory after");
    }

    function testFuzz_sharedBits_sameAsCounting(bytes32 a, uint8 flipped, bool equal) public pure {
        bytes32 b = equal ? a : a ^ bytes32(2 ** (255 - uint256(flipped)));
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
