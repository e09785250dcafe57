//! An application that uses nothing of ours: `cast` hashes and signs, curl talks, the chain checks.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use hypha_e2e::{FINALIZED_WITHIN, cast, cast_fails, command, fresh_salt, in_an_hour, run, wait_until};
use serde_json::{Value, json};

use super::devnet;

/// Published words that are worth nothing anywhere.
const WORDS: &str = "test test test test test test test test test test test junk";
/// Place of the wallet's account under the words; beyond those that the devnet uses.
const ACCOUNT: &str = "77";
/// Password of the wallet's keystore.
pub(super) const PASSWORD: &str = "a password of a test";

/// A keystore of cast's, so that no key stands on a command line.
pub(super) struct Wallet {
    pub(super) keystore: PathBuf,
    pub(super) password: PathBuf,
    pub(super) address: String,
}

impl Wallet {
    /// The one wallet of this binary.
    pub(super) fn open() -> &'static Self {
        static WALLET: OnceLock<Wallet> = OnceLock::new();
        WALLET.get_or_init(|| {
            let folder = devnet().path("wallet");
            std::fs::create_dir_all(&folder).expect("the folder is this test's");
            let file = |name: &str, content: &str| {
                std::fs::write(folder.join(name), content).expect("the folder is this test's");
                folder.join(name)
            };
            let (words, password) = (file("words", WORDS), file("password", PASSWORD));
            let [words, keys] = [&words, &folder].map(|path| path.to_str().expect("a plain path"));
            let account = ["--mnemonic", words, "--mnemonic-index", ACCOUNT];
            let import = ["wallet", "import", "test", "--keystore-dir", keys, "--unsafe-password", PASSWORD];
            cast(&[import.as_slice(), &account].concat());
            let address = cast(&[["wallet", "address"].as_slice(), &account].concat());
            Self { keystore: folder.join("test"), password, address }
        })
    }

    /// A program that finds the wallet where cast looks for one.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        command.env("ETH_KEYSTORE", &self.keystore).env("ETH_PASSWORD", &self.password);
        command
    }

    /// Signs typed data with `cast wallet sign --data`.
    fn sign(&self, typed_data: &Value) -> String {
        let path = devnet().path("typed-data.json");
        std::fs::write(&path, typed_data.to_string()).expect("the folder is this test's");
        let mut cast = self.command("cast");
        cast.args(["wallet", "sign", "--data", "--from-file"]).arg(path);
        run(cast)
    }
}

#[test]
fn a_transfer_signed_by_a_wallet_and_sent_by_curl_is_finalized() {
    let devnet = devnet();
    let wallet = Wallet::open();
    let (here, there) = (devnet.spokes()[0].id.to_string(), devnet.spokes()[1].id.to_string());
    let note = issue_to_itself(wallet, &here);
    let inputs = curl(&format!("/v1/resources?owner={}&unspent=true", wallet.address), None);
    let held = inputs["resources"].as_array().expect("a list").iter().find(|one| one["resource"] == note);
    let held = held.unwrap_or_else(|| panic!("{note} is not in {inputs}"));

    let outputs =
        json!([output(&there, &wallet.address, &note, "30"), output(&here, &wallet.address, &note, "70")]);
    let deadline = in_an_hour().to_string();
    let message = json!({ "inputs": [held["id"]], "outputs": outputs, "deadline": deadline });
    let signature = wallet.sign(&typed_data("Transfer", message));
    let transfer =
        json!({ "inputs": [note], "outputs": outputs, "deadline": deadline, "signatures": [signature] });
    let accepted = curl("/v1/transfers", Some(&transfer));
    let view = finalized(accepted["id"].as_str().unwrap_or_else(|| panic!("{accepted}")));
    assert_eq!(view["created"].as_array().map(Vec::len), Some(2), "{view}");
    let arrived = curl(&format!("/v1/resources/{}", text(&view["created"][0])), None);
    let resource = &arrived["resource"];
    assert_eq!((&resource["quantity"], &resource["domainId"]), (&json!("30"), &json!(there)), "{arrived}");
    let before = curl(&format!("/v1/resources/{}", text(&held["id"])), None);
    assert_eq!(before["spent"]["transfer"], view["id"], "{before}");
}

