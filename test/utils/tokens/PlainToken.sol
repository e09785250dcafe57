// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title OpenZeppelin's ERC-20, and accounts that it refuses to pay, as some issuers do
contract PlainToken is ERC20("Plain", "PLN") {
    error Refused(address account);

    mapping(address account => bool) private _refused;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function refuse(address account, bool refused) external {
        _refused[account] = refused;
    }

    function _update(address from, address to, uint256 amount) internal virtual override {
        if (_refused[to]) revert Refused(to);
        super._update(from, to, amount);
    }
}
