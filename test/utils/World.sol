// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AttestedFacts} from "../../contracts/facts/AttestedFacts.sol";
import {
    Batch,
    Governance,
    HubConfig,
    Output,
    Resource,
    SpokeConfig
} from "../../contracts/interfaces/IHypha.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {Attestors} from "./Attestors.sol";
import {OperationBuilder} from "./OperationBuilder.sol";
import {TreeModel} from "./TreeModel.sol";

/// @title A hub, a verifying and an attested spoke, their attestors, and honest batches for them
abstract contract World is Attestors {
    using TreeModel for TreeModel.Tree;

    uint256 internal constant HUB_CHAIN = 1001;
    uint256 internal constant SPOKE_CHAIN = 2002;
    uint256 internal constant ATTESTED_CHAIN = 3003;
    uint64 internal constant WINDOW = 1 hours;
    uint64 internal constant INCLUSION_WINDOW = 2 hours;
    uint64 internal constant PAUSE = 3 days;
    uint128 internal constant FEE = 0.001 ether;
    uint128 internal constant MAX_FEE = 0.01 ether;
    uint64 internal constant FAR = type(uint64).max;
    uint256 internal constant ISSUER = 0xA11CE;
    uint256 internal constant ALICE = 0xA1;
    uint256 internal constant BOB = 0xB0B;

    address internal immutable GOVERNANCE = makeAddr("governance");
    address internal immutable SEQUENCER = makeAddr("sequencer");
    address internal immutable PAUSER = makeAddr("pauser");
    address internal immutable REGISTRAR = makeAddr("registrar");

    RootHub internal hub;
    RootSpoke internal spoke;
    RootSpoke internal attestedSpoke;

    TreeModel.Tree private _tree;
    bytes32[] internal rootOf; // by index
    bytes32[] internal chainOf;
    Batch[] internal batchOf; // batchOf[i] led to index i + 1
    uint256 private _saltCount;
    /// @dev What a void touches, by its packed bytes: the key of the void request, then its evidence.
    mapping(bytes32 packedHash => bytes32[] keys) internal voidKeysOf;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        makeAttestors(3);
        facts = new AttestedFacts(GOVERNANCE, attestorsOf(3), 2, FAR);
        vm.chainId(HUB_CHAIN);
        hub = new RootHub(hubConfig());
        rootOf.push(TreeModel.EMPTY);
        chainOf.push(keccak256(abi.encodePacked("hypha:genesis", HUB_CHAIN, address(hub))));
        vm.chainId(SPOKE_CHAIN);
        spoke = new RootSpoke(spokeConfig(false, true));
        vm.chainId(ATTESTED_CHAIN);
        attestedSpoke = new RootSpoke(spokeConfig(true, false));
        vm.chainId(HUB_CHAIN);
        registerFirst();
    }

    function registerFirst() internal {
        uint256[] memory chainIds = new uint256[](2);
        (chainIds[0], chainIds[1]) = (SPOKE_CHAIN, ATTESTED_CHAIN);
        address[] memory spokes = new address[](2);
        (spokes[0], spokes[1]) = (address(spoke), address(attestedSpoke));
        vm.prank(REGISTRAR);
        hub.registerFirstSpokes(chainIds, spokes);
    }

    function governance() internal view returns (Governance memory) {
        return Governance({
            owner: GOVERNANCE, pauser: PAUSER, pauseSeconds: PAUSE, requestFee: FEE, maxRequestFee: MAX_FEE
        });
    }

    function hubConfig() internal view returns (HubConfig memory) {
        address[] memory sequencers = new address[](1);
        sequencers[0] = SEQUENCER;
        return HubConfig({
            governance: governance(),
            registrar: REGISTRAR,
            factVerifier: address(facts),
            sequencers: sequencers,
            livenessWindow: WINDOW,
            inclusionWindow: INCLUSION_WINDOW,
            nullifierCache: true
        });
    }

    function spokeConfig(bool attested, bool nullifierCache) internal view returns (SpokeConfig memory) {
        return SpokeConfig({
            hubChainId: HUB_CHAIN,
            hub: address(hub),
            governance: governance(),
            factVerifier: address(facts),
            attested: attested,
            nullifierCache: nullifierCache,
            index: 0,
            root: rootOf[0],
            batchChain: chainOf[0]
        });
    }

    // ---- operations

    function issueDraft(uint256 domainId, address owner, uint256 quantity)
        internal
        returns (OperationBuilder.IssueDraft memory)
    {
        return OperationBuilder.IssueDraft({
            issuer: ISSUER,
            label: "coin",
            deadline: FAR,
            domainId: domainId,
            owner: owner,
            quantity: quantity,
            data: 0,
            salt: keccak256(abi.encode("salt", ++_saltCount))
        });
    }

    function issue(uint256 domainId, address owner, uint256 quantity)
        internal
        returns (OperationBuilder.Operation memory)
    {
        return OperationBuilder.issue(issueDraft(domainId, owner, quantity), hub.domainSeparator());
    }

    /// @dev Moves a whole note to `domainId` and `owner`; `signer` is the present owner's key.
    function moveDraft(Resource memory input, uint256 signer, uint256 domainId, address owner)
        internal
        pure
        returns (OperationBuilder.TransferDraft memory draft)
    {
        draft.inputs = new Resource[](1);
        draft.inputs[0] = input;
        draft.outputs = new Output[](1);
        draft.outputs[0] = Output(domainId, owner, input.kind, input.quantity, input.data);
        draft.deadline = FAR;
        draft.signers = new uint256[](1);
        draft.signers[0] = signer;
    }

    function move(Resource memory input, uint256 signer, uint256 domainId, address owner)
        internal
        view
        returns (OperationBuilder.Operation memory)
    {
        return OperationBuilder.transfer(moveDraft(input, signer, domainId, owner), hub.domainSeparator());
    }

    // ---- batches

    /// @dev These operations with an honest witness for the model's tree, which stays as it is.
    function draftBatch(OperationBuilder.Operation[] memory operations)
        internal
        view
        returns (Batch memory batch)
    {
        (bytes32[] memory keys,) = touchesOf(operations);
        uint256[] memory order = sortedOrder(keys);
        bytes32[] memory sorted = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            sorted[i] = keys[order[i]];
            // forge-lint: disable-next-line(unsafe-typecast)
            batch.witness = bytes.concat(batch.witness, bytes2(uint16(order[i])));
        }
        batch.witness = bytes.concat(batch.witness, _tree.prove(sorted));
        batch.operations = packed(operations);
    }

    /// @dev The batch of these operations on the model's tree, which moves with it: history records it as the next.
    function commitBatch(OperationBuilder.Operation[] memory operations)
        internal
        returns (Batch memory batch)
    {
        batch = draftBatch(operations);
        (bytes32[] memory keys, bytes32[] memory news) = touchesOf(operations);
        for (uint256 i = 0; i < keys.length; ++i) {
            if (news[i] != 0) _tree.set(keys[i], news[i]);
        }
        batch.newRoot = _tree.root();
        bytes32 previous = chainOf[chainOf.length - 1];
        chainOf.push(
            keccak256(abi.encode(previous, uint64(rootOf.length), batch.newRoot, keccak256(batch.operations)))
        );
        rootOf.push(batch.newRoot);
        batchOf.push(batch);
    }

    function commitBatch(OperationBuilder.Operation memory operation) internal returns (Batch memory) {
        return commitBatch(only(operation));
    }

    function only(OperationBuilder.Operation memory operation)
        internal
        pure
        returns (OperationBuilder.Operation[] memory list)
    {
        list = new OperationBuilder.Operation[](1);
        list[0] = operation;
    }

    function listOf(OperationBuilder.Operation memory first, OperationBuilder.Operation memory second)
        internal
        pure
        returns (OperationBuilder.Operation[] memory list)
    {
        list = new OperationBuilder.Operation[](2);
        (list[0], list[1]) = (first, second);
    }

    /// @dev Commits and lands `count` batches of one issue each.
    function landIssues(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            land(commitBatch(issue(SPOKE_CHAIN, vm.addr(ALICE), 100 + i)));
        }
    }

    function land(Batch memory batch) internal {
        landAs(SEQUENCER, batch);
    }

    function landAs(address caller, Batch memory batch) internal {
        vm.chainId(HUB_CHAIN);
        uint64 next = hub.index() + 1;
        vm.prank(caller);
        hub.applyBatch(next, batch.operations, batch.witness, batch.newRoot);
    }

    /// @dev A batch that the hub must refuse with this reason; the model's history does not get it.
    function refuseAs(address caller, Batch memory batch, bytes memory reason) internal {
        vm.chainId(HUB_CHAIN);
        uint64 next = hub.index() + 1;
        vm.prank(caller);
        vm.expectRevert(reason);
        hub.applyBatch(next, batch.operations, batch.witness, batch.newRoot);
    }

    function packed(OperationBuilder.Operation[] memory operations)
        internal
        pure
        returns (bytes memory bytes_)
    {
        // forge-lint: disable-next-line(unsafe-typecast)
        bytes_ = abi.encodePacked(uint16(operations.length));
        for (uint256 i = 0; i < operations.length; ++i) {
            bytes_ = bytes.concat(bytes_, operations[i].packed);
        }
    }

    function touchesOf(OperationBuilder.Operation[] memory operations)
        internal
        view
        returns (bytes32[] memory keys, bytes32[] memory news)
    {
        uint256 count = 0;
        for (uint256 i = 0; i < operations.length; ++i) {
            count += 2 * operations[i].spent.length + operations[i].created.length;
            count += voidKeysOf[keccak256(operations[i].packed)].length;
        }
        keys = new bytes32[](count);
        news = new bytes32[](count);
        uint256 at_ = 0;
        for (uint256 i = 0; i < operations.length; ++i) {
            bytes32[] memory voidKeys = voidKeysOf[keccak256(operations[i].packed)];
            for (uint256 j = 0; j < voidKeys.length; ++j) {
                keys[at_] = voidKeys[j];
                news[at_++] = j == 0 ? keccak256("1") : bytes32(0);
            }
            for (uint256 j = 0; j < operations[i].spent.length; ++j) {
                Resource memory spent = operations[i].spent[j];
                keys[at_++] = resourceKey(spent);
                keys[at_] = nullifierKey(nullifierOf(spent));
                news[at_++] = keccak256("1");
            }
            for (uint256 j = 0; j < operations[i].created.length; ++j) {
                Resource memory created = operations[i].created[j];
                keys[at_] = resourceKey(created);
                news[at_++] = keccak256(abi.encode(created));
            }
        }
    }

    function sortedOrder(bytes32[] memory keys) internal pure returns (uint256[] memory order) {
        order = new uint256[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            uint256 j = i;
            for (; j > 0 && keys[order[j - 1]] > keys[i]; --j) {
                order[j] = order[j - 1];
            }
            order[j] = i;
        }
    }

    /// @dev The proof of one key in the latest tree of the model.
    function proveOne(bytes32 key) internal view returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](1);
        keys[0] = key;
        return _tree.prove(keys);
    }

    function resourceKey(Resource memory resource) internal pure returns (bytes32) {
        bytes32 id = keccak256(abi.encode(resource));
        return keccak256(abi.encodePacked(resource.domainId, keccak256(abi.encodePacked("resource:", id))));
    }

    function nullifierOf(Resource memory resource) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("hypha:nullifier", keccak256(abi.encode(resource))));
    }

    function nullifierKey(bytes32 nullifier) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked("nullifier:", nullifier));
    }

    // ---- the spokes

    /// @dev Brings the verifying spoke from the index it holds to `toIndex`.
    function follow(uint64 toIndex) internal {
        vm.chainId(SPOKE_CHAIN);
        uint64 held = spoke.index();
        spoke.advance(batchesBetween(held + 1, toIndex), toIndex, rootFact(toIndex));
    }

    function followAttested(uint64 toIndex) internal {
        vm.chainId(ATTESTED_CHAIN);
        attestedSpoke.advanceAttested(toIndex, rootOf[toIndex], chainOf[toIndex], rootFact(toIndex));
    }

    function batchesBetween(uint64 first, uint64 last) internal view returns (Batch[] memory batches) {
        batches = new Batch[](last + 1 - first);
        for (uint256 i = 0; i < batches.length; ++i) {
            batches[i] = batchOf[first - 1 + i];
        }
    }

    // ---- facts, signed for the chain that the test is on

    /// @dev The hub's own fact for an index of the model's history.
    function rootFact(uint64 index) internal view returns (bytes memory) {
        return rootFact(index, rootOf[index], chainOf[index]);
    }

    function rootFact(uint64 index, bytes32 root, bytes32 chain) internal view returns (bytes memory) {
        bytes32 key = keccak256(abi.encodePacked("hypha:root", index));
        return fact(HUB_CHAIN, address(hub), key, keccak256(abi.encode(root, chain)));
    }

    function appliedFact(uint256 chainId, address spoke_, uint64 index, bytes32 root)
        internal
        view
        returns (bytes memory)
    {
        bytes32 key = keccak256(abi.encodePacked("hypha:applied", index));
        return fact(chainId, spoke_, key, keccak256(abi.encode(root)));
    }

    function conflictProof(uint64 index, bytes32 first, bytes32 second) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "Conflict(uint256 srcChain,address emitter,bytes32 key,bytes32 first,bytes32 second,uint64 setId)"
        );
        bytes32 key = keccak256(abi.encodePacked("hypha:root", index));
        uint64 setId = facts.currentSetId();
        (bytes32 low, bytes32 high) = first < second ? (first, second) : (second, first);
        bytes32 structHash = keccak256(abi.encode(typeHash, HUB_CHAIN, address(hub), key, low, high, setId));
        return abi.encodePacked(setId, signAll(firstKeys(2), structHash));
    }
}
