//! Every mistake a client can make has its own code, as a problem document that says whether a retry helps; and the
//! documentation works without anything from elsewhere.

use std::collections::BTreeSet;

use alloy::primitives::{B256, U256};
use hypha_e2e::{Answer, Ledger, User, output, text_word};
use hypha_protocol::contracts::{Issue, Resource, Transfer};
use hypha_protocol::ids::resource_id;
use hypha_protocol::json::{IssueJson, TransferJson};
use hypha_protocol::signing::sign_issue;
use serde_json::{Value, json};

use super::{devnet, moved};

/// Requires a problem document with this status and code, and gives it.
fn require_problem(what: &str, answer: &Answer, status: u16, code: &str, retryable: bool) -> Value {
    assert_eq!(answer.content_type, "application/problem+json", "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{what}: {problem}");
    assert_eq!(problem["status"], json!(status), "{what}: {problem}");
    assert_eq!(problem["type"], format!("urn:hypha:problem:{code}"), "{what}: {problem}");
    assert_eq!(problem["retryable"], json!(retryable), "{what}: {problem}");
    for field in ["title", "detail"] {
        assert!(
            problem[field].as_str().is_some_and(|text| !text.is_empty()),
            "{what}: no {field} in {problem}"
        );
    }
    problem
}

fn post(body: &Value) -> Answer {
    devnet().api.post("/v1/transfers", body)
}

/// A transfer of alice's change that would be taken in; tests make it wrong in one place.
fn good() -> Transfer {
    let (devnet, moved) = (devnet(), moved());
    let note = moved.created[1].clone();
    let outputs = vec![output(devnet.spokes()[0].id, moved.bob.address, note.kind, 70)];
    User::transfer(&devnet.domain(), &[&moved.alice], vec![note], outputs)
}

fn good_json() -> Value {
    json!(TransferJson::from(&good()))
}

/// The good transfer, changed and then signed by alice.
fn changed(change: impl FnOnce(&mut Transfer)) -> Value {
    let mut transfer = good();
    change(&mut transfer);
    let signatures =
        User::transfer(&devnet().domain(), &[&moved().alice], transfer.inputs.clone(), vec![]).signatures;
    assert_eq!(signatures.len(), 1, "alice owns all inputs");
    let signature =
        hypha_protocol::signing::sign_transfer(&moved().alice.signer, &devnet().domain(), &transfer);
    transfer.signatures = vec![signature.expect("a key in memory signs")];
    json!(TransferJson::from(&transfer))
}

/// The good transfer with one JSON value replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut json = good_json();
    *json.pointer_mut(pointer).expect("the form has this field") = value;
    json
}

#[test]
fn what_is_no_transfer_is_refused_with_the_field_that_is_wrong() {
    let mut unknown = good_json();
    unknown["outputs"][0]["memo"] = json!("x");
    let mut missing = good_json();
    missing.as_object_mut().expect("an object").remove("deadline");
    let cases = [
        ("unknown_field", unknown, "outputs[0].memo"),
        ("missing_field", missing, "deadline"),
        ("bad_type", with("/inputs", json!({})), "inputs"),
        ("bad_type", with("/inputs/0", json!("x")), "inputs[0]"),
        ("bad_hex", with("/outputs/0/owner", json!("alice")), "outputs[0].owner"),
        ("bad_hex", with("/outputs/0/kind", json!(format!("0x{}", "g".repeat(64)))), "outputs[0].kind"),
        ("bad_length", with("/outputs/0/kind", json!("0x12")), "outputs[0].kind"),
        ("bad_length", with("/signatures/0", json!("0x00")), "signatures[0]"),
        ("bad_number", with("/outputs/0/quantity", json!(70)), "outputs[0].quantity"),
        ("bad_number", with("/outputs/0/quantity", json!("070")), "outputs[0].quantity"),
        ("bad_number", with("/outputs/0/quantity", json!("-1")), "outputs[0].quantity"),
        ("bad_number", with("/outputs/0/quantity", json!(two_to_256())), "outputs[0].quantity"),
        ("bad_number", with("/deadline", json!("18446744073709551616")), "deadline"),
        ("bad_number", with("/inputs/0/domainId", json!("18446744073709551616")), "inputs[0].domainId"),
    ];
    for (code, body, field) in cases {
        let problem = require_problem(&body.to_string(), &post(&body), 400, code, false);
        assert_eq!(problem["field"], field, "{problem}");
    }
}

