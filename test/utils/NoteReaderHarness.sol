// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Contents} from "../../contracts/libraries/Contents.sol";
import {Memory} from "../../contracts/libraries/Memory.sol";
import {NoteReader} from "../../contracts/libraries/NoteReader.sol";

/// @title Both versions of reading a note behind a call
contract NoteReaderHarness {
    /// @dev Domain, owner, kind, quantity and data as they are left in memory.
    function read(bytes calldata data, uint256 position)
        external
        pure
        returns (uint256 end, uint256[5] memory fields)
    {
        uint256 note = Memory.allocate(7);
        end = NoteReader.read(data, position, note);
        fields = _fields(note);
    }

    function readSimple(bytes calldata data, uint256 position)
        external
        pure
        returns (uint256 end, uint256[5] memory fields)
    {
        uint256 note = Memory.allocate(7);
        Memory.store(note + Contents.DATA, 7); // of a note before
        end = NoteReader.readSimple(data, position, note);
        fields = _fields(note);
    }

    function _fields(uint256 note) private pure returns (uint256[5] memory fields) {
        for (uint256 i = 0; i < 5; ++i) {
            fields[i] = Memory.load(note + Contents.DOMAIN + 32 * i);
        }
    }
}
