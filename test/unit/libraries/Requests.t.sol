// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, IProofErrors, Resource} from "../../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../../utils/OperationBuilder.sol";
import {OperationsHarness} from "../../utils/OperationsHarness.sol";
import {RequestDrafts} from "../../utils/RequestDrafts.sol";

contract RequestsTest is RequestDrafts {
    function test_checkRequest_givesTheHashThatResolvingItGives() public view {
        bytes memory transfer = _content(_own());
        bytes32 hash = _hub.checkRequest(transfer, TRANSFER, CHAIN, SENDER);
        assertEq(hash, OperationBuilder.requestHash(TRANSFER, _head(), transfer));
        assertEq(hash, _hub.check(_only(_queued(_own()))).resolutions[0].hash);
        assertEq(hash, _hub.check(_only(_voided(_own(), 2, 0))).resolutions[0].hash);
        bytes memory issue = OperationBuilder.issueContent(_issueDraft());
        hash = _spoke.checkRequest(issue, ISSUE, CHAIN, SENDER);
        assertEq(hash, OperationBuilder.requestHash(ISSUE, _head(), issue));
        assertEq(hash, _hub.check(_only(_queued(_issueDraft()))).resolutions[0].hash);
    }

    function test_checkRequest_unknownType_reverts() public {
        bytes memory content = _content(_own());
        uint256[5] memory types = [uint256(0), 1, 2, 5, 256 + 3];
        for (uint256 i = 0; i < types.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IOperationErrors.UnknownRequest.selector, types[i]));
            _hub.checkRequest(content, types[i], CHAIN, SENDER);
        }
    }

    function test_checkRequest_bytesLeftOver_reverts() public {
        bytes memory content = _content(_own());
        vm.expectRevert(
            abi.encodeWithSelector(
                IOperationErrors.RequestLength.selector, content.length + 1, content.length
            )
        );
        _hub.checkRequest(bytes.concat(content, hex"00"), TRANSFER, CHAIN, SENDER);
    }

    function test_checkRequest_cutOff_reverts() public {
        bytes memory content = OperationBuilder.issueContent(_issueDraft());
        bytes memory cut = new bytes(content.length - 1);
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = content[i];
        }
        vm.expectRevert(
            abi.encodeWithSelector(IOperationErrors.OperationsLength.selector, content.length, cut.length)
        );
        _hub.checkRequest(cut, ISSUE, CHAIN, SENDER);
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.OperationsLength.selector, 1, 0));
        _hub.checkRequest("", TRANSFER, CHAIN, SENDER);
    }

    function test_checkRequest_deadlinePassed_isRefusedWhereDeadlinesCount() public {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.deadline = NOW;
        _hub.checkRequest(_content(draft), TRANSFER, CHAIN, SENDER);
        draft.deadline = NOW - 1;
        bytes memory content = _content(draft);
        vm.expectRevert(
            abi.encodeWithSelector(IOperationErrors.DeadlinePassed.selector, NOW - 1, uint256(NOW))
        );
        _hub.checkRequest(content, TRANSFER, CHAIN, SENDER);
        _spoke.checkRequest(content, TRANSFER, CHAIN, SENDER);
    }

    /// @dev Deadlines and domains are told apart: a spoke's queue takes requests for domains that only the hub can judge.
    function test_checkRequest_deadlinesWithoutDomains_areTheRulesOfASpokesQueue() public {
        OperationsHarness queue =
            new OperationsHarness(HUB_CHAIN, address(0x4B), new uint256[](0), false, true);
        OperationBuilder.TransferDraft memory draft = _own();
        draft.outputs[0].domainId = STRANGE_CHAIN;
        queue.checkRequest(_content(draft), TRANSFER, CHAIN, SENDER);
        draft.deadline = NOW - 1;
        bytes memory content = _content(draft);
        vm.expectRevert(
            abi.encodeWithSelector(IOperationErrors.DeadlinePassed.selector, NOW - 1, uint256(NOW))
        );
        queue.checkRequest(content, TRANSFER, CHAIN, SENDER);
    }

    function test_checkRequest_unknownDomain_isRefusedByTheHubOnly() public {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.outputs[0].domainId = STRANGE_CHAIN;
        bytes memory content = _content(draft);
        _spoke.checkRequest(content, TRANSFER, CHAIN, SENDER);
        vm.expectRevert(
            abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, uint256(STRANGE_CHAIN))
        );
        _hub.checkRequest(content, TRANSFER, CHAIN, SENDER);
    }

    function test_checkRequest_fiveInputs_reverts() public {
        bytes memory content = bytes.concat(hex"05", _content(_own()));
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.InputCount.selector, 5));
        _hub.checkRequest(content, TRANSFER, CHAIN, SENDER);
    }

    /// @dev It could never be executed, nor is it void for any reason. A batch with it is refused by the walk.
    function test_checkRequest_oneNoteTwice_reverts() public {
        Resource[] memory inputs = new Resource[](4);
        (inputs[0], inputs[1]) = (_note(CHAIN, SENDER, 500), _note(CHAIN, SENDER, 600));
        (inputs[2], inputs[3]) = (_note(CHAIN, SENDER, 700), _note(CHAIN, SENDER, 600));
        bytes memory content = _content(_spend(inputs));
        vm.expectRevert(abi.encodeWithSelector(IProofErrors.KeyRepeated.selector, _keyOf(inputs[1])));
        _hub.checkRequest(content, TRANSFER, CHAIN, SENDER);
        assertEq(_hub.check(_only(_queued(_spend(inputs)))).resolutions.length, 1);
        inputs[3].salt = bytes32(uint256(inputs[3].salt) ^ 1);
        _hub.checkRequest(_content(_spend(inputs)), TRANSFER, CHAIN, SENDER);
    }

    function test_checkRequest_senderOrChainOfAnother_speaksForNoNote() public {
        bytes memory content = _content(_own());
        bytes memory reason =
            abi.encodeWithSelector(IOperationErrors.SignatureCount.selector, uint256(1), uint256(0));
        vm.expectRevert(reason);
        _hub.checkRequest(content, TRANSFER, OTHER_CHAIN, SENDER);
        vm.expectRevert(reason);
        _hub.checkRequest(content, TRANSFER, CHAIN, vm.addr(ALICE));
    }

    // ---- issues, packed here and checked there

    function testFuzz_packIssue_isTheContentThatCheckRequestTakes(
        bytes32 label,
        uint64 domainId,
        address owner,
        uint256 quantity,
        bytes32 data,
        bytes32 salt
    ) public view {
        OperationBuilder.IssueDraft memory draft;
        draft.label = label == 0 ? keccak256("label") : label;
        draft.domainId = domainId == 0 ? CHAIN : domainId;
        draft.owner = owner == address(0) ? SENDER : owner;
        draft.quantity = bound(quantity, 1, type(uint256).max) >> (uint256(salt) % 256);
        if (draft.quantity == 0) draft.quantity = 1;
        draft.data = uint256(salt) % 3 == 0 ? bytes32(0) : data;
        draft.salt = salt == 0 ? keccak256("salt") : salt;
        bytes memory content = _pack(draft);
        assertEq(content, OperationBuilder.issueContent(draft));
        bytes32 hash = _spoke.checkRequest(content, ISSUE, CHAIN, SENDER);
        assertEq(hash, OperationBuilder.requestHash(ISSUE, _head(), content));
    }

    function test_packIssue_zeros_areRefusedAsInContent() public {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        draft.label = 0;
        _assertBothRefuse(draft, IOperationErrors.ZeroLabel.selector);
        draft = _issueDraft();
        draft.domainId = 0;
        _assertBothRefuse(draft, IOperationErrors.ZeroDomain.selector);
        draft = _issueDraft();
        draft.owner = address(0);
        _assertBothRefuse(draft, IOperationErrors.ZeroOwner.selector);
        draft = _issueDraft();
        draft.salt = 0;
        _assertBothRefuse(draft, IOperationErrors.ZeroSalt.selector);
    }

    function test_packIssue_zeroQuantity_isRefusedAsInContent() public {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        draft.quantity = 0;
        vm.expectRevert(IOperationErrors.ZeroQuantity.selector);
        _pack(draft);
        bytes memory content = abi.encodePacked(draft.label, OTHER_CHAIN, draft.owner, hex"0100", draft.salt);
        vm.expectRevert(IOperationErrors.ZeroQuantity.selector);
        _spoke.checkRequest(content, ISSUE, CHAIN, SENDER);
    }

    function test_packIssue_domainOverSixtyFourBits_reverts() public {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        draft.domainId = type(uint64).max;
        _pack(draft);
        draft.domainId = uint256(type(uint64).max) + 1;
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, draft.domainId));
        _pack(draft);
    }

    function _assertBothRefuse(OperationBuilder.IssueDraft memory draft, bytes4 reason) private {
        vm.expectRevert(reason);
        _pack(draft);
        vm.expectRevert(reason);
        _spoke.checkRequest(OperationBuilder.issueContent(draft), ISSUE, CHAIN, SENDER);
    }

    function _pack(OperationBuilder.IssueDraft memory draft) private view returns (bytes memory) {
        return
            _hub.packIssue(draft.label, draft.domainId, draft.owner, draft.quantity, draft.data, draft.salt);
    }
}