fn two_to_256() -> String {
    format!("{}6", U256::MAX.to_string().strip_suffix('5').expect("2^256 - 1 ends with a 5"))
}

#[test]
fn what_is_no_json_of_a_fitting_size_is_refused() {
    let api = &devnet().api;
    let send =
        |content_type: &str, body: String| api.send("POST", "/v1/transfers", Some((content_type, body)));
    let json = "application/json";
    require_problem("half a body", &send(json, "{".into()), 400, "malformed_json", false);
    let twice = good_json().to_string().replacen('{', "{\"deadline\":\"1\",", 1);
    require_problem("a field twice", &send(json, twice), 400, "malformed_json", false);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    require_problem("a deep body", &send(json, deep), 400, "too_deep", false);
    require_problem(
        "text",
        &send("text/plain", good_json().to_string()),
        415,
        "unsupported_media_type",
        false,
    );
    let large = format!("{}{}", good_json(), " ".repeat(300_000));
    require_problem("a large body", &send(json, large), 413, "body_too_large", false);
    assert_eq!(send("application/json; charset=utf-8", "{".into()).json()["code"], "malformed_json");
}

#[test]
fn a_transfer_that_breaks_a_rule_is_refused_with_the_rules_code() {
    let mallory = User::named("mallory");
    let forged = User::transfer(&devnet().domain(), &[&moved().alice], good().inputs, good().outputs);
    let forgery = hypha_protocol::signing::sign_transfer(&mallory.signer, &devnet().domain(), &forged);
    let forgery = json!(forgery.expect("a key in memory signs"));
    let mut parity = good_json();
    let v27 = parity["signatures"][0].as_str().expect("hex").to_owned();
    parity["signatures"][0] = json!(format!("{}00", &v27[..v27.len() - 2]));
    let mut two = good_json();
    two["signatures"].as_array_mut().expect("a list").push(json!(v27));
    let cases = [
        ("signer_mismatch", with("/signatures/0", forgery)),
        ("signature_parity", parity),
        ("signature_malleable", with("/signatures/0", json!(malleable(&v27)))),
        ("signature_count", two),
        ("signature_count", with("/signatures", json!([]))),
        ("input_count", with("/inputs", json!([]))),
        ("output_count", with("/outputs", json!([]))),
        ("unbalanced", changed(|transfer| transfer.outputs[0].quantity -= U256::ONE)),
        ("unbalanced", changed(|transfer| transfer.outputs[0].kind = B256::repeat_byte(1))),
        ("quantity_overflow", changed(overflow)),
        ("zero_quantity", changed(|transfer| transfer.outputs[0].quantity = U256::ZERO)),
        ("zero_owner", changed(|transfer| transfer.outputs[0].owner = Default::default())),
        ("zero_kind", changed(|transfer| transfer.outputs[0].kind = B256::ZERO)),
        ("zero_domain", changed(|transfer| transfer.outputs[0].domainId = U256::ZERO)),
        ("zero_salt", changed(|transfer| transfer.inputs[0].salt = B256::ZERO)),
        ("unknown_domain", changed(|transfer| transfer.outputs[0].domainId = U256::from(1))),
        ("deadline_passed", changed(|transfer| transfer.deadline = 1)),
        ("input_repeated", changed(repeat_input)),
    ];
    for (code, body) in cases {
        require_problem(&body.to_string(), &post(&body), 422, code, false);
    }
    let absent = changed(|transfer| transfer.inputs[0].salt = B256::repeat_byte(9));
    let problem = require_problem("a note that never was", &post(&absent), 422, "input_absent", true);
    assert!(problem["input"].is_string(), "{problem}");
}

fn overflow(transfer: &mut Transfer) {
    let mut huge = transfer.outputs[0].clone();
    huge.quantity = U256::MAX;
    transfer.outputs.push(huge);
}

