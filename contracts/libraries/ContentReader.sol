// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors} from "../interfaces/IHypha.sol";
import {Contents} from "./Contents.sol";
import {Fields} from "./Fields.sol";
import {Ids} from "./Ids.sol";
import {Memory} from "./Memory.sol";
import {NoteReader} from "./NoteReader.sol";
import {Signatures} from "./Signatures.sol";

/// @title Reading of transfers and issues, signed or requested, with every check that needs no tree (protocol/README.md)
/// @notice The checks stand in the order of that text, so that every verifier gives the same reason for the same bytes.
/// @dev Each function takes the position where it begins to read, which is inside the bytes, and returns the one where it ends.
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
        uint256 position,
        Terms memory terms,
        Contents.Content memory content
    ) internal view returns (uint256 end) {
        unchecked {
            (uint256 inputs, uint256 outputs) = _readCounts(data, position, terms.maxNotes);
            (content.inputs, content.outputs) = (inputs, outputs);
            uint256 signatures = data.number(position + 2, 1);
            uint64 deadline = _readDeadline(data, position + 3, terms);
            end = position + 11;
            for (uint256 i = 0; i < inputs; ++i) {
                end = _readInput(data, end, content, i);
            }
            for (uint256 i = inputs; i < inputs + outputs; ++i) {
                end = _readOutput(data, end, terms, content, i);
            }
            content.checkBalance();
            bytes32 transferHash = content.transferHash(deadline);
            content.identifyOutputs(transferHash);
            return _readSignatures(data, end, terms, content, signatures, transferHash);
        }
    }

    /// @notice An issue by its issuer's signature: the body of an operation 2.
    function readIssue(
        bytes calldata data,
        uint256 position,
        Terms memory terms,
        Contents.Content memory content
    ) internal view returns (uint256 end) {
        unchecked {
            address issuer = data.account(position);
            if (issuer == address(0)) revert IOperationErrors.ZeroIssuer();
            bytes32 label = data.label(position + 20);
            uint64 deadline = _readDeadline(data, position + 52, terms);
            end = _readIssued(data, position + 60, terms, content, Ids.signedKind(issuer, label));
            bytes32 issueHash =
                keccak256(abi.encode(ISSUE_TYPEHASH, content.idAt(0), issuer, label, deadline));
            return _readSignature(data, end, Signatures.digest(terms.domainSeparator, issueHash), issuer);
        }
    }

    /// @notice An issue of the sender's own kind: the content of a request.
    function readRequestedIssue(
        bytes calldata data,
        uint256 position,
        Terms memory terms,
        Contents.Content memory content
    ) internal view returns (uint256 end) {
        unchecked {
            bytes32 kind = Ids.contractKind(terms.chainId, terms.sender, data.label(position));
            return _readIssued(data, position + 32, terms, content, kind);
        }
    }

    function _readCounts(bytes calldata data, uint256 position, uint256 maxNotes)
        private
        pure
        returns (uint256 inputs, uint256 outputs)
    {
        unchecked {
            inputs = data.number(position, 1);
            if (inputs == 0 || inputs > maxNotes) revert IOperationErrors.InputCount(inputs);
            outputs = data.number(position + 1, 1);
            if (outputs == 0 || outputs > maxNotes) revert IOperationErrors.OutputCount(outputs);
        }
    }

    /// @dev The one note of an issue, whose kind follows from who issues it.
    function _readIssued(
        bytes calldata data,
        uint256 position,
        Terms memory terms,
        Contents.Content memory content,
        bytes32 kind
    ) private view returns (uint256 end) {
        unchecked {
            (content.inputs, content.outputs) = (0, 1);
            uint256 note = content.noteAt(0);
            Memory.store(note + Contents.DOMAIN, _readOutputDomain(data, position, terms));
            Memory.store(note + Contents.OWNER, uint160(data.owner(position + 8)));
            Memory.store(note + Contents.KIND, uint256(kind));
            end = NoteReader.readAmount(data, position + 28, note);
            Memory.store(note + Contents.SALT, uint256(data.salt(end)));
            content.identify(0);
            return end + 32;
        }
    }

    /// @dev A transfer's input, which carries its salt.
    function _readInput(bytes calldata data, uint256 position, Contents.Content memory content, uint256 place)
        private
        pure
        returns (uint256 end)
    {
        unchecked {
            uint256 note = content.noteAt(place);
            end = NoteReader.readSimple(data, position, note);
            if (end == 0) end = NoteReader.read(data, position, note);
            Memory.store(note + Contents.SALT, uint256(data.salt(end)));
            content.identify(place);
            return end + 32;
        }
    }

    /// @dev A transfer's output, whose salt follows from the transfer.
    function _readOutput(
        bytes calldata data,
        uint256 position,
        Terms memory terms,
        Contents.Content memory content,
        uint256 place
    ) private view returns (uint256 end) {
        uint256 note = content.noteAt(place);
        end = NoteReader.readSimple(data, position, note);
        if (end == 0) {
            _readOutputDomain(data, position, terms);
            end = NoteReader.read(data, position, note);
        } else {
            _checkDomain(Memory.load(note + Contents.DOMAIN), terms);
        }
        content.hashOutput(place);
    }

    function _readOutputDomain(bytes calldata data, uint256 position, Terms memory terms)
        private
        view
        returns (uint256 domainId)
    {
        domainId = data.domain(position);
        _checkDomain(domainId, terms);
    }

    function _checkDomain(uint256 domainId, Terms memory terms) private view {
        if (terms.domains && !terms.isDomain(domainId)) revert IOperationErrors.UnknownDomain(domainId);
    }

    function _readDeadline(bytes calldata data, uint256 position, Terms memory terms)
        private
        view
        returns (uint64 deadline)
    {
        deadline = uint64(data.number(position, 8));
        if (terms.deadlines && block.timestamp > deadline) {
            revert IOperationErrors.DeadlinePassed(deadline, block.timestamp);
        }
    }

    function _readSignatures(
        bytes calldata data,
        uint256 position,
        Terms memory terms,
        Contents.Content memory content,
        uint256 signatures,
        bytes32 transferHash
    ) private pure returns (uint256 end) {
        unchecked {
            (uint256 signing, uint256 count) = content.signersOf(terms.chainId, terms.sender);
            if (signatures != count) revert IOperationErrors.SignatureCount(count, signatures);
            bytes32 digest = Signatures.digest(terms.domainSeparator, transferHash);
            end = position;
            for (uint256 i = 0; signing != 0; ++i) {
                if (signing & 1 == 1) end = _readSignature(data, end, digest, content.ownerAt(i));
                signing >>= 1;
            }
        }
    }

    function _readSignature(bytes calldata data, uint256 position, bytes32 digest, address owner)
        private
        pure
        returns (uint256 end)
    {
        unchecked {
            end = position + Signatures.LENGTH;
        }
        data.checkEnd(end);
        address signer = Signatures.recoverAt(digest, data, position);
        if (signer != owner) revert IOperationErrors.SignerMismatch(owner, signer);
    }
}
