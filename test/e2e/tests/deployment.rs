//! `scripts/deploy`, `hypha deploy` and `hypha verify-deployment` on real chains: both deploy the same, and what is not as planned is
//! seen.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol;
use hypha_e2e::{Anvil, Finished, command, finish, hypha, scratch};
use hypha_protocol::contracts::{IAttestedFacts, IPausable, IRootHub, IRootSpoke};
use serde_json::{Value, json};

sol! {
    interface ITimelock {
        function grantRole(bytes32 role, address account) external;
        function revokeRole(bytes32 role, address account) external;
        function updateDelay(uint256 newDelay) external;
        function schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay) external;
        function execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt) external;
        function cancel(bytes32 id) external;
        function hashOperation(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt) external pure returns (bytes32);
        function getTimestamp(bytes32 id) external view returns (uint256);
    }

    interface IOwnable {
        function transferOwnership(address next) external;
        function acceptOwnership() external;
    }
}

const HUB: u64 = 41_001;
const SPOKE: u64 = 41_002;
const LATER: u64 = 41_003;
/// Worth nothing: the chains are this test's own.
const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const PROPOSER: Address = Address::repeat_byte(0xa1);
const SEQUENCER: Address = Address::repeat_byte(0x51);
const STRANGER: Address = Address::repeat_byte(0xe5);
/// 7 days for a pause, windows of an hour and a day, 7 days for an exit.
const DELAY_S: u64 = 28 * 86_400 + 3_600 + 86_400;
/// A script is compiled first.
const WITHIN: Duration = Duration::from_secs(600);
/// Slots of the hub's storage among which the registrar is looked for.
const SLOTS: u64 = 64;

/// A plan, its chains, and what is written of them.
struct World {
    folder: PathBuf,
    hub: Anvil,
    spokes: Vec<(u64, Anvil)>,
}

impl World {
    fn new(name: &str) -> Self {
        let world = Self {
            folder: scratch(name),
            hub: Anvil::start(HUB),
            spokes: vec![(SPOKE, Anvil::start(SPOKE))],
        };
        world.fund();
        world.write_plan();
        world
    }

    fn fund(&self) {
        let deployer = KEY.parse::<PrivateKeySigner>().expect("a key").address();
        self.hub.fund(deployer);
        for (_, spoke) in &self.spokes {
            spoke.fund(deployer);
        }
    }

    fn write_plan(&self) {
        self.write(&self.plan());
    }

    fn write(&self, plan: &str) {
        std::fs::write(self.folder.join("plan.toml"), plan).expect("the folder is this test's");
    }

    fn plan(&self) -> String {
        // The attestors are not in order; the defaults are left to the readers.
        let mut plan = format!(
            r#"
sequencers = ["{SEQUENCER:?}"]
liveness_window_s = 3600
attestors = ["{:?}", "{:?}", "{:?}"]
threshold = 2
attestors_expire_at = 4000000000
pauser = "{:?}"
[governance]
proposers = ["{PROPOSER:?}"]
delay_s = {DELAY_S}
[hub]
chain_id = {HUB}
name = "hub"
rpc = "{}"
"#,
            Address::repeat_byte(0xc3),
            Address::repeat_byte(0xc1),
            Address::repeat_byte(0xc2),
            Address::repeat_byte(0x9a),
            self.hub.rpc.url
        );
        for (chain_id, spoke) in &self.spokes {
            let url = &spoke.rpc.url;
            plan += &format!("[[spokes]]\nchain_id = {chain_id}\nname = \"spoke\"\nrpc = \"{url}\"\n");
            plan += "nullifier_cache = true\n";
        }
        plan
    }

    fn hypha(&self, arguments: &[&str]) -> Finished {
        let mut hypha = command(hypha());
        hypha.args(arguments).args(["--artifacts", "out"]).env("HYPHA_KEY", KEY);
        hypha.arg("--plan").arg(self.folder.join("plan.toml"));
        hypha.arg("--deployments").arg(&self.folder);
        finish(hypha, "", WITHIN)
    }

