//! Proofs as clients ask for them: of many keys, without values, and again.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use hypha_protocol::ids::{nullifier_key, nullifier_of, word};
use hypha_tree::{Key, Root, Touch, ValueHash, verify};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::*;

fn bytes(value: &Value) -> Vec<u8> {
    alloy::hex::decode(value.as_str().unwrap_or_else(|| panic!("{value} is no text"))).unwrap()
}

fn word_of(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

/// The proof of an answer holds for the keys and values that it names.
fn check(answer: &Value) {
    let touch = |held: &Value| {
        let old = (held["present"] == true).then(|| ValueHash::of(&bytes(&held["value"])));
        Touch { key: Key::from(word_of(&held["key"])), old, new: None }
    };
    let touches: Vec<Touch> = answer["keys"].as_array().unwrap().iter().map(touch).collect();
    verify(Root::from(word_of(&answer["root"])), &touches, &bytes(&answer["proof"])).unwrap();
}

/// Status, headers and body of an answer to a question with `If-None-Match`.
async fn ask_again(running: &Running, path: &str, tag: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap();
    let response = running.router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, headers, String::from_utf8(body.to_vec()).unwrap())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers[name].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_have_one_proof_at_the_version_that_was_asked_for() {
    let world = World::new();
    let running = world.start().await;
    let (kept, spent) = (note("alice", SPOKE_ID, 10, 1), note("alice", HUB_ID, 11, 2));
    for resource in [&kept, &spent] {
        let id = running.accept(&issue(resource)).await;
        world.until(&running, &id, "finalized").await;
    }
    let spend = transfer(std::slice::from_ref(&spent), &[output("bob", HUB_ID, 11)], &["alice"]);
    let id = running.accept(&spend).await;
    world.until(&running, &id, "finalized").await;
    let nullifier = word(nullifier_key(nullifier_of(&spent))).to_string();
    let mut keys = vec![key_of(&kept), key_of(&spent), nullifier.clone()];
    let ask = async |question: Value| running.post("/v1/proofs", question.to_string()).await;
    let (status, latest) = ask(json!({ "keys": keys })).await;
    assert_eq!((status, latest["index"].as_str()), (StatusCode::OK, Some("3")), "{latest:#}");
    check(&latest);
    keys.sort();
    let named: Vec<&str> =
        latest["keys"].as_array().unwrap().iter().filter_map(|held| held["key"].as_str()).collect();
    assert_eq!(named, keys, "in ascending order, as the proof has them");
    assert!(latest["keys"].as_array().unwrap().iter().all(|held| held["present"] == true), "{latest:#}");

    let (_, before) = ask(json!({ "keys": keys, "index": "2" })).await;
    check(&before);
    let present = |key: &str| {
        let held = before["keys"].as_array().unwrap().iter().find(|held| held["key"] == key);
        held.unwrap()["present"].as_bool()
    };
    assert_eq!((present(&key_of(&spent)), present(&nullifier)), (Some(true), Some(false)));

    let (_, spoke) = ask(json!({ "keys": keys, "chain": SPOKE_ID.to_string() })).await;
    assert_eq!(spoke["chainId"], SPOKE_ID.to_string());
    check(&spoke);

    let (_, holey) = ask(json!({ "keys": keys, "holey": true })).await;
    assert_eq!(holey["proof"], latest["proof"]);
    assert!(holey["keys"].as_array().unwrap().iter().all(|held| held["value"].is_null()), "{holey:#}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_sent_once_for_each_version() {
    let world = World::new();
    let running = world.start().await;
    let resource = note("alice", HUB_ID, 10, 1);
    let id = running.accept(&issue(&resource)).await;
    world.until(&running, &id, "finalized").await;
    let path = format!("/v1/proofs/{}", key_of(&resource));
    let (status, headers, whole) = ask_again(&running, &path, "\"other\"").await;
    assert_eq!((status, text(&headers, header::CACHE_CONTROL)), (StatusCode::OK, "no-cache".to_owned()));
    let tag = text(&headers, header::ETAG);
    for named in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let (status, headers, body) = ask_again(&running, &path, &named).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{named}");
        assert_eq!(text(&headers, header::ETAG), tag);
    }
    let (_, holey) = running.get(&format!("{path}?holey=1")).await;
    let mut expected: Value = serde_json::from_str(&whole).unwrap();
    assert!(expected.as_object_mut().unwrap().remove("value").is_some(), "{expected:#}");
    assert_eq!(holey, expected, "all but the value");

    let id = running.accept(&issue(&note("alice", HUB_ID, 10, 2))).await;
    world.until(&running, &id, "finalized").await;
    let (status, headers, _) = ask_again(&running, &path, &tag).await;
    assert_eq!(status, StatusCode::OK, "there is a newer version");
    assert_ne!(text(&headers, header::ETAG), tag);
    let (_, headers, settled) = ask_again(&running, &format!("{path}?index=1"), "\"other\"").await;
    assert_eq!((text(&headers, header::ETAG), settled), (tag, whole), "the same version");
    assert!(text(&headers, header::CACHE_CONTROL).contains("immutable"));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_answered_says_which_key_is_wrong() {
    let world = World::new();
    let running = world.start().await;
    let (one, zero) = (format!("0x{}", "11".repeat(32)), format!("0x{}", "00".repeat(32)));
    let many: Vec<String> = (1..=1_001).map(|number| format!("0x{number:064x}")).collect();
    for (question, code, field) in [
        (json!({ "keys": [] }), "bad_value", Some("keys")),
        (json!({ "keys": many }), "bad_value", Some("keys")),
        (json!({ "keys": [one, one] }), "bad_value", Some("keys[1]")),
        (json!({ "keys": [one, zero] }), "bad_value", Some("keys[1]")),
        (json!({ "keys": [one, "0x12"] }), "bad_length", Some("keys[1]")),
        (json!({ "keys": one }), "bad_type", Some("keys")),
        (json!({ "keys": [one], "holey": "1" }), "bad_type", Some("holey")),
        (json!({ "keys": [one], "index": 1 }), "bad_number", Some("index")),
        (json!({ "keys": [one], "depth": "1" }), "unknown_field", Some("depth")),
        (json!({ "index": "1" }), "missing_field", Some("keys")),
        (json!({ "keys": [one], "index": "5" }), "index_not_kept", None),
        (json!({ "keys": [one], "chain": "5" }), "unknown_chain", None),
    ] {
        let (_, answer) = running.post("/v1/proofs", question.to_string()).await;
        assert_eq!((answer["code"].as_str(), answer["field"].as_str()), (Some(code), field), "{answer:#}");
    }
    running.stop().await.unwrap();
}
