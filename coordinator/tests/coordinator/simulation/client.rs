//! Those who hand operations in, ask on the chains, and remember what they were told.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{B256, U256};
use axum::http::StatusCode;
use hypha_protocol::ids::output_resource;
use hypha_protocol::operations::{Content, Operation, Output, Request, Resource, Transfer};
use hypha_protocol::signing::transfer_hash;
use serde_json::Value;

use super::super::asking::asks_issue_for;
use super::super::world::*;
use super::chains::Chains;
use super::random::Random;

const OWNERS: [&str; 3] = ["alice", "bob", "carol"];

#[derive(Default)]
pub(super) struct Client {
    /// What was answered 202.
    pub(super) acknowledged: BTreeMap<B256, Operation>,
    /// What was ever shown as finalized.
    pub(super) finalized: BTreeSet<B256>,
    /// What was ever handed in.
    operations: Vec<Operation>,
    /// Notes that may come to be, each with its owner.
    notes: Vec<(Resource, &'static str)>,
    salt: u64,
}

fn domain(random: &mut Random) -> u64 {
    if random.percent(50) { HUB_ID } else { SPOKE_ID }
}

/// A deadline that is far, or near enough to pass.
fn deadline(random: &mut Random, chains: &Chains) -> u64 {
    if random.percent(80) { DEADLINE } else { chains.time() + 10 + random.below(30) }
}

fn path(id: &B256) -> String {
    format!("/v1/transfers/{id}")
}

/// The word of a status, empty where there is none.
fn status(view: &Value) -> &str {
    view["status"].as_str().unwrap_or_default()
}

impl Client {
    async fn submit(&mut self, running: &Running, operation: Operation) {
        let (status, _) = running.submit(&operation).await;
        if status == StatusCode::ACCEPTED {
            self.acknowledged.insert(operation.id(), operation.clone());
        }
        self.operations.push(operation);
    }

    fn new_note(&mut self, random: &mut Random) -> Resource {
        self.salt += 1;
        let owner = *random.choose(&OWNERS).unwrap();
        let domain = domain(random);
        let salt = B256::from(U256::from(self.salt));
        let resource = Resource { salt, ..note(owner, domain, 1 + random.below(100), 1) };
        self.notes.push((resource.clone(), owner));
        resource
    }

    pub(super) async fn issue(&mut self, random: &mut Random, chains: &Chains, running: &Running) {
        let note = self.new_note(random);
        let operation = issue_until(&note, deadline(random, chains));
        self.submit(running, operation).await;
    }

    /// A transfer of a note that may be spent, or never come to be.
    fn any_transfer(&mut self, random: &mut Random, deadline: u64) -> Option<(Transfer, &'static str)> {
        let (input, owner) = random.choose(&self.notes)?.clone();
        let new_owner = *random.choose(&OWNERS).unwrap();
        let to = |owner, quantity| Output { kind: input.kind, quantity, ..output(owner, HUB_ID, 1) };
        let domain = domain(random);
        let moved = U256::from(1 + random.below(100)).min(input.quantity);
        let mut outputs = vec![(Output { domainId: U256::from(domain), ..to(new_owner, moved) }, new_owner)];
        if moved < input.quantity {
            outputs.push((to(owner, input.quantity - moved), owner));
        }
        let (outputs, owners): (Vec<Output>, Vec<_>) = outputs.into_iter().unzip();
        let transfer = transfer_until(&[input], &outputs, &[owner], deadline);
        let hash = transfer_hash(&transfer);
        let made = outputs.iter().enumerate().map(|(place, output)| output_resource(hash, place, output));
        self.notes.extend(made.zip(owners));
        Some((transfer, owner))
    }

    pub(super) async fn transfer(&mut self, random: &mut Random, chains: &Chains, running: &Running) {
        let deadline = deadline(random, chains);
        if let Some((transfer, _)) = self.any_transfer(random, deadline) {
            self.submit(running, Operation::Transfer(transfer)).await;
        }
    }

