// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {AttestedFacts} from "../../contracts/facts/AttestedFacts.sol";
import {OperationBuilder} from "./OperationBuilder.sol";

/// @title Attestors, and what they sign for the chain that the test is on
abstract contract Attestors is Test {
    /// @dev What attestors sign, in the order of its EIP-712 type.
    struct Fact {
        uint256 srcChain;
        address emitter;
        bytes32 key;
        bytes32 value;
        uint64 blockNumber;
        bytes32 blockHash;
        uint64 blockTime;
        uint64 setId;
    }

    bytes32 internal constant FACT_TYPE = keccak256(
        "Fact(uint256 srcChain,address emitter,bytes32 key,bytes32 value,uint64 blockNumber,bytes32 blockHash,uint64 blockTime,uint64 setId)"
    );

    AttestedFacts internal facts; // stands for that of every chain: its domain follows the chain id
    uint256[] internal attestorKeys; // ascending by address

    function fact(uint256 chainId, address emitter, bytes32 key, bytes32 value)
        internal
        view
        returns (bytes memory)
    {
        Fact memory said = Fact(chainId, emitter, key, value, 7, keccak256("block"), 99, facts.currentSetId());
        return factBy(firstKeys(2), said);
    }

    function factBy(uint256[] memory signers, Fact memory said) internal view returns (bytes memory) {
        bytes memory signatures = signAll(signers, keccak256(abi.encode(FACT_TYPE, said)));
        return abi.encodePacked(said.setId, said.blockNumber, said.blockHash, said.blockTime, signatures);
    }

    function signAll(uint256[] memory signers, bytes32 structHash)
        internal
        view
        returns (bytes memory signatures)
    {
        for (uint256 i = 0; i < signers.length; ++i) {
            signatures = bytes.concat(
                signatures, OperationBuilder.sign(signers[i], facts.domainSeparator(), structHash)
            );
        }
    }

    function firstKeys(uint256 count) internal view returns (uint256[] memory keys) {
        keys = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            keys[i] = attestorKeys[i];
        }
    }

    function attestorsOf(uint256 count) internal view returns (address[] memory attestors) {
        attestors = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            attestors[i] = vm.addr(attestorKeys[i]);
        }
    }

    function makeAttestors(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            attestorKeys.push(uint256(keccak256(abi.encode("attestor", i))));
            for (uint256 j = i; j > 0 && vm.addr(attestorKeys[j - 1]) > vm.addr(attestorKeys[j]); --j) {
                (attestorKeys[j], attestorKeys[j - 1]) = (attestorKeys[j - 1], attestorKeys[j]);
            }
        }
    }
}
