// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// Every public name of the protocol in one self-contained file: `sol!` makes the Rust bindings from it
// (protocol/src/contracts.rs), so that nothing is copied by hand. The rules are in protocol/README.md and
// tree/README.md.

/// @notice An unspent note, addressed by its content: `resourceId = keccak256(abi.encode(resource))`.
/// @param domainId EIP-155 chain id of the chain the note belongs to.
/// @param owner The account whose signature spends it.
/// @param kind `keccak256(abi.encode(issuerChain, issuer, label))`; only the issuer brings units of it into being.
/// @param quantity Units of the kind, never zero.
/// @param data Free for applications; may be zero.
/// @param salt Makes the note unique; for outputs `keccak256(abi.encode(transferHash, index))`.
struct Resource {
    uint256 domainId;
    address owner;
    bytes32 kind;
    uint256 quantity;
    bytes32 data;
    bytes32 salt;
}

/// @notice A note that a transfer creates; its salt follows from the transfer.
struct Output {
    uint256 domainId;
    address owner;
    bytes32 kind;
    uint256 quantity;
    bytes32 data;
}

/// @notice Spends notes and creates notes, each kind in balance.
/// @param inputs 1 to 16 notes.
/// @param outputs 1 to 16 notes.
/// @param deadline Unix seconds; the hub refuses the transfer later. Of one in a queue it counted when it was queued, however long
/// after that it comes to the hub.
/// @param signatures One for each distinct owner among the inputs, in order of first appearance, 65 bytes each.
struct Transfer {
    Resource[] inputs;
    Output[] outputs;
    uint64 deadline;
    bytes[] signatures;
}

/// @notice Brings a note of the signer's own kind into being.
struct Issue {
    Resource resource;
    address issuer;
    bytes32 label;
    uint64 deadline;
    bytes signature;
}

/// @notice One step of the sequence of roots, as a spoke takes it.
/// @param operations Packed, canonical bytes (protocol/README.md); hashed into the batch chain.
/// @param witness The order of the touched keys and their multiproof; not hashed.
/// @param newRoot The root that the step must give.
struct Batch {
    bytes operations;
    bytes witness;
    bytes32 newRoot;
}

/// @notice What governance of a hub or spoke is built with. The owner should be a timelock whose delay is longer than the longest
/// pauses of the hub and two spokes, both windows and an exit together: `scripts/deploy` makes it so, and `hypha verify-deployment` checks it.
/// @param owner The timelock: changes what can be changed, thaws, arms the pause.
/// @param pauser May pause `applyBatch` or `advance` once for `pauseSeconds`; zero for nobody.
/// @param pauseSeconds How long a pause lasts, at most `MAX_PAUSE_SECONDS` (7 days).
/// @param requestFee What a request costs at first, in wei.
/// @param maxRequestFee The most that governance may ever ask for a request, in wei.
struct Governance {
    address owner;
    address pauser;
    uint64 pauseSeconds;
    uint128 requestFee;
    uint128 maxRequestFee;
}

/// @notice What the hub is built with.
/// @param governance Who governs it, and within which bounds.
/// @param registrar May register the first spokes, once; zero for nobody. Hub and spokes name each other, so they cannot be
/// registered at the hub's birth.
/// @param factVerifier Says whether a spoke applied a root or queued a request.
/// @param sequencers Accounts that may apply batches at any time.
/// @param livenessWindow Seconds after the last sequencer's batch that left no request overdue when anyone may apply one; not zero.
/// @param inclusionWindow Seconds after which a request must be resolved by the next batch; not zero.
/// @param nullifierCache Whether each nullifier is also marked in storage.
struct HubConfig {
    Governance governance;
    address registrar;
    address factVerifier;
    address[] sequencers;
    uint64 livenessWindow;
    uint64 inclusionWindow;
    bool nullifierCache;
}

/// @notice What a spoke is built with.
/// @param hubChainId EIP-155 chain id of the hub.
/// @param hub The hub contract.
/// @param governance Who governs it, and within which bounds.
/// @param factVerifier Says whether the hub asserted a root.
/// @param attested Whether `advanceAttested` is open and `advance` is not.
/// @param nullifierCache Whether each nullifier seen is also marked in storage.
/// @param index Checkpoint: the index to begin from, 0 for the empty tree.
/// @param root Checkpoint: the root at that index.
/// @param batchChain Checkpoint: the batch chain at that index.
struct SpokeConfig {
    uint256 hubChainId;
    address hub;
    Governance governance;
    address factVerifier;
    bool attested;
    bool nullifierCache;
    uint64 index;
    bytes32 root;
    bytes32 batchChain;
}

