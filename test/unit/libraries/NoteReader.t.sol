// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {OperationBuilder} from "../../utils/OperationBuilder.sol";
import {NoteReaderHarness} from "../../utils/NoteReaderHarness.sol";

contract NoteReaderTest is Test {
    NoteReaderHarness private immutable _reader = new NoteReaderHarness();

    /// @dev Whatever the bytes: what the quick version takes is what the plain one takes, to the last field.
    function testFuzz_readSimple_anyBytes_asThePlainVersion(bytes memory data, uint256 position) public view {
        position = bound(position, 0, data.length);
        _compare(data, position);
    }

    /// @dev Honest notes with a byte changed, so that each check is near: a zero field, another header, a shorter quantity.
    function testFuzz_readSimple_changedNote_asThePlainVersion(
        uint64 domainId,
        address owner,
        bytes32 kind,
        uint256 quantity,
        bytes32 data,
        uint256 change
    ) public view {
        bytes memory note = OperationBuilder.note(
            domainId, owner, kind, quantity >> (change % 256), change & 1 == 0 ? bytes32(0) : data
        );
        _compare(note, 0);
        uint256 place = (change >> 8) % note.length;
        // forge-lint: disable-next-line(unsafe-typecast)
        note[place] = bytes1(uint8(change >> 16));
        _compare(note, 0);
        note[60] = note[60] & 0xc3;
        _compare(bytes.concat(note, note), 0);
    }

    function test_readSimple_eachFieldZero_isLeftToThePlainVersion() public view {
        bytes memory honest = OperationBuilder.note(7, address(8), bytes32(uint256(9)), 10, 0);
        (uint256 end,) = _reader.readSimple(honest, 0);
        assertEq(end, honest.length);
        uint256[3] memory lastBytes = [uint256(7), 27, 59]; // of domain, owner and kind: all that is not zero in them
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory changed = bytes.concat(honest);
            changed[lastBytes[i]] = 0;
            _assertLeft(changed);
        }
        bytes memory noQuantity = bytes.concat(honest);
        noQuantity[61] = 0;
        _assertLeft(noQuantity);
        noQuantity[60] = 0; // the header says no byte at all
        _assertLeft(noQuantity);
    }

    /// @dev Beyond the end of the bytes stands more calldata, which would do: here the rest of an honest note.
    function test_readSimple_cutOff_isLeftToThePlainVersion() public view {
        bytes memory honest = OperationBuilder.note(7, address(8), bytes32(uint256(9)), 1000, 0);
        for (uint256 length = 0; length < honest.length; ++length) {
            bytes memory message = abi.encodeCall(_reader.readSimple, (honest, 0));
            // The length of `honest` stands after its own, the selector and the two words of the arguments.
            assembly ("memory-safe") {
                mstore(add(message, 100), length)
            }
            (bool done, bytes memory answer) = address(_reader).staticcall(message);
            assertTrue(done);
            (uint256 end,) = abi.decode(answer, (uint256, uint256[5]));
            assertEq(end, 0);
        }
    }

    function test_readSimple_everyHeader_asThePlainVersion() public view {
        for (uint256 header = 0; header < 256; ++header) {
            // forge-lint: disable-next-line(unsafe-typecast)
            bytes memory note = abi.encodePacked(uint64(7), address(8), bytes32(uint256(9)), uint8(header));
            note = bytes.concat(note, abi.encodePacked(type(uint256).max, type(uint256).max));
            _compare(note, 0);
            (uint256 end,) = _reader.readSimple(note, 0);
            assertEq(end, header > 0 && header < 32 ? 61 + header : 0, "what is simple");
        }
    }

    function _compare(bytes memory data, uint256 position) private view {
        (uint256 end, uint256[5] memory fields) = _reader.readSimple(data, position);
        if (end == 0) {
            _assertNotSimple(data, position);
            return;
        }
        (uint256 plainEnd, uint256[5] memory plainFields) = _reader.read(data, position);
        assertEq(end, plainEnd, "end");
        assertEq(abi.encode(fields), abi.encode(plainFields), "fields");
    }

    /// @dev What is left to the plain version is refused by it, or has data or a quantity of 32 bytes.
    function _assertNotSimple(bytes memory data, uint256 position) private view {
        try _reader.read(data, position) returns (uint256, uint256[5] memory fields) {
            assertTrue(fields[4] != 0 || fields[3] >> 248 != 0, "simple");
        } catch {}
    }

    function _assertLeft(bytes memory note) private view {
        (uint256 end,) = _reader.readSimple(note, 0);
        assertEq(end, 0);
    }
}
