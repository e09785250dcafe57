// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TreeHash} from "./TreeHash.sol";
import {Key} from "../types/TreeTypes.sol";

/// @title The subtree that holds exactly the leaves that are given
library Leaves {
    /// @dev Hash of the subtree at `depth` that holds exactly these two leaves.
    function foldPair(Key key, bytes32 hash, Key otherKey, bytes32 otherHash, uint256 depth)
        internal
        pure
        returns (bytes32)
    {
        uint256 shared = key.sharedBits(otherKey);
        hash = key.isBelow(otherKey) ? TreeHash.node(hash, otherHash) : TreeHash.node(otherHash, hash);
        // Cannot overflow: `shared` is at least `depth`, as both keys lie in the subtree.
        unchecked {
            while (shared > depth) {
                uint256 count = shared - depth < TreeHash.MAX_RUN ? shared - depth : TreeHash.MAX_RUN;
                (hash,) = TreeHash.fold(hash, key.path(shared, count), 0, count, 0);
                shared -= count;
            }
        }
        return hash;
    }

    /// @dev Hash of the subtree at `depth` that holds exactly these leaves. What is finished waits in the front of
    /// `hashes`, which never outgrows the leaves that it was made of.
    function foldLeaves(Key[] memory keys, bytes32[] memory hashes, uint256 count, uint256 depth)
        internal
        pure
        returns (bytes32)
    {
        uint256[] memory depths = new uint256[](count);
        uint256 waiting = 0;
        uint256 previousTarget = depth;
        for (uint256 i = 0; i < count; ++i) {
            uint256 target = i + 1 < count ? keys[i].sharedBits(keys[i + 1]) + 1 : depth;
            // A leaf stands at the shallowest depth where neither neighbour shares its prefix.
            uint256 height = previousTarget > target ? previousTarget : target;
            bytes32 hash = hashes[i];
            for (; height > target; --height) {
                if (waiting > 0 && depths[waiting - 1] == height) {
                    hash = TreeHash.node(hashes[--waiting], hash);
                } else if (keys[i].bitAt(height - 1)) {
                    hash = TreeHash.node(TreeHash.EMPTY, hash);
                } else {
                    hash = TreeHash.node(hash, TreeHash.EMPTY);
                }
            }
            (depths[waiting], hashes[waiting++]) = (target, hash);
            previousTarget = target;
        }
        return hashes[0];
    }
}
