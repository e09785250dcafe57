//! The deployment plan: which contracts are to stand on which chains.

use std::collections::BTreeSet;

use alloy::primitives::Address;
use hypha_chain::config::RpcUrl;
use serde::{Deserialize, Serialize};

use crate::exit::CliError;

/// The longest pause that the contracts allow: `MAX_PAUSE_SECONDS`.
const MAX_PAUSE_SECONDS: u64 = 7 * 24 * 3_600;

/// What a person needs to leave beside what windows and pauses take: `EXIT_SECONDS` of `ExitTimelock`.
const EXIT_SECONDS: u64 = 7 * 24 * 3_600;

/// What the least delay is beside the windows: an exit, and the longest pauses of the hub and of two spokes.
const FIXED_DELAY_SECONDS: u64 = EXIT_SECONDS + 3 * MAX_PAUSE_SECONDS;

/// The longest that both windows may be together: with it no more than one pause's length of each contract falls into the least
/// delay, for pauses are `PAUSE_SPACING_SECONDS` apart.
const MAX_WINDOWS_SECONDS: u64 = 30 * 24 * 3_600 + MAX_PAUSE_SECONDS - FIXED_DELAY_SECONDS;

/// Time for governance to look at what is wrong.
pub(crate) const fn default_pause_seconds() -> u64 {
    3 * 24 * 3_600
}

/// A day, in which every sequencer can be mended.
pub(crate) const fn default_inclusion_window_s() -> u64 {
    24 * 3_600
}

/// 0.001 of a chain's coin: what resolving a request costs at usual gas prices, so that a full queue is not free.
pub(crate) const fn default_request_fee_wei() -> u64 {
    1_000_000_000_000_000
}

/// Ten times the first fee.
pub(crate) const fn default_max_request_fee_wei() -> u64 {
    10 * default_request_fee_wei()
}

/// Who governs, through a timelock on each chain.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedGovernance {
    /// Who may schedule, and cancel what is scheduled.
    pub(crate) proposers: Vec<Address>,
    /// Who may execute what has waited; anybody when none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) executors: Vec<Address>,
    /// How long everything waits.
    pub(crate) delay_s: u64,
}

impl PlannedGovernance {
    /// The executors as the timelock takes them: the zero address means anybody.
    pub(crate) fn executors(&self) -> Vec<Address> {
        if self.executors.is_empty() { vec![Address::ZERO] } else { self.executors.clone() }
    }
}

/// The plan file (TOML).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// A bare owner of all contracts, whose changes wait for nothing: for tests. Either this or `governance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Address>,
    /// Who may stop new roots, once; nobody when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pauser: Option<Address>,
    /// How long a pause lasts, at most 7 days.
    #[serde(default = "default_pause_seconds")]
    pub(crate) pause_seconds: u64,
    /// Who applies batches.
    pub(crate) sequencers: Vec<Address>,
    /// Seconds after the last sequencer's batch that left no request overdue when anyone may apply one.
    pub(crate) liveness_window_s: u64,
    /// Seconds after which a request must be resolved by the next batch.
    #[serde(default = "default_inclusion_window_s")]
    pub(crate) inclusion_window_s: u64,
    /// What a request costs at first, in wei.
    #[serde(default = "default_request_fee_wei")]
    pub(crate) request_fee_wei: u64,
    /// The most that governance may ever ask for a request, in wei.
    #[serde(default = "default_max_request_fee_wei")]
    pub(crate) max_request_fee_wei: u64,
    /// Who attests facts.
    pub(crate) attestors: Vec<Address>,
    /// How many of them must agree; more than half.
    pub(crate) threshold: u64,
    /// Until when the set of attestors is good, Unix seconds.
    pub(crate) attestors_expire_at: u64,
    /// Any text: another one gives other addresses, for a second deployment of the same plan.
    #[serde(default)]
    pub(crate) salt: String,
    /// Who governs through a timelock, which then owns all contracts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) governance: Option<PlannedGovernance>,
    /// The primary chain.
    pub(crate) hub: PlannedChain,
    /// All others.
    pub(crate) spokes: Vec<PlannedChain>,
}

/// One chain of the plan.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedChain {
    /// EIP-155 chain id.
    pub(crate) chain_id: u64,
    /// What it is called.
    pub(crate) name: String,
    /// Its node.
    pub(crate) rpc: RpcUrl,
    /// Whether the spoke takes attested roots without their batches. For spokes only.
    #[serde(default)]
    pub(crate) attested: bool,
    /// Whether each nullifier is also marked in storage. Not on attested spokes.
    #[serde(default)]
    pub(crate) nullifier_cache: bool,
}