/// @title Why a multiproof is refused
/// @notice The names and the order of the checks are those of tree/README.md, in every language alike.
interface IProofErrors {
    error NoKeys();
    error ZeroRoot();
    error ZeroKey();
    error KeyRepeated(bytes32 key);
    error KeysNotAscending(uint256 index);
    error ProofLength(uint256 expected, uint256 actual);
    error TerminalMissing();
    error TerminalHeader(uint256 header);
    error DepthTooLarge(uint256 depth);
    error TerminalOverlap(uint256 index);
    error ClaimMismatch(uint256 index);
    error ForeignMissing();
    error ForeignOffPath(uint256 index);
    error ForeignIsTouched(uint256 index);
    error SiblingMissing();
    error SiblingIsEmpty(uint256 index);
    error TerminalUnused();
    error ForeignUnused();
    error SiblingUnused();
    error SiblingPadding();
    error RootMismatch(bytes32 expected, bytes32 actual);
    error EmptyValue();
}

/// @title Why an operation is refused
/// @notice The names and the order of the checks are those of protocol/README.md, in every language alike.
interface IOperationErrors {
    error OperationsLength(uint256 expected, uint256 actual);
    error OperationsTooLong(uint256 maximum, uint256 actual);
    error NoOperations();
    error UnknownOperation(uint256 tag);
    error InputCount(uint256 actual);
    error OutputCount(uint256 actual);
    error SignatureCount(uint256 expected, uint256 actual);
    error QuantityEncoding(uint256 header);
    error ZeroDomain();
    error ZeroOwner();
    error ZeroKind();
    error ZeroQuantity();
    error ZeroData();
    error ZeroSalt();
    error ZeroIssuer();
    error ZeroLabel();
    error QuantityOverflow(bytes32 kind);
    error Unbalanced(bytes32 kind, uint256 inputs, uint256 outputs);
    error SignatureMalleable();
    error SignatureParity(uint256 v);
    error SignerMismatch(address expected, address actual);
    error DeadlinePassed(uint64 deadline, uint256 timestamp);
    error UnknownDomain(uint256 domainId);
    error TooManyKeys(uint256 maximum, uint256 actual);
    error OrderLength(uint256 expected, uint256 actual);
    error OrderIndex(uint256 expected, uint256 actual);
    error OperationOrder(uint256 position);
    error ZeroNumber();
    error ZeroSender();
    error UnknownRequest(uint256 requestType);
    error RequestLength(uint256 expected, uint256 actual);
    error VoidReason(uint256 reason);
    error VoidPosition(uint256 count, uint256 position);
    error KnownDomain(uint256 domainId);
}

/// @title Ways in that need no coordinator: the queue of one chain, and what is common to all queues
interface IRequestQueue {
    /// @notice A request was queued; on a spoke this asserts the fact "request(number)". The content is here in full.
    /// @param requestType 3 for a transfer, 4 for an issue.
    /// @param content Packed (protocol/README.md): with `requestType` and `sender` all that was asked.
    event RequestQueued(
        uint64 indexed number, uint8 indexed requestType, address indexed sender, uint128 fee, bytes content
    );
    /// @notice A request of this chain's queue was resolved by a batch.
    /// @param executed False when it was void.
    event RequestResolved(uint256 indexed chainId, uint64 indexed number, bool indexed executed);
    /// @notice What a request costs was changed by governance.
    event RequestFeeSet(uint128 fee);
    /// @notice Fees were paid out.
    event FeesWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice A request was sent with another fee than it costs.
    error FeeMismatch(uint256 expected, uint256 actual);
    /// @notice Governance asks for more than the bound that it was built with.
    error FeeTooHigh(uint256 maximum, uint256 actual);
    /// @notice No fees are owed to the caller.
    error NothingOwed(address account);
    /// @notice The fees could not be paid to `to`.
    error PaymentFailed(address to);
    /// @notice This number is not that of the next request of its queue.
    error RequestNumber(uint256 chainId, uint64 expected, uint64 actual);
    /// @notice What the batch says of a request is not what was queued.
    error RequestMismatch(uint256 chainId, uint64 number, bytes32 expected, bytes32 actual);

