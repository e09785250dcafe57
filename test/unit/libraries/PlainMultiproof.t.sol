// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Touch} from "../../../contracts/types/TreeTypes.sol";
import {
    IMultiproofHarness,
    MultiproofHarness,
    PlainMultiproofHarness
} from "../../utils/MultiproofHarness.sol";
import {TreeModel} from "../../utils/TreeModel.sol";
import {Vectors} from "../../utils/Vectors.sol";

/// @title The walk beside its plain version: the same root or the same revert data, whatever the bytes
contract PlainMultiproofTest is Test {
    using TreeModel for TreeModel.Tree;

    /// @dev Longer proofs of the vectors are not altered byte by byte.
    uint256 private constant MAX_ALTERED = 300;
    uint256 private constant HOSTILE_PROOFS = 8;
    /// @dev Ways to alter a proof at a position: below 8, the bit of the byte that is flipped.
    uint256 private constant INSERT = 8;
    uint256 private constant REMOVE = 9;
    uint256 private constant CUT = 10;

    IMultiproofHarness private _harness;
    IMultiproofHarness private _plain;
    string private _json;
    TreeModel.Tree private _tree;
    mapping(uint256 => TreeModel.Tree) private _trees;
    uint256 private _seed;

    /// @dev What both are asked.
    struct Question {
        bytes32 root;
        bytes32[] keys;
        bytes32[] olds;
        bytes32[] news;
        bytes proof;
    }

    function setUp() public {
        _harness = new MultiproofHarness();
        _plain = new PlainMultiproofHarness();
        _json = Vectors.tree();
    }

    function test_verify_everyVector_sameAsPlain() public view {
        string[3] memory groups = [".transitions", ".refused", ".hostile"];
        for (uint256 i = 0; i < groups.length; ++i) {
            Question[] memory list = _questions(groups[i]);
            assertGe(list.length, 30, groups[i]);
            for (uint256 j = 0; j < list.length; ++j) {
                _compare(list[j]);
            }
        }
    }

    function test_verify_everyByteAltered_sameAsPlain() public {
        vm.pauseGasMetering(); // thousands of walks are more than a test may use
        Question[] memory list = _questions(".transitions");
        uint256 refused = 0;
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].proof.length > MAX_ALTERED || list[i].keys.length > 16) continue;
            bytes memory honest = list[i].proof;
            for (uint256 position = 0; position < honest.length; ++position) {
                uint256[3] memory ways = [position % 8, INSERT, REMOVE];
                for (uint256 j = 0; j < ways.length; ++j) {
                    list[i].proof = _altered(honest, position, ways[j]);
                    if (!_compare(list[i])) ++refused;
                }
            }
        }
        assertGt(refused, 5_000);
    }

    /// @dev A tree that no insertions give: its left half is the leaf of a key that belongs into the right half.
    function test_verify_leafWhereItDoesNotBelong_sameAsPlain() public view {
        Question memory question;
        (bytes32 leafKey, bytes32 value, bytes32 sibling) =
            (bytes32(uint256(3) << 254), bytes32(uint256(5)), keccak256("sibling"));
        question.root = TreeModel.nodeHash(TreeModel.leafHash(leafKey, value), sibling);
        question.keys = new bytes32[](1);
        question.keys[0] = bytes32(uint256(1));
        (question.olds, question.news) = (new bytes32[](1), new bytes32[](1));
        bytes memory counts = abi.encodePacked(uint32(1), uint32(1), uint32(1));
        question.proof = abi.encodePacked(counts, uint16(0x8001), leafKey, value, uint8(0x80), sibling);
        assertFalse(_compare(question), "off its path");
        question.keys[0] = leafKey ^ bytes32(uint256(1) << 255);
        question.proof =
            abi.encodePacked(counts, uint16(0x8001), question.keys[0], value, uint8(0x80), sibling);
        question.root = TreeModel.nodeHash(TreeModel.leafHash(question.keys[0], value), sibling);
        assertFalse(_compare(question), "the key's own leaf");
    }

    /// @dev Trees that no insertions give: one leaf, of the key or of the value that is never valid.
    function test_verify_leafOfZero_sameAsPlain() public view {
        Question memory question;
        question.keys = new bytes32[](1);
        (question.olds, question.news) = (new bytes32[](1), new bytes32[](1));
        question.proof = abi.encodePacked(uint32(1), uint64(0), uint16(0x4000));
        question.olds[0] = keccak256("value");
        question.root = TreeModel.leafHash(0, question.olds[0]);
        assertFalse(_compare(question), "no key");
        question.keys[0] = keccak256("key");
        question.root = TreeModel.leafHash(question.keys[0], question.olds[0]);
        assertTrue(_compare(question), "key and value");
        question.olds[0] = 0;
        question.root = TreeModel.leafHash(question.keys[0], 0);
        assertFalse(_compare(question), "no value");
    }

    /// @dev Two leaves that part at a depth from 2 to 256, and beside them a key that ends at another leaf and one that ends at an
    /// empty slot: what takes the short cut, and what is too deep for it; then each proof saying another depth.
    function test_verify_everyDepth_sameAsPlain() public {
        vm.pauseGasMetering(); // a thousand proofs from the model are more than a test may use
        for (uint256 depth = 2; depth <= 256; ++depth) {
            TreeModel.Tree storage tree = _trees[depth];
            bytes32 key = keccak256(abi.encode(depth));
            bytes32 beside = key ^ bytes32(2 ** (256 - depth));
            tree.set(key, keccak256("value"));
            tree.set(beside, keccak256("value beside"));
            tree.set(~key, keccak256("value far away"));
            bytes32 foreign = ~key ^ bytes32(uint256(1));
            bytes32 emptySlot = key ^ bytes32(2 ** (257 - depth));
            bytes32[4] memory keys = [key, beside, foreign, emptySlot];
            for (uint256 i = 0; i < keys.length; ++i) {
                Question memory question = _oneKey(tree, keys[i]);
                assertTrue(_compare(question), "honest");
                question.proof[13] ^= bytes1(uint8(1 << (depth % 8)));
                assertFalse(_compare(question), "another depth");
            }
        }
    }

    /// @dev Keys that share many bits or few, touched as they are or not at all, with an honest proof and with altered ones.
    function testFuzz_verify_randomTree_sameAsPlain(uint256 seed) public {
        _seed = seed;
        Question memory honest = _randomQuestion();
        assertTrue(_compare(honest), "honest");
        bytes memory proof = honest.proof;
        for (uint256 i = 0; i < HOSTILE_PROOFS; ++i) {
            honest.proof = proof;
            uint256 changes = _random(3) + 1;
            for (uint256 j = 0; j < changes; ++j) {
                honest.proof = _altered(honest.proof, _random(honest.proof.length), _random(CUT + 1));
            }
            _compare(honest);
        }
        honest.proof = proof;
        _alterClaims(honest);
        _compare(honest);
    }

    /// @dev Proofs without any truth, of the right length or a wrong one, and with small counts.
    function testFuzz_verify_noise_sameAsPlain(uint256 seed, bytes memory noise) public {
        _seed = seed;
        Question memory question = _randomQuestion();
        bytes2[] memory headers = new bytes2[](_random(4));
        bytes memory proof = abi.encodePacked(
            uint32(headers.length + _random(8) / 7), uint32(_random(3)), uint32(_random(20))
        );
        for (uint256 i = 0; i < headers.length; ++i) {
            proof = bytes.concat(proof, bytes2(uint16(_random(4) * 0x4000 + _random(40))));
        }
        question.proof = bytes.concat(proof, noise);
        assertFalse(_compare(question), "noise");
    }

    // ---- comparing

    /// @return accepted Whether both accept; when they do not agree the test fails.
    function _compare(Question memory question) private view returns (bool accepted) {
        Touch[] memory touches = Vectors.touches(question.keys, question.olds, question.news);
        accepted = _ask(abi.encodeCall(IMultiproofHarness.verify, (question.root, touches, question.proof)));
        if (question.keys.length != 1 || question.news[0] != 0) return accepted;
        bool one = _ask(
            abi.encodeCall(
                IMultiproofHarness.verifyOne,
                (question.root, question.keys[0], question.olds[0], question.proof)
            )
        );
        assertEq(one, accepted, "one key");
    }

    function _ask(bytes memory call) private view returns (bool accepted) {
        (bool done, bytes memory answer) = address(_harness).staticcall(call);
        (bool plainDone, bytes memory plainAnswer) = address(_plain).staticcall(call);
        assertEq(answer, plainAnswer);
        assertEq(done, plainDone);
        return done;
    }

    // ---- questions

    function _questions(string memory group) private view returns (Question[] memory) {
        string memory shape = "Q(bytes32 root,bytes32[] keys,bytes32[] olds,bytes32[] news,bytes proof)";
        return abi.decode(vm.parseJsonTypeArray(_json, group, shape), (Question[]));
    }

    /// @dev A bit flipped, a byte inserted or left out, or the end cut off.
    function _altered(bytes memory proof, uint256 position, uint256 how) private pure returns (bytes memory) {
        if (proof.length == 0) return hex"01";
        bytes memory before = _slice(proof, 0, position);
        bytes memory after_ = _slice(proof, position + 1, proof.length);
        if (how < 8) return bytes.concat(before, proof[position] ^ bytes1(uint8(1 << how)), after_);
        if (how == INSERT) return bytes.concat(before, proof[position], bytes1(uint8(position)), after_);
        if (how == REMOVE) return bytes.concat(before, after_);
        return before;
    }

    function _slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = from; i < to; ++i) {
            part[i - from] = data[i];
        }
    }

    /// @dev One key that is only read.
    function _oneKey(TreeModel.Tree storage tree, bytes32 key)
        private
        view
        returns (Question memory question)
    {
        question.root = tree.root();
        (question.keys, question.olds, question.news) = (new bytes32[](1), new bytes32[](1), new bytes32[](1));
        question.keys[0] = key;
        question.olds[0] = tree.valueHashOf[key];
        question.proof = tree.prove(question.keys);
    }

    function _randomQuestion() private returns (Question memory question) {
        uint256 leaves = _random(14);
        for (uint256 i = 0; i < leaves; ++i) {
            _tree.set(_randomKey(), bytes32(_next()));
        }
        bytes32[] memory keys = _touchedKeys(1 + _random(7));
        question.root = _tree.root();
        question.keys = keys;
        question.olds = new bytes32[](keys.length);
        question.news = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            question.olds[i] = _tree.valueHashOf[keys[i]];
            if (_random(2) == 0) question.news[i] = bytes32(_next());
        }
        question.proof = _tree.prove(keys);
    }

    /// @dev In strictly ascending order, so possibly fewer; about half of them leaves of the tree.
    function _touchedKeys(uint256 most) private returns (bytes32[] memory keys) {
        keys = new bytes32[](most);
        uint256 count = 0;
        for (uint256 i = 0; i < most; ++i) {
            bool leaf = _tree.keys.length > 0 && _random(2) == 0;
            bytes32 key = leaf ? _tree.keys[_random(_tree.keys.length)] : _randomKey();
            uint256 place = 0;
            while (place < count && keys[place] < key) ++place;
            if (place < count && keys[place] == key) continue;
            for (uint256 j = count++; j > place; --j) {
                keys[j] = keys[j - 1];
            }
            keys[place] = key;
        }
        assembly ("memory-safe") {
            mstore(keys, count)
        }
    }

    /// @dev A few bits at the front, or at the end of a long prefix that many keys share.
    function _randomKey() private returns (bytes32) {
        uint256 shape = _random(4);
        if (shape == 0) return bytes32(_next());
        if (shape == 1) return bytes32((_random(32) << 251) | 1);
        if (shape == 2) return bytes32((uint256(7) << 250) | (_random(16) + 1));
        return bytes32((_random(4) << 254) | (_random(16) << 200) | 1);
    }

    function _alterClaims(Question memory question) private {
        uint256 position = _random(question.keys.length);
        uint256 how = _random(5);
        if (how == 0) question.keys[position] = _randomKey();
        if (how == 1) question.olds[position] = bytes32(_next());
        if (how == 2) question.olds[position] = 0;
        if (how == 3) question.root = bytes32(_random(2));
        if (how == 4) {
            (question.keys[position], question.keys[0]) = (question.keys[0], question.keys[position]);
        }
    }

    function _next() private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed;
    }

    function _random(uint256 bound) private returns (uint256) {
        return bound == 0 ? 0 : _next() % bound;
    }
}
