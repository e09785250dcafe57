//! What an endpoint answers, as it stands on the wire.

use alloy::primitives::{Address, B256, Bytes, U64};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ChainError, read_node_error, shorten};
use crate::ports::{Block, Log, Receipt};

#[derive(Deserialize)]
pub(super) struct Answer<T> {
    id: Option<u64>,
    result: Option<T>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
pub(super) struct Fault {
    code: i64,
    #[serde(default)]
    message: String,
    data: Option<Value>,
}

/// Reads an answer's body. Nodes send JSON-RPC errors under any HTTP status, so the body comes first.
pub(super) fn read_answer<T: DeserializeOwned>(
    id: u64,
    status: u16,
    body: &[u8],
) -> Result<Option<T>, ChainError> {
    let answer: Answer<T> = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(_) if status != 200 => {
            let text = String::from_utf8_lossy(body);
            return Err(ChainError::Transport(format!("status {status}: {}", shorten(&text))));
        }
        Err(_) => return Err(ChainError::Response("a JSON-RPC answer of the expected form")),
    };
    if let Some(Fault { code, message, data }) = answer.error {
        return Err(read_node_error(code, &message, data.as_ref()));
    }
    if status != 200 {
        return Err(ChainError::Transport(format!("status {status}")));
    }
    if answer.id != Some(id) {
        return Err(ChainError::Response("the id of the request"));
    }
    Ok(answer.result)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcBlock {
    number: U64,
    pub(super) hash: B256,
    parent_hash: B256,
    timestamp: U64,
    base_fee_per_gas: Option<U64>,
}

impl From<RpcBlock> for Block {
    fn from(block: RpcBlock) -> Self {
        Self {
            number: block.number.to(),
            hash: block.hash,
            parent: block.parent_hash,
            time: block.timestamp.to(),
            base_fee: block.base_fee_per_gas.map_or(0, |fee| fee.to()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    block_number: U64,
    block_hash: B256,
    transaction_hash: B256,
    log_index: U64,
    #[serde(default)]
    removed: bool,
}

/// The logs, once it is sure that they are of this contract, not removed, and in order.
pub(super) fn checked_logs(address: Address, logs: Vec<RpcLog>) -> Result<Vec<Log>, ChainError> {
    let logs: Vec<Log> = logs
        .into_iter()
        .filter(|log| !log.removed)
        .map(|log| Log {
            address: log.address,
            topics: log.topics,
            data: log.data,
            block_number: log.block_number.to(),
            block_hash: log.block_hash,
            tx_hash: log.transaction_hash,
            log_index: log.log_index.to(),
        })
        .collect();
    if logs.iter().any(|log| log.address != address) {
        return Err(ChainError::Response("logs of the contract asked for"));
    }
    let place = |log: &Log| (log.block_number, log.log_index);
    if logs.windows(2).any(|pair| place(&pair[0]) >= place(&pair[1])) {
        return Err(ChainError::Response("logs in ascending order"));
    }
    Ok(logs)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RpcReceipt {
    transaction_hash: B256,
    block_number: U64,
    block_hash: B256,
    status: U64,
    gas_used: U64,
}

impl From<RpcReceipt> for Receipt {
    fn from(receipt: RpcReceipt) -> Self {
        Self {
            tx_hash: receipt.transaction_hash,
            block_number: receipt.block_number.to(),
            block_hash: receipt.block_hash,
            success: receipt.status == U64::ONE,
            gas_used: receipt.gas_used.to(),
        }
    }
}
