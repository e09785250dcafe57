//! The one writer of facts and statements: what is read and what is signed pass through one lock, so that a second
//! value and a signature for the first can never cross.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy::primitives::{B256, Bytes};
use hypha_chain::ports::{Change, Store};

use super::guard::current_pass;
use super::records::{self, ConflictRecord, FactId, FactRecord, Observation, StatementRecord};
use super::{ATTESTATIONS, CONFLICT_STATEMENTS, CONFLICTS, FACTS, Guard, GuardReason, IDENTITIES};
use crate::error::AttestorError;

/// What one write of observations did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Facts that were new.
    pub facts: u64,
    /// Keys found to have a second value.
    pub conflicts: u64,
}

/// Where a statement stands: one destination, one set, one fact.
#[derive(Clone, Copy, Debug)]
pub struct SignedOnce {
    /// Chain id of the destination.
    pub to: u64,
    /// The fact verifier there.
    pub verifier: alloy::primitives::Address,
    /// The set that is to count it.
    pub set_id: u64,
    /// The fact.
    pub fact: FactId,
}

impl SignedOnce {
    fn row(&self) -> Vec<u8> {
        let (to, set_id) = (self.to.to_be_bytes(), self.set_id.to_be_bytes());
        [&to[..], self.verifier.as_slice(), &set_id[..], &self.fact.row()].concat()
    }
}

/// The attestor's memory. Every call blocks on the disk.
pub struct Ledger {
    store: Arc<dyn Store>,
    /// Held from reading a row to writing what follows from it. `Some`: the guard as this process knows it, which
    /// holds even where the store refused the row.
    writer: Mutex<Option<Guard>>,
    pass: u64,
}

