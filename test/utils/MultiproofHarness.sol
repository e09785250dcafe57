// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Multiproof} from "../../contracts/libraries/Multiproof.sol";
import {Root, Touch} from "../../contracts/types/TreeTypes.sol";

/// @title The walk behind a call, so that a test sees what it reverts with
contract MultiproofHarness {
    function verify(bytes32 root, Touch[] calldata touches, bytes calldata proof)
        external
        pure
        returns (bytes32)
    {
        return Root.unwrap(Multiproof.verify(Root.wrap(root), touches, proof));
    }
}
