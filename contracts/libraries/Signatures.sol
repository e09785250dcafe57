// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Calldata} from "./Calldata.sol";
import {IOperationErrors} from "../interfaces/IHypha.sol";

/// @title Signatures: EIP-712, 65 bytes `r ‖ s ‖ v`, one encoding only
library Signatures {
    using Calldata for bytes;

    /// @dev Bytes of a signature.
    uint256 internal constant LENGTH = 65;
    /// @dev Half the order of secp256k1: of the two `s` that sign the same, only the lower is taken.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @dev Domain separator of the operations: the hub's, on every chain.
    function operationsDomain(uint256 hubChainId, address hub) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Hypha"), keccak256("1"), hubChainId, hub));
    }

    /// @dev `keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash))`.
    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32 hash) {
        // Hashes beyond the end of used memory, which stays free: the plain form allocates each time.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hex"1901")
            mstore(add(free, 2), domainSeparator)
            mstore(add(free, 34), structHash)
            hash := keccak256(free, 66)
        }
    }

    /// @dev The signer of `hash`, by the signature that begins at `position`, all of which the caller knows to be inside `data`. Zero
    /// when there is none, which the caller must never take for an account.
    function recoverAt(bytes32 hash, bytes calldata data, uint256 position) internal pure returns (address) {
        bytes32 r = data.word(position);
        bytes32 s = data.word(position + 32);
        uint8 v = uint8(bytes1(data.word(position + 64)));
        if (uint256(s) > HALF_ORDER) revert IOperationErrors.SignatureMalleable();
        if (v != 27 && v != 28) revert IOperationErrors.SignatureParity(v);
        return ecrecover(hash, v, r, s);
    }
}
