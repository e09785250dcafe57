// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IOperationErrors, IRootVerifier, Output, Resource} from "../interfaces/IHypha.sol";
import {HyphaConsumer} from "../libraries/HyphaConsumer.sol";
import {NoteVault} from "./NoteVault.sol";

/// @title A token whose home is another chain: each unit stands for a unit of the notes that this contract owns
/// @notice `withdraw` mints against an exit note; `deposit` burns, and moves notes on to any chain. The contract issues nothing:
/// the tree conserves the home vault's kind, so whatever goes wrong on this chain, the home vault owes no more than it holds.
/// @dev Anybody may deposit out of any held note, and the rest of it cannot be moved before it comes back as change: a token for real
/// money asks for a least quantity, so that a unit cannot lock the largest note, nor dust be all that is left.
/// A note is *held* when it is claimed and no request spends it but void ones. Held notes, the change that is on its way
/// and the requests that may still be void add up to the supply or more.
contract SyntheticToken is NoteVault, ERC20 {
    using HyphaConsumer for HyphaConsumer.Claims;

    /// @notice The contract took in a note that pays nobody: change of its own transfers, or a gift.
    event Collected(bytes32 indexed resourceId, uint256 quantity);
    /// @notice Request `number` spends a note of the contract's.
    event NoteSpent(bytes32 indexed resourceId, uint64 indexed number);

    /// @notice The note names a recipient: it is to be withdrawn.
    error NotChange(bytes32 data);
    /// @notice The contract never claimed this note, or a request that was not void spends it.
    error NotHeld(bytes32 resourceId);
    /// @notice The notes are worth less than what is to be moved.
    error NotesTooSmall(uint256 needed, uint256 actual);

    uint8 private immutable _decimals;
    /// @dev The last request that spends a note.
    mapping(bytes32 resourceId => uint64 number) private _spentBy;

    /// @param verifier_ The hub or spoke of this chain, not an attested one.
    /// @param homeChainId EIP-155 chain id of the home vault's chain.
    /// @param home The home vault.
    /// @param name_ Of the token.
    /// @param symbol_ Of the token.
    /// @param decimals_ Those of the home token, as a unit here is a unit there.
    constructor(
        IRootVerifier verifier_,
        uint256 homeChainId,
        address home,
        string memory name_,
        string memory symbol_,
        uint8 decimals_
    ) NoteVault(verifier_, homeChainId, home) ERC20(name_, symbol_) {
        // With chain 0 it would be the kind of a signer, who issues as he likes.
        if (homeChainId == 0) revert IOperationErrors.ZeroDomain();
        if (home == address(0)) revert IRootVerifier.ZeroAddress();
        _decimals = decimals_;
    }

    /// @notice Burns `quantity` of the caller's tokens and requests that as much of the notes moves on. The value of the call is
    /// the fee of the request, exactly (`IRequestQueue.requestFee`). A request in flight keeps its notes from all others.
    /// @param quantity Units of the token.
    /// @param domainId The chain to move to. When it is not one of the hub's, the request will be void and can be given back.
    /// @param owner The owner there.
    /// @param data The note's data: for a vault as owner the recipient, left-padded; otherwise free, zero for none.
    /// @param notes 1 to 4 notes that this contract holds (`isHeld`); what is too much comes back as a note to `collect`.
    /// @return number Of the request.
    /// @return resourceId Of the note that will be, when the request is executed.
    function deposit(
        uint256 quantity,
        uint256 domainId,
        address owner,
        bytes32 data,
        Resource[] calldata notes
    ) external payable nonReentrant returns (uint64 number, bytes32 resourceId) {
        _burn(msg.sender, quantity);
        number = _queue().requestCount() + 1;
        uint256 change = _spend(notes, number, quantity);
        Output[] memory outputs = new Output[](change == 0 ? 1 : 2);
        outputs[0] = Output(domainId, owner, kind, quantity, data);
        if (change > 0) outputs[1] = Output(block.chainid, address(this), kind, change, 0);
        bytes32 hash = HyphaConsumer.transferHash(notes, outputs, type(uint64).max);
        resourceId = HyphaConsumer.resourceId(HyphaConsumer.noteOf(hash, outputs[0], 0));
        _recordDeposit(number, resourceId, quantity);
        bytes memory content = HyphaConsumer.packTransfer(notes, outputs, type(uint64).max);
        uint64 queued = _queue().requestTransfer{value: msg.value}(content);
        assert(queued == number); // the queue counts one by one
    }

    /// @notice Takes in a note of this contract's that names no recipient, once, so that it can be moved on.
    /// @param root A root that the verifier knows.
    /// @param proof That the note stands under it.
    function collect(Resource calldata note, bytes32 root, bytes calldata proof) external nonReentrant {
        if (note.data != 0) revert NotChange(note.data);
        emit Collected(_claims.claimNote(verifier, kind, note, root, proof), note.quantity);
    }

    /// @notice Whether the contract holds the note with this id, so that it can be moved on.
    function isHeld(bytes32 resourceId) public view returns (bool) {
        uint64 spentBy = _spentBy[resourceId];
        return _claims.isNoteClaimed(resourceId) && (spentBy == 0 || isRefunded(spentBy));
    }

    /// @inheritdoc ERC20
    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @inheritdoc NoteVault
    function _release(address recipient, uint256 quantity) internal override {
        _mint(recipient, quantity);
    }

    /// @dev Gives the notes to request `number`. None can be given twice: it is held no longer.
    /// @return change By how much they exceed `quantity`.
    function _spend(Resource[] calldata notes, uint64 number, uint256 quantity)
        private
        returns (uint256 change)
    {
        uint256 sum = 0;
        for (uint256 i = 0; i < notes.length; ++i) {
            bytes32 id = HyphaConsumer.resourceId(notes[i]);
            if (!isHeld(id)) revert NotHeld(id);
            _spentBy[id] = number;
            emit NoteSpent(id, number);
            sum += notes[i].quantity;
        }
        if (sum < quantity) revert NotesTooSmall(quantity, sum);
        return sum - quantity;
    }
}
