// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {
    Batch,
    IAttestedFacts,
    IOperationErrors,
    IProofErrors,
    IRootSpoke,
    IRootVerifier,
    Resource,
    SpokeConfig
} from "../../contracts/interfaces/IHypha.sol";
import {Vm} from "forge-std/Vm.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {World} from "../utils/World.sol";

contract RootSpokeTest is World {
    bytes32 private constant OTHER = keccak256("another root");

    // ---- construction

    function test_constructor_genesis_holdsTheEmptyTree() public view {
        assertEq(spoke.index(), 0);
        assertEq(spoke.rootAt(0), rootOf[0]);
        assertEq(spoke.batchChain(0), chainOf[0]);
        assertEq(spoke.domainSeparator(), hub.domainSeparator());
        assertEq(spoke.hub(), address(hub));
        assertEq(spoke.hubChainId(), HUB_CHAIN);
        assertEq(spoke.frozenAt(), FAR);
        assertFalse(spoke.attested());
        assertTrue(attestedSpoke.attested());
        assertFalse(spoke.isKnownRoot(0));
    }

    function test_constructor_otherGenesis_reverts() public {
        SpokeConfig memory config = spokeConfig(false, false);
        config.root = OTHER;
        vm.expectRevert(abi.encodeWithSelector(IRootSpoke.HubMismatch.selector, 0));
        new RootSpoke(config);
        config = spokeConfig(false, false);
        config.batchChain = OTHER;
        vm.expectRevert(abi.encodeWithSelector(IRootSpoke.HubMismatch.selector, 0));
        new RootSpoke(config);
    }

    function test_constructor_zero_reverts() public {
        SpokeConfig memory config = spokeConfig(false, false);
        config.root = 0;
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        new RootSpoke(config);
        config = spokeConfig(false, false);
        config.batchChain = 0;
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        new RootSpoke(config);
        config = spokeConfig(false, false);
        config.hub = address(0);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new RootSpoke(config);
        config = spokeConfig(false, false);
        config.factVerifier = address(0);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        new RootSpoke(config);
        config = spokeConfig(false, false);
        config.hubChainId = 0;
        vm.expectRevert(IOperationErrors.ZeroDomain.selector);
        new RootSpoke(config);
        config = spokeConfig(false, false);
        config.governance.owner = address(0);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new RootSpoke(config);
    }

    function test_constructor_cacheThatCannotBeWhole_reverts() public {
        SpokeConfig memory config = spokeConfig(true, true);
        vm.expectRevert(IRootVerifier.NoNullifierCache.selector);
        new RootSpoke(config);
        config = spokeConfig(false, true);
        config.index = 1;
        config.root = OTHER;
        vm.expectRevert(IRootVerifier.NoNullifierCache.selector);
        new RootSpoke(config);
    }

    function test_constructor_laterCheckpoint_follows() public {
        landIssues(3);
        SpokeConfig memory config = spokeConfig(false, false);
        (config.index, config.root, config.batchChain) = (2, rootOf[2], chainOf[2]);
        vm.chainId(SPOKE_CHAIN);
        spoke = new RootSpoke(config);
        follow(3);
        assertEq(spoke.stateRoot(), rootOf[3]);
        assertFalse(spoke.isKnownRoot(rootOf[1]));
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 1));
        spoke.rootAt(1);
    }

    // ---- advance

    function test_advance_oneBatch_moves() public {
        landIssues(1);
        vm.expectEmit(address(spoke));
        emit IRootVerifier.RootUpdated(rootOf[0], rootOf[1], 1);
        follow(1);
        assertEq(spoke.stateRoot(), rootOf[1]);
        assertEq(spoke.batchChain(1), chainOf[1]);
    }

    function test_advance_severalBatches_holdsEach() public {
        landIssues(4);
        follow(4);
        for (uint64 i = 0; i <= 4; ++i) {
            assertEq(spoke.rootAt(i), rootOf[i]);
            assertEq(spoke.batchChain(i), chainOf[i]);
            assertTrue(spoke.isKnownRoot(rootOf[i]));
        }
    }

    function test_advance_appliedBatches_areSkipped() public {
        landIssues(3);
        follow(2);
        spoke.advance(batchesBetween(1, 3), 3, rootFact(3));
        assertEq(spoke.index(), 3);
        vm.recordLogs();
        spoke.advance(batchesBetween(1, 3), 3, "");
        spoke.advance(batchesBetween(1, 2), 2, "");
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_advance_gap_revertsAndCanBeRetried() public {
        landIssues(3);
        vm.chainId(SPOKE_CHAIN);
        bytes memory factProof = rootFact(3);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.IndexMismatch.selector, 1, 2));
        spoke.advance(batchesBetween(2, 3), 3, factProof);
        follow(3);
    }

    function test_advance_wrongNumberOfBatches_reverts() public {
        landIssues(2);
        vm.chainId(SPOKE_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(IRootSpoke.BatchCount.selector, 0));
        spoke.advance(new Batch[](0), 1, "");
        Batch[] memory two = batchesBetween(1, 2);
        vm.expectRevert(abi.encodeWithSelector(IRootSpoke.BatchCount.selector, 2));
        spoke.advance(two, 1, "");
        vm.expectRevert(abi.encodeWithSelector(IRootSpoke.BatchCount.selector, 2));
        spoke.advance(two, 0, "");
    }

    function test_advance_withoutTheHubsFact_reverts() public {
        landIssues(2);
        vm.chainId(SPOKE_CHAIN);
        Batch[] memory batches = batchesBetween(1, 1);
        bytes memory ofOtherIndex = rootFact(2);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.advance(batches, 1, ofOtherIndex);
        bytes memory ofOtherRoot = rootFact(1, OTHER, chainOf[1]);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.advance(batches, 1, ofOtherRoot);
        bytes memory ofOtherChain = rootFact(1, rootOf[1], OTHER);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.advance(batches, 1, ofOtherChain);
        vm.chainId(HUB_CHAIN);
        bytes memory forHub = rootFact(1);
        vm.chainId(SPOKE_CHAIN);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.advance(batches, 1, forHub);
        assertEq(spoke.index(), 0);
    }

    function test_advance_factForAnInvalidBatch_reverts() public {
        // Attestors vouch for a history with an operation nobody signed: the spoke does not follow.
        OperationBuilder.IssueDraft memory draft = issueDraft(SPOKE_CHAIN, vm.addr(BOB), 5);
        OperationBuilder.Operation memory forged = OperationBuilder.issue(draft, keccak256("no domain"));
        commitBatch(forged);
        vm.chainId(SPOKE_CHAIN);
        Batch[] memory batches = batchesBetween(1, 1);
        bytes memory factProof = rootFact(1);
        vm.expectPartialRevert(IOperationErrors.SignerMismatch.selector);
        spoke.advance(batches, 1, factProof);
    }

    function test_advance_deadlinesAndDomains_areTheHubsToCheck() public {
        OperationBuilder.IssueDraft memory draft = issueDraft(9009, vm.addr(ALICE), 5);
        draft.deadline = 1;
        commitBatch(OperationBuilder.issue(draft, hub.domainSeparator()));
        follow(1);
        assertEq(spoke.index(), 1);
    }

    function test_advance_attestedSpoke_reverts() public {
        vm.chainId(ATTESTED_CHAIN);
        vm.expectRevert(IRootSpoke.WrongMode.selector);
        attestedSpoke.advance(new Batch[](1), 1, "");
        vm.chainId(SPOKE_CHAIN);
        vm.expectRevert(IRootSpoke.WrongMode.selector);
        spoke.advanceAttested(1, OTHER, OTHER, "");
    }

    function test_advance_marksNullifiers() public {
        OperationBuilder.Operation memory first = issue(HUB_CHAIN, vm.addr(ALICE), 5);
        Resource memory note = first.created[0];
        land(commitBatch(first));
        land(commitBatch(move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB))));
        follow(1);
        assertFalse(spoke.isNullifierSpent(nullifierOf(note)));
        follow(2);
        assertTrue(spoke.isNullifierSpent(nullifierOf(note)));
        assertTrue(spoke.isNullifierSpent(nullifierOf(note), proveOne(nullifierKey(nullifierOf(note)))));
        vm.expectRevert(IRootVerifier.NoNullifierCache.selector);
        attestedSpoke.isNullifierSpent(nullifierOf(note));
    }

    function testFuzz_advance_oneByteAltered_refusedOrSameCall(uint256 position, uint8 mask) public {
        vm.assume(mask != 0);
        OperationBuilder.Operation memory first = issue(HUB_CHAIN, vm.addr(ALICE), 5);
        land(commitBatch(first));
        land(commitBatch(move(first.created[0], ALICE, SPOKE_CHAIN, vm.addr(BOB))));
        vm.chainId(SPOKE_CHAIN);
        bytes memory call = abi.encodeCall(spoke.advance, (batchesBetween(1, 2), 2, rootFact(2)));
        position = bound(position, 0, call.length - 1);
        call[position] = bytes1(uint8(call[position]) ^ mask);
        (bool landed,) = address(spoke).call(call);
        if (landed && spoke.index() == 2) assertEq(spoke.batchChain(2), chainOf[2]);
        assertEq(spoke.stateRoot(), landed && spoke.index() == 2 ? rootOf[2] : rootOf[0]);
    }

    // ---- advanceAttested

    function test_advanceAttested_skipsIndexes() public {
        landIssues(5);
        followAttested(2);
        followAttested(5);
        assertEq(attestedSpoke.stateRoot(), rootOf[5]);
        assertEq(attestedSpoke.rootAt(2), rootOf[2]);
        assertFalse(attestedSpoke.isKnownRoot(rootOf[3]));
        assertEq(attestedSpoke.batchChain(3), 0);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 3));
        attestedSpoke.rootAt(3);
    }

    function test_advanceAttested_olderOrSkipped_doesNothing() public {
        landIssues(3);
        followAttested(1);
        followAttested(3);
        vm.recordLogs();
        followAttested(3);
        followAttested(1);
        followAttested(2);
        attestedSpoke.advanceAttested(2, OTHER, OTHER, rootFact(2, OTHER, OTHER));
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(attestedSpoke.frozenAt(), FAR);
    }

    function test_advanceAttested_zero_reverts() public {
        vm.chainId(ATTESTED_CHAIN);
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        attestedSpoke.advanceAttested(1, 0, OTHER, "");
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        attestedSpoke.advanceAttested(1, OTHER, 0, "");
        assertFalse(attestedSpoke.isKnownRoot(0));
    }

    function test_advanceAttested_unproved_reverts() public {
        landIssues(1);
        vm.chainId(ATTESTED_CHAIN);
        bytes memory honest = rootFact(1);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        attestedSpoke.advanceAttested(1, OTHER, chainOf[1], honest);
        followAttested(1);
        // Nor does an unproved contradiction freeze.
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        attestedSpoke.advanceAttested(1, OTHER, chainOf[1], honest);
        assertEq(attestedSpoke.frozenAt(), FAR);
    }

    function test_advanceAttested_otherRootOrChain_freezes() public {
        landIssues(3);
        followAttested(1);
        followAttested(2);
        followAttested(3);
        bytes memory factProof = rootFact(2, rootOf[2], OTHER);
        vm.expectEmit(address(attestedSpoke));
        emit IRootSpoke.FrozenAt(2);
        attestedSpoke.advanceAttested(2, rootOf[2], OTHER, factProof);
        assertEq(attestedSpoke.frozenAt(), 2);
        assertTrue(attestedSpoke.isKnownRoot(rootOf[1]));
        assertFalse(attestedSpoke.isKnownRoot(rootOf[2]));
        assertFalse(attestedSpoke.isKnownRoot(rootOf[3]));
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        attestedSpoke.advanceAttested(4, OTHER, OTHER, "");
    }

    function test_advanceAttested_ring_keepsTheLast256() public {
        uint64 rounds = 3 * 256 + 7;
        vm.chainId(ATTESTED_CHAIN);
        for (uint64 i = 1; i <= rounds; ++i) {
            (bytes32 root, bytes32 chain) = madeUp(i);
            attestedSpoke.advanceAttested(2 * i, root, chain, rootFact(2 * i, root, chain));
        }
        for (uint64 i = 1; i <= rounds; ++i) {
            (bytes32 root, bytes32 chain) = madeUp(i);
            bool kept = i + 256 > rounds;
            assertEq(attestedSpoke.isKnownRoot(root), kept);
            assertEq(attestedSpoke.batchChain(2 * i), kept ? chain : bytes32(0));
            if (!kept) vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 2 * i));
            bytes32 held = attestedSpoke.rootAt(2 * i);
            if (kept) assertEq(held, root);
        }
        assertFalse(attestedSpoke.isKnownRoot(rootOf[0]));
        assertFalse(attestedSpoke.isKnownRoot(0));
    }

    // ---- freezing and thawing

    function test_freezeOnDivergence_stopsEverything() public {
        landIssues(3);
        follow(3);
        bytes memory factProof = rootFact(2, OTHER, chainOf[2]);
        vm.expectEmit(address(spoke));
        emit IRootSpoke.FrozenAt(2);
        spoke.freezeOnDivergence(2, OTHER, chainOf[2], factProof);
        assertEq(spoke.frozenAt(), 2);
        assertTrue(spoke.isKnownRoot(rootOf[1]));
        assertFalse(spoke.isKnownRoot(rootOf[2]) || spoke.isKnownRoot(rootOf[3]));
        assertEq(spoke.batchChain(2), 0);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.advance(new Batch[](1), 4, "");
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.isNullifierSpent(keccak256("nullifier"));
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.isNullifierSpent(keccak256("nullifier"), "");
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.getDomainState(1, keccak256("key"), abi.encode("", ""));
    }

    function test_freezeOnDivergence_agreement_reverts() public {
        landIssues(1);
        follow(1);
        bytes memory factProof = rootFact(1);
        vm.expectRevert(IRootSpoke.NoDivergence.selector);
        spoke.freezeOnDivergence(1, rootOf[1], chainOf[1], factProof);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 2));
        spoke.freezeOnDivergence(2, OTHER, OTHER, "");
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.freezeOnDivergence(1, OTHER, chainOf[1], factProof);
        assertEq(spoke.frozenAt(), FAR);
    }

    function test_freezeOnConflict_freezesFromThere() public {
        landIssues(2);
        follow(2);
        bytes memory proof = conflictProof(2, OTHER, keccak256("second"));
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.freezeOnConflict(1, OTHER, keccak256("second"), proof);
        spoke.freezeOnConflict(2, OTHER, keccak256("second"), proof);
        assertEq(spoke.frozenAt(), 2);
        assertTrue(spoke.isKnownRoot(rootOf[1]));
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.freezeOnConflict(2, OTHER, keccak256("second"), proof);
        // Evidence of an earlier conflict still freezes further back.
        spoke.freezeOnConflict(1, OTHER, keccak256("second"), conflictProof(1, OTHER, keccak256("second")));
        assertEq(spoke.frozenAt(), 1);
        assertFalse(spoke.isKnownRoot(rootOf[1]));
    }

    function test_freezeOnConflict_aheadOfTheSpoke_keepsWhatIsHeld() public {
        landIssues(1);
        follow(1);
        spoke.freezeOnConflict(7, OTHER, keccak256("second"), conflictProof(7, OTHER, keccak256("second")));
        assertTrue(spoke.isKnownRoot(rootOf[1]));
        assertFalse(spoke.isNullifierSpent(keccak256("nullifier")));
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 7));
        spoke.advance(new Batch[](1), 2, "");
    }

    function test_thaw_installsTheHubsRootAndFollowsFromIt() public {
        landIssues(5);
        follow(3);
        spoke.freezeOnDivergence(2, OTHER, OTHER, rootFact(2, OTHER, OTHER));
        bytes memory factProof = rootFact(4);
        vm.prank(GOVERNANCE);
        vm.expectEmit(address(spoke));
        emit IRootSpoke.Thawed(4, rootOf[4], chainOf[4]);
        spoke.thaw(4, rootOf[4], chainOf[4], factProof);
        assertEq(spoke.frozenAt(), FAR);
        follow(5);
        assertEq(spoke.stateRoot(), rootOf[5]);
        assertTrue(spoke.isKnownRoot(rootOf[1]) && spoke.isKnownRoot(rootOf[4]));
        // Withdrawn, and skipped by the thaw, so never verified here again; and the cache has not seen every batch.
        assertFalse(spoke.isKnownRoot(rootOf[2]) || spoke.isKnownRoot(rootOf[3]));
        assertEq(spoke.batchChain(2), 0);
        vm.expectRevert(IRootVerifier.NoNullifierCache.selector);
        spoke.isNullifierSpent(keccak256("nullifier"));
    }

    function test_thaw_divergedRoots_neverComeBack() public {
        vm.chainId(ATTESTED_CHAIN);
        for (uint64 i = 1; i <= 6; ++i) {
            install(i, madeUpRoot(i));
        }
        freezeAttested(3);
        thawAttested(7, keccak256("true 7"));
        for (uint64 i = 3; i <= 6; ++i) {
            assertFalse(attestedSpoke.isKnownRoot(madeUpRoot(i)), "diverged");
        }
        assertEq(attestedSpoke.index(), 7);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 5));
        attestedSpoke.rootAt(5);
        install(8, keccak256("true 8"));
        assertEq(attestedSpoke.rootAt(8), keccak256("true 8"));
        // Evidence about the history before the thaw reaches that history only.
        vm.expectEmit(address(attestedSpoke));
        emit IRootSpoke.RootsWithdrawn(2);
        freezeAttested(2);
        assertTrue(attestedSpoke.isKnownRoot(madeUpRoot(1)));
        assertFalse(attestedSpoke.isKnownRoot(madeUpRoot(2)));
        assertTrue(attestedSpoke.isKnownRoot(keccak256("true 7")));
        assertEq(attestedSpoke.frozenAt(), FAR);
        install(9, keccak256("true 9"));
        // A second freeze and thaw: the first epoch's cut and the second one's both stay.
        freezeAttested(8);
        thawAttested(10, keccak256("true 10"));
        assertTrue(
            attestedSpoke.isKnownRoot(keccak256("true 7")) && attestedSpoke.isKnownRoot(keccak256("true 10"))
        );
        assertFalse(
            attestedSpoke.isKnownRoot(madeUpRoot(2)) || attestedSpoke.isKnownRoot(keccak256("true 8"))
        );
    }

    function test_freezeOnConflict_replayedAfterThaw_reverts() public {
        landIssues(4);
        follow(3);
        bytes32 second = keccak256("second");
        bytes memory proof = conflictProof(2, OTHER, second);
        spoke.freezeOnConflict(2, OTHER, second, proof);
        bytes memory factProof = rootFact(2);
        vm.prank(GOVERNANCE);
        spoke.thaw(2, rootOf[2], chainOf[2], factProof);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.Frozen.selector, 2));
        spoke.freezeOnConflict(2, OTHER, second, proof);
        assertTrue(spoke.isKnownRoot(rootOf[2]));
        follow(4);
        // New evidence, later than what governance settled, freezes as ever.
        spoke.freezeOnConflict(3, OTHER, second, conflictProof(3, OTHER, second));
        assertEq(spoke.frozenAt(), 3);
    }

    function test_thaw_contestedIndexes_assertNothing() public {
        landIssues(4);
        follow(3);
        spoke.freezeOnDivergence(2, OTHER, OTHER, rootFact(2, OTHER, OTHER));
        bytes memory factProof = rootFact(2);
        vm.prank(GOVERNANCE);
        vm.expectEmit(address(spoke));
        emit IRootSpoke.RootRestored(rootOf[3], rootOf[2], 2);
        spoke.thaw(2, rootOf[2], chainOf[2], factProof);
        vm.recordLogs();
        follow(4);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2);
        assertEq(logs[0].topics[0], IRootSpoke.RootRestored.selector);
        assertEq(logs[1].topics[0], IRootVerifier.RootUpdated.selector);
        assertEq(logs[1].topics[3], bytes32(uint256(4)));
    }

    function test_freeze_byGovernance_recoversFromAnIndexThatTheHubNeverReaches() public {
        vm.chainId(ATTESTED_CHAIN);
        install(1, madeUpRoot(1));
        install(FAR - 1, keccak256("far"));
        vm.prank(GOVERNANCE);
        attestedSpoke.freeze(2);
        assertFalse(attestedSpoke.isKnownRoot(keccak256("far")));
        thawAttested(2, madeUpRoot(2));
        install(3, madeUpRoot(3));
        assertEq(attestedSpoke.index(), 3);
        assertTrue(attestedSpoke.isKnownRoot(madeUpRoot(1)) && attestedSpoke.isKnownRoot(madeUpRoot(2)));
        bytes memory factProof = rootFact(FAR, OTHER, OTHER);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.IndexMismatch.selector, FAR - 1, FAR));
        attestedSpoke.advanceAttested(FAR, OTHER, OTHER, factProof);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        attestedSpoke.freeze(3);
    }

    function test_thaw_rootThatStoodElsewhere_standsOnlyThere() public {
        vm.chainId(ATTESTED_CHAIN);
        for (uint64 i = 1; i <= 6; ++i) {
            install(i, madeUpRoot(i));
        }
        freezeAttested(3);
        thawAttested(7, madeUpRoot(6));
        assertEq(attestedSpoke.rootAt(7), madeUpRoot(6));
        assertEq(attestedSpoke.batchChain(6), 0);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 6));
        attestedSpoke.rootAt(6);
    }

    function test_thaw_rootThatThisSpokeVerifiedElsewhere_standsOnlyThere() public {
        landIssues(3);
        follow(3);
        spoke.freezeOnDivergence(2, OTHER, OTHER, rootFact(2, OTHER, OTHER));
        bytes memory factProof = rootFact(4, rootOf[3], OTHER);
        vm.prank(GOVERNANCE);
        spoke.thaw(4, rootOf[3], OTHER, factProof);
        assertEq(spoke.rootAt(4), rootOf[3]);
        assertEq(spoke.batchChain(3), 0);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.UnknownIndex.selector, 3));
        spoke.rootAt(3);
    }

    function test_thaw_thenRingWraps_keepsTheLatest() public {
        vm.chainId(ATTESTED_CHAIN);
        for (uint64 i = 1; i <= 10; ++i) {
            install(i, madeUpRoot(i));
        }
        freezeAttested(5);
        thawAttested(11, madeUpRoot(5)); // a root that the freeze withdrew, asserted by the hub for another index
        for (uint64 i = 12; i <= 266; ++i) {
            install(i, keccak256(abi.encode("true", i)));
        }
        // The ring has dropped index 5, not the root that governance installed.
        assertEq(attestedSpoke.rootAt(11), madeUpRoot(5));
        assertTrue(attestedSpoke.isKnownRoot(madeUpRoot(5)));
        install(267, keccak256(abi.encode("true", 267)));
        assertFalse(attestedSpoke.isKnownRoot(madeUpRoot(5)));
        assertEq(attestedSpoke.rootAt(12), keccak256(abi.encode("true", 12)));
    }

    function test_thaw_refusals() public {
        landIssues(4);
        follow(3);
        bytes memory factProof = rootFact(4);
        vm.startPrank(GOVERNANCE);
        vm.expectRevert(IRootSpoke.NotFrozen.selector);
        spoke.thaw(4, rootOf[4], chainOf[4], factProof);
        spoke.freezeOnDivergence(2, OTHER, OTHER, rootFact(2, OTHER, OTHER));
        factProof = rootFact(1);
        vm.expectRevert(abi.encodeWithSelector(IRootVerifier.IndexMismatch.selector, 2, 1));
        spoke.thaw(1, rootOf[1], chainOf[1], factProof);
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        spoke.thaw(4, 0, chainOf[4], factProof);
        vm.expectRevert(IProofErrors.ZeroRoot.selector);
        spoke.thaw(4, rootOf[4], 0, factProof);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        spoke.thaw(4, rootOf[4], chainOf[4], factProof);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        spoke.thaw(4, rootOf[4], chainOf[4], factProof);
        assertEq(spoke.frozenAt(), 2);
    }

    function test_setFactVerifier_onlyGovernance() public {
        vm.chainId(SPOKE_CHAIN);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        spoke.setFactVerifier(address(1));
        vm.startPrank(GOVERNANCE);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        spoke.setFactVerifier(address(0));
        vm.expectEmit(address(spoke));
        emit IRootVerifier.FactVerifierSet(address(1));
        spoke.setFactVerifier(address(1));
        assertEq(spoke.factVerifier(), address(1));
    }

    function test_everyStateChange_otherChain_reverts() public {
        vm.chainId(HUB_CHAIN);
        bytes memory reason =
            abi.encodeWithSelector(IRootVerifier.ChainIdMismatch.selector, SPOKE_CHAIN, HUB_CHAIN);
        vm.startPrank(GOVERNANCE);
        vm.expectRevert(reason);
        spoke.advance(new Batch[](1), 1, "");
        vm.expectRevert(reason);
        spoke.advanceAttested(1, OTHER, OTHER, "");
        vm.expectRevert(reason);
        spoke.freezeOnDivergence(0, OTHER, OTHER, "");
        vm.expectRevert(reason);
        spoke.freezeOnConflict(0, OTHER, OTHER, "");
        vm.expectRevert(reason);
        spoke.thaw(0, OTHER, OTHER, "");
        vm.expectRevert(reason);
        spoke.freeze(1);
        vm.expectRevert(reason);
        spoke.setFactVerifier(address(1));
    }

    // ---- roots that attestors make up, on the attested spoke

    function madeUpRoot(uint64 index) private pure returns (bytes32 root) {
        (root,) = madeUp(index);
    }

    function madeUp(uint64 index) private pure returns (bytes32 root, bytes32 chain) {
        return (keccak256(abi.encode("root", index)), keccak256(abi.encode("chain", index)));
    }

    function install(uint64 index, bytes32 root) private {
        attestedSpoke.advanceAttested(index, root, OTHER, rootFact(index, root, OTHER));
    }

    function freezeAttested(uint64 index) private {
        bytes32 second = keccak256("second");
        attestedSpoke.freezeOnConflict(index, OTHER, second, conflictProof(index, OTHER, second));
    }

    function thawAttested(uint64 index, bytes32 root) private {
        bytes memory factProof = rootFact(index, root, OTHER);
        vm.prank(GOVERNANCE);
        attestedSpoke.thaw(index, root, OTHER, factProof);
    }
}
