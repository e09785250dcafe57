// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {World} from "../utils/World.sol";

/// @title What holds of the deployed code as bytes
contract CodeTest is World {
    /// @dev EIP-170.
    uint256 private constant MAX_CODE_BYTES = 24_576;

    function test_code_fitsAChain() public view {
        address[3] memory all = [address(hub), address(spoke), address(facts)];
        for (uint256 i = 0; i < all.length; ++i) {
            assertGt(all[i].code.length, 0);
            assertLt(all[i].code.length, MAX_CODE_BYTES);
        }
    }

    function test_code_neitherDelegatesNorDestroys() public view {
        address[3] memory all = [address(hub), address(spoke), address(facts)];
        for (uint256 i = 0; i < all.length; ++i) {
            assertFalse(hasOpcode(all[i].code, 0xf4), "DELEGATECALL");
            assertFalse(hasOpcode(all[i].code, 0xf2), "CALLCODE");
            assertFalse(hasOpcode(all[i].code, 0xff), "SELFDESTRUCT");
            assertTrue(hasOpcode(all[i].code, 0xfa), "STATICCALL: what is looked for is found");
        }
    }

    /// @dev The one call is the payment of fees by hub and spokes.
    function test_code_callsOnlyToPay() public view {
        assertEq(count(address(facts).code, 0xf1), 0);
        assertEq(count(address(hub).code, 0xf1), 1);
        assertEq(count(address(spoke).code, 0xf1), 1);
        assertEq(count(address(hub).code, 0xf0) + count(address(spoke).code, 0xf0), 0, "CREATE");
        assertEq(count(address(hub).code, 0xf5) + count(address(spoke).code, 0xf5), 0, "CREATE2");
    }

    function hasOpcode(bytes memory code, uint8 opcode) private pure returns (bool) {
        return count(code, opcode) != 0;
    }

    /// @dev Walks the opcodes and steps over the data of PUSH1 to PUSH32. Without metadata all of it is code.
    function count(bytes memory code, uint8 opcode) private pure returns (uint256 found) {
        for (uint256 i = 0; i < code.length; ++i) {
            uint8 present = uint8(code[i]);
            if (present == opcode) ++found;
            if (present >= 0x60 && present <= 0x7f) i += present - 0x5f;
        }
    }
}
