//! Whether the promises were kept, from what clients were told and what stands on the chains alone. It knows nothing of how a
//! service works, and asks none of them for anything but how each operation ended.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{B256, Bytes};
use alloy::sol_types::SolEvent;
use hypha_protocol::contracts::{IRootHub, IRootVerifier};
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{Operation, decode_operations};

/// What the service says at the end of an operation that it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is in the batch with this index, and all that it concerns have that.
    Finalized(u64),
    /// No batch carries it, and none will.
    Rejected,
}

/// A batch that the hub took.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The number of its root.
    pub index: u64,
    /// The root after it.
    pub root: B256,
    /// Its operations, packed.
    pub operations: Bytes,
}

/// Roots that a spoke took, in the order of its logs.
#[derive(Clone, Debug)]
pub struct Spoke {
    /// Its chain.
    pub chain_id: u64,
    /// Each with its index.
    pub roots: Vec<(u64, B256)>,
}

/// All that the verdict is made of.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Operations that were answered 202.
    pub acknowledged: BTreeSet<B256>,
    /// How each of them ended, as the service says; those under way are not in it.
    pub ends: BTreeMap<B256, End>,
    /// The hub's batches, in the order of its logs.
    pub batches: Vec<Batch>,
    /// The spokes.
    pub spokes: Vec<Spoke>,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// It was acknowledged, and reached no end.
    #[error("{0} was acknowledged and has no end")]
    NoEnd(B256),
    /// It is said to be finalized, and no batch carries it.
    #[error("{0} is said to be finalized, and no batch carries it")]
    FinalizedNowhere(B256),
    /// It is said to be finalized in another batch than the one that carries it.
    #[error("{id} is said to be finalized at index {said}, and is in batch {actual}")]
    FinalizedElsewhere {
        /// The operation.
        id: B256,
        /// What the service says.
        said: u64,
        /// What the hub's logs say.
        actual: u64,
    },
    /// It is said to be finalized, and a chain that it concerns has no root of its batch or a later one.
    #[error("{id} is said to be finalized at index {index}, which chain {chain_id} has not reached")]
    FinalizedTooEarly {
        /// The operation.
        id: B256,
        /// Its batch.
        index: u64,
        /// The chain.
        chain_id: u64,
    },
    /// It is said to be rejected, and a batch carries it.
    #[error("{id} is said to be rejected, and is in batch {index}")]
    RejectedYetApplied {
        /// The operation.
        id: B256,
        /// The batch.
        index: u64,
    },
    /// Two batches carry it, or one twice.
    #[error("{id} is in batch {first} and again in batch {second}")]
    AppliedTwice {
        /// The operation.
        id: B256,
        /// The batch that carries it first.
        first: u64,
        /// The batch that carries it again.
        second: u64,
    },
    /// A note is spent that does not stand there unspent.
    #[error("batch {index} spends the note {note}, which is spent or was never created")]
    SpentTwice {
        /// The note.
        note: B256,
        /// The batch.
        index: u64,
    },
    /// A note is created that was created before.
    #[error("batch {index} creates the note {note} again")]
    CreatedTwice {
        /// The note.
        note: B256,
        /// The batch.
        index: u64,
    },
    /// The hub left an index out, or went back.
    #[error("the hub's next index is {expected}, its logs say {actual}")]
    IndexLeftOut {
        /// The next index.
        expected: u64,
        /// The index of the log.
        actual: u64,
    },
    /// A spoke took a root that the hub does not have at that index.
    #[error("chain {chain_id} took {root} at index {index}, where the hub has another root or none")]
    AnotherRoot {
        /// The chain.
        chain_id: u64,
        /// The index.
        index: u64,
        /// What it took.
        root: B256,
    },
    /// A spoke took an index that is not above the one before.
    #[error("chain {chain_id} went from index {from} to {to}")]
    WentBack {
        /// The chain.
        chain_id: u64,
        /// The index before.
        from: u64,
        /// The index after.
        to: u64,
    },
    /// What the hub took does not read.
    #[error("the operations of batch {0} do not read")]
    Unreadable(u64),
}

/// Every promise that was not kept; none when all were.
pub fn check(evidence: &Evidence) -> Vec<Lie> {
    let mut lies = Vec::new();
    let applied = check_hub(&evidence.batches, &mut lies);
    check_spokes(evidence, &mut lies);
    for id in &evidence.acknowledged {
        check_end(evidence, *id, &applied, &mut lies);
    }
    lies
}

/// An operation that the hub took: its batch, and the domains of its notes.
struct Applied {
    index: u64,
    domains: BTreeSet<u64>,
}

