// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {Resource} from "../../../contracts/interfaces/IHypha.sol";
import {FactNames} from "../../../contracts/libraries/FactNames.sol";
import {Ids} from "../../../contracts/libraries/Ids.sol";
import {Key} from "../../../contracts/types/TreeTypes.sol";
import {Vectors} from "../../utils/Vectors.sol";

contract IdsTest is Test {
    string private _json;

    function setUp() public {
        _json = Vectors.protocol();
    }

    function test_resources_vectors_same() public view {
        Vectors.Note[] memory list = Vectors.notes(_json);
        assertGe(list.length, 3, "vectors");
        for (uint256 i = 0; i < list.length; ++i) {
            Vectors.Note memory item = list[i];
            bytes32 id = Ids.resourceId(
                Resource(item.domainId, item.owner, item.kind, item.quantity, item.data, item.salt)
            );
            assertEq(id, item.resourceId, item.name);
            assertEq(Key.unwrap(Ids.resourceKey(item.domainId, id)), item.resourceKey, item.name);
            assertEq(Ids.nullifierOf(id), item.nullifier, item.name);
            assertEq(Key.unwrap(Ids.nullifierKey(item.nullifier)), item.nullifierKey, item.name);
        }
    }

    function test_kind_vector_same() public view {
        address issuer = vm.parseJsonAddress(_json, ".hashes.kinds[0].issuer");
        bytes32 label = vm.parseJsonBytes32(_json, ".hashes.kinds[0].label");
        assertEq(vm.parseJsonUint(_json, ".hashes.kinds[0].issuerChain"), 0, "a signer's");
        assertEq(Ids.signedKind(issuer, label), vm.parseJsonBytes32(_json, ".hashes.kinds[0].kind"));
    }

    function test_genesis_vector_same() public view {
        uint256 hubChainId = vm.parseJsonUint(_json, ".hashes.genesis[0].chainId");
        address hub = vm.parseJsonAddress(_json, ".hashes.genesis[0].hub");
        bytes32 expected = vm.parseJsonBytes32(_json, ".hashes.genesis[0].batchChain");
        assertEq(FactNames.genesisBatchChain(hubChainId, hub), expected);
    }
}
