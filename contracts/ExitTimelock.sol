// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {MAX_PAUSE_SECONDS, PAUSE_SPACING_SECONDS} from "./BoundedPause.sol";
import {IExitTimelock} from "./interfaces/IHypha.sol";

/// @title The owner of all contracts: whoever dislikes what governance has scheduled can leave before it happens
/// @notice It has no administrator but itself, so its roles and its delay change only by what waited for the delay too.
contract ExitTimelock is TimelockController, IExitTimelock {
    /// @dev What a person needs beside what the windows and the pauses take: to hear of the change, to queue a request, to wait
    /// until it is final on two chains, and to hand in the proof. A week has every weekday, and days to spare for full blocks.
    uint256 private constant EXIT_SECONDS = 7 days;

    /// @inheritdoc IExitTimelock
    uint256 public immutable leastDelay;

    /// @param livenessWindow Of the hub whose contracts this owns, seconds.
    /// @param inclusionWindow Of that hub, seconds.
    /// @param delay How long everything waits at first, seconds.
    /// @param proposers Who may schedule and cancel.
    /// @param executors Who may execute what has waited; the zero address alone for everybody.
    constructor(
        uint64 livenessWindow,
        uint64 inclusionWindow,
        uint256 delay,
        address[] memory proposers,
        address[] memory executors
    ) TimelockController(delay, proposers, executors, address(0)) {
        if (proposers.length == 0) revert NoProposer();
        if (executors.length == 0) revert NoExecutor();
        uint256 windows = uint256(livenessWindow) + inclusionWindow;
        // A way out leads through the hub and two spokes at most (that of the note, and that of the money), and each can be paused in
        // its turn. No pause comes twice to one of them: of two so far apart no more than one pause's length falls into the delay.
        uint256 fixedPart = EXIT_SECONDS + 3 * MAX_PAUSE_SECONDS;
        uint256 maximum = PAUSE_SPACING_SECONDS + MAX_PAUSE_SECONDS - fixedPart;
        if (windows > maximum) revert WindowsTooLong(maximum, windows);
        leastDelay = fixedPart + windows;
        _checkDelay(delay);
    }

    /// @inheritdoc TimelockController
    function updateDelay(uint256 newDelay) public override {
        _checkDelay(newDelay);
        super.updateDelay(newDelay);
    }

    function _checkDelay(uint256 delay) private view {
        if (delay < leastDelay) revert DelayTooShort(leastDelay, delay);
    }
}
