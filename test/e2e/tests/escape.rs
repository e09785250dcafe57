//! What a person does without a coordinator: value goes in, moves and comes out by requests and batches of his own. And what a
//! censor cannot do: leave out a request that is due.

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{SolCall, SolEvent};
use hypha_e2e::{Account, ChainInfo, Devnet, FINALIZED_WITHIN, Finished, Ledger, Rpc, User, wait_until};
use hypha_protocol::contracts::{IRequestQueue, IRootHub, IRootVerifier};
use hypha_protocol::ids::kind_of;
use hypha_protocol::operations::{Operation, decode_request, encode_operations};
use hypha_protocol::replay::Replica;
use serde_json::{Value, json};

/// Seconds after the last sequencer's batch when anyone may apply one; the test turns the hub's clock.
const WINDOW_S: u64 = 3_600;
/// After a batch of anyone it is the sequencers' turn for an eighth of that.
const TURN_S: u64 = WINDOW_S / 8;
/// Seconds that `hypha escape apply --wait` is left to wait.
const LEFT_S: u64 = 10;
/// Seconds after which a request must be in the next batch.
const DUE: &str = "3";
/// Units that are put in.
const AMOUNT: &str = "1000";
/// `hypha escape apply` before its time.
const TOO_EARLY: Option<i32> = Some(7);