fn repeat_input(transfer: &mut Transfer) {
    let again = transfer.inputs[0].clone();
    transfer.inputs.push(again);
    transfer.outputs[0].quantity = U256::from(140);
}

/// The other form of the same signature.
fn malleable(signature: &str) -> String {
    let order: U256 =
        "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().expect("hex");
    let s: U256 = format!("0x{}", &signature[66..130]).parse().expect("hex");
    let v = if signature.ends_with("1b") { "1c" } else { "1b" };
    format!("{}{:064x}{v}", &signature[..66], order - s)
}

#[test]
fn a_note_is_spent_once() {
    let (devnet, moved) = (devnet(), moved());
    let again = User::transfer(
        &devnet.domain(),
        &[&moved.alice],
        vec![moved.spent.clone()],
        vec![output(devnet.hub().id, moved.bob.address, moved.spent.kind, 100)],
    );
    let problem = require_problem(
        "a double spend",
        &post(&json!(TransferJson::from(&again))),
        409,
        "input_spent",
        false,
    );
    assert_eq!(problem["transfer"], moved.id, "{problem}");
    assert_eq!(problem["input"], resource_id(&moved.spent).to_string(), "{problem}");

    let issuer = User::named("issuer");
    let issue = issuer.issue(&devnet.domain(), "lead", moved.alice.address, devnet.hub().id, 5);
    let issued = devnet.issue(&issue);
    let spend = |to: &User| {
        let outputs = vec![output(devnet.hub().id, to.address, issue.resource.kind, 5)];
        User::transfer(&devnet.domain(), &[&moved.alice], vec![issue.resource.clone()], outputs)
    };
    let first = devnet.transfer(&spend(&moved.bob));
    let second = json!(TransferJson::from(&spend(&moved.alice)));
    let problem = require_problem("a claimed note", &post(&second), 409, "input_claimed", true);
    assert_eq!(problem["transfer"], first, "{problem}");
    devnet.api.finalized(&issued);
    devnet.api.finalized(&first);
    require_problem("the same, later", &post(&second), 409, "input_spent", false);
}

#[test]
fn an_issue_that_breaks_a_rule_is_refused() {
    let devnet = devnet();
    let issuer = User::named("issuer");
    let good = issuer.issue(&devnet.domain(), "iron", moved().alice.address, devnet.hub().id, 9);
    let changed = |change: fn(&mut Issue)| {
        let mut issue = good.clone();
        change(&mut issue);
        issue.signature =
            sign_issue(&issuer.signer, &devnet.domain(), &issue).expect("a key in memory signs");
        issue
    };
    let send = |issue: &Issue| devnet.api.post("/v1/issues", &json!(IssueJson::from(issue)));
    let cases = [
        ("kind_mismatch", changed(|issue| issue.label = text_word("gold"))),
        ("kind_mismatch", changed(|issue| issue.resource.kind = B256::repeat_byte(7))),
        ("zero_quantity", changed(|issue| issue.resource.quantity = U256::ZERO)),
        ("unknown_domain", changed(|issue| issue.resource.domainId = U256::from(5))),
        ("deadline_passed", changed(|issue| issue.deadline = 1)),
        (
            "signer_mismatch",
            Issue { signature: changed(|issue| issue.deadline += 1).signature, ..good.clone() },
        ),
    ];
    for (code, issue) in cases {
        require_problem(code, &send(&issue), 422, code, false);
    }
    let id = devnet.issue(&good);
    let again = changed(|issue| issue.deadline += 1);
    let problem =
        require_problem("the same note by another issue", &send(&again), 409, "output_exists", false);
    assert_eq!(problem["output"], resource_id(&good.resource).to_string(), "{problem}");
    devnet.api.finalized(&id);
}

