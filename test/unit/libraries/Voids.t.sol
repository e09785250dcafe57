// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, Resource} from "../../../contracts/interfaces/IHypha.sol";
import {Operations} from "../../../contracts/libraries/Operations.sol";
import {OperationBuilder} from "../../utils/OperationBuilder.sol";
import {RequestDrafts} from "../../utils/RequestDrafts.sol";

contract VoidsTest is RequestDrafts {
    uint8 private constant INPUT_ABSENT = 1;
    uint8 private constant INPUT_SPENT = 2;
    uint8 private constant OUTPUT_EXISTS = 3;
    uint8 private constant UNKNOWN_DOMAIN = 4;

    function test_void_inputAbsent_readsThatThereIsNoNote() public view {
        Resource memory second = _note(CHAIN, SENDER, 600);
        OperationBuilder.TransferDraft memory draft = _spend(_note(CHAIN, SENDER, 500), second);
        Operations.Checked memory checked = _checkBoth(_only(_voided(draft, INPUT_ABSENT, 1)));
        assertEq(checked.touches.length, 2);
        _assertTouch(checked.touches[0], _voidKey(), 0, ONE);
        _assertTouch(checked.touches[1], _keyOf(second), 0, 0);
        assertEq(checked.nullifiers.length + checked.created.length, 0);
        _assertResolution(checked, TRANSFER, _content(draft), false);
    }

    function test_void_inputSpent_readsTheNullifier() public view {
        OperationBuilder.TransferDraft memory draft = _own();
        Operations.Checked memory checked = _checkBoth(_only(_voided(draft, INPUT_SPENT, 0)));
        assertEq(checked.touches.length, 2);
        _assertTouch(checked.touches[0], _voidKey(), 0, ONE);
        _assertTouch(checked.touches[1], _nullifierKeyOf(draft.inputs[0]), ONE, 0);
        assertEq(checked.nullifiers.length + checked.created.length, 0);
        _assertResolution(checked, TRANSFER, _content(draft), false);
    }

    function test_void_outputOfATransferExists_readsIt() public view {
        OperationBuilder.TransferDraft memory draft = _own();
        Resource memory output = _created(draft);
        Operations.Checked memory checked = _checkBoth(_only(_voided(draft, OUTPUT_EXISTS, 0)));
        assertEq(checked.touches.length, 2);
        _assertTouch(checked.touches[0], _voidKey(), 0, ONE);
        _assertTouch(checked.touches[1], _keyOf(output), _idOf(output), 0);
        _assertResolution(checked, TRANSFER, _content(draft), false);
    }

    function test_void_outputOfAnIssueExists_readsIt() public view {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        Resource memory output = _issued();
        Operations.Checked memory checked = _checkBoth(_only(_voided(draft, OUTPUT_EXISTS, 0)));
        assertEq(checked.touches.length, 2);
        _assertTouch(checked.touches[0], _voidKey(), 0, ONE);
        _assertTouch(checked.touches[1], _keyOf(output), _idOf(output), 0);
        _assertResolution(checked, ISSUE, OperationBuilder.issueContent(draft), false);
    }

    function test_void_unknownDomain_readsNothing() public view {
        OperationBuilder.TransferDraft memory transfer = _own();
        transfer.outputs[0].domainId = STRANGE_CHAIN;
        Operations.Checked memory checked = _checkBoth(_only(_voided(transfer, UNKNOWN_DOMAIN, 0)));
        assertEq(checked.touches.length, 1);
        _assertTouch(checked.touches[0], _voidKey(), 0, ONE);
        OperationBuilder.IssueDraft memory issue = _issueDraft();
        issue.domainId = STRANGE_CHAIN;
        assertEq(_checkBoth(_only(_voided(issue, UNKNOWN_DOMAIN, 0))).touches.length, 1);
    }

    function test_void_domainIsKnown_isRefusedByTheHubOnly() public {
        bytes memory operations = _only(_voided(_own(), UNKNOWN_DOMAIN, 0));
        _assertHubRefuses(
            operations, abi.encodeWithSelector(IOperationErrors.KnownDomain.selector, uint256(OTHER_CHAIN))
        );
        assertEq(_spoke.check(operations).touches.length, 1);
    }

    function test_void_contentOfUnknownDomain_mayBeVoidForAnotherReason() public view {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.outputs[0].domainId = STRANGE_CHAIN;
        assertEq(_checkBoth(_only(_voided(draft, INPUT_SPENT, 0))).touches.length, 2);
    }

    function test_void_deadlinePassed_passes() public view {
        OperationBuilder.TransferDraft memory draft = _own();
        draft.deadline = NOW - 1;
        _checkBoth(_only(_voided(draft, INPUT_SPENT, 0)));
    }

    function test_void_unknownReason_reverts() public {
        uint8[3] memory reasons = [0, 5, 255];
        for (uint256 i = 0; i < reasons.length; ++i) {
            _assertRefused(
                _only(_voided(_own(), reasons[i], 0)),
                abi.encodeWithSelector(IOperationErrors.VoidReason.selector, uint256(reasons[i]))
            );
        }
    }

    /// @dev Two inputs and one output: the first position beyond is refused, the last is not.
    function test_void_positionBeyondTheNotes_reverts() public {
        OperationBuilder.TransferDraft memory draft =
            _spend(_note(CHAIN, SENDER, 500), _note(CHAIN, SENDER, 600));
        _checkBoth(_only(_voided(draft, INPUT_ABSENT, 1)));
        _checkBoth(_only(_voided(draft, INPUT_SPENT, 1)));
        _assertRefused(_only(_voided(draft, INPUT_ABSENT, 2)), _voidPosition(2, 2));
        _assertRefused(_only(_voided(draft, INPUT_SPENT, 2)), _voidPosition(2, 2));
        _assertRefused(_only(_voided(draft, OUTPUT_EXISTS, 1)), _voidPosition(1, 1));
        _assertRefused(_only(_voided(draft, UNKNOWN_DOMAIN, 1)), _voidPosition(1, 1));
    }

    function test_void_anIssueHasNoInputAndOneOutput() public {
        _assertRefused(_only(_voided(_issueDraft(), INPUT_ABSENT, 0)), _voidPosition(0, 0));
        _assertRefused(_only(_voided(_issueDraft(), INPUT_SPENT, 0)), _voidPosition(0, 0));
        _assertRefused(_only(_voided(_issueDraft(), OUTPUT_EXISTS, 1)), _voidPosition(1, 1));
    }

    function test_void_unknownRequestType_reverts() public {
        uint8[5] memory types = [0, 1, 2, 5, 255];
        for (uint256 i = 0; i < types.length; ++i) {
            bytes memory operation =
                OperationBuilder.voided(types[i], _head(), _content(_own()), INPUT_SPENT, 0);
            _assertRefused(
                _only(operation),
                abi.encodeWithSelector(IOperationErrors.UnknownRequest.selector, uint256(types[i]))
            );
        }
    }

    function test_void_contentShorterOrLongerThanItSays_reverts() public {
        bytes memory content = _content(_own());
        int256[2] memory errors = [int256(-1), int256(1)];
        for (uint256 i = 0; i < errors.length; ++i) {
            uint256 said = uint256(int256(content.length) + errors[i]);
            // forge-lint: disable-next-item(unsafe-typecast)
            bytes memory operation = abi.encodePacked(
                uint8(5), CHAIN, uint64(1), SENDER, TRANSFER, uint16(said), content, hex"0200"
            );
            _assertRefused(
                _only(operation),
                abi.encodeWithSelector(IOperationErrors.RequestLength.selector, said, content.length)
            );
        }
    }

    function test_void_contentWouldNotHaveBeenQueued_reverts() public {
        OperationBuilder.TransferDraft memory unbalanced = _own();
        unbalanced.outputs[0].quantity += 1;
        _assertRefused(
            _only(_voided(unbalanced, INPUT_SPENT, 0)),
            abi.encodeWithSelector(IOperationErrors.Unbalanced.selector, KIND, uint256(500), uint256(501))
        );
        OperationBuilder.TransferDraft memory unsigned = _spend(_note(CHAIN, vm.addr(ALICE), 500));
        _assertRefused(
            _only(_voided(unsigned, INPUT_SPENT, 0)),
            abi.encodeWithSelector(IOperationErrors.SignatureCount.selector, uint256(1), uint256(0))
        );
        _assertRefused(
            _only(_voided(_signedBy(unsigned, BOB), INPUT_SPENT, 0)),
            abi.encodeWithSelector(IOperationErrors.SignerMismatch.selector, vm.addr(ALICE), vm.addr(BOB))
        );
        Resource[] memory five = new Resource[](5);
        for (uint256 i = 0; i < five.length; ++i) {
            five[i] = _note(CHAIN, SENDER, 1 + i);
        }
        _assertRefused(
            _only(_voided(_spend(five), INPUT_SPENT, 0)),
            abi.encodeWithSelector(IOperationErrors.InputCount.selector, uint256(5))
        );
        OperationBuilder.IssueDraft memory issue = _issueDraft();
        issue.salt = 0;
        _assertRefused(
            _only(_voided(issue, OUTPUT_EXISTS, 0)),
            abi.encodeWithSelector(IOperationErrors.ZeroSalt.selector)
        );
    }

    /// @dev Each byte is needed: whatever is cut off, the reason names the field that is cut.
    function test_void_cutOff_reverts() public {
        bytes memory whole = _only(_voided(_issueDraft(), OUTPUT_EXISTS, 0));
        for (uint256 length = 2; length < whole.length; ++length) {
            bytes memory cut = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                cut[i] = whole[i];
            }
            vm.expectPartialRevert(IOperationErrors.OperationsLength.selector);
            _hub.check(cut);
        }
    }

    function _voidKey() private pure returns (bytes32) {
        bytes32 key = keccak256(abi.encodePacked("void:", uint64(1)));
        return keccak256(abi.encodePacked(uint256(CHAIN), key));
    }

    function _voidPosition(uint256 count, uint256 position) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IOperationErrors.VoidPosition.selector, count, position);
    }
}
