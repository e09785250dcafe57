//! Several endpoints, one answer: every read is asked of all of them, and only what the configured number agree on, at
//! the same block, is an answer. It never fails over to fewer.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::config::{RpcUrl, distinct};
use crate::error::{ChainError, shorten};
use crate::ports::{Block, BlockTag, Call, Chain, Log, Receipt};
use crate::rpc::{CALL_TIMEOUT, RpcChain};

/// Time for one endpoint's answer: a little more than an endpoint gives one call, and as much for a read that takes two.
pub const ANSWER_TIMEOUT: Duration = CALL_TIMEOUT.saturating_add(Duration::from_secs(2));
/// Time for the others once enough have answered a question whose answer they can still improve.
const GRACE: Duration = Duration::from_millis(500);

/// A [`Chain`] that says only what `needed` of its endpoints agree on.
pub struct QuorumChain {
    id: u64,
    endpoints: Vec<Arc<dyn Chain>>,
    needed: usize,
}

impl std::fmt::Debug for QuorumChain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, configured, needed) = (self.id, self.endpoints.len(), self.needed);
        write!(formatter, "QuorumChain({id}, {needed} of {configured})")
    }
}

/// What one endpoint said: its place in the configuration, and its answer.
type Said<T> = (usize, Result<T, ChainError>);

impl QuorumChain {
    /// A quorum of these endpoints.
    ///
    /// # Errors
    /// [`ChainError::Setup`] when `needed` is zero or more than there are endpoints, when one endpoint stands there
    /// twice, or when they are configured for different chains.
    pub fn new(endpoints: Vec<Arc<dyn Chain>>, needed: usize) -> Result<Self, ChainError> {
        let setup = |reason: &str| Err(ChainError::Setup(reason.to_owned()));
        let Some(id) = endpoints.first().map(|first| first.id()) else { return setup("no endpoint") };
        if needed == 0 || needed > endpoints.len() {
            return setup("the quorum must be between one and the number of endpoints");
        }
        if endpoints.iter().any(|endpoint| endpoint.id() != id) {
            return setup("endpoints of different chains");
        }
        let same =
            |index: usize| endpoints[..index].iter().any(|before| Arc::ptr_eq(before, &endpoints[index]));
        if (0..endpoints.len()).any(same) {
            return setup("one endpoint twice");
        }
        Ok(Self { id, endpoints, needed })
    }

    /// A quorum of the endpoints at these addresses, first asked when they are first used.
    ///
    /// # Errors
    /// As [`QuorumChain::new`]; also when two addresses are the same, or one is none.
    pub fn of_urls(chain_id: u64, urls: &[RpcUrl], needed: usize) -> Result<Self, ChainError> {
        if !distinct(urls) {
            return Err(ChainError::Setup("one endpoint twice".to_owned()));
        }
        let endpoint = |url| Ok(Arc::new(RpcChain::new(url, chain_id)?) as Arc<dyn Chain>);
        Self::new(urls.iter().map(endpoint).collect::<Result<_, ChainError>>()?, needed)
    }

    /// Asks all endpoints at once; what they say comes in the order in which they answer, each within
    /// [`ANSWER_TIMEOUT`].
    fn ask_all<T, F, Fut>(&self, ask: F) -> FuturesUnordered<BoxFuture<'static, Said<T>>>
    where
        T: Send + 'static,
        F: Fn(Arc<dyn Chain>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>> + Send + 'static,
    {
        let asked = self.endpoints.iter().enumerate().map(|(place, endpoint)| {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, ask(Arc::clone(endpoint)));
            let said =
                async move { (place, answer.await.unwrap_or(Err(ChainError::Timeout(ANSWER_TIMEOUT)))) };
            Box::pin(said) as BoxFuture<'static, Said<T>>
        });
        asked.collect()
    }

