// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IOperationErrors, IRootVerifier, Output, Resource} from "../../../contracts/interfaces/IHypha.sol";
import {HyphaConsumer} from "../../../contracts/libraries/HyphaConsumer.sol";
import {OperationBuilder} from "../../utils/OperationBuilder.sol";

/// @dev What `requireVerifying` asks of a verifier.
contract Claimant {
    uint256 public hubChainId;
    address public hub;
    bool public attested;

    constructor(uint256 hubChainId_, address hub_, bool attested_) {
        (hubChainId, hub, attested) = (hubChainId_, hub_ == address(0) ? address(this) : hub_, attested_);
    }
}

/// @dev The library's own functions; what it claims of a real verifier is tested with the vaults that use it.
contract HyphaConsumerTest is Test {
    function test_packTransfer_asTheSpecificationSays(
        uint256 seed,
        uint8 inputs,
        uint8 outputs,
        uint64 deadline
    ) public pure {
        OperationBuilder.TransferDraft memory draft =
            draftOf(seed, bound(inputs, 1, 4), bound(outputs, 1, 4), deadline);
        bytes memory packed = OperationBuilder.transfer(draft, 0).packed;
        bytes memory content = HyphaConsumer.packTransfer(draft.inputs, draft.outputs, deadline);
        assertEq(bytes.concat(hex"01", content), packed);
    }

    function test_transferHash_andItsNotes_asTheSpecificationSays(uint256 seed, uint64 deadline) public pure {
        OperationBuilder.TransferDraft memory draft = draftOf(seed, 3, 2, deadline);
        OperationBuilder.Operation memory made = OperationBuilder.transfer(draft, 0);
        bytes32 hash = HyphaConsumer.transferHash(draft.inputs, draft.outputs, deadline);
        assertEq(hash, made.id);
        for (uint256 i = 0; i < 2; ++i) {
            Resource memory note = HyphaConsumer.noteOf(hash, draft.outputs[i], i);
            assertEq(HyphaConsumer.resourceId(note), keccak256(abi.encode(made.created[i])));
        }
    }

    function test_contractKind_hasItsChain() public pure {
        bytes32 kind = HyphaConsumer.contractKind(7, address(8), "label");
        assertEq(kind, keccak256(abi.encode(uint256(7), address(8), bytes32("label"))));
    }

    function test_packTransfer_moreThanARequestTakes_reverts() public {
        OperationBuilder.TransferDraft memory draft = draftOf(1, 5, 4, 0);
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.InputCount.selector, 5));
        this.pack(draft);
        draft = draftOf(1, 4, 5, 0);
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.OutputCount.selector, 5));
        this.pack(draft);
    }

    function test_packTransfer_domainOver64Bits_reverts() public {
        OperationBuilder.TransferDraft memory draft = draftOf(1, 1, 1, 0);
        draft.outputs[0].domainId = 1 << 64;
        vm.expectRevert(abi.encodeWithSelector(IOperationErrors.UnknownDomain.selector, 1 << 64));
        this.pack(draft);
    }

    function test_requireVerifying_attestedSpoke_reverts() public {
        requireVerifying(new Claimant(block.chainid, address(0), true)); // a hub, whatever it says of itself
        requireVerifying(new Claimant(block.chainid, address(9), false));
        requireVerifying(new Claimant(9, address(9), false));
        // That its hub has the same address, on another chain, does not make it one.
        for (uint160 i = 0; i < 2; ++i) {
            Claimant attested = new Claimant(block.chainid + 1 - i, address(9 * i), true);
            vm.expectRevert(
                abi.encodeWithSelector(HyphaConsumer.AttestedVerifier.selector, address(attested))
            );
            this.requireVerifying(attested);
        }
    }

    function requireVerifying(Claimant claimant) public view {
        HyphaConsumer.requireVerifying(IRootVerifier(address(claimant)));
    }

    function pack(OperationBuilder.TransferDraft memory draft) external pure returns (bytes memory) {
        return HyphaConsumer.packTransfer(draft.inputs, draft.outputs, draft.deadline);
    }

    /// @dev Notes with quantities of every size, and with data or none.
    function draftOf(uint256 seed, uint256 inputs, uint256 outputs, uint64 deadline)
        private
        pure
        returns (OperationBuilder.TransferDraft memory draft)
    {
        draft.inputs = new Resource[](inputs);
        draft.outputs = new Output[](outputs);
        draft.deadline = deadline;
        for (uint256 i = 0; i < inputs; ++i) {
            draft.inputs[i] = noteOf(seed, i);
        }
        for (uint256 i = 0; i < outputs; ++i) {
            Resource memory note = noteOf(seed, inputs + i);
            draft.outputs[i] = Output(note.domainId, note.owner, note.kind, note.quantity, note.data);
        }
    }

    function noteOf(uint256 seed, uint256 position) private pure returns (Resource memory) {
        bytes32 noise = keccak256(abi.encode(seed, position));
        uint256 word = uint256(noise);
        uint256 quantity = (word >> (8 * (word % 32))) | 1;
        bytes32 data = position % 2 == 0 ? bytes32(0) : noise;
        return Resource((word >> 192) | 1, address(uint160(word) | 1), noise, quantity, data, noise);
    }
}
