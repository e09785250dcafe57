// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRootVerifier} from "./interfaces/IHypha.sol";

/// @title The roots that a contract holds, each with its index and its batch chain
/// @notice A history keeps every root, or is a ring of the last 256 that were installed.
abstract contract RootHistory is IRootVerifier {
    /// @dev A root that was installed. In a ring the next but 255 takes its slots, which costs a quarter of new ones.
    struct Entry {
        bytes32 root;
        bytes32 batchChain;
    }

    /// @dev Where a root stands. An epoch ends when governance installs a root after a freeze: what the freeze withdrew
    /// stays withdrawn.
    struct Place {
        uint64 index;
        uint64 epoch;
        uint64 position;
        bool held;
    }

    /// @dev Enough for a proof to outlive hours of batches, at a bounded cost.
    uint256 private constant RING_LENGTH = 256;

    /// @dev By position: the index, or in a ring the place in it.
    mapping(uint256 position => Entry) private _entries;
    mapping(bytes32 root => Place) private _placeOf;
    /// @inheritdoc IRootVerifier
    uint64 public index;
    uint64 internal _epoch;
    /// @dev Up to here other roots may have been asserted before a thaw, and what is asserted once is asserted for ever.
    uint64 internal _contestedTo;
    /// @dev Of the latest root in the ring; it wraps by itself.
    uint8 private _ringPosition;
    /// @dev Whether the present epoch is frozen.
    bool internal _frozen;

    /// @inheritdoc IRootVerifier
    function stateRoot() public view returns (bytes32) {
        return _entries[_isRing() ? _ringPosition : index].root;
    }

    /// @inheritdoc IRootVerifier
    function rootAt(uint64 atIndex) public view returns (bytes32) {
        Entry storage entry = _entryOf(atIndex);
        if (!_holds(entry.root, atIndex)) revert UnknownIndex(atIndex);
        return entry.root;
    }

    /// @inheritdoc IRootVerifier
    function batchChain(uint64 atIndex) public view returns (bytes32) {
        Entry storage entry = _entryOf(atIndex);
        return _holds(entry.root, atIndex) ? entry.batchChain : bytes32(0);
    }

    /// @inheritdoc IRootVerifier
    function isKnownRoot(bytes32 root) public view returns (bool) {
        Place storage place = _placeOf[root];
        return place.held && place.index < _withdrawnFrom(place.epoch);
    }

    /// @dev Moves to the next root.
    function _commit(bytes32 oldRoot, uint64 newIndex, bytes32 newRoot, bytes32 newBatchChain) internal {
        _install(newIndex, newRoot, newBatchChain);
        _announceRoot(oldRoot, newRoot, newIndex);
    }

    /// @dev Tells the world that the root moved, which on a spoke asserts a fact.
    function _announceRoot(bytes32 oldRoot, bytes32 newRoot, uint64 newIndex) internal virtual {
        emit RootUpdated(oldRoot, newRoot, newIndex);
    }

    /// @dev The only writer of roots.
    function _install(uint64 newIndex, bytes32 newRoot, bytes32 newBatchChain) internal {
        uint64 position = _isRing() ? _makeRoom() : newIndex;
        index = newIndex;
        _entries[position] = Entry(newRoot, newBatchChain);
        _placeOf[newRoot] = Place(newIndex, _epoch, position, true);
    }

    /// @dev Whether this history is a ring.
    function _isRing() internal view virtual returns (bool) {
        return false;
    }

    /// @dev The index from which the roots of `epoch` are no longer known, 2^64 - 1 when all are.
    function _withdrawnFrom(uint64 epoch) internal view virtual returns (uint64);

    /// @dev Whether the root that was installed last for an index still stands there.
    function _holds(bytes32 root, uint64 atIndex) internal view virtual returns (bool) {
        return _placeOf[root].index == atIndex && isKnownRoot(root);
    }

    /// @dev Drops the oldest root of the ring, unless it has been installed anew elsewhere in it since.
    function _makeRoom() private returns (uint8 position) {
        unchecked {
            position = _ringPosition + 1;
        }
        _ringPosition = position;
        bytes32 oldest = _entries[position].root;
        if (_placeOf[oldest].position == position) delete _placeOf[oldest];
    }

    /// @dev What was installed last for an index; an empty entry where nothing is held. A ring is searched from its latest
    /// root, so what is asked of the oldest ones costs most: about a million gas.
    function _entryOf(uint64 atIndex) private view returns (Entry storage entry) {
        if (!_isRing()) return _entries[atIndex];
        uint8 position = _ringPosition;
        for (uint256 i = 0; i < RING_LENGTH; ++i) {
            entry = _entries[position];
            if (_placeOf[entry.root].index == atIndex) return entry;
            unchecked {
                --position;
            }
        }
        return _entries[RING_LENGTH]; // beyond the ring, where nothing ever is
    }
}
