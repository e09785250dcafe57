// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Batch, IProofErrors, Resource} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {World} from "../utils/World.sol";

contract RootVerifierTest is World {
    Resource private _note;
    bytes32 private _key;
    bytes private _value;

    function setUp() public override {
        super.setUp();
        landIssues(5);
        OperationBuilder.Operation memory operation = issue(SPOKE_CHAIN, vm.addr(ALICE), 7);
        land(commitBatch(operation));
        _note = operation.created[0];
        _key = resourceKey(_note);
        _value = abi.encode(_note);
    }

    function test_verifyProof_member_isTrue() public view {
        assertTrue(hub.verifyProof(rootOf[6], _key, _value, proveOne(_key)));
    }

    function test_verifyProof_unknownRoot_isFalse() public view {
        assertFalse(hub.verifyProof(keccak256("no root"), _key, _value, proveOne(_key)));
        assertFalse(hub.verifyProof(0, _key, _value, proveOne(_key)));
        assertFalse(hub.verifyAbsence(0, keccak256("absent"), proveOne(keccak256("absent"))));
    }

    function test_verifyProof_badProof_reverts() public {
        bytes memory proof = proveOne(_key);
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        hub.verifyProof(rootOf[6], _key, "another value", proof);
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        hub.verifyProof(rootOf[5], _key, _value, proof);
        vm.expectRevert(IProofErrors.EmptyValue.selector);
        hub.verifyProof(rootOf[6], _key, "", proof);
        vm.expectRevert(IProofErrors.ZeroKey.selector);
        hub.verifyProof(rootOf[6], 0, _value, proof);
        vm.expectRevert(abi.encodeWithSelector(IProofErrors.ProofLength.selector, 12, 0));
        hub.verifyProof(rootOf[6], _key, _value, "");
        bytes memory ofAbsent = proveOne(keccak256("absent"));
        vm.expectRevert(abi.encodeWithSelector(IProofErrors.ClaimMismatch.selector, 0));
        hub.verifyProof(rootOf[6], keccak256("absent"), _value, ofAbsent);
    }

    function test_verifyAbsence_absent_isTrue() public view {
        assertTrue(hub.verifyAbsence(rootOf[6], keccak256("absent"), proveOne(keccak256("absent"))));
    }

    function test_verifyAbsence_member_reverts() public {
        bytes memory proof = proveOne(_key);
        vm.expectRevert(abi.encodeWithSelector(IProofErrors.ClaimMismatch.selector, 0));
        hub.verifyAbsence(rootOf[6], _key, proof);
    }

    function test_isNullifierSpent_badProof_neverMeansUnspent() public {
        bytes32 nullifier = nullifierOf(_note);
        bytes memory unspent = proveOne(nullifierKey(nullifier));
        assertFalse(hub.isNullifierSpent(nullifier, unspent));
        land(commitBatch(move(_note, ALICE, HUB_CHAIN, vm.addr(BOB))));
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        hub.isNullifierSpent(nullifier, unspent);
        vm.expectRevert(abi.encodeWithSelector(IProofErrors.ProofLength.selector, 12, 0));
        hub.isNullifierSpent(nullifier, "");
        bytes memory ofAnother = proveOne(keccak256("absent"));
        vm.expectRevert();
        hub.isNullifierSpent(nullifier, ofAnother);
        assertTrue(hub.isNullifierSpent(nullifier, proveOne(nullifierKey(nullifier))));
    }

    function test_getDomainState_memberAndAbsent() public view {
        bytes32 key = keccak256(abi.encodePacked("resource:", keccak256(_value)));
        assertEq(hub.getNamespacedKey(SPOKE_CHAIN, key), _key);
        assertEq(hub.getDomainState(SPOKE_CHAIN, key, abi.encode(_value, proveOne(_key))), _value);
        bytes32 elsewhere = hub.getNamespacedKey(HUB_CHAIN, key);
        assertEq(hub.getDomainState(HUB_CHAIN, key, abi.encode("", proveOne(elsewhere))), "");
    }

    function test_getDomainState_otherClaim_reverts() public {
        bytes32 key = keccak256(abi.encodePacked("resource:", keccak256(_value)));
        bytes memory proof = abi.encode("", proveOne(_key));
        vm.expectRevert(abi.encodeWithSelector(IProofErrors.ClaimMismatch.selector, 0));
        hub.getDomainState(SPOKE_CHAIN, key, proof);
        proof = abi.encode("wrong", proveOne(_key));
        vm.expectPartialRevert(IProofErrors.RootMismatch.selector);
        hub.getDomainState(SPOKE_CHAIN, key, proof);
    }

    function test_getDomainState_malformed_revertsWithALength() public {
        bytes[5] memory malformed = [
            bytes(""),
            abi.encode(uint256(64)),
            abi.encode(type(uint256).max, uint256(0)),
            abi.encode(uint256(64), uint256(96), uint256(1000)),
            abi.encode(uint256(64), uint256(96), uint256(96)) // as long as all of it, and nothing follows
        ];
        for (uint256 i = 0; i < malformed.length; ++i) {
            vm.expectPartialRevert(IProofErrors.ProofLength.selector);
            hub.getDomainState(SPOKE_CHAIN, keccak256("key"), malformed[i]);
        }
    }

    function test_everyView_sameOnTheSpoke() public {
        follow(6);
        assertTrue(spoke.verifyProof(rootOf[6], _key, _value, proveOne(_key)));
        assertTrue(spoke.verifyAbsence(rootOf[6], keccak256("absent"), proveOne(keccak256("absent"))));
        followAttested(6);
        assertTrue(attestedSpoke.verifyProof(rootOf[6], _key, _value, proveOne(_key)));
    }

    function testFuzz_verifyProof_alteredProof_reverts(uint256 position, uint8 mask) public {
        vm.assume(mask != 0);
        bytes memory proof = proveOne(_key);
        position = bound(position, 0, proof.length - 1);
        proof[position] = bytes1(uint8(proof[position]) ^ mask);
        vm.expectRevert();
        hub.verifyProof(rootOf[6], _key, _value, proof);
    }
}
