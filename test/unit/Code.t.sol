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
            assertFalse(hasOpcode(all[i].code, 0xf1), "CALL");
            assertTrue(hasOpcode(all[i].code, 0xfa), "STATICCALL: what is looked for is found");
        }
    }

    /// @dev Walks the opcodes and steps over the data of PUSH1 to PUSH32. Without metadata all of it is code.
    function hasOpcode(bytes memory code, uint8 opcode) private pure returns (bool) {
        for (uint256 i = 0; i < code.length; ++i) {
            uint8 found = uint8(code[i]);
            if (found == opcode) return true;
            if (found >= 0x60 && found <= 0x7f) i += found - 0x5f;
        }
        return false;
    }
}
