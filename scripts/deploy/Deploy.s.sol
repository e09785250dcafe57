// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {console} from "forge-std/console.sol";
import {Script} from "forge-std/Script.sol";
import {VmSafe} from "forge-std/Vm.sol";
import {IRootHub} from "../../contracts/interfaces/IHypha.sol";
import {Blueprint, Part} from "./Blueprint.sol";
import {Place, Plan, PlanReader} from "./Plan.sol";

/// @title Deploys what a plan puts on one chain: the chain of the node that `--rpc-url` names
/// @notice Once for each chain of the plan:
///
///     forge build contracts
///     forge script scripts/deploy/Deploy.s.sol --rpc-url URL                # says what it would do
///     forge script scripts/deploy/Deploy.s.sol --rpc-url URL --broadcast    # does it
///
/// The plan is `deployments/plan.toml`, or what HYPHA_PLAN names, in a folder that foundry.toml opens to scripts. The key is HYPHA_KEY
/// (64 hex digits), or one of forge's own wallets (`--account` or `--keystore`, with `--sender`). It is the same on all chains,
/// for the hub's address depends on it.
///
/// Addresses follow from plan, key and code (Blueprint.sol) and are those of `hypha deploy`, so the chains may come in any order; with
/// the hub last, it is told only of spokes that stand. What stands already is kept, so a run that was cut off is run again. What
/// was done is written to `deployments/<chain id>.json`, or into the folder that HYPHA_DEPLOYMENTS names. `hypha verify-deployment`
/// then compares all chains with the plan.
contract Deploy is Script {
    using PlanReader for Plan;

    error FactoryMissing(address factory);
    error NotCreated(string name, address account);
    error NoPlan(string path);

    /// @notice Deploys, or, without `--broadcast`, says what would be deployed.
    function run() external {
        string memory folder = vm.envOr("HYPHA_DEPLOYMENTS", string("deployments"));
        string memory path = vm.envOr("HYPHA_PLAN", string("deployments/plan.toml"));
        if (!vm.exists(path)) revert NoPlan(path);
        if (Blueprint.FACTORY.code.length == 0) revert FactoryMissing(Blueprint.FACTORY);
        Plan memory plan = PlanReader.read(path);
        Place memory place = plan.here();
        uint256 key = uint256(vm.envOr("HYPHA_KEY", bytes32(0)));
        address deployer = key == 0 ? msg.sender : vm.addr(key);
        console.log("chain %d (%s), deployed by %s", place.chainId, place.name, deployer);
        Part[] memory parts = Blueprint.partsOn(plan, place, deployer);
        uint256[] memory blocks = knownBlocks(folder, parts);

        if (key == 0) vm.startBroadcast();
        else vm.startBroadcast(key);
        for (uint256 i = 0; i < parts.length; ++i) {
            create(parts[i], Blueprint.salt(plan));
        }
        if (place.isHub) registerSpokes(plan, deployer, parts[parts.length - 1].account);
        vm.stopBroadcast();

        if (vm.isContext(VmSafe.ForgeContext.ScriptBroadcast)) {
            record(folder, plan, place, deployer, parts, blocks);
        }
    }

    // ---- contracts

    function create(Part memory part, bytes32 salt) private {
        if (part.account.code.length != 0) {
            console.log("%s stands at %s, kept", part.name, part.account);
            return;
        }
        console.log("%s at %s", part.name, part.account);
        (bool done,) = Blueprint.FACTORY.call(bytes.concat(salt, part.creation));
        if (!done || part.account.code.length == 0) revert NotCreated(part.name, part.account);
    }

    // ---- the hub and its spokes

    /// @dev Tells the hub of the spokes that it does not know: the first ones as its registrar, which works once. Later ones
    /// are governance's to register, so what governance has to call is printed.
    function registerSpokes(Plan memory plan, address deployer, address hub) private {
        (uint256[] memory chainIds, address[] memory spokes) = unknownSpokes(plan, deployer, hub);
        if (chainIds.length == 0) return;
        if (IRootHub(hub).registrar() == deployer) {
            console.log("the hub is told of %d spokes", chainIds.length);
            IRootHub(hub).registerFirstSpokes(chainIds, spokes);
            return;
        }
        console.log("governance has to call, at the hub %s:", hub);
        for (uint256 i = 0; i < chainIds.length; ++i) {
            console.logBytes(abi.encodeCall(IRootHub.registerSpoke, (chainIds[i], spokes[i])));
        }
    }

    function unknownSpokes(Plan memory plan, address deployer, address hub)
        private
        view
        returns (uint256[] memory chainIds, address[] memory spokes)
    {
        uint256 all = plan.places.length - 1;
        (chainIds, spokes) = (new uint256[](all), new address[](all));
        uint256 unknown = 0;
        for (uint256 i = 1; i <= all; ++i) {
            address spoke = Blueprint.verifier(plan, plan.places[i], deployer);
            if (IRootHub(hub).spokeOf(plan.places[i].chainId) == spoke) continue;
            (chainIds[unknown], spokes[unknown]) = (plan.places[i].chainId, spoke);
            ++unknown;
        }
        assembly ("memory-safe") {
            mstore(chainIds, unknown)
            mstore(spokes, unknown)
        }
    }

    // ---- the record

    /// @dev For each contract a block before which it was not there: the present one if it does not stand yet, else what an earlier
    /// run wrote, else 0.
    function knownBlocks(string memory folder, Part[] memory parts)
        private
        view
        returns (uint256[] memory blocks)
    {
        blocks = new uint256[](parts.length);
        string memory path = recordPath(folder);
        string memory earlier = vm.exists(path) ? vm.readFile(path) : "";
        for (uint256 i = 0; i < parts.length; ++i) {
            string memory key = string.concat(".contracts.", parts[i].name);
            if (parts[i].account.code.length == 0) {
                blocks[i] = vm.getBlockNumber();
            } else if (bytes(earlier).length != 0 && vm.keyExistsJson(earlier, key)) {
                address account = vm.parseJsonAddress(earlier, string.concat(key, ".address"));
                if (account != parts[i].account) continue;
                blocks[i] = vm.parseUint(vm.parseJsonString(earlier, string.concat(key, ".block")));
            }
        }
    }

    function record(
        string memory folder,
        Plan memory plan,
        Place memory place,
        address deployer,
        Part[] memory parts,
        uint256[] memory blocks
    ) private {
        string memory contracts = "";
        for (uint256 i = 0; i < parts.length; ++i) {
            string memory name = parts[i].name;
            vm.serializeAddress(name, "address", parts[i].account);
            vm.serializeBytes(name, "arguments", parts[i].arguments);
            vm.serializeString(name, "block", vm.toString(blocks[i]));
            string memory one = vm.serializeBytes32(name, "codeHash", parts[i].account.codehash);
            contracts = vm.serializeString("contracts", name, one);
        }
        vm.serializeString("chain", "chainId", vm.toString(place.chainId));
        vm.serializeString("chain", "name", place.name);
        vm.serializeString("chain", "role", place.isHub ? "hub" : "spoke");
        vm.serializeBool("chain", "attested", place.attested);
        vm.serializeAddress("chain", "deployer", deployer);
        vm.serializeString("chain", "salt", plan.salt);
        vm.createDir(folder, true);
        vm.writeJson(vm.serializeString("chain", "contracts", contracts), recordPath(folder));
    }

    function recordPath(string memory folder) private view returns (string memory) {
        return string.concat(folder, "/", vm.toString(block.chainid), ".json");
    }
}
