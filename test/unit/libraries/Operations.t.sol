// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Key, Touch, ValueHash} from "../../../contracts/types/TreeTypes.sol";
import {OperationsHarness} from "../../utils/OperationsHarness.sol";
import {Vectors} from "../../utils/Vectors.sol";

contract OperationsTest is Test {
    string private _json;
    OperationsHarness private _hub;
    OperationsHarness private _spoke;

    function setUp() public {
        _json = Vectors.protocol();
        uint256 hubChainId = vm.parseJsonUint(_json, ".hubChainId");
        address hub = vm.parseJsonAddress(_json, ".hub");
        uint256[] memory domains = vm.parseJsonUintArray(_json, ".domains");
        _hub = new OperationsHarness(hubChainId, hub, domains, true, true);
        _spoke = new OperationsHarness(hubChainId, hub, domains, false, false);
        vm.warp(vm.parseJsonUint(_json, ".timestamp"));
    }

    function test_domainSeparator_vector_same() public view {
        assertEq(_hub.domainSeparator(), vm.parseJsonBytes32(_json, ".domainSeparator"));
    }

    function test_check_honestVector_givesTheTouches() public {
        Vectors.Packed[] memory list = Vectors.packed(_json);
        assertGe(list.length, 10, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.Packed memory item = list[i];
            vm.warp(item.timestamp);
            _checkTouches(_hub.check(item.operations).touches, item);
            _checkTouches(_spoke.check(item.operations).touches, item);
        }
    }

    function test_check_refusedVector_revertsWithItsReason() public {
        Vectors.RefusedOperations[] memory list = Vectors.refusedOperations(_json);
        assertGe(list.length, 140, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.RefusedOperations memory item = list[i];
            vm.warp(item.timestamp);
            _checkRefused(_hub, item);
            if (item.onlyHub) _spoke.check(item.operations);
            else _checkRefused(_spoke, item);
        }
    }

    function _checkRefused(OperationsHarness harness, Vectors.RefusedOperations memory item) private view {
        try harness.check(item.operations) {
            assertTrue(false, item.name);
        } catch (bytes memory reason) {
            assertEq(reason, item.failure, item.name);
        }
    }

    function _checkTouches(Touch[] memory touches, Vectors.Packed memory item) private pure {
        assertEq(touches.length, item.touchKeys.length, item.name);
        for (uint256 i = 0; i < touches.length; ++i) {
            assertEq(Key.unwrap(touches[i].key), item.touchKeys[i], item.name);
            assertEq(ValueHash.unwrap(touches[i].oldValue), item.touchOlds[i], item.name);
            assertEq(ValueHash.unwrap(touches[i].newValue), item.touchNews[i], item.name);
        }
    }
}