    /// @notice Queues a transfer, packed (protocol/README.md): at most 4 inputs and 4 outputs, and no signature of the caller's for
    /// notes that it owns on this chain. Shape, sums, signatures and deadline are checked at once.
    /// @return number Of the request, from 1.
    function requestTransfer(bytes calldata content) external payable returns (uint64 number);
    /// @notice Queues an issue of the caller's own kind, `keccak256(abi.encode(block.chainid, msg.sender, label))`.
    /// @return number Of the request, from 1.
    /// @return resourceId Of the note that will be, when the request is executed.
    function requestIssue(uint256 domainId, address owner, uint256 quantity, bytes32 data, bytes32 label)
        external
        payable
        returns (uint64 number, bytes32 resourceId);
    /// @notice What a request costs now, in wei.
    function requestFee() external view returns (uint128);
    /// @notice The most that a request can ever cost, in wei.
    function maxRequestFee() external view returns (uint128);
    /// @notice How many requests this chain has queued.
    function requestCount() external view returns (uint64);
    /// @notice The greatest number of this chain's queue that this contract has seen resolved (on an attested spoke always 0),
    /// also by batches that a thaw has taken back since.
    function requestsResolved() external view returns (uint64);
    /// @notice The hash of a request of this chain's queue (protocol/README.md); zero where there is none.
    function requestHash(uint64 number) external view returns (bytes32);
    /// @notice Fees owed to an account: to whoever sent the transaction that resolved requests here (on an attested spoke, that
    /// carried the next root here).
    function feesOf(address account) external view returns (uint256);
    /// @notice Pays the caller's fees to `to`.
    function withdrawFees(address to) external;
    /// @notice Governance: changes what a request costs.
    function setRequestFee(uint128 fee) external;
}

/// @title A bounded brake: stops new roots for a while, and never requests, proofs, confirmations, freezes or payments
interface IPausable {
    /// @notice New roots are refused until `until` (Unix seconds).
    event PausedUntil(uint64 until);
    /// @notice The pauser may pause once (again).
    event PauseArmed(address indexed pauser);

    /// @notice New roots are refused until `until` (Unix seconds).
    error Paused(uint64 until);
    /// @notice The caller is not the pauser.
    error NotPauser(address caller);
    /// @notice The pauser has paused already; only governance can arm it again.
    error PauseSpent();
    /// @notice A pause ended not long ago: the next may begin at `earliest` (Unix seconds), `PAUSE_SPACING_SECONDS` (30 days) later.
    error PauseTooSoon(uint256 earliest);
    /// @notice Built with a longer pause than is ever allowed.
    error PauseTooLong(uint64 maximum, uint64 actual);

    /// @notice Who may pause, zero for nobody.
    function pauser() external view returns (address);
    /// @notice How long a pause lasts, seconds.
    function pauseSeconds() external view returns (uint64);
    /// @notice Until when new roots are refused, Unix seconds; in the past when they are not.
    function pausedUntil() external view returns (uint64);
    /// @notice Whether the pauser may pause.
    function pauseArmed() external view returns (bool);
    /// @notice The pauser: refuses new roots for `pauseSeconds`. Works once, until governance arms it again.
    function pause() external;
    /// @notice The pauser or governance: ends the pause.
    function unpause() external;
    /// @notice Governance: names the pauser and lets it pause once.
    function armPause(address pauser) external;
}

/// @title What hub and spokes have in common: one sequence of roots, and proofs against it
interface IRootVerifier {
    /// @notice The root moved from `oldRoot` to `newRoot`, which has number `index`. On a spoke this asserts the fact
    /// "applied(index)".
    event RootUpdated(bytes32 indexed oldRoot, bytes32 indexed newRoot, uint64 indexed index);
    /// @notice The fact verifier was changed by governance.
    event FactVerifierSet(address indexed factVerifier);

