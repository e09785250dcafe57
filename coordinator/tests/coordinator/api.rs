//! Each mistake of a client has its own code.

use alloy::primitives::{B256, Bytes, U256};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hypha_coordinator::api::problem::Code;
use hypha_protocol::operations::{Operation, Transfer};
use serde_json::{Value, json};

use super::world::*;

struct Case {
    code: &'static str,
    status: u16,
    request: Request<Body>,
}

fn case(code: &'static str, status: u16, request: Request<Body>) -> Case {
    Case { code, status, request }
}

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn transfer_body(edit: impl FnOnce(&mut Value)) -> Request<Body> {
    let mut body = form(&valid()).1;
    edit(&mut body);
    post("/v1/transfers", body.to_string())
}

fn valid() -> Operation {
    transfer(&[note("alice", HUB_ID, 10, 1)], &[output("bob", HUB_ID, 10)], &["alice"])
}

fn edited(edit: impl FnOnce(&mut Transfer)) -> Request<Body> {
    let Operation::Transfer(mut transfer) = valid() else { unreachable!("it is a transfer") };
    edit(&mut transfer);
    let (path, body) = form(&Operation::Transfer(transfer));
    post(path, body.to_string())
}

/// A transfer that is signed after the edit.
fn signed(edit: impl FnOnce(&mut Transfer)) -> Request<Body> {
    let Operation::Transfer(mut transfer) = valid() else { unreachable!("it is a transfer") };
    edit(&mut transfer);
    let transfer = transfer_until(&transfer.inputs, &transfer.outputs, &["alice", "bob"], transfer.deadline);
    let (path, body) = form(&Operation::Transfer(transfer));
    post(path, body.to_string())
}

fn issued(edit: impl FnOnce(&mut Value)) -> Request<Body> {
    let (path, mut body) = form(&issue(&note("alice", HUB_ID, 10, 9)));
    edit(&mut body);
    post(path, body.to_string())
}

fn signature(edit: impl FnOnce(&mut Vec<u8>)) -> Request<Body> {
    edited(|transfer| {
        let mut bytes = transfer.signatures[0].to_vec();
        edit(&mut bytes);
        transfer.signatures[0] = Bytes::from(bytes);
    })
}

fn forms() -> Vec<Case> {
    let deep = format!("{}{}", "[".repeat(20), "]".repeat(20));
    let twice = form(&valid()).1.to_string().replacen('{', "{\"deadline\":\"1\",", 1);
    let large = Request::post("/v1/transfers")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, "999999999")
        .body(Body::empty())
        .unwrap();
    let untyped = Request::post("/v1/transfers").body(Body::from("{}")).unwrap();
    vec![
        case("malformed_json", 400, post("/v1/transfers", "{")),
        case("malformed_json", 400, post("/v1/transfers", twice)),
        case("too_deep", 400, post("/v1/transfers", deep)),
        case("unknown_field", 400, transfer_body(|body| body["memo"] = json!("x"))),
        case("unknown_field", 400, transfer_body(|body| body["inputs"][0]["memo"] = json!("x"))),
        case(
            "missing_field",
            400,
            transfer_body(|body| drop(body.as_object_mut().unwrap().remove("outputs"))),
        ),
        case("bad_type", 400, transfer_body(|body| body["inputs"] = json!("x"))),
        case("bad_hex", 400, transfer_body(|body| body["inputs"][0]["owner"] = json!("0xzz"))),
        case("bad_hex", 400, get("/v1/transfers/xyz")),
        case("bad_length", 400, transfer_body(|body| body["inputs"][0]["owner"] = json!("0x1234"))),
        case("bad_length", 400, get("/v1/resources/0x12")),
        case("bad_number", 400, transfer_body(|body| body["deadline"] = json!(5))),
        case("bad_number", 400, transfer_body(|body| body["deadline"] = json!("18446744073709551616"))),
        case("bad_number", 400, transfer_body(|body| body["outputs"][0]["quantity"] = json!("007"))),
        case("bad_number", 400, transfer_body(|body| body["outputs"][0]["quantity"] = json!("-1"))),
        case("bad_value", 400, get(&format!("/v1/proofs/{}", B256::ZERO))),
        case("bad_value", 400, get("/v1/resources?unspent=perhaps")),
        case("bad_value", 400, get("/v1/transfers/%ff")),
        case("bad_value", 400, get("/v1/requests/%ff/1")),
        case("bad_value", 400, get("/v1/requests?status=lost")),
        case("bad_value", 400, get("/v1/requests?cursor=7")),
        case("bad_number", 400, get("/v1/requests?cursor=7-x")),
        case("bad_number", 400, get("/v1/requests/1/0x1")),
        case("not_found", 404, get("/v1/requests/1/1")),
        case("ambiguous", 400, get("/v1/roots?limit=1&limit=1")),
        case("body_too_large", 413, large),
        case("body_too_large", 413, post("/v1/transfers", "x".repeat(300_000))),
        case("unsupported_media_type", 415, untyped),
        case("not_found", 404, get("/v1/nothing")),
        case("not_found", 404, get(&format!("/v1/transfers/{}", B256::repeat_byte(1)))),
        case("not_found", 404, get("/v1/batches/77")),
        case("unknown_chain", 404, get(&format!("/v1/proofs/{}?chain=5", B256::repeat_byte(1)))),
        case("index_not_kept", 404, get(&format!("/v1/proofs/{}?index=5", B256::repeat_byte(1)))),
        case("method_not_allowed", 405, Request::delete("/v1/transfers").body(Body::empty()).unwrap()),
    ]
}

