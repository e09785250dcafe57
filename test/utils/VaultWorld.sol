// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {NoteVault} from "../../contracts/examples/NoteVault.sol";
import {SyntheticToken} from "../../contracts/examples/SyntheticToken.sol";
import {TokenVault} from "../../contracts/examples/TokenVault.sol";
import {IRootVerifier, Output, Resource} from "../../contracts/interfaces/IHypha.sol";
import {RequestQueue} from "../../contracts/RequestQueue.sol";
import {RootSpoke} from "../../contracts/RootSpoke.sol";
import {OperationBuilder} from "./OperationBuilder.sol";
import {RequestWorld} from "./RequestWorld.sol";
import {PlainToken} from "./tokens/PlainToken.sol";
import {SilentToken} from "./tokens/SilentToken.sol";

/// @title A home vault on one spoke and a synthetic token on another, and the ways of value between them
abstract contract VaultWorld is RequestWorld {
    uint256 internal constant HOME_CHAIN = SPOKE_CHAIN;
    uint256 internal constant AWAY_CHAIN = 4004;
    uint256 internal constant UNKNOWN_CHAIN = 9009;
    bytes32 internal constant LABEL = "hypha:token";

    address internal immutable alice = vm.addr(ALICE);
    address internal immutable bob = vm.addr(BOB);

    RootSpoke internal awaySpoke;
    PlainToken internal token;
    TokenVault internal home;
    SyntheticToken internal away;

    /// @dev Every request, by its chain and number: `abi.encode(Request)`.
    mapping(uint256 chainId => mapping(uint64 number => bytes)) private _requests;

    function setUp() public virtual override {
        super.setUp();
        vm.chainId(AWAY_CHAIN);
        awaySpoke = new RootSpoke(spokeConfig(false, false));
        vm.chainId(HUB_CHAIN);
        vm.prank(GOVERNANCE);
        hub.registerSpoke(AWAY_CHAIN, address(awaySpoke));
        token = newToken();
        vm.chainId(HOME_CHAIN);
        home = new TokenVault(IRootVerifier(address(spoke)), IERC20(address(token)));
        vm.chainId(AWAY_CHAIN);
        away = new SyntheticToken(
            IRootVerifier(address(awaySpoke)), HOME_CHAIN, address(home), "Away", "AWY", 18
        );
        equip(alice);
        equip(bob);
    }

    function newToken() internal virtual returns (PlainToken) {
        return new PlainToken();
    }

    /// @dev Gives an account tokens, which the home vault may take, and ether for fees.
    function equip(address account) private {
        vm.deal(account, 100 ether);
        token.mint(account, 1_000_000);
        vm.prank(account);
        SilentToken(address(token)).approve(address(home), type(uint256).max); // whatever it returns
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
        note = rememberIssue(HOME_CHAIN, number, address(home), Output(domainId, owner, 0, quantity, data));
        assertEq(id, idOf(note), "the note's id");
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
        (uint64 number,) = queueOf(chainId).requestIssue{value: FEE}(domainId, owner, 1000, data, LABEL);
        rememberIssue(chainId, number, issuer, Output(domainId, owner, 0, 1000, data));
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
        Output memory output = Output(domainId, owner, away.kind(), quantity, data);
        Request memory request = draftTransfer(AWAY_CHAIN, address(away), awayDraft(output, notes));
        created = request.created;
        vm.chainId(AWAY_CHAIN);
        bytes32 id;
        vm.prank(from);
        (number, id) = away.deposit{value: FEE}(quantity, domainId, owner, data, notes);
        assertEq(id, idOf(created[0]), "the note's id");
        _remember(request);
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

    // ---- batches that resolve requests, or take a signed transfer

    /// @dev The hub executes a request, and both spokes follow.
    function execute(uint256 chainId, uint64 number) internal returns (Resource[] memory created) {
        Request memory request = requestOf(chainId, number);
        if (chainId != HUB_CHAIN) enqueue(request);
        _landEverywhere(execute(request));
        return request.created;
    }

    /// @dev The hub resolves a request as void, for a domain that it does not know, and both spokes follow.
    function voidRequest(uint256 chainId, uint64 number) internal {
        Request memory request = requestOf(chainId, number);
        enqueue(request);
        _landEverywhere(voidOf(request, UNKNOWN_DOMAIN, 0));
    }

    /// @dev A request of somebody else's that will be void.
    function othersRequest(uint256 chainId) internal returns (uint64 number) {
        vm.chainId(chainId);
        vm.prank(bob);
        (number,) = queueOf(chainId).requestIssue{value: FEE}(UNKNOWN_CHAIN, bob, 1, 0, LABEL);
        rememberIssue(chainId, number, bob, Output(UNKNOWN_CHAIN, bob, 0, 1, 0));
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
        OperationBuilder.Operation memory signed = OperationBuilder.transfer(draft, hub.domainSeparator());
        _landEverywhere(signed);
        return signed.created;
    }

    /// @dev Freezes the home chain's spoke from the latest root on.
    function freezeHome() internal {
        vm.chainId(HOME_CHAIN);
        uint64 latest = spoke.index();
        vm.prank(GOVERNANCE);
        spoke.freeze(latest);
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

    /// @dev The latest root.
    function root() internal view returns (bytes32) {
        return rootOf[rootOf.length - 1];
    }

    function proveNote(Resource memory note) internal view returns (bytes memory) {
        return proveOne(resourceKey(note));
    }

    function voidKey(uint256 chainId, uint64 number) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(chainId, keccak256(abi.encodePacked("void:", number))));
    }

    function queueOf(uint256 chainId) internal view override returns (RequestQueue) {
        return chainId == AWAY_CHAIN ? awaySpoke : super.queueOf(chainId);
    }

    function requestOf(uint256 chainId, uint64 number) internal view returns (Request memory) {
        return abi.decode(_requests[chainId][number], (Request));
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

    function _remember(Request memory request) private {
        _requests[request.chainId][request.number] = abi.encode(request);
    }

    /// @dev The kind of `output` follows from the issuer.
    function rememberIssue(uint256 chainId, uint64 number, address issuer, Output memory output)
        internal
        returns (Resource memory note)
    {
        bytes32 kind = keccak256(abi.encode(chainId, issuer, LABEL));
        bytes32 salt = keccak256(abi.encode(chainId, address(queueOf(chainId)), number));
        note = Resource(output.domainId, output.owner, kind, output.quantity, output.data, salt);
        // The tests' chain ids are small.
        // forge-lint: disable-next-item(unsafe-typecast)
        bytes memory content = bytes.concat(
            abi.encodePacked(LABEL, uint64(output.domainId), output.owner),
            OperationBuilder.amount(output.quantity, output.data),
            salt
        );
        _remember(Request(chainId, number, ISSUE, issuer, content, new Resource[](0), list(note)));
    }

    function _landEverywhere(OperationBuilder.Operation memory operation) private {
        land(commitBatch(operation));
        uint64 latest = hub.index();
        follow(latest);
        vm.chainId(AWAY_CHAIN);
        awaySpoke.advance(batchesBetween(awaySpoke.index() + 1, latest), latest, rootFact(latest));
    }
}
