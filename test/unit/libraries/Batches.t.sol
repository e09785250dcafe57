// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {BatchHarness} from "../../utils/BatchHarness.sol";
import {Vectors} from "../../utils/Vectors.sol";

contract BatchesTest is Test {
    string private _json;
    BatchHarness private _hub;
    BatchHarness private _spoke;

    function setUp() public {
        _json = Vectors.protocol();
        uint256 hubChainId = vm.parseJsonUint(_json, ".hubChainId");
        address hub = vm.parseJsonAddress(_json, ".hub");
        uint256[] memory domains = vm.parseJsonUintArray(_json, ".domains");
        _hub = new BatchHarness(hubChainId, hub, domains, true);
        _spoke = new BatchHarness(hubChainId, hub, domains, false);
        vm.warp(vm.parseJsonUint(_json, ".timestamp"));
    }

    function test_verifyBatch_honestVector_passes() public view {
        Vectors.Step[] memory list = Vectors.steps(_json);
        assertGe(list.length, 5, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            _hub.verifyBatch(list[i].root, list[i].operations, list[i].witness, list[i].newRoot);
            _spoke.verifyBatch(list[i].root, list[i].operations, list[i].witness, list[i].newRoot);
        }
    }

    function test_verifyBatch_refusedVector_revertsWithItsReason() public view {
        Vectors.RefusedBatch[] memory list = Vectors.refusedBatches(_json);
        assertGe(list.length, 30, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.RefusedBatch memory item = list[i];
            try _hub.verifyBatch(item.root, item.operations, item.witness, item.newRoot) {
                assertTrue(false, item.name);
            } catch (bytes memory reason) {
                assertEq(reason, item.failure, item.name);
            }
        }
    }
}
