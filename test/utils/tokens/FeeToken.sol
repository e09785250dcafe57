// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PlainToken} from "./PlainToken.sol";

/// @title A token that burns a part of whatever is transferred
contract FeeToken is PlainToken {
    uint256 public feePercent = 3;

    function setFeePercent(uint256 percent) external {
        feePercent = percent;
    }

    function _update(address from, address to, uint256 amount) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : amount * feePercent / 100;
        super._update(from, to, amount - fee);
        if (fee > 0) _burn(from, fee);
    }
}