/// Follows every note through the batches, and gives where each operation is.
fn check_hub(batches: &[Batch], lies: &mut Vec<Lie>) -> BTreeMap<B256, Applied> {
    let mut applied: BTreeMap<B256, Applied> = BTreeMap::new();
    let (mut unspent, mut created) = (BTreeSet::new(), BTreeSet::new());
    for (batch, expected) in batches.iter().zip(1..) {
        let index = batch.index;
        if index != expected {
            lies.push(Lie::IndexLeftOut { expected, actual: index });
        }
        let Ok(operations) = decode_operations(&batch.operations) else {
            lies.push(Lie::Unreadable(index));
            continue;
        };
        for operation in &operations {
            for note in operation.input_ids() {
                if !unspent.remove(&note) {
                    lies.push(Lie::SpentTwice { note, index });
                }
            }
            for note in operation.created().iter().map(resource_id) {
                unspent.insert(note);
                if !created.insert(note) {
                    lies.push(Lie::CreatedTwice { note, index });
                }
            }
            let id = operation.id();
            if let Some(first) = applied.get(&id).map(|applied| applied.index) {
                lies.push(Lie::AppliedTwice { id, first, second: index });
                continue;
            }
            applied.insert(id, Applied { index, domains: domains(operation) });
        }
    }
    applied
}

fn domains(operation: &Operation) -> BTreeSet<u64> {
    let created = operation.created();
    let notes = operation.inputs().iter().chain(&created);
    notes.map(|note| note.domainId.saturating_to()).collect()
}

/// No spoke has a root that the hub does not have, and none goes back.
fn check_spokes(evidence: &Evidence, lies: &mut Vec<Lie>) {
    let roots: BTreeMap<u64, B256> = evidence.batches.iter().map(|batch| (batch.index, batch.root)).collect();
    for Spoke { chain_id, roots: taken } in &evidence.spokes {
        let mut from = 0;
        for (index, root) in taken {
            if roots.get(index) != Some(root) {
                lies.push(Lie::AnotherRoot { chain_id: *chain_id, index: *index, root: *root });
            }
            if *index <= from {
                lies.push(Lie::WentBack { chain_id: *chain_id, from, to: *index });
            }
            from = *index;
        }
    }
}

/// What was acknowledged has one end, and the chains show it.
fn check_end(evidence: &Evidence, id: B256, applied: &BTreeMap<B256, Applied>, lies: &mut Vec<Lie>) {
    match (evidence.ends.get(&id), applied.get(&id)) {
        (None, _) => lies.push(Lie::NoEnd(id)),
        (Some(End::Rejected), None) => {}
        (Some(End::Rejected), Some(Applied { index, .. })) => {
            lies.push(Lie::RejectedYetApplied { id, index: *index });
        }
        (Some(End::Finalized(_)), None) => lies.push(Lie::FinalizedNowhere(id)),
        (Some(End::Finalized(said)), Some(Applied { index, domains })) => {
            if said != index {
                lies.push(Lie::FinalizedElsewhere { id, said: *said, actual: *index });
            }
            let concerned = evidence.spokes.iter().filter(|spoke| domains.contains(&spoke.chain_id));
            for spoke in concerned.filter(|spoke| spoke.roots.iter().all(|(reached, _)| reached < index)) {
                lies.push(Lie::FinalizedTooEarly { id, index: *index, chain_id: spoke.chain_id });
            }
        }
    }
}

impl Batch {
    /// The batches in the logs of a hub, each log its topics and data.
    pub fn in_logs(logs: &[(Vec<B256>, Bytes)]) -> Vec<Self> {
        let of = |event: IRootHub::BatchApplied| Self {
            index: event.index,
            root: event.root,
            operations: event.operations,
        };
        events(logs).into_iter().map(of).collect()
    }
}

impl Spoke {
    /// The roots in the logs of a spoke.
    pub fn in_logs(chain_id: u64, logs: &[(Vec<B256>, Bytes)]) -> Self {
        let updates: Vec<IRootVerifier::RootUpdated> = events(logs);
        Self { chain_id, roots: updates.into_iter().map(|event| (event.index, event.newRoot)).collect() }
    }
}

