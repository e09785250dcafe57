// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Contents} from "./Contents.sol";
import {Ids} from "./Ids.sol";
import {Memory} from "./Memory.sol";
import {Key, ValueHash} from "../types/TreeTypes.sol";

/// @title What checked operations do: notes spent and created, keys touched, requests resolved
/// @dev The lists are laid out as the arrays of an `Operations.Checked` are, and grow without the checks of an array.
library Effects {
    using Contents for Contents.Content;

    /// @dev Why a request is void.
    uint256 internal constant INPUT_ABSENT = 1;
    uint256 internal constant INPUT_SPENT = 2;
    uint256 internal constant OUTPUT_EXISTS = 3;
    uint256 internal constant UNKNOWN_DOMAIN = 4;

    /// @dev The least that operations take for a note spent, for a note created, for half of a note spent, which touches two
    /// keys, and for a request: with them arrays are made large enough for what is still to be read.
    uint256 private constant MIN_SPENT_BYTES = 94;
    uint256 private constant MIN_CREATED_BYTES = 62;
    uint256 private constant MIN_TOUCH_BYTES = 47;
    uint256 private constant MIN_REQUEST_BYTES = 131;

    ValueHash private constant ABSENT = ValueHash.wrap(0);

    /// @dev Places of the lists.
    struct Lists {
        uint256 nullifiers;
        uint256 created;
        uint256 touches;
        uint256 resolutions;
    }

    /// @notice Empty lists with room for whatever so many bytes can do.
    function makeLists(uint256 length) internal pure returns (Lists memory) {
        return Lists({
            nullifiers: Memory.makeList(length / MIN_SPENT_BYTES),
            created: Memory.makeList(length / MIN_CREATED_BYTES),
            touches: Memory.makeList(length / MIN_TOUCH_BYTES),
            resolutions: Memory.makeList(length / MIN_REQUEST_BYTES)
        });
    }

    /// @notice A spent note is read and its nullifier inserted, a created one is inserted.
    function addNotes(Lists memory lists, Contents.Content memory content) internal pure {
        unchecked {
            (uint256 inputs, uint256 count) = (content.inputs, content.inputs + content.outputs);
            for (uint256 i = 0; i < count; ++i) {
                bytes32 id = content.idAt(i);
                Key key = Ids.resourceKey(content.domainAt(i), id);
                if (i < inputs) {
                    bytes32 nullifier = Ids.nullifierOf(id);
                    Memory.push(lists.nullifiers, uint256(nullifier));
                    _touch(lists, key, ValueHash.wrap(id), ABSENT);
                    _touch(lists, Ids.nullifierKey(nullifier), ABSENT, Ids.SPENT);
                } else {
                    Memory.pushTwo(lists.created, uint256(id), uint160(content.ownerAt(i))); // a `Created`
                    _touch(lists, key, ABSENT, ValueHash.wrap(id));
                }
            }
        }
    }

    /// @notice A void request: its key is inserted, and its reason read.
    /// @param place Of the note that the reason is about.
    function addVoid(
        Lists memory lists,
        Key voidKey,
        uint256 reason,
        Contents.Content memory content,
        uint256 place
    ) internal pure {
        _touch(lists, voidKey, ABSENT, Ids.VOID);
        bytes32 id = content.idAt(place);
        uint256 domainId = content.domainAt(place);
        if (reason == INPUT_ABSENT) {
            _touch(lists, Ids.resourceKey(domainId, id), ABSENT, ABSENT);
        } else if (reason == INPUT_SPENT) {
            _touch(lists, Ids.nullifierKey(Ids.nullifierOf(id)), Ids.SPENT, ABSENT);
        } else if (reason == OUTPUT_EXISTS) {
            _touch(lists, Ids.resourceKey(domainId, id), ValueHash.wrap(id), ABSENT);
        }
    }

    /// @notice A request of a chain's queue is executed, or it is void.
    function addResolution(Lists memory lists, uint256 chainId, uint64 number, bytes32 hash, bool executed)
        internal
        pure
    {
        Memory.pushFour(lists.resolutions, chainId, number, uint256(hash), executed ? 1 : 0);
    }

    /// @dev Appends a `Touch`.
    function _touch(Lists memory lists, Key key, ValueHash oldValue, ValueHash newValue) private pure {
        Memory.pushThree(
            lists.touches,
            uint256(Key.unwrap(key)),
            uint256(ValueHash.unwrap(oldValue)),
            uint256(ValueHash.unwrap(newValue))
        );
    }
}
