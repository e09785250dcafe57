// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {Batch, IAttestedFacts, IRootVerifier, Resource} from "../../contracts/interfaces/IHypha.sol";
import {AttackWorld} from "./AttackWorld.sol";

/// @title Defects of the seed that this project grew from (rows S1 to S8 of docs/attacks.md)
contract SeedDefectsTest is AttackWorld {
    /// @dev S1: "could not be shown spent" was taken for "unspent".
    function test_S1_failedProof_neverMeansUnspent() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        bytes32 nullifier = nullifierOf(note);
        bytes memory unspent = proveOne(nullifierKey(nullifier));
        land(commitBatch(move(note, ALICE, HUB_CHAIN, vm.addr(BOB))));
        bytes memory spent = proveOne(nullifierKey(nullifier));
        assertTrue(hub.isNullifierSpent(nullifier, spent));
        bytes[3] memory bad = [unspent, bytes(""), proveOne(resourceKey(note))];
        for (uint256 i = 0; i < bad.length; ++i) {
            refuse(
                address(this),
                address(hub),
                abi.encodeWithSignature("isNullifierSpent(bytes32,bytes)", nullifier, bad[i])
            );
        }
        for (uint256 i = 0; i < spent.length; ++i) {
            bytes memory altered = flipped(spent, i, i % 8);
            refuse(
                address(this),
                address(hub),
                abi.encodeWithSignature("isNullifierSpent(bytes32,bytes)", nullifier, altered)
            );
        }
    }

    /// @dev S3: every root that was ever the latest is in the history once, and in one kind of event once.
    function test_S3_everyRoot_isInHistoryAndEventOnce() public {
        vm.recordLogs();
        landIssues(4);
        follow(4);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256[2][5] memory seen;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IRootVerifier.RootUpdated.selector) continue;
            uint64 index = uint64(uint256(logs[i].topics[3]));
            assertEq(logs[i].topics[1], rootOf[index - 1]);
            assertEq(logs[i].topics[2], rootOf[index]);
            ++seen[index][logs[i].emitter == address(hub) ? 0 : 1];
        }
        for (uint64 index = 1; index <= 4; ++index) {
            assertEq(seen[index][0], 1);
            assertEq(seen[index][1], 1);
            assertEq(hub.rootAt(index), rootOf[index]);
            assertEq(spoke.rootAt(index), rootOf[index]);
        }
    }

    /// @dev S4: no way back. Governance can neither put an older root on the hub nor one below what a spoke still knows.
    function test_S4_noRollback() public {
        landIssues(3);
        follow(3);
        vm.chainId(SPOKE_CHAIN);
        bytes memory proof = rootFact(1);
        vm.startPrank(GOVERNANCE);
        spoke.freeze(3);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.IndexMismatch.selector, 3, 1));
        spoke.thaw(1, rootOf[1], chainOf[1], proof);
        vm.chainId(HUB_CHAIN);
        (bool known,) = address(hub).call(abi.encodeCall(spoke.thaw, (1, rootOf[1], chainOf[1], proof)));
        assertFalse(known, "the hub has no such function");
        vm.stopPrank();
        assertEq(hub.stateRoot(), rootOf[3]);
    }

    /// @dev S5: the new root follows from the operations; what the caller names must be it.
    function testFuzz_S5_namedRoot_isNeverTaken(bytes32 named) public {
        landIssues(2);
        bytes32 latest = rootOf[2];
        Batch memory honest = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 9));
        vm.assume(named != honest.newRoot);
        bytes memory call = abi.encodeCall(hub.applyBatch, (3, honest.operations, honest.witness, named));
        bytes memory reason = refuse(SEQUENCER, address(hub), call);
        assertEq(
            reason, abi.encodeWithSelector(IRootVerifier.NewRootMismatch.selector, named, honest.newRoot)
        );
        assertEq(hub.stateRoot(), latest);
    }

    /// @dev S7: what one spoke says of the hub's root is no fact about the hub, whoever attests it.
    function test_S7_hearsayOfAnotherSpoke_refused() public {
        landIssues(1);
        follow(1);
        vm.chainId(ATTESTED_CHAIN);
        bytes32 value = keccak256(abi.encode(rootOf[1], chainOf[1]));
        bytes32 key = keccak256(abi.encodePacked("hypha:root", uint64(1)));
        bytes[2] memory hearsay = [
            fact(SPOKE_CHAIN, address(spoke), key, value),
            appliedFact(SPOKE_CHAIN, address(spoke), 1, rootOf[1])
        ];
        for (uint256 i = 0; i < hearsay.length; ++i) {
            bytes memory call =
                abi.encodeCall(attestedSpoke.advanceAttested, (1, rootOf[1], chainOf[1], hearsay[i]));
            refuse(address(this), address(attestedSpoke), call, IAttestedFacts.NotAttestor.selector);
        }
        followAttested(1);
    }
}
