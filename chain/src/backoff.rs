//! How long to wait after failures.

use std::time::Duration;

/// The longest wait: an endpoint that comes back is noticed within this time.
const LONGEST: Duration = Duration::from_secs(15);

/// Failures in a row, and the wait that follows from them: doubled with each, up to a bound.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    failures: u32,
}

impl Backoff {
    /// Begins with a first wait.
    pub fn new(first: Duration) -> Self {
        Self { first, failures: 0 }
    }

    /// Forgets the failures.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and says how long to wait.
    pub fn failed(&mut self) -> Duration {
        let wait = self.first.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(250));
        let waits: Vec<u128> = (0..8).map(|_| backoff.failed().as_millis()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
        backoff.succeeded();
        assert_eq!(backoff.failed().as_millis(), 250);
    }
}
