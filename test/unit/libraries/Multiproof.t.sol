// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {MultiproofHarness} from "../../utils/MultiproofHarness.sol";
import {Vectors} from "../../utils/Vectors.sol";

contract MultiproofTest is Test {
    MultiproofHarness private _harness;
    string private _json;

    function setUp() public {
        _harness = new MultiproofHarness();
        _json = Vectors.tree();
    }

    function test_verify_honestVector_givesNewRoot() public view {
        Vectors.Transition[] memory list = Vectors.transitions(_json);
        assertGe(list.length, 30, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.Transition memory item = list[i];
            bytes32 newRoot =
                _harness.verify(item.root, Vectors.touches(item.keys, item.olds, item.news), item.proof);
            assertEq(newRoot, item.newRoot, item.name);
        }
    }

    function test_verify_refusedVector_revertsWithItsReason() public view {
        _checkRefused(".refused", 60);
    }

    function test_verify_hostileVector_revertsWithItsReason() public view {
        _checkRefused(".hostile", 200);
    }

    function _checkRefused(string memory group, uint256 atLeast) private view {
        Vectors.RefusedProof[] memory list = Vectors.refusedProofs(_json, group);
        assertGe(list.length, atLeast, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.RefusedProof memory item = list[i];
            try _harness.verify(item.root, Vectors.touches(item.keys, item.olds, item.news), item.proof) {
                assertTrue(false, item.name);
            } catch (bytes memory reason) {
                assertEq(reason, item.failure, item.name);
            }
        }
    }
}
