// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Output, Resource} from "../../contracts/interfaces/IHypha.sol";
import {Operations} from "../../contracts/libraries/Operations.sol";
import {Key, Touch, ValueHash} from "../../contracts/types/TreeTypes.sol";
import {OperationBuilder} from "./OperationBuilder.sol";
import {OperationsHarness} from "./OperationsHarness.sol";

/// @title Requests to try the checks with: transfers and issues that are in order, for a test to spoil
abstract contract RequestDrafts is Test {
    uint64 internal constant HUB_CHAIN = 1001;
    uint64 internal constant CHAIN = 2002; // where the requests are queued
    uint64 internal constant OTHER_CHAIN = 3003;
    uint64 internal constant STRANGE_CHAIN = 9009; // neither the hub's nor a spoke's
    uint64 internal constant NOW = 1_700_000_000;
    uint8 internal constant TRANSFER = 3;
    uint8 internal constant ISSUE = 4;
    uint256 internal constant ALICE = 0xA1;
    uint256 internal constant BOB = 0xB0B;
    bytes32 internal constant LABEL = "coin";
    bytes32 internal constant KIND = keccak256("kind");
    bytes32 internal constant ONE = keccak256("1");

    address internal immutable SENDER = vm.addr(0x5E);

    OperationsHarness internal _hub;
    OperationsHarness internal _spoke;
    bytes32 internal _separator;

    function setUp() public virtual {
        vm.warp(NOW);
        uint256[] memory domains = new uint256[](3);
        (domains[0], domains[1], domains[2]) = (HUB_CHAIN, CHAIN, OTHER_CHAIN);
        _hub = new OperationsHarness(HUB_CHAIN, address(0x4B), domains, true, true);
        _spoke = new OperationsHarness(HUB_CHAIN, address(0x4B), domains, false, false);
        _separator = _hub.domainSeparator();
    }

    // ---- drafts

    /// @dev Of the sender, the first of its queue.
    function _head() internal view returns (OperationBuilder.Head memory) {
        return OperationBuilder.Head(CHAIN, 1, SENDER);
    }

    function _note(uint256 domainId, address owner, uint256 quantity)
        internal
        pure
        returns (Resource memory)
    {
        return Resource(domainId, owner, KIND, quantity, 0, keccak256(abi.encode(domainId, owner, quantity)));
    }

    /// @dev Spends the notes and gives all to Bob, in one note; nobody signs.
    function _spend(Resource[] memory inputs)
        internal
        pure
        returns (OperationBuilder.TransferDraft memory draft)
    {
        draft.inputs = inputs;
        draft.outputs = new Output[](1);
        draft.outputs[0] = Output(OTHER_CHAIN, vm.addr(BOB), KIND, 0, keccak256("data"));
        for (uint256 i = 0; i < inputs.length; ++i) {
            draft.outputs[0].quantity += inputs[i].quantity;
        }
        draft.deadline = type(uint64).max;
    }

    function _spend(Resource memory first) internal pure returns (OperationBuilder.TransferDraft memory) {
        Resource[] memory inputs = new Resource[](1);
        inputs[0] = first;
        return _spend(inputs);
    }

    function _spend(Resource memory first, Resource memory second)
        internal
        pure
        returns (OperationBuilder.TransferDraft memory)
    {
        Resource[] memory inputs = new Resource[](2);
        (inputs[0], inputs[1]) = (first, second);
        return _spend(inputs);
    }

    /// @dev The sender spends its own note where it asks.
    function _own() internal view returns (OperationBuilder.TransferDraft memory) {
        return _spend(_note(CHAIN, SENDER, 500));
    }

    function _signedBy(OperationBuilder.TransferDraft memory draft, uint256 first)
        internal
        pure
        returns (OperationBuilder.TransferDraft memory)
    {
        draft.signers = new uint256[](1);
        draft.signers[0] = first;
        return draft;
    }

    function _signedBy(OperationBuilder.TransferDraft memory draft, uint256 first, uint256 second)
        internal
        pure
        returns (OperationBuilder.TransferDraft memory)
    {
        draft.signers = new uint256[](2);
        (draft.signers[0], draft.signers[1]) = (first, second);
        return draft;
    }

    function _content(OperationBuilder.TransferDraft memory draft) internal view returns (bytes memory) {
        return OperationBuilder.transferContent(draft, _separator);
    }

    function _issueDraft() internal pure returns (OperationBuilder.IssueDraft memory) {
        return OperationBuilder.IssueDraft({
            issuer: BOB, // of a signed one; a requested one's is its sender
            label: LABEL,
            deadline: type(uint64).max,
            domainId: OTHER_CHAIN,
            owner: vm.addr(ALICE),
            quantity: 700,
            data: 0,
            salt: keccak256("salt")
        });
    }

    /// @dev The note that the sender's request for `_issueDraft` creates.
    function _issued() internal view returns (Resource memory) {
        bytes32 kind = keccak256(abi.encode(uint256(CHAIN), SENDER, LABEL));
        return Resource(OTHER_CHAIN, vm.addr(ALICE), kind, 700, 0, keccak256("salt"));
    }

    /// @dev The note that the only output of a transfer becomes.
    function _created(OperationBuilder.TransferDraft memory draft) internal pure returns (Resource memory) {
        Output memory output = draft.outputs[0];
        bytes32 salt = keccak256(abi.encode(OperationBuilder.transferHash(draft), uint256(0)));
        return Resource(output.domainId, output.owner, output.kind, output.quantity, output.data, salt);
    }

    function _queued(OperationBuilder.TransferDraft memory draft) internal view returns (bytes memory) {
        return OperationBuilder.queued(TRANSFER, _head(), _content(draft));
    }

    function _queued(OperationBuilder.IssueDraft memory draft) internal view returns (bytes memory) {
        return OperationBuilder.queued(ISSUE, _head(), OperationBuilder.issueContent(draft));
    }

    function _voided(OperationBuilder.TransferDraft memory draft, uint8 reason, uint8 position)
        internal
        view
        returns (bytes memory)
    {
        return OperationBuilder.voided(TRANSFER, _head(), _content(draft), reason, position);
    }

    function _voided(OperationBuilder.IssueDraft memory draft, uint8 reason, uint8 position)
        internal
        view
        returns (bytes memory)
    {
        return OperationBuilder.voided(ISSUE, _head(), OperationBuilder.issueContent(draft), reason, position);
    }

    // ---- trying them

    function _only(bytes memory operation) internal pure returns (bytes memory) {
        return bytes.concat(hex"0001", operation);
    }

    function _two(bytes memory first, bytes memory second) internal pure returns (bytes memory) {
        return bytes.concat(hex"0002", first, second);
    }

    /// @dev What both the hub and a spoke say of operations that are in order.
    function _checkBoth(bytes memory operations) internal view returns (Operations.Checked memory checked) {
        checked = _hub.check(operations);
        assertEq(abi.encode(checked), abi.encode(_spoke.check(operations)), "hub and spoke");
    }

    function _assertRefused(bytes memory operations, bytes memory reason) internal {
        _assertHubRefuses(operations, reason);
        vm.expectRevert(reason);
        _spoke.check(operations);
    }

    function _assertHubRefuses(bytes memory operations, bytes memory reason) internal {
        vm.expectRevert(reason);
        _hub.check(operations);
    }

    // ---- what they do

    function _idOf(Resource memory note) internal pure returns (bytes32) {
        return keccak256(abi.encode(note));
    }

    function _keyOf(Resource memory note) internal pure returns (bytes32) {
        bytes32 key = keccak256(abi.encodePacked("resource:", _idOf(note)));
        return keccak256(abi.encodePacked(note.domainId, key));
    }

    function _nullifierOf(Resource memory note) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:nullifier", _idOf(note)));
    }

    function _nullifierKeyOf(Resource memory note) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("nullifier:", _nullifierOf(note)));
    }

    function _assertOnlyCreated(Operations.Checked memory checked, Resource memory note) internal pure {
        assertEq(checked.created.length, 1);
        assertEq(checked.created[0].id, _idOf(note));
        assertEq(checked.created[0].owner, note.owner);
    }

    function _assertTouch(Touch memory touch, bytes32 key, bytes32 oldValue, bytes32 newValue) internal pure {
        assertEq(Key.unwrap(touch.key), key, "key");
        assertEq(ValueHash.unwrap(touch.oldValue), oldValue, "old value");
        assertEq(ValueHash.unwrap(touch.newValue), newValue, "new value");
    }

    function _assertResolution(
        Operations.Checked memory checked,
        uint8 requestType,
        bytes memory content,
        bool executed
    ) internal view {
        assertEq(checked.resolutions.length, 1);
        Operations.Resolution memory resolution = checked.resolutions[0];
        assertEq(resolution.chainId, CHAIN, "chain");
        assertEq(resolution.number, 1, "number");
        assertEq(resolution.hash, OperationBuilder.requestHash(requestType, _head(), content), "hash");
        assertEq(resolution.executed, executed, "executed");
    }
}
