//! A tree and honest batches on it: every kind of operation, requests of every chain, voids of every reason.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256, address, keccak256};
use alloy::signers::local::PrivateKeySigner;
use hypha_protocol::batch::build_witness;
use hypha_protocol::ids::{kind_of, requested_salt, resource_id, resource_key};
use hypha_protocol::operations::{
    Content, Issue, MAX_INPUTS, MAX_REQUEST_NOTES, Operation, Output, Request, RequestedIssue, Resource,
    Rules, Transfer, Void, VoidReason, encode_operations,
};
use hypha_protocol::replay::with_touches;
use hypha_protocol::signing::{distinct_owners, hub_domain, owners_beside_sender, sign_issue, sign_transfer};
use hypha_protocol::tree::{Root, Tree};

use crate::random::Random;

pub(crate) const HUB: Address = address!("0x4879706861000000000000000000000000000001");
pub(crate) const DOMAINS: [u64; 3] = [31337, 31338, 31339];
pub(crate) const UNKNOWN_DOMAIN: u64 = 31340;
/// Time of the hub's block, Unix seconds.
pub(crate) const NOW: u64 = 1_000_000;
/// Accounts that sign; three more are contracts, which cannot.
const SIGNERS: u64 = 5;
const CONTRACTS: u64 = 3;

/// A batch as a verifier is given it.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) root: Root,
    pub(crate) new_root: Root,
    pub(crate) operations: Vec<u8>,
    pub(crate) witness: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) tree: Tree,
    /// Notes that can be spent.
    pub(crate) unspent: Vec<Resource>,
    /// Notes that were spent.
    pub(crate) spent: Vec<Resource>,
    /// Issues that were executed for requests, with the chain and the sender.
    issued: Vec<(u64, Address, RequestedIssue)>,
    signers: Vec<PrivateKeySigner>,
    contracts: Vec<Address>,
    number: u64,
}

pub(crate) fn hub_rules() -> Rules {
    Rules::hub(separator(), NOW, BTreeSet::from(DOMAINS))
}

