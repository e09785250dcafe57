// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IProofErrors, Resource} from "../../contracts/interfaces/IHypha.sol";
import {MultiproofHarness} from "../utils/MultiproofHarness.sol";
import {TreeModel} from "../utils/TreeModel.sol";
import {Vectors} from "../utils/Vectors.sol";
import {AttackWorld} from "./AttackWorld.sol";

/// @title Attacks on proofs (rows A3 to A17 of docs/attacks.md)
contract ProofAttacksTest is AttackWorld {
    using TreeModel for TreeModel.Tree;

    MultiproofHarness private _walk;
    TreeModel.Tree private _other;

    function setUp() public override {
        super.setUp();
        _walk = new MultiproofHarness();
    }

    /// @dev A byte that wanders from the value to the key: both have a fixed length, so it makes another leaf.
    function testFuzz_A3_bytesMovedBetweenKeyAndValue_refused(bytes32 key, bytes32 value, uint8 shift)
        public
    {
        vm.assume(key != 0 && value != 0);
        _other.set(key, value);
        bytes memory joined = bytes.concat(key, value, key, value);
        shift = uint8(bound(shift, 1, 63));
        bytes memory moved = part(joined, shift, shift + 64);
        (bytes32 otherKey, bytes32 otherValue) = abi.decode(moved, (bytes32, bytes32));
        vm.assume(otherKey != 0 && otherValue != 0 && (otherKey != key || otherValue != value));
        bytes memory proof = prove(key);
        _walk.verifyOne(_other.root(), key, value, proof);
        refuse(address(this), address(_walk), oneCall(otherKey, otherValue, proof));
    }

    /// @dev Whatever proof an attacker makes of the honest ones, no key is both there and not.
    function testFuzz_A4_memberAndAbsent_neverBoth(uint256 seed, uint8 leaves, bool there) public {
        bytes32 key = plant(seed, leaves, there);
        bytes memory proof = prove(key);
        bytes32 value = _other.valueHashOf[key];
        assertEq(accepts(key, value, proof), true, "the honest proof holds");
        assertEq(
            accepts(key, there ? bytes32(0) : keccak256("value"), proof), false, "and not for the contrary"
        );
        for (uint256 i = 0; i < 64; ++i) {
            bytes memory forged = forge(proof, uint256(keccak256(abi.encode(seed, i))));
            if (there) assertFalse(accepts(key, 0, forged), "absent");
            else assertFalse(accepts(key, keccak256("value"), forged), "there");
        }
    }

    /// @dev The two children of a node are no key and no value, on either kind of leaf.
    function test_A5_nodeReadAsALeaf_refused() public {
        bytes32 low = bytes32(uint256(1));
        bytes32 high = bytes32(uint256(1) << 255);
        _other.set(low, keccak256("low"));
        _other.set(high, keccak256("high"));
        bytes32 left = TreeModel.leafHash(low, keccak256("low"));
        bytes32 right = TreeModel.leafHash(high, keccak256("high"));
        bytes4 mismatch = IProofErrors.RootMismatch.selector;
        bytes memory own = abi.encodePacked(uint32(1), uint32(0), uint32(0), uint16(0x4000));
        refuse(address(this), address(_walk), oneCall(left, right, own), mismatch);
        bytes memory foreign = abi.encodePacked(uint32(1), uint32(1), uint32(0), uint16(0x8000), left, right);
        refuse(address(this), address(_walk), oneCall(keccak256("absent"), 0, foreign), mismatch);
    }

    function test_A6_truncatedProof_revertsWithAReason() public {
        bytes32 key = plant(6, 8, true);
        bytes memory proof = prove(key);
        for (uint256 length = 0; length < proof.length; ++length) {
            bytes memory cut = part(proof, 0, length);
            refuse(address(this), address(_walk), oneCall(key, _other.valueHashOf[key], cut));
            refuse(address(this), address(_walk), oneCall(key, 0, cut));
        }
        bytes4 length_ = IProofErrors.ProofLength.selector;
        refuse(address(this), address(_walk), oneCall(key, _other.valueHashOf[key], ""), length_);
        refuse(address(this), address(_walk), oneCall(key, 0, ""), length_);
    }

    /// @dev One more of anything, with the count that says so.
    function test_A7_whatIsLeftOver_refused() public {
        bytes32 key = plant(7, 40, true);
        bytes32 value = _other.valueHashOf[key];
        bytes4 tooLong = IProofErrors.ProofLength.selector;
        refuse(address(this), address(_walk), oneCall(key, value, bytes.concat(prove(key), hex"00")), tooLong);
        bytes memory word = bytes.concat(prove(key), keccak256("more"));
        refuse(address(this), address(_walk), oneCall(key, value, word));
        (uint16 header, uint32 siblings, bytes memory bits, bytes memory hashes) = open(prove(key));
        bytes memory proof = abi.encodePacked(uint32(2), uint32(0), siblings, header, header, bits, hashes);
        refuse(
            address(this), address(_walk), oneCall(key, value, proof), IProofErrors.TerminalUnused.selector
        );
        proof = abi.encodePacked(uint32(1), uint32(1), siblings, header, key, value, bits, hashes);
        refuse(address(this), address(_walk), oneCall(key, value, proof), IProofErrors.ForeignUnused.selector);
        // The sibling that is too many may be empty or have a hash; the bitmap has room for one more.
        assertTrue(siblings % 8 != 0 && siblings != 0);
        proof = abi.encodePacked(uint32(1), uint32(0), siblings + 1, header, bits, hashes);
        refuse(address(this), address(_walk), oneCall(key, value, proof), IProofErrors.SiblingUnused.selector);
        bits[bits.length - 1] |= byteOf(2 ** (7 - siblings % 8));
        proof = abi.encodePacked(uint32(1), uint32(0), siblings + 1, header, bits, hashes, keccak256("more"));
        refuse(address(this), address(_walk), oneCall(key, value, proof), IProofErrors.SiblingUnused.selector);
    }

    /// @dev Every field of a note is bound by its key and by its value.
    function test_A11_everyFieldOfANote_isBound() public {
        landIssues(4);
        Resource memory note = landNote(SPOKE_CHAIN, vm.addr(ALICE), 77);
        bytes32 key = resourceKey(note);
        bytes memory proof = proveOne(key);
        assertTrue(hub.verifyProof(rootOf[5], key, abi.encode(note), proof));
        for (uint256 field = 0; field < 6; ++field) {
            bytes memory altered = flipped(abi.encode(note), 32 * field + 31, 0);
            Resource memory other = abi.decode(altered, (Resource));
            bytes memory sameKey = abi.encodeCall(hub.verifyProof, (rootOf[5], key, altered, proof));
            refuse(address(this), address(hub), sameKey, IProofErrors.RootMismatch.selector);
            bytes memory ownKey =
                abi.encodeCall(hub.verifyProof, (rootOf[5], resourceKey(other), altered, proof));
            refuse(address(this), address(hub), ownKey);
            assertNotEq(nullifierOf(other), nullifierOf(note));
        }
    }

    /// @dev One proof has one encoding: an empty sibling is a zero bit, and unused bits are zero.
    function test_A12_otherEncodings_refused() public {
        bytes32 low = bytes32(uint256(1));
        _other.set(low, keccak256("low"));
        _other.set(bytes32(uint256(2)), keccak256("near"));
        (uint16 header, uint32 siblings, bytes memory bits, bytes memory hashes) = open(prove(low));
        assertEq(siblings, 255); // all but the lowest of them empty
        bytes memory spelled = bytes.concat(bits);
        spelled[0] |= 0x40;
        bytes memory head = abi.encodePacked(uint32(1), uint32(0), siblings, header);
        bytes memory proof = bytes.concat(head, spelled, hashes, TreeModel.EMPTY);
        bytes4 empty = IProofErrors.SiblingIsEmpty.selector;
        refuse(address(this), address(_walk), oneCall(low, keccak256("low"), proof), empty);
        bits[bits.length - 1] |= 0x01;
        proof = bytes.concat(head, bits, hashes);
        bytes4 padding = IProofErrors.SiblingPadding.selector;
        refuse(address(this), address(_walk), oneCall(low, keccak256("low"), proof), padding);
    }

    /// @dev The same where a path is short, which is checked in another way.
    function test_A12_otherEncodingsOfAShortPath_refused() public {
        bytes32 key = plant(12, 40, true);
        bytes32 value = _other.valueHashOf[key];
        (uint16 header, uint32 siblings, bytes memory bits, bytes memory hashes) = open(prove(key));
        assertTrue(siblings % 8 != 0 && siblings < 100);
        bytes memory head = abi.encodePacked(uint32(1), uint32(0), siblings, header);
        bits[bits.length - 1] |= 0x01;
        bytes memory proof = bytes.concat(head, bits, hashes);
        refuse(
            address(this), address(_walk), oneCall(key, value, proof), IProofErrors.SiblingPadding.selector
        );
        // A hash of the proof that is `EMPTY` is no hash.
        (,, bits, hashes) = open(prove(key));
        for (uint256 i = 0; i < 32; ++i) {
            hashes[i] = TreeModel.EMPTY[i];
        }
        proof = bytes.concat(head, bits, hashes);
        refuse(
            address(this), address(_walk), oneCall(key, value, proof), IProofErrors.SiblingIsEmpty.selector
        );
    }

    /// @dev Keys that differ in their last bit only are two keys, at depth 256.
    function test_A13_keysThatDifferInTheLastBit_areTwo() public {
        bytes32 key = keccak256("key");
        bytes32 twin = key ^ bytes32(uint256(1));
        _other.set(key, keccak256("value"));
        assertTrue(accepts(twin, 0, prove(twin)), "the twin is absent");
        assertFalse(accepts(twin, keccak256("value"), prove(key)));
        _other.set(twin, keccak256("other"));
        assertTrue(accepts(key, keccak256("value"), prove(key)));
        assertTrue(accepts(twin, keccak256("other"), prove(twin)));
        assertFalse(accepts(twin, keccak256("value"), prove(twin)));
        assertFalse(accepts(twin, 0, prove(twin)));
    }

    /// @dev Seed 003 took only the value "1" for spent. Whatever stands at a nullifier's key, the answer is never "unspent".
    function test_A14_anotherValueAtTheNullifiersKey_neverMeansUnspent() public {
        bytes32 nullifier = keccak256("nullifier");
        bytes32 key = nullifierKey(nullifier);
        _other.set(key, keccak256("2"));
        _other.set(keccak256("other"), keccak256("value"));
        vm.chainId(ATTESTED_CHAIN);
        bytes32 chain = keccak256("chain");
        attestedSpoke.advanceAttested(1, _other.root(), chain, rootFact(1, _other.root(), chain));
        bytes memory proof = prove(key);
        bytes memory call = abi.encodeWithSignature("isNullifierSpent(bytes32,bytes)", nullifier, proof);
        refuse(address(this), address(attestedSpoke), call, IProofErrors.RootMismatch.selector);
        proof[12] &= 0x3f; // as if the slot were empty
        call = abi.encodeWithSignature("isNullifierSpent(bytes32,bytes)", nullifier, proof);
        refuse(address(this), address(attestedSpoke), call, IProofErrors.RootMismatch.selector);
    }

    function test_A14_membershipOfNothing_refused() public {
        landIssues(1);
        bytes32 key = keccak256("absent");
        bytes memory call = abi.encodeCall(hub.verifyProof, (rootOf[1], key, "", proveOne(key)));
        refuse(address(this), address(hub), call, IProofErrors.EmptyValue.selector);
        refuse(
            address(this), address(_walk), oneCall(key, 0, proveOne(key)), IProofErrors.RootMismatch.selector
        );
    }

    function test_A16_emptyTree_isOneConstantEverywhere() public view {
        bytes32 empty = "SPARSE_MERKLE_PLACEHOLDER_HASH__";
        assertEq(hub.stateRoot(), empty);
        assertEq(spoke.stateRoot(), empty);
        assertEq(attestedSpoke.stateRoot(), empty);
        assertEq(_other.root(), empty);
        _walk.verifyOne(empty, keccak256("any"), 0, abi.encodePacked(uint32(1), uint64(0), uint16(0)));
    }

    /// @dev The value that is replaced is proved, not told.
    function testFuzz_A17_otherOldValue_refused(uint256 seed, bytes32 told) public {
        bytes32 key = plant(seed, 20, true);
        vm.assume(told != _other.valueHashOf[key] && told != 0);
        bytes memory proof = prove(key);
        refuse(address(this), address(_walk), stepCall(key, told, keccak256("new"), proof));
        refuse(address(this), address(_walk), stepCall(key, 0, keccak256("new"), proof));
        _walk.verify(
            _other.root(),
            Vectors.touches(list(key), list(_other.valueHashOf[key]), list(keccak256("new"))),
            proof
        );
    }

    // ---- trees and proofs of one key

    /// @dev Leaves and a key that is one of them or none; a tree has always enough of them for siblings.
    function plant(uint256 seed, uint8 leaves, bool there) private returns (bytes32 key) {
        uint256 count = bound(leaves, 2, 40);
        for (uint256 i = 0; i < count; ++i) {
            key = keccak256(abi.encode(seed, i));
            _other.set(key, keccak256(abi.encode("value of", key)));
        }
        if (!there) key = keccak256(abi.encode(seed, "absent"));
    }

    /// @dev An alteration of a proof: bits, bytes, another terminal, or the proof of another key.
    function forge(bytes memory proof, uint256 seed) private view returns (bytes memory) {
        uint256 position = (seed >> 8) % proof.length;
        if (seed % 5 == 0) return flipped(proof, position, (seed >> 128) % 8);
        if (seed % 5 == 1) return removed(proof, position);
        if (seed % 5 == 2) return inserted(proof, position, bytes1(bytes32(seed)));
        if (seed % 5 == 3) return flipped(proof, 12, 6 + (seed >> 8) % 2);
        return prove(_other.keys[(seed >> 8) % _other.keys.length]);
    }

    /// @dev The parts of a proof of one key that is there.
    function open(bytes memory proof)
        private
        pure
        returns (uint16 header, uint32 siblings, bytes memory bits, bytes memory hashes)
    {
        siblings = uint32(bytes4(part(proof, 8, 12)));
        header = uint16(bytes2(part(proof, 12, 14)));
        uint256 start = 14 + (siblings + 7) / 8;
        bits = part(proof, 14, start);
        hashes = part(proof, start, proof.length);
    }

    function prove(bytes32 key) private view returns (bytes memory) {
        return _other.prove(list(key));
    }

    function accepts(bytes32 key, bytes32 value, bytes memory proof) private view returns (bool accepted) {
        (accepted,) = address(_walk).staticcall(oneCall(key, value, proof));
    }

    function oneCall(bytes32 key, bytes32 value, bytes memory proof) private view returns (bytes memory) {
        return abi.encodeCall(_walk.verifyOne, (_other.root(), key, value, proof));
    }

    function stepCall(bytes32 key, bytes32 oldValue, bytes32 newValue, bytes memory proof)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(
            _walk.verify, (_other.root(), Vectors.touches(list(key), list(oldValue), list(newValue)), proof)
        );
    }

    function list(bytes32 word) private pure returns (bytes32[] memory words) {
        words = new bytes32[](1);
        words[0] = word;
    }
}
