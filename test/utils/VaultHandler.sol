// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {NoteVault} from "../../contracts/examples/NoteVault.sol";
import {Resource} from "../../contracts/interfaces/IHypha.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @title Two people who move value in, about and out, and lie to the vaults, with a ledger of what is owed to whom
contract VaultHandler is VaultWorld {
    /// @dev A request that no batch has resolved, or that was void and is not given back.
    struct Awaited {
        uint256 chainId;
        uint64 number;
        uint256 quantity;
        bool gift; // its note will name no recipient
        bool hopeless; // its destination is no chain of the hub's
    }

    Awaited[] private _pending; // in the order of the hub's queue
    Awaited[] private _void;
    Resource[] private _unspent; // every note of the tree
    /// @notice Units sent to the synthetic token for nobody: they are in its reserve for ever.
    uint256 public gifts;
    /// @notice What was put in with requests that are pending, or void and not given back.
    mapping(uint256 chainId => uint256) public owed;
    /// @notice A vault took a lie for the truth.
    bool public believed;
    /// @notice How often each thing was done.
    mapping(bytes4 action => uint256) public done;

    // ---- in

    function enter(uint256 seed, uint256 amount) external {
        (address from, uint256 domainId, address owner, bytes32 data) = draw(seed);
        amount = bound(amount, 1, 5000);
        (uint64 number,) = depositHome(from, amount, domainId, owner, data);
        _await(Awaited(HOME_CHAIN, number, amount, isGift(owner, data), domainId == UNKNOWN_CHAIN));
        ++done[this.enter.selector];
    }

    function depart(uint256 seed, uint256 quantity) external {
        (address from, uint256 domainId, address owner, bytes32 data) = draw(seed);
        (bool found, Resource memory note) = find(seed, isHeld);
        uint256 most = away.balanceOf(from);
        if (!found || most == 0) return;
        if (most > note.quantity) most = note.quantity;
        _depart(from, bound(quantity, 1, most), domainId, owner, data, note);
        ++done[this.depart.selector];
    }

    // ---- batches

    /// @dev The hub's next request is executed, or void when it cannot be.
    function resolve() public {
        if (_pending.length == 0) return;
        Awaited memory request = _pending[0];
        for (uint256 i = 1; i < _pending.length; ++i) {
            _pending[i - 1] = _pending[i];
        }
        _pending.pop();
        if (request.hopeless) {
            voidRequest(request.chainId, request.number);
            _void.push(request);
        } else {
            _apply(requestOf(request.chainId, request.number).spent, execute(request.chainId, request.number));
            owed[request.chainId] -= request.quantity;
            if (request.gift) gifts += request.quantity;
        }
        ++done[this.resolve.selector];
    }

    /// @dev The owner of a note sends some of it on by a signed transfer.
    function move(uint256 seed, uint256 quantity) external {
        (, uint256 domainId, address owner, bytes32 data) = draw(seed);
        (bool found, Resource memory note) = find(seed, isPersons);
        if (!found || domainId == UNKNOWN_CHAIN) return;
        quantity = bound(quantity, 1, note.quantity);
        _apply(list(note), pay(note, keyOf(note.owner), quantity, domainId, owner, data));
        if (isGift(owner, data)) gifts += quantity;
        ++done[this.move.selector];
    }

    // ---- out

    function takeOut(uint256 seed) external {
        (bool found, Resource memory note) = find(seed, isExit);
        if (!found) return;
        withdraw(note);
        ++done[this.takeOut.selector];
    }

    function gather(uint256 seed) external {
        (bool found, Resource memory note) = find(seed, isChange);
        if (!found) return;
        _gather(note);
    }

    function giveBack(uint256 seed) external {
        if (_void.length == 0) return;
        _giveBack(seed % _void.length);
    }

    // ---- lies

    function lieWithdrawAgain(uint256 seed) external {
        (bool found, Resource memory note) = find(seed, isClaimed);
        if (!found) return;
        _lieAbout(note, proveNote(note));
        ++done[this.lieWithdrawAgain.selector];
    }

    function lieMore(uint256 seed) external {
        (bool found, Resource memory note) = find(seed, isExit);
        if (!found) return;
        bytes memory proof = proveNote(note);
        ++note.quantity;
        _lieAbout(note, seed % 2 == 0 ? proof : proveNote(note));
        ++done[this.lieMore.selector];
    }

    function lieRefund(uint256 seed, bool atHome) external {
        NoteVault vault = atHome ? NoteVault(home) : NoteVault(away);
        uint256 chainId = atHome ? HOME_CHAIN : AWAY_CHAIN;
        uint64 number = uint64(bound(seed, 0, queueOf(chainId).requestCount()));
        for (uint256 i = 0; i < _void.length; ++i) {
            if (_void[i].number == number && _void[i].chainId == chainId) return; // it would be true
        }
        (bytes32 root_, bytes memory proof) = (root(), proveOne(voidKey(chainId, number)));
        vm.chainId(chainId);
        try vault.refund(number, root_, proof) {
            believed = true;
        } catch {}
        ++done[this.lieRefund.selector];
    }

    function lieSpendAgain(uint256 seed) external {
        (bool found, Resource memory note) = find(seed, isSpoken);
        address from = away.balanceOf(alice) > 0 ? alice : bob;
        if (!found || away.balanceOf(from) == 0) return;
        vm.chainId(AWAY_CHAIN);
        vm.prank(from);
        try away.deposit{value: FEE}(1, HOME_CHAIN, from, 0, list(note)) {
            believed = true;
        } catch {}
        ++done[this.lieSpendAgain.selector];
    }

    // ---- what the ledger says

    /// @notice What the home vault must hold: whatever can still be asked of it.
    function claimsOnHome() external view returns (uint256 sum) {
        sum = owed[HOME_CHAIN];
        for (uint256 i = 0; i < _unspent.length; ++i) {
            Resource memory note = _unspent[i];
            if (note.owner != address(home) || !home.isClaimed(idOf(note))) sum += note.quantity;
        }
    }

    /// @notice What the notes of the synthetic token are worth, without those that are still to be minted for.
    function reserveAway() external view returns (uint256 sum) {
        for (uint256 i = 0; i < _unspent.length; ++i) {
            Resource memory note = _unspent[i];
            if (note.owner == address(away) && (note.data == 0 || away.isClaimed(idOf(note)))) {
                sum += note.quantity;
            }
        }
    }

    /// @notice Everything that can be paid comes home.
    function drain() external {
        while (_pending.length > 0) resolve();
        while (_void.length > 0) _giveBack(0);
        for (uint256 i = 0; i < _unspent.length; ++i) {
            Resource memory note = _unspent[i];
            if (isExit(note)) withdraw(note);
            else if (isChange(note)) _gather(note);
        }
        _bringNotesHome();
        _bringTokensHome();
    }

    function balances() external view returns (uint256 atHome, uint256 supply) {
        return (token.balanceOf(address(home)), away.totalSupply());
    }

    // ---- which note

    function isPersons(Resource memory note) internal view returns (bool) {
        return note.owner == alice || note.owner == bob;
    }

    function isClaimed(Resource memory note) internal view returns (bool) {
        return note.owner == address(home) ? home.isClaimed(idOf(note)) : away.isClaimed(idOf(note));
    }

    function isExit(Resource memory note) internal view returns (bool) {
        return !isPersons(note) && note.data != 0 && !isClaimed(note);
    }

    function isChange(Resource memory note) internal view returns (bool) {
        return note.owner == address(away) && note.data == 0 && !isClaimed(note);
    }

    function isHeld(Resource memory note) internal view returns (bool) {
        return note.owner == address(away) && away.isHeld(idOf(note));
    }

    /// @dev Given to a request that is not resolved.
    function isSpoken(Resource memory note) internal view returns (bool) {
        return note.owner == address(away) && isClaimed(note) && !away.isHeld(idOf(note));
    }

    function find(uint256 seed, function(Resource memory) view returns (bool) wanted)
        private
        view
        returns (bool found, Resource memory note)
    {
        uint256 count = _unspent.length;
        for (uint256 i = 0; i < count; ++i) {
            note = _unspent[(seed % count + i) % count];
            if (wanted(note)) return (true, note);
        }
    }

    // ---- steps

    /// @dev Somebody, and a destination: a vault for a person, a person, the reserve, or a chain that there is not.
    function draw(uint256 seed)
        private
        view
        returns (address from, uint256 domainId, address owner, bytes32 data)
    {
        from = seed % 2 == 0 ? alice : bob;
        uint256 way = (seed / 2) % 6;
        if (way < 2) return (from, AWAY_CHAIN, address(away), named(from));
        if (way == 2) return (from, HOME_CHAIN, address(home), named(from));
        if (way == 3) return (from, AWAY_CHAIN, address(away), 0);
        return (from, way == 4 ? HOME_CHAIN : UNKNOWN_CHAIN, from, bytes32("data"));
    }

    function isGift(address owner, bytes32 data) private view returns (bool) {
        return owner == address(away) && data == 0;
    }

    function keyOf(address person) private view returns (uint256) {
        return person == alice ? ALICE : BOB;
    }

    function _await(Awaited memory request) private {
        _pending.push(request);
        owed[request.chainId] += request.quantity;
    }

    function _depart(
        address from,
        uint256 quantity,
        uint256 domainId,
        address owner,
        bytes32 data,
        Resource memory note
    ) private {
        (uint64 number,) = depositAway(from, quantity, domainId, owner, data, list(note));
        _await(Awaited(AWAY_CHAIN, number, quantity, isGift(owner, data), domainId == UNKNOWN_CHAIN));
    }

    function _apply(Resource[] memory spent, Resource[] memory created) private {
        for (uint256 i = 0; i < spent.length; ++i) {
            uint256 place = 0;
            while (idOf(_unspent[place]) != idOf(spent[i])) ++place;
            _unspent[place] = _unspent[_unspent.length - 1];
            _unspent.pop();
        }
        for (uint256 i = 0; i < created.length; ++i) {
            _unspent.push(created[i]);
        }
    }

    function _gather(Resource memory note) private {
        collect(note);
        ++done[this.gather.selector];
    }

    function _giveBack(uint256 place) private {
        ++done[this.giveBack.selector];
        Awaited memory request = _void[place];
        _void[place] = _void[_void.length - 1];
        _void.pop();
        owed[request.chainId] -= request.quantity;
        refund(request.chainId == HOME_CHAIN ? NoteVault(home) : NoteVault(away), request.number);
    }

    function _lieAbout(Resource memory note, bytes memory proof) private {
        NoteVault vault = note.owner == address(home) ? NoteVault(home) : NoteVault(away);
        bytes32 root_ = root();
        vm.chainId(note.domainId);
        try vault.withdraw(note, root_, proof) {
            believed = true;
        } catch {}
    }

    function _bringNotesHome() private {
        (bool found, Resource memory note) = find(0, isPersons);
        while (found) {
            Resource[] memory exit =
                pay(note, keyOf(note.owner), note.quantity, HOME_CHAIN, address(home), named(note.owner));
            _apply(list(note), exit);
            withdraw(exit[0]);
            (found, note) = find(0, isPersons);
        }
    }

    function _bringTokensHome() private {
        uint256 bobs = away.balanceOf(bob);
        vm.prank(bob);
        assertTrue(away.transfer(alice, bobs));
        while (away.totalSupply() > 0) {
            (bool found, Resource memory note) = find(0, isHeld);
            assertTrue(found, "a token for which there is no note");
            uint256 quantity = away.balanceOf(alice);
            if (quantity > note.quantity) quantity = note.quantity;
            _depart(alice, quantity, HOME_CHAIN, address(home), named(alice), note);
            resolve();
            (found, note) = find(0, isExit);
            withdraw(note);
        }
    }
}
