// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {ExitTimelock} from "../../contracts/ExitTimelock.sol";
import {AttestedFacts} from "../../contracts/facts/AttestedFacts.sol";
import {
    Batch,
    IAttestedFacts,
    IExitTimelock,
    IOperationErrors,
    IPausable,
    IProofErrors,
    IRootHub,
    IRootVerifier,
    Resource
} from "../../contracts/interfaces/IHypha.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {AttackWorld} from "./AttackWorld.sol";

/// @title Attacks with keys, signatures and powers (rows B1 to B6, B11, B17 and B19 of docs/attacks.md)
contract AuthorityAttacksTest is AttackWorld {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    /// @dev The longest pauses of a hub and a spoke, both windows and a week for the exit itself.
    uint256 private constant TIMELOCK_DELAY = 3 * 7 days + WINDOW + INCLUSION_WINDOW + 7 days;

    // ---- B1, B2: who may govern

    /// @dev No key but governance's reaches a function of governance, on any contract.
    function test_B1_B2_noOtherKeyGoverns() public {
        address[5] memory thieves =
            [SEQUENCER, PAUSER, REGISTRAR, vm.addr(attestorKeys[0]), makeAddr("stranger")];
        for (uint256 i = 0; i < thieves.length; ++i) {
            bytes4 reason = Ownable.OwnableUnauthorizedAccount.selector;
            vm.chainId(HUB_CHAIN);
            bytes[] memory calls = hubPowers(thieves[i]);
            for (uint256 j = 0; j < calls.length; ++j) {
                refuse(thieves[i], address(hub), calls[j], reason);
            }
            calls = spokePowers(thieves[i]);
            vm.chainId(SPOKE_CHAIN);
            for (uint256 j = 0; j < calls.length; ++j) {
                refuse(thieves[i], address(spoke), calls[j], reason);
            }
            calls = factsPowers(thieves[i]);
            for (uint256 j = 0; j < calls.length; ++j) {
                refuse(thieves[i], address(facts), calls[j], reason);
            }
        }
    }

    /// @dev What a stolen sequencer's key cannot do: spend, mint, forge, or bring in more than one batch for an index.
    function test_B2_stolenSequencerKey_cannotForge() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        Batch memory theft = draftBatch(only(move(note, BOB, SPOKE_CHAIN, vm.addr(BOB))));
        refuse(SEQUENCER, address(hub), applyCall(2, theft), IOperationErrors.SignerMismatch.selector);
        OperationBuilder.IssueDraft memory draft = issueDraft(SPOKE_CHAIN, vm.addr(BOB), 5);
        OperationBuilder.Operation memory coin = OperationBuilder.issue(draft, hub.domainSeparator());
        draft.issuer = BOB;
        OperationBuilder.Operation memory own = OperationBuilder.issue(draft, hub.domainSeparator());
        assertNotEq(coin.created[0].kind, own.created[0].kind);
        bytes memory signature = part(own.packed, own.packed.length - 65, own.packed.length);
        coin.packed = bytes.concat(part(coin.packed, 0, coin.packed.length - 65), signature);
        Batch memory mint = draftBatch(only(coin));
        refuse(SEQUENCER, address(hub), applyCall(2, mint), IOperationErrors.SignerMismatch.selector);
        Batch memory honest = draftBatch(only(move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB))));
        honest.newRoot = keccak256("any");
        refuse(SEQUENCER, address(hub), applyCall(2, honest), IRootVerifier.NewRootMismatch.selector);
    }

    /// @dev A stolen pauser's key stops roots once, and neither longer nor anything else.
    function test_B2_stolenPauserKey_stopsOnceOnly() public {
        vm.startPrank(PAUSER);
        hub.pause();
        vm.expectRevert(IPausable.PauseSpent.selector);
        hub.pause();
        vm.warp(hub.pausedUntil());
        vm.expectRevert(IPausable.PauseSpent.selector);
        hub.pause();
        vm.stopPrank();
        landIssues(1);
    }

    // ---- B3: forms of one signature

    function test_B3_otherFormsOfASignature_refused() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        OperationBuilder.Operation memory made = move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB));
        uint256 start = made.packed.length - 65;
        bytes32 r = bytes32(part(made.packed, start, start + 32));
        uint256 s = uint256(bytes32(part(made.packed, start + 32, start + 64)));
        uint8 v = uint8(made.packed[start + 64]);
        bytes4 malleable = IOperationErrors.SignatureMalleable.selector;
        bytes4 parity = IOperationErrors.SignatureParity.selector;
        bytes4 signer = IOperationErrors.SignerMismatch.selector;
        refuseSigned(made, abi.encodePacked(r, ORDER - s, v ^ 7), malleable); // 27 and 28 change places
        refuseSigned(made, abi.encodePacked(r, s, v - 27), parity);
        refuseSigned(made, abi.encodePacked(r, s, uint8(0)), parity);
        refuseSigned(made, abi.encodePacked(bytes32(0), uint256(0), uint8(27)), signer); // recovers zero
        uint256 compact = s | (uint256(v - 27) << 255); // EIP-2098
        refuseSigned(made, abi.encodePacked(r, compact), IOperationErrors.OperationsLength.selector);
    }

    // ---- B4, B5: another chain, another contract

    /// @dev After a fork with another chain id every contract stands still, and what was signed for one chain is not good on the other.
    function test_B4_forkWithAnotherId_standsStill() public {
        landIssues(1);
        Batch memory batch = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        vm.chainId(SPOKE_CHAIN);
        bytes memory proof = rootFact(1);
        vm.chainId(9009);
        bytes4 reason = IRootVerifier.ChainIdMismatch.selector;
        refuse(SEQUENCER, address(hub), applyCall(2, batch), reason);
        refuse(address(this), address(hub), abi.encodeCall(hub.requestTransfer, ("")), reason);
        refuse(
            address(this),
            address(spoke),
            abi.encodeCall(spoke.advance, (batchesBetween(1, 1), 1, proof)),
            reason
        );
        bytes32 key = keccak256(abi.encodePacked("hypha:root", uint64(1)));
        bytes32 value = keccak256(abi.encode(rootOf[1], chainOf[1]));
        bytes memory call = abi.encodeCall(facts.verifyFact, (HUB_CHAIN, address(hub), key, value, proof));
        refuse(address(this), address(facts), call, IAttestedFacts.NotAttestor.selector);
        vm.chainId(SPOKE_CHAIN);
        facts.verifyFact(HUB_CHAIN, address(hub), key, value, proof);
    }

    /// @dev A fact for one chain's contract is none for another's, though it has the same address and the same attestors.
    function test_B5_factForAnotherChainOrContract_refused() public {
        landIssues(1);
        vm.chainId(ATTESTED_CHAIN);
        bytes memory elsewhere = rootFact(1);
        vm.chainId(SPOKE_CHAIN);
        bytes memory call = abi.encodeCall(spoke.advance, (batchesBetween(1, 1), 1, elsewhere));
        refuse(address(this), address(spoke), call, IAttestedFacts.NotAttestor.selector);
        AttestedFacts second = new AttestedFacts(GOVERNANCE, attestorsOf(3), 2, FAR);
        bytes memory here = rootFact(1);
        vm.prank(GOVERNANCE);
        spoke.setFactVerifier(address(second));
        call = abi.encodeCall(spoke.advance, (batchesBetween(1, 1), 1, here));
        refuse(address(this), address(spoke), call, IAttestedFacts.NotAttestor.selector);
    }

    function test_B5_operationSignedForAnotherHub_refused() public {
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 5);
        RootHub second = new RootHub(hubConfig());
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, SPOKE_CHAIN, vm.addr(BOB));
        Batch memory batch = draftBatch(only(OperationBuilder.transfer(draft, second.domainSeparator())));
        refuse(SEQUENCER, address(hub), applyCall(2, batch), IOperationErrors.SignerMismatch.selector);
    }

    // ---- B6: one signer, two votes

    function test_B6_oneSignerTwice_refused() public {
        landIssues(1);
        vm.chainId(SPOKE_CHAIN);
        bytes memory honest = rootFact(1);
        bytes memory head = part(honest, 0, honest.length - 130);
        bytes memory first = part(honest, honest.length - 130, honest.length - 65);
        bytes memory second = part(honest, honest.length - 65, honest.length);
        bytes4 reason = IAttestedFacts.SignersNotAscending.selector;
        refuseFact(bytes.concat(head, first, first), reason);
        refuseFact(bytes.concat(head, second, second), reason);
        refuseFact(bytes.concat(head, second, first), reason);
        refuseFact(bytes.concat(head, first), IAttestedFacts.FactProofLength.selector);
        refuseFact(head, IAttestedFacts.FactProofLength.selector);
        refuseFact(bytes.concat(honest, second), IAttestedFacts.FactProofLength.selector);
        follow(1);
    }

    function test_B6_thresholdThatIsNoMajority_refused() public {
        for (uint64 threshold = 0; threshold < 6; ++threshold) {
            if (threshold == 2 || threshold == 3) continue;
            vm.expectRevert(
                abi.encodeWithSelector(IAttestedFacts.ThresholdNotMajority.selector, threshold, 3)
            );
            new AttestedFacts(GOVERNANCE, attestorsOf(3), threshold, FAR);
        }
    }

    // ---- B11: front-running

    /// @dev A copied batch cannot be mined first by a stranger; in an open window it can, and is the very same step.
    function test_B11_copiedBatch_isRefusedOrTheSameStep() public {
        landIssues(1);
        Batch memory batch = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        address thief = makeAddr("thief");
        refuse(thief, address(hub), applyCall(2, batch), IRootHub.NotSequencer.selector);
        vm.warp(block.timestamp + WINDOW);
        landAs(thief, batch);
        assertEq(hub.batchChain(2), chainOf[2]);
        refuse(SEQUENCER, address(hub), applyCall(2, batch), IRootVerifier.IndexMismatch.selector);
        // It does not keep the sequencers out: for a while the turn is theirs alone.
        batch = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 6));
        refuse(thief, address(hub), applyCall(3, batch), IRootHub.SequencersTurn.selector);
        landAs(SEQUENCER, batch);
    }

    // ---- B17: initialisers

    /// @dev What is left open at a hub's birth is the registrar's alone, and once.
    function test_B17_firstRegistration_cannotBeTaken() public {
        RootHub young = new RootHub(hubConfig());
        uint256[] memory chains = new uint256[](1);
        chains[0] = SPOKE_CHAIN;
        address[] memory spokes = new address[](1);
        spokes[0] = makeAddr("a thief's spoke");
        bytes memory call = abi.encodeCall(hub.registerFirstSpokes, (chains, spokes));
        refuse(makeAddr("thief"), address(young), call, IRootHub.NotRegistrar.selector);
        spokes[0] = address(spoke);
        vm.prank(REGISTRAR);
        young.registerFirstSpokes(chains, spokes);
        refuse(REGISTRAR, address(young), call, IRootHub.NotRegistrar.selector);
        assertEq(young.spokeOf(SPOKE_CHAIN), address(spoke));
    }

    // ---- B19: time to leave

    /// @dev Behind the timelock no power of governance is used before its delay, which no change of the delay gets around.
    function test_B19_governance_waitsForTheDelay() public {
        ExitTimelock timelock = handOver();
        bytes[] memory calls = hubPowers(makeAddr("next"));
        for (uint256 i = 0; i < calls.length; ++i) {
            refuse(GOVERNANCE, address(hub), calls[i], Ownable.OwnableUnauthorizedAccount.selector);
            waitsForTheDelay(timelock, address(hub), calls[i]);
        }
        waitsForTheDelay(timelock, address(timelock), abi.encodeCall(timelock.updateDelay, (TIMELOCK_DELAY)));
        assertEq(hub.factVerifier(), makeAddr("next"));
    }

    /// @dev A delay in which not everybody could leave is refused, at birth and later.
    function test_B19_delayThatLetsNobodyLeave_refused() public {
        ExitTimelock timelock = handOver();
        bytes memory shorten = abi.encodeCall(timelock.updateDelay, (TIMELOCK_DELAY - 1));
        vm.prank(GOVERNANCE);
        timelock.schedule(address(timelock), 0, shorten, 0, 0, TIMELOCK_DELAY);
        vm.warp(block.timestamp + TIMELOCK_DELAY);
        bytes memory call = abi.encodeCall(timelock.execute, (address(timelock), 0, shorten, 0, 0));
        refuse(GOVERNANCE, address(timelock), call, IExitTimelock.DelayTooShort.selector);
        address[] memory only_ = new address[](1);
        only_[0] = GOVERNANCE;
        vm.expectRevert(
            abi.encodeWithSelector(IExitTimelock.DelayTooShort.selector, TIMELOCK_DELAY, TIMELOCK_DELAY - 1)
        );
        new ExitTimelock(WINDOW, INCLUSION_WINDOW, TIMELOCK_DELAY - 1, only_, only_);
    }

    /// @dev The way out while a pause lasts: requests are taken, and proofs of what is known hold.
    function test_B19_pause_leavesTheWaysOutOpen() public {
        Resource memory note = landNote(HUB_CHAIN, vm.addr(ALICE), 5);
        vm.prank(PAUSER);
        hub.pause();
        requestMove(HUB_CHAIN, note, SPOKE_CHAIN, vm.addr(BOB));
        assertTrue(
            hub.verifyProof(rootOf[1], resourceKey(note), abi.encode(note), proveOne(resourceKey(note)))
        );
        vm.warp(hub.pausedUntil());
        Batch memory other = commitBatch(issue(HUB_CHAIN, vm.addr(ALICE), 5));
        refuse(SEQUENCER, address(hub), applyCall(2, other), IRootHub.RequestDue.selector);
    }

    // ---- helpers

    function refuseSigned(OperationBuilder.Operation memory made, bytes memory signature, bytes4 reason)
        private
    {
        made.packed = bytes.concat(part(made.packed, 0, made.packed.length - 65), signature);
        refuse(SEQUENCER, address(hub), applyCall(2, draftBatch(only(made))), reason);
    }

    function refuseFact(bytes memory proof, bytes4 reason) private {
        bytes memory call = abi.encodeCall(spoke.advance, (batchesBetween(1, 1), 1, proof));
        refuse(address(this), address(spoke), call, reason);
    }

    function handOver() private returns (ExitTimelock timelock) {
        address[] memory only_ = new address[](1);
        only_[0] = GOVERNANCE;
        timelock = new ExitTimelock(WINDOW, INCLUSION_WINDOW, TIMELOCK_DELAY, only_, only_);
        vm.prank(GOVERNANCE);
        hub.transferOwnership(address(timelock));
        vm.prank(address(timelock));
        hub.acceptOwnership();
    }

    function waitsForTheDelay(ExitTimelock timelock, address target, bytes memory change) private {
        vm.startPrank(GOVERNANCE);
        vm.expectPartialRevert(TimelockController.TimelockInsufficientDelay.selector);
        timelock.schedule(target, 0, change, 0, 0, TIMELOCK_DELAY - 1);
        timelock.schedule(target, 0, change, 0, 0, TIMELOCK_DELAY);
        vm.warp(block.timestamp + TIMELOCK_DELAY - 1);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        timelock.execute(target, 0, change, 0, 0);
        vm.warp(block.timestamp + 1);
        timelock.execute(target, 0, change, 0, 0);
        vm.stopPrank();
    }

    function hubPowers(address thief) private view returns (bytes[] memory calls) {
        calls = new bytes[](7);
        calls[0] = abi.encodeCall(hub.registerSpoke, (9009, thief));
        calls[1] = abi.encodeCall(hub.setSequencer, (thief, true));
        calls[2] = abi.encodeCall(hub.setFactVerifier, (thief));
        calls[3] = abi.encodeCall(hub.setRequestFee, (0));
        calls[4] = abi.encodeCall(hub.armPause, (thief));
        calls[5] = abi.encodeCall(hub.transferOwnership, (thief));
        calls[6] = abi.encodeCall(hub.renounceOwnership, ());
    }

    function spokePowers(address thief) private view returns (bytes[] memory calls) {
        calls = new bytes[](7);
        calls[0] = abi.encodeCall(spoke.freeze, (1));
        calls[1] = abi.encodeCall(spoke.thaw, (1, "root", "chain", ""));
        calls[2] = abi.encodeCall(spoke.setFactVerifier, (thief));
        calls[3] = abi.encodeCall(spoke.setRequestFee, (0));
        calls[4] = abi.encodeCall(spoke.armPause, (thief));
        calls[5] = abi.encodeCall(spoke.transferOwnership, (thief));
        calls[6] = abi.encodeCall(spoke.renounceOwnership, ());
    }

    function factsPowers(address thief) private view returns (bytes[] memory calls) {
        address[] memory own = new address[](1);
        own[0] = thief;
        calls = new bytes[](3);
        calls[0] = abi.encodeCall(facts.setAttestors, (own, 1, FAR, 0));
        calls[1] = abi.encodeCall(facts.transferOwnership, (thief));
        calls[2] = abi.encodeCall(facts.renounceOwnership, ());
    }
}
