//! API keys: who may do what, and how often.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use hypha_coordinator::api::keys::{KeyRecord, Role};
use serde_json::Value;
use tower::ServiceExt;

use super::world::*;

fn record(key: &str, role: Role, rate: u32, burst: u32) -> String {
    let record = KeyRecord { name: key.to_owned(), role, rate, burst, hash: KeyRecord::hash_of(key) };
    serde_json::to_string(&record).unwrap()
}

/// A request with this key, answered.
async fn ask(running: &Running, request: Request<Body>, key: Option<&str>) -> (Response, Value) {
    let mut request = request;
    if let Some(key) = key {
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
    }
    let (parts, body) = running.router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let view = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (Response::from_parts(parts, Body::empty()), view)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn hand_in(salt: u8) -> Request<Body> {
    let (path, body) = form(&issue(&note("alice", HUB_ID, 5, salt)));
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_reads_a_writer_hands_in_and_who_has_no_key_does_neither() {
    let mut world = World::new();
    let lines = [record("reads", Role::Reader, 1_000, 1_000), record("writes", Role::Writer, 1_000, 1_000)];
    world.keys(&lines.join("\n"));
    let running = world.start().await;
    for (key, read, written) in [
        (None, (401, Some("unauthorized")), (401, Some("unauthorized"))),
        (Some("guess"), (401, Some("unauthorized")), (401, Some("unauthorized"))),
        (Some("reads"), (200, None), (403, Some("forbidden"))),
        (Some("writes"), (200, None), (202, None)),
    ] {
        for path in ["/v1/chains", "/v1/roots", "/metrics"] {
            let (answer, view) = ask(&running, get(path), key).await;
            assert_eq!((answer.status().as_u16(), view["code"].as_str()), read, "{key:?} {path}");
            assert_eq!(answer.headers().contains_key(header::WWW_AUTHENTICATE), read.0 == 401);
        }
        let (answer, view) = ask(&running, hand_in(1), key).await;
        assert_eq!((answer.status().as_u16(), view["code"].as_str()), written, "{key:?}");
        for path in ["/healthz", "/readyz", "/openapi.json", "/docs/"] {
            assert_eq!(ask(&running, get(path), key).await.0.status(), StatusCode::OK, "{path} is for all");
        }
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_is_told_when_to_come_back_and_others_are_not_held_up() {
    let mut world = World::new();
    let lines = [record("often", Role::Reader, 1, 3), record("seldom", Role::Reader, 1, 3)];
    world.keys(&lines.join("\n"));
    let running = world.start().await;
    let mut refused = None;
    eventually("it asks too often", async || {
        let (answer, view) = ask(&running, get("/v1/chains"), Some("often")).await;
        if answer.status() != StatusCode::OK {
            refused = Some((answer, view));
        }
        refused.is_some()
    })
    .await;
    let (answer, view) = refused.unwrap();
    assert_eq!(
        (answer.status(), view["code"].as_str()),
        (StatusCode::TOO_MANY_REQUESTS, Some("rate_limited"))
    );
    assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    assert_eq!(ask(&running, get("/v1/chains"), Some("seldom")).await.0.status(), StatusCode::OK);
    eventually("it may ask again", async || {
        ask(&running, get("/v1/chains"), Some("often")).await.0.status() == StatusCode::OK
    })
    .await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_of_keys_all_may_do_everything() {
    let world = World::new();
    let running = world.start().await;
    assert_eq!(ask(&running, hand_in(1), None).await.0.status(), StatusCode::ACCEPTED);
    assert_eq!(ask(&running, get("/v1/chains"), Some("anything")).await.0.status(), StatusCode::OK);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keys_are_for_is_described() {
    let world = World::new();
    let running = world.start().await;
    let (_, description) = running.get("/openapi.json").await;
    assert_eq!(description["components"]["securitySchemes"]["key"]["scheme"], "bearer");
    for (path, method) in [("/v1/transfers", "post"), ("/v1/chains", "get")] {
        let answers = &description["paths"][path][method]["responses"];
        for status in ["401", "403", "429", "503"] {
            assert!(answers[status].is_object(), "{path} {status}");
        }
        assert!(answers["429"]["headers"]["Retry-After"].is_object());
    }
    assert!(description["paths"]["/healthz"]["get"]["responses"]["401"].is_null(), "it is for all");
    running.stop().await.unwrap();
}
