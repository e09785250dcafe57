//! One JSON-RPC endpoint as [`Chain`]. Answers are checked against the question: block, address, order.

mod answer;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U64, U256, keccak256};
use async_trait::async_trait;
use reqwest::{Client, Url};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::answer::{RpcBlock, RpcReceipt, checked_logs, read_answer};
use crate::config::RpcUrl;
use crate::error::{ChainError, NetError};
use crate::net;
use crate::ports::{Block, BlockTag, Call, Chain, Log, Receipt};

/// Time for one call, its answer included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one answer: logs of a range are the largest, and the follower asks for a smaller range after this.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// An endpoint. It serves no read before it has proved to be the configured chain.
pub struct RpcChain {
    chain_id: u64,
    name: String,
    url: Url,
    client: Client,
    timeout: Duration,
    requests: AtomicU64,
    genesis: OnceCell<B256>,
}

impl fmt::Debug for RpcChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RpcChain")
            .field("chain_id", &self.chain_id)
            .field("endpoint", &self.name)
            .finish()
    }
}

impl RpcChain {
    /// An endpoint that is first asked when it is first used.
    ///
    /// # Errors
    /// [`ChainError::Setup`] when the address is no HTTP address.
    pub fn new(url: &RpcUrl, chain_id: u64) -> Result<Self, ChainError> {
        let parsed =
            url.parse().ok_or_else(|| ChainError::Setup("endpoint is not http(s)://host".to_owned()))?;
        let client = net::client().map_err(|error| ChainError::Setup(error.to_string()))?;
        Ok(Self {
            chain_id,
            name: url.to_string(),
            url: parsed,
            client,
            timeout: CALL_TIMEOUT,
            requests: AtomicU64::new(0),
            genesis: OnceCell::new(),
        })
    }

    /// An endpoint that has proved to be this chain.
    ///
    /// # Errors
    /// As [`RpcChain::new`] and [`Chain::identity`].
    pub async fn connect(url: &RpcUrl, chain_id: u64) -> Result<Self, ChainError> {
        let chain = Self::new(url, chain_id)?;
        chain.identity().await?;
        Ok(chain)
    }

    /// Asks for the identity, and compares it with the configured id and with the first block seen before.
    async fn check_identity(&self) -> Result<(u64, B256), ChainError> {
        let id: U64 = self.exchange("eth_chainId", json!([])).await?.ok_or(NO_RESULT)?;
        let actual: u64 = id.to();
        if actual != self.chain_id {
            return Err(ChainError::IdentityMismatch { expected: self.chain_id, actual });
        }
        let first: Option<RpcBlock> = self.exchange("eth_getBlockByNumber", json!(["0x0", false])).await?;
        let genesis = first.ok_or(ChainError::UnknownBlock)?.hash;
        match self.genesis.get() {
            Some(expected) if *expected != genesis => {
                Err(ChainError::GenesisMismatch { expected: *expected, actual: genesis })
            }
            _ => Ok((actual, genesis)),
        }
    }

    /// One request of a proved endpoint; `None` when the result is null.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Option<T>, ChainError> {
        self.genesis
            .get_or_try_init(|| async { Ok::<_, ChainError>(self.check_identity().await?.1) })
            .await?;
        self.exchange(method, params).await
    }

    /// As [`Self::ask`], for results that are never null.
    async fn demand<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, ChainError> {
        self.ask(method, params).await?.ok_or(NO_RESULT)
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Option<T>, ChainError> {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let answered = tokio::time::timeout(self.timeout, self.post(&request)).await;
        let outcome = match answered {
            Ok(Ok((status, body))) => read_answer(id, status, &body),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ChainError::Timeout(self.timeout)),
        };
        if let Err(error) = &outcome
            && !matches!(error, ChainError::Reverted { .. })
        {
            metrics::counter!("hypha_rpc_errors_total", "chain" => self.chain_id.to_string()).increment(1);
            tracing::debug!(chain = self.chain_id, endpoint = %self.name, method, %error, "rpc");
        }
        outcome
    }

    async fn post(&self, request: &Value) -> Result<(u16, Vec<u8>), ChainError> {
        let sent = self.client.post(self.url.clone()).json(request).send().await;
        let response = sent.map_err(|error| ChainError::Transport(net::words(error)))?;
        let status = response.status().as_u16();
        match net::body(response, MAX_ANSWER_BYTES).await {
            Ok(body) => Ok((status, body)),
            Err(NetError::TooLarge(_)) => Err(ChainError::RangeTooLarge),
            Err(error) => Err(ChainError::Transport(error.to_string())),
        }
    }

    /// The tag as a parameter of the state's readers.
    fn state_tag(at: BlockTag) -> Value {
        match at {
            BlockTag::Hash(hash) => json!({ "blockHash": hash, "requireCanonical": true }),
            other => json!(tag_word(other)),
        }
    }

    async fn block_by_number(&self, word: String) -> Result<Option<Block>, ChainError> {
        Ok(self.ask::<RpcBlock>("eth_getBlockByNumber", json!([word, false])).await?.map(Block::from))
    }

    /// The block with this hash when it is canonical: nodes also serve blocks of forks they left.
    async fn canonical_block(&self, hash: B256) -> Result<Option<Block>, ChainError> {
        let found = self.ask::<RpcBlock>("eth_getBlockByHash", json!([hash, false])).await?;
        let Some(block) = found.map(Block::from) else { return Ok(None) };
        if block.hash != hash {
            return Err(ChainError::Response("a block with the hash asked for"));
        }
        let canonical = self.block_by_number(tag_word(BlockTag::Number(block.number))).await?;
        Ok(canonical.filter(|canonical| canonical.hash == hash))
    }
}

