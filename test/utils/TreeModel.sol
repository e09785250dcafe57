// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The tree as plainly as it can be written: a sorted list of leaves, hashed and proved by recursion
/// @notice Shares no code with the contracts, so that the tests compare two readings of tree/README.md.
library TreeModel {
    bytes32 internal constant EMPTY = "SPARSE_MERKLE_PLACEHOLDER_HASH__";

    struct Tree {
        bytes32[] keys;
        mapping(bytes32 key => bytes32) valueHashOf;
    }

    struct Proof {
        bytes headers;
        bytes foreigns;
        bytes bits;
        bytes hashes;
    }

    /// @dev Inserts or updates one leaf.
    function set(Tree storage tree, bytes32 key, bytes32 valueHash) internal {
        if (tree.valueHashOf[key] == 0) {
            tree.keys.push(key);
            for (uint256 i = tree.keys.length - 1; i > 0 && tree.keys[i - 1] > key; --i) {
                (tree.keys[i], tree.keys[i - 1]) = (tree.keys[i - 1], tree.keys[i]);
            }
        }
        tree.valueHashOf[key] = valueHash;
    }

    function root(Tree storage tree) internal view returns (bytes32) {
        return subtree(tree, 0, tree.keys.length, 0);
    }

    /// @dev The multiproof of `keys`, which ascend strictly.
    function prove(Tree storage tree, bytes32[] memory keys) internal view returns (bytes memory) {
        Proof memory proof;
        descend(tree, keys, [0, tree.keys.length, 0, keys.length], 0, proof);
        bytes memory bitmap = new bytes((proof.bits.length + 7) / 8);
        for (uint256 i = 0; i < proof.bits.length; ++i) {
            if (proof.bits[i] != 0) bitmap[i / 8] |= bytes1(uint8(2 ** (7 - i % 8)));
        }
        return bytes.concat(
            // The counts of a test's proof are far below 2^32.
            // forge-lint: disable-next-item(unsafe-typecast)
            abi.encodePacked(
                uint32(proof.headers.length / 2),
                uint32(proof.foreigns.length / 64),
                uint32(proof.bits.length)
            ),
            proof.headers,
            proof.foreigns,
            bitmap,
            proof.hashes
        );
    }

    /// @dev Hash of the subtree at `depth` that holds the leaves `from` to `to - 1`.
    function subtree(Tree storage tree, uint256 from, uint256 to, uint256 depth)
        private
        view
        returns (bytes32)
    {
        if (from == to) return EMPTY;
        if (to - from == 1) return leafHash(tree.keys[from], tree.valueHashOf[tree.keys[from]]);
        // Levels at which all leaves go to one side are a loop: recursion would outgrow the EVM's stack.
        bytes32 first = tree.keys[from];
        uint256 branch = depth;
        while (sameBit(first, tree.keys[to - 1], branch)) ++branch;
        uint256 middle = split(tree.keys, from, to, branch);
        bytes32 hash =
            nodeHash(subtree(tree, from, middle, branch + 1), subtree(tree, middle, to, branch + 1));
        for (; branch > depth; --branch) {
            hash = isSet(first, branch - 1) ? nodeHash(EMPTY, hash) : nodeHash(hash, EMPTY);
        }
        return hash;
    }

    /// @dev `range`: the leaves from [0] to [1], the touched keys from [2] to [3].
    function descend(
        Tree storage tree,
        bytes32[] memory keys,
        uint256[4] memory range,
        uint256 depth,
        Proof memory proof
    ) private view {
        if (range[1] - range[0] < 2) return terminal(tree, keys, range, depth, proof);
        // Levels at which everything goes to one side are a loop here too.
        uint256 branch = depth;
        while (isOneSided(tree, keys, range, branch)) ++branch;
        uint256 leaf = split(tree.keys, range[0], range[1], branch);
        uint256 key = split(keys, range[2], range[3], branch);
        if (key > range[2]) descend(tree, keys, [range[0], leaf, range[2], key], branch + 1, proof);
        if (key < range[3]) descend(tree, keys, [leaf, range[1], key, range[3]], branch + 1, proof);
        if (key == range[2]) sibling(subtree(tree, range[0], leaf, branch + 1), proof);
        else if (key == range[3]) sibling(subtree(tree, leaf, range[1], branch + 1), proof);
        for (; branch > depth; --branch) {
            sibling(EMPTY, proof);
        }
    }

    /// @dev Whether all leaves and all touched keys of a range have the same bit at `depth`.
    function isOneSided(Tree storage tree, bytes32[] memory keys, uint256[4] memory range, uint256 depth)
        private
        view
        returns (bool)
    {
        bytes32 first = tree.keys[range[0]];
        return sameBit(first, tree.keys[range[1] - 1], depth) && sameBit(first, keys[range[2]], depth)
            && sameBit(first, keys[range[3] - 1], depth);
    }

    function terminal(
        Tree storage tree,
        bytes32[] memory keys,
        uint256[4] memory range,
        uint256 depth,
        Proof memory proof
    ) private view {
        uint16 kind = 0;
        if (range[0] < range[1]) {
            bytes32 leaf = tree.keys[range[0]];
            kind = 2;
            for (uint256 i = range[2]; i < range[3]; ++i) {
                if (keys[i] == leaf) kind = 1;
            }
            if (kind == 2) proof.foreigns = bytes.concat(proof.foreigns, leaf, tree.valueHashOf[leaf]);
        }
        // A depth is at most 256.
        // forge-lint: disable-next-line(unsafe-typecast)
        proof.headers = bytes.concat(proof.headers, bytes2(kind * 0x4000 + uint16(depth)));
    }

    function sibling(bytes32 hash, Proof memory proof) private pure {
        proof.bits = bytes.concat(proof.bits, hash == EMPTY ? bytes1(0) : bytes1(0x01));
        if (hash != EMPTY) proof.hashes = bytes.concat(proof.hashes, hash);
    }

    /// @dev The first position from `from` to `to` whose key has bit `depth` set.
    function split(bytes32[] memory keys, uint256 from, uint256 to, uint256 depth)
        private
        pure
        returns (uint256)
    {
        while (from < to && !isSet(keys[from], depth)) ++from;
        return from;
    }

    function isSet(bytes32 key, uint256 bit) private pure returns (bool) {
        return uint256(key) & 2 ** (255 - bit) != 0;
    }

    function sameBit(bytes32 a, bytes32 b, uint256 bit) private pure returns (bool) {
        return isSet(a, bit) == isSet(b, bit);
    }

    function leafHash(bytes32 key, bytes32 valueHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("JMT::LeafNode", key, valueHash));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("JMT::IntrnalNode", left, right));
    }
}
