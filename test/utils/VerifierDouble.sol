// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IOperationErrors, IRequestQueue, Resource} from "../../contracts/interfaces/IHypha.sol";
import {Multiproof} from "../../contracts/libraries/Multiproof.sol";
import {Key, Root, ValueHash} from "../../contracts/types/TreeTypes.sol";

contract VerifierDouble {
    uint256 public hubChainId;
    address public hub;
    bool public attested;
    mapping(bytes32 => bool) public isKnownRoot;
    uint64 public requestCount;
    uint128 public requestFee = 0.01 ether;

    constructor(uint256 hubChainId_, address hub_, bool attested_) {
        hubChainId = hubChainId_;
        hub = hub_ == address(0) ? address(this) : hub_;
        attested = attested_;
    }

    function learn(bytes32 root, bool known) external {
        isKnownRoot[root] = known;
    }

    function verifyProof(bytes32 root, bytes32 key, bytes calldata value, bytes calldata proof)
        external
        view
        returns (bool)
    {
        if (!isKnownRoot[root]) return false;
        Multiproof.verifyOne(Root.wrap(root), Key.wrap(key), ValueHash.wrap(keccak256(value)), proof);
        return true;
    }

    function requestTransfer(bytes calldata content) external payable returns (uint64 number) {
        if (msg.value != requestFee) revert IRequestQueue.FeeMismatch(requestFee, msg.value);
        number = ++requestCount;
        emit IRequestQueue.RequestQueued(number, 3, msg.sender, requestFee, content);
    }

    function requestIssue(uint256 domainId, address owner, uint256 quantity, bytes32 data, bytes32 label)
        external
        payable
        returns (uint64 number, bytes32 resourceId)
    {
        if (msg.value != requestFee) revert IRequestQueue.FeeMismatch(requestFee, msg.value);
        if (quantity == 0) revert IOperationErrors.ZeroQuantity();
        number = ++requestCount;
        bytes32 kind = keccak256(abi.encode(block.chainid, msg.sender, label));
        bytes32 salt = keccak256(abi.encode(block.chainid, address(this), number));
        resourceId = keccak256(abi.encode(Resource(domainId, owner, kind, quantity, data, salt)));
        emit IRequestQueue.RequestQueued(number, 4, msg.sender, requestFee, "");
    }
}
