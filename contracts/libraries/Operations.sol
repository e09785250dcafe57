// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, Resource} from "../interfaces/IHypha.sol";
import {Calldata} from "./Calldata.sol";
import {Ids} from "./Ids.sol";
import {Signatures} from "./Signatures.sol";
import {Key, Touch, ValueHash} from "../types/TreeTypes.sol";

/// @title Packed operations: decoding, and every check that needs no tree (protocol/README.md)
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
library Operations {
    using Calldata for bytes;

    /// @dev Bounds a batch so that every supported chain takes it in one transaction.
    uint256 internal constant MAX_BYTES = 65_536;
    /// @dev Most keys that a batch touches: even at 60,000 gas a key, more than twice what a large tree costs, they fit the
    /// 16.7 million of a transaction (EIP-7825), a nullifier cache included.
    uint256 internal constant MAX_KEYS = 256;
    /// @dev Most inputs, and most outputs, of a transfer.
    uint256 private constant MAX_NOTES = 16;
    /// @dev The least that an operation takes for a note: domain, owner, kind and an amount of two bytes.
    uint256 private constant MIN_NOTE_BYTES = 62;

    uint256 private constant TAG_TRANSFER = 1;
    uint256 private constant TAG_ISSUE = 2;

    bytes32 private constant OUTPUT_TYPEHASH =
        keccak256("Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)");
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "Transfer(bytes32[] inputs,Output[] outputs,uint64 deadline)Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)"
    );
    bytes32 private constant ISSUE_TYPEHASH =
        keccak256("Issue(bytes32 resourceId,address issuer,bytes32 label,uint64 deadline)");

    /// @dev What the checks depend on beyond the bytes.
    /// @param domainSeparator The hub's, on every chain.
    /// @param hub Whether deadlines and domains are checked, which is the hub's part alone.
    /// @param isDomain Whether notes may be created for a domain; asked on the hub only.
    struct Rules {
        bytes32 domainSeparator;
        bool hub;
        function(uint256) view returns (bool) isDomain;
    }

    /// @dev A note that an operation spends or creates, in the order of the operations, inputs before outputs.
    struct Note {
        bytes32 id;
        bool spent;
        Resource resource;
    }

    /// @dev How far the bytes are read, and what they gave so far: the first `count` of `notes`.
    struct Reader {
        uint256 position;
        uint256 count;
        Note[] notes;
    }

    /// @notice Decodes and checks all operations and returns the notes that they spend and create.
    function check(bytes calldata operations, Rules memory rules)
        internal
        view
        returns (Note[] memory notes)
    {
        if (operations.length > MAX_BYTES) {
            revert IOperationErrors.OperationsTooLong(MAX_BYTES, operations.length);
        }
        Reader memory reader;
        uint256 left = _read(operations, reader, 2);
        if (left == 0) revert IOperationErrors.NoOperations();
        notes = _reserveNotes(operations.length / MIN_NOTE_BYTES + 1); // one more for a note that is cut off
        reader.notes = notes;
        for (; left > 0; --left) {
            uint256 tag = _read(operations, reader, 1);
            if (tag == TAG_TRANSFER) _readTransfer(operations, reader, rules);
            else if (tag == TAG_ISSUE) _readIssue(operations, reader, rules);
            else revert IOperationErrors.UnknownOperation(tag);
        }
        if (reader.position != operations.length) {
            revert IOperationErrors.OperationsLength(reader.position, operations.length);
        }
        uint256 count = reader.count;
        // Shortens the array to what was read; it never exceeds what was reserved.
        assembly ("memory-safe") {
            mstore(notes, count)
        }
    }

    /// @notice What the notes do to the tree, in their order: a spent one is read and its nullifier inserted, a
    /// created one is inserted.
    function touchesOf(Note[] memory notes) internal pure returns (Touch[] memory touches) {
        uint256 count = notes.length;
        for (uint256 i = 0; i < notes.length; ++i) {
            if (notes[i].spent) ++count;
        }
        if (count > MAX_KEYS) revert IOperationErrors.TooManyKeys(MAX_KEYS, count);
        ValueHash absent = ValueHash.wrap(0);
        touches = _reserveTouches(count);
        uint256 next = 0;
        for (uint256 i = 0; i < notes.length; ++i) {
            Note memory note = notes[i];
            Key key = Ids.resourceKey(note.resource.domainId, note.id);
            ValueHash value = ValueHash.wrap(note.id);
            if (note.spent) {
                touches[next++] = Touch(key, value, absent);
                touches[next++] = Touch(Ids.nullifierKey(Ids.nullifierOf(note.id)), absent, Ids.SPENT);
            } else {
                touches[next++] = Touch(key, absent, value);
            }
        }
    }

    /// @notice Splits a witness: the touches in the order that it says, and the multiproof. That the order is ascending,
    /// and so names each touch once, is the walk's to check.
    function inOrder(Touch[] memory touches, bytes calldata witness)
        internal
        pure
        returns (Touch[] memory sorted, bytes calldata multiproof)
    {
        uint256 count = touches.length;
        if (witness.length < 2 * count) revert IOperationErrors.OrderLength(2 * count, witness.length);
        sorted = _reserveTouches(count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 position = uint256(witness.word(2 * i)) >> 240; // inside the witness, as its length says
            if (position >= count) revert IOperationErrors.OrderIndex(count, position);
            sorted[i] = touches[position];
        }
        multiproof = witness[2 * count:];
    }

    function _readTransfer(bytes calldata operations, Reader memory reader, Rules memory rules) private view {
        uint256 inputs = _read(operations, reader, 1);
        if (inputs == 0 || inputs > MAX_NOTES) revert IOperationErrors.InputCount(inputs);
        uint256 outputs = _read(operations, reader, 1);
        if (outputs == 0 || outputs > MAX_NOTES) revert IOperationErrors.OutputCount(outputs);
        uint256 signatures = _read(operations, reader, 1);
        uint64 deadline = _readDeadline(operations, reader, rules);
        uint256 first = reader.count;
        for (uint256 i = 0; i < inputs + outputs; ++i) {
            _readNote(operations, reader, rules, i < inputs);
        }
        uint256 firstOutput = first + inputs;
        _checkBalance(reader, first, firstOutput);
        bytes32 transferHash = _transferHash(reader, first, firstOutput, deadline);
        address[] memory owners = _ownersOf(reader.notes, first, firstOutput);
        if (signatures != owners.length) revert IOperationErrors.SignatureCount(owners.length, signatures);
        bytes32 digest = Signatures.digest(rules.domainSeparator, transferHash);
        for (uint256 i = 0; i < signatures; ++i) {
            _readSignature(operations, reader, digest, owners[i]);
        }
        for (uint256 i = 0; i < outputs; ++i) {
            Note memory note = reader.notes[firstOutput + i];
            note.resource.salt = Ids.outputSalt(transferHash, i);
            note.id = Ids.resourceId(note.resource);
        }
    }

    function _readIssue(bytes calldata operations, Reader memory reader, Rules memory rules) private view {
        address issuer = address(uint160(_read(operations, reader, 20)));
        if (issuer == address(0)) revert IOperationErrors.ZeroIssuer();
        bytes32 label = bytes32(_read(operations, reader, 32));
        if (label == 0) revert IOperationErrors.ZeroLabel();
        uint64 deadline = _readDeadline(operations, reader, rules);
        Note memory note = _addNote(reader, false);
        Resource memory resource = note.resource;
        resource.domainId = _readDomain(operations, reader);
        _checkDomain(resource.domainId, rules);
        resource.owner = _readOwner(operations, reader);
        resource.kind = Ids.signedKind(issuer, label);
        _readAmount(operations, reader, resource);
        resource.salt = _readSalt(operations, reader);
        note.id = Ids.resourceId(resource);
        bytes32 issueHash = keccak256(abi.encode(ISSUE_TYPEHASH, note.id, issuer, label, deadline));
        _readSignature(operations, reader, Signatures.digest(rules.domainSeparator, issueHash), issuer);
    }

    /// @dev A transfer's note: an input, which carries its salt, or an output, whose salt follows from the transfer.
    function _readNote(bytes calldata operations, Reader memory reader, Rules memory rules, bool spent)
        private
        view
    {
        Note memory note = _addNote(reader, spent);
        Resource memory resource = note.resource;
        resource.domainId = _readDomain(operations, reader);
        if (!spent) _checkDomain(resource.domainId, rules);
        resource.owner = _readOwner(operations, reader);
        resource.kind = bytes32(_read(operations, reader, 32));
        if (resource.kind == 0) revert IOperationErrors.ZeroKind();
        _readAmount(operations, reader, resource);
        if (!spent) return;
        resource.salt = _readSalt(operations, reader);
        note.id = Ids.resourceId(resource);
    }

    function _readAmount(bytes calldata operations, Reader memory reader, Resource memory resource)
        private
        pure
    {
        uint256 header = _read(operations, reader, 1);
        uint256 size = header & 0x3f;
        if (size == 0 || size > 32 || header & 0x40 != 0) revert IOperationErrors.QuantityEncoding(header);
        resource.quantity = _read(operations, reader, size);
        if (resource.quantity >> (8 * (size - 1)) == 0) revert IOperationErrors.ZeroQuantity();
        if (header & 0x80 == 0) return;
        resource.data = bytes32(_read(operations, reader, 32));
        if (resource.data == 0) revert IOperationErrors.ZeroData();
    }

    function _readDeadline(bytes calldata operations, Reader memory reader, Rules memory rules)
        private
        view
        returns (uint64 deadline)
    {
        deadline = uint64(_read(operations, reader, 8));
        if (rules.hub && block.timestamp > deadline) {
            revert IOperationErrors.DeadlinePassed(deadline, block.timestamp);
        }
    }

    function _readDomain(bytes calldata operations, Reader memory reader)
        private
        pure
        returns (uint256 domainId)
    {
        domainId = _read(operations, reader, 8);
        if (domainId == 0) revert IOperationErrors.ZeroDomain();
    }

    function _checkDomain(uint256 domainId, Rules memory rules) private view {
        if (rules.hub && !rules.isDomain(domainId)) revert IOperationErrors.UnknownDomain(domainId);
    }

    function _readOwner(bytes calldata operations, Reader memory reader)
        private
        pure
        returns (address owner)
    {
        owner = address(uint160(_read(operations, reader, 20)));
        if (owner == address(0)) revert IOperationErrors.ZeroOwner();
    }

    function _readSalt(bytes calldata operations, Reader memory reader) private pure returns (bytes32 salt) {
        salt = bytes32(_read(operations, reader, 32));
        if (salt == 0) revert IOperationErrors.ZeroSalt();
    }

    function _readSignature(bytes calldata operations, Reader memory reader, bytes32 digest, address owner)
        private
        pure
    {
        uint256 start = _advance(operations, reader, Signatures.LENGTH);
        address signer = Signatures.recover(digest, operations[start:reader.position]);
        if (signer != owner) revert IOperationErrors.SignerMismatch(owner, signer);
    }

    /// @dev For each kind, in order of first appearance: the notes spent add up to the notes created.
    function _checkBalance(Reader memory reader, uint256 first, uint256 firstOutput) private pure {
        Note[] memory notes = reader.notes;
        uint256 count = reader.count;
        uint256 counted = 0; // a bit for each of the at most 32 notes
        for (uint256 i = first; i < count; ++i) {
            if ((counted >> (i - first)) & 1 == 1) continue;
            bytes32 kind = notes[i].resource.kind;
            uint256 spent = 0;
            uint256 created = 0;
            for (uint256 j = i; j < count; ++j) {
                Resource memory resource = notes[j].resource;
                if (resource.kind != kind) continue;
                counted |= uint256(1) << (j - first);
                if (j < firstOutput) spent = _add(spent, resource.quantity, kind);
                else created = _add(created, resource.quantity, kind);
            }
            if (spent != created) revert IOperationErrors.Unbalanced(kind, spent, created);
        }
    }

    function _add(uint256 sum, uint256 quantity, bytes32 kind) private pure returns (uint256 total) {
        // Wraps on purpose: a total below one of its parts is how the overflow shows.
        unchecked {
            total = sum + quantity;
        }
        if (total < quantity) revert IOperationErrors.QuantityOverflow(kind);
    }

    /// @dev The distinct owners of the inputs in order of first appearance: those who must sign.
    function _ownersOf(Note[] memory notes, uint256 first, uint256 firstOutput)
        private
        pure
        returns (address[] memory owners)
    {
        owners = new address[](firstOutput - first);
        uint256 count = 0;
        for (uint256 i = first; i < firstOutput; ++i) {
            address owner = notes[i].resource.owner;
            uint256 j = 0;
            while (j < count && owners[j] != owner) ++j;
            if (j == count) owners[count++] = owner;
        }
        // Shortens the array to the distinct ones.
        assembly ("memory-safe") {
            mstore(owners, count)
        }
    }

    function _transferHash(Reader memory reader, uint256 first, uint256 firstOutput, uint64 deadline)
        private
        pure
        returns (bytes32)
    {
        bytes32[] memory inputs = new bytes32[](firstOutput - first);
        for (uint256 i = 0; i < inputs.length; ++i) {
            inputs[i] = reader.notes[first + i].id;
        }
        bytes32[] memory outputs = new bytes32[](reader.count - firstOutput);
        for (uint256 i = 0; i < outputs.length; ++i) {
            outputs[i] = _outputHash(reader.notes[firstOutput + i].resource);
        }
        bytes32 inputsHash = keccak256(abi.encodePacked(inputs));
        bytes32 outputsHash = keccak256(abi.encodePacked(outputs));
        return keccak256(abi.encode(TRANSFER_TYPEHASH, inputsHash, outputsHash, deadline));
    }

    function _outputHash(Resource memory output) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                OUTPUT_TYPEHASH, output.domainId, output.owner, output.kind, output.quantity, output.data
            )
        );
    }

    function _addNote(Reader memory reader, bool spent) private pure returns (Note memory note) {
        note.spent = spent;
        reader.notes[reader.count++] = note;
    }

    /// @dev The next `size` bytes, at most 32, as a big-endian number.
    function _read(bytes calldata operations, Reader memory reader, uint256 size)
        private
        pure
        returns (uint256)
    {
        uint256 start = _advance(operations, reader, size);
        // Cannot overflow: every size read is at most 32.
        unchecked {
            return uint256(operations.word(start)) >> (256 - 8 * size);
        }
    }

    /// @dev Moves past the next `size` bytes and returns where they begin.
    function _advance(bytes calldata operations, Reader memory reader, uint256 size)
        private
        pure
        returns (uint256 start)
    {
        start = reader.position;
        uint256 end;
        // Cannot overflow: the position is inside the operations, and every size is at most 65.
        unchecked {
            end = start + size;
        }
        if (end > operations.length) revert IOperationErrors.OperationsLength(end, operations.length);
        reader.position = end;
    }

    /// @dev An array whose elements are still to be set: `new Note[]` would allocate an empty note for each.
    function _reserveNotes(uint256 capacity) private pure returns (Note[] memory notes) {
        bytes32[] memory slots = new bytes32[](capacity);
        assembly ("memory-safe") {
            notes := slots
        }
    }

    /// @dev As `_reserveNotes`.
    function _reserveTouches(uint256 count) private pure returns (Touch[] memory touches) {
        bytes32[] memory slots = new bytes32[](count);
        assembly ("memory-safe") {
            touches := slots
        }
    }
}
