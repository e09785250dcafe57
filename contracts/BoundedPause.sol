// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Governance, IPausable} from "./interfaces/IHypha.sol";
import {RootVerifier} from "./RootVerifier.sol";

/// @dev The longest pause. The delay of governance is longer (`ExitTimelock`), so whatever it schedules can be fled from though
/// new roots are stopped.
uint64 constant MAX_PAUSE_SECONDS = 7 days;
/// @dev The least time from the end of a pause to the next one. Calls of governance that arm the pause can be kept ready, so arming
/// alone would let pauses follow one another; between two there is time for a whole way out (`ExitTimelock`).
uint64 constant PAUSE_SPACING_SECONDS = 30 days;

/// @title A bounded brake: stops new roots for a while, and nothing else
abstract contract BoundedPause is Ownable2Step, RootVerifier, IPausable {
    /// @inheritdoc IPausable
    uint64 public immutable pauseSeconds;
    /// @inheritdoc IPausable
    address public pauser;
    /// @inheritdoc IPausable
    bool public pauseArmed;

    modifier whenNotPaused() {
        _checkNotPaused();
        _;
    }

    constructor(Governance memory governance) {
        if (governance.pauseSeconds > MAX_PAUSE_SECONDS) {
            revert PauseTooLong(MAX_PAUSE_SECONDS, governance.pauseSeconds);
        }
        pauseSeconds = governance.pauseSeconds;
        _arm(governance.pauser);
    }

    /// @inheritdoc IPausable
    function pause() external onHomeChain {
        if (msg.sender != pauser) revert NotPauser(msg.sender);
        if (!pauseArmed) revert PauseSpent();
        uint256 earliest = uint256(_pausedUntil) + PAUSE_SPACING_SECONDS;
        if (block.timestamp < earliest) revert PauseTooSoon(earliest);
        pauseArmed = false;
        _pauseUntil(uint64(block.timestamp) + pauseSeconds);
    }

    /// @inheritdoc IPausable
    function unpause() external onHomeChain {
        if (msg.sender != pauser && msg.sender != owner()) revert NotPauser(msg.sender);
        if (block.timestamp < _pausedUntil) _pauseUntil(uint64(block.timestamp));
    }

    /// @inheritdoc IPausable
    function armPause(address pauser_) external onHomeChain onlyOwner {
        _arm(pauser_);
    }

    /// @inheritdoc IPausable
    function pausedUntil() external view returns (uint64) {
        return _pausedUntil;
    }

    function _checkNotPaused() private view {
        if (block.timestamp < _pausedUntil) revert Paused(_pausedUntil);
    }

    function _arm(address pauser_) private {
        pauser = pauser_;
        pauseArmed = pauser_ != address(0);
        emit PauseArmed(pauser_);
    }

    function _pauseUntil(uint64 until) private {
        _pausedUntil = until;
        emit PausedUntil(until);
    }
}
