// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors} from "../interfaces/IHypha.sol";
import {Calldata} from "./Calldata.sol";
import {ContentReader} from "./ContentReader.sol";
import {Contents} from "./Contents.sol";
import {Effects} from "./Effects.sol";
import {Fields} from "./Fields.sol";
import {Ids} from "./Ids.sol";
import {Memory} from "./Memory.sol";
import {Touch} from "../types/TreeTypes.sol";

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

    /// @dev A note that an operation creates.
    struct Created {
        bytes32 id;
        address owner;
    }

    /// @dev A request that the batch resolves. The hash is that of the request as the batch has it.
    struct Resolution {
        uint256 chainId;
        uint64 number;
        bytes32 hash;
        bool executed;
    }

    /// @dev What checked operations do, each list in their order. A void has touches and a resolution, and no note.
    struct Checked {
        bytes32[] nullifiers;
        Created[] created;
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
    function check(bytes calldata operations, Rules memory rules) internal view returns (Checked memory) {
        if (operations.length > MAX_BYTES) {
            revert IOperationErrors.OperationsTooLong(MAX_BYTES, operations.length);
        }
        uint256 count = operations.number(0, 2);
        if (count == 0) revert IOperationErrors.NoOperations();
        Effects.Lists memory lists = Effects.makeLists(operations.length);
        uint256 end = _readAll(operations, count, rules, lists);
        if (end != operations.length) revert IOperationErrors.OperationsLength(end, operations.length);
        uint256 keys = Memory.load(lists.touches);
        if (keys > MAX_KEYS) revert IOperationErrors.TooManyKeys(MAX_KEYS, keys);
        return _asChecked(lists);
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
        ContentReader.Terms memory terms = _terms(rules, MAX_REQUEST_NOTES, chainId, sender);
        Contents.Content memory read = Contents.reserve();
        uint256 end = _readContent(content, 0, requestType, terms, read);
        if (end != content.length) revert IOperationErrors.RequestLength(content.length, end);
        read.checkDistinct();
        return Ids.requestHash(requestType, content.hash(), sender);
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
        uint256 size = 1;
        while (size < 32 && quantity >> (8 * size) != 0) ++size;
        bytes memory digits = abi.encodePacked(quantity << (256 - 8 * size));
        // Shortens the 32 bytes to those that the quantity needs.
        assembly ("memory-safe") {
            mstore(digits, size)
        }
        if (data != 0) digits = abi.encodePacked(digits, data);
        uint256 header = data == 0 ? size : size | 0x80;
        // Both fit, as checked above and as a size is at most 32.
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(label, uint64(domainId), owner, uint8(header), digits, salt);
    }

    /// @notice Splits a witness: the touches in the order that it says, and the multiproof. That the order is ascending,
    /// and so names each touch once, is the walk's to check.
    function inOrder(Touch[] memory touches, bytes calldata witness)
        internal
        pure
        returns (Touch[] memory sorted, bytes calldata multiproof)
    {
        uint256 count = touches.length;
        // Cannot overflow: nobody has so many touches, and the positions read are inside the witness, as its length says.
        unchecked {
            if (witness.length < 2 * count) revert IOperationErrors.OrderLength(2 * count, witness.length);
            (uint256 from, uint256 to) = (_placeOf(touches) + 32, Memory.makeList(count));
            sorted = _asTouches(to);
            Memory.store(to, count);
            for (uint256 i = 0; i < count; ++i) {
                uint256 position = uint256(witness.word(2 * i)) >> 240;
                if (position >= count) revert IOperationErrors.OrderIndex(count, position);
                to += 32;
                Memory.store(to, Memory.load(from + 32 * position));
            }
            multiproof = witness[2 * count:];
        }
    }

    // ---- operations; each function takes the position where it begins to read and returns the one where it ends

    function _readAll(
        bytes calldata operations,
        uint256 count,
        Rules memory rules,
        Effects.Lists memory lists
    ) private view returns (uint256 end) {
        Contents.Content memory content = Contents.reserve();
        ContentReader.Terms memory signed = _terms(rules, Contents.MAX_NOTES, 0, address(0));
        uint256 tag = TAG_VOID;
        end = 2;
        for (uint256 i = 0; i < count; ++i) {
            tag = _readTag(operations, end++, tag, i);
            if (tag == TAG_TRANSFER) end = ContentReader.readTransfer(operations, end, signed, content);
            else if (tag == TAG_ISSUE) end = ContentReader.readIssue(operations, end, signed, content);
            else if (tag == TAG_VOID) end = _readVoid(operations, end, rules, content, lists);
            else end = _readQueued(operations, end, tag, rules, content, lists);
            if (tag != TAG_VOID) Effects.addNotes(lists, content);
        }
    }

    /// @dev Voids stand before what is queued, and that before all others.
    function _readTag(bytes calldata operations, uint256 position, uint256 last, uint256 place)
        private
        pure
        returns (uint256 tag)
    {
        tag = operations.number(position, 1);
        if (tag == 0 || tag > TAG_VOID) revert IOperationErrors.UnknownOperation(tag);
        if (_rank(tag) < _rank(last)) revert IOperationErrors.OperationOrder(place);
    }

    function _rank(uint256 tag) private pure returns (uint256) {
        if (tag < TAG_QUEUED_TRANSFER) return 2;
        return tag == TAG_VOID ? 0 : 1;
    }

    /// @dev An operation 3 or 4.
    function _readQueued(
        bytes calldata operations,
        uint256 position,
        uint256 requestType,
        Rules memory rules,
        Contents.Content memory content,
        Effects.Lists memory lists
    ) private view returns (uint256 end) {
        (Head memory head, uint256 start) = _readHead(operations, position);
        ContentReader.Terms memory terms = _terms(rules, MAX_REQUEST_NOTES, head.chainId, head.sender);
        terms.deadlines = false; // it counted when the request was queued
        end = _readContent(operations, start, requestType, terms, content);
        bytes32 contentHash = Calldata.hash(operations[start:end]);
        bytes32 hash = Ids.requestHash(requestType, contentHash, head.sender);
        Effects.addResolution(lists, head.chainId, head.number, hash, true);
    }

    /// @dev An operation 5: what was asked in full, and why it cannot be.
    function _readVoid(
        bytes calldata operations,
        uint256 position,
        Rules memory rules,
        Contents.Content memory content,
        Effects.Lists memory lists
    ) private view returns (uint256 end) {
        Head memory head;
        (head, position) = _readHead(operations, position);
        ContentReader.Terms memory terms = _terms(rules, MAX_REQUEST_NOTES, head.chainId, head.sender);
        (terms.deadlines, terms.domains) = (false, false);
        bytes32 hash;
        (hash, end) = _readVoidContent(operations, position, terms, content);
        (uint256 reason, uint256 place) = _readReason(operations, end, rules, content);
        Effects.addVoid(lists, Ids.voidKey(head.chainId, head.number), reason, content, place);
        Effects.addResolution(lists, head.chainId, head.number, hash, false);
        return end + 2;
    }

    /// @dev Type, length and content of a request.
    /// @return hash The request's.
    /// @return end Where the content ends.
    function _readVoidContent(
        bytes calldata operations,
        uint256 position,
        ContentReader.Terms memory terms,
        Contents.Content memory content
    ) private view returns (bytes32 hash, uint256 end) {
        uint256 requestType = operations.number(position, 1);
        _checkRequestType(requestType);
        uint256 length = operations.number(position + 1, 2);
        uint256 start = position + 3;
        end = _readContent(operations, start, requestType, terms, content);
        if (end - start != length) revert IOperationErrors.RequestLength(length, end - start);
        hash = Ids.requestHash(requestType, Calldata.hash(operations[start:end]), terms.sender);
    }

    /// @dev Why a request is void, and the note that this is about, counted from the first input.
    function _readReason(
        bytes calldata operations,
        uint256 position,
        Rules memory rules,
        Contents.Content memory content
    ) private view returns (uint256 reason, uint256 place) {
        reason = operations.number(position, 1);
        if (reason == 0 || reason > Effects.UNKNOWN_DOMAIN) revert IOperationErrors.VoidReason(reason);
        bool ofInput = reason == Effects.INPUT_ABSENT || reason == Effects.INPUT_SPENT;
        place = operations.number(position + 1, 1);
        uint256 count = ofInput ? content.inputs : content.outputs;
        if (place >= count) revert IOperationErrors.VoidPosition(count, place);
        if (!ofInput) place += content.inputs;
        if (reason == Effects.UNKNOWN_DOMAIN && rules.hub) {
            uint256 domainId = content.domainAt(place);
            if (rules.isDomain(domainId)) revert IOperationErrors.KnownDomain(domainId);
        }
    }

    // ---- parts of operations

    function _readHead(bytes calldata operations, uint256 position)
        private
        pure
        returns (Head memory head, uint256 end)
    {
        head.chainId = operations.domain(position);
        head.number = uint64(operations.number(position + 8, 8));
        if (head.number == 0) revert IOperationErrors.ZeroNumber();
        head.sender = operations.account(position + 16);
        if (head.sender == address(0)) revert IOperationErrors.ZeroSender();
        end = position + 36;
    }

    function _checkRequestType(uint256 requestType) private pure {
        if (requestType != TAG_QUEUED_TRANSFER && requestType != TAG_QUEUED_ISSUE) {
            revert IOperationErrors.UnknownRequest(requestType);
        }
    }

    /// @dev The content of a request of a known type.
    function _readContent(
        bytes calldata data,
        uint256 position,
        uint256 requestType,
        ContentReader.Terms memory terms,
        Contents.Content memory content
    ) private view returns (uint256 end) {
        if (requestType == TAG_QUEUED_TRANSFER) {
            return ContentReader.readTransfer(data, position, terms, content);
        }
        return ContentReader.readRequestedIssue(data, position, terms, content);
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

    /// @dev The compiler's view of the lists: each is laid out as an array of structs is.
    function _asChecked(Effects.Lists memory lists) private pure returns (Checked memory checked) {
        assembly ("memory-safe") {
            checked := lists
        }
    }

    function _asTouches(uint256 list) private pure returns (Touch[] memory touches) {
        assembly ("memory-safe") {
            touches := list
        }
    }

    function _placeOf(Touch[] memory touches) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := touches
        }
    }
}