fn json_of(finished: &Finished) -> Value {
    assert_eq!(finished.status, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn fee(chain: &ChainInfo) -> String {
    Rpc::new(&chain.rpc).call(chain.verifier, IRequestQueue::requestFeeCall {}, None).to_string()
}

fn index(chain: &ChainInfo) -> u64 {
    Rpc::new(&chain.rpc).call(chain.verifier, IRootVerifier::indexCall {}, None)
}

fn wait_enqueued(hub: &ChainInfo, chain_id: u64, number: u64) {
    let call = || IRootHub::enqueuedNumberCall { chainId: U256::from(chain_id) };
    wait_until("the request is in the hub's queue", FINALIZED_WITHIN, || {
        (Rpc::new(&hub.rpc).call(hub.verifier, call(), None) == number).then_some(())
    });
}

fn wait_index(chain: &ChainInfo, expected: u64) {
    wait_until("the spoke holds the index", FINALIZED_WITHIN, || (index(chain) == expected).then_some(()));
}

alloy::sol! {
    function balanceOf(address account) external view returns (uint256);
}

fn balance(chain: &ChainInfo, token: Address, account: Address) -> U256 {
    Rpc::new(&chain.rpc).call(token, balanceOfCall { account }, None)
}

/// The token on the first spoke with its vault, and what is minted for it on the second.
struct Tokens {
    synthetic: Address,
    kind: B256,
}

fn alice(devnet: &Devnet) -> Address {
    Account { chain: devnet.hub(), key: &devnet.keys["alice"] }.address()
}

/// Alice puts units of a token in on the first spoke, for a note of hers on the second.
fn deposit(devnet: &Devnet) -> Tokens {
    let (here, there) = (&devnet.spokes()[0], &devnet.spokes()[1]);
    let on = |chain| Account { chain, key: &devnet.keys["alice"] };
    let words = |address: Address| address.to_string();
    let token = on(here).create("PlainToken", "", &[]);
    let vault = on(here).create("TokenVault", "f(address,address)", &[&words(here.verifier), &words(token)]);
    let synthetic = on(there).create(
        "SyntheticToken",
        "f(address,uint256,address,string,string,uint8)",
        &[&words(there.verifier), &here.id.to_string(), &words(vault), "Plain", "PLN", "18"],
    );
    let alice = alice(devnet);
    on(here).send(token, &["mint(address,uint256)", &words(alice), AMOUNT]);
    on(here).send(token, &["approve(address,uint256)", &words(vault), AMOUNT]);
    let (zero, chain) = (B256::ZERO.to_string(), there.id.to_string());
    let call = ["deposit(uint256,uint256,address,bytes32)", AMOUNT, &chain, &words(alice), &zero];
    on(here).send_value(&fee(here), vault, &call);
    assert_eq!(balance(here, token, vault), U256::from(1000));
    let label = B256::right_padding_from(b"hypha:token");
    Tokens { synthetic, kind: kind_of(U256::from(here.id), vault, label) }
}

#[test]
fn value_goes_in_moves_and_comes_out_without_a_coordinator() {
    let devnet = Devnet::start_with("escape", &["--liveness-window", &WINDOW_S.to_string()]);
    devnet.service("coordinator").kill();
    let (hub, here, there) = (devnet.hub(), &devnet.spokes()[0], &devnet.spokes()[1]);
    let tokens = deposit(&devnet);
    wait_enqueued(hub, here.id, 1);

    require_too_early(&devnet, "only sequencers");
    turn_clock(hub, WINDOW_S);
    let applied = json_of(&devnet.hypha_as("alice", &["escape", "apply", "--json"]));
    assert_eq!(applied["resolved"][0]["outcome"], "executed", "{applied}");
    let held = text(&applied["resolved"][0]["created"][0]).to_owned();
    wait_index(there, 1);
    require_held(&devnet, &held, there);

    // Now the relayer is gone as well: she moves the note to the vault there, and brings the request to the hub herself.
    devnet.service("relayer").kill();
    let exit = request_exit(&devnet, &tokens);
    let attestors: Vec<String> =
        (1..=3).map(|number| devnet.service(&format!("attestor-{number}")).api.base.clone()).collect();
    let chain = there.id.to_string();
    let enqueue = ["escape", "enqueue", "--chain", &chain, "--attestor", &attestors.join(","), "--json"];
    let brought = json_of(&devnet.hypha_as("alice", &enqueue));
    assert_eq!(brought["enqueued"], json!(["1"]));
    assert_eq!(json_of(&devnet.hypha_as("alice", &enqueue))["enqueued"], json!([]), "it is there once");
    require_too_early(&devnet, "the sequencers' turn");
    turn_clock(hub, TURN_S - LEFT_S);
    let applied = json_of(&devnet.hypha_as("alice", &["escape", "apply", "--wait", "--json"]));
    assert_eq!(applied["resolved"][0]["outcome"], "executed", "{applied}");
    assert_eq!(applied["resolved"][0]["created"][0], json!(exit));

    devnet.service("relayer").restart(&devnet);
    wait_index(there, 2);
    withdraw(&devnet, &tokens, &exit);
    Ledger::of(&devnet).require_consistent();
    assert_eq!(json_of(&devnet.hypha_as("alice", &["escape", "apply", "--json"]))["resolved"], json!([]));
}

fn require_too_early(devnet: &Devnet, why: &str) {
    let early = devnet.hypha_as("alice", &["escape", "apply", "--json"]);
    assert_eq!(early.status, TOO_EARLY, "{early:?}");
    assert!([why, "too_early", "--wait"].iter().all(|word| early.stderr.contains(word)), "{early:?}");
}

/// Sets a chain's clock forward.
fn turn_clock(chain: &ChainInfo, seconds: u64) {
    Rpc::new(&chain.rpc).ask("evm_increaseTime", json!([seconds]));
    Rpc::new(&chain.rpc).ask("evm_mine", json!([]));
}

/// The note is proved from logs alone, and the chain says that the proof holds.
fn require_held(devnet: &Devnet, note: &str, chain: &ChainInfo) {
    let file = devnet.path("held.json");
    let file = file.to_str().expect("a plain path");
    let chain_id = chain.id.to_string();
    let proved = devnet.hypha(&["escape", "prove", "--note", note, "--chain", &chain_id, "--out", file]);
    assert_eq!(proved.status, Some(0), "{proved:?}");
    let verified = json_of(&devnet.hypha(&["verify", "--proof", file, "--json"]));
    assert_eq!(verified["verdict"], "present");
    let unknown = B256::repeat_byte(1).to_string();
    let absent = devnet.hypha(&["escape", "prove", "--note", &unknown, "--chain", &chain_id]);
    assert!(absent.status == Some(1) && absent.stderr.contains("no such note"), "{absent:?}");
}

/// Alice asks on the second spoke to move 400 units to the vault there, which is to pay them to her; gives the exit note.
fn request_exit(devnet: &Devnet, tokens: &Tokens) -> String {
    let chain = devnet.spokes()[1].id.to_string();
    let (alice, vault, kind) =
        (alice(devnet).to_string(), tokens.synthetic.to_string(), tokens.kind.to_string());
    let base = ["escape", "request-transfer", "--chain", &chain, "--domain", &chain, "--kind", &kind];
    let more = ["--to", &vault, "--recipient", &alice, "--quantity", "400", "--json"];
    let asked = json_of(&devnet.hypha_as("alice", &[base.as_slice(), &more].concat()));
    assert_eq!((&asked["chainId"], &asked["number"]), (&json!(chain), &json!("1")), "{asked}");
    assert_eq!(asked["created"].as_array().map(Vec::len), Some(2), "the exit and the change: {asked}");
    text(&asked["created"][0]).to_owned()
}

/// Anyone may present the exit note; the vault pays it to alice.
fn withdraw(devnet: &Devnet, tokens: &Tokens, exit: &str) {
    let there = &devnet.spokes()[1];
    let proved = devnet.hypha(&["escape", "prove", "--note", exit, "--chain", &there.id.to_string()]);
    let evidence = json_of(&proved);
    let anyone = Account { chain: there, key: &devnet.keys["bob"] };
    assert_eq!(balance(there, tokens.synthetic, alice(devnet)), U256::ZERO);
    anyone.send(tokens.synthetic, &[text(&evidence["calldata"])]);
    assert_eq!(balance(there, tokens.synthetic, alice(devnet)), U256::from(400));
}

/// A sequencer who leaves requests out: this test, with the coordinator's key.
struct Censor<'a> {
    devnet: &'a Devnet,
    hub: Rpc,
    replica: Replica,
}

impl Censor<'_> {
    /// Calldata of the next batch.
    fn batch(&self, operations: &[Operation]) -> Bytes {
        let packed = encode_operations(operations).expect("they have a packed form");
        let index = self.replica.index() + 1;
        let step = self.replica.clone().apply(index, &packed).expect("they are valid");
        let call = IRootHub::applyBatchCall {
            batchIndex: index,
            operations: packed.into(),
            witness: step.witness.into(),
            newRoot: B256::new(step.root.into()),
        };
        call.abi_encode().into()
    }

    fn try_apply(&self, operations: &[Operation]) -> Result<Value, hypha_e2e::RpcFailure> {
        let from = Account { chain: self.devnet.hub(), key: &self.devnet.keys["sequencer"] }.address();
        let (to, data) = (self.devnet.hub().verifier, self.batch(operations));
        self.hub.try_ask("eth_call", json!([{ "from": from, "to": to, "input": data }, "latest"]))
    }

    fn apply(&self, operations: &[Operation]) {
        let account = Account { chain: self.devnet.hub(), key: &self.devnet.keys["sequencer"] };
        account.send(self.devnet.hub().verifier, &[&self.batch(operations).to_string()]);
    }
}

