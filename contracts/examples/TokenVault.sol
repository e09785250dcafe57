// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IRootVerifier} from "../interfaces/IHypha.sol";
import {NoteVault} from "./NoteVault.sol";

/// @title The home vault of an ERC-20: holds the token itself, and alone issues the notes that stand for it
/// @notice Its tokens are at all times at least the notes of its kind that it has not paid, and the requests that may still become
/// such notes; what other chains have of the token is minted against notes (`SyntheticToken`). Which chains and vaults there are,
/// it need not know: it pays only notes that it owns, and only what it issued can have become one, unless so many attestors as
/// their threshold lie about another chain's requests.
/// @dev Not for a token whose balances change by themselves, or that takes more from the sender than what is sent. One that is
/// sent a fee of is credited with what arrives.
contract TokenVault is NoteVault {
    using SafeERC20 for IERC20;

    /// @notice The token that is held.
    IERC20 public immutable token;

    /// @param verifier_ The hub or spoke of this chain, not an attested one.
    /// @param token_ The token to hold.
    constructor(IRootVerifier verifier_, IERC20 token_) NoteVault(verifier_, block.chainid, address(this)) {
        if (address(token_) == address(0)) revert IRootVerifier.ZeroAddress();
        token = token_;
    }

    /// @notice Takes `amount` tokens from the caller and requests a note for what arrives. The value of the call is the fee
    /// of the request, exactly (`IRequestQueue.requestFee`).
    /// @param domainId The chain of the note. When it is not one of the hub's, the request will be void and can be given back.
    /// @param owner The note's owner.
    /// @param data The note's data: for a vault as owner the recipient, left-padded; otherwise free, zero for none.
    /// @return number Of the request.
    /// @return resourceId Of the note that will be, when the request is executed.
    function deposit(uint256 amount, uint256 domainId, address owner, bytes32 data)
        external
        payable
        nonReentrant
        returns (uint64 number, bytes32 resourceId)
    {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 quantity = token.balanceOf(address(this)) - before;
        (number, resourceId) = _queue().requestIssue{value: msg.value}(domainId, owner, quantity, data, LABEL);
        _recordDeposit(number, resourceId, quantity);
    }

    /// @inheritdoc NoteVault
    function _release(address recipient, uint256 quantity) internal override {
        token.safeTransfer(recipient, quantity);
    }
}
