// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

/// @dev What SmtLib is linked with. It asks for `poseidon(uint256[n])`; the published contract calls it `hash(uint256[n])`.
contract PoseidonUnit {
    address private immutable _POSEIDON;
    bytes4 private immutable _SELECTOR;

    constructor(bytes memory creationCode, bytes4 selector) {
        address poseidon;
        assembly ("memory-safe") {
            poseidon := create(0, add(creationCode, 32), mload(creationCode))
        }
        require(poseidon.code.length > 0, "no Poseidon");
        (_POSEIDON, _SELECTOR) = (poseidon, selector);
    }

    fallback(bytes calldata call) external returns (bytes memory) {
        (bool done, bytes memory answer) = _POSEIDON.staticcall(bytes.concat(_SELECTOR, call[4:]));
        require(done, "not hashed");
        return answer;
    }
}

/// @dev A contract that keeps a tree on chain with the library, from its first slot on.
contract SmtTree {
    address private immutable _LIBRARY;

    constructor(address library_) {
        _LIBRARY = library_;
    }

    function initialize(uint256 maxDepth) external {
        _call(abi.encodeWithSignature("initialize(SmtLib.Data storage,uint256)", 0, maxDepth));
    }

    function addLeaf(uint256 index, uint256 value) external {
        _call(abi.encodeWithSignature("addLeaf(SmtLib.Data storage,uint256,uint256)", 0, index, value));
    }

    function _call(bytes memory call) private {
        // The library is what this contract was built with.
        // forge-lint: disable-next-line(unchecked-call)
        (bool done,) = _LIBRARY.delegatecall(call);
        require(done, "refused");
    }
}

/// @title What a leaf costs in a tree that is kept on chain: SmtLib of @iden3/contracts, as its npm package has it
/// @notice Run by scripts/bench beside Gas.t.sol. A tree of 10^6 leaves takes too long to build there, and what a leaf costs depends on
/// nothing but the path to its place: so the nodes of this path alone are put into storage, at the depth where Rust found the
/// place of a random key in a tree of that size.
contract SmtLibGasTest is Test {
    string private constant DIRECTORY = "target/bench/gas/";
    string private constant MEASURED = "target/bench/gas/measured-smt-lib.jsonl";
    address private constant SMT_LIB = 0x5000000000000000000000000000000000000001;
    address private constant POSEIDON_OF_TWO = 0x5000000000000000000000000000000000000002;
    address private constant POSEIDON_OF_THREE = 0x5000000000000000000000000000000000000003;
    uint256 private constant MAX_DEPTH = 64;
    uint256 private constant LEAF = 1;
    uint256 private constant MIDDLE = 2;
    /// @dev Slots of the library's data.
    uint256 private constant NODES = 0;
    uint256 private constant ROOT_ENTRIES = 1;

    SmtTree private _tree;

    function test_gas_ofSmtLib_isMeasured() public {
        vm.writeFile(MEASURED, "");
        _deploy();
        uint256 clean = vm.snapshotState();
        uint256[3] memory leaves = [uint256(1_000), 100_000, 1_000_000];
        for (uint256 i = 0; i < leaves.length; ++i) {
            string memory json =
                vm.readFile(string.concat(DIRECTORY, "insertions-", vm.toString(leaves[i]), ".json"));
            uint256[] memory depths = vm.parseJsonUintArray(json, ".depths");
            uint256[] memory shared = vm.parseJsonUintArray(json, ".shared");
            uint256 used = 0;
            for (uint256 j = 0; j < depths.length; ++j) {
                vm.revertToState(clean);
                used += _addLeaf(depths[j], shared[j], j);
            }
            _write(leaves[i], used / depths.length);
        }
    }

    function _deploy() private {
        string memory json = vm.readFile(string.concat(DIRECTORY, "smt-lib.json"));
        vm.etch(SMT_LIB, vm.parseJsonBytes(json, ".smtLib"));
        _deployPoseidon(json, ".poseidonOfTwo", "hash(uint256[2])", POSEIDON_OF_TWO);
        _deployPoseidon(json, ".poseidonOfThree", "hash(uint256[3])", POSEIDON_OF_THREE);
        (, bytes memory answer) =
            POSEIDON_OF_TWO.call(abi.encodeWithSignature("poseidon(uint256[2])", [uint256(1), 2]));
        // The published test vector of Poseidon over two elements.
        assertEq(
            abi.decode(answer, (uint256)), 0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a
        );
        _tree = new SmtTree(SMT_LIB);
        _tree.initialize(MAX_DEPTH);
    }

    function _deployPoseidon(string memory json, string memory name, string memory signature, address target)
        private
    {
        bytes memory creationCode = vm.parseJsonBytes(json, name);
        deployCodeTo(
            "SmtLib.t.sol:PoseidonUnit", abi.encode(creationCode, bytes4(keccak256(bytes(signature)))), target
        );
    }

    /// @dev Puts the path to a new leaf's place into the tree, then adds the leaf as a transaction.
    /// @param shared Bits that the leaf in this place shares with the new one, 0 when the place is empty.
    function _addLeaf(uint256 depth, uint256 shared, uint256 seed) private returns (uint256) {
        uint256 index = _element("index", seed);
        vm.store(address(_tree), keccak256(abi.encode(ROOT_ENTRIES)), bytes32(_element("node", 0)));
        for (uint256 i = 0; i < depth; ++i) {
            bool last = i + 1 == depth && shared == 0;
            _plantMiddle(i, (index >> i) & 1, last ? 0 : _element("node", i + 1));
        }
        if (shared > 0) _plantLeaf(depth, index ^ (1 << shared));
        _tree.addLeaf(index, _element("value", seed));
        return vm.lastCallGas().gasTotalUsed;
    }

    function _plantMiddle(uint256 depth, uint256 side, uint256 child) private {
        uint256 place = uint256(keccak256(abi.encode(_element("node", depth), NODES)));
        vm.store(address(_tree), bytes32(place), bytes32(MIDDLE));
        vm.store(address(_tree), bytes32(place + 1 + side), bytes32(child));
        vm.store(address(_tree), bytes32(place + 2 - side), bytes32(_element("sibling", depth)));
    }

    function _plantLeaf(uint256 depth, uint256 index) private {
        uint256 place = uint256(keccak256(abi.encode(_element("node", depth), NODES)));
        vm.store(address(_tree), bytes32(place), bytes32(LEAF));
        vm.store(address(_tree), bytes32(place + 3), bytes32(index));
        vm.store(address(_tree), bytes32(place + 4), bytes32(_element("leaf", depth)));
    }

    /// @dev A number below the order of Poseidon's field.
    function _element(string memory what, uint256 number) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(what, number))) >> 8;
    }

    function _write(uint256 leaves, uint256 used) private {
        bytes memory call = abi.encodeCall(SmtTree.addLeaf, (_element("index", 0), _element("value", 0)));
        uint256 zeros = 0;
        for (uint256 i = 0; i < call.length; ++i) {
            if (call[i] == 0) ++zeros;
        }
        string memory row = "smt";
        vm.serializeString(row, "case", string.concat("SmtLib.addLeaf/leaves=", vm.toString(leaves)));
        vm.serializeUint(row, "transfers", 0);
        vm.serializeUint(row, "keys", 1);
        vm.serializeUint(row, "proofBytes", 0);
        vm.serializeUint(row, "leastBytes", 0);
        vm.serializeUint(row, "calldataBytes", call.length);
        vm.serializeUint(row, "zeroBytes", zeros);
        vm.writeLine(MEASURED, vm.serializeUint(row, "used", used));
    }
}
