//! A chain whose AttestedFacts contract counts this attestor's signatures.

use std::sync::{Arc, Mutex, PoisonError};

use alloy::primitives::Address;
use alloy::sol_types::SolCall;
use hypha_chain::ports::{BlockTag, Call, Chain};
use hypha_protocol::contracts::IAttestedFacts;

use crate::error::AttestorError;

/// A set of attestors, as the destination's contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestorSet {
    /// Its number.
    pub id: u64,
    /// Its members, ascending.
    pub members: Vec<Address>,
}

/// A destination and what is known of its current set.
pub struct Destination {
    chain: Arc<dyn Chain>,
    verifier: Address,
    known: Mutex<Option<AttestorSet>>,
}

impl Destination {
    /// A destination whose set was not read yet. `verifier` is its AttestedFacts contract.
    pub fn new(chain: Arc<dyn Chain>, verifier: Address) -> Self {
        Self { chain, verifier, known: Mutex::new(None) }
    }

    /// Its chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain.id()
    }

    /// The contract for which statements are signed.
    pub fn verifier(&self) -> Address {
        self.verifier
    }

    /// The current set as last read.
    pub fn set(&self) -> Option<AttestorSet> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the number of the current set, and its members when the number is new. Failing leaves what was known.
    ///
    /// # Errors
    /// When the chain does not answer or answers what the interface does not say.
    pub async fn refresh(&self) -> Result<(), AttestorError> {
        let id = self.view(IAttestedFacts::currentSetIdCall {}, "currentSetId").await?;
        if self.set().is_some_and(|set| set.id == id) {
            return Ok(());
        }
        let read = self.view(IAttestedFacts::attestorsOfCall { setId: id }, "attestorsOf").await?;
        let set = AttestorSet { id, members: read.attestors };
        tracing::info!(
            chain = self.chain_id(),
            set = id,
            members = set.members.len(),
            "set of attestors read"
        );
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(set);
        Ok(())
    }

    async fn view<C: SolCall>(&self, call: C, what: &'static str) -> Result<C::Return, AttestorError> {
        let call = Call::view(self.verifier, call.abi_encode().into());
        let answer = self.chain.call(call, BlockTag::Latest).await?;
        C::abi_decode_returns(&answer).map_err(|_| AttestorError::Answer { chain_id: self.chain_id(), what })
    }
}