#[test]
fn the_same_request_again_has_the_same_answer_and_no_second_effect() {
    let (devnet, moved) = (devnet(), moved());
    let body = json!(TransferJson::from(&moved.transfer));
    let answer = post(&body);
    assert_eq!(answer.status, 202, "{answer:?}");
    let location = format!("/v1/transfers/{}", moved.id);
    assert_eq!(answer.location.as_deref(), Some(location.as_str()));
    assert_eq!(answer.json(), json!({ "id": moved.id, "status": "finalized", "location": location }));

    let issue =
        User::named("issuer").issue(&devnet.domain(), "salt", moved.alice.address, devnet.hub().id, 3);
    let ids: BTreeSet<String> = (0..5).map(|_| devnet.issue(&issue)).collect();
    let id = ids.first().expect("five answers");
    assert_eq!(ids.len(), 1);
    devnet.api.finalized(id);
    let ledger = Ledger::of(devnet);
    ledger.require_consistent();
    let taken = |id: &str| ledger.operations.iter().filter(|one| one.to_string() == id).count();
    assert_eq!((taken(id), taken(&moved.id)), (1, 1));
    let view = devnet.api.get(&format!("/v1/issues/{id}"));
    assert_eq!(view["type"], "issue", "issues are found under their own name too: {view}");
}

#[test]
fn what_is_not_there_is_a_problem_document_too() {
    let (devnet, moved) = (devnet(), moved());
    let (nobody, api) = (B256::repeat_byte(0xee), &devnet.api);
    let key = api.get(&format!("/v1/resources/{}", resource_id(&moved.spent)))["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    let cases = [
        ("/v1/nothing".to_owned(), 404, "not_found", true),
        ("/".to_owned(), 404, "not_found", true),
        (format!("/v1/transfers/{nobody}"), 404, "not_found", true),
        (format!("/v1/resources/{nobody}"), 404, "not_found", true),
        ("/v1/batches/4000000000".to_owned(), 404, "not_found", true),
        ("/v1/batches/x".to_owned(), 400, "bad_number", false),
        ("/v1/transfers/0x12".to_owned(), 400, "bad_length", false),
        ("/v1/transfers/x".to_owned(), 400, "bad_hex", false),
        (format!("/v1/proofs/{key}?chain=5"), 404, "unknown_chain", false),
        (format!("/v1/proofs/{key}?index=4000000000"), 404, "index_not_kept", false),
        (format!("/v1/proofs/{}", B256::ZERO), 400, "bad_value", false),
        ("/v1/resources?colour=red".to_owned(), 400, "unknown_field", false),
        ("/v1/resources?unspent=maybe".to_owned(), 400, "bad_value", false),
        ("/v1/resources?owner=0x12".to_owned(), 400, "bad_length", false),
        ("/v1/roots?limit=0".to_owned(), 400, "bad_value", false),
        ("/v1/roots?limit=x".to_owned(), 400, "bad_number", false),
        ("/v1/events?after=x".to_owned(), 400, "bad_number", false),
        ("/v1/transfers/%ff".to_owned(), 400, "bad_value", false),
        ("/v1/batches/%ff".to_owned(), 400, "bad_value", false),
        ("/v1/resources?owner=%ff".to_owned(), 400, "bad_hex", false),
    ];
    for (path, status, code, retryable) in cases {
        require_problem(&path, &api.send("GET", &path, None), status, code, retryable);
    }
    let attestor =
        devnet.service("attestor-1").api.send("GET", &format!("/v1/attestations/%ff/{key}?to=1"), None);
    require_problem("an attestor asked in no text", &attestor, 400, "bad_value", false);
    for (method, path, allowed) in
        [("PUT", "/v1/transfers", "POST"), ("DELETE", "/v1/chains", "GET"), ("POST", "/v1/roots", "GET")]
    {
        let answer = api.send(method, path, None);
        require_problem(path, &answer, 405, "method_not_allowed", false);
        assert!(
            answer.allow.as_deref().is_some_and(|methods| methods.contains(allowed)),
            "{method} {path}: {answer:?}"
        );
    }
}

#[test]
fn lists_come_in_pages() {
    let (devnet, moved) = (devnet(), moved());
    let owner = moved.alice.address;
    let whole = devnet.api.get(&format!("/v1/resources?owner={owner}"));
    let whole: Vec<Value> = whole["resources"].as_array().expect("a list").clone();
    assert!(whole.len() >= 2, "the note that was spent, and the change");
    let mut paged: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = devnet.api.get(&format!("/v1/resources?owner={owner}&limit=1{cursor}"));
        paged.extend(page["resources"].as_array().expect("a list").iter().cloned());
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, whole);
    let spent = devnet.api.get(&format!("/v1/resources?owner={owner}&unspent=false"));
    let spent_ids: Vec<&Value> =
        spent["resources"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
    assert!(spent_ids.contains(&&json!(resource_id(&moved.spent))), "{spent}");
    assert!(!spent_ids.contains(&&json!(resource_id(&moved.created[1]))), "{spent}");
    require_same_roots();
}

