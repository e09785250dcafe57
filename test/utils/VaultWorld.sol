// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {NoteVault} from "../../contracts/examples/NoteVault.sol";
import {SyntheticToken} from "../../contracts/examples/SyntheticToken.sol";
import {TokenVault} from "../../contracts/examples/TokenVault.sol";
import {IRequestQueue, IRootVerifier, Output, Resource} from "../../contracts/interfaces/IHypha.sol";
import {OperationBuilder} from "./OperationBuilder.sol";
import {TreeModel} from "./TreeModel.sol";
import {VerifierDouble} from "./VerifierDouble.sol";
import {SilentToken} from "./tokens/SilentToken.sol";
import {PlainToken} from "./tokens/PlainToken.sol";

/// @title A home vault and a synthetic token on two chains, and the ways of value between them
abstract contract VaultWorld is Test {
    using TreeModel for TreeModel.Tree;

    uint256 internal constant HUB_CHAIN = 1001;
    uint256 internal constant HOME_CHAIN = 2002;
    uint256 internal constant AWAY_CHAIN = 4004;
    uint256 internal constant UNKNOWN_CHAIN = 9009;
    uint256 internal constant ALICE = 0xA1;
    uint256 internal constant BOB = 0xB0B;
    uint64 internal constant FAR = type(uint64).max;
    uint128 internal constant FEE = 0.01 ether;

    address internal immutable alice = vm.addr(ALICE);
    address internal immutable bob = vm.addr(BOB);

    VerifierDouble internal homeVerifier;
    VerifierDouble internal awayVerifier;
    PlainToken internal token;
    TokenVault internal home;
    SyntheticToken internal away;

    TreeModel.Tree private _tree;
    /// @dev What requests spend and create when they are executed: `abi.encode(spent, created)`.
    mapping(uint256 chainId => mapping(uint64 number => bytes)) private _asked;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        homeVerifier = new VerifierDouble(HUB_CHAIN, address(1), false);
        awayVerifier = new VerifierDouble(HUB_CHAIN, address(1), false);
        token = newToken();
        vm.chainId(HOME_CHAIN);
        home = new TokenVault(IRootVerifier(address(homeVerifier)), IERC20(address(token)));
        vm.chainId(AWAY_CHAIN);
        away = new SyntheticToken(
            IRootVerifier(address(awayVerifier)), HOME_CHAIN, address(home), "Away", "AWY", 18
        );
        for (uint256 i = 0; i < 2; ++i) {
            address account = i == 0 ? alice : bob;
            vm.deal(account, 100 ether);
            token.mint(account, 1_000_000);
            vm.prank(account);
            SilentToken(address(token)).approve(address(home), type(uint256).max); // whatever it returns
        }
    }

    function newToken() internal virtual returns (PlainToken) {
        return new PlainToken();
    }

    // ---- value goes in

    /// @dev Requests a note for `amount` of the tokens of `from`; `note` is what will be.
    function depositHome(address from, uint256 amount, uint256 domainId, address owner, bytes32 data)
        internal
        returns (uint64 number, Resource memory note)
    {
        vm.chainId(HOME_CHAIN);
        bytes32 id;
        vm.prank(from);
        (number, id) = home.deposit{value: FEE}(amount, domainId, owner, data);
        (, uint256 quantity) = home.deposits(number);
        note = Resource(domainId, owner, home.kind(), quantity, data, requestedSalt(HOME_CHAIN, number));
        assertEq(id, idOf(note), "the note's id");
        _remember(HOME_CHAIN, number, new Resource[](0), list(note));
    }

    /// @dev A note that the home vault issued, in everybody's tree.
    function issued(address from, uint256 amount, uint256 domainId, address owner, bytes32 data)
        internal
        returns (Resource memory)
    {
        (uint64 number,) = depositHome(from, amount, domainId, owner, data);
        return execute(HOME_CHAIN, number)[0];
    }

    /// @dev A note of the contract `issuer` on `chainId`, with the label of the vaults.
    function issuedBy(uint256 chainId, address issuer, uint256 domainId, address owner, bytes32 data)
        internal
        returns (Resource memory)
    {
        vm.chainId(chainId);
        vm.deal(issuer, FEE);
        vm.prank(issuer);
        (uint64 number,) =
            queueOf(chainId).requestIssue{value: FEE}(domainId, owner, 1000, data, "hypha:token");
        bytes32 kind = keccak256(abi.encode(chainId, issuer, bytes32("hypha:token")));
        Resource memory note = Resource(domainId, owner, kind, 1000, data, requestedSalt(chainId, number));
        _remember(chainId, number, new Resource[](0), list(note));
        return execute(chainId, number)[0];
    }

    /// @dev Requests that `notes` move on for `quantity` of the synthetic tokens of `from`; `created` is what will be.
    function depositAway(
        address from,
        uint256 quantity,
        uint256 domainId,
        address owner,
        bytes32 data,
        Resource[] memory notes
    ) internal returns (uint64 number, Resource[] memory created) {
        vm.chainId(AWAY_CHAIN);
        bytes32 id;
        vm.prank(from);
        (number, id) = away.deposit{value: FEE}(quantity, domainId, owner, data, notes);
        created = createdBy(awayDraft(Output(domainId, owner, away.kind(), quantity, data), notes));
        assertEq(id, idOf(created[0]), "the note's id");
        _remember(AWAY_CHAIN, number, notes, created);
    }

    function awayDraft(Output memory output, Resource[] memory notes)
        internal
        view
        returns (OperationBuilder.TransferDraft memory draft)
    {
        uint256 sum = 0;
        for (uint256 i = 0; i < notes.length; ++i) {
            sum += notes[i].quantity;
        }
        draft.inputs = notes;
        draft.deadline = FAR;
        draft.outputs = new Output[](sum > output.quantity ? 2 : 1);
        draft.outputs[0] = output;
        if (sum > output.quantity) {
            draft.outputs[1] = Output(AWAY_CHAIN, address(away), output.kind, sum - output.quantity, 0);
        }
    }

    /// @dev What a transfer creates.
    function createdBy(OperationBuilder.TransferDraft memory draft)
        internal
        pure
        returns (Resource[] memory created)
    {
        bytes32 hash = OperationBuilder.transferHash(draft);
        created = new Resource[](draft.outputs.length);
        for (uint256 i = 0; i < created.length; ++i) {
            Output memory o = draft.outputs[i];
            bytes32 salt = keccak256(abi.encode(hash, i));
            created[i] = Resource(o.domainId, o.owner, o.kind, o.quantity, o.data, salt);
        }
    }

    // ---- batches that resolve requests, or take a signed transfer

    function execute(uint256 chainId, uint64 number) internal returns (Resource[] memory created) {
        Resource[] memory spent;
        (spent, created) = abi.decode(_asked[chainId][number], (Resource[], Resource[]));
        _write(spent, created);
        _land();
    }

    function voidRequest(uint256 chainId, uint64 number) internal {
        _tree.set(voidKey(chainId, number), keccak256("1"));
        _land();
    }

    /// @dev A request of somebody else's that will be void.
    function othersRequest(uint256 chainId) internal returns (uint64 number) {
        vm.chainId(chainId);
        vm.prank(bob);
        (number,) = queueOf(chainId).requestIssue{value: FEE}(UNKNOWN_CHAIN, bob, 1, 0, "other");
    }

    /// @dev The owner of `note` sends `quantity` of it on, and keeps the rest.
    function pay(
        Resource memory note,
        uint256 signer,
        uint256 quantity,
        uint256 domainId,
        address owner,
        bytes32 data
    ) internal returns (Resource[] memory created) {
        OperationBuilder.TransferDraft memory draft;
        draft.inputs = list(note);
        draft.deadline = FAR;
        draft.signers = new uint256[](1);
        draft.signers[0] = signer;
        draft.outputs = new Output[](note.quantity > quantity ? 2 : 1);
        draft.outputs[0] = Output(domainId, owner, note.kind, quantity, data);
        if (note.quantity > quantity) {
            draft.outputs[1] =
                Output(note.domainId, note.owner, note.kind, note.quantity - quantity, note.data);
        }
        created = createdBy(draft);
        _write(draft.inputs, created);
        _land();
    }

    /// @dev Freezes the home chain's spoke from the latest root on.
    function freezeHome() internal {
        homeVerifier.learn(root(), false);
    }

    // ---- value goes out

    /// @dev Anyone presents the note to its vault, with a proof under the latest root.
    function withdraw(Resource memory note) internal {
        NoteVault vault = note.domainId == HOME_CHAIN ? NoteVault(home) : NoteVault(away);
        bytes memory proof = proveOne(resourceKey(note));
        vm.chainId(note.domainId);
        vault.withdraw(note, root(), proof);
    }

    function refund(NoteVault vault, uint64 number) internal {
        uint256 chainId = address(vault) == address(home) ? HOME_CHAIN : AWAY_CHAIN;
        bytes memory proof = proveOne(voidKey(chainId, number));
        vm.chainId(chainId);
        vault.refund(number, root(), proof);
    }

    function collect(Resource memory note) internal {
        bytes memory proof = proveOne(resourceKey(note));
        vm.chainId(AWAY_CHAIN);
        away.collect(note, root(), proof);
    }

    // ---- the tree

    function root() internal view returns (bytes32) {
        return _tree.root();
    }

    function proveOne(bytes32 key) internal view returns (bytes memory) {
        bytes32[] memory keys = new bytes32[](1);
        keys[0] = key;
        return _tree.prove(keys);
    }

    function proveNote(Resource memory note) internal view returns (bytes memory) {
        return proveOne(resourceKey(note));
    }

    function resourceKey(Resource memory note) internal pure returns (bytes32) {
        bytes32 id = keccak256(abi.encode(note));
        return keccak256(abi.encodePacked(note.domainId, keccak256(abi.encodePacked("resource:", id))));
    }

    function voidKey(uint256 chainId, uint64 number) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(chainId, keccak256(abi.encodePacked("void:", number))));
    }

    // ---- small things

    /// @dev An account as the data of a note.
    function named(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function idOf(Resource memory note) internal pure returns (bytes32) {
        return keccak256(abi.encode(note));
    }

    function list(Resource memory note) internal pure returns (Resource[] memory notes) {
        notes = new Resource[](1);
        notes[0] = note;
    }

    function list(Resource memory first, Resource memory second)
        internal
        pure
        returns (Resource[] memory notes)
    {
        notes = new Resource[](2);
        (notes[0], notes[1]) = (first, second);
    }

    /// @dev The notes that a request spends when it is executed.
    function spentBy(uint256 chainId, uint64 number) internal view returns (Resource[] memory spent) {
        (spent,) = abi.decode(_asked[chainId][number], (Resource[], Resource[]));
    }

    function queueOf(uint256 chainId) internal view returns (IRequestQueue) {
        return IRequestQueue(address(chainId == HOME_CHAIN ? homeVerifier : awayVerifier));
    }

    function requestedSalt(uint256 chainId, uint64 number) internal view returns (bytes32) {
        return keccak256(abi.encode(chainId, address(queueOf(chainId)), number));
    }

    function _remember(uint256 chainId, uint64 number, Resource[] memory spent, Resource[] memory created)
        private
    {
        _asked[chainId][number] = abi.encode(spent, created);
    }

    function _write(Resource[] memory spent, Resource[] memory created) private {
        for (uint256 i = 0; i < spent.length; ++i) {
            bytes32 nullifier = keccak256(abi.encodePacked("hypha:nullifier", idOf(spent[i])));
            _tree.set(keccak256(abi.encodePacked("nullifier:", nullifier)), keccak256("1"));
        }
        for (uint256 i = 0; i < created.length; ++i) {
            _tree.set(resourceKey(created[i]), idOf(created[i]));
        }
    }

    function _land() private {
        homeVerifier.learn(_tree.root(), true);
        awayVerifier.learn(_tree.root(), true);
    }
}
