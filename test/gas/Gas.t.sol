// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";
import {
    Batch,
    Governance,
    HubConfig,
    IAttestedFacts,
    IRootHub,
    IRootSpoke,
    IRootVerifier,
    SpokeConfig
} from "../../contracts/interfaces/IHypha.sol";
import {FactNames} from "../../contracts/libraries/FactNames.sol";
import {RootHub} from "../../contracts/RootHub.sol";

/// @dev A hub whose history begins at index 1 with a tree that holds something. Nothing of it is left in the code that runs.
contract SeededHub is RootHub {
    constructor(HubConfig memory config, bytes32 root) RootHub(config) {
        _install(1, root, keccak256("batch chain 1"));
    }
}

/// @title What a transaction of each kind costs. Run by scripts/bench, which writes the fixtures first, with --isolate:
/// each call is a transaction of its own, so that storage is cold and the calldata is paid for.
contract GasTest is Test {
    uint256 private constant HUB_CHAIN = 31337;
    uint256 private constant FROM_CHAIN = 31338;
    uint256 private constant TO_CHAIN = 31339;
    address private constant HUB = 0x4879706861000000000000000000000000000001;
    uint64 private constant NOW = 1_800_000_000;
    uint64 private constant FAR = type(uint64).max;
    /// @dev Roots that an attested spoke keeps.
    uint64 private constant RING_LENGTH = 256;
    /// @dev Indexes that an attested spoke is not told of before it is told of the next one.
    uint64 private constant SKIPPED = 256;
    bytes32 private constant FACT_TYPEHASH = keccak256(
        "Fact(uint256 srcChain,address emitter,bytes32 key,bytes32 value,uint64 blockNumber,bytes32 blockHash,uint64 blockTime,uint64 setId)"
    );

    address private immutable _sequencer = makeAddr("sequencer");
    address private immutable _relayer = makeAddr("relayer");

    struct Fixture {
        uint256 transfers;
        uint256 keys;
        uint256 proofBytes;
        uint256 leastBytes;
        bytes32 root;
        bytes32 newRoot;
        bytes operations;
        bytes witness;
    }

    /// @dev k of n attestors, the keys of the k who sign in the order of their addresses.
    struct Attestors {
        address facts;
        uint256[] signers;
        string name;
    }

    string private constant DIRECTORY = "target/bench/gas/";
    string private constant MEASURED = "target/bench/gas/measured.jsonl";

    /// @dev The state that each measurement starts from.
    uint256 private _clean;

    function test_gas_ofEveryTransaction_isMeasured() public {
        vm.writeFile(MEASURED, "");
        vm.warp(NOW);
        Attestors memory three = _attestors(2, 3);
        Attestors memory five = _attestors(3, 5);
        _clean = vm.snapshotState();
        uint256[3] memory leaves = [uint256(1_000), 100_000, 1_000_000];
        for (uint256 i = 0; i < leaves.length; ++i) {
            _measureBatches(leaves[i], three);
            _measureSingle(leaves[i], three);
        }
        _measureAdvanceAttested(three, 0);
        _measureAdvanceAttested(five, 0);
        _measureAdvanceAttested(five, SKIPPED);
        _measureConfirm(three);
        _measureConfirm(five);
    }

    // ---- what is measured

    /// @dev Batches of fixed sizes, and the largest one, where it is none of them.
    function _measureBatches(uint256 leaves, Attestors memory attestors) private {
        string memory json = vm.readFile(string.concat(DIRECTORY, "largest-", vm.toString(leaves), ".json"));
        uint256[4] memory transfers = [uint256(1), 16, 64, vm.parseJsonUint(json, ".transfers")];
        for (uint256 i = 0; i < transfers.length; ++i) {
            if (i == 3 && transfers[i] == transfers[2]) continue;
            Fixture memory fixture = _fixture(leaves, transfers[i]);
            string memory size =
                string.concat("/leaves=", vm.toString(leaves), "/transfers=", vm.toString(transfers[i]));
            _measureApplyBatch(size, fixture, attestors);
            _measureAdvance(size, fixture, attestors);
        }
    }

    function _measureApplyBatch(string memory size, Fixture memory fixture, Attestors memory attestors)
        private
    {
        _deployHub(attestors, fixture.root);
        bytes memory call =
            abi.encodeCall(IRootHub.applyBatch, (2, fixture.operations, fixture.witness, fixture.newRoot));
        _measure(string.concat("applyBatch", size), _sequencer, HUB, call, fixture);
        assertEq(RootHub(HUB).stateRoot(), fixture.newRoot);
    }

    function _measureAdvance(string memory size, Fixture memory fixture, Attestors memory attestors) private {
        IRootSpoke spoke = _deploySpoke(attestors, false, fixture.root);
        bytes32 genesis = FactNames.genesisBatchChain(HUB_CHAIN, HUB);
        bytes32 chain =
            keccak256(abi.encode(genesis, uint64(2), fixture.newRoot, keccak256(fixture.operations)));
        Batch[] memory batches = new Batch[](1);
        batches[0] = Batch(fixture.operations, fixture.witness, fixture.newRoot);
        bytes memory call =
            abi.encodeCall(IRootSpoke.advance, (batches, 2, _rootFact(attestors, 2, fixture.newRoot, chain)));
        _measure(string.concat("advance", size), _relayer, address(spoke), call, fixture);
        assertEq(IRootVerifier(address(spoke)).stateRoot(), fixture.newRoot);
    }

    /// @dev With a ring that is full, as it is for all time after the first 256 roots; `skipped` of which it was never told.
    function _measureAdvanceAttested(Attestors memory attestors, uint64 skipped) private {
        IRootSpoke spoke = _deploySpoke(attestors, true, keccak256("root 1"));
        for (uint64 index = 2; index <= RING_LENGTH; ++index) {
            (bytes memory earlier,) = _attestedCall(attestors, index);
            _send(_relayer, address(spoke), earlier);
        }
        vm.warp(block.timestamp + 12);
        (bytes memory call, uint256 proofBytes) = _attestedCall(attestors, RING_LENGTH + 1 + skipped);
        Fixture memory none;
        none.proofBytes = proofBytes;
        string memory name = string.concat("advanceAttested/signatures=", attestors.name);
        if (skipped > 0) name = string.concat(name, "/skipped=", vm.toString(skipped));
        _measure(name, _relayer, address(spoke), call, none);
        assertEq(IRootVerifier(address(spoke)).index(), RING_LENGTH + 1 + skipped);
    }

    /// @dev The second confirmation of a spoke, which already has an index.
    function _measureConfirm(Attestors memory attestors) private {
        Fixture memory fixture = _fixture(1_000, 1);
        _deployHub(attestors, fixture.root);
        (bytes memory first,) = _confirmCall(attestors, 1, fixture.root);
        _send(_relayer, HUB, first);
        _send(
            _sequencer,
            HUB,
            abi.encodeCall(IRootHub.applyBatch, (2, fixture.operations, fixture.witness, fixture.newRoot))
        );
        (bytes memory second, uint256 proofBytes) = _confirmCall(attestors, 2, fixture.newRoot);
        Fixture memory none;
        none.proofBytes = proofBytes;
        _measure(string.concat("confirm/signatures=", attestors.name), _relayer, HUB, second, none);
        assertEq(RootHub(HUB).confirmedIndex(TO_CHAIN), 2);
    }

    /// @dev The proof that a note is there, and that a key is not.
    function _measureSingle(uint256 leaves, Attestors memory attestors) private {
        string memory json = vm.readFile(string.concat(DIRECTORY, "single-", vm.toString(leaves), ".json"));
        bytes32 root = vm.parseJsonBytes32(json, ".root");
        bytes memory proof = vm.parseJsonBytes(json, ".proof");
        _deployHub(attestors, root);
        bytes memory call = abi.encodeCall(
            IRootVerifier.verifyProof,
            (root, vm.parseJsonBytes32(json, ".key"), vm.parseJsonBytes(json, ".value"), proof)
        );
        _measureQuestion(string.concat("verifyProof/leaves=", vm.toString(leaves)), call, proof.length);
        proof = vm.parseJsonBytes(json, ".absenceProof");
        call = abi.encodeCall(
            IRootVerifier.verifyAbsence, (root, vm.parseJsonBytes32(json, ".absentKey"), proof)
        );
        _measureQuestion(string.concat("verifyAbsence/leaves=", vm.toString(leaves)), call, proof.length);
    }

    function _measureQuestion(string memory name, bytes memory call, uint256 proofBytes) private {
        Fixture memory one;
        one.proofBytes = proofBytes;
        one.keys = 1;
        assertTrue(abi.decode(_measure(name, _relayer, HUB, call, one), (bool)));
    }

    // ---- measuring

    /// @dev Sends a call as a transaction and adds what it took to the rows.
    function _measure(
        string memory name,
        address sender,
        address target,
        bytes memory call,
        Fixture memory about
    ) private returns (bytes memory answer) {
        answer = _send(sender, target, call);
        Vm.Gas memory used = vm.lastCallGas();
        uint256 zeros = 0;
        for (uint256 i = 0; i < call.length; ++i) {
            if (call[i] == 0) ++zeros;
        }
        string memory row = "row";
        vm.serializeString(row, "case", name);
        vm.serializeUint(row, "transfers", about.transfers);
        vm.serializeUint(row, "keys", about.keys);
        vm.serializeUint(row, "proofBytes", about.proofBytes);
        vm.serializeUint(row, "leastBytes", about.leastBytes);
        vm.serializeUint(row, "calldataBytes", call.length);
        vm.serializeUint(row, "zeroBytes", zeros);
        vm.writeLine(MEASURED, vm.serializeUint(row, "used", used.gasTotalUsed));
    }

    function _send(address sender, address target, bytes memory call) private returns (bytes memory answer) {
        bool done;
        vm.prank(sender, sender);
        (done, answer) = target.call(call);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    // ---- the world

    function _fixture(uint256 leaves, uint256 transfers) private view returns (Fixture memory fixture) {
        string memory json = vm.readFile(
            string.concat(DIRECTORY, "batch-", vm.toString(leaves), "-", vm.toString(transfers), ".json")
        );
        fixture.transfers = vm.parseJsonUint(json, ".transfers");
        fixture.keys = vm.parseJsonUint(json, ".keys");
        fixture.proofBytes = vm.parseJsonUint(json, ".proofBytes");
        fixture.leastBytes = vm.parseJsonUint(json, ".leastBytes");
        fixture.root = vm.parseJsonBytes32(json, ".root");
        fixture.newRoot = vm.parseJsonBytes32(json, ".newRoot");
        fixture.operations = vm.parseJsonBytes(json, ".operations");
        fixture.witness = vm.parseJsonBytes(json, ".witness");
    }

    /// @dev A hub at its fixed address, which the signatures in the fixtures name.
    function _deployHub(Attestors memory attestors, bytes32 root) private {
        vm.revertToState(_clean);
        vm.chainId(HUB_CHAIN);
        vm.warp(NOW - 12);
        address[] memory sequencers = new address[](1);
        sequencers[0] = _sequencer;
        HubConfig memory config;
        config.governance.owner = address(this);
        config.factVerifier = attestors.facts;
        config.sequencers = sequencers;
        (config.livenessWindow, config.inclusionWindow) = (1 hours, 1 hours);
        deployCodeTo("Gas.t.sol:SeededHub", abi.encode(config, root), HUB);
        RootHub(HUB).registerSpoke(FROM_CHAIN, makeAddr("spoke 1"));
        RootHub(HUB).registerSpoke(TO_CHAIN, makeAddr("spoke 2"));
        vm.warp(NOW);
    }

    function _deploySpoke(Attestors memory attestors, bool attested, bytes32 root)
        private
        returns (IRootSpoke)
    {
        vm.revertToState(_clean);
        vm.chainId(TO_CHAIN);
        Governance memory governance;
        governance.owner = address(this);
        SpokeConfig memory config = SpokeConfig({
            hubChainId: HUB_CHAIN,
            hub: HUB,
            governance: governance,
            factVerifier: attestors.facts,
            attested: attested,
            nullifierCache: false,
            index: 1,
            root: root,
            batchChain: FactNames.genesisBatchChain(HUB_CHAIN, HUB)
        });
        return IRootSpoke(deployCode("RootSpoke.sol:RootSpoke", abi.encode(config)));
    }

    function _attestors(uint64 threshold, uint256 count) private returns (Attestors memory attestors) {
        uint256[] memory keys = new uint256[](count);
        address[] memory accounts = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = uint256(keccak256(abi.encode("attestor", count, i)));
            uint256 place = i;
            for (; place > 0 && accounts[place - 1] > vm.addr(key); --place) {
                (keys[place], accounts[place]) = (keys[place - 1], accounts[place - 1]);
            }
            (keys[place], accounts[place]) = (key, vm.addr(key));
        }
        attestors.facts = deployCode(
            "AttestedFacts.sol:AttestedFacts", abi.encode(address(this), accounts, threshold, FAR)
        );
        attestors.signers = new uint256[](threshold);
        for (uint256 i = 0; i < threshold; ++i) {
            attestors.signers[i] = keys[i];
        }
        attestors.name = string.concat(vm.toString(threshold), "of", vm.toString(count));
    }

    function _attestedCall(Attestors memory attestors, uint64 index)
        private
        view
        returns (bytes memory call, uint256 proofBytes)
    {
        bytes32 root = keccak256(abi.encode("root", index));
        bytes32 chain = keccak256(abi.encode("chain", index));
        bytes memory proof = _rootFact(attestors, index, root, chain);
        return (abi.encodeCall(IRootSpoke.advanceAttested, (index, root, chain, proof)), proof.length);
    }

    function _confirmCall(Attestors memory attestors, uint64 index, bytes32 root)
        private
        view
        returns (bytes memory call, uint256 proofBytes)
    {
        bytes32 key = FactNames.rootApplied(index);
        address spoke = RootHub(HUB).spokeOf(TO_CHAIN);
        bytes memory proof = _fact(attestors, TO_CHAIN, spoke, key, FactNames.rootAppliedValue(root));
        return (abi.encodeCall(IRootHub.confirm, (TO_CHAIN, index, root, proof)), proof.length);
    }

    function _rootFact(Attestors memory attestors, uint64 index, bytes32 root, bytes32 chain)
        private
        view
        returns (bytes memory)
    {
        bytes32 value = FactNames.rootAcceptedValue(root, chain);
        return _fact(attestors, HUB_CHAIN, HUB, FactNames.rootAccepted(index), value);
    }

    /// @dev The proof of a fact of block 20,000,000, for the chain that the test is on.
    function _fact(Attestors memory attestors, uint256 chainId, address emitter, bytes32 key, bytes32 value)
        private
        view
        returns (bytes memory proof)
    {
        uint64 height = 20_000_000;
        bytes32 blockHash = keccak256("block");
        bytes32 structHash = keccak256(
            abi.encode(FACT_TYPEHASH, chainId, emitter, key, value, height, blockHash, NOW, uint64(1))
        );
        bytes32 digest = keccak256(
            abi.encodePacked(hex"1901", IAttestedFacts(attestors.facts).domainSeparator(), structHash)
        );
        proof = abi.encodePacked(uint64(1), height, blockHash, NOW);
        for (uint256 i = 0; i < attestors.signers.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(attestors.signers[i], digest);
            proof = bytes.concat(proof, abi.encodePacked(r, s, v));
        }
    }
}
