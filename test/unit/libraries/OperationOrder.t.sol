// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, Resource} from "../../../contracts/interfaces/IHypha.sol";
import {Operations} from "../../../contracts/libraries/Operations.sol";
import {Key, Touch, ValueHash} from "../../../contracts/types/TreeTypes.sol";
import {OperationBuilder} from "../../utils/OperationBuilder.sol";
import {RequestDrafts} from "../../utils/RequestDrafts.sol";

/// @title The order of operations, the bound on keys, and the order of touches
contract OperationOrderTest is RequestDrafts {
    function test_check_eachTagAfterThoseItMayFollow_passes() public view {
        bytes memory operations = bytes.concat(hex"0007", _voided(_own(), 2, 0), _queued(_issueDraft()));
        operations = bytes.concat(operations, _queued(_own()), _queued(_issueDraft()));
        operations = bytes.concat(operations, _issue(), _transfer(), _issue());
        Operations.Checked memory checked = _checkBoth(operations);
        assertEq(checked.resolutions.length, 4);
        assertFalse(checked.resolutions[0].executed);
        assertTrue(checked.resolutions[1].executed);
        assertEq(checked.touches.length, 2 + 1 + 3 + 1 + 1 + 3 + 1);
        assertEq(checked.nullifiers.length, 1 + 1);
        assertEq(checked.created.length, 1 + 1 + 1 + 1 + 1 + 1);
    }

    function test_check_voidAfterQueued_reverts() public {
        _assertOutOfOrder(_queued(_own()), _voided(_own(), 2, 0));
        _assertOutOfOrder(_queued(_issueDraft()), _voided(_own(), 2, 0));
    }

    function test_check_voidAfterSigned_reverts() public {
        _assertOutOfOrder(_transfer(), _voided(_own(), 2, 0));
        _assertOutOfOrder(_issue(), _voided(_own(), 2, 0));
    }

    function test_check_queuedAfterSigned_reverts() public {
        _assertOutOfOrder(_transfer(), _queued(_own()));
        _assertOutOfOrder(_issue(), _queued(_own()));
        _assertOutOfOrder(_transfer(), _queued(_issueDraft()));
        _assertOutOfOrder(_issue(), _queued(_issueDraft()));
    }

    function test_check_unknownTag_reverts() public {
        uint8[3] memory tags = [0, 6, 255];
        for (uint256 i = 0; i < tags.length; ++i) {
            _assertRefused(
                _two(_issue(), abi.encodePacked(tags[i])),
                abi.encodeWithSelector(IOperationErrors.UnknownOperation.selector, uint256(tags[i]))
            );
        }
    }

    function test_check_asManyKeysAsAllowed_passesAndOneMoreReverts() public {
        bytes memory issues;
        for (uint256 i = 0; i < 256; ++i) {
            issues = bytes.concat(issues, _queued(_issueDraft()));
        }
        Operations.Checked memory checked = _checkBoth(bytes.concat(hex"0100", issues));
        assertEq(checked.touches.length, 256);
        assertEq(checked.created.length, 256);
        assertEq(checked.resolutions.length, 256);
        _assertRefused(
            bytes.concat(hex"0101", issues, _queued(_issueDraft())),
            abi.encodeWithSelector(IOperationErrors.TooManyKeys.selector, uint256(256), uint256(257))
        );
    }

    /// @dev The smallest operations of each kind, as many as there may be: all that they do is there, and nothing of it was written
    /// over, so that the lists had room for it.
    function test_check_manySmallestIssues_areAllThere() public view {
        bytes memory operations = hex"0100";
        Resource memory note = _issued();
        note.quantity = 1;
        OperationBuilder.Head memory head = _head();
        for (uint256 i = 0; i < 256; ++i) {
            ++head.number;
            operations = bytes.concat(operations, OperationBuilder.queued(ISSUE, head, _smallestIssue(i)));
        }
        Operations.Checked memory checked = _checkBoth(operations);
        for (uint256 i = 0; i < 256; ++i) {
            note.salt = bytes32(1 + i);
            _assertTouch(checked.touches[i], _keyOf(note), 0, _idOf(note));
            assertEq(checked.created[i].id, _idOf(note));
            assertEq(checked.created[i].owner, note.owner);
            assertEq(checked.resolutions[i].number, 2 + i);
            assertEq(
                checked.resolutions[i].hash, OperationBuilder.requestHash(ISSUE, _head(), _smallestIssue(i))
            );
        }
    }

    function test_check_manyInputs_areAllThere() public view {
        bytes memory operations = hex"0007";
        for (uint256 i = 0; i < 7; ++i) {
            OperationBuilder.TransferDraft memory draft = _spend(_inputsOf(i));
            draft.outputs[0].data = 0;
            operations = bytes.concat(
                operations, OperationBuilder.transfer(_signedBy(draft, ALICE), _separator).packed
            );
        }
        Operations.Checked memory checked = _checkBoth(operations);
        assertEq(checked.touches.length, 7 * 33);
        assertEq(checked.nullifiers.length, 7 * 16);
        assertEq(checked.created.length, 7);
        for (uint256 i = 0; i < 7; ++i) {
            Resource[] memory inputs = _inputsOf(i);
            for (uint256 j = 0; j < 16; ++j) {
                uint256 first = 33 * i + 2 * j;
                _assertTouch(checked.touches[first], _keyOf(inputs[j]), _idOf(inputs[j]), 0);
                _assertTouch(checked.touches[first + 1], _nullifierKeyOf(inputs[j]), 0, ONE);
                assertEq(checked.nullifiers[16 * i + j], _nullifierOf(inputs[j]));
            }
        }
    }

    function testFuzz_inOrder_givesTheTouchesAsNamed(
        uint16[] memory positions,
        uint8 count,
        bytes memory proof
    ) public view {
        Touch[] memory touches = _touches(uint256(count) % (positions.length + 1));
        bytes memory witness;
        for (uint256 i = 0; i < touches.length; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            positions[i] = uint16(positions[i] % touches.length);
            witness = bytes.concat(witness, bytes2(positions[i]));
        }
        (Touch[] memory sorted, bytes memory multiproof) = _hub.inOrder(touches, bytes.concat(witness, proof));
        assertEq(sorted.length, touches.length);
        for (uint256 i = 0; i < sorted.length; ++i) {
            assertEq(abi.encode(sorted[i]), abi.encode(touches[positions[i]]));
        }
        assertEq(multiproof, proof);
    }

    function test_inOrder_shortWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.OrderLength.selector, 4, 3));
        _hub.inOrder(_touches(2), hex"000000");
    }

    function test_inOrder_positionBeyondTheTouches_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.OrderIndex.selector, 2, 2));
        _hub.inOrder(_touches(2), hex"00000002");
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.OrderIndex.selector, 2, 65535));
        _hub.inOrder(_touches(2), hex"ffff0002");
    }

    function _assertOutOfOrder(bytes memory first, bytes memory second) private {
        bytes memory reason = abi.encodeWithSelector(IOperationErrors.OperationOrder.selector, uint256(1));
        _assertRefused(_two(first, second), reason);
    }

    function _smallestIssue(uint256 i) private pure returns (bytes memory) {
        OperationBuilder.IssueDraft memory draft = _issueDraft();
        (draft.quantity, draft.salt) = (1, bytes32(1 + i));
        return OperationBuilder.issueContent(draft);
    }

    /// @dev Sixteen of Alice's notes, each as small as can be.
    function _inputsOf(uint256 i) private pure returns (Resource[] memory inputs) {
        inputs = new Resource[](16);
        for (uint256 j = 0; j < 16; ++j) {
            inputs[j] = Resource(CHAIN, vm.addr(ALICE), KIND, 1, 0, bytes32(1 + 16 * i + j));
        }
    }

    function _transfer() private view returns (bytes memory) {
        OperationBuilder.TransferDraft memory draft = _spend(_note(CHAIN, vm.addr(ALICE), 500));
        return OperationBuilder.transfer(_signedBy(draft, ALICE), _separator).packed;
    }

    function _issue() private view returns (bytes memory) {
        return OperationBuilder.issue(_issueDraft(), _separator).packed;
    }

    function _touches(uint256 count) private pure returns (Touch[] memory touches) {
        touches = new Touch[](count);
        for (uint256 i = 0; i < count; ++i) {
            touches[i] = Touch(
                Key.wrap(keccak256(abi.encode(i))), ValueHash.wrap(bytes32(i)), ValueHash.wrap(bytes32(~i))
            );
        }
    }
}
