// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

/// @notice One chain of a plan.
struct Place {
    uint256 chainId;
    string name;
    bool isHub;
    bool attested;
    bool nullifierCache;
}

/// @notice What is to be deployed: the file that `hypha deploy --help` shows, and whose fields these are.
/// @param owner A bare owner, who waits for nothing; zero where `proposers` and `executors` govern through a timelock.
/// @param places All chains, the hub first.
struct Plan {
    address owner;
    address[] proposers;
    address[] executors;
    uint256 delay;
    address pauser;
    uint64 pauseSeconds;
    address[] sequencers;
    uint64 livenessWindow;
    uint64 inclusionWindow;
    uint128 requestFee;
    uint128 maxRequestFee;
    address[] attestors;
    uint64 threshold;
    uint64 attestorsExpireAt;
    string salt;
    Place[] places;
}

/// @title Reads a plan, with the same defaults as `hypha deploy`
library PlanReader {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NeitherOrBothOfOwnerAndGovernance();
    error ChainNotInThePlan(uint256 chainId);
    error NumberTooLarge(string key, uint256 maximum, uint256 actual);

    /// @notice The plan in a TOML file.
    function read(string memory path) internal view returns (Plan memory plan) {
        string memory toml = VM.readFile(path);
        plan.pauser = addressOr(toml, ".pauser", address(0));
        plan.pauseSeconds = numberOr(toml, ".pause_seconds", 3 days);
        plan.sequencers = VM.parseTomlAddressArray(toml, ".sequencers");
        plan.livenessWindow = number(toml, ".liveness_window_s");
        plan.inclusionWindow = numberOr(toml, ".inclusion_window_s", 1 days);
        plan.requestFee = numberOr(toml, ".request_fee_wei", 0.001 ether);
        plan.maxRequestFee = numberOr(toml, ".max_request_fee_wei", 0.01 ether);
        plan.attestors = ascending(VM.parseTomlAddressArray(toml, ".attestors"));
        plan.threshold = number(toml, ".threshold");
        plan.attestorsExpireAt = number(toml, ".attestors_expire_at");
        if (VM.keyExistsToml(toml, ".salt")) plan.salt = VM.parseTomlString(toml, ".salt");
        readOwner(plan, toml);
        readPlaces(plan, toml);
    }

    /// @notice The chain of the plan on which this runs.
    function here(Plan memory plan) internal view returns (Place memory) {
        for (uint256 i = 0; i < plan.places.length; ++i) {
            if (plan.places[i].chainId == block.chainid) return plan.places[i];
        }
        revert ChainNotInThePlan(block.chainid);
    }

    function readOwner(Plan memory plan, string memory toml) private view {
        plan.owner = addressOr(toml, ".owner", address(0));
        if (VM.keyExistsToml(toml, ".governance") == (plan.owner != address(0))) {
            revert NeitherOrBothOfOwnerAndGovernance();
        }
        if (plan.owner != address(0)) return;
        plan.proposers = VM.parseTomlAddressArray(toml, ".governance.proposers");
        plan.delay = number(toml, ".governance.delay_s");
        if (VM.keyExistsToml(toml, ".governance.executors")) {
            plan.executors = VM.parseTomlAddressArray(toml, ".governance.executors");
        }
        // Nobody named means everybody, which the timelock knows by the zero address.
        if (plan.executors.length == 0) plan.executors = new address[](1);
    }

    function readPlaces(Plan memory plan, string memory toml) private view {
        uint256 spokes = 0;
        while (VM.keyExistsToml(toml, spokeKey(spokes))) ++spokes;
        plan.places = new Place[](1 + spokes);
        plan.places[0] = readPlace(toml, ".hub");
        plan.places[0].isHub = true;
        for (uint256 i = 0; i < spokes; ++i) {
            plan.places[1 + i] = readPlace(toml, spokeKey(i));
        }
    }

    function readPlace(string memory toml, string memory key) private view returns (Place memory place) {
        place.chainId = number(toml, string.concat(key, ".chain_id"));
        place.name = VM.parseTomlString(toml, string.concat(key, ".name"));
        place.attested = flag(toml, string.concat(key, ".attested"));
        place.nullifierCache = flag(toml, string.concat(key, ".nullifier_cache"));
    }

    function spokeKey(uint256 position) private pure returns (string memory) {
        return string.concat(".spokes[", VM.toString(position), "]");
    }

    function flag(string memory toml, string memory key) private view returns (bool) {
        return VM.keyExistsToml(toml, key) && VM.parseTomlBool(toml, key);
    }

    function addressOr(string memory toml, string memory key, address otherwise)
        private
        view
        returns (address)
    {
        return VM.keyExistsToml(toml, key) ? VM.parseTomlAddress(toml, key) : otherwise;
    }

    function numberOr(string memory toml, string memory key, uint64 otherwise) private view returns (uint64) {
        return VM.keyExistsToml(toml, key) ? number(toml, key) : otherwise;
    }

    function number(string memory toml, string memory key) private pure returns (uint64) {
        uint256 value = VM.parseTomlUint(toml, key);
        if (value > type(uint64).max) revert NumberTooLarge(key, type(uint64).max, value);
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint64(value);
    }

    /// @dev The contract takes its first set in this order only.
    function ascending(address[] memory accounts) private pure returns (address[] memory) {
        for (uint256 i = 1; i < accounts.length; ++i) {
            for (uint256 j = i; j > 0 && accounts[j] < accounts[j - 1]; --j) {
                (accounts[j], accounts[j - 1]) = (accounts[j - 1], accounts[j]);
            }
        }
        return accounts;
    }
}