fn events<E: SolEvent>(logs: &[(Vec<B256>, Bytes)]) -> Vec<E> {
    let ours = logs.iter().filter(|(topics, _)| topics.first() == Some(&E::SIGNATURE_HASH));
    ours.map(|(topics, data)| {
        E::decode_raw_log(topics.iter().copied(), data).expect("a contract of ours logged it")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};
    use hypha_protocol::contracts::{Issue, Output, Resource, Transfer};
    use hypha_protocol::ids::kind_of;
    use hypha_protocol::operations::encode_operations;

    use super::*;

    const SPOKE: u64 = 31_338;
    const ISSUER: Address = Address::repeat_byte(3);
    const LABEL: B256 = B256::repeat_byte(4);

    fn note(salt: u8) -> Resource {
        Resource {
            domainId: U256::from(SPOKE),
            owner: Address::repeat_byte(1),
            kind: kind_of(U256::ZERO, ISSUER, LABEL),
            quantity: U256::from(100),
            data: B256::ZERO,
            salt: B256::repeat_byte(salt),
        }
    }

    fn issue(salt: u8) -> Operation {
        Operation::Issue(Issue {
            resource: note(salt),
            issuer: ISSUER,
            label: LABEL,
            deadline: 1,
            signature: vec![27; 65].into(),
        })
    }

    /// Spends the note of an issue; each `quantity` is another transfer.
    fn transfer(salt: u8, quantity: u64) -> Operation {
        let Resource { domainId: domain, owner, kind, .. } = note(salt);
        let output =
            Output { domainId: domain, owner, kind, quantity: U256::from(quantity), data: B256::ZERO };
        Operation::Transfer(Transfer {
            inputs: vec![note(salt)],
            outputs: vec![output],
            deadline: 1,
            signatures: vec![vec![27; 65].into()],
        })
    }

    fn batch(index: u64, operations: &[Operation]) -> Batch {
        let packed = encode_operations(operations).expect("they pack");
        Batch {
            index,
            root: B256::with_last_byte(u8::try_from(index).expect("few")),
            operations: packed.into(),
        }
    }

    /// Two issues, a transfer in a batch of its own, and one that was rejected.
    fn honest() -> Evidence {
        let batches = vec![batch(1, &[issue(1), issue(2)]), batch(2, &[transfer(1, 100)])];
        let roots = batches.iter().map(|batch| (batch.index, batch.root)).collect();
        let ends = BTreeMap::from([
            (issue(1).id(), End::Finalized(1)),
            (issue(2).id(), End::Finalized(1)),
            (transfer(1, 100).id(), End::Finalized(2)),
            (transfer(1, 99).id(), End::Rejected),
        ]);
        let acknowledged = ends.keys().copied().collect();
        Evidence { acknowledged, ends, batches, spokes: vec![Spoke { chain_id: SPOKE, roots }] }
    }

    /// What the checker says after an edit of the honest evidence.
    fn edited(edit: impl FnOnce(&mut Evidence)) -> Vec<Lie> {
        let mut evidence = honest();
        edit(&mut evidence);
        check(&evidence)
    }

    #[test]
    fn honest_evidence_passes() {
        assert_eq!(check(&honest()), []);
        let known = edited(|evidence| {
            evidence.acknowledged.pop_first();
        });
        assert_eq!(known, [], "an answer that got lost on its way binds nobody");
    }

    #[test]
    fn what_was_acknowledged_must_not_be_forgotten() {
        let id = transfer(1, 100).id();
        let lies = edited(|evidence| {
            evidence.ends.remove(&id);
        });
        assert_eq!(lies, [Lie::NoEnd(id)]);
    }

    #[test]
    fn an_end_must_be_on_the_chains() {
        let (gone, done) = (transfer(1, 99).id(), transfer(1, 100).id());
        let lies = edited(|evidence| {
            evidence.ends.insert(gone, End::Finalized(2));
        });
        assert_eq!(lies, [Lie::FinalizedNowhere(gone)]);
        let lies = edited(|evidence| {
            evidence.ends.insert(done, End::Finalized(1));
        });
        assert_eq!(lies, [Lie::FinalizedElsewhere { id: done, said: 1, actual: 2 }]);
        let lies = edited(|evidence| {
            evidence.ends.insert(done, End::Rejected);
        });
        assert_eq!(lies, [Lie::RejectedYetApplied { id: done, index: 2 }]);
        let lies = edited(|evidence| {
            evidence.spokes[0].roots.pop();
        });
        assert_eq!(lies, [Lie::FinalizedTooEarly { id: done, index: 2, chain_id: SPOKE }]);
    }

    #[test]
    fn nothing_happens_twice() {
        let note = resource_id(&note(1));
        let lies = edited(|evidence| evidence.batches.push(batch(3, &[transfer(1, 98)])));
        assert_eq!(lies, [Lie::SpentTwice { note, index: 3 }]);
        let id = issue(1).id();
        let lies = edited(|evidence| evidence.batches.push(batch(3, &[issue(1)])));
        let twice = [Lie::CreatedTwice { note, index: 3 }, Lie::AppliedTwice { id, first: 1, second: 3 }];
        assert_eq!(lies, twice);
    }

    #[test]
    fn roots_are_those_of_the_hub_and_only_go_on() {
        let lies = edited(|evidence| evidence.spokes[0].roots[0].1 = B256::repeat_byte(9));
        let other = Lie::AnotherRoot { chain_id: SPOKE, index: 1, root: B256::repeat_byte(9) };
        assert_eq!(lies, [other]);
        let lies = edited(|evidence| evidence.spokes[0].roots.reverse());
        assert_eq!(lies, [Lie::WentBack { chain_id: SPOKE, from: 2, to: 1 }]);
        let lies = edited(|evidence| evidence.batches.push(batch(4, &[issue(3)])));
        assert_eq!(lies, [Lie::IndexLeftOut { expected: 3, actual: 4 }]);
        let lies = edited(|evidence| evidence.batches[1].operations = Bytes::from_static(&[0xff]));
        assert!(lies.contains(&Lie::Unreadable(2)), "{lies:?}");
    }
}
