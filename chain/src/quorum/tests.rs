use super::*;
use crate::simulated::{Execution, Faults, PRIORITY_FEE, SimulatedChain};

const HUB: Address = Address::repeat_byte(0x11);
const HEIGHT: u64 = 10;

/// A chain with a log in every block, and a quorum of endpoints with these faults.
fn quorum(faults: &[Faults], needed: usize) -> (SimulatedChain, QuorumChain) {
    let chain = SimulatedChain::new(7, 2);
    chain.set_contracts(|_| Ok(Execution { output: Bytes::from_static(&[1]), logs: Vec::new() }));
    for number in 1..=HEIGHT {
        chain.emit(HUB, vec![B256::ZERO], vec![number as u8]);
        chain.mine();
    }
    let endpoint = |faults: &Faults| {
        let endpoint = chain.endpoint();
        endpoint.set_faults(faults.clone());
        Arc::new(endpoint) as Arc<dyn Chain>
    };
    let endpoints = faults.iter().map(endpoint).collect();
    (chain, QuorumChain::new(endpoints, needed).unwrap())
}

fn faults(honest: usize, lying: usize, stalled: usize, unreachable: usize) -> Vec<Faults> {
    let kinds = [
        (honest, Faults::default()),
        (lying, Faults { lying: true, ..Faults::default() }),
        (stalled, Faults { stalled: true, ..Faults::default() }),
        (unreachable, Faults { unreachable: true, ..Faults::default() }),
    ];
    kinds.into_iter().flat_map(|(count, kind)| std::iter::repeat_n(kind, count)).collect()
}

fn lag(blocks: u64) -> Faults {
    Faults { lag: blocks, ..Faults::default() }
}

/// How a read may come out.
#[derive(Debug, PartialEq)]
enum Outcome {
    Truth,
    Lie,
    Disagreement,
    TooFew,
}

