// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRootVerifier} from "../../contracts/interfaces/IHypha.sol";
import {Multiproof} from "../../contracts/libraries/Multiproof.sol";
import {Operations} from "../../contracts/libraries/Operations.sol";
import {Root, Touch} from "../../contracts/types/TreeTypes.sol";
import {OperationsHarness} from "./OperationsHarness.sol";

/// @title Checks of whole batches behind a call, for any root, as the hub or a spoke makes them
contract BatchHarness is OperationsHarness {
    constructor(uint256 hubChainId, address hub, uint256[] memory domains, bool hubRules)
        OperationsHarness(hubChainId, hub, domains, hubRules, hubRules)
    {}

    function verifyBatch(bytes32 root, bytes calldata operations, bytes calldata witness, bytes32 newRoot)
        external
        view
    {
        Touch[] memory touches = Operations.check(operations, _rules()).touches;
        (Touch[] memory sorted, bytes calldata proof) = Operations.inOrder(touches, witness);
        bytes32 actual = Root.unwrap(Multiproof.verify(Root.wrap(root), sorted, proof));
        if (actual != newRoot) revert IRootVerifier.NewRootMismatch(newRoot, actual);
    }
}
