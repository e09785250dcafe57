// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IRequestQueue, IRootVerifier, Resource} from "../interfaces/IHypha.sol";
import {HyphaConsumer} from "../libraries/HyphaConsumer.sol";

/// @title What the vaults of one token have in common: value goes in by a request, and out by an exit note
/// @notice All vaults of a token deal in one kind, which the home vault alone issues; the tree conserves it wherever it goes.
/// An *exit note* is a note of that kind whose owner is a vault on the vault's chain and whose `data` is the recipient's address,
/// left-padded with zeros. Whoever owns notes makes one by an ordinary transfer; anyone may present it, for its recipient.
/// @dev No owner, no pause, no upgrade: what a vault holds moves by a note or by a void request alone, each proved and each once.
abstract contract NoteVault is ReentrancyGuardTransient {
    using HyphaConsumer for HyphaConsumer.Claims;

    /// @param depositor Who put it in, and gets it back when the request was void.
    /// @param quantity Units of the token.
    struct Deposit {
        address depositor;
        uint256 quantity;
    }

    /// @notice Value went in: when request `number` is executed, there will be a note `resourceId` of `quantity` units.
    event Deposited(
        uint64 indexed number, address indexed depositor, bytes32 indexed resourceId, uint256 quantity
    );
    /// @notice Value went out to whom the exit note named.
    event Withdrawn(bytes32 indexed resourceId, address indexed recipient, uint256 quantity);
    /// @notice Request `number` was void: what was put in was given back.
    event Refunded(uint64 indexed number, address indexed depositor, uint256 quantity);

    /// @notice The data of the exit note is no address: such a note pays nobody, ever.
    error RecipientMalformed(bytes32 data);
    /// @notice This vault made no request with this number.
    error UnknownDeposit(uint64 number);

    /// @dev The label of the kind of every home vault, which has only one.
    bytes32 internal constant LABEL = "hypha:token";

    /// @notice The hub or spoke of this chain.
    IRootVerifier public immutable verifier;
    /// @notice The kind of the notes: that which the home vault issues.
    bytes32 public immutable kind;

    /// @notice What was put in with a request, by its number; it stays here when it is given back.
    mapping(uint64 number => Deposit) public deposits;
    HyphaConsumer.Claims internal _claims;
    /// @dev That of the requests, whatever a fork makes of `block.chainid`.
    uint256 private immutable _chainId;

    /// @param verifier_ The hub or spoke of this chain, not an attested one.
    /// @param homeChainId EIP-155 chain id of the home vault's chain.
    /// @param home The home vault.
    constructor(IRootVerifier verifier_, uint256 homeChainId, address home) {
        HyphaConsumer.requireVerifying(verifier_);
        verifier = verifier_;
        _chainId = block.chainid;
        kind = HyphaConsumer.contractKind(homeChainId, home, LABEL);
    }

    /// @notice Pays an exit note to its recipient, once. Anyone may call.
    /// @param root A root that the verifier knows.
    /// @param proof That the note stands under it.
    function withdraw(Resource calldata note, bytes32 root, bytes calldata proof) external nonReentrant {
        bytes32 resourceId = _claims.claimNote(verifier, kind, note, root, proof);
        address recipient = _recipientOf(note.data);
        emit Withdrawn(resourceId, recipient, note.quantity);
        _release(recipient, note.quantity);
    }

    /// @notice Gives back what was put in with a request that was void, once, to its depositor. Anyone may call. The fee of the
    /// request is not given back.
    /// @param root A root that the verifier knows.
    /// @param proof That the void key of the request stands under it.
    function refund(uint64 number, bytes32 root, bytes calldata proof) external nonReentrant {
        Deposit memory put = deposits[number];
        if (put.depositor == address(0)) revert UnknownDeposit(number);
        _claims.claimVoid(verifier, _chainId, number, root, proof);
        emit Refunded(number, put.depositor, put.quantity);
        _release(put.depositor, put.quantity);
    }

    /// @notice Whether the vault has taken in the note with this id.
    function isClaimed(bytes32 resourceId) external view returns (bool) {
        return _claims.isNoteClaimed(resourceId);
    }

    /// @notice Whether what was put in with this request has been given back.
    function isRefunded(uint64 number) public view returns (bool) {
        return _claims.isVoidClaimed(_chainId, number);
    }

    /// @dev Pays `quantity` units to `recipient`; the last thing that a function does.
    function _release(address recipient, uint256 quantity) internal virtual;

    function _queue() internal view returns (IRequestQueue) {
        return IRequestQueue(address(verifier));
    }

    function _recordDeposit(uint64 number, bytes32 resourceId, uint256 quantity) internal {
        deposits[number] = Deposit(msg.sender, quantity);
        emit Deposited(number, msg.sender, resourceId, quantity);
    }

    function _recipientOf(bytes32 data) private pure returns (address recipient) {
        recipient = address(uint160(uint256(data)));
        if (recipient == address(0) || bytes32(uint256(uint160(recipient))) != data) {
            revert RecipientMalformed(data);
        }
    }
}