fn outcome<T: PartialEq>(answer: Result<T, ChainError>, truth: &T, endpoints: usize) -> Outcome {
    match answer {
        Ok(value) if value == *truth => Outcome::Truth,
        Ok(_) => Outcome::Lie,
        Err(ChainError::Disagreement { .. }) => Outcome::Disagreement,
        Err(ChainError::NotEnoughAnswers { .. }) => Outcome::TooFew,
        // A quorum of one gives the endpoint's own error.
        Err(ChainError::Timeout(_) | ChainError::Transport(_)) if endpoints == 1 => Outcome::TooFew,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn no_mix_of_endpoints_gives_more_than_the_needed_number_agree_on() {
    for (honest, lying, stalled, unreachable) in mixes() {
        let endpoints = honest + lying + stalled + unreachable;
        for needed in 1..=endpoints {
            let expected = match (honest, lying) {
                (honest, lying) if honest >= needed && lying >= needed => Outcome::Disagreement,
                (honest, _) if honest >= needed => Outcome::Truth,
                (_, lying) if lying >= needed => Outcome::Lie,
                (1.., 1..) => Outcome::Disagreement,
                _ => Outcome::TooFew,
            };
            let (chain, quorum) = quorum(&faults(honest, lying, stalled, unreachable), needed);
            let about = format!(
                "{honest} honest, {lying} lying, {stalled} stalled, {unreachable} down, {needed} needed"
            );
            let at = chain.block(BlockTag::Number(5)).await.unwrap().unwrap();
            let logs = chain.logs_in_block(HUB, at.hash).await.unwrap();
            let got = outcome(quorum.logs_in_block(HUB, at.hash).await, &logs, endpoints);
            assert_eq!(got, expected, "logs: {about}");
            let got = outcome(quorum.logs_in_range(HUB, 5, 5).await, &logs, endpoints);
            assert_eq!(got, expected, "range: {about}");
            let got = outcome(quorum.block(BlockTag::Number(5)).await, &Some(at.clone()), endpoints);
            assert_eq!(got, expected, "block: {about}");
            let call = Call::view(HUB, Bytes::new());
            let got = outcome(
                quorum.call(call, BlockTag::Hash(at.hash)).await,
                &Bytes::from_static(&[1]),
                endpoints,
            );
            assert_eq!(got, expected, "call: {about}");
            let got = outcome(quorum.nonce(HUB, BlockTag::Hash(at.hash)).await, &0, endpoints);
            assert_eq!(got, expected, "nonce: {about}");
        }
    }
}

/// All mixes of one to four endpoints.
fn mixes() -> Vec<(usize, usize, usize, usize)> {
    let mut mixes = Vec::new();
    for packed in 1..625 {
        let mix = (packed % 5, packed / 5 % 5, packed / 25 % 5, packed / 125);
        if mix.0 + mix.1 + mix.2 + mix.3 <= 4 {
            mixes.push(mix);
        }
    }
    mixes
}

#[tokio::test(start_paused = true)]
async fn a_stalled_endpoint_delays_no_majority() {
    let (_chain, quorum) = quorum(&faults(2, 0, 1, 0), 2);
    let start = tokio::time::Instant::now();
    quorum.block(BlockTag::Number(5)).await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    quorum.block(BlockTag::Latest).await.unwrap().unwrap();
    assert!(start.elapsed() <= GRACE);
    let liar_first = [faults(0, 1, 0, 0), faults(3, 0, 1, 0)].concat();
    let (_chain, quorum) = self::quorum(&liar_first, 3);
    let start = tokio::time::Instant::now();
    quorum.block(BlockTag::Number(5)).await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO, "a liar beside the stalled one makes no rival");
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_the_height_that_the_needed_number_reached() {
    let height = async |endpoints: &[Faults], needed, tag| {
        let (_chain, quorum) = quorum(endpoints, needed);
        quorum.block(tag).await.map(|block| block.unwrap().number)
    };
    let lags = [lag(0), lag(3), lag(6)];
    assert_eq!(height(&lags, 1, BlockTag::Latest).await, Ok(HEIGHT));
    assert_eq!(height(&lags, 2, BlockTag::Latest).await, Ok(HEIGHT - 3));
    assert_eq!(height(&lags, 3, BlockTag::Latest).await, Ok(HEIGHT - 6));
    assert_eq!(height(&lags, 2, BlockTag::Finalized).await, Ok(HEIGHT - 5));
    let mixed = [lag(0), lag(0), Faults { lying: true, lag: 9, ..Faults::default() }];
    assert_eq!(height(&mixed, 2, BlockTag::Safe).await, Ok(HEIGHT - 2));
}

#[tokio::test(start_paused = true)]
async fn reads_at_a_tag_are_pinned_to_one_block() {
    let (_chain, quorum) = quorum(&[lag(0), lag(3), lag(6)], 2);
    let call = Call::view(HUB, Bytes::new());
    assert_eq!(quorum.call(call, BlockTag::Latest).await, Ok(Bytes::from_static(&[1])));
    assert_eq!(quorum.balance(HUB, BlockTag::Latest).await, Ok(U256::MAX));
    assert_eq!(quorum.code(HUB, BlockTag::Finalized).await, Ok(Bytes::from_static(&[0xfe])));
}

#[tokio::test(start_paused = true)]
async fn a_revert_needs_the_number_too() {
    let (chain, quorum) = quorum(&faults(2, 0, 0, 1), 2);
    chain.set_contracts(|_| Err(Bytes::from_static(&[0xbb])));
    let call = Call::view(HUB, Bytes::new());
    let reverted = ChainError::Reverted { data: Bytes::from_static(&[0xbb]) };
    assert_eq!(quorum.call(call.clone(), BlockTag::Latest).await, Err(reverted.clone()));
    assert_eq!(quorum.estimate_gas(call).await, Err(reverted));
}

#[tokio::test(start_paused = true)]
async fn a_liar_moves_neither_gas_nor_fee() {
    let (_chain, quorum) = quorum(&faults(2, 1, 0, 0), 2);
    let call = Call::view(HUB, Bytes::new());
    assert_eq!(quorum.estimate_gas(call).await, Ok(100_000));
    assert_eq!(quorum.priority_fee().await, Ok(PRIORITY_FEE));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_block_stays_visible() {
    let (_chain, quorum) = quorum(&faults(2, 0, 0, 0), 2);
    assert_eq!(quorum.logs_in_block(HUB, B256::repeat_byte(1)).await, Err(ChainError::UnknownBlock));
    assert_eq!(quorum.block(BlockTag::Number(99)).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn one_endpoint_that_takes_a_transaction_is_enough() {
    let raw = Bytes::from_static(&[1]);
    let lossy = Faults { loses_transactions: true, ..Faults::default() };
    let mut endpoints = faults(1, 0, 1, 1);
    let (_chain, none) = quorum(&endpoints, 2);
    let refused = ChainError::Response("a signed transaction");
    assert_eq!(none.send_raw(raw.clone()).await, Err(refused), "the node's word before the lost connection");
    endpoints.push(lossy);
    let (_chain, one) = quorum(&endpoints, 2);
    assert_eq!(one.send_raw(raw.clone()).await, Ok(keccak256(&raw)));
    let (_chain, down) = quorum(&faults(0, 0, 0, 2), 2);
    assert!(matches!(down.send_raw(raw).await, Err(ChainError::Transport(_))));
}

#[tokio::test]
async fn a_quorum_that_cannot_work_is_refused() {
    let chain: Arc<dyn Chain> = Arc::new(SimulatedChain::new(7, 2));
    let other: Arc<dyn Chain> = Arc::new(SimulatedChain::new(8, 2));
    let refused = |endpoints: Vec<Arc<dyn Chain>>, needed| {
        assert!(matches!(QuorumChain::new(endpoints, needed), Err(ChainError::Setup(_))));
    };
    refused(vec![], 1);
    refused(vec![Arc::clone(&chain)], 0);
    refused(vec![Arc::clone(&chain)], 2);
    refused(vec![Arc::clone(&chain), Arc::clone(&chain)], 1);
    refused(vec![chain, other], 1);
    let same = [RpcUrl::from("http://a"), RpcUrl::from("http://a:80")];
    assert!(matches!(QuorumChain::of_urls(7, &same, 2), Err(ChainError::Setup(_))));
    assert!(matches!(QuorumChain::of_urls(7, &["ws://a".into()], 1), Err(ChainError::Setup(_))));
}
