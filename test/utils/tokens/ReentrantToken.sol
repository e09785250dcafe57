// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PlainToken} from "./PlainToken.sol";

/// @title A token that makes a call of the test's choice whenever it moves, and goes on whatever comes of it
contract ReentrantToken is PlainToken {
    address private _target;
    bytes private _call;

    /// @notice How often it called, whether any call succeeded, and what the last one returned.
    uint256 public calls;
    bool public entered;
    bytes public returned;

    function aim(address target, bytes calldata data) external {
        (_target, _call) = (target, data);
        (calls, entered, returned) = (0, false, "");
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_target == address(0)) return;
        (bool success, bytes memory data) = _target.call(_call);
        ++calls;
        entered = entered || success;
        returned = data;
    }
}
