// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Batch, Resource} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {World} from "../utils/World.sol";

/// @title Honest steps, and every kind of lie between them
/// @notice An honest action must succeed. A lie must be refused; one that is not sets `believed`.
contract HostileHandler is World {
    uint256 public refused;
    bool public believed;

    Resource[] private _unspent;
    Resource[] private _spent;

    // ---- honest

    function landIssue(uint64 quantity) public {
        OperationBuilder.Operation memory made = issue(SPOKE_CHAIN, vm.addr(ALICE), 1 + uint256(quantity));
        land(commitBatch(made));
        _unspent.push(made.created[0]);
    }

    function landTransfer(uint256 pick) external {
        if (_unspent.length == 0) landIssue(1);
        pick = bound(pick, 0, _unspent.length - 1);
        Resource memory note = _unspent[pick];
        OperationBuilder.Operation memory made = move(note, ALICE, HUB_CHAIN, vm.addr(ALICE));
        land(commitBatch(made));
        _unspent[pick] = made.created[0];
        _spent.push(note);
    }

    function followSome(uint64 steps) external {
        uint64 held = spoke.index();
        if (held == hub.index()) landIssue(1);
        follow(uint64(bound(steps, held + 1, hub.index())));
    }

    function followAttestedSome(uint64 steps) external {
        uint64 held = attestedSpoke.index();
        if (held == hub.index()) landIssue(1);
        followAttested(uint64(bound(steps, held + 1, hub.index())));
    }

    function confirmSpoke() external {
        vm.chainId(HUB_CHAIN);
        uint64 index = spoke.index();
        hub.confirm(
            SPOKE_CHAIN, index, rootOf[index], appliedFact(SPOKE_CHAIN, address(spoke), index, rootOf[index])
        );
    }

    // ---- lies

    function lieReplay(uint256 pick) external {
        if (batchOf.length == 0) landIssue(1);
        Batch memory old = batchOf[bound(pick, 0, batchOf.length - 1)];
        _mustFailOnHub(old);
    }

    function lieSpendAgain(uint256 pick) external {
        if (_spent.length == 0) this.landTransfer(pick);
        Resource memory note = _spent[bound(pick, 0, _spent.length - 1)];
        Batch memory batch = draftBatch(only(move(note, ALICE, SPOKE_CHAIN, vm.addr(BOB))));
        batch.newRoot = keccak256("any");
        _mustFailOnHub(batch);
    }

    function lieSpendUnborn(uint64 quantity) external {
        OperationBuilder.Operation memory unborn = issue(HUB_CHAIN, vm.addr(ALICE), 1 + uint256(quantity));
        Batch memory batch = draftBatch(only(move(unborn.created[0], ALICE, HUB_CHAIN, vm.addr(BOB))));
        batch.newRoot = keccak256("any");
        _mustFailOnHub(batch);
    }

    function lieNewRoot(bytes32 root) external {
        Batch memory batch = draftBatch(only(issue(HUB_CHAIN, vm.addr(ALICE), 5)));
        batch.newRoot = root;
        _mustFailOnHub(batch);
    }

    function lieStrangersTurn() external {
        vm.chainId(HUB_CHAIN);
        Batch memory batch = draftBatch(only(issue(HUB_CHAIN, vm.addr(ALICE), 5)));
        _mustFail(
            address(hub),
            abi.encodeCall(hub.applyBatch, (hub.index() + 1, batch.operations, batch.witness, batch.newRoot))
        );
    }

    function lieStaleFact() external {
        uint64 next = spoke.index() + 1;
        if (next > hub.index()) landIssue(1);
        vm.chainId(SPOKE_CHAIN);
        bytes memory stale = rootFact(next - 1);
        _mustFail(address(spoke), abi.encodeCall(spoke.advance, (batchesBetween(next, next), next, stale)));
    }

    function lieGap() external {
        uint64 beyond = spoke.index() + 2;
        while (beyond > hub.index()) {
            landIssue(1);
        }
        vm.chainId(SPOKE_CHAIN);
        bytes memory honest = rootFact(beyond);
        _mustFail(
            address(spoke), abi.encodeCall(spoke.advance, (batchesBetween(beyond, beyond), beyond, honest))
        );
    }

    function lieForeignFact(bytes32 root) external {
        vm.chainId(ATTESTED_CHAIN);
        uint64 next = attestedSpoke.index() + 1;
        bytes32 key = keccak256(abi.encodePacked("hypha:root", next));
        bytes memory ofSpoke = fact(SPOKE_CHAIN, address(spoke), key, keccak256(abi.encode(root, root)));
        _mustFail(
            address(attestedSpoke), abi.encodeCall(attestedSpoke.advanceAttested, (next, root, root, ofSpoke))
        );
    }

    function lieZeroRoot() external {
        vm.chainId(ATTESTED_CHAIN);
        uint64 next = attestedSpoke.index() + 1;
        bytes32 chain = keccak256("chain");
        bytes memory vouched = rootFact(next, 0, chain);
        _mustFail(
            address(attestedSpoke), abi.encodeCall(attestedSpoke.advanceAttested, (next, 0, chain, vouched))
        );
    }

    function lieDivergence(bytes32 root) external {
        vm.chainId(SPOKE_CHAIN);
        uint64 index = spoke.index();
        bytes memory honest = rootFact(index);
        _mustFail(address(spoke), abi.encodeCall(spoke.freezeOnDivergence, (index, root, root, honest)));
    }

    /// @dev After whatever was done, every lie is still refused, and the honest path still leads to the hub's latest root.
    function finish() external {
        landIssue(1);
        this.landTransfer(0);
        this.lieReplay(0);
        this.lieSpendAgain(0);
        this.lieSpendUnborn(0);
        this.lieNewRoot(0);
        this.lieStrangersTurn();
        this.lieStaleFact();
        this.lieGap();
        this.lieForeignFact(keccak256("root"));
        this.lieZeroRoot();
        this.lieDivergence(keccak256("root"));
        follow(hub.index());
        followAttested(hub.index());
        this.confirmSpoke();
    }

    function rootAtHistory(uint64 index) external view returns (bytes32 root, bytes32 chain) {
        return (rootOf[index], chainOf[index]);
    }

    function allSpentAreMarked() external view returns (bool) {
        for (uint256 i = 0; i < _spent.length; ++i) {
            if (!hub.isNullifierSpent(nullifierOf(_spent[i]))) return false;
        }
        for (uint256 i = 0; i < _unspent.length; ++i) {
            if (hub.isNullifierSpent(nullifierOf(_unspent[i]))) return false;
        }
        return true;
    }

    function contracts() external view returns (address, address, address) {
        return (address(hub), address(spoke), address(attestedSpoke));
    }

    function _mustFailOnHub(Batch memory batch) private {
        vm.chainId(HUB_CHAIN);
        uint64 next = hub.index() + 1;
        vm.prank(SEQUENCER);
        _mustFail(
            address(hub),
            abi.encodeCall(hub.applyBatch, (next, batch.operations, batch.witness, batch.newRoot))
        );
    }

    function _mustFail(address target, bytes memory call) private {
        (bool done,) = target.call(call);
        if (done) believed = true;
        ++refused;
    }
}
