// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {Governance, HubConfig, SpokeConfig} from "../../contracts/interfaces/IHypha.sol";
import {FactNames} from "../../contracts/libraries/FactNames.sol";
import {TreeHash} from "../../contracts/libraries/TreeHash.sol";
import {Place, Plan} from "./Plan.sol";

/// @notice One contract of a plan on one chain.
/// @param name Its name in the source.
/// @param arguments Of its constructor, ABI-encoded.
/// @param creation Its code followed by the arguments.
/// @param account The address at which it stands, or will.
struct Part {
    string name;
    bytes arguments;
    bytes creation;
    address account;
}

/// @title Which contracts a plan puts on a chain, with which arguments, at which addresses
/// @notice All of it follows from the plan, the deployer and the compiled code alone: an address is the hash of the factory, a
/// salt, and the creation code with its arguments. So a spoke is told of a hub that does not stand yet, and each chain can
/// be deployed by itself, in any order, again and again.
library Blueprint {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev The deterministic deployment proxy: creates what it is sent (a salt, then creation code) with CREATE2.
    address internal constant FACTORY = 0x4e59b44847b379578588920cA78FbF26c0B4956C;

    /// @notice The contracts of one chain, in the order in which they name each other: the timelock where there is one, the
    /// fact verifier, the hub or spoke.
    /// @param deployer Becomes the registrar of the hub: may tell it of the first spokes, once, and nothing else.
    function partsOn(Plan memory plan, Place memory place, address deployer)
        internal
        view
        returns (Part[] memory parts)
    {
        bool governed = plan.owner == address(0);
        parts = new Part[](governed ? 3 : 2);
        uint256 next = 0;
        address owner = plan.owner;
        if (governed) {
            parts[next] = part(plan, "ExitTimelock", timelockArguments(plan));
            owner = parts[next++].account;
        }
        parts[next] = part(plan, "AttestedFacts", factsArguments(plan, owner));
        address facts = parts[next++].account;
        Governance memory governance = governanceOf(plan, owner);
        if (place.isHub) {
            parts[next] = part(plan, "RootHub", hubArguments(plan, governance, facts, deployer));
        } else {
            parts[next] = part(plan, "RootSpoke", spokeArguments(plan, place, governance, facts, deployer));
        }
    }

    /// @notice The hub or spoke of a chain.
    function verifier(Plan memory plan, Place memory place, address deployer)
        internal
        view
        returns (address)
    {
        Part[] memory parts = partsOn(plan, place, deployer);
        return parts[parts.length - 1].account;
    }

    /// @notice Plans with different texts give different addresses.
    function salt(Plan memory plan) internal pure returns (bytes32) {
        return keccak256(bytes(string.concat("hypha:deploy:", plan.salt)));
    }

    function part(Plan memory plan, string memory name, bytes memory arguments)
        private
        view
        returns (Part memory)
    {
        bytes memory code = VM.getCode(string.concat("out/", name, ".sol/", name, ".json"));
        bytes memory creation = bytes.concat(code, arguments);
        address account = VM.computeCreate2Address(salt(plan), keccak256(creation), FACTORY);
        return Part(name, arguments, creation, account);
    }

    function governanceOf(Plan memory plan, address owner) private pure returns (Governance memory) {
        return Governance({
            owner: owner,
            pauser: plan.pauser,
            pauseSeconds: plan.pauseSeconds,
            requestFee: plan.requestFee,
            maxRequestFee: plan.maxRequestFee
        });
    }

    function timelockArguments(Plan memory plan) private pure returns (bytes memory) {
        return
            abi.encode(plan.livenessWindow, plan.inclusionWindow, plan.delay, plan.proposers, plan.executors);
    }

    function factsArguments(Plan memory plan, address owner) private pure returns (bytes memory) {
        return abi.encode(owner, plan.attestors, plan.threshold, plan.attestorsExpireAt);
    }

    function hubArguments(Plan memory plan, Governance memory governance, address facts, address deployer)
        private
        pure
        returns (bytes memory)
    {
        return abi.encode(
            HubConfig({
                governance: governance,
                registrar: deployer,
                factVerifier: facts,
                sequencers: plan.sequencers,
                livenessWindow: plan.livenessWindow,
                inclusionWindow: plan.inclusionWindow,
                nullifierCache: plan.places[0].nullifierCache
            })
        );
    }

    /// @dev A new spoke begins with the empty tree.
    function spokeArguments(
        Plan memory plan,
        Place memory place,
        Governance memory governance,
        address facts,
        address deployer
    ) private view returns (bytes memory) {
        uint256 hubChainId = plan.places[0].chainId;
        address hub = verifier(plan, plan.places[0], deployer);
        return abi.encode(
            SpokeConfig({
                hubChainId: hubChainId,
                hub: hub,
                governance: governance,
                factVerifier: facts,
                attested: place.attested,
                nullifierCache: place.nullifierCache,
                index: 0,
                root: TreeHash.EMPTY,
                batchChain: FactNames.genesisBatchChain(hubChainId, hub)
            })
        );
    }
}