#[test]
fn what_arrived_is_checked_on_the_spoke_by_cast_alone() {
    let devnet = devnet();
    let wallet = Wallet::open();
    let spoke = &devnet.spokes()[1];
    let chain = spoke.id.to_string();
    let note = issue_to_itself(wallet, &chain);
    let notes = curl(&format!("/v1/resources?owner={}&domain={chain}&unspent=true", wallet.address), None);
    let found = notes["resources"].as_array().expect("a list").iter().find(|one| one["resource"] == note);
    let view = found.unwrap_or_else(|| panic!("{note} is not in {notes}"));
    let proof_of =
        |key: &Value| curl(&format!("/v1/proofs/{}?chain={chain}", key.as_str().expect("a key")), None);
    let verifier = spoke.verifier.to_string();
    let call = |signature: &'static str, words: &[&str]| -> Vec<String> {
        let head = ["call", verifier.as_str(), signature];
        [&head, words, &["--rpc-url", &spoke.rpc]].concat().into_iter().map(str::to_owned).collect()
    };
    let holds = |call: Vec<String>| cast(&call.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |call: Vec<String>| cast_fails(&call.iter().map(String::as_str).collect::<Vec<_>>());
    const PROOF: &str = "verifyProof(bytes32,bytes32,bytes,bytes)(bool)";
    const ABSENCE: &str = "verifyAbsence(bytes32,bytes32,bytes)(bool)";

    let membership = proof_of(&view["key"]);
    let [root, key, value, proof] = ["root", "key", "value", "proof"].map(|field| text(&membership[field]));
    assert_eq!(value, encoded(&note), "the value is abi.encode(resource), says cast");
    assert_eq!(holds(call(PROOF, &[&root, &key, &value, &proof])), "true");
    assert_eq!(
        holds(call(PROOF, &[&key, &key, &value, &proof])),
        "false",
        "a root that the chain does not know"
    );
    let wrong = altered(&value);
    assert!(refused(call(PROOF, &[&root, &key, &wrong, &proof])).contains("revert"), "a wrong value");
    assert!(
        refused(call(PROOF, &[&root, &key, &value, &altered(&proof)])).contains("revert"),
        "an altered proof"
    );
    assert!(refused(call(ABSENCE, &[&root, &key, &proof])).contains("revert"), "presence is not absence");

    let absence = proof_of(&view["nullifierKey"]);
    assert_eq!(absence["present"], false, "{absence}");
    let [root, key, proof] = ["root", "key", "proof"].map(|field| text(&absence[field]));
    assert_eq!(holds(call(ABSENCE, &[&root, &key, &proof])), "true", "the note is unspent");
    assert!(
        refused(call(PROOF, &[&root, &key, "0x31", &proof])).contains("revert"),
        "absence is not presence"
    );
}

/// Issues 100 of a kind of the wallet's own to itself, finalized; hashed and signed by cast, sent by curl.
pub(super) fn issue_to_itself(wallet: &Wallet, chain: &str) -> Value {
    let label = cast(&["format-bytes32-string", "wood"]);
    let kind =
        cast(&["keccak", &cast(&["abi-encode", "f(uint256,address,bytes32)", "0", &wallet.address, &label])]);
    let note = json!({
        "domainId": chain,
        "owner": wallet.address.to_lowercase(),
        "kind": kind,
        "quantity": "100",
        "data": format!("0x{}", "00".repeat(32)),
        "salt": fresh_salt().to_string(),
    });
    let deadline = in_an_hour().to_string();
    let message = json!({
        "resourceId": cast(&["keccak", &encoded(&note)]),
        "issuer": wallet.address,
        "label": label,
        "deadline": deadline,
    });
    let signature = wallet.sign(&typed_data("Issue", message));
    let issue = json!({
        "resource": note, "issuer": wallet.address, "label": label, "deadline": deadline, "signature": signature,
    });
    let accepted = curl("/v1/issues", Some(&issue));
    finalized(accepted["id"].as_str().unwrap_or_else(|| panic!("{accepted}")));
    note
}

/// `abi.encode` of a note, by cast.
fn encoded(note: &Value) -> String {
    let words = ["domainId", "owner", "kind", "quantity", "data", "salt"].map(|field| text(&note[field]));
    let signature = "f(uint256,address,bytes32,uint256,bytes32,bytes32)";
    cast(&[&["abi-encode", signature], words.each_ref().map(String::as_str).as_slice()].concat())
}

fn output(chain: &str, owner: &str, like: &Value, quantity: &str) -> Value {
    json!({ "domainId": chain, "owner": owner, "kind": like["kind"], "quantity": quantity, "data": like["data"] })
}

/// The document that a wallet signs, for the domain that the API names.
fn typed_data(primary: &str, message: Value) -> Value {
    let field = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind });
    let fields = |list: &[(&str, &str)]| list.iter().copied().map(field).collect::<Vec<_>>();
    let chains = curl("/v1/chains", None);
    let domain = &chains["domain"];
    json!({
        "types": {
            "EIP712Domain": fields(&[
                ("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"),
            ]),
            "Transfer": fields(&[("inputs", "bytes32[]"), ("outputs", "Output[]"), ("deadline", "uint64")]),
            "Output": fields(&[
                ("domainId", "uint256"), ("owner", "address"), ("kind", "bytes32"), ("quantity", "uint256"),
                ("data", "bytes32"),
            ]),
            "Issue": fields(&[
                ("resourceId", "bytes32"), ("issuer", "address"), ("label", "bytes32"), ("deadline", "uint64"),
            ]),
        },
        "primaryType": primary,
        "domain": domain,
        "message": message,
    })
}

fn finalized(id: &str) -> Value {
    wait_until(&format!("{id} is finalized"), FINALIZED_WITHIN, || {
        let view = curl(&format!("/v1/transfers/{id}"), None);
        assert_ne!(view["status"], "rejected", "{view}");
        (view["status"] == "finalized").then_some(view)
    })
}

/// Asks the API with curl; posts where there is something to post.
fn curl(path: &str, body: Option<&Value>) -> Value {
    let mut curl = command("curl");
    curl.args(["-sS", "--max-time", &Duration::from_secs(20).as_secs().to_string()]);
    if let Some(body) = body {
        curl.args(["-H", "content-type: application/json", "--data", &body.to_string()]);
    }
    let answer = run({
        curl.arg(format!("{}{path}", devnet().api.base));
        curl
    });
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The same hex with its last digit changed.
fn altered(hex: &str) -> String {
    let last = if hex.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &hex[..hex.len() - 1])
}
