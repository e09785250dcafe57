// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ids} from "../../contracts/libraries/Ids.sol";
import {Key} from "../../contracts/types/TreeTypes.sol";

/// @title Lemmas of the names: no two things have one key in the tree
/// @notice As in `TreeHashLemmas`, Keccak is taken for a function without collisions.
contract IdsLemmas {
    function check_keys_ofDifferentSpacesDiffer(
        bytes32 nullifier,
        uint256 domainId,
        bytes32 id,
        uint256 chainId,
        uint64 number
    ) external pure {
        bytes32 ofNullifier = Key.unwrap(Ids.nullifierKey(nullifier));
        bytes32 ofResource = Key.unwrap(Ids.resourceKey(domainId, id));
        bytes32 ofVoid = Key.unwrap(Ids.voidKey(chainId, number));
        assert(ofNullifier != ofResource && ofNullifier != ofVoid && ofResource != ofVoid);
    }

    function check_keys_bindAllThatIsNamed(
        uint256 domainId,
        bytes32 id,
        uint256 otherDomainId,
        bytes32 otherId,
        uint64 number,
        uint64 otherNumber
    ) external pure {
        bool sameDomain = domainId == otherDomainId;
        bool sameId = id == otherId;
        assert(
            (sameDomain && sameId)
                || !_same(Ids.resourceKey(domainId, id), Ids.resourceKey(otherDomainId, otherId))
        );
        assert(sameId || !_same(Ids.nullifierKey(id), Ids.nullifierKey(otherId)));
        assert(
            (sameDomain && number == otherNumber)
                || !_same(Ids.voidKey(domainId, number), Ids.voidKey(otherDomainId, otherNumber))
        );
    }

    /// @dev Two notes never share a nullifier.
    function check_nullifiers_bindTheNote(bytes32 id, bytes32 otherId) external pure {
        assert(id == otherId || Ids.nullifierOf(id) != Ids.nullifierOf(otherId));
    }

    function _same(Key a, Key b) private pure returns (bool) {
        return Key.unwrap(a) == Key.unwrap(b);
    }
}
