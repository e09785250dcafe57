// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {BatchHarness} from "../utils/BatchHarness.sol";
import {OperationsHarness} from "../utils/OperationsHarness.sol";

/// @title Rust and the contracts give one verdict, and one reason, on the same bytes
/// @notice The cases are written by `cargo run -p hypha-protocol --example differential -- COUNT target/differential`.
contract DifferentialTest is Test {
    string private constant DIRECTORY = "target/differential/";

    /// @dev A file, and how far it is read.
    struct Reader {
        bytes data;
        uint256 position;
    }

    string private _manifest;
    BatchHarness private _hub;
    BatchHarness private _spoke;
    OperationsHarness private _ownQueue;

    function setUp() public {
        _manifest = vm.readFile(string.concat(DIRECTORY, "manifest.json"));
        uint256 hubChainId = vm.parseJsonUint(_manifest, ".hubChainId");
        address hub = vm.parseJsonAddress(_manifest, ".hub");
        uint256[] memory domains = vm.parseJsonUintArray(_manifest, ".domains");
        _hub = new BatchHarness(hubChainId, hub, domains, true);
        _spoke = new BatchHarness(hubChainId, hub, domains, false);
        _ownQueue = new OperationsHarness(hubChainId, hub, domains, false, true);
        vm.warp(vm.parseJsonUint(_manifest, ".timestamp"));
    }

    function test_batches_rustsCases_sameVerdictAndReason() public {
        vm.pauseGasMetering(); // thousands of batches are more than one test's gas
        uint256 count = 0;
        for (uint256 file = 0; file < vm.parseJsonUint(_manifest, ".files"); ++file) {
            count += this.replayBatches(file);
        }
        assertEq(count, vm.parseJsonUint(_manifest, ".batches"), "every case was read");
        assertGt(count, 0, "there are cases");
    }

    function test_requests_rustsCases_sameVerdictAndReason() public {
        vm.pauseGasMetering(); // as above
        uint256 count = 0;
        for (uint256 file = 0; file < vm.parseJsonUint(_manifest, ".files"); ++file) {
            count += this.replayRequests(file);
        }
        assertEq(count, vm.parseJsonUint(_manifest, ".requests"), "every case was read");
        assertGt(count, 0, "there are cases");
    }

    /// @dev External, so that the memory of one file is given back before the next.
    function replayBatches(uint256 file) external view returns (uint256 count) {
        Reader memory reader = _open("batches", file);
        for (; reader.position < reader.data.length; ++count) {
            bytes32 root = bytes32(_number(reader, 32));
            bytes32 newRoot = bytes32(_number(reader, 32));
            bytes memory operations = _long(reader);
            bytes memory witness = _long(reader);
            bytes memory call = abi.encodeCall(BatchHarness.verifyBatch, (root, operations, witness, newRoot));
            _checkVerdict(address(_hub), call, _long(reader), _name("batch on the hub", file, count));
            _checkVerdict(address(_spoke), call, _long(reader), _name("batch on a spoke", file, count));
        }
    }

    /// @dev As `replayBatches`.
    function replayRequests(uint256 file) external view returns (uint256 count) {
        Reader memory reader = _open("requests", file);
        for (; reader.position < reader.data.length; ++count) {
            uint256 chainId = _number(reader, 8);
            uint256 requestType = _number(reader, 1);
            address sender = address(uint160(_number(reader, 20)));
            bytes memory content = _long(reader);
            bytes memory call =
                abi.encodeCall(OperationsHarness.checkRequest, (content, requestType, chainId, sender));
            _checkVerdict(address(_hub), call, _long(reader), _name("request to the hub", file, count));
            _checkVerdict(address(_ownQueue), call, _long(reader), _name("request to a spoke", file, count));
            _checkVerdict(address(_spoke), call, _long(reader), _name("request from a spoke", file, count));
        }
    }

    /// @param expected What the call returns or reverts with. A revert has at least a selector and never 32 bytes, which are what
    /// an accepted request returns, as an accepted batch returns nothing.
    function _checkVerdict(address harness, bytes memory call, bytes memory expected, string memory name)
        private
        view
    {
        (bool accepted, bytes memory actual) = harness.staticcall(call);
        assertEq(actual, expected, name);
        assertEq(accepted, expected.length == 0 || expected.length == 32, name);
    }

    function _open(string memory what, uint256 file) private view returns (Reader memory) {
        string memory path = string.concat(DIRECTORY, what, "-", vm.toString(file), ".bin");
        return Reader(vm.readFileBinary(path), 0);
    }

    function _name(string memory what, uint256 file, uint256 position) private pure returns (string memory) {
        return string.concat(what, ", file ", vm.toString(file), ", case ", vm.toString(position));
    }

    /// @dev The next `size` bytes, at most 32, as a big-endian number.
    function _number(Reader memory reader, uint256 size) private pure returns (uint256) {
        bytes memory data = reader.data;
        uint256 start = reader.position;
        assertLe(start + size, data.length, "a field is whole");
        uint256 word;
        // A word from the middle of bytes, which Solidity has no expression for; what is read past the end is shifted out.
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), start))
        }
        reader.position = start + size;
        return word >> (256 - 8 * size);
    }

    /// @dev The next bytes with their length before them.
    function _long(Reader memory reader) private pure returns (bytes memory field) {
        uint256 length = _number(reader, 4);
        bytes memory data = reader.data;
        uint256 start = reader.position;
        assertLe(start + length, data.length, "a field is whole");
        field = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(field, 32), add(add(data, 32), start), length)
        }
        reader.position = start + length;
    }
}
