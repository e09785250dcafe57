//! A chain whose AttestedFacts contract is to be shown a fact.

use std::sync::{Arc, Mutex, PoisonError};

use alloy::primitives::Address;
use alloy::sol_types::SolCall;
use hypha_chain::ports::{BlockTag, Call, Chain, Clock};
use hypha_protocol::contracts::IAttestedFacts;

use crate::error::RelayerError;

/// How long a set that was read is used: after a change proofs are made for the old set for at most this long, which
/// that set's own expiry covers.
const SET_MAX_AGE_MS: u64 = 2_000;

/// A set of attestors, as the destination's contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestorSet {
    /// Its number.
    pub id: u64,
    /// Its members.
    pub members: Vec<Address>,
    /// How many of them must sign.
    pub threshold: usize,
}

/// A destination and its current set.
pub struct Destination {
    pub(crate) chain: Arc<dyn Chain>,
    /// The AttestedFacts contract.
    pub(crate) verifier: Address,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<(u64, AttestorSet)>>,
}

impl Destination {
    /// A destination whose set was not read yet. `verifier` is its AttestedFacts contract.
    pub fn new(chain: Arc<dyn Chain>, verifier: Address, clock: Arc<dyn Clock>) -> Self {
        Self { chain, verifier, clock, known: Mutex::new(None) }
    }

    /// The current set, read anew when what is known is older than two seconds.
    ///
    /// # Errors
    /// When the chain does not answer or answers what the interface does not say.
    pub async fn set(&self) -> Result<AttestorSet, RelayerError> {
        let now = self.clock.now_ms();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, set)) = known
            && now.saturating_sub(read_at) < SET_MAX_AGE_MS
        {
            return Ok(set);
        }
        let (chain, at) = (self.chain.as_ref(), self.verifier);
        let id = view(chain, at, IAttestedFacts::currentSetIdCall {}, "currentSetId").await?;
        let read = view(chain, at, IAttestedFacts::attestorsOfCall { setId: id }, "attestorsOf").await?;
        let threshold = usize::try_from(read.threshold).unwrap_or(usize::MAX);
        let set = AttestorSet { id, members: read.attestors, threshold };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, set.clone()));
        Ok(set)
    }
}

/// Calls a view at the latest block.
pub(crate) async fn view<C: SolCall>(
    chain: &dyn Chain,
    to: Address,
    call: C,
    what: &'static str,
) -> Result<C::Return, RelayerError> {
    let call = Call::view(to, call.abi_encode().into());
    let answer = chain.call(call, BlockTag::Latest).await?;
    C::abi_decode_returns(&answer).map_err(|_| RelayerError::Answer { chain_id: chain.id(), what })
}
