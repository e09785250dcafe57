//! That a request was queued: signed as any other fact.

use alloy::primitives::{Address, Bytes};
use alloy::sol_types::SolEvent;
use hypha_attestor::pipeline::{Signed, sign};
use hypha_attestor::store::GuardReason;
use hypha_attestor::{Attestor, SignError, resume};
use hypha_protocol::contracts::IRequestQueue;
use hypha_protocol::fact::FactName;
use hypha_protocol::ids::request_hash;

use crate::{HUB, SPOKE, World, address, read, signer_of};

impl World {
    fn request(&self, chain: u64, number: u64, content: &'static [u8]) {
        self.emit(chain, address(chain, 1), &queued(number, content));
    }
}

fn queued(number: u64, content: &'static [u8]) -> IRequestQueue::RequestQueued {
    let (sender, content) = (Address::repeat_byte(0x55), Bytes::from_static(content));
    IRequestQueue::RequestQueued { number, requestType: 3, sender, fee: 7, content }
}

async fn request_fact(attestor: &Attestor, from: u64, number: u64, to: u64) -> Result<Signed, SignError> {
    sign(attestor, from, FactName::RequestQueued { number }.key(), to).await
}

#[tokio::test]
async fn a_request_is_signed_with_the_hash_of_its_content_once_it_is_final() {
    let world = World::new();
    let attestor = world.attestor().await;
    for (from, to) in [(SPOKE, HUB), (HUB, SPOKE)] {
        world.request(from, 1, b"first");
        world.request(from, 2, b"second");
        read(&attestor).await;
        let early = request_fact(&attestor, from, 2, to).await;
        assert!(matches!(early, Err(SignError::FactUnknown { .. })), "not final yet: {early:?}");
        world.finalize();
        read(&attestor).await;
        for (number, content) in [(1, &b"first"[..]), (2, b"second")] {
            let signed = request_fact(&attestor, from, number, to).await.unwrap();
            assert_eq!(signed.statement.value, request_hash(3, content, Address::repeat_byte(0x55)));
            assert_eq!(signed.fact.emitter, address(from, 1));
            assert_eq!(signer_of(&signed), world.signer.address());
        }
    }
    let back = request_fact(&attestor, SPOKE, 1, SPOKE).await;
    assert!(matches!(back, Err(SignError::UnknownDestination { .. })), "{back:?}");
}

#[tokio::test]
async fn two_contents_under_one_number_are_a_conflict() {
    let world = World::new();
    let attestor = world.attestor().await;
    world.request(SPOKE, 1, b"first");
    world.request(SPOKE, 2, b"second");
    world.request(SPOKE, 1, b"first");
    world.finalize();
    read(&attestor).await;
    let signed = request_fact(&attestor, SPOKE, 2, HUB).await.unwrap();
    world.request(SPOKE, 1, b"other");
    world.finalize();
    read(&attestor).await;
    let Err(SignError::FactConflict { found, .. }) = request_fact(&attestor, SPOKE, 1, HUB).await else {
        panic!("the number has two contents");
    };
    let value = |content| request_hash(3, content, Address::repeat_byte(0x55));
    assert_eq!((found.conflict.first, found.conflict.second), (value(b"first"), value(b"other")));
    let key = FactName::RequestQueued { number: 1 }.key();
    let guard = resume(world.disk.as_ref()).unwrap().expect("the guard is set");
    assert_eq!(guard.why, GuardReason::Conflict { chain_id: SPOKE, key });
    assert_eq!(request_fact(&attestor, SPOKE, 2, HUB).await.unwrap(), signed);
}

#[tokio::test]
async fn a_request_that_does_not_decode_asserts_nothing() {
    let world = World::new();
    let attestor = world.attestor().await;
    let log = queued(1, b"first").encode_log_data();
    let (topics, data) = (log.topics(), &log.data);
    world.chains[&SPOKE].emit(address(SPOKE, 1), topics.to_vec(), data.slice(..data.len() - 32));
    world.chains[&SPOKE].emit(address(SPOKE, 1), topics[..3].to_vec(), data.clone());
    world.emit(SPOKE, address(SPOKE, 9), &queued(1, b"first"));
    world.finalize();
    read(&attestor).await;
    assert_eq!(world.stored("facts"), 0);
    world.request(SPOKE, 1, b"first");
    world.finalize();
    read(&attestor).await;
    assert!(request_fact(&attestor, SPOKE, 1, HUB).await.is_ok());
}