    /// Deploys with `hypha deploy`, and gives what it said.
    fn deploy(&self) -> String {
        let out = self.folder.join("deployment.json");
        let finished = self.hypha(&["deploy", "--out", out.to_str().expect("a plain path")]);
        assert_eq!(finished.status, Some(0), "{finished:?}");
        finished.stderr
    }

    /// Runs `scripts/deploy` on a chain, and gives what it said.
    fn script(&self, chain: &Anvil, more: &[&str]) -> String {
        let mut forge = command("forge");
        forge.args(["script", "scripts/deploy/Deploy.s.sol", "--rpc-url", &chain.rpc.url]).args(more);
        forge.env("HYPHA_KEY", KEY).env("HYPHA_DEPLOYMENTS", &self.folder);
        forge.env("HYPHA_PLAN", self.folder.join("plan.toml"));
        let finished = finish(forge, "", WITHIN);
        assert_eq!(finished.status, Some(0), "{finished:?}");
        finished.stdout
    }

    fn record(&self, chain_id: u64) -> Option<Value> {
        let text = std::fs::read_to_string(self.folder.join(format!("{chain_id}.json"))).ok()?;
        // Addresses in capitals say nothing more.
        Some(serde_json::from_str(&text.to_lowercase()).expect("a record is JSON"))
    }

    fn address(&self, chain_id: u64, contract: &str) -> Address {
        let record = self.record(chain_id).expect("a record");
        let address = &record["contracts"][contract.to_lowercase()]["address"];
        address.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{contract}: {record}"))
    }

    /// Writes into the hub's record that a contract was born a block later, so that its first logs are not seen.
    fn record_later(&self, contract: &str) {
        let path = self.folder.join(format!("{HUB}.json"));
        let text = std::fs::read(&path).expect("a record");
        let mut record: Value = serde_json::from_slice(&text).expect("a record is JSON");
        let block = &mut record["contracts"][contract]["block"];
        let born: u64 = block.as_str().and_then(|text| text.parse().ok()).expect("a height");
        *block = json!((born + 1).to_string());
        std::fs::write(path, record.to_string()).expect("the folder is this test's");
    }

    /// What `hypha verify-deployment` finds different: chain, contract and what it is.
    fn differences(&self) -> BTreeSet<String> {
        let finished = self.hypha(&["verify-deployment", "--json"]);
        let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
        let checks = report["checks"].as_array().expect("checks");
        assert!(checks.len() > 50, "{report}");
        let different = checks.iter().filter(|check| check["expected"] != check["actual"]);
        let found: BTreeSet<String> = different
            .map(|check| {
                let text = |field: &str| check[field].as_str().expect("text").to_owned();
                format!("{} {}: {}", text("chainId"), text("contract"), text("what"))
            })
            .collect();
        assert_eq!(finished.status, Some(if found.is_empty() { 0 } else { 5 }), "{finished:?}");
        found
    }

    /// What `hypha deploy --dry-run --json` prints: one document, and nothing beside it.
    fn rehearsal(&self) -> Value {
        let finished = self.hypha(&["deploy", "--dry-run", "--json"]);
        assert_eq!(finished.status, Some(0), "{finished:?}");
        serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
    }

    /// What `hypha verify-deployment` says is scheduled, for a program and for a person.
    fn scheduled(&self) -> (Value, String) {
        let finished = self.hypha(&["verify-deployment", "--json"]);
        let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"));
        (report["scheduled"].clone(), self.hypha(&["verify-deployment"]).stdout)
    }

    /// What is found different while `act` has been done to the hub's chain.
    fn differences_after(&self, act: impl FnOnce(&Anvil)) -> Vec<String> {
        self.differences_on(&self.hub, act)
    }