impl Plan {
    /// All chains, the hub first.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &PlannedChain> {
        std::iter::once(&self.hub).chain(&self.spokes)
    }

    /// The attestors in the order in which the contract takes them.
    pub(crate) fn ascending_attestors(&self) -> Vec<Address> {
        let mut attestors = self.attestors.clone();
        attestors.sort();
        attestors
    }

    /// The shortest delay of governance in which everybody can leave: `leastDelay` of `ExitTimelock`. The hub can be paused, and two
    /// spokes after it.
    pub(crate) fn least_delay_s(&self) -> u64 {
        FIXED_DELAY_SECONDS.saturating_add(self.windows_s())
    }

    /// Both windows together.
    fn windows_s(&self) -> u64 {
        self.liveness_window_s.saturating_add(self.inclusion_window_s)
    }

    /// Refuses a plan whose contracts would refuse to be built, before anything is sent.
    pub(crate) fn validate(&self) -> Result<(), CliError> {
        let refuse = |why: String| Err(CliError::Usage(format!("the plan: {why}")));
        let mut seen = BTreeSet::new();
        for chain in self.chains() {
            if chain.chain_id == 0 || !seen.insert(chain.chain_id) {
                return refuse(format!("chain {} is zero or there twice", chain.chain_id));
            }
            if chain.attested && chain.nullifier_cache {
                return refuse(format!(
                    "chain {} is attested, so it cannot have a nullifier cache",
                    chain.chain_id
                ));
            }
        }
        self.validate_bounds()?;
        self.validate_governance()?;
        let attestors: BTreeSet<_> = self.attestors.iter().collect();
        if attestors.len() != self.attestors.len() || attestors.contains(&Address::ZERO) {
            return refuse("an attestor is zero or there twice".into());
        }
        let count = self.attestors.len() as u64;
        if self.threshold > count || self.threshold.saturating_mul(2) <= count {
            return refuse(format!(
                "the threshold {} is not a majority of {count} attestors",
                self.threshold
            ));
        }
        if self.sequencers.is_empty() {
            return refuse("there is no sequencer".into());
        }
        if self.hub.attested { refuse("the hub cannot be attested".into()) } else { Ok(()) }
    }

    fn validate_governance(&self) -> Result<(), CliError> {
        let refuse = |why: String| Err(CliError::Usage(format!("the plan: {why}")));
        let governance = match (&self.owner, &self.governance) {
            (None, Some(governance)) => governance,
            (Some(owner), None) if !owner.is_zero() => return Ok(()),
            _ => {
                return refuse(
                    "wants one of [governance], and owner for tests; the owner is not zero".into(),
                );
            }
        };
        let (least, delay) = (self.least_delay_s(), governance.delay_s);
        if delay < least {
            return refuse(format!(
                "a delay of {delay} s lets not everybody leave: the longest pauses of the hub and two spokes, both windows and an \
                 exit take {least} s"
            ));
        }
        let windows = self.windows_s();
        if windows > MAX_WINDOWS_SECONDS {
            return refuse(format!(
                "both windows together are {windows} s: more than {MAX_WINDOWS_SECONDS} s do not fit between two pauses"
            ));
        }
        if governance.proposers.is_empty() {
            return refuse("there is no proposer".into());
        }
        let named = governance.proposers.iter().chain(&governance.executors);
        if named.into_iter().any(|account| account.is_zero()) {
            return refuse("a proposer or executor is zero".into());
        }
        Ok(())
    }

    fn validate_bounds(&self) -> Result<(), CliError> {
        let refuse = |why: String| Err(CliError::Usage(format!("the plan: {why}")));
        if self.liveness_window_s == 0 || self.inclusion_window_s == 0 {
            return refuse("a window has no seconds".into());
        }
        if self.pause_seconds > MAX_PAUSE_SECONDS {
            let actual = self.pause_seconds;
            return refuse(format!("a pause of {actual} s is longer than {MAX_PAUSE_SECONDS} s"));
        }
        let (fee, most) = (self.request_fee_wei, self.max_request_fee_wei);
        if fee > most { refuse(format!("a fee of {fee} wei is above {most} wei")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        sequencers = ["0x1111111111111111111111111111111111111111"]
        liveness_window_s = 86400
        attestors = ["0x2222222222222222222222222222222222222222", "0x3333333333333333333333333333333333333333"]
        threshold = 2
        attestors_expire_at = 4000000000
        [governance]
        proposers = ["0x4444444444444444444444444444444444444444"]
        delay_s = 2592000
        [hub]
        chain_id = 1
        name = "hub"
        rpc = "http://127.0.0.1:1"
        [[spokes]]
        chain_id = 2
        name = "spoke"
        rpc = "http://127.0.0.1:2"
    "#;

    fn check(from: &str, to: &str) -> Result<(), CliError> {
        assert!(GOOD.contains(from));
        toml::from_str::<Plan>(&GOOD.replacen(from, to, 1)).unwrap().validate()
    }

    #[test]
    fn a_plan_that_cannot_be_built_is_refused() {
        check("threshold = 2", "threshold = 2").unwrap();
        assert!(check("threshold = 2", "threshold = 1").is_err());
        assert!(check("threshold = 2", "threshold = 3").is_err());
        assert!(check("chain_id = 2", "chain_id = 1").is_err());
        assert!(
            check("0x2222222222222222222222222222222222222222", "0x3333333333333333333333333333333333333333")
                .is_err()
        );
        assert!(check("name = \"hub\"", "name = \"hub\"\nattested = true").is_err());
        assert!(
            check("name = \"spoke\"", "name = \"spoke\"\nattested = true\nnullifier_cache = true").is_err()
        );
        assert!(check("[\"0x1111111111111111111111111111111111111111\"]", "[]").is_err());
        check("threshold = 2", "threshold = 2\npause_seconds = 604800").unwrap();
        assert!(check("threshold = 2", "threshold = 2\npause_seconds = 604801").is_err());
        assert!(check("liveness_window_s = 86400", "liveness_window_s = 0").is_err());
        assert!(check("threshold = 2", "threshold = 2\ninclusion_window_s = 0").is_err());
        check("threshold = 2", "threshold = 2\nrequest_fee_wei = 10000000000000000").unwrap();
        assert!(check("threshold = 2", "threshold = 2\nrequest_fee_wei = 10000000000000001").is_err());
    }

    #[test]
    fn a_plan_has_a_timelock_that_is_slow_enough_or_a_bare_owner() {
        let proposer = "0x4444444444444444444444444444444444444444";
        let owner = format!("threshold = 2\nowner = \"{proposer}\"");
        assert!(check("threshold = 2", &owner).is_err(), "both");
        let governance = &GOOD[GOOD.find("[governance]").unwrap()..GOOD.find("[hub]").unwrap()];
        assert!(check(governance, "").is_err(), "neither");
        let bare = GOOD.replacen(governance, "", 1).replacen("threshold = 2", &owner, 1);
        toml::from_str::<Plan>(&bare).unwrap().validate().unwrap();
        assert!(
            toml::from_str::<Plan>(&bare.replace(proposer, &Address::ZERO.to_string()))
                .unwrap()
                .validate()
                .is_err()
        );
        assert!(check("delay_s = 2592000", "delay_s = 2591999").is_err());
        assert!(check(&format!("[\"{proposer}\"]"), "[]").is_err());
        assert!(check(proposer, &Address::ZERO.to_string()).is_err());
        let windows = |liveness_window_s: u64| {
            let text = GOOD.replacen("86400", &liveness_window_s.to_string(), 1);
            let text = text.replacen("delay_s = 2592000", "delay_s = 99999999", 1);
            toml::from_str::<Plan>(&text).unwrap().validate()
        };
        windows(8 * 86_400).unwrap(); // and a day for inclusion
        assert!(windows(8 * 86_400 + 1).is_err());
        let executor = format!("delay_s = 2592000\nexecutors = [\"{}\"]", Address::ZERO);
        assert!(check("delay_s = 2592000", &executor).is_err());
    }

    #[test]
    fn whoever_is_not_named_as_executor_is_anybody() {
        let plan: Plan = toml::from_str(GOOD).unwrap();
        let governance = plan.governance.unwrap();
        assert_eq!(governance.executors(), [Address::ZERO]);
        let named = PlannedGovernance { executors: governance.proposers.clone(), ..governance };
        assert_eq!(named.executors(), named.proposers);
    }
}
