// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Multiproof} from "../../contracts/libraries/Multiproof.sol";
import {Key, Root, Touch, ValueHash} from "../../contracts/types/TreeTypes.sol";
import {PlainMultiproof} from "./PlainMultiproof.sol";

/// @title The walk behind a call, so that a test sees what it reverts with
interface IMultiproofHarness {
    function verify(bytes32 root, Touch[] calldata touches, bytes calldata proof)
        external
        pure
        returns (bytes32);
    function verifyOne(bytes32 root, bytes32 key, bytes32 value, bytes calldata proof) external pure;
}

contract MultiproofHarness is IMultiproofHarness {
    function verify(bytes32 root, Touch[] calldata touches, bytes calldata proof)
        external
        pure
        returns (bytes32)
    {
        return Root.unwrap(Multiproof.verify(Root.wrap(root), touches, proof));
    }

    function verifyOne(bytes32 root, bytes32 key, bytes32 value, bytes calldata proof) external pure {
        Multiproof.verifyOne(Root.wrap(root), Key.wrap(key), ValueHash.wrap(value), proof);
    }
}

/// @title The same questions to the plain walk
contract PlainMultiproofHarness is IMultiproofHarness {
    function verify(bytes32 root, Touch[] calldata touches, bytes calldata proof)
        external
        pure
        returns (bytes32)
    {
        return Root.unwrap(PlainMultiproof.verify(Root.wrap(root), touches, proof));
    }

    function verifyOne(bytes32 root, bytes32 key, bytes32 value, bytes calldata proof) external pure {
        PlainMultiproof.verifyOne(Root.wrap(root), Key.wrap(key), ValueHash.wrap(value), proof);
    }
}