    /// As [`World::differences_after`], on any chain.
    fn differences_on(&self, chain: &Anvil, act: impl FnOnce(&Anvil)) -> Vec<String> {
        chain.undone(|| {
            act(chain);
            self.differences().into_iter().collect()
        })
    }
}

/// The addresses in a text, in the order in which they stand there.
fn addresses(text: &str) -> Vec<Address> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| word.len() == 42)
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn count(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

#[test]
fn script_and_command_deploy_the_same() {
    let world = World::new("deployment-script");
    let spoke = &world.spokes[0].1;
    world.hub.rpc.ask("anvil_mine", json!(["0x5"]));
    let said = world.script(&world.hub, &[]);
    assert!(said.contains("RootHub at") && said.contains("told of 1 spokes"), "{said}");
    assert_eq!((world.hub.rpc.latest(), world.record(HUB)), (5, None), "a dry run changes nothing");

    world.script(spoke, &["--broadcast"]);
    world.script(&world.hub, &["--broadcast"]);
    let written = [world.record(HUB).expect("a record"), world.record(SPOKE).expect("a record")];
    assert_eq!(written[0]["contracts"]["roothub"]["block"], "5");
    assert_eq!(world.differences(), BTreeSet::new());

    let said = world.deploy();
    assert_eq!((count(&said, ", kept"), count(&said, "block")), (6, 0), "{said}");
    assert_eq!([world.record(HUB).expect("a record"), world.record(SPOKE).expect("a record")], written);
    let heights = [world.hub.rpc.latest(), spoke.rpc.latest()];
    let said = world.script(&world.hub, &["--broadcast"]);
    assert_eq!(count(&said, ", kept"), 3, "{said}");
    assert_eq!([world.hub.rpc.latest(), spoke.rpc.latest()], heights, "nothing was sent");
    assert_eq!(world.record(HUB).expect("a record"), written[0]);
}

/// What the first plan leaves to its defaults, said otherwise.
#[test]
fn script_and_command_read_a_plan_alike() {
    let world = World::new("deployment-plans");
    let governance = format!("[governance]\nproposers = [\"{PROPOSER:?}\"]\ndelay_s = {DELAY_S}");
    let bounds = "pause_seconds = 604800\nrequest_fee_wei = 1\nmax_request_fee_wei = 2";
    let bare = format!("{bounds}\nsalt = \"second\"\nowner = \"{STRANGER:?}\"\n");
    let named = format!("{governance}\nexecutors = [\"{STRANGER:?}\", \"{PROPOSER:?}\"]");
    let first = world.plan();
    let plans = [
        first.replace("nullifier_cache", "attested"),
        first.replace("[governance]", "inclusion_window_s = 86399\n[governance]"),
        first.replace(&governance, &named),
        first.replace(&governance, &bare),
    ];
    let mut seen = BTreeSet::new();
    for plan in &plans {
        assert_ne!(*plan, first);
        world.write(plan);
        let rehearsed = world.hypha(&["deploy", "--dry-run"]);
        assert_eq!(rehearsed.status, Some(0), "{rehearsed:?}");
        let rehearsed = addresses(&rehearsed.stderr);
        let mut scripted = Vec::new();
        for chain in [&world.hub, &world.spokes[0].1] {
            let said = world.script(chain, &[]);
            scripted.extend(addresses(&said).into_iter().filter(|one| rehearsed.contains(one)));
        }
        assert_eq!(scripted, rehearsed);
        assert!(rehearsed.len() >= 4, "{rehearsed:?}");
        assert!(seen.insert(rehearsed), "each plan has its own addresses");
    }
}

#[test]
fn other_code_owners_or_roles_are_seen() {
    let world = World::new("deployment-verified");
    let rehearsal = world.hypha(&["deploy", "--dry-run"]);
    assert_eq!((rehearsal.status, count(&rehearsal.stderr, "would come")), (Some(0), 6), "{rehearsal:?}");
    assert_eq!((world.hub.rpc.latest(), world.record(HUB)), (0, None), "a dry run changes nothing");
    let before = world.rehearsal();
    world.deploy();
    let after = world.rehearsal();
    assert_eq!(world.differences(), BTreeSet::new());
    let [timelock, facts, hub] =
        ["ExitTimelock", "AttestedFacts", "RootHub"].map(|name| world.address(HUB, name));
    for (rehearsal, stands) in [(&before, false), (&after, true)] {
        assert_eq!(rehearsal["owner"], json!(timelock));
        let [first, second] = [&rehearsal["chains"][0], &rehearsal["chains"][1]];
        assert_eq!((&first["chainId"], &first["role"]), (&json!(HUB.to_string()), &json!("hub")));
        assert_eq!((&second["chainId"], &second["name"]), (&json!(SPOKE.to_string()), &json!("spoke")));
        let contracts = first["contracts"].as_array().expect("contracts");
        for (contract, address) in contracts.iter().zip([timelock, facts, hub]) {
            assert_eq!((&contract["address"], &contract["stands"]), (&json!(address), &json!(stands)));
            assert_eq!(contract["gas"].is_null(), stands, "{contract}");
        }
        assert_eq!(contracts.len(), 3);
    }
    let spoke = json!([{ "chainId": SPOKE.to_string(), "address": world.address(SPOKE, "RootSpoke") }]);
    assert_eq!((&before["unknownSpokes"], &after["unknownSpokes"]), (&spoke, &json!([])));
    for (name, address) in [("ExitTimelock", timelock), ("AttestedFacts", facts), ("RootHub", hub)] {
        let found = world.differences_after(|chain| change_a_byte(chain, address));
        let expected = ["code", "code hash"].map(|what| format!("{HUB} {name}: {what}"));
        assert!(expected.iter().all(|one| found.contains(one)), "{found:?}");
    }
    let found = world.differences_after(|chain| {
        chain.rpc.ask("anvil_setCode", json!([hub, "0x"]));
    });
    assert!(found.contains(&format!("{HUB} RootHub: code")), "{found:?}");

    let next = IOwnable::transferOwnershipCall { next: STRANGER };
    let found = world.differences_after(|chain| chain.send_as(timelock, hub, &next));
    assert_eq!(found, [format!("{HUB} RootHub: pending owner")]);
    let found = world.differences_after(|chain| {
        chain.send_as(timelock, hub, &next);
        chain.send_as(STRANGER, hub, &IOwnable::acceptOwnershipCall {});
    });
    assert_eq!(found, [format!("{HUB} RootHub: owner")]);

    let revoke = ITimelock::revokeRoleCall { role: keccak256("CANCELLER_ROLE"), account: PROPOSER };
    let found = world.differences_after(|chain| chain.send_as(timelock, timelock, &revoke));
    assert_eq!(found, [format!("{HUB} ExitTimelock: cancellers")]);
    for (role, what) in [("PROPOSER_ROLE", "proposers"), ("OTHER_ROLE", "other roles")] {
        let grant = ITimelock::grantRoleCall { role: keccak256(role), account: STRANGER };
        let found = world.differences_after(|chain| chain.send_as(timelock, timelock, &grant));
        assert_eq!(found, [format!("{HUB} ExitTimelock: {what}")]);
    }
    let grant = ITimelock::grantRoleCall { role: B256::ZERO, account: STRANGER };
    let found = world.differences_after(|chain| chain.send_as(timelock, timelock, &grant));
    assert_eq!(found, [format!("{HUB} ExitTimelock: administrators")]);
    let longer = ITimelock::updateDelayCall { newDelay: U256::from(DELAY_S + 1) };
    let found = world.differences_after(|chain| chain.send_as(timelock, timelock, &longer));
    assert_eq!(found, [format!("{HUB} ExitTimelock: delay")]);
}

#[test]
fn what_governance_or_the_registrar_could_change_is_seen() {
    let world = World::new("deployment-settings");
    world.deploy();
    let [timelock, facts, hub] =
        ["ExitTimelock", "AttestedFacts", "RootHub"].map(|name| world.address(HUB, name));
    let found = world.differences_after(|chain| arm_registrar(chain, hub));
    assert_eq!(found, [format!("{HUB} RootHub: registrar")]);
    for (sequencer, allowed) in [(STRANGER, true), (SEQUENCER, false)] {
        let other = IRootHub::setSequencerCall { sequencer, allowed };
        let found = world.differences_after(|chain| chain.send_as(timelock, hub, &other));
        assert_eq!(found, [format!("{HUB} RootHub: sequencers")]);
    }
    let other = |account| IRootHub::setFactVerifierCall { factVerifier: account };
    let found = world.differences_after(|chain| chain.send_as(timelock, hub, &other(STRANGER)));
    assert_eq!(
        found,
        ["fact verifier", "fact verifiers so far"].map(|what| format!("{HUB} RootHub: {what}"))
    );
    let found = world.differences_after(|chain| {
        chain.send_as(timelock, hub, &other(STRANGER));
        chain.send_as(timelock, hub, &other(facts)); // as if nothing had been
    });
    assert_eq!(found, [format!("{HUB} RootHub: fact verifiers so far")]);
    let spoke = world.address(SPOKE, "RootSpoke");
    let other = IRootSpoke::setFactVerifierCall { factVerifier: STRANGER };
    let found = world.differences_on(&world.spokes[0].1, |chain| chain.send_as(timelock, spoke, &other));
    let expected =
        ["fact verifier", "fact verifiers so far"].map(|what| format!("{SPOKE} RootSpoke: {what}"));
    assert_eq!(found, expected);
    let freeze = IRootSpoke::freezeCall { atIndex: 1 };
    let found = world.differences_on(&world.spokes[0].1, |chain| chain.send_as(timelock, spoke, &freeze));
    assert_eq!(found, ["freezes and thaws", "frozen from"].map(|what| format!("{SPOKE} RootSpoke: {what}")));
    let pauser = Address::repeat_byte(0x9a);
    let found = world.differences_after(|chain| chain.send_as(pauser, hub, &IPausable::pauseCall {}));
    assert_eq!(found, ["pause armed", "paused until"].map(|what| format!("{HUB} RootHub: {what}")));
    let other = IRootHub::registerSpokeCall { chainId: U256::from(9), spoke: STRANGER };
    let found = world.differences_after(|chain| chain.send_as(timelock, hub, &other));
    assert_eq!(found, [format!("{HUB} RootHub: spokes")]);
    let other = IAttestedFacts::setAttestorsCall {
        attestors: vec![STRANGER],
        threshold: 1,
        expiresAt: u64::MAX,
        previousExpiresAt: u64::MAX,
    };
    let found = world.differences_after(|chain| chain.send_as(timelock, facts, &other));
    assert_eq!(found, [format!("{HUB} AttestedFacts: set of attestors")]);
    assert_eq!(world.differences(), BTreeSet::new(), "all of it was undone");
    for contract in ["RootHub", "ExitTimelock"] {
        world.record_later(contract);
        let found = world.differences();
        assert!(found.contains(&format!("{HUB} {contract}: birth")), "{found:?}");
    }
}

/// A spoke that joins later is registered by the timelock, and by nobody sooner.
#[test]
fn a_later_spoke_waits_for_the_timelock() {
    let mut world = World::new("deployment-later");
    world.deploy();
    world.spokes.push((LATER, Anvil::start(LATER)));
    world.fund();
    world.write_plan();
    let said = world.deploy();
    let hub = world.address(HUB, "RootHub");
    let call =
        IRootHub::registerSpokeCall { chainId: U256::from(LATER), spoke: world.address(LATER, "RootSpoke") };
    let data = alloy::primitives::Bytes::from(alloy::sol_types::SolCall::abi_encode(&call));
    assert!(said.contains(&format!("calls {hub} with {data}")), "{said}");
    let unknown = ["registered spoke", "spokes"].map(|what| format!("{HUB} RootHub: {what}"));
    assert_eq!(world.differences(), BTreeSet::from(unknown.clone()));
    is_nothing_scheduled(&world);

    let timelock = world.address(HUB, "ExitTimelock");
    let (none, value) = (B256::ZERO, U256::ZERO);
    let delay = U256::from(DELAY_S);
    let schedule = ITimelock::scheduleCall {
        target: hub,
        value,
        data: data.clone(),
        predecessor: none,
        salt: none,
        delay,
    };
    world.hub.send_as(PROPOSER, timelock, &schedule);
    let hash = ITimelock::hashOperationCall {
        target: hub,
        value,
        data: data.clone(),
        predecessor: none,
        salt: none,
    };
    let id = world.hub.rpc.call(timelock, hash, None);
    let ready_at = world.hub.rpc.call(timelock, ITimelock::getTimestampCall { id }, None);
    let words = format!("registerSpoke {{ chainId: {}, spoke: {:?} }}", call.chainId, call.spoke);
    let (report, text) = world.scheduled();
    let expected = json!([{
        "chainId": HUB.to_string(),
        "id": id,
        "readyAt": ready_at.to_string(),
        "calls": [{ "target": hub, "contract": "RootHub", "value": "0", "data": data, "words": words }],
    }]);
    assert_eq!(report, expected);
    for said in [id.to_string(), format!("RootHub at {hub}: {words}"), "ready in 29 d 1 h".into()] {
        assert!(text.contains(&said), "{said}: {text}");
    }
    assert_eq!(world.differences(), BTreeSet::from(unknown), "what is scheduled is no difference");
    world.hub.undone(|| {
        world.hub.send_as(PROPOSER, timelock, &ITimelock::cancelCall { id });
        is_nothing_scheduled(&world);
    });

    world.hub.rpc.ask("evm_increaseTime", json!([DELAY_S]));
    world.hub.rpc.ask("anvil_mine", json!([]));
    assert!(world.scheduled().1.contains("ready now"));
    let execute = ITimelock::executeCall { target: hub, value, payload: data, predecessor: none, salt: none };
    world.hub.send_as(STRANGER, timelock, &execute);
    assert_eq!(world.differences(), BTreeSet::new());
    is_nothing_scheduled(&world);
}

/// Nothing is about to change, and both forms of the report say so.
fn is_nothing_scheduled(world: &World) {
    let (report, text) = world.scheduled();
    assert_eq!(report, json!([]));
    assert!(text.contains("nothing is scheduled"), "{text}");
}

/// Flips a bit of the code in its middle.
fn change_a_byte(chain: &Anvil, contract: Address) {
    let code = chain.rpc.ask("eth_getCode", json!([contract, "latest"]));
    let mut code: Vec<u8> = alloy::hex::decode(code.as_str().expect("code")).expect("hex");
    let middle = code.len() / 2;
    code[middle] ^= 1;
    chain.rpc.ask("anvil_setCode", json!([contract, alloy::hex::encode_prefixed(&code)]));
}

/// Makes the stranger the registrar: of the hub's empty slots, the one that answers for it is written.
fn arm_registrar(chain: &Anvil, hub: Address) {
    for slot in 0..SLOTS {
        let slot = B256::from(U256::from(slot));
        let held = chain.rpc.ask("eth_getStorageAt", json!([hub, slot, "latest"]));
        if held.as_str() != Some(&B256::ZERO.to_string()) {
            continue;
        }
        chain.rpc.ask("anvil_setStorageAt", json!([hub, slot, STRANGER.into_word()]));
        if chain.rpc.call(hub, IRootHub::registrarCall {}, None) == STRANGER {
            return;
        }
        chain.rpc.ask("anvil_setStorageAt", json!([hub, slot, B256::ZERO]));
    }
    panic!("no slot of the first {SLOTS} is the registrar's");
}
