// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, Output, Resource} from "../../../contracts/interfaces/IHypha.sol";
import {Operations} from "../../../contracts/libraries/Operations.sol";
import {OperationBuilder} from "../../utils/OperationBuilder.sol";
import {RequestDrafts} from "../../utils/RequestDrafts.sol";

contract QueuedOperationsTest is RequestDrafts {
    function test_queuedTransfer_senderSpendsItsOwnNoteOnItsChain_needsNoSignature() public view {
        OperationBuilder.TransferDraft memory draft = _own();
        Resource memory input = draft.inputs[0];
        Resource memory output = _created(draft);
        Operations.Checked memory checked = _checkBoth(_only(_queued(draft)));
        assertEq(checked.touches.length, 3);
        _assertTouch(checked.touches[0], _keyOf(input), _idOf(input), 0);
        _assertTouch(checked.touches[1], _nullifierKeyOf(input), 0, ONE);
        _assertTouch(checked.touches[2], _keyOf(output), 0, _idOf(output));
        assertEq(checked.nullifiers.length, 1);
        assertEq(checked.nullifiers[0], _nullifierOf(input));
        _assertOnlyCreated(checked, output);
        _assertResolution(checked, TRANSFER, _content(draft), true);
    }

    function test_queuedTransfer_senderSignsForItsOwnNote_reverts() public {
        bytes memory operations = _only(_queued(_signedBy(_own(), 0x5E)));
        _assertRefused(
            operations,
            abi.encodeWithSelector(IOperationErrors.SignatureCount.selector, uint256(0), uint256(1))
        );
    }

    function test_queuedTransfer_noteOfTheSenderOnAnotherChain_mustBeSigned() public {
        OperationBuilder.TransferDraft memory draft = _spend(_note(OTHER_CHAIN, SENDER, 500));
        _assertRefused(_only(_queued(draft)), _signatureCount(1, 0));
        _checkBoth(_only(_queued(_signedBy(draft, 0x5E))));
    }

    function test_queuedTransfer_noteOfAnotherOnItsChain_mustBeSigned() public {
        OperationBuilder.TransferDraft memory draft = _spend(_note(CHAIN, vm.addr(ALICE), 500));
        _assertRefused(_only(_queued(draft)), _signatureCount(1, 0));
        _checkBoth(_only(_queued(_signedBy(draft, ALICE))));
    }

    function test_queuedTransfer_anotherSignsForAnOwner_reverts() public {
        OperationBuilder.TransferDraft memory draft = _spend(_note(CHAIN, vm.addr(ALICE), 500));
        bytes memory reason =
            abi.encodeWithSelector(IOperationErrors.SignerMismatch.selector, vm.addr(ALICE), vm.addr(BOB));
        _assertRefused(_only(_queued(_signedBy(draft, BOB))), reason);
    }

    function test_queuedTransfer_senderOwnsNotesOfTwoDomains_signsOnce() public {
        Resource memory here = _note(CHAIN, SENDER, 500);
        Resource memory there = _note(OTHER_CHAIN, SENDER, 600);
        _assertRefused(_only(_queued(_spend(here, there))), _signatureCount(1, 0));
        _assertRefused(_only(_queued(_signedBy(_spend(here, there), 0x5E, 0x5E))), _signatureCount(1, 2));
        _checkBoth(_only(_queued(_signedBy(_spend(here, there), 0x5E))));
        _checkBoth(_only(_queued(_signedBy(_spend(there, here), 0x5E))));
    }

    function test_queuedTransfer_senderAndAnother_onlyTheOtherSigns() public {
        Resource memory own = _note(CHAIN, SENDER, 500);
        Resource memory alices = _note(CHAIN, vm.addr(ALICE), 600);
        _checkBoth(_only(_queued(_signedBy(_spend(own, alices), ALICE))));
        _checkBoth(_only(_queued(_signedBy(_spend(alices, own), ALICE))));
        _assertRefused(_only(_queued(_signedBy(_spend(own, alices), ALICE, 0x5E))), _signatureCount(1, 2));
    }

    /// @dev The order is that of the notes that need a signature: here the sender's second note comes after Alice's.
    function test_queuedTransfer_signers_standInTheOrderOfTheNotesThatNeedThem() public {
        Resource[] memory inputs = new Resource[](3);
        inputs[0] = _note(CHAIN, SENDER, 500);
        inputs[1] = _note(CHAIN, vm.addr(ALICE), 600);
        inputs[2] = _note(OTHER_CHAIN, SENDER, 700);
        _checkBoth(_only(_queued(_signedBy(_spend(inputs), ALICE, 0x5E))));
        bytes memory reason =
            abi.encodeWithSelector(IOperationErrors.SignerMismatch.selector, vm.addr(ALICE), SENDER);
        _assertRefused(_only(_queued(_signedBy(_spend(inputs), 0x5E, ALICE))), reason);
    }

    function test_transfer_notQueued_nobodySpeaksWithoutASignature() public {
        bytes memory operation = bytes.concat(hex"01", _content(_own()));
        _assertRefused(_only(operation), _signatureCount(1, 0));
    }

    function test_queuedTransfer_fourInputsAndFourOutputs_pass() public view {
        OperationBuilder.TransferDraft memory draft = _wide(4, 4);
        Operations.Checked memory checked = _checkBoth(_only(_queued(draft)));
        assertEq(checked.touches.length, 12);
        assertEq(checked.nullifiers.length, 4);
        assertEq(checked.created.length, 4);
    }

    function test_queuedTransfer_fiveInputs_reverts() public {
        _assertRefused(
            _only(_queued(_wide(5, 1))), abi.encodeWithSelector(IOperationErrors.InputCount.selector, 5)
        );
    }

    function test_queuedTransfer_fiveOutputs_reverts() public {
        _assertRefused(
            _only(_queued(_wide(1, 5))), abi.encodeWithSelector(IOperationErrors.OutputCount.selector, 5)
        );
    }

    function test_transfer_notQueued_mayHaveMoreNotesThanARequest() public view {
        bytes memory content = _content(_signedBy(_wide(16, 16), 0x5E));
        Operations.Checked memory checked = _checkBoth(_only(bytes.concat(hex"01", content)));
        assertEq(checked.nullifiers.length, 16);
        assertEq(checked.created.length, 16);
    }

    function test_queuedTransfer_deadlinePassedSinceItWasQueued_passes() public view {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.deadline = NOW - 1;
        _checkBoth(_only(_queued(draft)));
    }

    function test_queuedTransfer_unbalanced_reverts() public {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.outputs[0].quantity += 1;
        _assertRefused(
            _only(_queued(draft)),
            abi.encodeWithSelector(IOperationErrors.Unbalanced.selector, KIND, uint256(500), uint256(501))
        );
    }

    function test_queuedTransfer_unknownDomain_isRefusedByTheHubOnly() public {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.outputs[0].domainId = STRANGE_CHAIN;
        bytes memory operations = _only(_queued(draft));
        _assertHubRefuses(
            operations,
            abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, uint256(STRANGE_CHAIN))
        );
        _assertOnlyCreated(_spoke.check(operations), _created(draft));
    }

    function test_queuedIssue_kindIsTheSendersOnItsChain() public view {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        Resource memory note = _issued();
        Operations.Checked memory checked = _checkBoth(_only(_queued(draft)));
        assertEq(checked.touches.length, 1);
        _assertTouch(checked.touches[0], _keyOf(note), 0, _idOf(note));
        assertEq(checked.nullifiers.length, 0);
        _assertOnlyCreated(checked, note);
        _assertResolution(checked, ISSUE, OperationBuilder.issueContent(draft), true);
    }

    function test_queuedIssue_unknownDomain_isRefusedByTheHubOnly() public {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        draft.domainId = STRANGE_CHAIN;
        bytes memory operations = _only(_queued(draft));
        _assertHubRefuses(
            operations,
            abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, uint256(STRANGE_CHAIN))
        );
        Resource memory note = _issued();
        note.domainId = STRANGE_CHAIN;
        _assertOnlyCreated(_spoke.check(operations), note);
    }

    function test_queuedIssue_zeros_revert() public {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        draft.label = 0;
        _assertRefused(_only(_queued(draft)), abi.encodeWithSelector(IOperationErrors.ZeroLabel.selector));
        draft = _issueDraft();
        draft.domainId = 0;
        _assertRefused(_only(_queued(draft)), abi.encodeWithSelector(IOperationErrors.ZeroDomain.selector));
        draft = _issueDraft();
        draft.owner = address(0);
        _assertRefused(_only(_queued(draft)), abi.encodeWithSelector(IOperationErrors.ZeroOwner.selector));
        draft = _issueDraft();
        draft.quantity = 0; // no byte at all
        _assertRefused(
            _only(_queued(draft)), abi.encodeWithSelector(IOperationErrors.QuantityEncoding.selector, 0)
        );
        draft = _issueDraft();
        draft.salt = 0;
        _assertRefused(_only(_queued(draft)), abi.encodeWithSelector(IOperationErrors.ZeroSalt.selector));
    }

    function test_head_zeros_revert() public {
        bytes[3] memory operations;
        OperationBuilder.Head[3] memory heads;
        heads[0] = OperationBuilder.Head(0, 1, SENDER);
        heads[1] = OperationBuilder.Head(CHAIN, 0, SENDER);
        heads[2] = OperationBuilder.Head(CHAIN, 1, address(0));
        bytes4[3] memory reasons = [
            IOperationErrors.ZeroDomain.selector,
            IOperationErrors.ZeroNumber.selector,
            IOperationErrors.ZeroSender.selector
        ];
        bytes memory transfer = _content(_own());
        bytes memory issue = OperationBuilder.issueContent(_issueDraft());
        for (uint256 i = 0; i < 3; ++i) {
            operations[0] = OperationBuilder.queued(TRANSFER, heads[i], transfer);
            operations[1] = OperationBuilder.queued(ISSUE, heads[i], issue);
            operations[2] = OperationBuilder.voided(ISSUE, heads[i], issue, 3, 0);
            for (uint256 j = 0; j < 3; ++j) {
                _assertRefused(_only(operations[j]), abi.encodeWithSelector(reasons[i]));
            }
        }
    }

    /// @dev Many inputs of the sender on its chain, all of them worth what the outputs are.
    function _wide(uint256 inputs, uint256 outputs)
        private
        view
        returns (OperationBuilder.TransferDraft memory draft)
    {
        Resource[] memory spent = new Resource[](inputs);
        for (uint256 i = 0; i < inputs; ++i) {
            spent[i] = _note(CHAIN, SENDER, 1000 + i);
        }
        draft = _spend(spent);
        uint256 sum = draft.outputs[0].quantity;
        draft.outputs = new Output[](outputs);
        for (uint256 i = 0; i < outputs; ++i) {
            uint256 quantity = i + 1 == outputs ? sum : 10;
            draft.outputs[i] = Output(CHAIN, vm.addr(BOB), KIND, quantity, 0);
            sum -= quantity;
        }
    }

    function _signatureCount(uint256 expected, uint256 actual) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOperationErrors.SignatureCount.selector, expected, actual);
    }
}
