// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors} from "../interfaces/IHypha.sol";
import {Hashes} from "./Hashes.sol";
import {Ids} from "./Ids.sol";

/// @title What one operation spends and creates, and what follows from it: its sums, its hash, who signs, the ids of its notes
/// @dev All operations of a batch share one content, and none allocates: memory costs more the more there is of it.
library Contents {
    /// @dev Most inputs, and most outputs, of a transfer.
    uint256 internal constant MAX_NOTES = 16;

    bytes32 private constant OUTPUT_TYPEHASH =
        keccak256("Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)");
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "Transfer(bytes32[] inputs,Output[] outputs,uint64 deadline)Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)"
    );

    /// @dev A note as its hashes take it: all but the salt are an Output of the transfer's type, all but the type a resource.
    struct Preimage {
        bytes32 outputType;
        uint256 domainId;
        address owner;
        bytes32 kind;
        uint256 quantity;
        bytes32 data;
        bytes32 salt;
    }

    /// @dev The notes of one operation, inputs before outputs. An issue has one output and no input.
    /// @param inputs How many notes are spent.
    /// @param outputs How many notes are created.
    /// @param ids Of the notes; of a transfer's outputs first their hashes, as they have no id before the transfer has its own.
    /// @param signers Those who must sign, in their order.
    /// @param notes The notes; as many are set as the largest content so far had.
    /// @param room How many that is.
    struct Content {
        uint256 inputs;
        uint256 outputs;
        bytes32[] ids;
        address[] signers;
        Preimage[] notes;
        uint256 room;
    }

    /// @notice Room for the content of any operation.
    function reserve() internal pure returns (Content memory content) {
        content.ids = new bytes32[](2 * MAX_NOTES);
        content.signers = new address[](MAX_NOTES);
        bytes32[] memory slots = new bytes32[](2 * MAX_NOTES);
        Preimage[] memory notes;
        // `new Preimage[]` would make all 32 at once, where most transfers have three.
        assembly ("memory-safe") {
            notes := slots
        }
        content.notes = notes;
    }

    /// @notice Begins a content with so many notes, at most MAX_NOTES of each.
    function open(Content memory content, uint256 inputs, uint256 outputs) internal pure {
        (content.inputs, content.outputs) = (inputs, outputs);
        for (; content.room < inputs + outputs; ++content.room) {
            content.notes[content.room] = Preimage(OUTPUT_TYPEHASH, 0, address(0), 0, 0, 0, 0);
        }
    }

    /// @notice Gives the one note of an issue its id.
    function identifyIssued(Content memory content) internal pure {
        content.ids[0] = _resourceId(content.notes[0]);
    }

    /// @notice For each kind, in order of first appearance: the notes spent add up to the notes created.
    function checkBalance(Content memory content) internal pure {
        uint256 count = content.inputs + content.outputs;
        uint256 counted = 0; // a bit for each of the at most 32 notes
        for (uint256 i = 0; i < count; ++i) {
            if ((counted >> i) & 1 == 1) continue;
            counted |= _checkKind(content, i, count);
        }
    }

    /// @notice The hash of the transfer that the content is; gives the inputs their ids.
    function transferHash(Content memory content, uint64 deadline) internal pure returns (bytes32) {
        (uint256 inputs, uint256 outputs) = (content.inputs, content.outputs);
        for (uint256 i = 0; i < inputs; ++i) {
            content.ids[i] = _resourceId(content.notes[i]);
        }
        for (uint256 i = 0; i < outputs; ++i) {
            content.ids[inputs + i] = _outputHash(content.notes[inputs + i]);
        }
        return Hashes.ofFour(
            TRANSFER_TYPEHASH,
            Hashes.ofWords(content.ids, 0, inputs),
            Hashes.ofWords(content.ids, inputs, outputs),
            bytes32(uint256(deadline))
        );
    }

    /// @notice Gives the outputs of the transfer with this hash their salts and ids.
    function identifyOutputs(Content memory content, bytes32 hash) internal pure {
        (uint256 inputs, uint256 outputs) = (content.inputs, content.outputs);
        for (uint256 i = 0; i < outputs; ++i) {
            Preimage memory output = content.notes[inputs + i];
            output.salt = Ids.outputSalt(hash, i);
            content.ids[inputs + i] = _resourceId(output);
        }
    }

    /// @notice The distinct owners of the inputs in order of first appearance, without those inputs that belong to `sender` on
    /// `chainId`: those who must sign.
    function findSigners(Content memory content, uint256 chainId, address sender)
        internal
        pure
        returns (address[] memory signers)
    {
        signers = content.signers;
        _setLength(signers, MAX_NOTES);
        uint256 count = 0;
        for (uint256 i = 0; i < content.inputs; ++i) {
            Preimage memory input = content.notes[i];
            address owner = input.owner;
            if (owner == sender && input.domainId == chainId) continue;
            uint256 j = 0;
            while (j < count && signers[j] != owner) ++j;
            if (j == count) signers[count++] = owner;
        }
        _setLength(signers, count);
    }

    function _resourceId(Preimage memory note) private pure returns (bytes32 id) {
        // The resource is all of the preimage but its first word; the plain form copies it.
        assembly ("memory-safe") {
            id := keccak256(add(note, 32), 192)
        }
    }

    function _outputHash(Preimage memory note) private pure returns (bytes32 hash) {
        // The output is all of the preimage but its last word; the plain form copies it.
        assembly ("memory-safe") {
            hash := keccak256(note, 192)
        }
    }

    /// @dev Adds up the kind of the note at `first`, where it appears first.
    /// @return counted A bit for each note of that kind.
    function _checkKind(Content memory content, uint256 first, uint256 count)
        private
        pure
        returns (uint256 counted)
    {
        bytes32 kind = content.notes[first].kind;
        uint256 spent = 0;
        uint256 created = 0;
        for (uint256 i = first; i < count; ++i) {
            Preimage memory note = content.notes[i];
            if (note.kind != kind) continue;
            counted |= uint256(1) << i;
            if (i < content.inputs) spent = _add(spent, note.quantity, kind);
            else created = _add(created, note.quantity, kind);
        }
        if (spent != created) revert IOperationErrors.Unbalanced(kind, spent, created);
    }

    function _add(uint256 sum, uint256 quantity, bytes32 kind) private pure returns (uint256 total) {
        // Wraps on purpose: a total below one of its parts is how the overflow shows.
        unchecked {
            total = sum + quantity;
        }
        if (total < quantity) revert IOperationErrors.QuantityOverflow(kind);
    }

    /// @dev At most as many as there is room for.
    function _setLength(address[] memory signers, uint256 count) private pure {
        assembly ("memory-safe") {
            mstore(signers, count)
        }
    }
}
