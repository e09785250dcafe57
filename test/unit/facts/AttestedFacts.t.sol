// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {AttestedFacts} from "../../../contracts/facts/AttestedFacts.sol";
import {IAttestedFacts, IOperationErrors} from "../../../contracts/interfaces/IHypha.sol";
import {World} from "../../utils/World.sol";

contract AttestedFactsTest is World {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    address private constant EMITTER = address(0xE1);
    bytes32 private constant KEY = "key";
    bytes32 private constant VALUE = "value";

    // ---- facts

    function test_verifyFact_threshold_givesBlockAndTime() public view {
        (uint64 srcBlock, uint64 srcTime) = facts.verifyFact(7, EMITTER, KEY, VALUE, honest());
        assertEq(srcBlock, 7);
        assertEq(srcTime, 99);
    }

    function test_verifyFact_anyTwoOfThree() public view {
        for (uint256 left = 0; left < 3; ++left) {
            uint256[] memory signers = new uint256[](2);
            signers[0] = attestorKeys[left == 0 ? 1 : 0];
            signers[1] = attestorKeys[left == 2 ? 1 : 2];
            facts.verifyFact(7, EMITTER, KEY, VALUE, factBy(signers, said()));
        }
    }

    function test_verifyFact_zero_reverts() public {
        bytes memory proof = honest();
        vm.expectRevert(IAttestedFacts.ZeroFact.selector);
        facts.verifyFact(0, EMITTER, KEY, VALUE, proof);
        vm.expectRevert(IAttestedFacts.ZeroFact.selector);
        facts.verifyFact(7, address(0), KEY, VALUE, proof);
        vm.expectRevert(IAttestedFacts.ZeroFact.selector);
        facts.verifyFact(7, EMITTER, 0, VALUE, proof);
        vm.expectRevert(IAttestedFacts.ZeroFact.selector);
        facts.verifyFact(7, EMITTER, KEY, 0, proof);
    }

    function test_verifyFact_anythingElseSaid_reverts() public {
        bytes memory proof = honest();
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        facts.verifyFact(8, EMITTER, KEY, VALUE, proof);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        facts.verifyFact(7, address(0xE2), KEY, VALUE, proof);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        facts.verifyFact(7, EMITTER, "other", VALUE, proof);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        facts.verifyFact(7, EMITTER, KEY, "other", proof);
    }

    function test_verifyFact_otherChainOrContract_reverts() public {
        bytes memory proof = honest();
        AttestedFacts other = new AttestedFacts(GOVERNANCE, attestorsOf(3), 2, FAR);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        other.verifyFact(7, EMITTER, KEY, VALUE, proof);
        bytes32 separator = facts.domainSeparator();
        vm.chainId(424242);
        assertNotEq(facts.domainSeparator(), separator);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_verifyFact_tooFewOrTooMany_reverts() public {
        bytes memory one = factBy(firstKeys(1), said());
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.FactProofLength.selector, 186, 121));
        facts.verifyFact(7, EMITTER, KEY, VALUE, one);
        bytes memory three = factBy(firstKeys(3), said());
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.FactProofLength.selector, 186, 251));
        facts.verifyFact(7, EMITTER, KEY, VALUE, three);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.FactProofLength.selector, 56, 0));
        facts.verifyFact(7, EMITTER, KEY, VALUE, "");
        bytes memory longer = bytes.concat(honest(), hex"00");
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.FactProofLength.selector, 186, 187));
        facts.verifyFact(7, EMITTER, KEY, VALUE, longer);
    }

    function test_verifyFact_sameSignerTwice_reverts() public {
        uint256[] memory signers = new uint256[](2);
        signers[0] = signers[1] = attestorKeys[0];
        bytes memory proof = factBy(signers, said());
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.SignersNotAscending.selector, 1));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_verifyFact_descendingSigners_reverts() public {
        uint256[] memory signers = new uint256[](2);
        (signers[0], signers[1]) = (attestorKeys[1], attestorKeys[0]);
        bytes memory proof = factBy(signers, said());
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.SignersNotAscending.selector, 1));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_verifyFact_stranger_reverts() public {
        uint256[] memory signers = firstKeys(2);
        signers[1] = ALICE;
        bytes memory proof = factBy(signers, said());
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.NotAttestor.selector, vm.addr(ALICE)));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_verifyFact_twinSignature_reverts() public {
        bytes memory proof = honest();
        // The other signature of the same words by the same key: s' = n - s, v flipped.
        bytes32 s;
        assembly {
            s := mload(add(proof, add(32, 88)))
            mstore(add(proof, add(32, 88)), sub(ORDER, s))
        }
        proof[120] = bytes1(uint8(proof[120]) ^ 7);
        vm.expectRevert(IOperationErrors.SignatureMalleable.selector);
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_verifyFact_otherParity_reverts() public {
        bytes memory proof = honest();
        proof[120] = bytes1(uint8(proof[120]) - 27);
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.SignatureParity.selector, uint8(proof[120])));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_verifyFact_noSigner_reverts() public {
        bytes memory proof = honest();
        for (uint256 i = 56; i < 88; ++i) {
            proof[i] = 0; // r = 0 recovers to nobody
        }
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.NotAttestor.selector, address(0)));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function testFuzz_verifyFact_oneByteAltered_reverts(uint256 position, uint8 mask) public {
        vm.assume(mask != 0);
        bytes memory proof = honest();
        position = bound(position, 0, proof.length - 1);
        proof[position] = bytes1(uint8(proof[position]) ^ mask);
        vm.expectRevert();
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    // ---- conflicts

    function test_verifyConflict_threshold_passes() public view {
        facts.verifyConflict(
            HUB_CHAIN, address(hub), rootKey(3), "first", "second", conflictProof(3, "first", "second")
        );
        facts.verifyConflict(
            HUB_CHAIN, address(hub), rootKey(3), "second", "first", conflictProof(3, "first", "second")
        );
    }

    function test_verifyConflict_refusals() public {
        bytes memory proof = conflictProof(3, "first", "second");
        vm.expectRevert(IAttestedFacts.ValuesEqual.selector);
        facts.verifyConflict(HUB_CHAIN, address(hub), rootKey(3), "first", "first", proof);
        vm.expectRevert(IAttestedFacts.ZeroFact.selector);
        facts.verifyConflict(HUB_CHAIN, address(hub), rootKey(3), "first", 0, proof);
        vm.expectPartialRevert(IAttestedFacts.NotAttestor.selector);
        facts.verifyConflict(HUB_CHAIN, address(hub), rootKey(4), "first", "second", proof);
        bytes memory aFact = honest();
        vm.expectPartialRevert(IAttestedFacts.FactProofLength.selector);
        facts.verifyConflict(HUB_CHAIN, address(hub), rootKey(3), "first", "second", aFact);
    }

    // ---- sets

    function test_attestorsOf_firstSet() public {
        (address[] memory attestors, uint64 threshold, uint64 expiresAt) = facts.attestorsOf(1);
        assertEq(attestors, attestorsOf(3));
        assertEq(threshold, 2);
        assertEq(expiresAt, FAR);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.UnknownSet.selector, 2));
        facts.attestorsOf(2);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.UnknownSet.selector, 0));
        facts.attestorsOf(0);
    }

    function test_setAttestors_previousIsGoodUntilItsExpiry() public {
        bytes memory old = honest();
        uint64 until = uint64(block.timestamp) + 100;
        vm.expectEmit(address(facts));
        emit IAttestedFacts.AttestorsSet(2, attestorsOf(1), 1, FAR, until);
        vm.prank(GOVERNANCE);
        facts.setAttestors(attestorsOf(1), 1, FAR, until);
        assertEq(facts.currentSetId(), 2);
        vm.warp(until);
        facts.verifyFact(7, EMITTER, KEY, VALUE, old);
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.SetExpired.selector, 1, until, until + 1));
        facts.verifyFact(7, EMITTER, KEY, VALUE, old);
        Fact memory bySecond = said();
        bySecond.setId = 2;
        facts.verifyFact(7, EMITTER, KEY, VALUE, factBy(firstKeys(1), bySecond));
    }

    function test_setAttestors_twice_endsTheFirst() public {
        bytes memory old = honest();
        vm.startPrank(GOVERNANCE);
        facts.setAttestors(attestorsOf(1), 1, FAR, FAR);
        facts.verifyFact(7, EMITTER, KEY, VALUE, old);
        facts.setAttestors(attestorsOf(1), 1, FAR, 0);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.SetReplaced.selector, 1, 3));
        facts.verifyFact(7, EMITTER, KEY, VALUE, old);
    }

    function test_setAttestors_cannotProlongThePrevious() public {
        uint64 soon = uint64(block.timestamp) + 10;
        AttestedFacts short = new AttestedFacts(GOVERNANCE, attestorsOf(3), 2, soon);
        vm.prank(GOVERNANCE);
        short.setAttestors(attestorsOf(3), 2, FAR, FAR);
        (,, uint64 expiresAt) = short.attestorsOf(1);
        assertEq(expiresAt, soon);
    }

    function test_setAttestors_afterExpiry_stillPossible() public {
        uint64 soon = uint64(block.timestamp) + 10;
        AttestedFacts short = new AttestedFacts(GOVERNANCE, attestorsOf(3), 2, soon);
        vm.warp(soon + 1 days);
        vm.prank(GOVERNANCE);
        short.setAttestors(attestorsOf(3), 2, FAR, 0);
        assertEq(short.currentSetId(), 2);
    }

    function test_verifyFact_oldSetsNumberWithNewSignatures_reverts() public {
        vm.prank(GOVERNANCE);
        facts.setAttestors(attestorsOf(1), 1, FAR, FAR);
        Fact memory unknown = said();
        unknown.setId = 3;
        bytes memory proof = factBy(firstKeys(2), unknown);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.UnknownSet.selector, 3));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
        proof = honest();
        proof[7] = 0x02; // the signatures of set 1 said to be of set 2
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.FactProofLength.selector, 121, 186));
        facts.verifyFact(7, EMITTER, KEY, VALUE, proof);
    }

    function test_setAttestors_refusals() public {
        address[] memory three = attestorsOf(3);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        facts.setAttestors(three, 2, FAR, FAR);
        vm.startPrank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.AttestorCount.selector, 0));
        facts.setAttestors(new address[](0), 0, FAR, FAR);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.AttestorCount.selector, 65));
        facts.setAttestors(new address[](65), 33, FAR, FAR);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.ThresholdNotMajority.selector, 1, 3));
        facts.setAttestors(three, 1, FAR, FAR);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.ThresholdNotMajority.selector, 4, 3));
        facts.setAttestors(three, 4, FAR, FAR);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.ThresholdNotMajority.selector, 1, 2));
        facts.setAttestors(attestorsOf(2), 1, FAR, FAR);
        uint64 past = uint64(block.timestamp) - 1;
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.SetExpired.selector, 2, past, block.timestamp));
        facts.setAttestors(three, 2, past, FAR);
        (three[1], three[2]) = (three[2], three[1]);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.AttestorsNotAscending.selector, 2));
        facts.setAttestors(three, 2, FAR, FAR);
        three[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(IAttestedFacts.AttestorsNotAscending.selector, 0));
        facts.setAttestors(three, 2, FAR, FAR);
        assertEq(facts.currentSetId(), 1);
    }

    function said() private view returns (Fact memory) {
        return Fact(7, EMITTER, KEY, VALUE, 7, keccak256("block"), 99, facts.currentSetId());
    }

    function honest() private view returns (bytes memory) {
        return factBy(firstKeys(2), said());
    }

    function rootKey(uint64 index) private pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:root", index));
    }
}
