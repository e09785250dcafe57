// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, IProofErrors} from "../interfaces/IHypha.sol";
import {Ids} from "./Ids.sol";
import {Memory} from "./Memory.sol";
import {Key} from "../types/TreeTypes.sol";

/// @title What one operation spends and creates, and what follows from it: its sums, its hash, who signs, the ids of its notes
/// @dev All operations of a batch share one content: memory costs more the more there is of it. Sums with positions and places
/// cannot overflow: a content has at most 32 notes.
library Contents {
    /// @dev Most inputs, and most outputs, of a transfer.
    uint256 internal constant MAX_NOTES = 16;

    /// @dev Where the fields of a note stand from its place on. All but the salt are the preimage of an Output's hash, and all but
    /// the type that of a resource id, so that neither is copied.
    uint256 internal constant DOMAIN = 32;
    uint256 internal constant OWNER = 64;
    uint256 internal constant KIND = 96;
    uint256 internal constant QUANTITY = 128;
    uint256 internal constant DATA = 160;
    uint256 internal constant SALT = 192;
    uint256 private constant NOTE_SIZE = 224;
    uint256 private constant PREIMAGE_SIZE = 192;

    bytes32 internal constant OUTPUT_TYPEHASH =
        keccak256("Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)");
    bytes32 internal constant TRANSFER_TYPEHASH = keccak256(
        "Transfer(bytes32[] inputs,Output[] outputs,uint64 deadline)Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)"
    );

    /// @dev The notes of one operation, inputs before outputs. An issue has one output and no input.
    /// @param inputs How many notes are spent.
    /// @param outputs How many notes are created.
    /// @param notes Place of the first note; the others follow.
    /// @param ids Place of the first note's id; the others follow. A transfer's output has its hash there until the transfer has one.
    struct Content {
        uint256 inputs;
        uint256 outputs;
        uint256 notes;
        uint256 ids;
    }

    /// @notice Room for the content of any operation.
    function reserve() internal pure returns (Content memory content) {
        content.notes = Memory.allocate(2 * MAX_NOTES * NOTE_SIZE / 32);
        content.ids = Memory.allocate(2 * MAX_NOTES);
    }

    /// @notice The place of a note, counted from the first input.
    function noteAt(Content memory content, uint256 position) internal pure returns (uint256) {
        unchecked {
            return content.notes + position * NOTE_SIZE;
        }
    }

    /// @notice The id of a note, counted from the first input.
    function idAt(Content memory content, uint256 position) internal pure returns (bytes32) {
        unchecked {
            return bytes32(Memory.load(content.ids + position * 32));
        }
    }

    function domainAt(Content memory content, uint256 position) internal pure returns (uint256) {
        unchecked {
            return Memory.load(noteAt(content, position) + DOMAIN);
        }
    }

    function ownerAt(Content memory content, uint256 position) internal pure returns (address) {
        unchecked {
            return address(uint160(Memory.load(noteAt(content, position) + OWNER)));
        }
    }

    /// @notice Gives a note, all of whose fields are set, its id.
    function identify(Content memory content, uint256 position) internal pure {
        unchecked {
            bytes32 id = Memory.hash(noteAt(content, position) + DOMAIN, PREIMAGE_SIZE);
            Memory.store(content.ids + position * 32, uint256(id));
        }
    }

    /// @notice Gives the output of a transfer its hash, from which with others the transfer's follows.
    function hashOutput(Content memory content, uint256 position) internal pure {
        unchecked {
            uint256 note = noteAt(content, position);
            Memory.store(note, uint256(OUTPUT_TYPEHASH));
            Memory.store(content.ids + position * 32, uint256(Memory.hash(note, PREIMAGE_SIZE)));
        }
    }

    /// @notice The hash of a transfer whose inputs are identified and whose outputs are hashed.
    function transferHash(Content memory content, uint64 deadline) internal pure returns (bytes32) {
        unchecked {
            uint256 size = content.inputs * 32;
            bytes32 inputs = Memory.hash(content.ids, size);
            bytes32 outputs = Memory.hash(content.ids + size, content.outputs * 32);
            return Memory.hashOfFour(TRANSFER_TYPEHASH, inputs, outputs, bytes32(uint256(deadline)));
        }
    }

    /// @notice Gives the outputs of the transfer with this hash their salts and ids.
    function identifyOutputs(Content memory content, bytes32 hash) internal pure {
        unchecked {
            uint256 inputs = content.inputs;
            for (uint256 i = 0; i < content.outputs; ++i) {
                Memory.store(noteAt(content, inputs + i) + SALT, uint256(Ids.outputSalt(hash, i)));
                identify(content, inputs + i);
            }
        }
    }

    /// @notice For each kind, in order of first appearance: the notes spent add up to the notes created.
    function checkBalance(Content memory content) internal pure {
        unchecked {
            uint256 all = (uint256(1) << (content.inputs + content.outputs)) - 1;
            uint256 counted = 0; // a bit for each note
            for (uint256 i = 0; counted != all; ++i) {
                if ((counted >> i) & 1 == 0) counted |= _checkKind(content, i);
            }
        }
    }

    /// @notice Refuses a content that spends one note twice.
    /// @dev Operations need not ask: the walk finds it, as it finds a note that two of them spend. But a request with one could never
    /// be executed, nor is it void for any reason, so it would stop its queue for ever.
    function checkDistinct(Content memory content) internal pure {
        for (uint256 i = 1; i < content.inputs; ++i) {
            bytes32 id = idAt(content, i);
            for (uint256 j = 0; j < i; ++j) {
                if (idAt(content, j) != id) continue;
                revert IProofErrors.KeyRepeated(Key.unwrap(Ids.resourceKey(domainAt(content, i), id)));
            }
        }
    }

    /// @notice Who must sign: the distinct owners, in order of first appearance, of the inputs that do not belong to `sender` on
    /// `chainId`.
    /// @return signing A bit for the first such input of each.
    /// @return count How many they are.
    function signersOf(Content memory content, uint256 chainId, address sender)
        internal
        pure
        returns (uint256 signing, uint256 count)
    {
        unchecked {
            uint256 note = content.notes;
            for (uint256 i = 0; i < content.inputs; ++i) {
                uint256 owner = Memory.load(note + OWNER);
                bool spokenFor = owner == uint160(sender) && Memory.load(note + DOMAIN) == chainId;
                if (!spokenFor && !_signs(content, signing, owner)) {
                    signing |= uint256(1) << i;
                    ++count;
                }
                note += NOTE_SIZE;
            }
        }
    }

    /// @dev Whether one of these inputs is the owner's.
    function _signs(Content memory content, uint256 signing, uint256 owner) private pure returns (bool) {
        unchecked {
            for (uint256 note = content.notes; signing != 0; signing >>= 1) {
                if (signing & 1 == 1 && Memory.load(note + OWNER) == owner) return true;
                note += NOTE_SIZE;
            }
            return false;
        }
    }

    /// @dev Adds up the kind that first appears in the note at position `first`.
    /// @return counted A bit for each note of that kind.
    function _checkKind(Content memory content, uint256 first) private pure returns (uint256 counted) {
        unchecked {
            (uint256 inputs, uint256 count) = (content.inputs, content.inputs + content.outputs);
            uint256 note = noteAt(content, first);
            uint256 kind = Memory.load(note + KIND);
            uint256 spent = 0;
            uint256 created = 0;
            for (uint256 i = first; i < count; ++i) {
                if (Memory.load(note + KIND) == kind) {
                    counted |= uint256(1) << i;
                    uint256 quantity = Memory.load(note + QUANTITY);
                    if (i < inputs) spent = _add(spent, quantity, kind);
                    else created = _add(created, quantity, kind);
                }
                note += NOTE_SIZE;
            }
            if (spent != created) revert IOperationErrors.Unbalanced(bytes32(kind), spent, created);
        }
    }

    function _add(uint256 sum, uint256 quantity, uint256 kind) private pure returns (uint256 total) {
        // Wraps on purpose: a total below one of its parts is how the overflow shows.
        unchecked {
            total = sum + quantity;
        }
        if (total < quantity) revert IOperationErrors.QuantityOverflow(bytes32(kind));
    }
}
