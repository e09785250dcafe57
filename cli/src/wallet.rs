//! One transaction of a person, sent with his key and waited for.

use std::sync::Arc;
use std::time::Duration;

use alloy::consensus::{SignableTransaction, TxEip1559};
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use hypha_chain::submit::{GAS_PERCENT, MAX_GAS};
use hypha_chain::{BlockTag, Call, Chain, ChainError, Receipt};
use tokio::time::Instant;

use crate::exit::CliError;
use crate::history::Pace;
use crate::output::progress;
use crate::reader::{Reader, failure};

/// Time between looks for the receipt.
const POLL: Duration = Duration::from_millis(500);

/// A key, and the contract on a chain that it calls.
pub(crate) struct Wallet {
    chain: Arc<dyn Chain>,
    contract: Address,
    signer: PrivateKeySigner,
    patience: Duration,
}

impl Wallet {
    /// A wallet that waits this long for a transaction to be mined.
    pub(crate) fn new(reader: &Reader, signer: PrivateKeySigner, patience: Duration) -> Self {
        Self { chain: reader.chain().clone(), contract: reader.contract(), signer, patience }
    }

    /// The account.
    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    /// The chain.
    pub(crate) fn chain_id(&self) -> u64 {
        self.chain.id()
    }

    /// Gas that a call needs now which pays `value` wei. A refusal is [`ChainError::Reverted`] with the contract's reason.
    pub(crate) async fn estimate(&self, data: &Bytes, value: U256) -> Result<u64, ChainError> {
        let call = Call { from: self.address(), to: self.contract, value, data: data.clone() };
        self.chain.estimate_gas(call).await
    }

    /// Sends a call for which the contract was found ready, with the gas estimated and a quarter, and waits until it is mined.
    pub(crate) async fn call(&self, data: Bytes, value: U256, estimate: u64) -> Result<Receipt, CliError> {
        let broken = |error| failure(self.chain.id(), error);
        let gas_limit = (estimate * GAS_PERCENT / 100).min(MAX_GAS);
        let raw = self.sign(data, value, gas_limit).await?;
        let hash = self.chain.send_raw(raw).await.map_err(broken)?;
        progress(format!("chain {}: sent {hash}, waiting for it to be mined", self.chain.id()));
        let deadline = Instant::now() + self.patience;
        let mut pace = Pace::new();
        loop {
            match self.chain.receipt(hash).await {
                Ok(Some(receipt)) if receipt.success => return Ok(receipt),
                Ok(Some(_)) => {
                    let why = format!("chain {}: {hash} was mined and reverted", self.chain.id());
                    return Err(CliError::Failed(anyhow::anyhow!(why)));
                }
                Ok(None) => {}
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(broken(error)),
            }
            if Instant::now() >= deadline {
                let why = format!("{hash} is not mined after {} s; it may still be", self.patience.as_secs());
                return Err(CliError::TimedOut(format!("chain {}: {why}", self.chain.id())));
            }
            pace.tell(|| format!("chain {}: {hash} is not mined yet", self.chain.id()));
            tokio::time::sleep(POLL).await;
        }
    }

    /// The signed bytes, at fees that cover a doubled base fee.
    async fn sign(&self, data: Bytes, value: U256, gas_limit: u64) -> Result<Bytes, CliError> {
        let broken = |error| failure(self.chain.id(), error);
        let latest = self.chain.block(BlockTag::Latest).await.map_err(broken)?;
        let base_fee = latest.ok_or(ChainError::UnknownBlock).map_err(broken)?.base_fee;
        let priority = self.chain.priority_fee().await.map_err(broken)?;
        let fee = u128::from(base_fee) * 2 + u128::from(priority);
        self.require_balance(U256::from(fee) * U256::from(gas_limit) + value).await?;
        let transaction = TxEip1559 {
            chain_id: self.chain.id(),
            nonce: self.chain.nonce(self.address(), BlockTag::Latest).await.map_err(broken)?,
            gas_limit,
            max_fee_per_gas: fee.max(1),
            max_priority_fee_per_gas: u128::from(priority),
            to: TxKind::Call(self.contract),
            value,
            access_list: Default::default(),
            input: data,
        };
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash());
        let signature = signature.map_err(|error| CliError::Failed(error.into()))?;
        Ok(transaction.into_signed(signature).encoded_2718().into())
    }

    async fn require_balance(&self, needed: U256) -> Result<(), CliError> {
        let (chain_id, account) = (self.chain.id(), self.address());
        let held = self.chain.balance(account, BlockTag::Latest).await;
        let held = held.map_err(|error| failure(chain_id, error))?;
        if held >= needed {
            return Ok(());
        }
        let why =
            format!("chain {chain_id}: {account} holds {held} wei, up to {needed} are needed: send it some");
        Err(CliError::Failed(anyhow::anyhow!(why)))
    }
}