    /// @notice Built or called with zero where zero is never valid.
    error ZeroAddress();
    /// @notice This contract was built for another chain id than the one it now runs on.
    error ChainIdMismatch(uint256 expected, uint256 actual);
    /// @notice The index does not follow the one held. On a spoke a gap: try again when the batches between are there.
    error IndexMismatch(uint64 expected, uint64 actual);
    /// @notice The walk gives another root than the one named.
    error NewRootMismatch(bytes32 expected, bytes32 actual);
    /// @notice No root is held for this index (never applied, skipped, or dropped from the ring).
    error UnknownIndex(uint64 index);
    /// @notice No nullifier cache on this chain, or it has not seen every batch.
    error NoNullifierCache();
    /// @notice This contract is frozen from this index on.
    error Frozen(uint64 index);

    /// @notice EIP-155 chain id of the hub.
    function hubChainId() external view returns (uint256);
    /// @notice The hub contract: verifying contract of every signature on every chain.
    function hub() external view returns (address);
    /// @notice EIP-712 domain separator of the operations' signatures: that of the hub, on every chain.
    function domainSeparator() external view returns (bytes32);
    /// @notice The latest root.
    function stateRoot() external view returns (bytes32);
    /// @notice The number of the latest root; 0 is the empty tree.
    function index() external view returns (uint64);
    /// @notice The batch chain at `atIndex`; zero where none is held.
    function batchChain(uint64 atIndex) external view returns (bytes32);
    /// @notice The root with number `atIndex`. Reverts with `UnknownIndex` where none is held.
    function rootAt(uint64 atIndex) external view returns (bytes32);
    /// @notice Whether this chain holds `root` and, frozen, held it before. Never true for zero.
    function isKnownRoot(bytes32 root) external view returns (bool);
    /// @notice Says whether a fact happened on another chain.
    function factVerifier() external view returns (address);

    /// @notice Whether `key` holds `value` under `root`: false when the root is not known; a proof that does not
    /// hold reverts with its reason (`IProofErrors`).
    /// @param value The value itself, never empty.
    /// @param proof A multiproof of this one key.
    function verifyProof(bytes32 root, bytes32 key, bytes calldata value, bytes calldata proof)
        external
        view
        returns (bool);
    /// @notice Whether `key` is absent under `root`: false when the root is not known; a proof that does not hold
    /// reverts with its reason. Absence is as of that root only.
    function verifyAbsence(bytes32 root, bytes32 key, bytes calldata proof) external view returns (bool);
    /// @notice The key of `key` in a domain: `keccak256(abi.encodePacked(domainId, key))`.
    function getNamespacedKey(uint256 domainId, bytes32 key) external pure returns (bytes32);
    /// @notice The value of `key` in a domain at the latest root, empty when it is proved absent.
    /// @param proof `abi.encode(bytes value, bytes multiproof)`, the value empty to prove absence.
    function getDomainState(uint256 domainId, bytes32 key, bytes calldata proof)
        external
        view
        returns (bytes memory);
    /// @notice Whether `nullifier` is spent at the latest root. The proof shows either; one that does not hold
    /// reverts and never means "unspent".
    function isNullifierSpent(bytes32 nullifier, bytes calldata proof) external view returns (bool);
    /// @notice Whether this chain has marked `nullifier`. Reverts with `NoNullifierCache` where it cannot know.
    function isNullifierSpent(bytes32 nullifier) external view returns (bool);
}

/// @title The hub: takes batches from sequencers, and confirmations from the spokes
interface IRootHub {
    /// @notice A batch was accepted; asserts the fact "root(index)". The operations are here in full, so anyone can
    /// rebuild the whole tree from these events.
    event BatchApplied(uint64 indexed index, bytes32 indexed root, bytes32 batchChain, bytes operations);
    /// @notice Notes were spent by the batch with number `index`, in the order of its operations. A batch that spends none has no
    /// such event.
    event NullifiersMarked(uint64 indexed index, bytes32[] nullifiers);
    /// @notice A note came into being. A wallet finds its notes by their owner, and what they hold in the `BatchApplied` before.
    event ResourceCreated(bytes32 resourceId, address indexed owner);
    /// @notice Every index up to and including `index` is applied on the spoke of `chainId`.
    event Confirmed(uint256 indexed chainId, uint64 indexed index, bytes32 root);
    /// @notice The spoke of `chainId` asserted another root than the hub's for `index`.
    event Diverged(uint256 indexed chainId, uint64 indexed index, bytes32 expected, bytes32 actual);
    /// @notice A spoke was registered.
    event SpokeRegistered(uint256 indexed chainId, address indexed spoke);
    /// @notice A request of any chain, the hub's own as well, has come to the hub's queue.
    /// @param position In that queue, from 0; batches resolve it in this order.
    /// @param dueAt When a batch must resolve it at the latest, Unix seconds.
    event RequestEnqueued(
        uint256 indexed chainId,
        uint64 indexed number,
        uint64 position,
        uint64 dueAt,
        uint8 requestType,
        address sender,
        bytes content
    );
    /// @notice A sequencer was allowed or disallowed.
    event SequencerSet(address indexed sequencer, bool allowed);

