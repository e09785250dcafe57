//! What the operator may do, on the operator's listener.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use hypha_chain::config::KeyConfig;
use hypha_chain::ports::Clock;
use hypha_coordinator::CoordinatorConfig;
use hypha_coordinator::api::keys::{KeyRecord, Role};
use hypha_coordinator::api::token::Token;
use hypha_coordinator::config::{AdminConfig, ConfigError};
use serde_json::{Value, json};

use super::asking::losing;
use super::wire::*;
use super::world::*;

const TOKEN: &str = "00112233445566778899aabbccddeeff";

/// The operator's listener of a coordinator.
struct Desk {
    address: SocketAddr,
}

fn token_file(world: &World) -> PathBuf {
    let path = world.snapshot().with_file_name("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

impl Desk {
    async fn open(world: &World, running: &Running) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let token = Token::read(&token_file(world)).unwrap();
        tokio::spawn(running.service.serve_admin(listener, token));
        Self { address }
    }

    async fn send(&self, line: &str, headers: &str) -> (u16, Value) {
        let request = format!("{line} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        let answer = exchange(self.address, request).await;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (outcome(&answer).0, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn ask(&self, line: &str) -> (u16, Value) {
        self.send(line, &format!("host: {}\r\nauthorization: Bearer {TOKEN}\r\n", self.address)).await
    }

    async fn tell(&self, what: &str) -> Value {
        let (status, answer) = self.ask(&format!("POST /admin/{what}")).await;
        assert!((200..300).contains(&status), "{what}: {answer:#}");
        answer
    }
}

/// A clock on which no pause before the next attempt is ever over.
struct Standing;

#[async_trait]
impl Clock for Standing {
    fn now_ms(&self) -> u64 {
        1_790_000_000_000
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn op(number: u64) -> hypha_protocol::operations::Operation {
    issue(&note("alice", HUB_ID, number, 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn e13_nobody_without_the_token_and_no_page_of_a_browser_is_let_in() {
    let world = World::new();
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    let good = format!("authorization: Bearer {TOKEN}\r\n");
    for (headers, status, code) in [
        ("host: localhost\r\n".to_owned(), 401, "unauthorized"),
        ("host: localhost\r\nauthorization: Bearer 0123\r\n".to_owned(), 401, "unauthorized"),
        (format!("host: localhost\r\nauthorization: Basic {TOKEN}\r\n"), 401, "unauthorized"),
        (format!("host: localhost\r\nauthorization: Bearer {TOKEN}0\r\n"), 401, "unauthorized"),
        (format!("host: hypha.example\r\n{good}"), 403, "forbidden"),
        (format!("host: localhost\r\norigin: http://hypha.example\r\n{good}"), 403, "forbidden"),
        (good.clone(), 403, "forbidden"),
        (format!("host: localhost\r\n{good}{good}"), 400, "ambiguous"),
    ] {
        for line in ["POST /admin/pause", "GET /admin/state", "GET /admin/nothing"] {
            let (answered, problem) = desk.send(line, &headers).await;
            assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{line} {headers}");
        }
    }
    let in_url = desk.send(&format!("GET /admin/state?token={TOKEN}"), "host: localhost\r\n").await;
    assert_eq!(in_url.0, 401);
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:1"] {
        let (status, view) = desk.send("GET /admin/state", &format!("host: {host}\r\n{good}")).await;
        assert_eq!((status, view["mode"].as_str()), (200, Some("running")), "{host}");
    }
    // The API itself knows nothing of it.
    assert_eq!(running.get("/admin/state").await.0, StatusCode::NOT_FOUND);
    running.stop().await.unwrap();
}

#[test]
fn an_operators_listener_that_others_can_reach_is_refused() {
    let config = |listen: &str| CoordinatorConfig {
        listen: "0.0.0.0:8080".parse().unwrap(),
        store: PathBuf::from("store"),
        key: KeyConfig::Env("NAME".into()),
        batch: Default::default(),
        limits: Default::default(),
        admin: Some(AdminConfig { listen: listen.parse().unwrap(), token_file: PathBuf::from("token") }),
        keys: None,
        chains: vec![hub_config()],
    };
    for listen in ["0.0.0.0:8081", "192.0.2.1:8081", "[::]:8081"] {
        let refused = config(listen).validate();
        assert!(matches!(refused, Err(ConfigError::AdminListen(_))), "{listen}: {refused:?}");
    }
    for listen in ["127.0.0.1:8081", "127.9.9.9:1", "[::1]:8081"] {
        config(listen).validate().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_a_restart_and_takes_in_what_comes() {
    let mut world = World::new();
    world.limits.queue = 2;
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    assert_eq!(desk.tell("pause").await["mode"], "paused");
    let first = running.accept(&op(1)).await;
    running.stop().await.unwrap();

    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    let second = running.accept(&op(2)).await;
    assert_eq!(running.submit(&op(3)).await.1["code"], "queue_full");
    let taken = world.taken().await.len();
    for _ in 0..20 {
        world.turn().await;
    }
    let (_, state) = desk.ask("GET /admin/state").await;
    assert_eq!((state["mode"].as_str(), &state["waiting"]), (Some("paused"), &json!(2)), "{state:#}");
    assert_eq!(world.taken().await.len(), taken, "no batch was made");
    let (status, ready) = running.get("/readyz").await;
    assert_eq!(status, StatusCode::OK, "it takes in what comes: {ready:#}");
    assert!(ready["warnings"][0].as_str().unwrap().contains("paused"), "{ready:#}");

    assert_eq!(desk.tell("resume").await["mode"], "running");
    for id in [first, second] {
        world.until(&running, &id, "finalized").await;
    }
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_takes_in_nothing_new_and_says_when_all_has_ended() {
    let world = World::new();
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    desk.tell("pause").await;
    let id = running.accept(&op(1)).await;
    let state = desk.tell("drain").await;
    assert_eq!((state["mode"].as_str(), &state["drained"]), (Some("draining"), &json!(false)), "{state:#}");
    let (status, refused) = running.submit(&op(2)).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("draining")));
    let (status, known) = running.submit(&op(1)).await;
    assert_eq!(
        (status, known["id"].as_str()),
        (StatusCode::ACCEPTED, Some(id.as_str())),
        "what is known is answered"
    );
    let (status, ready) = running.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{ready:#}");
    world.until(&running, &id, "finalized").await;
    eventually("it says that it is drained", async || {
        desk.ask("GET /admin/state").await.1["drained"] == true
    })
    .await;
    running.stop().await.unwrap();

    let running = world.start().await;
    assert_eq!(running.submit(&op(2)).await.1["code"], "draining", "also after a restart");
    let desk = Desk::open(&world, &running).await;
    desk.tell("resume").await;
    let id = running.accept(&op(2)).await;
    world.until(&running, &id, "finalized").await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_refuses_is_shown_and_tried_again_when_the_operator_says_so() {
    let mut world = World::new();
    world.clock = Arc::new(Standing);
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    world.refuse(Some(vec![0xde, 0xad, 0xbe, 0xef]));
    let id = running.accept(&op(1)).await;
    eventually("the batch is parked", async || {
        world.turn().await;
        let (_, batch) = desk.ask("GET /admin/batches/1").await;
        batch["transaction"]["refusal"] == "0xdeadbeef" && batch["parked"].is_string()
    })
    .await;
    let (_, batch) = desk.ask("GET /admin/batches/1").await;
    assert_eq!(
        (batch["state"].as_str(), batch["operations"][0]["id"].as_str()),
        (Some("committed"), Some(id.as_str()))
    );
    world.refuse(None);
    assert!(desk.tell("retry").await["parked"].is_string());
    world.until(&running, &id, "finalized").await;
    let (_, batch) = desk.ask("GET /admin/batches/1").await;
    assert_eq!(
        (batch["state"].as_str(), &batch["operations"][0]["status"]),
        (Some("final"), &json!("finalized"))
    );
    // Its transaction is not asked for any more once the batch is final.
    let transaction = &batch["transaction"];
    assert!(["mined", "final"].iter().any(|word| transaction["state"] == *word), "{batch:#}");
    assert_eq!(transaction["hashes"].as_array().map(Vec::len), Some(1), "{batch:#}");
    assert_eq!(desk.ask("GET /admin/batches/2").await.0, 404);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_under_way_goes_on_when_the_rest_is_paused() {
    let world = World::new();
    world.hub.set_faults(losing());
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    let first = running.accept(&op(1)).await;
    eventually("the batch is committed", async || {
        desk.ask("GET /admin/batches/1").await.1["state"] == "committed"
    })
    .await;
    desk.tell("pause").await;
    let second = running.accept(&op(2)).await;
    world.hub.set_faults(Default::default());
    world.until(&running, &first, "finalized").await;
    assert_eq!(running.get(&format!("/v1/transfers/{second}")).await.1["status"], "admitted");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_routes_are_described() {
    let world = World::new();
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    let (_, description) = desk.ask("GET /openapi.json").await;
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let expected = ["batches/{index}", "drain", "pause", "reload-keys", "resume", "retry", "state"]
        .map(|name| format!("/admin/{name}"));
    assert_eq!(paths, expected.iter().collect::<Vec<_>>());
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_taken_out_of_their_file_end_when_it_is_read_again() {
    let mut world = World::new();
    let record = |key: &str| {
        let hash = KeyRecord::hash_of(key);
        let record = KeyRecord { name: key.to_owned(), role: Role::Reader, rate: 1_000, burst: 1_000, hash };
        serde_json::to_string(&record).unwrap()
    };
    let path = world.keys(&record("old"));
    let running = world.start().await;
    let desk = Desk::open(&world, &running).await;
    let address = listen(&running).await;
    let ask = async |key: &str| {
        let head = format!("host: a\r\nconnection: close\r\nauthorization: Bearer {key}\r\n");
        outcome(&exchange(address, format!("GET /v1/chains HTTP/1.1\r\n{head}\r\n")).await).0
    };
    assert_eq!((ask("old").await, ask("new").await), (200, 401));
    std::fs::write(&path, record("new")).unwrap();
    assert_eq!(ask("old").await, 200, "not read yet");
    assert_eq!(desk.tell("reload-keys").await["keys"], 1);
    assert_eq!((ask("old").await, ask("new").await), (401, 200));
    std::fs::write(&path, "nonsense").unwrap();
    assert_eq!(desk.ask("POST /admin/reload-keys").await.0, 400);
    assert_eq!(ask("new").await, 200, "a file that cannot be used changes nothing");
    running.stop().await.unwrap();
}