fn rules() -> Vec<Case> {
    let half = U256::MAX / U256::from(2) + U256::from(1);
    vec![
        case("input_count", 422, edited(|t| t.inputs.clear())),
        case("output_count", 422, edited(|t| t.outputs.clear())),
        case("signature_count", 422, edited(|t| t.signatures.clear())),
        case("zero_domain", 422, edited(|t| t.inputs[0].domainId = U256::ZERO)),
        case("zero_owner", 422, edited(|t| t.outputs[0].owner = alloy::primitives::Address::ZERO)),
        case("zero_kind", 422, edited(|t| t.outputs[0].kind = B256::ZERO)),
        case("zero_quantity", 422, edited(|t| t.outputs[0].quantity = U256::ZERO)),
        case("zero_salt", 422, edited(|t| t.inputs[0].salt = B256::ZERO)),
        case(
            "zero_issuer",
            422,
            issued(|body| {
                let issuer = alloy::primitives::Address::ZERO;
                body["issuer"] = json!(issuer.to_string());
                let kind = hypha_protocol::ids::kind_of(U256::ZERO, issuer, LABEL);
                body["resource"]["kind"] = json!(kind.to_string());
            }),
        ),
        case(
            "zero_label",
            422,
            issued(|body| {
                body["label"] = json!(B256::ZERO.to_string());
                let kind = hypha_protocol::ids::kind_of(U256::ZERO, key("issuer").address(), B256::ZERO);
                body["resource"]["kind"] = json!(kind.to_string());
            }),
        ),
        case("kind_mismatch", 422, issued(|body| body["label"] = json!(B256::repeat_byte(5).to_string()))),
        case(
            "quantity_overflow",
            422,
            edited(|t| {
                t.inputs[0].quantity = half;
                t.inputs.push(t.inputs[0].clone());
            }),
        ),
        case("unbalanced", 422, edited(|t| t.outputs[0].quantity = U256::from(11))),
        case("signature_malleable", 422, signature(|bytes| bytes[32..64].fill(0xff))),
        case("signature_parity", 422, signature(|bytes| bytes[64] = 0)),
        case("signer_mismatch", 422, signature(|bytes| bytes[5] ^= 1)),
        case("deadline_passed", 422, signed(|t| t.deadline = 1)),
        case("unknown_domain", 422, signed(|t| t.outputs[0].domainId = U256::from(5))),
        case(
            "input_repeated",
            422,
            signed(|t| {
                t.inputs.push(t.inputs[0].clone());
                t.outputs[0].quantity = U256::from(20);
            }),
        ),
        case("input_absent", 422, signed(|_| {})),
        case(
            "output_exists",
            409,
            issued(|body| {
                let again = issue_until(&note("alice", HUB_ID, 3, 3), DEADLINE - 1);
                *body = form(&again).1;
            }),
        ),
    ]
}