    /// The same again.
    pub(super) async fn repeat(&mut self, random: &mut Random, running: &Running) {
        if let Some(operation) = random.choose(&self.operations).cloned() {
            self.submit(running, operation).await;
        }
    }

    /// Asks on a chain: for an issue, for a new transfer, or for one that was handed in.
    pub(super) async fn ask(&mut self, random: &mut Random, chains: &Chains) {
        let chain_id = domain(random);
        let transfers = self.operations.iter().filter_map(|operation| match operation {
            Operation::Transfer(transfer) => Some(transfer.clone()),
            _ => None,
        });
        let known: Vec<Transfer> = transfers.collect();
        let transfer = match random.below(3) {
            0 => None,
            1 => random.choose(&known).cloned(),
            _ => self.any_transfer(random, DEADLINE).map(|(transfer, _)| transfer),
        };
        let salt = random.below(10);
        chains
            .ask(chain_id, |number| match transfer {
                // Asked for by nobody in particular: the owner has signed.
                Some(transfer) => {
                    let sender = key("carrier").address();
                    Request::new(chain_id, number, sender, Content::Transfer(transfer)).unwrap()
                }
                None => asks_issue_for(chain_id, number, domain_of(salt), salt),
            })
            .await;
    }

    /// Another sequencer: a batch of its own, of what somebody handed in here, or of a rival of that.
    pub(super) async fn rival(&mut self, random: &mut Random, chains: &Chains) {
        let operation = match random.below(3) {
            0 => issue(&self.new_note(random)),
            1 => match random.choose(&self.operations) {
                Some(operation) => operation.clone(),
                None => return,
            },
            _ => match self.any_transfer(random, DEADLINE) {
                Some((transfer, _)) => Operation::Transfer(transfer),
                None => return,
            },
        };
        chains.foreign(&[operation]).await;
    }

    /// Looks at one operation.
    pub(super) async fn look(&mut self, random: &mut Random, running: &Running) {
        let ids: Vec<B256> = self.acknowledged.keys().copied().collect();
        if let Some(id) = random.choose(&ids)
            && status(&running.get(&path(id)).await.1) == "finalized"
        {
            self.finalized.insert(*id);
        }
    }

    /// What was acknowledged is known after a start.
    pub(super) async fn require_known(&self, running: &Running) {
        for id in self.acknowledged.keys() {
            let (status, view) = running.get(&path(id)).await;
            assert_eq!(status, StatusCode::OK, "{id} was acknowledged and is forgotten: {view:#}");
        }
    }

    /// Whether nothing is under way, here or on the chains.
    pub(super) async fn is_over(&self, running: &Running, chains: &Chains) -> bool {
        for id in self.acknowledged.keys() {
            if !has_ended(&running.get(&path(id)).await.1) {
                return false;
            }
        }
        for (chain_id, number) in chains.requests().await {
            if !has_ended(&running.get(&format!("/v1/requests/{chain_id}/{number}")).await.1) {
                return false;
            }
        }
        let (index, root) = chains.tip();
        let state = running.service.context().ledger.state();
        (state.head().index, state.head().root, state.final_index()) == (index, root, index)
    }

    /// What is under way.
    pub(super) async fn under_way(&self, running: &Running) -> String {
        let mut under_way = Vec::new();
        for id in self.acknowledged.keys() {
            let view = running.get(&path(id)).await.1;
            if !has_ended(&view) {
                under_way.push(format!("{id} {}", status(&view)));
            }
        }
        let state = running.service.context().ledger.state();
        let batches: Vec<_> = state.batches.values().collect();
        let (trouble, guard, index) = (&state.trouble, &state.guard, state.head().index);
        format!("{under_way:#?}, head {index}, trouble {trouble:?}, guard {guard:?}, {batches:#?}")
    }
}

fn domain_of(salt: u64) -> u64 {
    if salt.is_multiple_of(2) { HUB_ID } else { SPOKE_ID }
}

fn has_ended(view: &Value) -> bool {
    ["finalized", "rejected"].contains(&status(view))
}
