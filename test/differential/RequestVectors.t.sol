// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {HubConfig, IFactVerifier} from "../../contracts/interfaces/IHypha.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {Ids} from "../../contracts/libraries/Ids.sol";
import {Key} from "../../contracts/types/TreeTypes.sol";
import {OperationsHarness} from "../utils/OperationsHarness.sol";
import {Vectors} from "../utils/Vectors.sol";

/// @title What Rust says of requests and of the hub's queue, on the contracts
contract RequestVectorsTest is Test {
    struct Asked {
        string name;
        uint256 chainId;
        uint64 number;
        uint8 requestType;
        address sender;
        bytes content;
        bytes32 hash;
        bytes32 voidKey;
    }

    struct RefusedRequest {
        string name;
        uint256 chainId;
        uint8 requestType;
        address sender;
        bytes content;
        bool onlyHub; // accepted where neither the time nor the chains are looked at
        bytes failure; // "error" in the file: the whole revert data
    }

    struct Queued {
        uint64 beforeIndex;
        uint256 chainId;
        uint64 number;
        uint8 requestType;
        address sender;
        bytes content;
        bytes32 hash;
    }

    string private _json;
    uint256 private _hubChainId;
    address private _hubAccount;
    uint256[] private _domains;
    address private _facts = makeAddr("facts");

    function setUp() public {
        _json = Vectors.protocol();
        _hubChainId = vm.parseJsonUint(_json, ".hubChainId");
        _hubAccount = vm.parseJsonAddress(_json, ".hub");
        _domains = vm.parseJsonUintArray(_json, ".domains");
        vm.warp(vm.parseJsonUint(_json, ".timestamp"));
    }

    function test_checkRequest_honestVector_givesItsHash() public {
        string memory shape =
            "A(string name,uint256 chainId,uint64 number,uint8 requestType,address sender,bytes content,bytes32 hash,bytes32 voidKey)";
        Asked[] memory list = abi.decode(vm.parseJsonTypeArray(_json, ".requests", shape), (Asked[]));
        assertGe(list.length, 8, "vectors");
        OperationsHarness hub = new OperationsHarness(_hubChainId, _hubAccount, _domains, true, true);
        for (uint256 i = 0; i < list.length; ++i) {
            Asked memory asked = list[i];
            bytes32 hash = hub.checkRequest(asked.content, asked.requestType, asked.chainId, asked.sender);
            assertEq(hash, asked.hash, asked.name);
            assertEq(Key.unwrap(Ids.voidKey(asked.chainId, asked.number)), asked.voidKey, asked.name);
        }
    }

    function test_checkRequest_refusedVector_revertsWithItsReason() public {
        string memory shape =
            "R(string name,uint256 chainId,uint8 requestType,address sender,bytes content,bool onlyHub,bytes error)";
        RefusedRequest[] memory list =
            abi.decode(vm.parseJsonTypeArray(_json, ".refusedRequests", shape), (RefusedRequest[]));
        assertGe(list.length, 15, "vectors");
        OperationsHarness hub = new OperationsHarness(_hubChainId, _hubAccount, _domains, true, true);
        OperationsHarness neither = new OperationsHarness(_hubChainId, _hubAccount, _domains, false, false);
        for (uint256 i = 0; i < list.length; ++i) {
            _checkRefused(hub, list[i]);
            if (!list[i].onlyHub) {
                _checkRefused(neither, list[i]);
            } else {
                neither.checkRequest(list[i].content, list[i].requestType, list[i].chainId, list[i].sender);
            }
        }
    }

    function test_hub_queueOfTheVectors_isResolvedByTheirBatches() public {
        string memory shape =
            "Q(uint64 beforeIndex,uint256 chainId,uint64 number,uint8 requestType,address sender,bytes content,bytes32 hash)";
        Queued[] memory queue = abi.decode(vm.parseJsonTypeArray(_json, ".queue", shape), (Queued[]));
        Vectors.Step[] memory steps = _steps();
        assertGe(steps.length, 4, "vectors");
        RootHub hub = _deployHub();
        uint256 next = 0;
        for (uint256 i = 0; i < steps.length; ++i) {
            for (; next < queue.length && queue[next].beforeIndex == steps[i].index; ++next) {
                _enqueue(hub, queue[next], next);
            }
            hub.applyBatch(steps[i].index, steps[i].operations, steps[i].witness, steps[i].newRoot);
            assertEq(hub.stateRoot(), steps[i].newRoot, steps[i].name);
            assertEq(hub.batchChain(steps[i].index), steps[i].batchChain, steps[i].name);
        }
        (uint64 enqueued, uint64 resolved) = hub.queue();
        assertEq(enqueued, queue.length, "every request came");
        assertEq(resolved, queue.length, "every request is resolved");
    }

    function _steps() private view returns (Vectors.Step[] memory) {
        string memory shape =
            "S(string name,uint64 index,bytes32 root,bytes32 newRoot,bytes operations,bytes witness,bytes32 previousBatchChain,bytes32 batchChain)";
        return abi.decode(vm.parseJsonTypeArray(_json, ".queuedBatches", shape), (Vectors.Step[]));
    }

    function _enqueue(RootHub hub, Queued memory queued, uint256 position) private {
        if (queued.chainId == _hubChainId) {
            vm.prank(queued.sender);
            assertEq(hub.requestTransfer(queued.content), queued.number);
        } else {
            hub.enqueueRemote(
                queued.chainId, queued.number, queued.requestType, queued.sender, queued.content, ""
            );
        }
        (,,, bytes32 hash) = hub.queuedAt(uint64(position));
        assertEq(hash, queued.hash);
    }

    function _checkRefused(OperationsHarness harness, RefusedRequest memory item) private view {
        try harness.checkRequest(item.content, item.requestType, item.chainId, item.sender) {
            assertTrue(false, item.name);
        } catch (bytes memory reason) {
            assertEq(reason, item.failure, item.name);
        }
    }

    /// @dev A hub that believes every fact: whether one is true is not the matter here.
    function _deployHub() private returns (RootHub hub) {
        hub = RootHub(_hubAccount);
        vm.chainId(_hubChainId);
        vm.mockCall(
            _facts,
            abi.encodeWithSelector(IFactVerifier.verifyFact.selector),
            abi.encode(uint64(1), uint64(1))
        );
        HubConfig memory config;
        config.governance.owner = address(this);
        config.factVerifier = _facts;
        config.sequencers = new address[](1);
        config.sequencers[0] = address(this);
        (config.livenessWindow, config.inclusionWindow) = (1 hours, 1 hours);
        deployCodeTo("RootHub.sol:RootHub", abi.encode(config), address(hub));
        for (uint256 i = 0; i < _domains.length; ++i) {
            if (_domains[i] != _hubChainId) hub.registerSpoke(_domains[i], address(uint160(1 + i)));
        }
    }
}
