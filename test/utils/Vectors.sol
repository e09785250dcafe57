// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {Key, Touch, ValueHash} from "../../contracts/types/TreeTypes.sol";

/// @title The vectors that the Rust crates write: the executable form of the two specifications
library Vectors {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    struct Roots {
        string name;
        bytes32[] keys;
        bytes[] values;
        bytes32 root;
    }

    struct Transition {
        string name;
        bytes32 root;
        bytes32 newRoot;
        bytes32[] keys;
        bytes32[] olds;
        bytes32[] news;
        bytes proof;
    }

    struct RefusedProof {
        string name;
        bytes32 root;
        bytes32[] keys;
        bytes32[] olds;
        bytes32[] news;
        bytes proof;
        bytes failure; // "error" in the file: the whole revert data
    }

    struct Packed {
        string name;
        bytes operations;
        uint64 timestamp;
        bytes32[] touchKeys;
        bytes32[] touchOlds;
        bytes32[] touchNews;
    }

    struct RefusedOperations {
        string name;
        bytes operations;
        uint64 timestamp;
        bool onlyHub; // a spoke accepts them
        bytes failure; // "error" in the file: the whole revert data
    }

    struct Step {
        string name;
        uint64 index;
        bytes32 root;
        bytes32 newRoot;
        bytes operations;
        bytes witness;
        bytes32 previousBatchChain;
        bytes32 batchChain;
    }

    struct RefusedBatch {
        string name;
        bytes32 root;
        bytes32 newRoot;
        bytes operations;
        bytes witness;
        bytes failure; // "error" in the file: the whole revert data
    }

    struct Note {
        string name;
        uint256 domainId;
        address owner;
        bytes32 kind;
        uint256 quantity;
        bytes32 data;
        bytes32 salt;
        bytes32 resourceId;
        bytes32 resourceKey;
        bytes32 nullifier;
        bytes32 nullifierKey;
    }

    struct Attestation {
        string name;
        uint256 srcChain;
        address emitter;
        bytes32 key;
        bytes32 value;
        uint64 blockNumber;
        uint64 blockTime;
        bytes proof;
    }

    struct Conflict {
        string name;
        uint256 srcChain;
        address emitter;
        bytes32 key;
        bytes32 first;
        bytes32 second;
        bytes proof;
    }

    function packed(string memory json) internal pure returns (Packed[] memory) {
        string memory shape =
            "P(string name,bytes operations,uint64 timestamp,bytes32[] touchKeys,bytes32[] touchOlds,bytes32[] touchNews)";
        return abi.decode(VM.parseJsonTypeArray(json, ".operations", shape), (Packed[]));
    }

    function refusedOperations(string memory json) internal pure returns (RefusedOperations[] memory) {
        string memory shape = "R(string name,bytes operations,uint64 timestamp,bool onlyHub,bytes error)";
        return abi.decode(VM.parseJsonTypeArray(json, ".refusedOperations", shape), (RefusedOperations[]));
    }

    function steps(string memory json) internal pure returns (Step[] memory) {
        string memory shape =
            "S(string name,uint64 index,bytes32 root,bytes32 newRoot,bytes operations,bytes witness,bytes32 previousBatchChain,bytes32 batchChain)";
        return abi.decode(VM.parseJsonTypeArray(json, ".batches", shape), (Step[]));
    }

    function refusedBatches(string memory json) internal pure returns (RefusedBatch[] memory) {
        string memory shape =
            "B(string name,bytes32 root,bytes32 newRoot,bytes operations,bytes witness,bytes error)";
        return abi.decode(VM.parseJsonTypeArray(json, ".refusedBatches", shape), (RefusedBatch[]));
    }

    function notes(string memory json) internal pure returns (Note[] memory) {
        string memory shape =
            "N(string name,uint256 domainId,address owner,bytes32 kind,uint256 quantity,bytes32 data,bytes32 salt,bytes32 resourceId,bytes32 resourceKey,bytes32 nullifier,bytes32 nullifierKey)";
        return abi.decode(VM.parseJsonTypeArray(json, ".hashes.resources", shape), (Note[]));
    }

    function attestations(string memory json) internal pure returns (Attestation[] memory) {
        string memory shape =
            "A(string name,uint256 srcChain,address emitter,bytes32 key,bytes32 value,uint64 blockNumber,uint64 blockTime,bytes proof)";
        return abi.decode(VM.parseJsonTypeArray(json, ".facts.attestations", shape), (Attestation[]));
    }

    function conflicts(string memory json) internal pure returns (Conflict[] memory) {
        string memory shape =
            "C(string name,uint256 srcChain,address emitter,bytes32 key,bytes32 first,bytes32 second,bytes proof)";
        return abi.decode(VM.parseJsonTypeArray(json, ".facts.conflicts", shape), (Conflict[]));
    }

    function protocol() internal view returns (string memory) {
        return VM.readFile("test/vectors/protocol.json");
    }

    function tree() internal view returns (string memory) {
        return VM.readFile("test/vectors/tree.json");
    }

    function roots(string memory json) internal pure returns (Roots[] memory) {
        string memory shape = "Roots(string name,bytes32[] keys,bytes[] values,bytes32 root)";
        return abi.decode(VM.parseJsonTypeArray(json, ".roots", shape), (Roots[]));
    }

    function transitions(string memory json) internal pure returns (Transition[] memory) {
        string memory shape =
            "Transition(string name,bytes32 root,bytes32 newRoot,bytes32[] keys,bytes32[] olds,bytes32[] news,bytes proof)";
        return abi.decode(VM.parseJsonTypeArray(json, ".transitions", shape), (Transition[]));
    }

    /// @param group ".refused" or ".hostile".
    function refusedProofs(string memory json, string memory group)
        internal
        pure
        returns (RefusedProof[] memory)
    {
        string memory shape =
            "Refused(string name,bytes32 root,bytes32[] keys,bytes32[] olds,bytes32[] news,bytes proof,bytes error)";
        return abi.decode(VM.parseJsonTypeArray(json, group, shape), (RefusedProof[]));
    }

    function touches(bytes32[] memory keys, bytes32[] memory olds, bytes32[] memory news)
        internal
        pure
        returns (Touch[] memory list)
    {
        list = new Touch[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            list[i] = Touch(Key.wrap(keys[i]), ValueHash.wrap(olds[i]), ValueHash.wrap(news[i]));
        }
    }
}
