// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Ids} from "../../../contracts/libraries/Ids.sol";
import {Signatures} from "../../../contracts/libraries/Signatures.sol";
import {Key} from "../../../contracts/types/TreeTypes.sol";
import {PlainIds} from "../../utils/PlainIds.sol";

contract PlainIdsTest is Test {
    function testFuzz_names_sameAsThePlainForms(bytes32 word, uint256 number, bytes memory before)
        public
        pure
    {
        bytes32 kept = keccak256(before);
        assertEq(Ids.outputSalt(word, number), PlainIds.outputSalt(word, number));
        assertEq(Ids.nullifierOf(word), PlainIds.nullifierOf(word));
        assertEq(Key.unwrap(Ids.nullifierKey(word)), PlainIds.nullifierKey(word));
        assertEq(Key.unwrap(Ids.resourceKey(number, word)), PlainIds.resourceKey(number, word));
        assertEq(Signatures.digest(word, kept), PlainIds.digest(word, kept));
        assertEq(keccak256(before), kept, "memory before");
    }
}
