//! The demonstration: what a user does, all through the public HTTP API, and what anyone can check on the chains.

use std::time::Duration;

use alloy::primitives::{B256, Bytes, U256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::Eip712Domain;
use hypha_protocol::contracts::{IRootVerifier, Issue, Output, Resource, Transfer};
use hypha_protocol::ids::{kind_of, nullifier_key, nullifier_of, resource_id, resource_key};
use hypha_protocol::json::{IssueJson, TransferJson};
use hypha_protocol::operations::Operation;
use hypha_protocol::signing::{hub_domain, sign_issue, sign_transfer};
use serde::Serialize;
use tokio::time::Instant;

use super::report::{ChainReport, Check, Refused, Report};
use crate::client::Client;
use crate::commands::prove;
use crate::deployment::Deployed;
use crate::exit::CliError;
use crate::follow::{follow, line};
use crate::forms::ProofView;
use crate::output::{print, progress};
use crate::reader::Reader;

/// Time for one operation to be finalized; about fifteen seconds with one-second blocks.
const TRANSFER_TIME: Duration = Duration::from_secs(120);
/// Time for all chains to hold one root after the last operation.
const AGREEMENT_TIME: Duration = Duration::from_secs(60);
/// Time between looks.
const POLL: Duration = Duration::from_millis(200);
/// Deadline of the operations from now, in seconds.
const VALID_S: u64 = 600;

/// A chain of the devnet: what stands there, its node, and a way to ask.
#[derive(Clone)]
pub(super) struct Place {
    /// The contracts.
    pub(super) deployed: Deployed,
    /// The node.
    pub(super) rpc: String,
    /// The hub or spoke contract.
    pub(super) reader: Reader,
}

/// The three people of the demonstration.
pub(super) struct People {
    /// Issues both kinds.
    pub(super) issuer: PrivateKeySigner,
    /// Owns gold on chain A.
    pub(super) alice: PrivateKeySigner,
    /// Owns silver on chain B.
    pub(super) bob: PrivateKeySigner,
}

/// Everything the demonstration works with.
pub(super) struct Demonstration<'a> {
    client: Client,
    domain: Eip712Domain,
    places: &'a [Place],
    people: &'a People,
    report: Report,
}

/// What is to be shown: a new note of the issuer's kind.
struct NewNote<'a> {
    what: String,
    label: &'a str,
    owner: &'a PrivateKeySigner,
    domain: u64,
    quantity: u64,
}

/// Runs the whole demonstration; the report holds what was done even where it failed.
pub(super) async fn run(
    api: &str,
    places: &[Place],
    people: &People,
) -> Result<(Report, Result<(), CliError>), CliError> {
    let hub = &places[0].deployed;
    let mut demonstration = Demonstration {
        client: Client::new(api)?,
        domain: hub_domain(hub.chain_id, hub.verifier),
        places,
        people,
        report: Report::default(),
    };
    let outcome = demonstration.all().await;
    Ok((demonstration.report, outcome))
}