/// Codes that other tests meet, or that stand for a failure which no request brings about.
const ELSEWHERE: &[&str] = &[
    "request_timeout",
    "operation_too_long",
    "operation_malformed",
    "input_spent",
    "input_claimed",
    "queue_full",
    "unauthorized",
    "forbidden",
    "rate_limited",
    "draining",
    "busy",
    "too_many_streams",
    "store_unavailable",
    "halted",
    "shutting_down",
    "internal",
];

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_has_its_own_problem_document() {
    let world = World::new();
    let running = world.start().await;
    running.accept(&issue(&note("alice", HUB_ID, 3, 3))).await;
    let cases: Vec<Case> = forms().into_iter().chain(rules()).collect();
    for code in Code::ALL.iter().map(|code| code.as_str()) {
        let tested = cases.iter().any(|case| case.code == code);
        assert!(tested != ELSEWHERE.contains(&code), "{code}");
    }
    for Case { code, status, request } in cases {
        let (answered, problem) = running.send(request).await;
        assert_eq!(problem["code"], code, "{problem:#}");
        assert_eq!(
            (answered.as_u16(), problem["status"].as_u64()),
            (status, Some(u64::from(status))),
            "{code}"
        );
        assert_eq!(problem["type"], format!("urn:hypha:problem:{code}"));
        assert!(
            problem["title"].is_string()
                && problem["detail"].is_string()
                && problem["retryable"].is_boolean()
        );
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_when_to_come_back() {
    let mut world = World::new();
    world.limits.queue = 2;
    world.batch = patient();
    let running = world.start().await;
    let operation = |salt| issue(&note("alice", HUB_ID, 3, salt));
    running.accept(&operation(1)).await;
    running.accept(&operation(2)).await;
    let (path, body) = form(&operation(3));
    let response =
        tower::ServiceExt::oneshot(running.router.clone(), post(path, body.to_string())).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let (status, _) = running.submit(&operation(1)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "what is known is answered also when the queue is full");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route_and_the_pages_need_nothing_from_elsewhere() {
    let world = World::new();
    let running = world.start().await;
    let (_, description) = running.get("/openapi.json").await;
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let expected = [
        "/healthz",
        "/metrics",
        "/readyz",
        "/v1/batches/{index}",
        "/v1/chains",
        "/v1/events",
        "/v1/issues",
        "/v1/nullifiers/{nullifier}",
        "/v1/proofs",
        "/v1/proofs/{key}",
        "/v1/requests",
        "/v1/requests/{chain}/{number}",
        "/v1/resources",
        "/v1/resources/{id}",
        "/v1/roots",
        "/v1/transfers",
        "/v1/transfers/{id}",
    ];
    for path in expected {
        assert!(paths.iter().any(|known| *known == path), "{path} is not described");
    }
    assert_eq!(paths.len(), expected.len());
    let response = tower::ServiceExt::oneshot(running.router.clone(), get("/docs/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let page = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(
        page.contains("swagger-ui") && !page.contains("//cdn") && !page.contains("https://unpkg"),
        "{page}"
    );
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_coordinator_is_ready_and_counts() {
    let world = World::new();
    let running = world.start().await;
    let id = running.accept(&issue(&note("alice", HUB_ID, 3, 1))).await;
    world.until(&running, &id, "finalized").await;
    assert_eq!(
        running.get("/readyz").await,
        (StatusCode::OK, json!({"ready": true, "reasons": [], "warnings": []}))
    );
    // The disk, which said so, comes before the count.
    eventually("counted", async || {
        let text = running.get_text("/metrics").await;
        text.contains("hypha_transfers_total{status=\"finalized\"}")
    })
    .await;
    running.stop().await.unwrap();
}