/// The roots by pages are those of all chains.
fn require_same_roots() {
    let devnet = devnet();
    let (index, root) = devnet.one_root();
    let whole = devnet.api.get("/v1/roots");
    assert_eq!(whole["roots"][0]["index"], index.to_string());
    assert_eq!(whole["roots"][0]["root"], root.to_string());
    let mut indexes = Vec::new();
    let mut before = String::new();
    loop {
        let page = devnet.api.get(&format!("/v1/roots?limit=2{before}"));
        let roots = page["roots"].as_array().expect("a list");
        indexes.extend(roots.iter().filter_map(|one| one["index"].as_str()?.parse::<u64>().ok()));
        let Some(next) = page["before"].as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(indexes, (0..=index).rev().collect::<Vec<_>>());
}

#[test]
fn a_batch_is_there_in_full() {
    let (devnet, moved) = (devnet(), moved());
    let index = devnet.api.get(&format!("/v1/transfers/{}", moved.id))["index"]
        .as_str()
        .expect("an index")
        .to_owned();
    let batch = devnet.api.get(&format!("/v1/batches/{index}"));
    assert!(batch["ids"].as_array().expect("ids").contains(&json!(moved.id)), "{batch}");
    let operations = alloy::hex::decode(batch["operations"].as_str().expect("hex")).expect("hex");
    let operations = hypha_protocol::operations::decode_operations(&operations).expect("packed operations");
    assert!(operations.iter().any(|operation| operation.id().to_string() == moved.id));
    let spent: Vec<&Resource> = operations.iter().flat_map(|operation| operation.inputs()).collect();
    assert!(spent.contains(&&moved.spent));
}

#[test]
fn the_documentation_loads_nothing_from_elsewhere() {
    let api = &devnet().api;
    let document = api.get("/openapi.json");
    for path in
        ["/v1/transfers", "/v1/issues", "/v1/transfers/{id}", "/v1/events", "/v1/proofs/{key}", "/readyz"]
    {
        assert!(document["paths"][path].is_object(), "{path} is not described");
    }
    assert!(document["servers"].as_array().is_none_or(|servers| {
        servers.iter().all(|one| one["url"].as_str().is_some_and(|url| url.starts_with('/')))
    }));
    let page = api.send("GET", "/docs/", None);
    assert_eq!((page.status, page.content_type.as_str()), (200, "text/html"), "{page:?}");
    let loaded = loaded_by(&page.text);
    assert!(
        loaded.iter().any(|path| path.ends_with(".js")) && loaded.iter().any(|path| path.ends_with(".css")),
        "{loaded:?}"
    );
    for path in loaded {
        assert!(!path.contains("//"), "{path} is elsewhere");
        let path = format!("/docs/{}", path.trim_start_matches("./"));
        let file = api.send("GET", &path, None);
        assert_eq!(file.status, 200, "{path}");
        if path.ends_with("initializer.js") {
            assert!(file.text.contains("/openapi.json") && !file.text.contains("http"), "{}", file.text);
        }
    }
    let short = api.send("GET", "/docs", None);
    let leads =
        short.status == 200 || short.location.as_deref().is_some_and(|place| place.ends_with("/docs/"));
    assert!(leads, "{short:?}");
}

/// What a browser loads for a page: the targets of `src` and of `link`'s `href`.
fn loaded_by(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in html
        .split('<')
        .filter(|tag| tag.starts_with("script") || tag.starts_with("link") || tag.starts_with("img"))
    {
        for attribute in ["src=\"", "href=\""] {
            let value = tag.split(attribute).nth(1).and_then(|rest| rest.split('"').next());
            found.extend(value.map(str::to_owned));
        }
    }
    found
}