    /// @notice The caller is no sequencer, and a sequencer's batch that left no request overdue came within the liveness window,
    /// which ends at `opensAt` (Unix seconds).
    error NotSequencer(address caller, uint256 opensAt);
    /// @notice Somebody who is no sequencer applied a batch a short while ago, so it is the sequencers' turn until `until` (Unix
    /// seconds): whoever is quicker could otherwise hold an open window open. While a request is overdue the turn is 1/1024 of
    /// the liveness window, which is none at all of a window below 1,024 seconds, and else an eighth.
    error SequencersTurn(uint256 until);
    /// @notice Operations and witness of the batch are longer, in bytes, than a transaction to a spoke could carry.
    error BatchTooLong(uint256 maximum, uint256 actual);
    /// @notice The batch leaves this request unresolved though it is due since `dueAt` (Unix seconds).
    error RequestDue(uint256 chainId, uint64 number, uint256 dueAt);
    /// @notice The batch resolves more requests than are queued.
    error QueueEmpty(uint256 chainId, uint64 number);
    /// @notice The next request of the hub's queue is another one than the batch resolves.
    error RequestOrder(
        uint256 expectedChainId, uint64 expectedNumber, uint256 actualChainId, uint64 actualNumber
    );
    /// @notice The first spokes come with another number of chains than of spokes.
    error SpokeCount(uint256 expected, uint256 actual);
    /// @notice The caller is not the registrar, or the first spokes are registered already.
    error NotRegistrar(address caller);
    /// @notice A window of zero seconds.
    error ZeroWindow();
    /// @notice No spoke is registered for this chain.
    error UnknownSpoke(uint256 chainId);
    /// @notice A spoke is registered for this chain already, or this is the hub's own chain.
    error SpokeExists(uint256 chainId);

    /// @notice Seconds after the last sequencer's batch that left no request overdue when anyone may apply one.
    function livenessWindow() external view returns (uint64);
    /// @notice Seconds after which a request must be resolved by the next batch.
    function inclusionWindow() external view returns (uint64);
    /// @notice How many requests have come to the hub's queue, and how many of them are resolved.
    function queue() external view returns (uint64 enqueued, uint64 resolved);
    /// @notice The request at a position of the hub's queue that is not resolved.
    /// @return chainId Of its queue.
    /// @return number In its queue.
    /// @return dueAt When a batch must resolve it at the latest, Unix seconds; sooner while the liveness window is open.
    /// @return hash Of the request (protocol/README.md); zero when it is resolved or not there.
    function queuedAt(uint64 position)
        external
        view
        returns (uint256 chainId, uint64 number, uint64 dueAt, bytes32 hash);
    /// @notice The greatest number of a chain's queue that has come to the hub.
    function enqueuedNumber(uint256 chainId) external view returns (uint64);
    /// @notice Time of the last sequencer's batch that left no request overdue, Unix seconds: from it the liveness window runs.
    function lastSequencedAt() external view returns (uint64);
    /// @notice Whether `account` may apply batches at any time.
    function isSequencer(address account) external view returns (bool);
    /// @notice The spoke of a chain, zero when none is registered.
    function spokeOf(uint256 chainId) external view returns (address);
    /// @notice Chain ids of all registered spokes, in order of registration.
    function spokeChains() external view returns (uint256[] memory);
    /// @notice Highest index confirmed by the spoke of a chain.
    function confirmedIndex(uint256 chainId) external view returns (uint64);