    /// The one answer that `needed` endpoints give. A revert is an answer like any other. Waits no longer than until
    /// no second answer can reach the number any more, so that a stalled endpoint delays no majority.
    async fn agree<T, F, Fut>(&self, what: &'static str, ask: F) -> Result<T, ChainError>
    where
        T: Clone + Debug + PartialEq + Send + 'static,
        F: Fn(Arc<dyn Chain>) -> Fut,
        Fut: Future<Output = Result<T, ChainError>> + Send + 'static,
    {
        let mut open = self.ask_all(ask);
        let mut answers: Vec<(Result<T, Bytes>, usize)> = Vec::new();
        let mut failures = Vec::new();
        while let Some((place, said)) = open.next().await {
            let answer = match said {
                Ok(value) => Ok(value),
                Err(ChainError::Reverted { data }) => Err(data),
                Err(error) => {
                    self.note_failure(place, what, &error);
                    failures.push(error);
                    continue;
                }
            };
            match answers.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, count)) => *count += 1,
                None => answers.push((answer, 1)),
            }
            if self.is_decided(&answers, open.len()) {
                break;
            }
        }
        self.decide(what, answers, failures)
    }

    /// Whether one answer has the number, and no other can reach it with the `open` ones.
    fn is_decided<A>(&self, answers: &[(A, usize)], open: usize) -> bool {
        let full = answers.iter().filter(|(_, count)| *count >= self.needed).count();
        let rival = answers.iter().any(|(_, count)| *count < self.needed && count + open >= self.needed);
        full == 1 && !rival && open < self.needed
    }

    fn decide<T: Debug>(
        &self,
        what: &'static str,
        mut answers: Vec<(Result<T, Bytes>, usize)>,
        mut failures: Vec<ChainError>,
    ) -> Result<T, ChainError> {
        if answers.len() > 1 {
            metrics::counter!("hypha_rpc_disagreements_total", "chain" => self.id.to_string()).increment(1);
            tracing::warn!(chain = self.id, what, answers = ?Self::shown(&answers), "endpoints disagree");
        }
        let got = answers.iter().map(|(_, count)| count).sum();
        let full = answers.iter().filter(|(_, count)| *count >= self.needed).count();
        if full == 1 {
            answers.retain(|(_, count)| *count >= self.needed);
            let (answer, _) = answers.swap_remove(0);
            return answer.map_err(|data| ChainError::Reverted { data });
        }
        if answers.len() > 1 {
            return Err(ChainError::Disagreement { what, answers: Self::shown(&answers) });
        }
        // These say what to ask instead, so they stay visible through the quorum.
        let telling =
            |error: &ChainError| matches!(error, ChainError::RangeTooLarge | ChainError::UnknownBlock);
        if let Some(place) = failures.iter().position(telling) {
            return Err(failures.swap_remove(place));
        }
        Err(self.too_few(what, got, failures))
    }

    fn too_few(&self, what: &'static str, got: usize, mut failures: Vec<ChainError>) -> ChainError {
        if self.endpoints.len() == 1 && failures.len() == 1 {
            return failures.swap_remove(0);
        }
        let cause = failures.into_iter().next().map(Box::new);
        ChainError::NotEnoughAnswers { what, needed: self.needed, got, cause }
    }

    fn shown<A: Debug>(answers: &[(A, usize)]) -> Vec<String> {
        answers
            .iter()
            .map(|(answer, count)| format!("{count} × {}", shorten(&format!("{answer:?}"))))
            .collect()
    }

    /// Endpoints are named by their place in the configuration: their addresses hold secrets.
    fn note_failure(&self, endpoint: usize, what: &'static str, error: &ChainError) {
        let labels = [("chain", self.id.to_string()), ("endpoint", endpoint.to_string())];
        metrics::counter!("hypha_rpc_endpoint_failures_total", &labels).increment(1);
        tracing::debug!(chain = self.id, endpoint, what, %error, "endpoint failed");
    }

    /// The `needed`-th highest of the answers: `needed` endpoints say at least this much, so no single high or low
    /// one decides. Once enough have answered the rest get a short [`GRACE`].
    async fn lower_bound<F, Fut>(&self, what: &'static str, ask: F) -> Result<u64, ChainError>
    where
        F: Fn(Arc<dyn Chain>) -> Fut,
        Fut: Future<Output = Result<u64, ChainError>> + Send + 'static,
    {
        let mut open = self.ask_all(ask);
        let mut values = Vec::new();
        let mut failures = Vec::new();
        let mut wait = ANSWER_TIMEOUT;
        while let Ok(Some((place, said))) = tokio::time::timeout(wait, open.next()).await {
            match said {
                Ok(value) => values.push(value),
                Err(error) => {
                    self.note_failure(place, what, &error);
                    failures.push(error);
                }
            }
            if values.len() >= self.needed {
                wait = GRACE;
            }
        }
        values.sort_unstable_by(|left, right| right.cmp(left));
        if let Some(value) = values.get(self.needed - 1) {
            return Ok(*value);
        }
        let reverts =
            failures.iter().filter(|failure| matches!(failure, ChainError::Reverted { .. })).count();
        let mut reverted = failures.iter().filter(|failure| matches!(failure, ChainError::Reverted { .. }));
        match reverted.next() {
            Some(first) if reverts >= self.needed => Err(first.clone()),
            _ => Err(self.too_few(what, values.len(), failures)),
        }
    }

    /// The agreed block at a height that `needed` endpoints have reached under this tag.
    async fn tagged_block(&self, tag: BlockTag) -> Result<Option<Block>, ChainError> {
        // Heights count from one here, so that zero can mean "none yet".
        let height = self.lower_bound("height", move |endpoint| async move {
            Ok(endpoint.block(tag).await?.map_or(0, |block| block.number.saturating_add(1)))
        });
        match height.await?.checked_sub(1) {
            Some(number) => self.agreed_block(BlockTag::Number(number)).await,
            None => Ok(None),
        }
    }

    /// The block that `needed` endpoints have at this height, or with this hash. One that does not have it contradicts
    /// nobody: it may lag.
    async fn agreed_block(&self, tag: BlockTag) -> Result<Option<Block>, ChainError> {
        let block = self.agree("block", move |endpoint| async move {
            endpoint.block(tag).await?.ok_or(ChainError::UnknownBlock)
        });
        match block.await {
            Err(ChainError::UnknownBlock) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The tag as the hash of one agreed block, so that all endpoints are asked about the same state.
    async fn pin(&self, at: BlockTag) -> Result<BlockTag, ChainError> {
        match at {
            BlockTag::Hash(_) => Ok(at),
            tag => {
                let block = self.block(tag).await?.ok_or(ChainError::UnknownBlock)?;
                Ok(BlockTag::Hash(block.hash))
            }
        }
    }
}

#[async_trait]
impl Chain for QuorumChain {
    fn id(&self) -> u64 {
        self.id
    }

    async fn identity(&self) -> Result<(u64, B256), ChainError> {
        self.agree("identity", |endpoint| async move { endpoint.identity().await }).await
    }

    async fn block(&self, tag: BlockTag) -> Result<Option<Block>, ChainError> {
        match tag {
            BlockTag::Latest | BlockTag::Safe | BlockTag::Finalized => self.tagged_block(tag).await,
            BlockTag::Number(_) | BlockTag::Hash(_) => self.agreed_block(tag).await,
        }
    }

    async fn logs_in_block(&self, address: Address, block: B256) -> Result<Vec<Log>, ChainError> {
        self.agree("logs", move |endpoint| async move { endpoint.logs_in_block(address, block).await }).await
    }

    async fn logs_in_range(&self, address: Address, from: u64, to: u64) -> Result<Vec<Log>, ChainError> {
        self.agree("logs", move |endpoint| async move { endpoint.logs_in_range(address, from, to).await })
            .await
    }

    async fn call(&self, call: Call, at: BlockTag) -> Result<Bytes, ChainError> {
        let at = self.pin(at).await?;
        self.agree("call", |endpoint| {
            let call = call.clone();
            async move { endpoint.call(call, at).await }
        })
        .await
    }

    async fn code(&self, address: Address, at: BlockTag) -> Result<Bytes, ChainError> {
        let at = self.pin(at).await?;
        self.agree("code", move |endpoint| async move { endpoint.code(address, at).await }).await
    }

    /// Endpoints stand at different blocks, so the estimates need not be equal: the one that `needed` reach.
    async fn estimate_gas(&self, call: Call) -> Result<u64, ChainError> {
        self.lower_bound("gas", |endpoint| {
            let call = call.clone();
            async move { endpoint.estimate_gas(call).await }
        })
        .await
    }

    /// As with [`Self::estimate_gas`], the fee that `needed` reach.
    async fn priority_fee(&self) -> Result<u64, ChainError> {
        self.lower_bound("priority fee", |endpoint| async move { endpoint.priority_fee().await }).await
    }

    async fn nonce(&self, account: Address, at: BlockTag) -> Result<u64, ChainError> {
        let at = self.pin(at).await?;
        self.agree("nonce", move |endpoint| async move { endpoint.nonce(account, at).await }).await
    }

    async fn balance(&self, account: Address, at: BlockTag) -> Result<U256, ChainError> {
        let at = self.pin(at).await?;
        self.agree("balance", move |endpoint| async move { endpoint.balance(account, at).await }).await
    }

    async fn receipt(&self, tx_hash: B256) -> Result<Option<Receipt>, ChainError> {
        self.agree("receipt", move |endpoint| async move { endpoint.receipt(tx_hash).await }).await
    }

    /// Goes to all endpoints, and is done when one has it: the others get a short time, and hear it from the network.
    /// When none took it, the first refusal of a node is the error, before any failure to reach one.
    async fn send_raw(&self, raw: Bytes) -> Result<B256, ChainError> {
        let hash = keccak256(&raw);
        let mut open = self.ask_all(|endpoint| {
            let raw = raw.clone();
            async move { endpoint.send_raw(raw).await }
        });
        let mut accepted = false;
        let mut failures = Vec::new();
        let mut wait = ANSWER_TIMEOUT;
        while let Ok(Some((place, said))) = tokio::time::timeout(wait, open.next()).await {
            match said {
                Ok(_) => (accepted, wait) = (true, GRACE),
                Err(error) => {
                    self.note_failure(place, "send", &error);
                    failures.push(error);
                }
            }
        }
        if accepted {
            return Ok(hash);
        }
        let unreached =
            |failure: &ChainError| matches!(failure, ChainError::Transport(_) | ChainError::Timeout(_));
        let refusal = failures.iter().position(|failure| !unreached(failure)).unwrap_or_default();
        failures.drain(..).nth(refusal).map_or_else(|| Err(self.too_few("send", 0, Vec::new())), Err)
    }
}

#[cfg(test)]
mod tests;
