// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Bytes} from "@openzeppelin/contracts/utils/Bytes.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IOperationErrors, IRootSpoke, IRootVerifier, Output, Resource} from "../interfaces/IHypha.sol";
import {Contents} from "./Contents.sol";
import {Ids} from "./Ids.sol";
import {Operations} from "./Operations.sol";
import {Key} from "../types/TreeTypes.sol";

/// @title For contracts that own notes: what they need to trust a note or a void request, and to move their notes
/// @notice A contract has one verifier, the hub or spoke of its chain, and never asks whether anything is absent:
/// - A note whose owner is the contract, on the contract's chain, can be spent by the contract alone. So that it exists under
///   any known root is a payment to the contract, final and due once: `claimNote`.
/// - A request of the contract was void, so what it was to bring about will never be: `claimVoid`, once as well.
/// - The contract moves its notes by `IRequestQueue.requestTransfer(packTransfer(…))` on the same verifier. It moves only what it
///   has claimed: a note stays provable under older roots when it is spent, and would be claimed once more after it.
///
/// ```solidity
/// using HyphaConsumer for HyphaConsumer.Claims;
/// HyphaConsumer.Claims private _claims;
///
/// function redeem(Resource calldata note, bytes32 root, bytes calldata proof) external {
///     _claims.claimNote(verifier, kind, note, root, proof); // reverts unless the note is ours, and new to us
///     // … pays note.quantity to whom note.data says
/// }
/// ```
/// `root` is any root that the verifier knows (`IRootVerifier.isKnownRoot`), `proof` a multiproof of the one key; the coordinator
/// serves both, and anyone can make them from the hub's logs.
library HyphaConsumer {
    /// @notice On what the contract has acted: resource ids of notes, and keys of void requests. Keep exactly one a contract.
    struct Claims {
        mapping(bytes32 id => bool) claimed;
    }

    /// @notice The verifier does not know this root, or no longer: it is too new, withdrawn by a freeze, dropped, or invented.
    error UnknownRoot(bytes32 root);
    /// @notice The note belongs to another chain.
    error ForeignDomain(uint256 expected, uint256 actual);
    /// @notice The note belongs to another account.
    error ForeignOwner(address expected, address actual);
    /// @notice The note is of another kind.
    error ForeignKind(bytes32 expected, bytes32 actual);
    /// @notice The contract has acted on this before: a note by its resource id, a void request by its key.
    error AlreadyClaimed(bytes32 id);
    /// @notice The verifier takes roots on the attestors' word alone, which is too little for contracts that hold value.
    error AttestedVerifier(address verifier);

    /// @dev The flag of an amount that is followed by data.
    uint256 private constant HAS_DATA = 0x80;

    /// @notice Claims a note of this contract, once: reverts unless `note` is of `kind`, belongs to this contract on this chain,
    /// stands under `root`, which the verifier knows, and was not claimed before.
    /// @param note All its fields: they are hashed again, so none can be changed.
    /// @return id The note's resource id.
    function claimNote(
        Claims storage claims,
        IRootVerifier verifier,
        bytes32 kind,
        Resource memory note,
        bytes32 root,
        bytes calldata proof
    ) internal returns (bytes32 id) {
        if (note.domainId != block.chainid) {
            revert ForeignDomain(block.chainid, note.domainId);
        }
        if (note.owner != address(this)) revert ForeignOwner(address(this), note.owner);
        if (note.kind != kind) revert ForeignKind(kind, note.kind);
        id = Ids.resourceId(note);
        _claim(claims, id);
        _prove(verifier, root, Ids.resourceKey(note.domainId, id), abi.encode(note), proof);
    }

    /// @notice Claims that a request of this chain's queue was void, once: reverts unless its void key stands under `root`, which
    /// the verifier knows. That the request was the contract's own, the contract must know: it keeps the numbers of its requests.
    /// @param chainId Of the contract's chain when it made the request: a fork may change `block.chainid`, but not what was queued.
    /// @param number Of the request, as the verifier returned it.
    function claimVoid(
        Claims storage claims,
        IRootVerifier verifier,
        uint256 chainId,
        uint64 number,
        bytes32 root,
        bytes calldata proof
    ) internal {
        Key key = Ids.voidKey(chainId, number);
        _claim(claims, Key.unwrap(key));
        _prove(verifier, root, key, "1", proof);
    }

    /// @notice Whether the contract has claimed the note with this resource id.
    function isNoteClaimed(Claims storage claims, bytes32 id) internal view returns (bool) {
        return claims.claimed[id];
    }

    /// @notice Whether the contract has claimed that this request was void.
    function isVoidClaimed(Claims storage claims, uint256 chainId, uint64 number)
        internal
        view
        returns (bool)
    {
        return claims.claimed[Key.unwrap(Ids.voidKey(chainId, number))];
    }

    /// @notice Reverts unless the verifier checks every step itself: it is the hub, or a spoke that is not attested. For the
    /// constructor of a contract that holds value.
    function requireVerifying(IRootVerifier verifier) internal view {
        if (verifier.hubChainId() == block.chainid && verifier.hub() == address(verifier)) return;
        if (IRootSpoke(address(verifier)).attested()) revert AttestedVerifier(address(verifier));
    }

    /// @notice The kind of what the contract `issuer` on `chainId` issues by `IRequestQueue.requestIssue` with `label`.
    function contractKind(uint256 chainId, address issuer, bytes32 label) internal pure returns (bytes32) {
        return Ids.contractKind(chainId, issuer, label);
    }

    /// @notice The id of a note: the hash of all its fields.
    function resourceId(Resource memory note) internal pure returns (bytes32) {
        return Ids.resourceId(note);
    }

    /// @notice Content for `IRequestQueue.requestTransfer`: spends `inputs`, all of them notes of the calling contract on its own
    /// chain, so that nobody signs. Each kind must add up to the same among inputs and outputs, and there may be at most 4 of
    /// each; the verifier refuses anything else.
    /// @param deadline Unix seconds; it counts on the way into the queue only.
    function packTransfer(Resource[] memory inputs, Output[] memory outputs, uint64 deadline)
        internal
        pure
        returns (bytes memory content)
    {
        if (inputs.length > Operations.MAX_REQUEST_NOTES) {
            revert IOperationErrors.InputCount(inputs.length);
        }
        if (outputs.length > Operations.MAX_REQUEST_NOTES) {
            revert IOperationErrors.OutputCount(outputs.length);
        }
        // Both fit, as just checked.
        // forge-lint: disable-next-line(unsafe-typecast)
        content = abi.encodePacked(uint8(inputs.length), uint8(outputs.length), uint8(0), deadline);
        for (uint256 i = 0; i < inputs.length; ++i) {
            Resource memory note = inputs[i];
            content = bytes.concat(
                content, _packNote(note.domainId, note.owner, note.kind, note.quantity, note.data), note.salt
            );
        }
        for (uint256 i = 0; i < outputs.length; ++i) {
            Output memory note = outputs[i];
            content = bytes.concat(
                content, _packNote(note.domainId, note.owner, note.kind, note.quantity, note.data)
            );
        }
    }

    /// @notice The id of the transfer that `packTransfer` packs.
    function transferHash(Resource[] memory inputs, Output[] memory outputs, uint64 deadline)
        internal
        pure
        returns (bytes32)
    {
        bytes32[] memory ids = new bytes32[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) {
            ids[i] = Ids.resourceId(inputs[i]);
        }
        bytes32[] memory hashes = new bytes32[](outputs.length);
        for (uint256 i = 0; i < outputs.length; ++i) {
            hashes[i] = keccak256(abi.encode(Contents.OUTPUT_TYPEHASH, outputs[i]));
        }
        bytes32 inputsHash = keccak256(abi.encodePacked(ids));
        bytes32 outputsHash = keccak256(abi.encodePacked(hashes));
        return keccak256(abi.encode(Contents.TRANSFER_TYPEHASH, inputsHash, outputsHash, deadline));
    }

    /// @notice The note that a transfer makes of its output at `position`, counted from 0.
    function noteOf(bytes32 hash, Output memory output, uint256 position)
        internal
        pure
        returns (Resource memory)
    {
        bytes32 salt = Ids.outputSalt(hash, position);
        return Resource(output.domainId, output.owner, output.kind, output.quantity, output.data, salt);
    }

    function _claim(Claims storage claims, bytes32 id) private {
        if (claims.claimed[id]) revert AlreadyClaimed(id);
        claims.claimed[id] = true;
    }

    /// @dev Reverts unless `key` holds `value` under a root that the verifier knows.
    function _prove(IRootVerifier verifier, bytes32 root, Key key, bytes memory value, bytes calldata proof)
        private
        view
    {
        if (!verifier.verifyProof(root, Key.unwrap(key), value, proof)) revert UnknownRoot(root);
    }

    function _packNote(uint256 domainId, address owner, bytes32 kind, uint256 quantity, bytes32 data)
        private
        pure
        returns (bytes memory)
    {
        if (domainId > type(uint64).max) revert IOperationErrors.UnknownDomain(domainId);
        // No leading zero, so that each quantity has one encoding; for zero it makes one that the verifier refuses.
        uint256 size = Math.log256(quantity) + 1;
        bytes memory digits = Bytes.slice(abi.encodePacked(quantity), 32 - size);
        // Both fit: the domain as just checked, and the size is at most 32.
        // forge-lint: disable-next-item(unsafe-typecast)
        bytes memory head =
            abi.encodePacked(uint64(domainId), owner, kind, uint8(data == 0 ? size : size | HAS_DATA));
        return data == 0 ? bytes.concat(head, digits) : bytes.concat(head, digits, data);
    }
}