pub(crate) fn separator() -> B256 {
    hub_domain(DOMAINS[0], HUB).separator()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let secret =
            |number: u64| keccak256([b"hypha differential".as_slice(), &number.to_be_bytes()].concat());
        let signer =
            |number| PrivateKeySigner::from_bytes(&secret(number)).expect("a secret below the order");
        Self {
            random: Random::new(seed),
            tree: Tree::new(),
            unspent: Vec::new(),
            spent: Vec::new(),
            issued: Vec::new(),
            signers: (0..SIGNERS).map(signer).collect(),
            contracts: (0..CONTRACTS).map(|number| Address::from_word(secret(100 + number))).collect(),
            number: 0,
        }
    }

    /// The batch of these operations, its witness and new root as honest as they can be.
    pub(crate) fn draft(&self, operations: &[Operation]) -> Draft {
        let touches: Vec<_> = operations.iter().flat_map(Operation::touches).collect();
        Draft {
            root: self.tree.root(),
            new_root: with_touches(&self.tree, &touches).root(),
            operations: encode_operations(operations).expect("a packed form"),
            witness: build_witness(&self.tree, &touches),
        }
    }

    /// Applies honest operations.
    pub(crate) fn apply(&mut self, operations: &[Operation]) {
        for operation in operations {
            self.tree = with_touches(&self.tree, &operation.touches());
            let spent = operation.input_ids();
            self.unspent.retain(|note| !spent.contains(&resource_id(note)));
            self.spent.extend_from_slice(operation.inputs());
            self.unspent.extend(operation.created());
            if let Operation::Queued(request) = operation
                && let Content::Issue(issue) = request.content()
            {
                self.issued.push((request.chain_id(), request.sender(), issue.clone()));
            }
        }
    }

    /// Operations that the tree allows together.
    pub(crate) fn honest(&mut self) -> Vec<Operation> {
        let mut notes = self.unspent.clone();
        let mut evidence = (self.spent.clone(), self.issued.clone());
        let mut operations: Vec<_> = (0..self.random.below(3)).map(|_| self.void(&mut evidence)).collect();
        // What a void reads, nothing else in the batch may touch.
        let read: Vec<_> = operations.iter().flat_map(Operation::touches).map(|touch| touch.key).collect();
        notes.retain(|note| !read.contains(&resource_key(note.domainId, resource_id(note))));
        for _ in 0..self.random.below(3) {
            operations.push(Operation::Queued(self.request(&mut notes)));
        }
        for _ in 0..self.random.below(3) + usize::from(operations.is_empty()) {
            operations.push(self.signed(&mut notes));
        }
        operations
    }

    fn signed(&mut self, notes: &mut Vec<Resource>) -> Operation {
        let most = if self.random.once_in(20) { MAX_INPUTS } else { 3 };
        let inputs = self.inputs(notes, most, None);
        if inputs.is_empty() || self.random.once_in(3) {
            return Operation::Issue(self.issue());
        }
        let deadline = NOW + self.random.next() % 1_000;
        let transfer = self.transfer(inputs, deadline);
        Operation::Transfer(self.sign(transfer, None))
    }

    /// A request whose notes, if it has some, are taken out of `notes`.
    pub(crate) fn request(&mut self, notes: &mut Vec<Resource>) -> Request {
        let (chain, sender) = self.place(notes);
        let inputs = self.inputs(notes, MAX_REQUEST_NOTES, Some((chain, sender)));
        let number = self.next_number();
        let content = if inputs.is_empty() || self.random.once_in(4) {
            Content::Issue(self.requested_issue(chain, number))
        } else {
            let deadline = self.random.next() % (2 * NOW);
            let transfer = self.transfer(inputs, deadline);
            Content::Transfer(self.sign(transfer, Some((chain, sender))))
        };
        Request::new(chain, number, sender, content).expect("a packed form")
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Where and by whom something is requested: mostly where the sender has a note.
    fn place(&mut self, notes: &[Resource]) -> (u64, Address) {
        if notes.is_empty() || self.random.once_in(5) {
            (self.domain(), self.account())
        } else {
            let note = self.random.pick(notes);
            (note.domainId.to(), note.owner)
        }
    }

    pub(crate) fn requested_issue(&mut self, chain: u64, number: u64) -> RequestedIssue {
        let random = &mut self.random;
        RequestedIssue {
            label: keccak256([random.byte() % 3]),
            domain_id: *random.pick(&DOMAINS),
            owner: *random.pick(&self.contracts),
            quantity: random.quantity(),
            data: if random.once_in(2) { random.word() } else { B256::ZERO },
            salt: requested_salt(chain, HUB, number),
        }
    }

    pub(crate) fn issue(&mut self) -> Issue {
        let signer = self.random.pick(&self.signers[..2]).clone();
        let label = keccak256([self.random.byte() % 3]);
        let resource = Resource {
            domainId: U256::from(self.domain()),
            owner: self.account(),
            kind: kind_of(U256::ZERO, signer.address(), label),
            quantity: self.random.quantity(),
            data: if self.random.once_in(4) { self.random.word() } else { B256::ZERO },
            salt: self.random.word(),
        };
        let deadline = NOW + self.random.next() % 1_000;
        let issue =
            Issue { resource, issuer: signer.address(), label, deadline, signature: Default::default() };
        self.sign_issue(issue)
    }

    pub(crate) fn sign_issue(&self, mut issue: Issue) -> Issue {
        if let Some(signer) = self.signers.iter().find(|signer| signer.address() == issue.issuer) {
            issue.signature =
                sign_issue(signer, &hub_domain(DOMAINS[0], HUB), &issue).expect("a local key signs");
        }
        issue
    }

    /// Up to `most` notes that signers own, or whoever asks on its chain; they are taken out of `notes`.
    fn inputs(
        &mut self,
        notes: &mut Vec<Resource>,
        most: usize,
        asks: Option<(u64, Address)>,
    ) -> Vec<Resource> {
        let mut inputs = Vec::new();
        for _ in 0..1 + self.random.below(most) {
            let signs = |note: &Resource| self.signers.iter().any(|signer| signer.address() == note.owner);
            let spends = |note: &Resource| signs(note) || asks == Some((note.domainId.to(), note.owner));
            let fit: Vec<usize> = (0..notes.len()).filter(|position| spends(&notes[*position])).collect();
            if !fit.is_empty() {
                inputs.push(notes.swap_remove(*self.random.pick(&fit)));
            }
        }
        inputs
    }

    /// A transfer in balance, not signed: of each kind one output, or two.
    pub(crate) fn transfer(&mut self, inputs: Vec<Resource>, deadline: u64) -> Transfer {
        let mut outputs = Vec::new();
        let mut kinds: Vec<B256> = Vec::new();
        for kind in inputs.iter().map(|input| input.kind) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let room = if inputs.len() > MAX_REQUEST_NOTES { MAX_INPUTS } else { MAX_REQUEST_NOTES };
        for (position, kind) in kinds.iter().enumerate() {
            let of_kind = inputs.iter().filter(|input| input.kind == *kind);
            let total: U256 = of_kind.map(|input| input.quantity).sum();
            let still = kinds.len() - position;
            if outputs.len() + still < room && total > U256::ONE && self.random.once_in(2) {
                outputs.push(self.output(*kind, U256::ONE));
                outputs.push(self.output(*kind, total - U256::ONE));
            } else {
                outputs.push(self.output(*kind, total));
            }
        }
        Transfer { inputs, outputs, deadline, signatures: Vec::new() }
    }

    fn output(&mut self, kind: B256, quantity: U256) -> Output {
        let data = if self.random.once_in(4) { self.random.word() } else { B256::ZERO };
        Output { domainId: U256::from(self.domain()), owner: self.account(), kind, quantity, data }
    }

    /// The signatures that are needed; `asks` needs none. Of an account that cannot sign, somebody else's.
    pub(crate) fn sign(&self, mut transfer: Transfer, asks: Option<(u64, Address)>) -> Transfer {
        let owners = match asks {
            Some((chain, sender)) => owners_beside_sender(&transfer.inputs, chain, sender),
            None => distinct_owners(&transfer.inputs),
        };
        let signer_of = |owner| self.signers.iter().find(|signer| signer.address() == owner);
        let domain = hub_domain(DOMAINS[0], HUB);
        transfer.signatures = owners
            .into_iter()
            .map(|owner| signer_of(owner).unwrap_or(&self.signers[0]))
            .map(|signer| sign_transfer(signer, &domain, &transfer).expect("a local key signs"))
            .collect();
        transfer
    }

    /// A void that is true; what it takes as evidence is taken out, so that none is read twice.
    fn void(
        &mut self,
        (spent, issued): &mut (Vec<Resource>, Vec<(u64, Address, RequestedIssue)>),
    ) -> Operation {
        let reason = *self.random.pick(&VoidReason::ALL);
        let number = self.next_number();
        let (chain, sender, content) = match reason {
            VoidReason::OutputExists if !issued.is_empty() => {
                let (chain, sender, issue) = self.random.take(issued);
                (chain, sender, Content::Issue(issue))
            }
            VoidReason::InputSpent if !spent.is_empty() => {
                let note = self.random.take(spent);
                return self.void_of(note, VoidReason::InputSpent, number);
            }
            VoidReason::UnknownDomain => {
                let chain = self.domain();
                let issue =
                    RequestedIssue { domain_id: UNKNOWN_DOMAIN, ..self.requested_issue(chain, number) };
                (chain, self.account(), Content::Issue(issue))
            }
            _ => {
                let note = self.issue().resource;
                return self.void_of(note, VoidReason::InputAbsent, number);
            }
        };
        let request = Request::new(chain, number, sender, content).expect("a packed form");
        Operation::Void(Void::new(request, reason, 0).expect("an issue has one output"))
    }

    /// A request for a transfer of this note is void.
    fn void_of(&mut self, note: Resource, reason: VoidReason, number: u64) -> Operation {
        let asks = (note.domainId.to(), note.owner);
        let deadline = self.random.next();
        let transfer = self.transfer(vec![note], deadline);
        let content = Content::Transfer(self.sign(transfer, Some(asks)));
        let request = Request::new(asks.0, number, asks.1, content).expect("a packed form");
        Operation::Void(Void::new(request, reason, 0).expect("it has an input"))
    }

    pub(crate) fn domain(&mut self) -> u64 {
        *self.random.pick(&DOMAINS)
    }

    pub(crate) fn account(&mut self) -> Address {
        let position = self.random.below(self.signers.len() + self.contracts.len());
        self.signers
            .get(position)
            .map_or_else(|| self.contracts[position % self.contracts.len()], |one| one.address())
    }
}
