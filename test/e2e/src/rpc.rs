//! A node's JSON-RPC.

use alloy::primitives::{Address, B256, Bytes};
use alloy::sol_types::SolCall;
use serde_json::{Value, json};

use crate::checker::Head;
use crate::waiting::block_on;

/// Bytes of one batch of requests: anvil takes 2 MB.
const BATCH_BYTES: usize = 1_000_000;

/// Why a node did not answer with a result.
#[derive(Clone, Debug)]
pub struct RpcFailure {
    /// JSON-RPC error code.
    pub code: i64,
    /// What the node says.
    pub message: String,
}

impl RpcFailure {
    /// Whether the call ran and did not succeed (as against a request that the node did not understand).
    pub fn is_refusal_by_contract(&self) -> bool {
        self.code == 3 || self.message.contains("revert") || self.message.contains("EVM error")
    }
}

/// What a contract logged.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its topics.
    pub topics: Vec<B256>,
    /// Its data.
    pub data: Bytes,
    /// Height of its block.
    pub block: u64,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// Its URL.
    pub url: String,
    client: reqwest::Client,
}

impl Rpc {
    /// The node at this URL.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            client: hypha_chain::net::client().expect("a client needs nothing but memory"),
        }
    }

    /// Sends many requests, in batches of bounded size, and gives their results in order.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn batch(&self, requests: &[(&str, Value)]) -> Vec<Result<Value, RpcFailure>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (method, params) in requests {
            let request = json!({ "jsonrpc": "2.0", "id": batch.len(), "method": method, "params": params });
            bytes += request.to_string().len();
            batch.push(request);
            if bytes > BATCH_BYTES / 2 {
                answers.extend(self.send(&std::mem::take(&mut batch)));
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            answers.extend(self.send(&batch));
        }
        answers
    }

    fn send(&self, batch: &[Value]) -> Vec<Result<Value, RpcFailure>> {
        let answer: Vec<Value> = block_on(async {
            let response =
                self.client.post(&self.url).json(batch).send().await.expect("the node is reachable");
            response.json().await.expect("the node answers a list")
        });
        assert_eq!(answer.len(), batch.len());
        let mut answers = vec![None; batch.len()];
        for one in answer {
            let place = one["id"].as_u64().and_then(|id| answers.get_mut(usize::try_from(id).ok()?));
            *place.expect("answers carry the ids of their requests") = Some(result(&one));
        }
        answers.into_iter().map(|answer| answer.expect("each request is answered")).collect()
    }

    /// Asks one question.
    ///
    /// # Errors
    /// What the node says.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn try_ask(&self, method: &str, params: Value) -> Result<Value, RpcFailure> {
        self.batch(&[(method, params)]).remove(0)
    }

    /// Asks one question that must have an answer.
    ///
    /// # Panics
    /// When it has none.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap_or_else(|failure| panic!("{method}: {failure:?}"))
    }

    /// Calls a view of a contract, at the latest block or at a given one.
    ///
    /// # Panics
    /// When it reverts.
    pub fn call<C: SolCall>(&self, to: Address, question: C, block: Option<u64>) -> C::Return {
        let data = Bytes::from(question.abi_encode());
        let block = block.map_or_else(|| "latest".to_owned(), |number| format!("{number:#x}"));
        let answer = self.ask("eth_call", json!([{ "to": to, "input": data }, block]));
        let bytes: Bytes = serde_json::from_value(answer).expect("bytes");
        C::abi_decode_returns(&bytes).unwrap_or_else(|error| panic!("{}: {error}", C::SIGNATURE))
    }

    /// The number of the latest block.
    pub fn latest(&self) -> u64 {
        number(&self.ask("eth_blockNumber", json!([])))
    }

    /// How far the chain is.
    pub fn head(&self) -> Head {
        let block = |tag| ("eth_getBlockByNumber", json!([tag, false]));
        let blocks = self.batch(&[block("latest"), block("finalized")]);
        let [latest, last_final] = [0, 1].map(|place| blocks[place].as_ref().expect("a node has blocks"));
        let (newest, time) = (number(&latest["number"]), number(&latest["timestamp"]));
        Head { newest, last_final: number(&last_final["number"]), time }
    }

    /// All logs of a contract, oldest first.
    pub fn logs(&self, address: Address) -> Vec<Log> {
        let filter = json!([{ "address": address, "fromBlock": "0x0", "toBlock": "latest" }]);
        let logs = self.ask("eth_getLogs", filter);
        let of = |log: &Value, name: &str| log[name].clone();
        logs.as_array()
            .expect("a list")
            .iter()
            .map(|log| Log {
                topics: serde_json::from_value(of(log, "topics")).expect("topics"),
                data: serde_json::from_value(of(log, "data")).expect("data"),
                block: number(&log["blockNumber"]),
            })
            .collect()
    }
}

fn result(answer: &Value) -> Result<Value, RpcFailure> {
    match answer.get("error") {
        None => Ok(answer["result"].clone()),
        Some(error) => Err(RpcFailure {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        }),
    }
}

/// A number as nodes write it.
pub(crate) fn number(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("0x and digits");
    u64::from_str_radix(digits, 16).expect("a number of 64 bits")
}
