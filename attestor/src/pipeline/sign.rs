//! sign: stored facts become stored attestations.

use alloy::primitives::{Address, B256, Bytes};
use hypha_protocol::fact::{Attestation, Conflict, Fact};
use hypha_protocol::signing::sign_digest;

use crate::destination::Destination;
use crate::error::{AttestorError, FoundConflict, SignError};
use crate::service::{Attestor, blocking};
use crate::store::{ConflictRecord, FactId, FactRecord, SignedOnce, StatementRecord};

/// An attestation that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The fact.
    pub fact: FactId,
    /// Value, block, set and signature.
    pub statement: StatementRecord,
    /// Chain id of the destination.
    pub to: u64,
    /// Contract on the destination that counts it.
    pub verifier: Address,
    /// Who signed.
    pub attestor: Address,
}

/// Takes a fact that was observed and a destination; gives the attestation for the destination's current set, stored
/// before it is given out, and the same one whenever it is asked for again.
///
/// # Errors
/// [`SignError`], by variant: unknown, in conflict, guarded, not in the set, or the attestor's own trouble.
pub async fn sign(attestor: &Attestor, src_chain: u64, key: B256, to: u64) -> Result<Signed, SignError> {
    let source = attestor.source(src_chain)?;
    let destination = attestor.destination(src_chain, to)?;
    let fact = FactId { src_chain, emitter: source.emitter, key };
    refuse_conflict(attestor, destination, fact).await?;
    let (ledger, chain_id) = (attestor.ledger.clone(), src_chain);
    if blocking(move || ledger.fact(&fact)).await?.is_none() {
        return Err(SignError::FactUnknown { chain_id, key });
    }
    let once = once(attestor, destination, fact)?;
    let (ledger, signer) = (attestor.ledger.clone(), attestor.signer.clone());
    let statement = blocking(move || ledger.attest(&once, |record| sign_fact(&signer, &once, record)));
    match statement.await? {
        Some(statement) => {
            let (verifier, attestor) = (once.verifier, attestor.signer.address());
            Ok(Signed { fact, statement, to, verifier, attestor })
        }
        // The fact is known and nothing is stored: either the guard is set, or a conflict came in between.
        None => {
            refuse_conflict(attestor, destination, fact).await?;
            let why = attestor.ledger.guard().map(|guard| format!("{:?}", guard.why));
            Err(SignError::Guarded { why: why.unwrap_or_default() })
        }
    }
}

/// For a key with two values: the error that carries both and, where this attestor counts, the signed statement.
async fn refuse_conflict(
    attestor: &Attestor,
    destination: &Destination,
    fact: FactId,
) -> Result<(), SignError> {
    let ledger = attestor.ledger.clone();
    let Some(conflict) = blocking(move || ledger.conflict(&fact)).await? else { return Ok(()) };
    let statement = match once(attestor, destination, fact) {
        Ok(once) => {
            let (ledger, signer) = (attestor.ledger.clone(), attestor.signer.clone());
            blocking(move || ledger.attest_conflict(&once, |record| sign_conflict(&signer, &once, record)))
                .await?
        }
        Err(_) => None,
    };
    Err(SignError::FactConflict { key: fact.key, found: Box::new(FoundConflict { conflict, statement }) })
}

/// The destination's current set, when this attestor is in it.
fn once(attestor: &Attestor, destination: &Destination, fact: FactId) -> Result<SignedOnce, SignError> {
    let to = destination.chain_id();
    let set = destination.set().ok_or(SignError::SetUnknown { to })?;
    if !set.members.contains(&attestor.signer.address()) {
        return Err(SignError::NotInSet { to, set_id: set.id });
    }
    Ok(SignedOnce { to, verifier: destination.verifier(), set_id: set.id, fact })
}

fn sign_fact(
    signer: &alloy::signers::local::PrivateKeySigner,
    once: &SignedOnce,
    record: &FactRecord,
) -> Result<Bytes, AttestorError> {
    let FactId { src_chain, emitter, key } = once.fact;
    let attestation = Attestation {
        fact: Fact { src_chain, emitter, key, value: record.value },
        block_number: record.place.number,
        block_hash: record.place.hash,
        block_time: record.place.time,
        set_id: once.set_id,
    };
    metrics::counter!("hypha_attestor_signed_total", "to" => once.to.to_string()).increment(1);
    Ok(sign_digest(signer, attestation.digest(once.to, once.verifier))?)
}

fn sign_conflict(
    signer: &alloy::signers::local::PrivateKeySigner,
    once: &SignedOnce,
    record: &ConflictRecord,
) -> Result<Bytes, AttestorError> {
    let FactId { src_chain, emitter, key } = once.fact;
    let (first, second, set_id) = (record.first, record.second, once.set_id);
    let conflict = Conflict { src_chain, emitter, key, first, second, set_id };
    Ok(sign_digest(signer, conflict.digest(once.to, once.verifier))?)
}
