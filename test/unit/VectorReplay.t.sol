// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {HubConfig} from "../../contracts/interfaces/IHypha.sol";
import {AttestedFacts} from "../../contracts/facts/AttestedFacts.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {Vectors} from "../utils/Vectors.sol";

/// @title What Rust built and signed, on the deployed contracts at the addresses that it was signed for
contract VectorReplayTest is Test {
    string private _json;

    function setUp() public {
        _json = Vectors.protocol();
        vm.warp(vm.parseJsonUint(_json, ".timestamp"));
    }

    function test_hub_batches_giveRootsAndChains() public {
        RootHub hub = _deployHub();
        Vectors.Step[] memory steps = Vectors.steps(_json);
        assertGe(steps.length, 5, "vectors");
        for (uint256 i = 0; i < steps.length; ++i) {
            Vectors.Step memory step = steps[i];
            assertEq(hub.stateRoot(), step.root, step.name);
            assertEq(hub.batchChain(step.index - 1), step.previousBatchChain, step.name);
            hub.applyBatch(step.index, step.operations, step.witness, step.newRoot);
            assertEq(hub.stateRoot(), step.newRoot, step.name);
            assertEq(hub.batchChain(step.index), step.batchChain, step.name);
        }
    }

    function test_facts_attestationsAndConflicts_pass() public {
        vm.chainId(vm.parseJsonUint(_json, ".facts.verifierChainId"));
        AttestedFacts facts = AttestedFacts(vm.parseJsonAddress(_json, ".facts.verifier"));
        address[] memory attestors = vm.parseJsonAddressArray(_json, ".facts.attestors");
        deployCodeTo(
            "AttestedFacts.sol:AttestedFacts",
            abi.encode(address(this), attestors, uint64(2), type(uint64).max),
            address(facts)
        );
        assertEq(facts.domainSeparator(), vm.parseJsonBytes32(_json, ".facts.domainSeparator"));
        Vectors.Attestation[] memory list = Vectors.attestations(_json);
        assertGe(list.length, 3, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.Attestation memory said = list[i];
            (uint64 srcBlock, uint64 srcTime) =
                facts.verifyFact(said.srcChain, said.emitter, said.key, said.value, said.proof);
            assertEq(srcBlock, said.blockNumber, said.name);
            assertEq(srcTime, said.blockTime, said.name);
        }
        Vectors.Conflict memory conflict = Vectors.conflicts(_json)[0];
        facts.verifyConflict(
            conflict.srcChain, conflict.emitter, conflict.key, conflict.first, conflict.second, conflict.proof
        );
    }

    function _deployHub() private returns (RootHub hub) {
        hub = RootHub(vm.parseJsonAddress(_json, ".hub"));
        uint256 hubChainId = vm.parseJsonUint(_json, ".hubChainId");
        vm.chainId(hubChainId);
        address[] memory sequencers = new address[](1);
        sequencers[0] = address(this);
        HubConfig memory config;
        config.governance.owner = address(this);
        config.factVerifier = address(1);
        config.sequencers = sequencers;
        (config.livenessWindow, config.inclusionWindow) = (1 hours, 1 hours);
        deployCodeTo("RootHub.sol:RootHub", abi.encode(config), address(hub));
        uint256[] memory domains = vm.parseJsonUintArray(_json, ".domains");
        for (uint256 i = 0; i < domains.length; ++i) {
            if (domains[i] != hubChainId) hub.registerSpoke(domains[i], address(1));
        }
    }
}