impl Ledger {
    /// Opens the ledger in a store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Arc<dyn Store>) -> Result<Self, AttestorError> {
        let writer = Mutex::new(Guard::read(store.as_ref()));
        let pass = current_pass(store.as_ref())?;
        Ok(Self { store, writer, pass })
    }

    /// The store behind it, for followers.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// The guard, when it is set.
    pub fn guard(&self) -> Option<Guard> {
        self.lock().clone()
    }

    /// Sets the guard. It holds in this process even when the write fails.
    ///
    /// # Errors
    /// When the store refuses the row.
    pub fn set_guard(&self, why: GuardReason, at_ms: u64) -> Result<(), AttestorError> {
        let mut held = self.lock();
        let guard = held.get_or_insert(Guard { why, at_ms }).clone();
        Ok(self.store.write(vec![guard.put()])?)
    }

    /// Compares the hash of a chain's first block with the one seen first; stores it when there is none.
    ///
    /// # Errors
    /// [`AttestorError::OtherChain`] when they differ.
    pub fn check_identity(&self, chain_id: u64, genesis: B256) -> Result<(), AttestorError> {
        let _held = self.lock();
        let key = chain_id.to_be_bytes().to_vec();
        match self.store.get(IDENTITIES, &key)? {
            Some(row) if row == genesis.as_slice() => Ok(()),
            Some(_) => Err(AttestorError::OtherChain { chain_id }),
            None => {
                let value = genesis.to_vec();
                Ok(self.store.write(vec![Change::Put { table: IDENTITIES, key, value }])?)
            }
        }
    }

    /// Stores what was read together with the follower's position, in one write. A second value for a key becomes a
    /// conflict and sets the guard in that same write; the first value stays.
    ///
    /// # Errors
    /// When the store cannot be read or written; then nothing is stored and the position has not moved.
    pub fn record(
        &self,
        observations: &[Observation],
        position: Vec<Change>,
        at_ms: u64,
    ) -> Result<Recorded, AttestorError> {
        let mut held = self.lock();
        let (facts, conflicts) = self.compare(observations)?;
        let recorded = Recorded { facts: facts.new, conflicts: conflicts.len() as u64 };
        let guard = conflicts
            .keys()
            .next()
            .map(|id| Guard { why: GuardReason::Conflict { chain_id: id.src_chain, key: id.key }, at_ms });
        let mut changes = position;
        changes.extend(facts.rows.iter().map(|(id, record)| put(FACTS, id.row(), record)));
        changes.extend(conflicts.iter().map(|(id, record)| put(CONFLICTS, id.row(), record)));
        if let Some(guard) = guard {
            changes.push(held.get_or_insert(guard).put());
        }
        if !changes.is_empty() {
            self.store.write(changes)?;
        }
        Ok(recorded)
    }

    /// Sorts observations into facts to store and conflicts.
    fn compare(
        &self,
        observations: &[Observation],
    ) -> Result<(NewFacts, BTreeMap<FactId, ConflictRecord>), AttestorError> {
        let mut facts = NewFacts::default();
        let mut conflicts = BTreeMap::new();
        for seen in observations {
            let fresh = FactRecord { value: seen.value, place: seen.place, pass: self.pass };
            let known = match facts.rows.get(&seen.id) {
                Some(record) => Some(record.clone()),
                None => self.recorded(&seen.id)?,
            };
            match known {
                None => {
                    facts.new += 1;
                    facts.rows.insert(seen.id, fresh);
                }
                // Read again after a broken finality: the same value may stand in another block now.
                Some(record) if record.value == seen.value && record.pass < self.pass => {
                    facts.rows.insert(seen.id, fresh);
                }
                // Asserted again: the block that asserted it first counts.
                Some(record) if record.value == seen.value => {}
                Some(record) => {
                    let second =
                        ConflictRecord { first: record.value, second: seen.value, place: seen.place };
                    if self.conflict(&seen.id)?.is_none() {
                        conflicts.entry(seen.id).or_insert(second);
                    }
                }
            }
        }
        Ok((facts, conflicts))
    }

    /// The fact under a name, once it was read in this pass. One from an earlier pass is not known: perhaps only the fork
    /// that died with the broken finality asserted it.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn fact(&self, id: &FactId) -> Result<Option<FactRecord>, AttestorError> {
        Ok(self.recorded(id)?.filter(|fact| fact.pass >= self.pass))
    }

    /// The fact under a name, of whichever pass: what is read is compared with everything that was ever read.
    fn recorded(&self, id: &FactId) -> Result<Option<FactRecord>, AttestorError> {
        self.get(FACTS, &id.row())
    }

    /// The conflict under a name.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn conflict(&self, id: &FactId) -> Result<Option<ConflictRecord>, AttestorError> {
        self.get(CONFLICTS, &id.row())
    }

    /// The attestation of a fact: the stored one, or one that `sign` makes and that is stored before it is returned.
    /// `None` when the guard is set, the fact is not known in this pass or its key has two values.
    ///
    /// # Errors
    /// When the store cannot be read or written, or signing fails.
    pub fn attest(
        &self,
        once: &SignedOnce,
        sign: impl FnOnce(&FactRecord) -> Result<Bytes, AttestorError>,
    ) -> Result<Option<StatementRecord>, AttestorError> {
        let held = self.lock();
        if self.conflict(&once.fact)?.is_some() {
            return Ok(None);
        }
        let Some(fact) = self.fact(&once.fact)? else { return Ok(None) };
        let row = once.row();
        let stored: Option<StatementRecord> = self.get(ATTESTATIONS, &row)?;
        if let Some(statement) =
            stored.filter(|stored| stored.value == fact.value && stored.place == fact.place)
        {
            return Ok(Some(statement));
        }
        if held.is_some() {
            return Ok(None);
        }
        let signature = sign(&fact)?;
        let statement =
            StatementRecord { value: fact.value, place: fact.place, set_id: once.set_id, signature };
        self.store.write(vec![put(ATTESTATIONS, row, &statement)])?;
        Ok(Some(statement))
    }

    /// The statement of a conflict: the stored one, or one that `sign` makes and that is stored before it is returned.
    /// The guard does not stop it. `None` when the key has no conflict.
    ///
    /// # Errors
    /// When the store cannot be read or written, or signing fails.
    pub fn attest_conflict(
        &self,
        once: &SignedOnce,
        sign: impl FnOnce(&ConflictRecord) -> Result<Bytes, AttestorError>,
    ) -> Result<Option<StatementRecord>, AttestorError> {
        let _held = self.lock();
        let Some(conflict) = self.conflict(&once.fact)? else { return Ok(None) };
        let row = once.row();
        if let Some(stored) = self.get(CONFLICT_STATEMENTS, &row)? {
            return Ok(Some(stored));
        }
        let signature = sign(&conflict)?;
        let (value, place, set_id) = (conflict.second, conflict.place, once.set_id);
        let statement = StatementRecord { value, place, set_id, signature };
        self.store.write(vec![put(CONFLICT_STATEMENTS, row, &statement)])?;
        Ok(Some(statement))
    }

    fn get<T: serde::de::DeserializeOwned>(
        &self,
        table: &'static str,
        key: &[u8],
    ) -> Result<Option<T>, AttestorError> {
        self.store.get(table, key)?.map(|row| records::decode(table, &row)).transpose()
    }

    /// A panic while the lock was held cannot leave half a write behind (writes are atomic), so the lock stays usable.
    fn lock(&self) -> MutexGuard<'_, Option<Guard>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct NewFacts {
    rows: BTreeMap<FactId, FactRecord>,
    new: u64,
}

fn put<T: serde::Serialize>(table: &'static str, key: Vec<u8>, record: &T) -> Change {
    Change::Put { table, key, value: records::encode(record) }
}
