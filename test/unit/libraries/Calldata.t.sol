// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {CalldataHarness} from "../../utils/CalldataHarness.sol";

contract CalldataTest is Test {
    CalldataHarness private immutable _harness = new CalldataHarness();

    function testFuzz_word_sameAsThePlainForm(bytes32[3] memory words, uint256 position) public view {
        position = bound(position, 0, 64);
        bytes memory data = abi.encode(words);
        assertEq(_harness.word(data, position), _harness.plainWord(data, position));
    }

    function testFuzz_hash_sameAsThePlainForm(bytes memory data, bytes memory before) public view {
        (bytes32 hash, bytes memory kept, bytes memory next) = _harness.hash(data, before);
        assertEq(hash, keccak256(data));
        assertEq(kept, before, "memory before");
        assertEq(next, new bytes(data.length), "memory after");
    }
}