    /// @notice Applies a batch: verifies every operation against the held root and moves to `newRoot`.
    /// @param batchIndex The held index + 1.
    /// @param operations Packed operations (protocol/README.md).
    /// @param witness Order of the touched keys, then their multiproof.
    /// @param newRoot The root that the walk must give.
    function applyBatch(uint64 batchIndex, bytes calldata operations, bytes calldata witness, bytes32 newRoot)
        external;
    /// @notice Takes home the fact that the spoke of `chainId` applied `atIndex` with `root`. A lower index than
    /// already confirmed does nothing; another root than the hub's emits `Diverged` and changes nothing.
    function confirm(uint256 chainId, uint64 atIndex, bytes32 root, bytes calldata factProof) external;

    /// @notice Takes a spoke's next request into the hub's queue, on the fact that it was queued there. One that is there already
    /// does nothing.
    function enqueueRemote(
        uint256 chainId,
        uint64 number,
        uint8 requestType,
        address sender,
        bytes calldata content,
        bytes calldata factProof
    ) external;

    /// @notice Who may still register the first spokes, zero when nobody may.
    function registrar() external view returns (address);
    /// @notice The registrar: registers the first spokes, once.
    function registerFirstSpokes(uint256[] calldata chainIds, address[] calldata spokes) external;
    /// @notice Governance: registers the spoke of a chain, once.
    function registerSpoke(uint256 chainId, address spoke) external;
    /// @notice Governance: allows or disallows a sequencer.
    function setSequencer(address sequencer, bool allowed) external;
    /// @notice Governance: changes what verifies facts.
    function setFactVerifier(address factVerifier) external;
}

/// @title A spoke: follows the hub, verifying each batch again from the root it holds
interface IRootSpoke {
    /// @notice This spoke stopped: from `index` on no root is known until governance thaws it.
    event FrozenAt(uint64 indexed index);
    /// @notice Roots from `fromIndex` on that an earlier history held are no longer known; the present one is not touched.
    event RootsWithdrawn(uint64 indexed fromIndex);
    /// @notice As `RootUpdated`, for an index for which this spoke may have asserted another root before a thaw. Asserts
    /// nothing: facts are asserted once.
    event RootRestored(bytes32 indexed oldRoot, bytes32 indexed newRoot, uint64 indexed index);
    /// @notice Governance installed a root that the hub asserts.
    event Thawed(uint64 indexed index, bytes32 root, bytes32 batchChain);

    /// @notice A checkpoint at index 0 is not the empty tree with the hub's genesis batch chain.
    error HubMismatch(uint64 toIndex);
    /// @notice `advance` on an attested spoke, or `advanceAttested` on a verifying one.
    error WrongMode();
    /// @notice The batches do not end at `toIndex` or there are none.
    error BatchCount(uint256 count);
    /// @notice What is reported agrees with what this spoke holds, so there is no reason to freeze.
    error NoDivergence();
    /// @notice Thawing a spoke that is not frozen.
    error NotFrozen();

    /// @notice Whether this spoke takes attested roots without their batches.
    function attested() external view returns (bool);
    /// @notice The index from which on nothing is known, or 2^64 - 1 when this spoke is not frozen.
    function frozenAt() external view returns (uint64);

    /// @notice Applies batches up to `toIndex`, each verified from the held root, on the fact that the hub asserts
    /// exactly the root and batch chain they end in. Batches that are already applied are skipped; when all are, nothing happens.
    /// @param batches The last of them has number `toIndex`, the others follow one another before it.
    function advance(Batch[] calldata batches, uint64 toIndex, bytes calldata factProof) external;
    /// @notice Attested mode: moves to `toIndex` on the hub's fact alone, any number of indexes skipped. An applied
    /// index with another root or chain freezes; an older one does nothing.
    function advanceAttested(uint64 toIndex, bytes32 root, bytes32 chain, bytes calldata factProof) external;
    /// @notice Freezes on the fact that the hub asserted another root or batch chain for an index applied here.
    function freezeOnDivergence(uint64 atIndex, bytes32 root, bytes32 chain, bytes calldata factProof)
        external;
    /// @notice Freezes on the attestors' statement that the hub asserted two values for the root at `atIndex`.
    function freezeOnConflict(uint64 atIndex, bytes32 first, bytes32 second, bytes calldata conflictProof)
        external;
    /// @notice Governance: freezes from `atIndex` on, where evidence cannot: a batch that this chain cannot take, or an index
    /// that the hub will never reach.
    function freeze(uint64 atIndex) external;
    /// @notice Governance: installs a root that the hub asserts, not below what is still known, and lifts the freeze. What
    /// the freeze withdrew stays unknown.
    function thaw(uint64 toIndex, bytes32 root, bytes32 chain, bytes calldata factProof) external;
    /// @notice Governance: changes what verifies facts.
    function setFactVerifier(address factVerifier) external;
}

