//! Reading a contract through a node: typed calls, and chain errors as this command's failures.

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use alloy::sol_types::SolCall;
use hypha_chain::config::RpcUrl;
use hypha_chain::{BlockTag, Call, Chain, ChainError, RpcChain};
use hypha_protocol::contracts::IRootVerifier;

use crate::exit::CliError;
use crate::forms::ProofView;

/// A contract on a chain.
#[derive(Clone)]
pub(crate) struct Reader {
    chain: Arc<dyn Chain>,
    contract: Address,
}

impl Reader {
    /// Connects to a node and makes sure that it serves this chain.
    pub(crate) async fn connect(url: &str, chain_id: u64, contract: Address) -> Result<Self, CliError> {
        Ok(Self { chain: connect(url, chain_id).await?, contract })
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &Arc<dyn Chain> {
        &self.chain
    }

    /// The contract.
    pub(crate) fn contract(&self) -> Address {
        self.contract
    }

    /// Asks the contract at the latest block.
    pub(crate) async fn ask<C: SolCall>(&self, question: C) -> Result<C::Return, CliError> {
        let answer = self.try_ask(question).await.map_err(|error| failure(self.chain.id(), error))?;
        answer.ok_or_else(|| {
            let what = format!(
                "chain {}: the contract {} does not answer {}",
                self.chain.id(),
                self.contract,
                C::SIGNATURE
            );
            CliError::Failed(anyhow::anyhow!(what))
        })
    }

    /// As [`Self::ask`], with the chain's own error; `None` when the answer has another form.
    pub(crate) async fn try_ask<C: SolCall>(&self, question: C) -> Result<Option<C::Return>, ChainError> {
        let call = Call::view(self.contract, question.abi_encode().into());
        Ok(C::abi_decode_returns(&self.chain.call(call, BlockTag::Latest).await?).ok())
    }

    /// The root that the contract holds for an index; `None` when it holds none there.
    pub(crate) async fn root_at(&self, index: u64) -> Result<Option<B256>, CliError> {
        match self.try_ask(IRootVerifier::rootAtCall { atIndex: index }).await {
            Ok(root) => Ok(root),
            Err(ChainError::Reverted { .. }) => Ok(None),
            Err(error) => Err(failure(self.chain.id(), error)),
        }
    }

    /// Whether the contract accepts a proof by `eth_call`: of what the key holds, or of its absence.
    ///
    /// A proof that does not hold is [`CliError::Disagreed`] with the contract's reason.
    pub(crate) async fn accepts(&self, proof: &ProofView) -> Result<bool, CliError> {
        let (root, key, bytes) = (proof.root, proof.key, proof.proof.clone());
        let answer = match &proof.value {
            Some(value) if proof.present => {
                let value = value.clone();
                self.try_ask(IRootVerifier::verifyProofCall { root, key, value, proof: bytes }).await
            }
            Some(_) | None if !proof.present => {
                self.try_ask(IRootVerifier::verifyAbsenceCall { root, key, proof: bytes }).await
            }
            _ => {
                return Err(CliError::Usage(
                    "the proof says that the key is present and does not say its value".into(),
                ));
            }
        };
        match answer {
            Ok(answer) => Ok(answer.unwrap_or(false)),
            Err(ChainError::Reverted { data }) => Err(CliError::Disagreed(format!(
                "chain {} refuses the proof: {}",
                self.chain.id(),
                reason(&data)
            ))),
            Err(error) => Err(failure(self.chain.id(), error)),
        }
    }
}

/// Connects to a node and makes sure that it serves this chain.
pub(crate) async fn connect(url: &str, chain_id: u64) -> Result<Arc<dyn Chain>, CliError> {
    let chain =
        RpcChain::connect(&RpcUrl::from(url), chain_id).await.map_err(|error| failure(chain_id, error))?;
    Ok(Arc::new(chain))
}

/// A chain's error as a failure of the command.
pub(crate) fn failure(chain_id: u64, error: ChainError) -> CliError {
    let what = format!("chain {chain_id}");
    match error {
        ChainError::Setup(why) => CliError::Usage(format!("{what}: {why}")),
        ChainError::IdentityMismatch { .. } => CliError::Usage(format!("{what}: {error}")),
        ChainError::Reverted { data } => {
            CliError::Failed(anyhow::anyhow!("{what}: reverted: {}", reason(&data)))
        }
        error if error.is_retryable() => CliError::Unreachable { what, why: error.to_string() },
        error => CliError::Failed(anyhow::anyhow!("{what}: {error}")),
    }
}

/// Why a contract reverted, with the error's name and fields where the protocol knows it.
pub(crate) fn reason(data: &[u8]) -> String {
    use alloy::sol_types::SolInterface as _;
    use hypha_protocol::contracts as names;
    let known = names::IProofErrors::IProofErrorsErrors::abi_decode(data)
        .map(|error| format!("{error:?}"))
        .or_else(|_| {
            names::IOperationErrors::IOperationErrorsErrors::abi_decode(data)
                .map(|error| format!("{error:?}"))
        })
        .or_else(|_| {
            names::IRootVerifier::IRootVerifierErrors::abi_decode(data).map(|error| format!("{error:?}"))
        })
        .or_else(|_| names::IRootHub::IRootHubErrors::abi_decode(data).map(|error| format!("{error:?}")))
        .or_else(|_| {
            names::IRequestQueue::IRequestQueueErrors::abi_decode(data).map(|error| format!("{error:?}"))
        })
        .or_else(|_| names::IPausable::IPausableErrors::abi_decode(data).map(|error| format!("{error:?}")))
        .or_else(|_| {
            names::IAttestedFacts::IAttestedFactsErrors::abi_decode(data).map(|error| format!("{error:?}"))
        })
        .or_else(|_| {
            names::IExitTimelock::IExitTimelockErrors::abi_decode(data).map(|error| format!("{error:?}"))
        });
    known.unwrap_or_else(|_| format!("0x{}", alloy::hex::encode(data)))
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolError as _;
    use hypha_protocol::contracts::IProofErrors;

    use super::*;

    #[test]
    fn a_known_revert_is_named_and_an_unknown_one_is_shown() {
        let known = IProofErrors::KeysNotAscending { index: alloy::primitives::U256::from(7) }.abi_encode();
        let text = reason(&known);
        assert!(text.contains("KeysNotAscending") && text.contains('7'), "{text}");
        assert_eq!(reason(&[1, 2, 3, 4]), "0x01020304");
    }

    #[test]
    fn only_what_can_pass_by_itself_counts_as_unreachable() {
        assert!(matches!(failure(1, ChainError::UnknownBlock), CliError::Unreachable { .. }));
        assert!(matches!(failure(1, ChainError::Response("x")), CliError::Failed(_)));
        assert!(matches!(
            failure(1, ChainError::IdentityMismatch { expected: 1, actual: 2 }),
            CliError::Usage(_)
        ));
    }
}
