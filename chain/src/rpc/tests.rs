use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use super::*;

type Script = Arc<dyn Fn(&str, &Value) -> (u16, Value) + Send + Sync>;

const HUB: Address = Address::repeat_byte(0x11);

fn hash(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

fn block(number: u64, hash: B256) -> Value {
    json!({ "number": U64::from(number), "hash": hash, "parentHash": B256::ZERO, "timestamp": "0x5", "baseFeePerGas": "0x7",
        "difficulty": "0x0" })
}

fn log(address: Address, block: u64, block_hash: B256, index: u64) -> Value {
    json!({ "address": address, "topics": [hash(9)], "data": "0x01", "blockNumber": U64::from(block), "blockHash": block_hash,
        "transactionHash": hash(8), "transactionIndex": "0x0", "logIndex": U64::from(index), "removed": false })
}

/// A node of chain 7 that answers the script's `result` or whole answers, and the endpoint before it.
async fn node(script: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static) -> RpcChain {
    let script: Script = Arc::new(script);
    let answer = async |State(script): State<Script>, body: String| {
        let request: Value = serde_json::from_str(&body).unwrap();
        let (status, mut answer) = match request["method"].as_str().unwrap() {
            "eth_chainId" => (200, json!({ "result": "0x7" })),
            "eth_getBlockByNumber" if request["params"][0] == "0x0" => {
                (200, json!({ "result": block(0, hash(1)) }))
            }
            method => script(method, &request["params"]),
        };
        if answer.is_object() && answer["id"].is_null() {
            answer["id"] = request["id"].clone();
        }
        (StatusCode::from_u16(status).unwrap(), answer.to_string())
    };
    let router = Router::new().route("/", post(answer)).with_state(script);
    RpcChain::new(&serve(router).await, 7).unwrap()
}

async fn serve(router: Router) -> RpcUrl {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(crate::http::serve(listener, router, std::future::pending()));
    RpcUrl::from(format!("http://{address}/"))
}

fn result(value: Value) -> (u16, Value) {
    (200, json!({ "result": value }))
}

fn error(code: i64, message: &str) -> (u16, Value) {
    (200, json!({ "error": { "code": code, "message": message } }))
}

#[tokio::test]
async fn another_chain_is_refused_before_any_read() {
    let mut chain = node(|_, _| result(json!("0x1"))).await;
    chain.chain_id = 8;
    let mismatch = ChainError::IdentityMismatch { expected: 8, actual: 7 };
    assert_eq!(chain.priority_fee().await, Err(mismatch.clone()));
    assert_eq!(chain.identity().await, Err(mismatch));
    chain.chain_id = 7;
    assert_eq!(chain.identity().await, Ok((7, hash(1))));
    assert_eq!(chain.priority_fee().await, Ok(1));
}

#[tokio::test]
async fn a_chain_that_was_reset_is_noticed() {
    let genesis = Arc::new(Mutex::new(1));
    let served = Arc::clone(&genesis);
    let answer = async move |body: String| {
        let request: Value = serde_json::from_str(&body).unwrap();
        let first = block(0, hash(*served.lock().unwrap()));
        let result = if request["method"] == "eth_chainId" { json!("0x7") } else { first };
        json!({ "id": request["id"], "result": result }).to_string()
    };
    let url = serve(Router::new().route("/", post(answer))).await;
    let chain = RpcChain::connect(&url, 7).await.unwrap();
    *genesis.lock().unwrap() = 2;
    let mismatch = ChainError::GenesisMismatch { expected: hash(1), actual: hash(2) };
    assert_eq!(chain.identity().await, Err(mismatch));
}

#[tokio::test]
async fn a_block_by_hash_is_canonical_or_none() {
    let chain = node(|method, params| match (method, params[0].as_str().unwrap()) {
        ("eth_getBlockByHash", asked) if asked == hash(3).to_string() => result(block(5, hash(3))),
        ("eth_getBlockByHash", asked) if asked == hash(4).to_string() => result(block(5, hash(4))),
        ("eth_getBlockByHash", asked) if asked == hash(6).to_string() => result(block(5, hash(4))),
        ("eth_getBlockByHash", _) => result(Value::Null),
        (_, "0x5" | "latest") => result(block(5, hash(3))),
        (_, "0x6") => result(block(5, hash(3))),
        (_, "finalized") => error(-39001, "finalized block not found"),
        _ => result(Value::Null),
    })
    .await;
    let expected = Block { number: 5, hash: hash(3), parent: B256::ZERO, time: 5, base_fee: 7 };
    assert_eq!(chain.block(BlockTag::Latest).await, Ok(Some(expected.clone())));
    assert_eq!(chain.block(BlockTag::Hash(hash(3))).await, Ok(Some(expected)));
    assert_eq!(chain.block(BlockTag::Hash(hash(4))).await, Ok(None), "left fork");
    assert_eq!(chain.block(BlockTag::Hash(hash(5))).await, Ok(None), "unknown");
    assert!(
        matches!(chain.block(BlockTag::Hash(hash(6))).await, Err(ChainError::Response(_))),
        "another hash"
    );
    assert!(matches!(chain.block(BlockTag::Number(6)).await, Err(ChainError::Response(_))), "another height");
    assert_eq!(chain.block(BlockTag::Number(9)).await, Ok(None));
    assert_eq!(chain.block(BlockTag::Finalized).await, Ok(None));
}

#[tokio::test]
async fn logs_must_answer_the_question() {
    let logs = Arc::new(Mutex::new(json!([])));
    let served = Arc::clone(&logs);
    let chain = node(move |method, params| match method {
        "eth_getLogs" => result(served.lock().unwrap().clone()),
        _ if params[0] == "0x5" || params[0] == hash(3).to_string() => result(block(5, hash(3))),
        _ => result(Value::Null),
    })
    .await;
    let set = |value| *logs.lock().unwrap() = value;
    assert_eq!(chain.logs_in_block(HUB, hash(3)).await, Ok(vec![]));
    assert_eq!(chain.logs_in_block(HUB, hash(4)).await, Err(ChainError::UnknownBlock));
    set(json!([log(HUB, 5, hash(3), 0), log(HUB, 5, hash(3), 2)]));
    assert_eq!(chain.logs_in_block(HUB, hash(3)).await.unwrap().len(), 2);
    assert_eq!(chain.logs_in_range(HUB, 5, 5).await.unwrap()[1].log_index, 2);
    let beyond = chain.logs_in_range(HUB, 5, 6).await;
    assert_eq!(beyond, Err(ChainError::UnknownBlock), "logs below the head would pass for all");
    let refused = async |reason: &str| {
        assert!(matches!(chain.logs_in_block(HUB, hash(3)).await, Err(ChainError::Response(_))), "{reason}");
    };
    set(json!([log(HUB, 5, hash(4), 0)]));
    refused("another block").await;
    set(json!([log(Address::ZERO, 5, hash(3), 0)]));
    refused("another contract").await;
    set(json!([log(HUB, 5, hash(3), 1), log(HUB, 5, hash(3), 1)]));
    refused("a log twice").await;
    set(json!([log(HUB, 6, hash(3), 0)]));
    assert!(
        matches!(chain.logs_in_range(HUB, 4, 5).await, Err(ChainError::Response(_))),
        "outside the range"
    );
}

#[tokio::test]
async fn state_is_read_at_the_block_asked_for() {
    let chain = node(|method, params| match method {
        "eth_call" if params[1] == json!({ "blockHash": hash(3), "requireCanonical": true }) => {
            result(json!("0xaa"))
        }
        "eth_call" => {
            (200, json!({ "error": { "code": 3, "message": "execution reverted", "data": "0xbb" } }))
        }
        "eth_getTransactionCount" if params[1] == "latest" => result(json!("0x9")),
        "eth_getBalance" if params[1] == "0x5" => result(json!("0xffffffffffffffffffffffff")),
        "eth_getCode" => result(json!("0x60")),
        _ => error(-32601, "method not found"),
    })
    .await;
    let call = Call::view(HUB, Bytes::new());
    assert_eq!(chain.call(call.clone(), BlockTag::Hash(hash(3))).await, Ok(Bytes::from_static(&[0xaa])));
    let reverted = ChainError::Reverted { data: Bytes::from_static(&[0xbb]) };
    assert_eq!(chain.call(call, BlockTag::Latest).await, Err(reverted));
    assert_eq!(chain.nonce(HUB, BlockTag::Latest).await, Ok(9));
    assert_eq!(
        chain.balance(HUB, BlockTag::Number(5)).await.unwrap().to_string(),
        (u128::MAX >> 32).to_string()
    );
    assert_eq!(chain.code(HUB, BlockTag::Latest).await, Ok(Bytes::from_static(&[0x60])));
    assert!(matches!(chain.priority_fee().await, Err(ChainError::Node { code: -32601, .. })));
}

#[tokio::test]
async fn a_sent_transaction_has_its_own_hash() {
    let raw = Bytes::from_static(&[1, 2, 3]);
    let own = keccak256(&raw);
    let answers = Arc::new(Mutex::new(vec![
        error(-32000, "nonce too low"),
        error(-32003, "transaction already imported"),
        result(json!(hash(5))),
        result(json!(own)),
    ]));
    let chain = node(move |_, _| answers.lock().unwrap().pop().unwrap()).await;
    assert_eq!(chain.send_raw(raw.clone()).await, Ok(own));
    assert!(matches!(chain.send_raw(raw.clone()).await, Err(ChainError::Response(_))));
    assert_eq!(chain.send_raw(raw.clone()).await, Ok(own), "already known is success");
    assert_eq!(chain.send_raw(raw).await, Err(ChainError::NonceTooLow));
}

#[tokio::test]
async fn receipts_are_of_the_transaction_asked_for() {
    let chain = node(|_, params| {
        let receipt = |status: &str| {
            json!({ "transactionHash": hash(2), "blockNumber": "0x5", "blockHash": hash(3),
            "status": status, "gasUsed": "0x64" })
        };
        match params[0].as_str().unwrap() {
            asked if asked == hash(2).to_string() => result(receipt("0x0")),
            asked if asked == hash(4).to_string() => result(receipt("0x1")),
            _ => result(Value::Null),
        }
    })
    .await;
    let expected =
        Receipt { tx_hash: hash(2), block_number: 5, block_hash: hash(3), success: false, gas_used: 100 };
    assert_eq!(chain.receipt(hash(2)).await, Ok(Some(expected)));
    assert!(matches!(chain.receipt(hash(4)).await, Err(ChainError::Response(_))));
    assert_eq!(chain.receipt(hash(5)).await, Ok(None));
}

#[tokio::test]
async fn an_endpoint_that_fails_is_a_typed_error() {
    let answers = Arc::new(Mutex::new(vec![
        (200, json!({ "result": { "no": "number" } })),
        (200, json!({ "id": 999_999, "result": "0x1" })),
        (200, json!("no answer")),
        (429, json!("slow down")),
        (503, json!({ "error": { "code": -32000, "message": "header not found" } })),
    ]));
    let chain = node(move |_, _| answers.lock().unwrap().pop().unwrap()).await;
    assert_eq!(chain.priority_fee().await, Err(ChainError::UnknownBlock));
    assert!(matches!(chain.priority_fee().await, Err(ChainError::Transport(text)) if text.contains("429")));
    for _ in 0..3 {
        assert!(matches!(chain.priority_fee().await, Err(ChainError::Response(_))));
    }
}

#[tokio::test]
async fn a_stalled_endpoint_and_an_endless_answer_are_left() {
    let silent = Router::new().route("/", post(async || std::future::pending::<()>().await));
    let mut chain = RpcChain::new(&serve(silent).await, 7).unwrap();
    chain.timeout = Duration::from_millis(50);
    assert_eq!(chain.priority_fee().await, Err(ChainError::Timeout(chain.timeout)));
    let endless = Router::new().route("/", post(async || vec![b' '; MAX_ANSWER_BYTES + 1]));
    let chain = RpcChain::new(&serve(endless).await, 7).unwrap();
    assert_eq!(chain.priority_fee().await, Err(ChainError::RangeTooLarge));
}

#[tokio::test]
async fn an_endpoint_never_shows_its_address() {
    let chain = RpcChain::new(&RpcUrl::from("http://127.0.0.1:1/secret"), 7).unwrap();
    let error = chain.priority_fee().await.unwrap_err();
    assert!(error.is_retryable());
    assert!(!format!("{chain:?} {error} {error:?}").contains("secret"), "{error:?}");
}
