// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Batch, Resource} from "../../contracts/interfaces/IHypha.sol";
import {RequestQueue} from "../../contracts/RequestQueue.sol";
import {OperationBuilder} from "./OperationBuilder.sol";
import {World} from "./World.sol";

/// @title Requests on every chain, and the operations that resolve them, written from protocol/README.md
abstract contract RequestWorld is World {
    uint8 internal constant TRANSFER = 3;
    uint8 internal constant ISSUE = 4;

    uint8 internal constant INPUT_ABSENT = 1;
    uint8 internal constant INPUT_SPENT = 2;
    uint8 internal constant OUTPUT_EXISTS = 3;
    uint8 internal constant UNKNOWN_DOMAIN = 4;

    /// @dev A request, and what its execution spends and creates.
    struct Request {
        uint256 chainId;
        uint64 number;
        uint8 requestType;
        address sender;
        bytes content;
        Resource[] spent;
        Resource[] created;
    }

    // ---- ways in

    /// @dev The request for moving a whole note, by its owner, who signs nothing when it queues it on the note's own chain.
    function requestMove(uint256 chainId, Resource memory note, uint256 domainId, address owner)
        internal
        returns (Request memory)
    {
        OperationBuilder.TransferDraft memory draft = moveDraft(note, 0, domainId, owner);
        draft.signers = new uint256[](0);
        return requestTransfer(chainId, note.owner, draft);
    }

    function requestTransfer(uint256 chainId, address sender, OperationBuilder.TransferDraft memory draft)
        internal
        returns (Request memory made)
    {
        made = draftTransfer(chainId, sender, draft);
        fund(sender);
        vm.chainId(chainId);
        uint128 fee = queueOf(chainId).requestFee();
        vm.prank(sender);
        made.number = queueOf(chainId).requestTransfer{value: fee}(made.content);
    }

    /// @dev As it would be queued next.
    function draftTransfer(uint256 chainId, address sender, OperationBuilder.TransferDraft memory draft)
        internal
        view
        returns (Request memory made)
    {
        OperationBuilder.Operation memory signed = OperationBuilder.transfer(draft, hub.domainSeparator());
        made.content = new bytes(signed.packed.length - 1); // without the tag
        for (uint256 i = 0; i < made.content.length; ++i) {
            made.content[i] = signed.packed[i + 1];
        }
        made.chainId = chainId;
        made.number = queueOf(chainId).requestCount() + 1;
        made.requestType = TRANSFER;
        made.sender = sender;
        made.spent = signed.spent;
        made.created = signed.created;
    }

    function requestIssue(uint256 chainId, address issuer, uint256 domainId, address owner, uint256 quantity)
        internal
        returns (Request memory made)
    {
        made = draftIssue(chainId, issuer, domainId, owner, quantity);
        fund(issuer);
        vm.chainId(chainId);
        uint128 fee = queueOf(chainId).requestFee();
        vm.prank(issuer);
        (uint64 number, bytes32 id) =
            queueOf(chainId).requestIssue{value: fee}(domainId, owner, quantity, 0, "label");
        assertEq(number, made.number);
        assertEq(id, keccak256(abi.encode(made.created[0])));
    }

    /// @dev As it would be queued next.
    function draftIssue(uint256 chainId, address issuer, uint256 domainId, address owner, uint256 quantity)
        internal
        view
        returns (Request memory made)
    {
        made.chainId = chainId;
        made.number = queueOf(chainId).requestCount() + 1;
        made.requestType = ISSUE;
        made.sender = issuer;
        bytes32 salt = keccak256(abi.encode(chainId, queueOf(chainId), made.number));
        bytes32 kind = keccak256(abi.encode(chainId, issuer, bytes32("label")));
        made.created = new Resource[](1);
        made.created[0] = Resource(domainId, owner, kind, quantity, 0, salt);
        // The tests' chain ids are small.
        // forge-lint: disable-next-item(unsafe-typecast)
        made.content = bytes.concat(
            abi.encodePacked(bytes32("label"), uint64(domainId), owner),
            OperationBuilder.amount(quantity, 0),
            salt
        );
    }

    function enqueue(Request memory request) internal {
        vm.chainId(HUB_CHAIN);
        hub.enqueueRemote(
            request.chainId,
            request.number,
            request.requestType,
            request.sender,
            request.content,
            requestFact(request)
        );
    }

    function requestFact(Request memory request) internal view returns (bytes memory) {
        bytes32 key = keccak256(abi.encodePacked("hypha:request", request.number));
        return fact(request.chainId, address(queueOf(request.chainId)), key, hashOf(request));
    }

    function hashOf(Request memory request) internal pure returns (bytes32) {
        return keccak256(abi.encode(request.requestType, keccak256(request.content), request.sender));
    }

    function queueOf(uint256 chainId) internal view virtual returns (RequestQueue) {
        if (chainId == HUB_CHAIN) return hub;
        return chainId == SPOKE_CHAIN ? spoke : attestedSpoke;
    }

    // ---- resolutions

    function execute(Request memory request)
        internal
        pure
        returns (OperationBuilder.Operation memory operation)
    {
        operation.packed =
            bytes.concat(abi.encodePacked(request.requestType, headOf(request)), request.content);
        operation.spent = request.spent;
        operation.created = request.created;
    }

    function voidOf(Request memory request, uint8 reason, uint8 position)
        internal
        returns (OperationBuilder.Operation memory operation)
    {
        bytes memory start = abi.encodePacked(uint8(5), headOf(request), request.requestType);
        // Contents are far shorter than 64 KB.
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes memory length = abi.encodePacked(uint16(request.content.length));
        operation.packed = bytes.concat(start, length, request.content, abi.encodePacked(reason, position));
        bytes32[] storage keys = voidKeysOf[keccak256(operation.packed)];
        if (keys.length != 0) return operation;
        keys.push(voidKey(request));
        if (reason == INPUT_ABSENT) keys.push(resourceKey(request.spent[position]));
        if (reason == INPUT_SPENT) keys.push(nullifierKey(nullifierOf(request.spent[position])));
        if (reason == OUTPUT_EXISTS) keys.push(resourceKey(request.created[position]));
    }

    function voidKey(Request memory request) internal pure returns (bytes32) {
        bytes32 key = keccak256(abi.encodePacked("void:", request.number));
        return keccak256(abi.encodePacked(request.chainId, key));
    }

    function headOf(Request memory request) private pure returns (bytes memory) {
        // The tests' chain ids are small.
        // forge-lint: disable-next-line(unsafe-typecast)
        return abi.encodePacked(uint64(request.chainId), request.number, request.sender);
    }

    // ---- batches that are not to be

    /// @dev The batch of these operations with the root that it leads to; the model's history does not get it.
    function drafted(OperationBuilder.Operation[] memory operations) internal returns (Batch memory batch) {
        uint256 state = vm.snapshotState();
        batch = commitBatch(operations);
        vm.revertToState(state);
    }

    function drafted(OperationBuilder.Operation memory operation) internal returns (Batch memory) {
        return drafted(only(operation));
    }

    // ---- notes and money

    /// @dev A note that is in the tree of the hub.
    function landNote(uint256 domainId, address owner, uint256 quantity) internal returns (Resource memory) {
        OperationBuilder.Operation memory made = issue(domainId, owner, quantity);
        land(commitBatch(made));
        return made.created[0];
    }

    function fund(address account) internal {
        vm.deal(account, account.balance + 1 ether);
    }
}
