// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Governance, IRequestQueue} from "./interfaces/IHypha.sol";
import {Ids} from "./libraries/Ids.sol";
import {Operations} from "./libraries/Operations.sol";
import {RootVerifier} from "./RootVerifier.sol";

/// @title Ways in that need no coordinator: the queue of this chain, and the fees for it
/// @notice The queue has no bound but its gas and its fee. Whoever applies the batch that resolves a request has its fee, so one who
/// fills the queue and empties it again pays gas alone.
abstract contract RequestQueue is Ownable2Step, RootVerifier, IRequestQueue {
    /// @dev A request as it is queued; the content is beside it.
    struct Request {
        uint256 chainId;
        uint64 number;
        uint8 requestType;
        address sender;
        bytes32 hash;
    }

    uint8 private constant TRANSFER = uint8(Operations.TAG_QUEUED_TRANSFER);
    uint8 private constant ISSUE = uint8(Operations.TAG_QUEUED_ISSUE);

    /// @inheritdoc IRequestQueue
    uint128 public immutable maxRequestFee;
    /// @dev On an attested spoke, whether there are fees that the next root's bearer is owed; read with the fact verifier.
    bool internal _feesWait;
    /// @inheritdoc IRequestQueue
    uint128 public requestFee;
    /// @inheritdoc IRequestQueue
    uint64 public requestCount;
    /// @dev Up to here the fees have been credited.
    uint64 internal _creditedNumber;
    /// @inheritdoc IRequestQueue
    mapping(uint64 number => bytes32) public requestHash;
    /// @dev The sum of the fees of all requests up to a number, so that a number which a thaw skipped is paid with the next.
    mapping(uint64 number => uint256) private _feesUpTo;
    /// @inheritdoc IRequestQueue
    mapping(address account => uint256) public feesOf;

    constructor(Governance memory governance) {
        maxRequestFee = governance.maxRequestFee;
        _setRequestFee(governance.requestFee);
    }

    /// @inheritdoc IRequestQueue
    function requestTransfer(bytes calldata content) external payable onHomeChain returns (uint64 number) {
        Operations.Rules memory rules = _rules();
        rules.deadlines = true;
        Request memory request = _next(TRANSFER);
        request.hash = _checkContent(request, content, rules);
        _queue(request, content);
        return request.number;
    }

    /// @inheritdoc IRequestQueue
    function requestIssue(uint256 domainId, address holder, uint256 quantity, bytes32 data, bytes32 label)
        external
        payable
        onHomeChain
        returns (uint64 number, bytes32 resourceId)
    {
        Request memory request = _next(ISSUE);
        number = request.number;
        bytes32 salt = Ids.requestedSalt(block.chainid, address(this), number);
        bytes memory content = Operations.packIssue(label, domainId, holder, quantity, data, salt);
        _checkDomain(domainId);
        request.hash = Ids.requestHash(ISSUE, keccak256(content), msg.sender);
        _queue(request, content);
        bytes32 kind = Ids.contractKind(block.chainid, msg.sender, label);
        resourceId = keccak256(abi.encode(domainId, holder, kind, quantity, data, salt));
    }

    /// @inheritdoc IRequestQueue
    function withdrawFees(address to) external onHomeChain {
        uint256 amount = feesOf[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        if (to == address(0)) revert ZeroAddress();
        feesOf[msg.sender] = 0;
        emit FeesWithdrawn(msg.sender, to, amount);
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentFailed(to);
    }

    /// @inheritdoc IRequestQueue
    function setRequestFee(uint128 fee) external onHomeChain onlyOwner {
        _setRequestFee(fee);
    }

    /// @inheritdoc IRequestQueue
    function requestsResolved() external view virtual returns (uint64) {
        return _creditedNumber;
    }

    /// @dev Credits the caller with the fees of all requests up to `number` that nobody has had.
    function _credit(uint64 number) internal {
        uint64 credited = _creditedNumber;
        if (number == credited) return;
        _creditedNumber = number;
        feesOf[msg.sender] += _feesUpTo[number] - _feesUpTo[credited];
    }

    /// @dev Whether a note may be created for a domain; the hub alone knows.
    function _checkDomain(uint256 domainId) internal view virtual {}

    /// @dev A request was queued here.
    function _queued(Request memory request, bytes memory content) internal virtual {}

    function _checkContent(Request memory request, bytes calldata content, Operations.Rules memory rules)
        internal
        view
        returns (bytes32 hash)
    {
        return Operations.checkRequest(content, request.requestType, request.chainId, request.sender, rules);
    }

    function _next(uint8 requestType) private view returns (Request memory) {
        return Request(block.chainid, requestCount + 1, requestType, msg.sender, 0);
    }

    function _queue(Request memory request, bytes memory content) private {
        uint128 fee = requestFee;
        if (msg.value != fee) revert FeeMismatch(fee, msg.value);
        uint64 number = request.number;
        requestCount = number;
        requestHash[number] = request.hash;
        _feesUpTo[number] = _feesUpTo[number - 1] + fee;
        emit RequestQueued(number, request.requestType, request.sender, fee, content);
        _queued(request, content);
    }

    function _setRequestFee(uint128 fee) private {
        if (fee > maxRequestFee) revert FeeTooHigh(maxRequestFee, fee);
        requestFee = fee;
        emit RequestFeeSet(fee);
    }
}
