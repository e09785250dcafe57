// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors} from "../interfaces/IHypha.sol";
import {TreeHash} from "./TreeHash.sol";
import {Key, Touch, ValueHash} from "../types/TreeTypes.sol";

/// @title The touches of a walk, reached by where their list has them
/// @dev A *place* is a position in memory, in the words of the list. A touch as a struct would be allocated anew each time it
/// is read, and its index checked each time.
library Touches {
    /// @dev Where the list has its first touch, and where it ends.
    function placesOf(Touch[] memory touches) internal pure returns (uint256 first, uint256 end) {
        assembly ("memory-safe") {
            first := add(touches, 32)
            end := add(first, shl(5, mload(touches)))
        }
    }

    function keyAt(uint256 place) internal pure returns (Key key) {
        assembly ("memory-safe") {
            key := mload(mload(place))
        }
    }

    function oldValueAt(uint256 place) internal pure returns (ValueHash value) {
        assembly ("memory-safe") {
            value := mload(add(mload(place), 32))
        }
    }

    function newValueAt(uint256 place) internal pure returns (ValueHash value) {
        assembly ("memory-safe") {
            value := mload(add(mload(place), 64))
        }
    }

    /// @dev One more than the bits that the key at `next` shares with the one before it; 0 when there is none.
    function targetAt(uint256 next, uint256 end) internal pure returns (uint256) {
        // Cannot overflow: a touch stands before this one, and keys share at most 256 bits.
        unchecked {
            return next == end ? 0 : keyAt(next - 32).sharedBits(keyAt(next)) + 1;
        }
    }

    /// @dev Step 1 of the walk: the keys ascend strictly, from one that is not zero.
    function checkKeys(uint256 place, uint256 end) internal pure {
        Key previous = keyAt(place);
        if (Key.unwrap(previous) == 0) revert IProofErrors.ZeroKey();
        uint256 first = place;
        // Cannot overflow: places are inside memory.
        unchecked {
            for (place += 32; place < end; place += 32) {
                Key key = keyAt(place);
                if (!previous.isBelow(key)) {
                    if (key == previous) revert IProofErrors.KeyRepeated(Key.unwrap(key));
                    revert IProofErrors.KeysNotAscending((place - first) / 32);
                }
                previous = key;
            }
        }
    }

    /// @dev How many of the touches claim to be in the old tree, and how many are written.
    function countClaims(uint256 place, uint256 end) internal pure returns (uint256 claims, uint256 writes) {
        for (; place < end; place += 32) {
            if (!oldValueAt(place).isAbsent()) ++claims;
            if (!newValueAt(place).isAbsent()) ++writes;
        }
    }

    /// @dev The leaf of the first touch from `place` on that claims to be in the old tree.
    function ownLeaf(uint256 place) internal pure returns (bytes32) {
        while (oldValueAt(place).isAbsent()) place += 32;
        return TreeHash.leaf(keyAt(place), oldValueAt(place));
    }
}