const NO_RESULT: ChainError = ChainError::Response("a result, not null");

fn tag_word(tag: BlockTag) -> String {
    match tag {
        BlockTag::Latest => "latest".to_owned(),
        BlockTag::Safe => "safe".to_owned(),
        BlockTag::Finalized => "finalized".to_owned(),
        BlockTag::Number(number) => format!("{number:#x}"),
        BlockTag::Hash(hash) => hash.to_string(),
    }
}

#[async_trait]
impl Chain for RpcChain {
    fn id(&self) -> u64 {
        self.chain_id
    }

    async fn identity(&self) -> Result<(u64, B256), ChainError> {
        let identity = self.check_identity().await?;
        // A second caller may have set the same value meanwhile.
        let _set_before = self.genesis.set(identity.1);
        Ok(identity)
    }

    async fn block(&self, tag: BlockTag) -> Result<Option<Block>, ChainError> {
        let BlockTag::Hash(hash) = tag else {
            let found = match self.block_by_number(tag_word(tag)).await {
                // Some nodes answer a tag or a height that they have not reached with an error.
                Err(ChainError::UnknownBlock) => None,
                other => other?,
            };
            return match (tag, found) {
                (BlockTag::Number(number), Some(block)) if block.number != number => {
                    Err(ChainError::Response("the block at the height asked for"))
                }
                (_, found) => Ok(found),
            };
        };
        self.canonical_block(hash).await
    }

    async fn logs_in_block(&self, address: Address, block: B256) -> Result<Vec<Log>, ChainError> {
        let filter = json!([{ "address": address, "blockHash": block }]);
        let logs = checked_logs(address, self.demand("eth_getLogs", filter).await?)?;
        if logs.iter().any(|log| log.block_hash != block) {
            return Err(ChainError::Response("logs of the block asked for"));
        }
        // Some nodes answer an unknown block with no logs; only a known one may be empty.
        if logs.is_empty() && self.canonical_block(block).await?.is_none() {
            return Err(ChainError::UnknownBlock);
        }
        Ok(logs)
    }

    async fn logs_in_range(&self, address: Address, from: u64, to: u64) -> Result<Vec<Log>, ChainError> {
        // Some nodes answer a range beyond their head with the logs they have, which would hide those to come.
        if self.block(BlockTag::Number(to)).await?.is_none() {
            return Err(ChainError::UnknownBlock);
        }
        let word = |number| tag_word(BlockTag::Number(number));
        let filter = json!([{ "address": address, "fromBlock": word(from), "toBlock": word(to) }]);
        let logs = checked_logs(address, self.demand("eth_getLogs", filter).await?)?;
        if logs.iter().any(|log| !(from..=to).contains(&log.block_number)) {
            return Err(ChainError::Response("logs of the blocks asked for"));
        }
        Ok(logs)
    }

    async fn call(&self, call: Call, at: BlockTag) -> Result<Bytes, ChainError> {
        self.demand("eth_call", json!([call_value(&call), Self::state_tag(at)])).await
    }

    async fn code(&self, address: Address, at: BlockTag) -> Result<Bytes, ChainError> {
        self.demand("eth_getCode", json!([address, Self::state_tag(at)])).await
    }

    async fn estimate_gas(&self, call: Call) -> Result<u64, ChainError> {
        self.demand::<U64>("eth_estimateGas", json!([call_value(&call)])).await.map(|gas| gas.to())
    }

    async fn priority_fee(&self) -> Result<u64, ChainError> {
        self.demand::<U64>("eth_maxPriorityFeePerGas", json!([])).await.map(|fee| fee.to())
    }

    async fn nonce(&self, account: Address, at: BlockTag) -> Result<u64, ChainError> {
        let params = json!([account, Self::state_tag(at)]);
        self.demand::<U64>("eth_getTransactionCount", params).await.map(|nonce| nonce.to())
    }

    async fn balance(&self, account: Address, at: BlockTag) -> Result<U256, ChainError> {
        self.demand("eth_getBalance", json!([account, Self::state_tag(at)])).await
    }

    async fn receipt(&self, tx_hash: B256) -> Result<Option<Receipt>, ChainError> {
        let found: Option<RpcReceipt> = self.ask("eth_getTransactionReceipt", json!([tx_hash])).await?;
        let receipt = found.map(Receipt::from);
        match &receipt {
            Some(receipt) if receipt.tx_hash != tx_hash => {
                Err(ChainError::Response("the receipt of the transaction asked for"))
            }
            _ => Ok(receipt),
        }
    }

    async fn send_raw(&self, raw: Bytes) -> Result<B256, ChainError> {
        let expected = keccak256(&raw);
        match self.demand::<B256>("eth_sendRawTransaction", json!([raw])).await {
            Ok(hash) if hash == expected => Ok(hash),
            Ok(_) => Err(ChainError::Response("the hash of the transaction sent")),
            Err(ChainError::AlreadyKnown) => Ok(expected),
            Err(error) => Err(error),
        }
    }
}

fn call_value(call: &Call) -> Value {
    json!({ "from": call.from, "to": call.to, "value": call.value, "data": call.data })
}

#[cfg(test)]
mod tests;
