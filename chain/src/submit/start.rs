//! Starting what waits: tried on the latest state first, then given the lowest free nonce.

use std::collections::BTreeSet;

use alloy::primitives::Bytes;

use super::fees::Fees;
use super::record::{Intent, Phase, Record};
use super::round::{FILLER, Open, View};
use super::{MAX_IN_FLIGHT, MAX_OPEN, Memory, SubmitError, Submitter};
use crate::error::ChainError;
use crate::ports::{BlockTag, Call, Change, off_thread};

/// What trying a call on the latest state showed.
pub(super) enum Prepared {
    /// It runs, with this gas limit.
    Gas(u64),
    /// It does not, and this is its phase then.
    Never(Phase),
}

/// The lowest nonce from `next` on that no open transaction holds.
pub(super) fn lowest_free(next: u64, taken: &BTreeSet<u64>) -> u64 {
    let mut nonce = next;
    while taken.contains(&nonce) {
        nonce += 1;
    }
    nonce
}

impl Submitter {
    pub(super) fn first_fees(&self, view: &View) -> Result<Fees, SubmitError> {
        let (base_fee, maximum) = (view.head.base_fee, self.config.max_fee_per_gas);
        Fees::first(base_fee, view.priority_fee, maximum).ok_or(SubmitError::FeeCap { base_fee, maximum })
    }

    /// Tries the call on the latest state.
    pub(super) async fn prepare(&self, intent: &Intent) -> Result<Prepared, SubmitError> {
        let call = Call { from: self.account(), ..Call::view(intent.to, intent.data.clone()) };
        let refused = |data: Bytes| Ok(Prepared::Never(Phase::Refused { data }));
        match self.chain.call(call.clone(), BlockTag::Latest).await {
            Ok(_) => {}
            Err(ChainError::Reverted { data }) => return refused(data),
            Err(error) => return Err(error.into()),
        }
        let needed = match self.chain.estimate_gas(call).await {
            Ok(gas) => gas,
            Err(ChainError::Reverted { data }) => return refused(data),
            Err(error) => return Err(error.into()),
        };
        if needed > self.config.max_gas {
            return Ok(Prepared::Never(Phase::TooMuchGas { needed }));
        }
        Ok(Prepared::Gas(
            (needed.saturating_mul(self.config.gas_percent) / 100).clamp(needed, self.config.max_gas),
        ))
    }

    /// Starts what waits, in the order of the ids, as far as there is room.
    pub(super) async fn start_queued(
        &self,
        open: &mut Vec<Open>,
        view: &View,
        memory: &mut Memory,
    ) -> Result<(), SubmitError> {
        let tables = self.config.tables;
        let rows =
            off_thread(&self.store, move |store| store.scan(tables.queued, &[], MAX_IN_FLIGHT)).await?;
        let mut outcome = Ok(());
        let mut one_waits = false;
        for (key, row) in rows {
            let in_flight = open.iter().filter(|entry| entry.record.is_sent()).count();
            if in_flight >= MAX_IN_FLIGHT || open.len() >= MAX_OPEN {
                break;
            }
            let known = key.clone();
            let known = off_thread(&self.store, move |store| {
                Ok(store.get(tables.open, &known)?.is_some() || store.get(tables.done, &known)?.is_some())
            });
            if known.await? {
                self.write(vec![Change::Delete { table: tables.queued, key }]).await?;
                continue;
            }
            let intent = Intent::decode(tables.queued, &row)?;
            // What would follow blindly does not overtake one before it that waits.
            if one_waits && intent.gas.is_some() {
                continue;
            }
            let record = Record { intent, phase: Phase::Sent, attempts: Vec::new() };
            let entry = Open { key, record, settled: true };
            match self.start(entry, open, view, memory).await {
                // This one cannot be tried; the next may well be.
                Err(error) if !error.is_retryable() => outcome = outcome.and(Err(error)),
                started => one_waits |= !started?,
            }
        }
        outcome
    }

    /// Gives whether it did not have to wait.
    async fn start(
        &self,
        mut entry: Open,
        open: &mut Vec<Open>,
        view: &View,
        memory: &mut Memory,
    ) -> Result<bool, SubmitError> {
        match self.prepare(&entry.record.intent).await? {
            Prepared::Gas(gas) => self.send_first(entry, gas, open, view, memory).await?,
            // What it needs may be on its way: it follows when its gas is known, else it waits until nothing of ours is.
            Prepared::Never(Phase::Refused { .. }) if open.iter().any(|entry| entry.record.is_sent()) => {
                match entry.record.intent.gas {
                    Some(gas) => self.send_first(entry, gas, open, view, memory).await?,
                    None => return Ok(false),
                }
            }
            Prepared::Never(phase) => {
                let tables = self.config.tables;
                entry.record.phase = phase;
                let (key, value) = (entry.key.clone(), entry.record.encode());
                self.write(vec![
                    Change::Delete { table: tables.queued, key: key.clone() },
                    Change::Put { table: tables.done, key, value },
                ])
                .await?;
            }
        }
        Ok(true)
    }

    /// Signs an intent for the first time, and sends it.
    async fn send_first(
        &self,
        mut entry: Open,
        gas: u64,
        open: &mut Vec<Open>,
        view: &View,
        memory: &mut Memory,
    ) -> Result<(), SubmitError> {
        let fees = self.first_fees(view)?;
        let taken = open.iter().filter_map(|entry| entry.record.nonce()).collect();
        self.sign(&mut entry, lowest_free(view.first_free, &taken), gas, fees, view).await?;
        open.push(entry);
        let last = open.last().expect("pushed in the line above");
        self.broadcast(last, view, memory).await
    }

    /// Fills a nonce that nothing holds and that holds up later ones, with a transaction to ourselves that does
    /// nothing. This happens when a reorg drops a transaction that was not ours.
    pub(super) async fn fill_hole(
        &self,
        open: &mut Vec<Open>,
        view: &View,
        memory: &mut Memory,
    ) -> Result<(), SubmitError> {
        let taken: BTreeSet<u64> = open.iter().filter_map(|entry| entry.record.nonce()).collect();
        let hole = lowest_free(view.first_free, &taken);
        let waits = |entry: &Open| {
            let waited = |signed_at: u64| {
                view.head.number.saturating_sub(signed_at) >= self.config.replace_after_blocks
            };
            let last = entry.record.attempts.last();
            entry.record.is_sent() && last.is_some_and(|last| last.nonce > hole && waited(last.signed_at))
        };
        if !open.iter().any(waits) {
            return Ok(());
        }
        let fees = self.first_fees(view)?;
        let intent = Intent { to: self.account(), data: Bytes::new(), gas: None };
        let key = [&[FILLER][..], &hole.to_be_bytes()].concat();
        let mut entry =
            Open { key, record: Record { intent, phase: Phase::Sent, attempts: Vec::new() }, settled: true };
        let Prepared::Gas(gas) = self.prepare(&entry.record.intent).await? else { return Ok(()) };
        self.sign(&mut entry, hole, gas, fees, view).await?;
        let sent = self.broadcast(&entry, view, memory).await;
        open.push(entry);
        sent
    }
}
