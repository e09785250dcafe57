// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Batch,
    HubConfig,
    IOperationErrors,
    IProofErrors,
    IRootVerifier,
    Resource,
    SpokeConfig
} from "../../contracts/interfaces/IHypha.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {TreeModel} from "../utils/TreeModel.sol";
import {AttackWorld} from "./AttackWorld.sol";

/// @title Attacks on the step from one root to the next (rows A1 to A20 of docs/attacks.md)
contract BatchAttacksTest is AttackWorld {
    using TreeModel for TreeModel.Tree;

    TreeModel.Tree private _forged;

    // ---- A1: zero

    function test_A1_zeroRoot_isNeverKnown() public {
        assertZeroUnknown();
        landIssues(3);
        follow(2);
        followAttested(3);
        assertZeroUnknown();
        vm.chainId(SPOKE_CHAIN);
        spoke.freezeOnConflict(1, "a", "b", conflictProof(1, "a", "b"));
        assertZeroUnknown();
        bytes memory proof = rootFact(3);
        vm.prank(GOVERNANCE);
        spoke.thaw(3, rootOf[3], chainOf[3], proof);
        assertZeroUnknown();
    }

    /// @dev Neither from the zero root nor to it, even when attestors vouch for it.
    function test_A1_zeroRoot_isNeverInstalled() public {
        Batch memory batch = draftBatch(only(issue(HUB_CHAIN, vm.addr(ALICE), 5)));
        assertEq(batch.newRoot, 0);
        refuse(SEQUENCER, address(hub), applyCall(1, batch), IRootVerifier.NewRootMismatch.selector);
        vm.chainId(ATTESTED_CHAIN);
        bytes32 chain = keccak256("chain");
        bytes memory call =
            abi.encodeCall(attestedSpoke.advanceAttested, (1, 0, chain, rootFact(1, 0, chain)));
        refuse(address(this), address(attestedSpoke), call, IProofErrors.ZeroRoot.selector);
        SpokeConfig memory config = spokeConfig(true, false);
        (config.index, config.root) = (7, 0);
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        new RootSpoke(config);
    }

    function test_A1_zeroConfiguration_refused() public {
        HubConfig memory config = hubConfig();
        config.factVerifier = address(0);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new RootHub(config);
        config = hubConfig();
        config.sequencers[0] = address(0);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new RootHub(config);
        SpokeConfig memory ofSpoke = spokeConfig(false, false);
        ofSpoke.hub = address(0);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new RootSpoke(ofSpoke);
        ofSpoke = spokeConfig(false, false);
        ofSpoke.hubChainId = 0;
        vm.expectRevert(IOperationErrors.ZeroDomain.selector);
        new RootSpoke(ofSpoke);
    }

    // ---- A2: every byte

    function test_A2_everyByteOfTheOperations_matters() public {
        Batch memory honest = prepare();
        uint256 length = honest.operations.length;
        for (uint256 i = 0; i < length; ++i) {
            for (uint256 bit = 0; bit < 8; ++bit) {
                refuseOperations(honest, flipped(honest.operations, i, bit));
            }
            refuseOperations(honest, removed(honest.operations, i));
            refuseOperations(honest, inserted(honest.operations, i, byteOf(i)));
        }
        refuseOperations(honest, bytes.concat(honest.operations, hex"00"));
        landAs(SEQUENCER, honest);
    }

    function test_A2_everyByteOfTheWitness_matters() public {
        Batch memory honest = prepare();
        uint256 length = honest.witness.length;
        for (uint256 i = 0; i < length; ++i) {
            for (uint256 bit = 0; bit < 8; ++bit) {
                refuseWitness(honest, flipped(honest.witness, i, bit));
            }
            refuseWitness(honest, removed(honest.witness, i));
            refuseWitness(honest, inserted(honest.witness, i, byteOf(i)));
        }
        refuseWitness(honest, bytes.concat(honest.witness, hex"00"));
        landAs(SEQUENCER, honest);
    }

    /// @dev And of the fact that a spoke takes.
    function test_A2_everyByteOfAFact_matters() public {
        landIssues(1);
        vm.chainId(SPOKE_CHAIN);
        bytes memory honest = rootFact(1);
        Batch[] memory batches = batchesBetween(1, 1);
        for (uint256 i = 0; i < honest.length; ++i) {
            bytes memory altered = flipped(honest, i, i % 8);
            refuse(address(this), address(spoke), abi.encodeCall(spoke.advance, (batches, 1, altered)));
        }
        spoke.advance(batches, 1, honest);
    }

    // ---- A8, A9: the order of the keys

    /// @dev Three keys are touched. Of the 27 ways to name three of them one is ascending; the others name a key twice or
    /// are another order.
    function test_A8_A9_everyOtherOrder_refused() public {
        Batch memory honest = prepare();
        bytes memory proof = part(honest.witness, 6, honest.witness.length);
        bytes32 order = keccak256(part(honest.witness, 0, 6));
        uint256 repeated = 0;
        for (uint256 i = 0; i < 27; ++i) {
            bytes memory other =
                abi.encodePacked(hex"00", byteOf(i / 9), hex"00", byteOf(i / 3 % 3), hex"00", byteOf(i % 3));
            if (keccak256(other) == order) continue;
            bytes4 reason = selectorOf(refuseWitness(honest, bytes.concat(other, proof)));
            if (reason == IProofErrors.KeyRepeated.selector) ++repeated;
            else assertEq(reason, IProofErrors.KeysNotAscending.selector);
        }
        assertGt(repeated, 0);
        landAs(SEQUENCER, honest);
    }

    function test_A8_oneNoteTwiceInABatch_refused() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        OperationBuilder.Operation memory first = move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB));
        OperationBuilder.Operation memory second = move(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        Batch memory batch = draftBatch(listOf(first, second));
        refuse(SEQUENCER, address(hub), applyCall(2, batch), IProofErrors.KeyRepeated.selector);
        batch = draftBatch(listOf(first, first));
        refuse(SEQUENCER, address(hub), applyCall(2, batch), IProofErrors.KeyRepeated.selector);
    }

    // ---- A10: one space of keys for each kind of thing

    function testFuzz_A10_spacesOfKeys_doNotMeet(uint256 domainId, bytes32 word, uint64 number) public view {
        bytes32 nullifier = nullifierKey(word);
        bytes32 root = hub.getNamespacedKey(domainId, keccak256("ROOT"));
        bytes32 resource = hub.getNamespacedKey(domainId, keccak256(abi.encodePacked("resource:", word)));
        bytes32 void = hub.getNamespacedKey(domainId, keccak256(abi.encodePacked("void:", number)));
        bytes32 record = hub.getNamespacedKey(domainId, keccak256(abi.encodePacked("record:", word)));
        bytes32[5] memory keys = [nullifier, root, resource, void, record];
        for (uint256 i = 0; i < 5; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                assertNotEq(keys[i], keys[j]);
            }
        }
        assertNotEq(hub.getNamespacedKey(domainId ^ 1, word), hub.getNamespacedKey(domainId, word));
    }

    // ---- A15: the number of a step

    function test_A15_validBatchAtAnotherIndex_refused() public {
        Batch memory batch = prepare();
        bytes4 reason = IRootVerifier.IndexMismatch.selector;
        uint64[4] memory others = [uint64(0), 1, 3, type(uint64).max];
        for (uint256 i = 0; i < others.length; ++i) {
            refuse(SEQUENCER, address(hub), applyCall(others[i], batch), reason);
        }
        landAs(SEQUENCER, batch);
        refuse(SEQUENCER, address(hub), applyCall(2, batch), reason);
        refuse(SEQUENCER, address(hub), applyCall(3, batch), IProofErrors.RootMismatch.selector);
        assertEq(hub.batchChain(2), chainOf[2]);
        assertEq(
            chainOf[2], keccak256(abi.encode(chainOf[1], uint64(2), rootOf[2], keccak256(batch.operations)))
        );
    }

    // ---- A18: what is too large

    /// @dev Refused by its length alone, for less than the calldata costs.
    function test_A18_tooManyBytes_refusedAtOnce() public {
        Batch memory batch;
        batch.operations = new bytes(65_537);
        bytes memory call = applyCall(1, batch);
        vm.prank(SEQUENCER);
        uint256 before = gasleft();
        (bool done, bytes memory reason) = address(hub).call(call);
        assertLt(before - gasleft(), 500_000);
        assertFalse(done);
        assertEq(selectorOf(reason), IOperationErrors.OperationsTooLong.selector);
    }

    function test_A18_tooManyKeys_refusedBeforeTheTree() public {
        OperationBuilder.Operation memory one = issue(HUB_CHAIN, vm.addr(ALICE), 5);
        Batch memory batch;
        batch.operations = hex"0101"; // 257
        for (uint256 i = 0; i < 257; ++i) {
            batch.operations = bytes.concat(batch.operations, one.packed);
        }
        refuse(SEQUENCER, address(hub), applyCall(1, batch), IOperationErrors.TooManyKeys.selector);
    }

    // ---- A19: what is left out

    function test_A19_emptyFields_neverSkipACheck() public {
        Batch memory honest = prepare();
        Batch memory bare = Batch("", honest.witness, honest.newRoot);
        refuse(SEQUENCER, address(hub), applyCall(2, bare), IOperationErrors.OperationsLength.selector);
        bare.operations = hex"0000";
        refuse(SEQUENCER, address(hub), applyCall(2, bare), IOperationErrors.NoOperations.selector);
        bare = Batch(honest.operations, "", honest.newRoot);
        refuse(SEQUENCER, address(hub), applyCall(2, bare), IOperationErrors.OrderLength.selector);
        bare.witness = part(honest.witness, 0, 6);
        refuse(SEQUENCER, address(hub), applyCall(2, bare), IProofErrors.ProofLength.selector);
        landAs(SEQUENCER, honest);
        vm.chainId(SPOKE_CHAIN);
        refuse(address(this), address(spoke), abi.encodeCall(spoke.advance, (new Batch[](0), 2, rootFact(2))));
        refuse(address(this), address(spoke), abi.encodeCall(spoke.advance, (batchesBetween(1, 2), 2, "")));
        vm.chainId(ATTESTED_CHAIN);
        bytes memory call = abi.encodeCall(attestedSpoke.advanceAttested, (2, rootOf[2], chainOf[2], ""));
        refuse(address(this), address(attestedSpoke), call);
        vm.chainId(HUB_CHAIN);
        call = abi.encodeCall(hub.confirm, (SPOKE_CHAIN, 1, rootOf[1], ""));
        refuse(address(this), address(hub), call);
        call = abi.encodeCall(hub.enqueueRemote, (SPOKE_CHAIN, 1, TRANSFER, address(this), "", ""));
        refuse(address(this), address(hub), call);
    }

    // ---- A20: a base that nobody committed

    /// @dev Consistent in itself, and everything that is signed is signed, but against a tree of the attacker's own.
    function test_A20_consistentBatchOnAForgedBase_refused() public {
        landIssues(2);
        OperationBuilder.Operation memory unborn = issue(SPOKE_CHAIN, vm.addr(ALICE), 5);
        _forged.set(resourceKey(unborn.created[0]), keccak256(abi.encode(unborn.created[0])));
        _forged.set(keccak256("filling"), keccak256("value"));
        bytes32 base = _forged.root();
        Batch memory batch = forgedBatch(only(move(unborn.created[0], ALICE, SPOKE_CHAIN, vm.addr(BOB))));
        bytes memory reason = refuse(SEQUENCER, address(hub), applyCall(3, batch));
        assertEq(reason, abi.encodeWithSelector(IProofErrors.RootMismatch.selector, rootOf[2], base));
        assertFalse(hub.isKnownRoot(base));
        // Not on a spoke either, though attestors vouch for what it leads to.
        vm.chainId(SPOKE_CHAIN);
        Batch[] memory batches = batchesBetween(1, 3 - 1);
        spoke.advance(batches, 2, rootFact(2));
        batches = new Batch[](1);
        batches[0] = batch;
        bytes32 chain =
            keccak256(abi.encode(chainOf[2], uint64(3), batch.newRoot, keccak256(batch.operations)));
        bytes memory call = abi.encodeCall(spoke.advance, (batches, 3, rootFact(3, batch.newRoot, chain)));
        refuse(address(this), address(spoke), call, IProofErrors.RootMismatch.selector);
    }

    // ---- helpers

    /// @dev A batch of one transfer, of three keys, that would be accepted next.
    function prepare() private returns (Batch memory) {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 500);
        return commitBatch(move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB)));
    }

    function refuseOperations(Batch memory honest, bytes memory operations) private {
        refuse(SEQUENCER, address(hub), applyCall(2, Batch(operations, honest.witness, honest.newRoot)));
    }

    function refuseWitness(Batch memory honest, bytes memory witness) private returns (bytes memory) {
        return
            refuse(SEQUENCER, address(hub), applyCall(2, Batch(honest.operations, witness, honest.newRoot)));
    }

    /// @dev As `commitBatch`, on the forged tree.
    function forgedBatch(OperationBuilder.Operation[] memory operations)
        private
        returns (Batch memory batch)
    {
        (bytes32[] memory keys, bytes32[] memory news) = touchesOf(operations);
        uint256[] memory order = sortedOrder(keys);
        bytes32[] memory sorted = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            sorted[i] = keys[order[i]];
            batch.witness = bytes.concat(batch.witness, hex"00", byteOf(order[i]));
        }
        batch.witness = bytes.concat(batch.witness, _forged.prove(sorted));
        batch.operations = packed(operations);
        for (uint256 i = 0; i < keys.length; ++i) {
            if (news[i] != 0) _forged.set(keys[i], news[i]);
        }
        batch.newRoot = _forged.root();
    }

    function assertZeroUnknown() private view {
        assertFalse(hub.isKnownRoot(0) || spoke.isKnownRoot(0) || attestedSpoke.isKnownRoot(0));
        assertFalse(hub.verifyAbsence(0, keccak256("key"), ""));
        assertFalse(spoke.verifyProof(0, keccak256("key"), "value", ""));
    }
}
