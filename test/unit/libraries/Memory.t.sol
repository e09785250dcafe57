// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Memory} from "../../../contracts/libraries/Memory.sol";

contract MemoryTest is Test {
    function testFuzz_hashes_sameAsThePlainForms(
        bytes32[4] memory words,
        bytes memory data,
        bytes memory before
    ) public pure {
        bytes32 kept = keccak256(before);
        assertEq(
            Memory.hashOfFour(words[0], words[1], words[2], words[3]),
            keccak256(abi.encode(words[0], words[1], words[2], words[3]))
        );
        assertEq(Memory.hash(_placeOf(data) + 32, data.length), keccak256(data));
        assertEq(keccak256(before), kept, "memory before");
    }

    function testFuzz_storeAndLoad_sameAsAnArray(uint256[] memory words, uint256 word) public pure {
        vm.assume(words.length > 0);
        uint256 position = word % words.length;
        uint256 place;
        assembly ("memory-safe") {
            place := add(add(words, 32), mul(position, 32))
        }
        assertEq(Memory.load(place), words[position]);
        Memory.store(place, word);
        assertEq(words[position], word);
    }

    function testFuzz_allocate_givesWhatNothingElseHas(uint8 count, bytes memory before) public pure {
        bytes32 kept = keccak256(before);
        uint256 place = Memory.allocate(count);
        bytes memory next = new bytes(32);
        assertEq(_placeOf(next), place + 32 * uint256(count), "as much as asked for");
        for (uint256 i = 0; i < count; ++i) {
            Memory.store(place + 32 * i, type(uint256).max);
        }
        assertEq(next, abi.encodePacked(bytes32(0)), "memory after");
        assertEq(keccak256(before), kept, "memory before");
    }

    /// @dev Lists of structs as the compiler builds them.
    struct Two {
        uint256 first;
        uint256 second;
    }

    struct Three {
        uint256 first;
        uint256 second;
        uint256 third;
    }

    struct Four {
        uint256 first;
        uint256 second;
        uint256 third;
        uint256 fourth;
    }

    function testFuzz_shortLists_sameAsArrays(uint256[2][] memory items) public pure {
        (uint256 ones, uint256 twos) = (Memory.makeList(items.length), Memory.makeList(items.length));
        bytes memory next = new bytes(32);
        uint256[] memory plainOnes = new uint256[](items.length);
        Two[] memory plainTwos = new Two[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            uint256[2] memory item = items[i];
            plainOnes[i] = item[0];
            plainTwos[i] = Two(item[0], item[1]);
            Memory.push(ones, item[0]);
            Memory.pushTwo(twos, item[0], item[1]);
        }
        uint256[] memory builtOnes;
        Two[] memory builtTwos;
        assembly ("memory-safe") {
            builtOnes := ones
            builtTwos := twos
        }
        assertEq(builtOnes, plainOnes);
        assertEq(abi.encode(builtTwos), abi.encode(plainTwos));
        assertEq(next, abi.encodePacked(bytes32(0)), "memory after the room");
    }

    function testFuzz_lists_sameAsArraysOfStructs(uint256[4][] memory items) public pure {
        (uint256 threes, uint256 fours) = (Memory.makeList(items.length), Memory.makeList(items.length));
        bytes memory next = new bytes(32);
        Three[] memory plainThrees = new Three[](items.length);
        Four[] memory plainFours = new Four[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            uint256[4] memory item = items[i];
            plainThrees[i] = Three(item[0], item[1], item[2]);
            plainFours[i] = Four(item[0], item[1], item[2], item[3]);
            Memory.pushThree(threes, item[0], item[1], item[2]);
            Memory.pushFour(fours, item[0], item[1], item[2], item[3]);
        }
        Three[] memory builtThrees;
        Four[] memory builtFours;
        assembly ("memory-safe") {
            builtThrees := threes
            builtFours := fours
        }
        assertEq(abi.encode(builtThrees), abi.encode(plainThrees));
        assertEq(abi.encode(builtFours), abi.encode(plainFours));
        assertEq(next, abi.encodePacked(bytes32(0)), "memory after the room");
    }

    function _placeOf(bytes memory data) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := data
        }
    }
}
