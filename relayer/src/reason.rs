//! A contract's reason, in words.

use alloy::primitives::hex;
use alloy::sol_types::SolInterface;
use hypha_protocol::contracts::{
    IAttestedFacts, IOperationErrors, IPausable, IProofErrors, IRequestQueue, IRootHub, IRootSpoke,
    IRootVerifier,
};

/// Bytes shown of a reason that is none of the protocol's.
const SHOWN: usize = 68;

/// Reads revert data: a custom error of the protocol by its name and fields, anything else as hex.
pub(crate) fn reason(data: &[u8]) -> String {
    named::<IRootSpoke::IRootSpokeErrors>(data)
        .or_else(|| named::<IRootVerifier::IRootVerifierErrors>(data))
        .or_else(|| named::<IAttestedFacts::IAttestedFactsErrors>(data))
        .or_else(|| named::<IRootHub::IRootHubErrors>(data))
        .or_else(|| named::<IRequestQueue::IRequestQueueErrors>(data))
        .or_else(|| named::<IPausable::IPausableErrors>(data))
        .or_else(|| named::<IOperationErrors::IOperationErrorsErrors>(data))
        .or_else(|| named::<IProofErrors::IProofErrorsErrors>(data))
        .unwrap_or_else(|| format!("reverted with 0x{}", hex::encode(&data[..data.len().min(SHOWN)])))
}

/// `IndexMismatch(IndexMismatch { expected: 1, actual: 3 })` is shown without the repeated name.
fn named<E: SolInterface + std::fmt::Debug>(data: &[u8]) -> Option<String> {
    let text = format!("{:?}", E::abi_decode(data).ok()?);
    let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(&text);
    Some(inner.to_owned())
}

#[cfg(test)]
mod tests {
    use alloy::primitives::U256;
    use alloy::sol_types::SolError;

    use super::*;

    #[test]
    fn errors_are_named_with_their_fields() {
        let data = IRootVerifier::IndexMismatch { expected: 1, actual: 3 }.abi_encode();
        assert_eq!(reason(&data), "IndexMismatch { expected: 1, actual: 3 }");
        let data =
            IRequestQueue::RequestNumber { chainId: U256::from(5), expected: 1, actual: 3 }.abi_encode();
        assert_eq!(reason(&data), "RequestNumber { chainId: 5, expected: 1, actual: 3 }");
        assert_eq!(reason(&IPausable::Paused { until: 9 }.abi_encode()), "Paused { until: 9 }");
        assert_eq!(reason(&[1, 2, 3, 4, 5]), "reverted with 0x0102030405");
        assert_eq!(reason(&[]), "reverted with 0x");
    }
}
