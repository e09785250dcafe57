// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors} from "../interfaces/IHypha.sol";
import {Contents} from "./Contents.sol";
import {Fields} from "./Fields.sol";
import {Hashes} from "./Hashes.sol";
import {Ids} from "./Ids.sol";
import {Signatures} from "./Signatures.sol";

/// @title Reading of transfers and issues, signed or requested, with every check that needs no tree (protocol/README.md)
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
library ContentReader {
    using Contents for Contents.Content;
    using Fields for bytes;

    bytes32 private constant ISSUE_TYPEHASH =
        keccak256("Issue(bytes32 resourceId,address issuer,bytes32 label,uint64 deadline)");

    /// @dev What holds for one operation or request.
    /// @param domainSeparator The hub's, on every chain.
    /// @param maxNotes Most inputs, and most outputs.
    /// @param deadlines Whether deadlines are checked.
    /// @param domains Whether the domains of outputs are checked.
    /// @param isDomain Whether notes may be created for a domain; asked when `domains`.
    /// @param chainId The chain where it was requested; zero when it was not.
    /// @param sender Who requested it, and so speaks for his own notes on `chainId`; zero when nobody did.
    struct Terms {
        bytes32 domainSeparator;
        uint256 maxNotes;
        bool deadlines;
        bool domains;
        function(uint256) view returns (bool) isDomain;
        uint256 chainId;
        address sender;
    }

    /// @notice A transfer: the body of an operation 1, or the content of a request.
    function readTransfer(
        bytes calldata data,
        Fields.Reader memory reader,
        Terms memory terms,
        Contents.Content memory content
    ) internal view {
        uint256 inputs = data.number(reader, 1);
        if (inputs == 0 || inputs > terms.maxNotes) revert IOperationErrors.InputCount(inputs);
        uint256 outputs = data.number(reader, 1);
        if (outputs == 0 || outputs > terms.maxNotes) revert IOperationErrors.OutputCount(outputs);
        content.open(inputs, outputs);
        uint256 signatures = data.number(reader, 1);
        uint64 deadline = _readDeadline(data, reader, terms);
        for (uint256 i = 0; i < inputs; ++i) {
            _readInput(data, reader, content.notes[i]);
        }
        for (uint256 i = 0; i < outputs; ++i) {
            _readOutput(data, reader, terms, content.notes[inputs + i]);
        }
        content.checkBalance();
        bytes32 transferHash = content.transferHash(deadline);
        _readSignatures(data, reader, terms, content, signatures, transferHash);
        content.identifyOutputs(transferHash);
    }

    /// @notice An issue by its issuer's signature: the body of an operation 2.
    function readIssue(
        bytes calldata data,
        Fields.Reader memory reader,
        Terms memory terms,
        Contents.Content memory content
    ) internal view {
        address issuer = data.account(reader);
        if (issuer == address(0)) revert IOperationErrors.ZeroIssuer();
        bytes32 label = data.label(reader);
        uint64 deadline = _readDeadline(data, reader, terms);
        _readIssued(data, reader, terms, content, Ids.signedKind(issuer, label));
        bytes32 issueHash = _issueHash(content.ids[0], issuer, label, deadline);
        _readSignature(data, reader, Signatures.digest(terms.domainSeparator, issueHash), issuer);
    }

    /// @notice An issue of the sender's own kind: the content of a request.
    function readRequestedIssue(
        bytes calldata data,
        Fields.Reader memory reader,
        Terms memory terms,
        Contents.Content memory content
    ) internal view {
        bytes32 kind = Ids.contractKind(terms.chainId, terms.sender, data.label(reader));
        _readIssued(data, reader, terms, content, kind);
    }

    /// @dev The one note of an issue.
    function _readIssued(
        bytes calldata data,
        Fields.Reader memory reader,
        Terms memory terms,
        Contents.Content memory content,
        bytes32 kind
    ) private view {
        content.open(0, 1);
        Contents.Preimage memory note = content.notes[0];
        note.domainId = _readOutputDomain(data, reader, terms);
        note.owner = data.owner(reader);
        note.kind = kind;
        (note.quantity, note.data) = data.amount(reader);
        note.salt = data.salt(reader);
        content.identifyIssued();
    }

    function _readInput(bytes calldata data, Fields.Reader memory reader, Contents.Preimage memory note)
        private
        pure
    {
        note.domainId = data.domain(reader);
        note.owner = data.owner(reader);
        note.kind = data.kind(reader);
        (note.quantity, note.data) = data.amount(reader);
        note.salt = data.salt(reader);
    }

    /// @dev A transfer's output, whose salt follows from the transfer.
    function _readOutput(
        bytes calldata data,
        Fields.Reader memory reader,
        Terms memory terms,
        Contents.Preimage memory note
    ) private view {
        note.domainId = _readOutputDomain(data, reader, terms);
        note.owner = data.owner(reader);
        note.kind = data.kind(reader);
        (note.quantity, note.data) = data.amount(reader);
    }

    function _readOutputDomain(bytes calldata data, Fields.Reader memory reader, Terms memory terms)
        private
        view
        returns (uint256 domainId)
    {
        domainId = data.domain(reader);
        if (terms.domains && !terms.isDomain(domainId)) {
            revert IOperationErrors.UnknownDomain(domainId);
        }
    }

    function _readDeadline(bytes calldata data, Fields.Reader memory reader, Terms memory terms)
        private
        view
        returns (uint64 deadline)
    {
        deadline = uint64(data.number(reader, 8));
        if (terms.deadlines && block.timestamp > deadline) {
            revert IOperationErrors.DeadlinePassed(deadline, block.timestamp);
        }
    }

    /// @dev Those of the owners that the sender does not speak for.
    function _readSignatures(
        bytes calldata data,
        Fields.Reader memory reader,
        Terms memory terms,
        Contents.Content memory content,
        uint256 count,
        bytes32 transferHash
    ) private pure {
        address[] memory signers = content.findSigners(terms.chainId, terms.sender);
        if (count != signers.length) revert IOperationErrors.SignatureCount(signers.length, count);
        bytes32 digest = Signatures.digest(terms.domainSeparator, transferHash);
        for (uint256 i = 0; i < count; ++i) {
            _readSignature(data, reader, digest, signers[i]);
        }
    }

    function _readSignature(bytes calldata data, Fields.Reader memory reader, bytes32 digest, address owner)
        private
        pure
    {
        address signer = Signatures.recoverAt(digest, data, data.skip(reader, Signatures.LENGTH));
        if (signer != owner) revert IOperationErrors.SignerMismatch(owner, signer);
    }

    function _issueHash(bytes32 id, address issuer, bytes32 label, uint64 deadline)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(ISSUE_TYPEHASH, id, issuer, label, deadline));
    }
}
