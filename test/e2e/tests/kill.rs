//! Every service is killed once after every stage that a transfer passes, and started again. The final state is the one
//! without any of it: no transfer lost, none applied twice.

use std::collections::BTreeMap;

use alloy::primitives::B256;
use hypha_e2e::{Devnet, Event, Events, FINALIZED_WITHIN, Ledger, User, calldata, output, wait_until};
use hypha_protocol::contracts::{Resource, Transfer};
use hypha_protocol::ids::{output_resource, resource_id};
use hypha_protocol::signing::transfer_hash;
use serde_json::Value;

/// What a transfer passes: its own stages, then those of its root on a spoke.
const STAGES: [&str; 6] = ["admitted", "batched", "committed", "delivered", "relayed", "reported"];
/// Who is killed. Two of three attestors must agree, so one may be gone.
const VICTIMS: [&str; 3] = ["coordinator", "relayer", "attestor-1"];

struct Run<'a> {
    devnet: &'a Devnet,
    alice: User,
    bob: User,
    /// Number of the last event that was read.
    seen: u64,
    /// What must be unspent at the end.
    expected: BTreeMap<B256, Resource>,
    transfers: Vec<(String, Transfer)>,
}

#[test]
fn killing_every_service_after_every_stage_changes_nothing() {
    let devnet = Devnet::start("kill");
    let (alice, bob) = (User::named("alice"), User::named("bob"));
    let notes = issue_notes(&devnet, &alice, STAGES.len() * VICTIMS.len());
    let mut run =
        Run { devnet: &devnet, alice, bob, seen: 0, expected: BTreeMap::new(), transfers: Vec::new() };
    let mut notes = notes.into_iter();
    for stage in STAGES {
        for victim in VICTIMS {
            let note = notes.next().expect("there is one for each kill");
            run.kill_after(stage, victim, note);
        }
    }
    run.require_same_final_state();
    let sweep = calldata::sweep(&devnet);
    println!("{sweep:?}");
    assert!(sweep.batches > 0 && sweep.transactions > sweep.batches, "{sweep:?}");
    devnet.check_promises();
    devnet.verify();
}

/// Issues notes to alice on both spokes in turn, and waits until all are finalized.
fn issue_notes(devnet: &Devnet, alice: &User, count: usize) -> Vec<Resource> {
    let issuer = User::named("issuer");
    let mut notes = Vec::new();
    let mut ids = Vec::new();
    for number in 0..count {
        let chain = devnet.spokes()[number % 2].id;
        let label = if number % 3 == 0 { "gold" } else { "silver" };
        let issue = issuer.issue(&devnet.domain(), label, alice.address, chain, 100 + number as u64);
        ids.push(devnet.issue(&issue));
        notes.push(issue.resource);
    }
    for id in ids {
        devnet.api.finalized(&id);
    }
    notes
}

impl Run<'_> {
    /// Submits a transfer, kills the victim as soon as the transfer has passed the stage, and starts it again.
    fn kill_after(&mut self, stage: &str, victim: &str, note: Resource) {
        let mut events = Events::open(&self.devnet.api, self.seen);
        let transfer = self.transfer_of(note);
        let id = self.devnet.transfer(&transfer);
        let what = format!("{id} is {stage}");
        let event =
            events.wait_for(&what, FINALIZED_WITHIN, |event| event.word == stage && concerns(event, &id));
        self.seen = event.id;
        let service = self.devnet.service(victim);
        service.kill();
        if (victim, stage) == ("relayer", "reported") {
            service.delete_store(); // which costs only time
        }
        service.restart(self.devnet);
        self.devnet.api.get(&format!("/v1/transfers/{id}")); // not lost, even if nobody sends it again
        assert_eq!(
            self.devnet.transfer(&transfer),
            id,
            "the same again after {what} and the death of the {victim}"
        );
        self.transfers.push((id, transfer));
    }

    /// Spends a note: a part to bob on the other spoke, the change back.
    fn transfer_of(&mut self, note: Resource) -> Transfer {
        let here = u64::try_from(note.domainId).expect("a chain id");
        let there = self.devnet.spokes().iter().find(|chain| chain.id != here).expect("two spokes").id;
        let change = u64::try_from(note.quantity).expect("a small number") - 30;
        let outputs = vec![
            output(there, self.bob.address, note.kind, 30),
            output(here, self.alice.address, note.kind, change),
        ];
        let transfer = User::transfer(&self.devnet.domain(), &[&self.alice], vec![note], outputs);
        let hash = transfer_hash(&transfer);
        for (place, output) in transfer.outputs.iter().enumerate() {
            let created = output_resource(hash, place, output);
            self.expected.insert(resource_id(&created), created);
        }
        transfer
    }

    fn require_same_final_state(&self) {
        for (id, transfer) in &self.transfers {
            let view = self.devnet.api.finalized(id);
            require_all_stages(&view);
            assert_eq!(self.devnet.transfer(transfer), *id, "sent once more at the end");
        }
        let (_, root) = self.devnet.one_root();
        let ledger = Ledger::of(self.devnet);
        ledger.require_consistent();
        assert_eq!(ledger.root, root, "the hub's logs give the root of all chains");
        assert_eq!(ledger.unspent, self.expected, "other notes are left than were expected");
        assert_eq!(ledger.operations.len(), 2 * self.transfers.len(), "as many issues as transfers");
        self.require_api_agrees();
    }

    /// The coordinator, which was killed often, says the same of every note.
    fn require_api_agrees(&self) {
        for (id, note) in &self.expected {
            let view = wait_until(&format!("the note {id} is known"), FINALIZED_WITHIN, || {
                self.devnet.api.try_get(&format!("/v1/resources/{id}"))
            });
            assert_eq!(view["resource"]["quantity"], note.quantity.to_string(), "{view}");
            assert!(view["spent"].is_null(), "{view}");
        }
    }
}

fn concerns(event: &Event, id: &str) -> bool {
    event.data["transfer"] == id
}

/// Nothing that happened to a transfer was forgotten.
fn require_all_stages(view: &Value) {
    let stages = view["stages"].as_array().expect("stages");
    for word in STAGES {
        assert!(stages.iter().any(|stage| stage["stage"] == word), "no {word} in {view}");
    }
}
