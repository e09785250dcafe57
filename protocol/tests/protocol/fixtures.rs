//! Fixed keys, notes and operations: the same in every run, since signatures are deterministic.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256, address, keccak256};
use alloy::signers::local::PrivateKeySigner;
use hypha_protocol::ids::{kind_of, output_resource};
use hypha_protocol::operations::{Issue, Operation, Output, Resource, Rules, Transfer, encode_operations};
use hypha_protocol::signing::{hub_domain, sign_issue, sign_transfer, transfer_hash};

pub(crate) const HUB_CHAIN: u64 = 31337;
pub(crate) const SPOKE_CHAIN: u64 = 31338;
pub(crate) const OTHER_SPOKE_CHAIN: u64 = 31339;
pub(crate) const HUB: Address = address!("0x4879706861000000000000000000000000000001");
/// Time of the hub's block in all vectors, Unix seconds.
pub(crate) const NOW: u64 = 1_000_000;
pub(crate) const DEADLINE: u64 = 2_000_000;

/// The `number`-th test key, whose secret is `keccak("hypha test key <number>")`.
pub(crate) fn signer(number: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(format!("hypha test key {number}")))
        .expect("a secret below the order")
}

pub(crate) fn alice() -> PrivateKeySigner {
    signer(1)
}

pub(crate) fn bob() -> PrivateKeySigner {
    signer(2)
}

pub(crate) fn mint() -> PrivateKeySigner {
    signer(3)
}

pub(crate) fn separator() -> B256 {
    hub_domain(HUB_CHAIN, HUB).separator()
}

pub(crate) fn domains() -> BTreeSet<u64> {
    [HUB_CHAIN, SPOKE_CHAIN, OTHER_SPOKE_CHAIN].into()
}

pub(crate) fn spoke_rules() -> Rules {
    Rules::spoke(separator())
}

pub(crate) fn hub_rules() -> Rules {
    Rules::hub(separator(), NOW, domains())
}

/// A word that spells `text`, padded with zeros.
pub(crate) fn label(text: &str) -> B256 {
    let mut word = B256::ZERO;
    word[..text.len()].copy_from_slice(text.as_bytes());
    word
}

pub(crate) fn salt(number: u64) -> B256 {
    keccak256(format!("hypha test salt {number}"))
}

pub(crate) fn gold() -> B256 {
    kind_of(U256::ZERO, mint().address(), label("gold"))
}

pub(crate) fn silver() -> B256 {
    kind_of(U256::ZERO, mint().address(), label("silver"))
}

/// A note of a kind of the mint's, as an issue makes it.
pub(crate) fn note(name: &str, domain_id: u64, owner: Address, quantity: u64, salt_number: u64) -> Resource {
    Resource {
        domainId: U256::from(domain_id),
        owner,
        kind: kind_of(U256::ZERO, mint().address(), label(name)),
        quantity: U256::from(quantity),
        data: B256::ZERO,
        salt: salt(salt_number),
    }
}

/// The issue of `resource` by the mint, signed.
pub(crate) fn issue(name: &str, resource: Resource) -> Issue {
    issue_until(name, resource, DEADLINE)
}

pub(crate) fn issue_until(name: &str, resource: Resource, deadline: u64) -> Issue {
    let mut issue = Issue {
        resource,
        issuer: mint().address(),
        label: label(name),
        deadline,
        signature: Default::default(),
    };
    issue.signature = sign_issue(&mint(), &hub_domain(HUB_CHAIN, HUB), &issue).expect("a local key signs");
    issue
}

pub(crate) fn output(kind: B256, domain_id: u64, owner: Address, quantity: u64) -> Output {
    Output { domainId: U256::from(domain_id), owner, kind, quantity: U256::from(quantity), data: B256::ZERO }
}

/// A transfer with the signatures of these signers, in this order.
pub(crate) fn transfer(
    inputs: Vec<Resource>,
    outputs: Vec<Output>,
    signers: &[PrivateKeySigner],
) -> Transfer {
    transfer_until(inputs, outputs, signers, DEADLINE)
}

pub(crate) fn transfer_until(
    inputs: Vec<Resource>,
    outputs: Vec<Output>,
    signers: &[PrivateKeySigner],
    deadline: u64,
) -> Transfer {
    let mut transfer = Transfer { inputs, outputs, deadline, signatures: Vec::new() };
    let domain = hub_domain(HUB_CHAIN, HUB);
    transfer.signatures = signers
        .iter()
        .map(|signer| sign_transfer(signer, &domain, &transfer).expect("a local key signs"))
        .collect();
    transfer
}

/// The note that output `index` of a transfer becomes.
pub(crate) fn made(transfer: &Transfer, index: usize) -> Resource {
    output_resource(transfer_hash(transfer), index, &transfer.outputs[index])
}

pub(crate) fn pack(operations: &[Operation]) -> Vec<u8> {
    encode_operations(operations).expect("the operations have a packed form")
}

/// Alice's 100 gold on the hub.
pub(crate) fn alices_gold() -> Resource {
    note("gold", HUB_CHAIN, alice().address(), 100, 1)
}

/// Bob's 50 silver on a spoke.
pub(crate) fn bobs_silver() -> Resource {
    note("silver", SPOKE_CHAIN, bob().address(), 50, 2)
}

/// Alice's gold, all of it, to Bob on a spoke: one input, one output, one signature. The simplest transfer.
pub(crate) fn plain_transfer() -> Transfer {
    transfer(vec![alices_gold()], vec![output(gold(), SPOKE_CHAIN, bob().address(), 100)], &[alice()])
}

/// Alice's gold for Bob's silver, on two chains, with change for Alice: two owners, two kinds.
pub(crate) fn swap() -> Transfer {
    transfer(
        vec![alices_gold(), bobs_silver()],
        vec![
            output(silver(), SPOKE_CHAIN, alice().address(), 50),
            output(gold(), HUB_CHAIN, bob().address(), 60),
            output(gold(), HUB_CHAIN, alice().address(), 40),
        ],
        &[alice(), bob()],
    )
}

/// Alice, Bob and Alice again spend a note each: two owners, in order of first appearance.
pub(crate) fn interleaved() -> Transfer {
    let inputs = vec![alices_gold(), bobs_silver(), note("gold", HUB_CHAIN, alice().address(), 5, 8)];
    let outputs = vec![
        output(gold(), SPOKE_CHAIN, bob().address(), 105),
        output(silver(), HUB_CHAIN, alice().address(), 50),
    ];
    transfer(inputs, outputs, &[alice(), bob()])
}
