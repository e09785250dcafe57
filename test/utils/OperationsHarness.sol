// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Operations} from "../../contracts/libraries/Operations.sol";
import {Signatures} from "../../contracts/libraries/Signatures.sol";
import {Touch} from "../../contracts/types/TreeTypes.sol";

/// @title Checks of operations, and requests behind a call, as the hub or a spoke makes them
contract OperationsHarness {
    bytes32 public immutable domainSeparator;
    bool private immutable _hub;
    bool private immutable _deadlines;
    mapping(uint256 => bool) private _domains;

    constructor(uint256 hubChainId, address hub, uint256[] memory domains, bool hubRules, bool deadlines) {
        domainSeparator = Signatures.operationsDomain(hubChainId, hub);
        (_hub, _deadlines) = (hubRules, deadlines);
        for (uint256 i = 0; i < domains.length; ++i) {
            _domains[domains[i]] = true;
        }
    }

    function check(bytes calldata operations) external view returns (Operations.Checked memory) {
        return Operations.check(operations, _rules());
    }

    function checkRequest(bytes calldata content, uint256 requestType, uint256 chainId, address sender)
        external
        view
        returns (bytes32)
    {
        return Operations.checkRequest(content, requestType, chainId, sender, _rules());
    }

    function packIssue(
        bytes32 label,
        uint256 domainId,
        address owner,
        uint256 quantity,
        bytes32 data,
        bytes32 salt
    ) external pure returns (bytes memory) {
        return Operations.packIssue(label, domainId, owner, quantity, data, salt);
    }

    function inOrder(Touch[] memory touches, bytes calldata witness)
        external
        pure
        returns (Touch[] memory sorted, bytes memory multiproof)
    {
        return Operations.inOrder(touches, witness);
    }

    function _rules() internal view returns (Operations.Rules memory) {
        return Operations.Rules({
            domainSeparator: domainSeparator, hub: _hub, deadlines: _deadlines, isDomain: _isDomain
        });
    }

    function _isDomain(uint256 domainId) private view returns (bool) {
        return _domains[domainId];
    }
}
