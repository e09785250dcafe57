// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Operations} from "../../contracts/libraries/Operations.sol";
import {RootVerifier} from "../../contracts/RootVerifier.sol";
import {Touch} from "../../contracts/types/TreeTypes.sol";

/// @title Checks of operations and batches behind a call, for any root, as the hub or a spoke makes them
contract OperationsHarness is RootVerifier {
    bool private immutable _hubRules;
    mapping(uint256 => bool) private _domains;

    constructor(uint256 hubChainId_, address hub_, uint256[] memory domains, bool hubRules)
        RootVerifier(hubChainId_, hub_, address(1), false)
    {
        _hubRules = hubRules;
        for (uint256 i = 0; i < domains.length; ++i) {
            _domains[domains[i]] = true;
        }
    }

    function check(bytes calldata operations) external view returns (Touch[] memory) {
        return Operations.touchesOf(Operations.check(operations, _rules()));
    }

    function verifyBatch(bytes32 root, bytes calldata operations, bytes calldata witness, bytes32 newRoot)
        external
    {
        stateRoot = root;
        _verifyBatch(operations, witness, newRoot);
    }

    function _rules() internal view override returns (Operations.Rules memory) {
        return Operations.Rules(domainSeparator, _hubRules, _isDomain);
    }

    function _isDomain(uint256 domainId) private view returns (bool) {
        return _domains[domainId];
    }

    function _withdrawnFrom(uint64) internal pure override returns (uint64) {
        return type(uint64).max;
    }
}
