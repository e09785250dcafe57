// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TreeHash} from "../../contracts/libraries/TreeHash.sol";
import {Key, ValueHash} from "../../contracts/types/TreeTypes.sol";

/// @title Lemmas of the commitments, for all words at once
/// @notice `scripts/test.d/halmos` proves them. Keccak is taken for a function without collisions, so what they say is that no two
/// different things are hashed from the same bytes.
contract TreeHashLemmas {
    function check_leaf_isNoNode(bytes32 key, bytes32 value, bytes32 left, bytes32 right) external pure {
        assert(_leaf(key, value) != TreeHash.node(left, right));
    }

    function check_leaf_bindsKeyAndValue(bytes32 key, bytes32 value, bytes32 otherKey, bytes32 otherValue)
        external
        pure
    {
        bool same = key == otherKey && value == otherValue;
        assert(same || _leaf(key, value) != _leaf(otherKey, otherValue));
    }

    function check_node_bindsBothChildren(bytes32 left, bytes32 right, bytes32 otherLeft, bytes32 otherRight)
        external
        pure
    {
        bool same = left == otherLeft && right == otherRight;
        assert(same || TreeHash.node(left, right) != TreeHash.node(otherLeft, otherRight));
    }

    /// @dev A child on the left and one on the right make the same parent only when each is the other's sibling.
    function check_node_bindsTheSide(bytes32 child, bytes32 sibling, bytes32 otherChild, bytes32 otherSibling)
        external
        pure
    {
        bool mirrored = child == otherSibling && sibling == otherChild;
        assert(mirrored || TreeHash.node(child, sibling) != TreeHash.node(otherSibling, otherChild));
    }

    /// @dev The assembly hashes the bytes that tree/README.md says.
    function check_hashes_arePlain(bytes32 first, bytes32 second) external pure {
        bytes32 node = keccak256(abi.encodePacked("JMT::IntrnalNode", first, second));
        assert(_leaf(first, second) == keccak256(abi.encodePacked("JMT::LeafNode", first, second)));
        assert(TreeHash.node(first, second) == node);
    }

    function _leaf(bytes32 key, bytes32 value) private pure returns (bytes32) {
        return TreeHash.leaf(Key.wrap(key), ValueHash.wrap(value));
    }
}
