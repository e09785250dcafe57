//! Asks the attestors for a fact and makes the proof that the destination takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use alloy::primitives::{Address, B256, Bytes};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hypha_chain::error::NetError;
use hypha_chain::ports::Net;
use hypha_protocol::fact::{Attestation, Fact, FactBlock, Signed, encode_fact_proof, ordered_signatures};
use serde::{Deserialize, Serialize};

use crate::destination::{AttestorSet, Destination};
use crate::error::RelayerError;

/// Bytes of an answer at most; an attestation has some 800.
const MAX_ANSWER: usize = 4_096;
/// What an attestor answers while it has not read the fact in a final block.
const NOT_FOUND: u16 = 404;
/// What it answers when it has read two final values for the key.
const CONFLICT: u16 = 409;

/// What an attestor answers (its README says how).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    src_chain: String,
    emitter: Address,
    key: B256,
    value: B256,
    block_number: String,
    block_hash: B256,
    block_time: String,
    set_id: String,
    signature: Bytes,
}

/// How one attestor has behaved since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttestorRecord {
    /// Answers that counted.
    pub valid: u64,
    /// Answers with another fact, a signature of nobody in the set, or another block than the others.
    pub wrong: u64,
    /// Requests without an answer.
    pub silent: u64,
}

/// What one answer is worth.
enum Verdict {
    /// A member of the set signed just this fact, with this block.
    Valid(FactBlock, Signed),
    /// The attestor has not seen the fact final, or signs for another set still.
    Pending,
    /// Anything else that it answered.
    Wrong(&'static str),
    /// No answer.
    Silent,
}

/// What came in so far.
#[derive(Default)]
struct Tally {
    /// By block, who signed: place of the attestor, signature.
    valid: BTreeMap<FactBlock, Vec<(usize, Signed)>>,
    pending: usize,
    wrong: usize,
    silent: usize,
}

/// The attestors that are configured here, and how they have behaved.
pub struct Attestors {
    net: Arc<dyn Net>,
    /// Base addresses, without a slash at the end.
    urls: Vec<String>,
    records: Mutex<Vec<AttestorRecord>>,
}

impl Attestors {
    /// Attestors at these base addresses.
    pub fn new(net: Arc<dyn Net>, urls: &[String]) -> Self {
        let urls: Vec<String> = urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        let records = Mutex::new(vec![AttestorRecord::default(); urls.len()]);
        Self { net, urls, records }
    }

    /// How each has behaved, in the order of the configuration.
    pub fn records(&self) -> Vec<AttestorRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a fact and a destination; gives the proof by the first k valid signatures that agree on the block, signers
    /// ascending. All attestors are asked at once, and the rest is not waited for.
    ///
    /// # Errors
    /// [`RelayerError::Attestations`] when there are fewer than k, or those of reading the destination's set.
    pub async fn prove(&self, fact: &Fact, destination: &Destination) -> Result<Bytes, RelayerError> {
        let set = destination.set().await?;
        let (to, verifier) = (destination.chain.id(), destination.verifier);
        let mut answers: FuturesUnordered<_> = self
            .urls
            .iter()
            .enumerate()
            .map(|(place, url)| async move {
                let url = format!("{url}/v1/attestations/{}/{}?to={to}", fact.src_chain, fact.key);
                (place, self.net.get(&url, MAX_ANSWER).await)
            })
            .collect();
        let mut tally = Tally::default();
        while let Some((place, answer)) = answers.next().await {
            let verdict = match answer {
                Ok(body) => judge(&body, fact, &set, to, verifier),
                Err(NetError::Status(NOT_FOUND)) => Verdict::Pending,
                Err(NetError::Status(CONFLICT)) => {
                    tracing::error!(attestor = place, key = %fact.key, "an attestor read two final values");
                    Verdict::Silent
                }
                Err(_) => Verdict::Silent,
            };
            if let Some(block) = self.count(&mut tally, place, verdict)
                && let Some(proof) = self.complete(&tally, block, &set)
            {
                return Ok(proof);
            }
        }
        Err(self.incomplete(&tally, &set))
    }

