//! The attestor's configuration file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use hypha_chain::config::{ChainConfig, Finality, KeyConfig, Role};
use serde::Deserialize;

use crate::error::AttestorError;

/// More chains than anybody configures; each takes a task and connections.
const MAX_CHAINS: usize = 256;
/// Endpoints that must give one answer, at least: what a single one says, nobody has checked.
const LEAST_AGREEING: usize = 2;

/// What the file holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestorConfig {
    /// Address and port to answer on.
    pub listen: SocketAddr,
    /// The store's file.
    pub store: PathBuf,
    /// The key that signs; it needs no funds.
    pub key: KeyConfig,
    /// The chains, exactly one of them the hub.
    pub chains: Vec<ChainConfig>,
}

impl AttestorConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`AttestorError::Config`] with what is wrong.
    pub fn validate(&self) -> Result<(), AttestorError> {
        let hubs = self.chains.iter().filter(|chain| chain.role == Role::Hub).count();
        if hubs != 1 {
            return refuse(format!("exactly one chain has the role hub, here {hubs} have it"));
        }
        if self.chains.len() > MAX_CHAINS {
            return refuse(format!("at most {MAX_CHAINS} chains"));
        }
        let mut seen = BTreeSet::new();
        for chain in &self.chains {
            if !seen.insert(chain.chain_id) {
                return refuse(format!("chain {} is there twice", chain.chain_id));
            }
            chain.validate()?;
            validate_endpoints(chain)?;
            validate_finality(chain)?;
        }
        Ok(())
    }
}

/// An attestation is only as good as what it was read from: several endpoints, of which no two halves can each make up a
/// quorum. That they are distinct is checked already.
fn validate_endpoints(chain: &ChainConfig) -> Result<(), AttestorError> {
    let (name, of, quorum) = (&chain.name, chain.rpc.len(), chain.quorum);
    if of < LEAST_AGREEING {
        return refuse(format!(
            "chain {name}: rpc has {of} endpoint, an attestor reads at least {LEAST_AGREEING} distinct ones"
        ));
    }
    if quorum < LEAST_AGREEING {
        return refuse(format!(
            "chain {name}: quorum is {quorum}, for an attestor at least {LEAST_AGREEING} endpoints agree"
        ));
    }
    let majority = of / 2 + 1;
    if quorum < majority {
        return refuse(format!(
            "chain {name}: quorum is {quorum}, a majority is expected: of {of} endpoints at least {majority}"
        ));
    }
    Ok(())
}

/// The newest block can still be replaced, so what it says is never signed.
fn validate_finality(chain: &ChainConfig) -> Result<(), AttestorError> {
    if chain.finality == Finality::Confirmations(0) {
        return refuse(format!(
            "chain {}: finality has 0 confirmations, for an attestor at least 1, \"safe\" or \"finalized\"",
            chain.name
        ));
    }
    Ok(())
}

fn refuse(what: String) -> Result<(), AttestorError> {
    Err(AttestorError::Config { what })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;
    use hypha_chain::config::RpcUrl;

    use super::*;

    fn endpoints(count: u16) -> Vec<RpcUrl> {
        (1..=count).map(|port| RpcUrl::from(format!("http://127.0.0.1:{port}"))).collect()
    }

    fn chain(chain_id: u64, role: Role) -> ChainConfig {
        ChainConfig {
            chain_id,
            name: format!("chain-{chain_id}"),
            role,
            rpc: endpoints(2),
            quorum: 2,
            verifier: Address::repeat_byte(1),
            fact_verifier: Address::repeat_byte(2),
            attested: false,
            start_block: 0,
            poll_ms: 200,
            finality: Finality::Finalized,
            max_logs_range: 1_000,
        }
    }

    /// What is said of a configuration whose spoke was changed like this; the hub stays sound.
    fn verdict(change: impl Fn(&mut ChainConfig)) -> Result<(), String> {
        let mut spoke = chain(2, Role::Spoke);
        change(&mut spoke);
        let config = AttestorConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            store: PathBuf::new(),
            key: KeyConfig::Env("UNUSED".into()),
            chains: vec![chain(1, Role::Hub), spoke],
        };
        config.validate().map_err(|error| error.to_string())
    }

    fn agreeing(of: u16, quorum: usize) -> impl Fn(&mut ChainConfig) {
        move |chain| (chain.rpc, chain.quorum) = (endpoints(of), quorum)
    }

    #[test]
    fn a_majority_of_two_endpoints_or_more_is_taken() {
        for (of, quorum) in [(2, 2), (3, 2), (3, 3), (4, 3), (5, 3)] {
            assert_eq!(verdict(agreeing(of, quorum)), Ok(()), "{quorum} of {of}");
        }
    }

    #[test]
    fn one_endpoint_is_refused() {
        let said = verdict(agreeing(1, 1)).unwrap_err();
        assert!(said.contains("chain-2: rpc has 1 endpoint") && said.contains("at least 2"), "{said}");
        let twice = |chain: &mut ChainConfig| {
            chain.rpc = vec!["http://127.0.0.1:1".into(), "http://127.0.0.1:1/".into()];
        };
        let said = verdict(twice).unwrap_err();
        assert!(said.contains("names an endpoint twice"), "{said}");
    }

    #[test]
    fn a_quorum_of_one_is_refused() {
        for of in [2, 3] {
            let said = verdict(agreeing(of, 1)).unwrap_err();
            assert!(said.contains("chain-2: quorum is 1") && said.contains("at least 2"), "{said}");
        }
    }

    #[test]
    fn a_quorum_that_is_no_majority_is_refused() {
        for (of, quorum) in [(4, 2), (5, 2), (6, 3)] {
            let said = verdict(agreeing(of, quorum)).unwrap_err();
            let expected = format!("of {of} endpoints at least {}", of / 2 + 1);
            assert!(said.contains(&format!("quorum is {quorum}")) && said.contains(&expected), "{said}");
        }
    }

    #[test]
    fn the_newest_block_is_refused_as_final() {
        let finality = |finality| verdict(move |chain| chain.finality = finality);
        let said = finality(Finality::Confirmations(0)).unwrap_err();
        assert!(said.contains("chain-2: finality") && said.contains("at least 1"), "{said}");
        for sound in [Finality::Confirmations(1), Finality::Safe, Finality::Finalized] {
            assert_eq!(finality(sound), Ok(()), "{sound:?}");
        }
    }
}