/// @title One question, which every transport answers
interface IFactVerifier {
    /// @notice Returns when, at a final block of `srcChain`, the contract `emitter` asserted `key = value`; reverts
    /// when the proof does not show it. Facts are monotone: once asserted, asserted for ever.
    /// @return srcBlock The block that first asserted it.
    /// @return srcTime That block's Unix time in seconds.
    function verifyFact(uint256 srcChain, address emitter, bytes32 key, bytes32 value, bytes calldata proof)
        external
        view
        returns (uint64 srcBlock, uint64 srcTime);
}

/// @title Facts by a threshold of attestors
/// @notice A proof is `setId (uint64) ‖ blockNumber (uint64) ‖ blockHash (bytes32) ‖ blockTime (uint64) ‖ k × 65 bytes` of
/// EIP-712 signatures, signers strictly ascending, exactly `k`; a conflict proof is `setId (uint64) ‖ k × 65 bytes`.
interface IAttestedFacts {
    /// @notice A set of attestors was installed; the one before is good until `previousExpiresAt` (Unix seconds).
    event AttestorsSet(
        uint64 indexed setId,
        address[] attestors,
        uint64 threshold,
        uint64 expiresAt,
        uint64 previousExpiresAt
    );

    error ZeroFact();
    error AttestorsNotAscending(uint256 index);
    error AttestorCount(uint256 actual);
    error ThresholdNotMajority(uint256 threshold, uint256 attestors);
    error UnknownSet(uint64 setId);
    error SetReplaced(uint64 setId, uint64 currentSetId);
    error SetExpired(uint64 setId, uint64 expiresAt, uint256 timestamp);
    error FactProofLength(uint256 expected, uint256 actual);
    error SignersNotAscending(uint256 index);
    error NotAttestor(address signer);
    error ValuesEqual();

    /// @notice EIP-712 domain separator of the statements for this contract on this chain (recomputed on a fork).
    function domainSeparator() external view returns (bytes32);
    /// @notice The number of the latest set; the first is 1.
    function currentSetId() external view returns (uint64);
    /// @notice The attestors of a set in ascending order, how many must sign, and until when (Unix seconds).
    function attestorsOf(uint64 setId)
        external
        view
        returns (address[] memory attestors, uint64 threshold, uint64 expiresAt);
    /// @notice Returns when the threshold of a set signed that `emitter` asserted both `first` and `second` for `key`.
    /// Either may come first: what is signed has them in ascending order.
    function verifyConflict(
        uint256 srcChain,
        address emitter,
        bytes32 key,
        bytes32 first,
        bytes32 second,
        bytes calldata proof
    ) external view;
    /// @notice Governance: installs the next set; the one before expires at `previousExpiresAt`, or at its own expiry
    /// if that is earlier, and all before that one are good no longer.
    function setAttestors(
        address[] calldata attestors,
        uint64 threshold,
        uint64 expiresAt,
        uint64 previousExpiresAt
    ) external;
}

/// @title The owner of all contracts: a timelock that is slower than the slowest way out
interface IExitTimelock {
    /// @notice A delay in which not everybody could leave.
    error DelayTooShort(uint256 minimum, uint256 actual);
    /// @notice Both windows together, in seconds, are so long that one contract could be paused twice in the least delay.
    error WindowsTooLong(uint256 maximum, uint256 actual);
    /// @notice Built with nobody who may schedule: nothing could ever be governed.
    error NoProposer();
    /// @notice Built with nobody who may execute: nothing could ever be governed.
    error NoExecutor();

    /// @notice The delay is never shorter: the longest pauses of the hub and two spokes, both windows of the hub and an exit together, seconds.
    function leastDelay() external view returns (uint256);
}