    /// Enters one verdict; the block of a valid one.
    fn count(&self, tally: &mut Tally, place: usize, verdict: Verdict) -> Option<FactBlock> {
        match verdict {
            Verdict::Valid(block, signed) => {
                tally.valid.entry(block).or_default().push((place, signed));
                return Some(block);
            }
            Verdict::Pending => tally.pending += 1,
            Verdict::Wrong(why) => {
                tally.wrong += 1;
                self.remember(place, "wrong", |record| record.wrong += 1);
                tracing::warn!(attestor = place, why, "an attestor answered wrongly");
            }
            Verdict::Silent => {
                tally.silent += 1;
                self.remember(place, "silent", |record| record.silent += 1);
            }
        }
        None
    }

    /// The proof, when enough signers agree on this block. Then those who named another block were wrong.
    fn complete(&self, tally: &Tally, block: FactBlock, set: &AttestorSet) -> Option<Bytes> {
        let agreeing = tally.valid.get(&block)?;
        let signed = agreeing.iter().map(|(_, signed)| *signed).collect();
        let signatures = ordered_signatures(signed, set.threshold)?;
        for (place, _) in agreeing {
            self.remember(*place, "valid", |record| record.valid += 1);
        }
        for (_, others) in tally.valid.iter().filter(|(other, _)| **other != block) {
            for (place, _) in others {
                self.remember(*place, "wrong", |record| record.wrong += 1);
                tracing::warn!(attestor = place, "an attestor names another block than the others");
            }
        }
        Some(encode_fact_proof(set.id, block, &signatures).into())
    }

    fn incomplete(&self, tally: &Tally, set: &AttestorSet) -> RelayerError {
        let sizes = || tally.valid.values().map(Vec::len);
        let valid = sizes().max().unwrap_or(0);
        let elsewhere = sizes().sum::<usize>() - valid;
        RelayerError::Attestations {
            needed: set.threshold,
            valid,
            pending: tally.pending,
            wrong: tally.wrong + elsewhere,
            silent: tally.silent,
        }
    }

    fn remember(&self, place: usize, word: &'static str, change: impl FnOnce(&mut AttestorRecord)) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = records.get_mut(place) {
            change(record);
        }
        let attestor = place.to_string();
        metrics::counter!("hypha_relayer_attestor_answers_total", "attestor" => attestor, "answer" => word)
            .increment(1);
    }
}

/// Judges an answer by what was asked, never by what it says of itself.
fn judge(body: &[u8], fact: &Fact, set: &AttestorSet, to: u64, verifier: Address) -> Verdict {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else { return Verdict::Wrong("malformed") };
    let (Ok(src_chain), Ok(number), Ok(time), Ok(set_id)) = (
        answer.src_chain.parse(),
        answer.block_number.parse(),
        answer.block_time.parse(),
        answer.set_id.parse::<u64>(),
    ) else {
        return Verdict::Wrong("malformed");
    };
    let (emitter, key, value) = (answer.emitter, answer.key, answer.value);
    if (Fact { src_chain, emitter, key, value }) != *fact {
        return Verdict::Wrong("another fact");
    }
    if set_id != set.id {
        return Verdict::Pending;
    }
    let block = FactBlock { number, hash: answer.block_hash, time };
    let attestation = Attestation {
        fact: *fact,
        block_number: number,
        block_hash: answer.block_hash,
        block_time: time,
        set_id,
    };
    match Signed::recover(attestation.digest(to, verifier), &answer.signature) {
        Ok(signed) if set.members.contains(&signed.signer) => Verdict::Valid(block, signed),
        Ok(_) => Verdict::Wrong("the signer is not in the set"),
        Err(_) => Verdict::Wrong("no signature"),
    }
}