impl Demonstration<'_> {
    async fn all(&mut self) -> Result<(), CliError> {
        let people = self.people;
        let (a, b) = self.two_chains();
        let gold =
            self.new_note(format!("issue 100 gold to alice on chain {a}"), "gold", &people.alice, (a, 100));
        let silver =
            self.new_note(format!("issue 50 silver to bob on chain {b}"), "silver", &people.bob, (b, 50));
        let (gold, silver) = self.issue_both(&gold, &silver).await?;

        let moved = self.transfer_of(
            &[&gold],
            &[(&gold, &people.alice, b, 30), (&gold, &people.alice, a, 70)],
            &[&people.alice],
        )?;
        let what = format!("alice moves 30 gold from chain {a} to chain {b}, with change back to chain {a}");
        let arrived = self.finish(&what, &moved).await?;

        let swap = self.transfer_of(
            &[&arrived[1], &silver],
            &[(&gold, &people.bob, a, 70), (&silver, &people.alice, b, 50)],
            &[&people.alice, &people.bob],
        )?;
        let what = format!(
            "alice's 70 gold on chain {a} against bob's 50 silver on chain {b}, in one atomic transfer"
        );
        let swapped = self.finish(&what, &swap).await?;

        let again = self.transfer_of(&[&gold], &[(&gold, &people.bob, b, 100)], &[&people.alice])?;
        self.refused("alice spends her 100 gold a second time", &again).await?;
        self.agreement().await?;
        let never = Operation::Transfer(again).created();
        self.check_chains(&[&arrived[0], &swapped[0], &swapped[1]], &never[0]).await
    }

    /// Chains A and B: the first two spokes, or the spoke and the hub where there is one only.
    fn two_chains(&self) -> (u64, u64) {
        let id = |position: usize| self.places[position].deployed.chain_id;
        (id(1), if self.places.len() > 2 { id(2) } else { id(0) })
    }

    fn new_note<'n>(
        &self,
        what: String,
        label: &'n str,
        owner: &'n PrivateKeySigner,
        (domain, quantity): (u64, u64),
    ) -> NewNote<'n> {
        NewNote { what, label, owner, domain, quantity }
    }

    /// Issues two notes at once: they travel in one batch.
    async fn issue_both(
        &mut self,
        first: &NewNote<'_>,
        second: &NewNote<'_>,
    ) -> Result<(Resource, Resource), CliError> {
        let issues = [self.issue_of(first)?, self.issue_of(second)?];
        let mut ids = Vec::new();
        for (note, issue) in [first, second].into_iter().zip(&issues) {
            ids.push(self.submit(&note.what, "issues", &IssueJson::from(issue)).await?);
        }
        for (note, id) in [first, second].into_iter().zip(ids) {
            self.follow(&note.what, &id).await?;
        }
        let [one, other] = issues;
        Ok((one.resource, other.resource))
    }

    fn issue_of(&self, note: &NewNote<'_>) -> Result<Issue, CliError> {
        let label = B256::right_padding_from(note.label.as_bytes());
        let issuer = self.people.issuer.address();
        let resource = Resource {
            domainId: U256::from(note.domain),
            owner: note.owner.address(),
            kind: kind_of(U256::ZERO, issuer, label),
            quantity: U256::from(note.quantity),
            data: B256::ZERO,
            salt: B256::random(),
        };
        let mut issue = Issue { resource, issuer, label, deadline: deadline()?, signature: Bytes::new() };
        let signature = sign_issue(&self.people.issuer, &self.domain, &issue);
        issue.signature = signature.map_err(|error| CliError::Failed(error.into()))?;
        Ok(issue)
    }

    /// A signed transfer; each output is (of the kind of this note, to whom, on which chain, how much).
    fn transfer_of(
        &self,
        inputs: &[&Resource],
        outputs: &[(&Resource, &PrivateKeySigner, u64, u64)],
        signers: &[&PrivateKeySigner],
    ) -> Result<Transfer, CliError> {
        let output = |(like, owner, domain, quantity): &(&Resource, &PrivateKeySigner, u64, u64)| Output {
            domainId: U256::from(*domain),
            owner: owner.address(),
            kind: like.kind,
            quantity: U256::from(*quantity),
            data: B256::ZERO,
        };
        let mut transfer = Transfer {
            inputs: inputs.iter().map(|note| (*note).clone()).collect(),
            outputs: outputs.iter().map(output).collect(),
            deadline: deadline()?,
            signatures: Vec::new(),
        };
        let signatures: Result<Vec<Bytes>, _> =
            signers.iter().map(|signer| sign_transfer(*signer, &self.domain, &transfer)).collect();
        transfer.signatures = signatures.map_err(|error| CliError::Failed(error.into()))?;
        Ok(transfer)
    }

    /// Hands a transfer in, follows it to its end, and gives the notes that it created.
    async fn finish(&mut self, what: &str, transfer: &Transfer) -> Result<Vec<Resource>, CliError> {
        let id = self.submit(what, "transfers", &TransferJson::from(transfer)).await?;
        self.follow(what, &id).await?;
        Ok(Operation::Transfer(transfer.clone()).created())
    }

    async fn submit(&self, what: &str, collection: &str, form: &impl Serialize) -> Result<String, CliError> {
        progress(format!("submit: {what}"));
        Ok(self.client.submit(collection, form).await?.id)
    }

    async fn follow(&mut self, what: &str, id: &str) -> Result<(), CliError> {
        let view =
            follow(&self.client, id, TRANSFER_TIME, |stage| progress(format!("  {}", line(stage)))).await?;
        self.report.finished(what, view);
        Ok(())
    }

    /// Hands in what must be refused because a note is spent already.
    async fn refused(&mut self, what: &str, transfer: &Transfer) -> Result<(), CliError> {
        match self.client.submit("transfers", &TransferJson::from(transfer)).await {
            Ok(accepted) => Err(CliError::Disagreed(format!("{what}: taken in as {}", accepted.id))),
            Err(CliError::Refused(problem)) if problem.code == "input_spent" => {
                print(format!("\n{what}\n  refused: {problem}\n"));
                self.report.refused.push(Refused { what: what.to_owned(), code: problem.code });
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until all chains hold one root, and notes it.
    async fn agreement(&mut self) -> Result<(), CliError> {
        progress("waiting until all chains hold the same root");
        let until = Instant::now() + AGREEMENT_TIME;
        loop {
            let mut chains = Vec::new();
            for place in self.places {
                chains.push(chain_report(place).await?);
            }
            let agreed =
                chains.iter().all(|chain| (&chain.index, &chain.root) == (&chains[0].index, &chains[0].root));
            self.report.chains = chains;
            if agreed {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(CliError::TimedOut(format!(
                    "the chains do not hold one root:\n{}",
                    self.report.chains()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks each spoke's contract about a note that arrived there (or the last that arrived anywhere), that it is unspent,
    /// and that the refused transfer left nothing.
    async fn check_chains(&mut self, arrived: &[&Resource], never: &Resource) -> Result<(), CliError> {
        let places = self.places;
        for place in &places[1..] {
            let here = U256::from(place.deployed.chain_id);
            let last = arrived.len() - 1;
            let note = arrived.iter().find(|note| note.domainId == here).unwrap_or(&arrived[last]);
            let quantity = note.quantity;
            let key = |resource: &Resource| {
                B256::new(resource_key(resource.domainId, resource_id(resource)).into())
            };
            let nullifier = B256::new(nullifier_key(nullifier_of(note)).into());
            self.check(place, &format!("a note of {quantity} arrived"), key(note), true).await?;
            self.check(place, &format!("the note of {quantity} is unspent"), nullifier, false).await?;
            self.check(place, "the refused transfer created nothing", key(never), false).await?;
        }
        Ok(())
    }

    async fn check(&mut self, place: &Place, what: &str, key: B256, present: bool) -> Result<(), CliError> {
        let chain = &place.deployed;
        let proof = self.proof_at_last_root(chain.chain_id, key).await?;
        prove::check(&proof)?;
        if proof.present != present || !place.reader.accepts(&proof).await? {
            return Err(CliError::Disagreed(format!("chain {}: not so: {what}", chain.chain_id)));
        }
        let call = if present { "verifyProof" } else { "verifyAbsence" };
        let bytes = proof.proof.len();
        print(format!(
            "chain {}: {what}: {call} says true (eth_call, index {}, {bytes} bytes)",
            chain.chain_id, proof.index
        ));
        self.report.checks.push(Check { chain_id: chain.chain_id.to_string(), what: what.to_owned(), call });
        Ok(())
    }

    /// The proof at the root that all chains hold; the service may see a chain a moment later than we do.
    async fn proof_at_last_root(&self, chain_id: u64, key: B256) -> Result<ProofView, CliError> {
        let until = Instant::now() + AGREEMENT_TIME;
        let root = &self.report.chains[0].root;
        loop {
            let proof = self.client.proof(key, Some(chain_id), None).await?;
            if proof.root.to_string() == *root {
                return Ok(proof);
            }
            if Instant::now() > until {
                return Err(CliError::TimedOut(format!(
                    "the service does not see that chain {chain_id} holds {root}"
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn chain_report(place: &Place) -> Result<ChainReport, CliError> {
    let deployed = &place.deployed;
    Ok(ChainReport {
        chain_id: deployed.chain_id.to_string(),
        role: deployed.role,
        rpc: place.rpc.clone(),
        verifier: deployed.verifier.to_string(),
        index: place.reader.ask(IRootVerifier::indexCall {}).await?.to_string(),
        root: place.reader.ask(IRootVerifier::stateRootCall {}).await?.to_string(),
    })
}

fn deadline() -> Result<u64, CliError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Ok(now.map_err(|error| CliError::Failed(error.into()))?.as_secs() + VALID_S)
}
