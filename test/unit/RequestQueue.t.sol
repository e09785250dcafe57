// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {
    Batch,
    HubConfig,
    IOperationErrors,
    IProofErrors,
    IRequestQueue,
    IRootVerifier,
    Output,
    Resource,
    SpokeConfig
} from "../../contracts/interfaces/IHypha.sol";
import {RequestQueue} from "../../contracts/RequestQueue.sol";
import {RootHub} from "../../contracts/RootHub.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {OperationBuilder} from "../utils/OperationBuilder.sol";
import {RequestWorld} from "../utils/RequestWorld.sol";

/// @title The queue of one chain: what it takes, and the fees for it
contract RequestQueueTest is RequestWorld {
    receive() external payable {}

    // ---- ways in

    function test_requestTransfer_onEveryChain_isNumberedAndEmitted() public {
        uint256[3] memory chains = [HUB_CHAIN, SPOKE_CHAIN, ATTESTED_CHAIN];
        for (uint256 i = 0; i < chains.length; ++i) {
            Resource memory note = issue(chains[i], vm.addr(ALICE), 5).created[0];
            OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
            draft.signers = new uint256[](0);
            Request memory expected = draftTransfer(chains[i], vm.addr(ALICE), draft);
            RequestQueue queue = queueOf(chains[i]);
            vm.expectEmit(address(queue));
            emit IRequestQueue.RequestQueued(1, TRANSFER, vm.addr(ALICE), FEE, expected.content);
            assertEq(requestMove(chains[i], note, HUB_CHAIN, vm.addr(BOB)).number, 1);
            assertEq(requestMove(chains[i], note, HUB_CHAIN, vm.addr(BOB)).number, 2);
            assertEq(queue.requestHash(1), hashOf(expected));
            assertEq(queue.requestCount(), 2);
            assertEq(queue.requestsResolved(), 0);
            assertEq(queue.requestHash(0), 0);
            assertEq(queue.requestHash(3), 0);
            assertEq(address(queue).balance, 2 * FEE);
        }
    }

    function test_requestTransfer_othersNotes_needTheirSignature() public {
        Resource memory note = issue(HUB_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        requestTransfer(HUB_CHAIN, vm.addr(BOB), draft);
        draft.signers[0] = BOB;
        Request memory forged = draftTransfer(HUB_CHAIN, vm.addr(BOB), draft);
        refuse(
            forged,
            abi.encodeWithSelector(IOperationErrors.SignerMismatch.selector, vm.addr(ALICE), vm.addr(BOB))
        );
        draft.signers = new uint256[](0);
        forged = draftTransfer(HUB_CHAIN, vm.addr(BOB), draft);
        refuse(forged, abi.encodeWithSelector(IOperationErrors.SignatureCount.selector, 1, 0));
    }

    /// @dev One address can be another contract on another chain: the sender speaks for its notes on this chain only.
    function test_requestTransfer_ownNotesOfAnotherChain_needASignature() public {
        Resource memory note = issue(SPOKE_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        draft.signers = new uint256[](0);
        bytes memory reason = abi.encodeWithSelector(IOperationErrors.SignatureCount.selector, 1, 0);
        refuse(draftTransfer(HUB_CHAIN, vm.addr(ALICE), draft), reason);
        refuse(draftTransfer(ATTESTED_CHAIN, vm.addr(ALICE), draft), reason);
        requestTransfer(SPOKE_CHAIN, vm.addr(ALICE), draft);
    }

    function test_requestTransfer_whatNeedsNoTree_isCheckedAtOnce() public {
        Resource memory note = issue(HUB_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        draft.signers = new uint256[](0);
        draft.outputs[0].quantity = 6;
        Request memory request = draftTransfer(HUB_CHAIN, vm.addr(ALICE), draft);
        refuse(request, abi.encodeWithSelector(IOperationErrors.Unbalanced.selector, note.kind, 5, 6));
        draft.outputs[0].quantity = 5;
        draft.deadline = uint64(block.timestamp) - 1;
        request = draftTransfer(SPOKE_CHAIN, vm.addr(ALICE), withDomain(draft, SPOKE_CHAIN));
        refuse(
            request,
            abi.encodeWithSelector(IOperationErrors.DeadlinePassed.selector, draft.deadline, block.timestamp)
        );
        draft.deadline = uint64(block.timestamp);
        request = draftTransfer(SPOKE_CHAIN, vm.addr(ALICE), draft);
        uint256 length = request.content.length;
        request.content = bytes.concat(request.content, hex"00");
        refuse(request, abi.encodeWithSelector(IOperationErrors.RequestLength.selector, length + 1, length));
    }

    /// @dev A request that can neither be executed nor be void would stop the hub for ever.
    function test_requestTransfer_oneNoteTwice_reverts() public {
        Resource memory note = issue(SPOKE_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        draft.inputs = new Resource[](3);
        draft.inputs[0] = note;
        draft.inputs[1] = issue(SPOKE_CHAIN, vm.addr(ALICE), 5).created[0];
        draft.inputs[2] = note;
        draft.outputs[0].quantity = 15;
        draft.signers = new uint256[](0);
        Request memory request = draftTransfer(SPOKE_CHAIN, vm.addr(ALICE), draft);
        bytes memory reason = abi.encodeWithSelector(IProofErrors.KeyRepeated.selector, resourceKey(note));
        refuse(request, reason);
        bytes memory proof = requestFact(request);
        vm.chainId(HUB_CHAIN);
        vm.expectRevert(reason);
        hub.enqueueRemote(SPOKE_CHAIN, 1, TRANSFER, vm.addr(ALICE), request.content, proof);
    }

    function test_requestTransfer_fiveNotes_reverts() public {
        Resource memory note = issue(HUB_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, HUB_CHAIN, vm.addr(BOB));
        draft.signers = new uint256[](0);
        draft.outputs = new Output[](5);
        for (uint256 i = 0; i < 5; ++i) {
            draft.outputs[i] = Output(HUB_CHAIN, vm.addr(BOB), note.kind, 1, 0);
        }
        Request memory request = draftTransfer(HUB_CHAIN, vm.addr(ALICE), draft);
        refuse(request, abi.encodeWithSelector(IOperationErrors.OutputCount.selector, 5));
    }

    function test_request_unknownDomain_refusedByTheHubAlone() public {
        Resource memory note = issue(HUB_CHAIN, vm.addr(ALICE), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, ALICE, 9009, vm.addr(BOB));
        bytes memory reason = abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, 9009);
        refuse(draftTransfer(HUB_CHAIN, vm.addr(BOB), draft), reason);
        requestTransfer(SPOKE_CHAIN, vm.addr(BOB), draft);
        vm.chainId(HUB_CHAIN);
        vm.expectRevert(reason);
        hub.requestIssue{value: FEE}(9009, vm.addr(BOB), 5, 0, "label");
        requestIssue(SPOKE_CHAIN, address(this), 9009, vm.addr(BOB), 5);
    }

    function test_requestIssue_kindIsOfTheSenderOnItsChain() public {
        Request memory expected = draftIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 300);
        vm.expectEmit(address(spoke));
        emit IRequestQueue.RequestQueued(1, ISSUE, address(this), FEE, expected.content);
        Request memory made = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 300);
        assertEq(spoke.requestHash(1), hashOf(made));
        Request memory next = requestIssue(SPOKE_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 300);
        Request memory elsewhere = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 300);
        assertNotEq(made.created[0].salt, next.created[0].salt);
        assertNotEq(made.created[0].kind, elsewhere.created[0].kind);
    }

    function test_requestIssue_zero_reverts() public {
        vm.expectRevert(IOperationErrors.ZeroDomain.selector);
        hub.requestIssue{value: FEE}(0, vm.addr(BOB), 5, 0, "label");
        vm.expectRevert(IOperationErrors.ZeroOwner.selector);
        hub.requestIssue{value: FEE}(HUB_CHAIN, address(0), 5, 0, "label");
        vm.expectRevert(IOperationErrors.ZeroQuantity.selector);
        hub.requestIssue{value: FEE}(HUB_CHAIN, vm.addr(BOB), 0, 0, "label");
        vm.expectRevert(IOperationErrors.ZeroLabel.selector);
        hub.requestIssue{value: FEE}(HUB_CHAIN, vm.addr(BOB), 5, 0, 0);
        assertEq(hub.requestCount(), 0);
    }

    // ---- fees

    function test_request_anotherFee_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeMismatch.selector, FEE, FEE - 1));
        hub.requestIssue{value: FEE - 1}(HUB_CHAIN, vm.addr(BOB), 5, 0, "label");
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeMismatch.selector, FEE, FEE + 1));
        hub.requestIssue{value: FEE + 1}(HUB_CHAIN, vm.addr(BOB), 5, 0, "label");
        Resource memory note = issue(HUB_CHAIN, address(this), 5).created[0];
        OperationBuilder.TransferDraft memory draft = moveDraft(note, 0, HUB_CHAIN, vm.addr(BOB));
        draft.signers = new uint256[](0);
        bytes memory content = draftTransfer(HUB_CHAIN, address(this), draft).content;
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeMismatch.selector, FEE, 0));
        hub.requestTransfer(content);
    }

    function test_setRequestFee_withinTheBound() public {
        assertEq(hub.maxRequestFee(), MAX_FEE);
        vm.startPrank(GOVERNANCE);
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeTooHigh.selector, MAX_FEE, MAX_FEE + 1));
        hub.setRequestFee(MAX_FEE + 1);
        vm.expectEmit(address(hub));
        emit IRequestQueue.RequestFeeSet(MAX_FEE);
        hub.setRequestFee(MAX_FEE);
        assertEq(hub.requestFee(), MAX_FEE);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        hub.setRequestFee(0);
    }

    function test_constructor_feeAboveItsBound_reverts() public {
        HubConfig memory config = hubConfig();
        config.governance.requestFee = MAX_FEE + 1;
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeTooHigh.selector, MAX_FEE, MAX_FEE + 1));
        new RootHub(config);
        SpokeConfig memory ofSpoke = spokeConfig(false, false);
        ofSpoke.governance.requestFee = MAX_FEE + 1;
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.FeeTooHigh.selector, MAX_FEE, MAX_FEE + 1));
        new RootSpoke(ofSpoke);
    }

    function test_fees_goToWhoResolves_eachAtWhatItCost() public {
        Request memory first = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 1);
        vm.prank(GOVERNANCE);
        hub.setRequestFee(MAX_FEE);
        Request memory second = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 2);
        land(commitBatch(execute(first)));
        assertEq(hub.feesOf(SEQUENCER), FEE);
        address other = makeAddr("other sequencer");
        vm.prank(GOVERNANCE);
        hub.setSequencer(other, true);
        landAs(other, commitBatch(execute(second)));
        assertEq(hub.feesOf(SEQUENCER), FEE);
        assertEq(hub.feesOf(other), MAX_FEE);
        vm.expectEmit(address(hub));
        emit IRequestQueue.FeesWithdrawn(other, address(0xFEE), MAX_FEE);
        vm.prank(other);
        hub.withdrawFees(address(0xFEE));
        assertEq(address(0xFEE).balance, MAX_FEE);
        assertEq(hub.feesOf(other), 0);
        assertEq(address(hub).balance, FEE);
    }

    function test_fees_ofTwoInOneBatch_areBothCredited() public {
        Request memory first = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 1);
        Request memory second = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 2);
        land(commitBatch(listOf(execute(first), execute(second))));
        assertEq(hub.feesOf(SEQUENCER), 2 * FEE);
        assertEq(hub.requestsResolved(), 2);
    }

    function test_withdrawFees_refusals() public {
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.NothingOwed.selector, address(this)));
        hub.withdrawFees(address(this));
        land(commitBatch(execute(requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 1))));
        vm.startPrank(SEQUENCER);
        vm.expectRevert(IRootVerifier.ZeroAddress.selector);
        hub.withdrawFees(address(0));
        vm.expectRevert(abi.encodeWithSelector(IRequestQueue.PaymentFailed.selector, address(facts)));
        hub.withdrawFees(address(facts));
        assertEq(hub.feesOf(SEQUENCER), FEE);
    }

    function test_withdrawFees_reentered_paysOnce() public {
        Reenterer thief = new Reenterer();
        vm.prank(GOVERNANCE);
        hub.setSequencer(address(thief), true);
        Request memory first = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 1);
        Request memory second = requestIssue(HUB_CHAIN, address(this), HUB_CHAIN, vm.addr(BOB), 2);
        landAs(address(thief), commitBatch(execute(first)));
        land(commitBatch(execute(second)));
        thief.withdraw(hub);
        assertTrue(thief.reentered());
        assertEq(address(thief).balance, FEE);
        assertEq(address(hub).balance, FEE);
    }

    function test_everyStateChange_otherChain_reverts() public {
        vm.chainId(SPOKE_CHAIN);
        bytes memory reason =
            abi.encodeWithSelector(IRootVerifier.ChainIdMismatch.selector, HUB_CHAIN, SPOKE_CHAIN);
        vm.startPrank(GOVERNANCE);
        vm.expectRevert(reason);
        hub.requestTransfer("");
        vm.expectRevert(reason);
        hub.requestIssue(HUB_CHAIN, vm.addr(BOB), 5, 0, "label");
        vm.expectRevert(reason);
        hub.withdrawFees(address(this));
        vm.expectRevert(reason);
        hub.setRequestFee(0);
        vm.expectRevert(reason);
        hub.enqueueRemote(SPOKE_CHAIN, 1, TRANSFER, address(this), "", "");
    }

    function withDomain(OperationBuilder.TransferDraft memory draft, uint256 domainId)
        private
        pure
        returns (OperationBuilder.TransferDraft memory)
    {
        draft.inputs[0].domainId = domainId;
        return draft;
    }

    /// @dev Nothing of the request may be taken.
    function refuse(Request memory request, bytes memory reason) private {
        fund(request.sender);
        vm.chainId(request.chainId);
        RequestQueue queue = queueOf(request.chainId);
        uint64 count = queue.requestCount();
        vm.prank(request.sender);
        vm.expectRevert(reason);
        queue.requestTransfer{value: FEE}(request.content);
        assertEq(queue.requestCount(), count);
    }
}

/// @dev Asks for its fees again while they are being paid.
contract Reenterer {
    bool public reentered;

    receive() external payable {
        (bool done,) = msg.sender.call(abi.encodeCall(IRequestQueue.withdrawFees, (address(this))));
        reentered = !done;
    }

    function withdraw(RootHub hub) external {
        hub.withdrawFees(address(this));
    }
}
