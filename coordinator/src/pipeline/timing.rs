//! When a batch is made, and why then: by what waits, how long it has waited, what the hub takes for gas and how fast it is.

use crate::config::BatchConfig;
use crate::pace::Pace;

/// Operations that are fewer than this part of a batch are a short queue.
const SHORT_QUEUE: usize = 4;

/// What a batch could carry now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// A request stands in the hub's queue.
    pub(super) request: bool,
    /// An operation of the urgent class waits.
    pub(super) urgent: bool,
    /// More waits than fits.
    pub(super) full: bool,
    /// How many operations.
    pub(super) operations: usize,
    /// How long the oldest of them has waited.
    pub(super) oldest_ms: u64,
}

/// Whether a batch is made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is.
    Make(Cause),
    /// Not yet.
    Wait(Cause),
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is nothing to carry.
    Nothing,
    /// As many batches as may be are on their way to the hub.
    InFlight,
    /// A request waits for no company.
    Request,
    /// Nor does an urgent operation.
    Urgent,
    /// No more fits.
    Full,
    /// The oldest may wait no longer, whatever it costs.
    Age,
    /// The oldest waits for company, or has waited long enough for it.
    Company,
    /// The base fee is high, and little waits for it to fall.
    Fee,
}

impl Cause {
    /// Its word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::InFlight => "in_flight",
            Self::Request => "request",
            Self::Urgent => "urgent",
            Self::Full => "full",
            Self::Age => "age",
            Self::Company => "company",
            Self::Fee => "fee",
        }
    }
}

/// Says whether a batch of what waits is made now.
pub(super) fn decide(config: &BatchConfig, pace: &Pace, waiting: Waiting) -> Decision {
    let Waiting { request, urgent, full, operations, oldest_ms } = waiting;
    if request {
        return Decision::Make(Cause::Request);
    }
    if operations == 0 {
        return Decision::Wait(Cause::Nothing);
    }
    if full {
        return Decision::Make(Cause::Full);
    }
    if oldest_ms >= config.max_age_ms {
        return Decision::Make(Cause::Age);
    }
    if urgent {
        return Decision::Make(Cause::Urgent);
    }
    if oldest_ms < company_ms(config, pace) {
        return Decision::Wait(Cause::Company);
    }
    let is_short = operations * SHORT_QUEUE < config.max_operations;
    if is_short && pace.is_dear(config.dear_percent) {
        return Decision::Wait(Cause::Fee);
    }
    Decision::Make(Cause::Company)
}

/// How long the oldest waits for company: as configured, or on a slow hub until it takes the next of as many batches as may be on
/// their way, since sooner would only make smaller ones.
fn company_ms(config: &BatchConfig, pace: &Pace) -> u64 {
    let in_flight = u64::try_from(config.max_in_flight).unwrap_or(u64::MAX).max(1);
    let spacing = pace.delivery_ms().unwrap_or(0) / in_flight;
    config.company_ms.max(spacing).min(config.max_age_ms)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use hypha_chain::ports::Block;

    use super::*;

    fn config() -> BatchConfig {
        BatchConfig {
            max_operations: 64,
            company_ms: 500,
            max_age_ms: 5_000,
            dear_percent: 10,
            max_in_flight: 4,
            ..BatchConfig::default()
        }
    }

    fn some(operations: usize, oldest_ms: u64) -> Waiting {
        Waiting { operations, oldest_ms, ..Waiting::default() }
    }

    fn dear() -> Pace {
        let mut pace = Pace::default();
        let block =
            |number, base_fee| Block { number, hash: B256::ZERO, parent: B256::ZERO, time: 0, base_fee };
        (0..20).for_each(|number| pace.observe(&block(number, 100)));
        pace.observe(&block(20, 111));
        pace
    }

    #[test]
    fn each_cause_in_its_order() {
        use Cause::*;
        use Decision::*;
        let all = Waiting { request: true, urgent: true, full: true, operations: 64, oldest_ms: 9_999 };
        for (waiting, pace, decision) in [
            (all, dear(), Make(Request)),
            (Waiting { request: true, ..Waiting::default() }, dear(), Make(Request)),
            (Waiting::default(), Pace::default(), Wait(Nothing)),
            (Waiting { request: false, ..all }, dear(), Make(Full)),
            (some(1, 5_000), dear(), Make(Age)),
            (Waiting { urgent: true, ..some(1, 0) }, dear(), Make(Urgent)),
            (some(1, 499), Pace::default(), Wait(Company)),
            (some(63, 499), dear(), Wait(Company)),
            (some(1, 500), Pace::default(), Make(Company)),
            (some(1, 500), dear(), Wait(Fee)),
            (some(1, 4_999), dear(), Wait(Fee)),
            (some(15, 500), dear(), Wait(Fee)),
            (some(16, 500), dear(), Make(Company)),
        ] {
            assert_eq!(decide(&config(), &pace, waiting), decision, "{waiting:?}");
        }
    }

    #[test]
    fn on_a_slow_hub_batches_are_as_far_apart_as_it_takes_them() {
        let mut pace = Pace::default();
        pace.delivered(12_000);
        let at = |oldest_ms| decide(&config(), &pace, some(1, oldest_ms));
        assert_eq!((at(2_999), at(3_000)), (Decision::Wait(Cause::Company), Decision::Make(Cause::Company)));
        let hasty = BatchConfig { max_age_ms: 1_000, ..config() };
        assert_eq!(
            decide(&hasty, &pace, some(1, 1_000)),
            Decision::Make(Cause::Age),
            "never beyond the maximum"
        );
    }
}
