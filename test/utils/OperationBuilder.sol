// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {Output, Resource} from "../../contracts/interfaces/IHypha.sol";

/// @title Signed, packed operations, written from protocol/README.md without the contracts' own code
library OperationBuilder {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    bytes32 private constant OUTPUT_TYPE =
        keccak256("Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)");
    bytes32 private constant TRANSFER_TYPE = keccak256(
        "Transfer(bytes32[] inputs,Output[] outputs,uint64 deadline)Output(uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data)"
    );
    bytes32 private constant ISSUE_TYPE =
        keccak256("Issue(bytes32 resourceId,address issuer,bytes32 label,uint64 deadline)");

    /// @dev What a touch list needs to know of one operation.
    struct Operation {
        bytes packed;
        bytes32 id;
        Resource[] spent;
        Resource[] created;
    }

    struct TransferDraft {
        Resource[] inputs;
        Output[] outputs;
        uint64 deadline;
        uint256[] signers;
    }

    struct IssueDraft {
        uint256 issuer;
        bytes32 label;
        uint64 deadline;
        uint256 domainId;
        address owner;
        uint256 quantity;
        bytes32 data;
        bytes32 salt;
    }

    /// @dev Where a request was queued, its number there and whose it is.
    struct Head {
        uint64 chainId;
        uint64 number;
        address sender;
    }

    function issue(IssueDraft memory draft, bytes32 separator) internal pure returns (Operation memory made) {
        address issuer = VM.addr(draft.issuer);
        bytes32 kind = keccak256(abi.encode(uint256(0), issuer, draft.label));
        made.created = new Resource[](1);
        made.created[0] = Resource(draft.domainId, draft.owner, kind, draft.quantity, draft.data, draft.salt);
        bytes32 resourceId = keccak256(abi.encode(made.created[0]));
        made.id = keccak256(abi.encode(ISSUE_TYPE, resourceId, issuer, draft.label, draft.deadline));
        made.packed = bytes.concat(
            abi.encodePacked(
                uint8(2), issuer, draft.label, draft.deadline, narrow(draft.domainId), draft.owner
            ),
            amount(draft.quantity, draft.data),
            draft.salt,
            sign(draft.issuer, separator, made.id)
        );
    }

    function transfer(TransferDraft memory draft, bytes32 separator)
        internal
        pure
        returns (Operation memory made)
    {
        made.id = transferHash(draft);
        made.spent = draft.inputs;
        made.created = new Resource[](draft.outputs.length);
        for (uint256 i = 0; i < draft.outputs.length; ++i) {
            Output memory o = draft.outputs[i];
            bytes32 salt = keccak256(abi.encode(made.id, i));
            made.created[i] = Resource(o.domainId, o.owner, o.kind, o.quantity, o.data, salt);
        }
        made.packed = bytes.concat(hex"01", transferContent(draft, separator));
    }

    /// @dev The body of a transfer, and the content of a request for one.
    function transferContent(TransferDraft memory draft, bytes32 separator)
        internal
        pure
        returns (bytes memory content)
    {
        bytes memory notes;
        for (uint256 i = 0; i < draft.inputs.length; ++i) {
            Resource memory r = draft.inputs[i];
            notes = bytes.concat(notes, note(r.domainId, r.owner, r.kind, r.quantity, r.data), r.salt);
        }
        for (uint256 i = 0; i < draft.outputs.length; ++i) {
            Output memory o = draft.outputs[i];
            notes = bytes.concat(notes, note(o.domainId, o.owner, o.kind, o.quantity, o.data));
        }
        // forge-lint: disable-next-item(unsafe-typecast)
        content = bytes.concat(
            abi.encodePacked(
                uint8(draft.inputs.length),
                uint8(draft.outputs.length),
                uint8(draft.signers.length),
                draft.deadline
            ),
            notes
        );
        bytes32 id = transferHash(draft);
        for (uint256 i = 0; i < draft.signers.length; ++i) {
            content = bytes.concat(content, sign(draft.signers[i], separator, id));
        }
    }

    /// @dev The content of a request for an issue; who issues is not in it.
    function issueContent(IssueDraft memory draft) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(draft.label, narrow(draft.domainId), draft.owner),
            amount(draft.quantity, draft.data),
            draft.salt
        );
    }

    function queued(uint8 requestType, Head memory head, bytes memory content)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(requestType, head.chainId, head.number, head.sender, content);
    }

    function voided(uint8 requestType, Head memory head, bytes memory content, uint8 reason, uint8 position)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory start = abi.encodePacked(uint8(5), head.chainId, head.number, head.sender, requestType);
        // Contents are far shorter than 64 KB.
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes.concat(start, abi.encodePacked(uint16(content.length), content, reason, position));
    }

    function requestHash(uint8 requestType, Head memory head, bytes memory content)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(requestType, keccak256(content), head.sender));
    }

    function transferHash(TransferDraft memory draft) internal pure returns (bytes32) {
        bytes memory inputs;
        for (uint256 i = 0; i < draft.inputs.length; ++i) {
            inputs = bytes.concat(inputs, keccak256(abi.encode(draft.inputs[i])));
        }
        bytes memory outputs;
        for (uint256 i = 0; i < draft.outputs.length; ++i) {
            outputs = bytes.concat(outputs, keccak256(abi.encode(OUTPUT_TYPE, draft.outputs[i])));
        }
        return keccak256(abi.encode(TRANSFER_TYPE, keccak256(inputs), keccak256(outputs), draft.deadline));
    }

    function note(uint256 domainId, address owner, bytes32 kind, uint256 quantity, bytes32 data)
        internal
        pure
        returns (bytes memory)
    {
        return bytes.concat(abi.encodePacked(narrow(domainId), owner, kind), amount(quantity, data));
    }

    function amount(uint256 quantity, bytes32 data) internal pure returns (bytes memory packed) {
        uint8 size = 0;
        for (uint256 rest = quantity; rest > 0; rest >>= 8) {
            // The lowest byte of what is left is what is meant.
            // forge-lint: disable-next-line(unsafe-typecast)
            packed = bytes.concat(bytes1(uint8(rest)), packed);
            ++size;
        }
        if (data == 0) return bytes.concat(bytes1(size), packed);
        return bytes.concat(bytes1(size + 0x80), packed, data);
    }

    function sign(uint256 key, bytes32 separator, bytes32 structHash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            VM.sign(key, keccak256(abi.encodePacked(hex"1901", separator, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function narrow(uint256 domainId) private pure returns (uint64) {
        // The tests' chain ids are small.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(domainId);
    }
}
