// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IOperationErrors, IProofErrors} from "../interfaces/IHypha.sol";
import {Calldata} from "./Calldata.sol";
import {ContentReader} from "./ContentReader.sol";
import {Contents} from "./Contents.sol";
import {Fields} from "./Fields.sol";
import {Ids} from "./Ids.sol";
import {Key, Touch, ValueHash} from "../types/TreeTypes.sol";

/// @title Packed operations and requests: every check that needs no tree (protocol/README.md)
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
library Operations {
    using Calldata for bytes;
    using Contents for Contents.Content;
    using Fields for bytes;

    /// @dev Bounds a batch so that every supported chain takes it in one transaction.
    uint256 internal constant MAX_BYTES = 65_536;
    /// @dev Most keys that a batch touches: even at 60,000 gas a key, more than twice what a large tree costs, they fit the
    /// 16.7 million of a transaction (EIP-7825), a nullifier cache included.
    uint256 internal constant MAX_KEYS = 256;
    /// @dev Most inputs, and most outputs, of a request: it must always fit a batch, on paths of any depth.
    uint256 internal constant MAX_REQUEST_NOTES = 4;
    /// @dev Types of requests, which are the tags of their operations.
    uint256 internal constant TAG_QUEUED_TRANSFER = 3;
    uint256 internal constant TAG_QUEUED_ISSUE = 4;

    uint256 private constant TAG_TRANSFER = 1;
    uint256 private constant TAG_ISSUE = 2;
    uint256 private constant TAG_VOID = 5;

    /// @dev Why a request is void.
    uint256 private constant INPUT_ABSENT = 1;
    uint256 private constant INPUT_SPENT = 2;
    uint256 private constant OUTPUT_EXISTS = 3;
    uint256 private constant UNKNOWN_DOMAIN = 4;

    /// @dev The least that operations take for a note created, for half of a note spent, which touches two keys, and for a
    /// request: with them arrays are made large enough for what is still to be read.
    uint256 private constant MIN_NOTE_BYTES = 62;
    uint256 private constant MIN_TOUCH_BYTES = 47;
    uint256 private constant MIN_REQUEST_BYTES = 131;

    ValueHash private constant ABSENT = ValueHash.wrap(0);

    /// @dev What the checks depend on beyond the bytes.
    /// @param domainSeparator The hub's, on every chain.
    /// @param hub Whether domains are checked, which is the hub's part alone.
    /// @param deadlines Whether deadlines are checked.
    /// @param isDomain Whether notes may be created for a domain; asked on the hub only.
    struct Rules {
        bytes32 domainSeparator;
        bool hub;
        bool deadlines;
        function(uint256) view returns (bool) isDomain;
    }

    /// @dev A note that an operation spends or creates, in the order of the operations, inputs before outputs.
    struct Note {
        bytes32 id;
        bool spent;
        uint256 domainId;
        address owner;
    }

    /// @dev A request that the batch resolves. The hash is that of the request as the batch has it.
    struct Resolution {
        uint256 chainId;
        uint64 number;
        bytes32 hash;
        bool executed;
    }

    /// @dev What checked operations do. A void has touches and a resolution, and no note.
    struct Checked {
        Note[] notes;
        Touch[] touches;
        Resolution[] resolutions;
    }

    /// @dev Where a request was queued, its number there and whose it is.
    struct Head {
        uint256 chainId;
        uint64 number;
        address sender;
    }

    /// @notice Decodes and checks all operations and returns what they do.
    function check(bytes calldata operations, Rules memory rules)
        internal
        view
        returns (Checked memory checked)
    {
        if (operations.length > MAX_BYTES) {
            revert IOperationErrors.OperationsTooLong(MAX_BYTES, operations.length);
        }
        Fields.Reader memory reader;
        uint256 count = operations.number(reader, 2);
        if (count == 0) revert IOperationErrors.NoOperations();
        checked = _makeRoom(operations.length);
        Contents.Content memory content = Contents.reserve();
        ContentReader.Terms memory signed = _terms(rules, Contents.MAX_NOTES, 0, address(0));
        uint256 last = TAG_VOID;
        for (uint256 i = 0; i < count; ++i) {
            uint256 tag = _readTag(operations, reader, last, i);
            if (tag == TAG_TRANSFER) ContentReader.readTransfer(operations, reader, signed, content);
            else if (tag == TAG_ISSUE) ContentReader.readIssue(operations, reader, signed, content);
            else if (tag == TAG_VOID) _readVoid(operations, reader, rules, content, checked);
            else _readQueued(operations, reader, tag, rules, content, checked);
            if (tag != TAG_VOID) _record(content, checked);
            last = tag;
        }
        if (reader.position != operations.length) {
            revert IOperationErrors.OperationsLength(reader.position, operations.length);
        }
        uint256 keys = checked.touches.length;
        if (keys > MAX_KEYS) revert IOperationErrors.TooManyKeys(MAX_KEYS, keys);
    }

    /// @notice Checks all of a request's content and returns the request's hash.
    /// @param requestType TAG_QUEUED_TRANSFER or TAG_QUEUED_ISSUE.
    /// @param chainId Of the queue that the request is for.
    /// @param sender Who asks.
    function checkRequest(
        bytes calldata content,
        uint256 requestType,
        uint256 chainId,
        address sender,
        Rules memory rules
    ) internal view returns (bytes32 hash) {
        _checkRequestType(requestType);
        Fields.Reader memory reader;
        ContentReader.Terms memory terms = _terms(rules, MAX_REQUEST_NOTES, chainId, sender);
        Contents.Content memory read = Contents.reserve();
        _readContent(content, reader, requestType, terms, read);
        if (reader.position != content.length) {
            revert IOperationErrors.RequestLength(content.length, reader.position);
        }
        _checkDistinct(read);
        return Ids.requestHash(requestType, keccak256(content), sender);
    }

    /// @dev One note twice could never be spent, nor is it a reason to be void: such a request would stop its queue for ever.
    function _checkDistinct(Contents.Content memory content) private pure {
        for (uint256 i = 1; i < content.inputs; ++i) {
            bytes32 id = content.ids[i];
            for (uint256 j = 0; j < i; ++j) {
                if (content.ids[j] != id) continue;
                revert IProofErrors.KeyRepeated(Key.unwrap(Ids.resourceKey(content.notes[i].domainId, id)));
            }
        }
    }

    /// @notice The content of a request for an issue, with the checks that `checkRequest` makes of it. Whether notes may be created
    /// for the domain is the hub's to ask.
    /// @param salt Of the note (`Ids.requestedSalt`).
    function packIssue(
        bytes32 label,
        uint256 domainId,
        address owner,
        uint256 quantity,
        bytes32 data,
        bytes32 salt
    ) internal pure returns (bytes memory content) {
        if (label == 0) revert IOperationErrors.ZeroLabel();
        if (domainId == 0) revert IOperationErrors.ZeroDomain();
        if (domainId > type(uint64).max) revert IOperationErrors.UnknownDomain(domainId);
        if (owner == address(0)) revert IOperationErrors.ZeroOwner();
        if (quantity == 0) revert IOperationErrors.ZeroQuantity();
        if (salt == 0) revert IOperationErrors.ZeroSalt();
        uint256 size = Math.log256(quantity) + 1;
        bytes memory digits = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            digits[i] = bytes32(quantity)[32 - size + i];
        }
        uint256 header = data == 0 ? size : size | 0x80;
        bytes memory dataField = data == 0 ? bytes("") : abi.encodePacked(data);
        // Both fit, as checked above and as a size is at most 32.
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes memory start = abi.encodePacked(label, uint64(domainId), owner, uint8(header));
        return bytes.concat(start, digits, dataField, salt);
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
        sorted = _touchRoom(count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 position = uint256(witness.word(2 * i)) >> 240; // inside the witness, as its length says
            if (position >= count) revert IOperationErrors.OrderIndex(count, position);
            _push(sorted, touches[position]);
        }
        multiproof = witness[2 * count:];
    }

    // ---- operations

    /// @dev Voids stand before what is queued, and that before all others.
    function _readTag(bytes calldata operations, Fields.Reader memory reader, uint256 last, uint256 position)
        private
        pure
        returns (uint256 tag)
    {
        tag = operations.number(reader, 1);
        if (tag == 0 || tag > TAG_VOID) revert IOperationErrors.UnknownOperation(tag);
        if (_rank(tag) < _rank(last)) revert IOperationErrors.OperationOrder(position);
    }

    function _rank(uint256 tag) private pure returns (uint256) {
        if (tag == TAG_VOID) return 0;
        return tag == TAG_QUEUED_TRANSFER || tag == TAG_QUEUED_ISSUE ? 1 : 2;
    }

    /// @dev An operation 3 or 4.
    function _readQueued(
        bytes calldata operations,
        Fields.Reader memory reader,
        uint256 requestType,
        Rules memory rules,
        Contents.Content memory content,
        Checked memory checked
    ) private view {
        Head memory head = _readHead(operations, reader);
        ContentReader.Terms memory terms = _terms(rules, MAX_REQUEST_NOTES, head.chainId, head.sender);
        terms.deadlines = false; // it counted when the request was queued
        uint256 start = reader.position;
        _readContent(operations, reader, requestType, terms, content);
        bytes32 contentHash = keccak256(operations[start:reader.position]);
        _resolve(checked, head, Ids.requestHash(requestType, contentHash, head.sender), true);
    }

    /// @dev An operation 5: what was asked in full, and why it cannot be.
    function _readVoid(
        bytes calldata operations,
        Fields.Reader memory reader,
        Rules memory rules,
        Contents.Content memory content,
        Checked memory checked
    ) private view {
        Head memory head = _readHead(operations, reader);
        uint256 requestType = operations.number(reader, 1);
        _checkRequestType(requestType);
        uint256 length = operations.number(reader, 2);
        uint256 start = reader.position;
        ContentReader.Terms memory terms = _terms(rules, MAX_REQUEST_NOTES, head.chainId, head.sender);
        (terms.deadlines, terms.domains) = (false, false);
        _readContent(operations, reader, requestType, terms, content);
        uint256 end = reader.position;
        if (end - start != length) revert IOperationErrors.RequestLength(length, end - start);
        bytes32 contentHash = keccak256(operations[start:end]);
        _push(checked.touches, Touch(Ids.voidKey(head.chainId, head.number), ABSENT, Ids.VOID));
        _readEvidence(operations, reader, rules, content, checked.touches);
        _resolve(checked, head, Ids.requestHash(requestType, contentHash, head.sender), false);
    }

    /// @dev The reason of a void and the note it is about. What it says of the old tree is added to the touches.
    function _readEvidence(
        bytes calldata operations,
        Fields.Reader memory reader,
        Rules memory rules,
        Contents.Content memory content,
        Touch[] memory touches
    ) private view {
        uint256 reason = operations.number(reader, 1);
        if (reason == 0 || reason > UNKNOWN_DOMAIN) revert IOperationErrors.VoidReason(reason);
        bool ofInput = reason == INPUT_ABSENT || reason == INPUT_SPENT;
        uint256 count = ofInput ? content.inputs : content.outputs;
        uint256 position = operations.number(reader, 1);
        if (position >= count) revert IOperationErrors.VoidPosition(count, position);
        if (!ofInput) position += content.inputs;
        bytes32 id = content.ids[position];
        uint256 domainId = content.notes[position].domainId;
        if (reason == INPUT_ABSENT) {
            _push(touches, Touch(Ids.resourceKey(domainId, id), ABSENT, ABSENT));
        } else if (reason == INPUT_SPENT) {
            _push(touches, Touch(Ids.nullifierKey(Ids.nullifierOf(id)), Ids.SPENT, ABSENT));
        } else if (reason == OUTPUT_EXISTS) {
            _push(touches, Touch(Ids.resourceKey(domainId, id), ValueHash.wrap(id), ABSENT));
        } else if (rules.hub && rules.isDomain(domainId)) {
            revert IOperationErrors.KnownDomain(domainId);
        }
    }

    // ---- parts of operations

    function _readHead(bytes calldata operations, Fields.Reader memory reader)
        private
        pure
        returns (Head memory head)
    {
        head.chainId = operations.domain(reader);
        head.number = uint64(operations.number(reader, 8));
        if (head.number == 0) revert IOperationErrors.ZeroNumber();
        head.sender = operations.account(reader);
        if (head.sender == address(0)) revert IOperationErrors.ZeroSender();
    }

    function _checkRequestType(uint256 requestType) private pure {
        if (requestType != TAG_QUEUED_TRANSFER && requestType != TAG_QUEUED_ISSUE) {
            revert IOperationErrors.UnknownRequest(requestType);
        }
    }

    /// @dev The content of a request of a known type.
    function _readContent(
        bytes calldata data,
        Fields.Reader memory reader,
        uint256 requestType,
        ContentReader.Terms memory terms,
        Contents.Content memory content
    ) private view {
        if (requestType == TAG_QUEUED_TRANSFER) {
            ContentReader.readTransfer(data, reader, terms, content);
        } else {
            ContentReader.readRequestedIssue(data, reader, terms, content);
        }
    }

    function _terms(Rules memory rules, uint256 maxNotes, uint256 chainId, address sender)
        private
        pure
        returns (ContentReader.Terms memory)
    {
        return ContentReader.Terms(
            rules.domainSeparator, maxNotes, rules.deadlines, rules.hub, rules.isDomain, chainId, sender
        );
    }

    // ---- what they do

    /// @dev A spent note is read and its nullifier inserted, a created one is inserted.
    function _record(Contents.Content memory content, Checked memory checked) private pure {
        uint256 count = content.inputs + content.outputs;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 id = content.ids[i];
            Contents.Preimage memory note = content.notes[i];
            bool spent = i < content.inputs;
            _push(checked.notes, Note(id, spent, note.domainId, note.owner));
            Key key = Ids.resourceKey(note.domainId, id);
            if (spent) {
                _push(checked.touches, Touch(key, ValueHash.wrap(id), ABSENT));
                _push(checked.touches, Touch(Ids.nullifierKey(Ids.nullifierOf(id)), ABSENT, Ids.SPENT));
            } else {
                _push(checked.touches, Touch(key, ABSENT, ValueHash.wrap(id)));
            }
        }
    }

    function _resolve(Checked memory checked, Head memory head, bytes32 hash, bool executed) private pure {
        _push(checked.resolutions, Resolution(head.chainId, head.number, hash, executed));
    }

    // ---- arrays that grow within the room made for them, so that nothing is allocated twice

    /// @dev Empty arrays with room for whatever so many bytes can do.
    function _makeRoom(uint256 length) private pure returns (Checked memory checked) {
        Note[] memory notes;
        Resolution[] memory resolutions;
        uint256 noteRoom = _allocate(length / MIN_NOTE_BYTES);
        uint256 resolutionRoom = _allocate(length / MIN_REQUEST_BYTES);
        assembly ("memory-safe") {
            notes := noteRoom
            resolutions := resolutionRoom
        }
        return Checked(notes, _touchRoom(length / MIN_TOUCH_BYTES), resolutions);
    }

    function _touchRoom(uint256 capacity) private pure returns (Touch[] memory touches) {
        uint256 room = _allocate(capacity);
        assembly ("memory-safe") {
            touches := room
        }
    }

    /// @dev Memory for an array of up to `capacity` words, with length zero. The words beyond the length are not set: nobody reads
    /// them, and `new` would pay for each.
    function _allocate(uint256 capacity) private pure returns (uint256 room) {
        assembly ("memory-safe") {
            room := mload(0x40)
            mstore(0x40, add(room, shl(5, add(capacity, 1))))
            mstore(room, 0)
        }
    }

    function _push(Note[] memory list, Note memory item) private pure {
        assembly ("memory-safe") {
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), item)
        }
    }

    function _push(Touch[] memory list, Touch memory item) private pure {
        assembly ("memory-safe") {
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), item)
        }
    }

    function _push(Resolution[] memory list, Resolution memory item) private pure {
        assembly ("memory-safe") {
            let count := add(mload(list), 1)
            mstore(list, count)
            mstore(add(list, shl(5, count)), item)
        }
    }
}