#[test]
fn a_batch_that_leaves_out_a_request_that_is_due_is_refused() {
    let devnet = Devnet::start_with("due", &["--chains", "1", "--inclusion-window", DUE]);
    devnet.service("coordinator").kill();
    let (hub, rpc) = (devnet.hub(), Rpc::new(&devnet.hub().rpc));
    let alice = Account { chain: hub, key: &devnet.keys["alice"] };
    let words = [hub.id.to_string(), alice.address().to_string(), B256::ZERO.to_string()];
    let label = B256::right_padding_from(b"pearl").to_string();
    let ask = [
        "requestIssue(uint256,address,uint256,bytes32,bytes32)",
        &words[0],
        &words[1],
        "5",
        &words[2],
        &label,
    ];
    alice.send_value(&fee(hub), hub.verifier, &ask);

    let mut censor = Censor {
        devnet: &devnet,
        hub: rpc.clone(),
        replica: Replica::new(hub.id, hub.verifier).with_queue(),
    };
    let event = enqueued(hub, &rpc);
    censor.replica.enqueue(&event).expect("it is the first");
    let request = decode_request(hub.id, event.number, event.sender, event.requestType, &event.content);
    let request = Operation::Queued(request.expect("the hub checked it"));
    let issuer = User::named("issuer");
    let other = Operation::Issue(issuer.issue(&devnet.domain(), "gold", issuer.address, hub.id, 7));

    wait_until("the request is due", Duration::from_secs(60), || {
        let latest = rpc.ask("eth_getBlockByNumber", json!(["latest", false]));
        let time = text(&latest["timestamp"]).trim_start_matches("0x").to_owned();
        (u64::from_str_radix(&time, 16).expect("a number") > event.dueAt).then_some(())
    });
    let refused = censor.try_apply(std::slice::from_ref(&other)).expect_err("it leaves out what is due");
    assert!(refused.is_refusal_by_contract(), "{refused:?}");
    let reason = alloy::hex::encode(<IRootHub::RequestDue as alloy::sol_types::SolError>::SELECTOR);
    assert!(format!("{refused:?}").contains(&reason), "{refused:?} is not RequestDue");
    let both = [request, other];
    censor.try_apply(&both).expect("with the request it is taken");
    censor.apply(&both);
    assert_eq!(index(hub), 1);
    let own = Ledger::of(&devnet);
    own.require_consistent();
    assert_eq!(own.notes_of(alice.address()).len(), 1);
    let nothing = json_of(&devnet.hypha_as("sequencer", &["escape", "apply", "--json"]));
    assert_eq!(nothing["waiting"], "0");
}

/// The one request in the hub's queue.
fn enqueued(hub: &ChainInfo, rpc: &Rpc) -> IRootHub::RequestEnqueued {
    let logs = rpc.logs(hub.verifier);
    let found = logs.iter().find(|log| log.topics[0] == IRootHub::RequestEnqueued::SIGNATURE_HASH);
    let log = found.expect("the hub's own requests are in its queue at once");
    IRootHub::RequestEnqueued::decode_raw_log(log.topics.iter().copied(), &log.data)
        .expect("it is this event")
}
