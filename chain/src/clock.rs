//! The system's clock, and one that a test turns.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
#[cfg(any(test, feature = "simulated"))]
use tokio::sync::watch;

use crate::ports::Clock;

/// [`Clock`] over the operating system's time and tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // A host whose clock stands before 1970 shows 0; no safety hangs on it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that stands still until a test turns it.
#[cfg(any(test, feature = "simulated"))]
#[derive(Clone, Debug)]
pub struct ManualClock {
    now_ms: watch::Sender<u64>,
}

#[cfg(any(test, feature = "simulated"))]
impl ManualClock {
    /// A clock that shows this time, Unix milliseconds.
    pub fn new(now_ms: u64) -> Self {
        Self { now_ms: watch::Sender::new(now_ms) }
    }

    /// Turns it forward, and wakes whoever slept until then.
    pub fn advance(&self, duration: Duration) {
        self.now_ms.send_modify(|now| *now += duration.as_millis() as u64);
    }
}

#[cfg(any(test, feature = "simulated"))]
#[async_trait]
impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        *self.now_ms.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let end = self.now_ms() + duration.as_millis() as u64;
        let turned = self.now_ms.subscribe().wait_for(|now| *now >= end).await.is_ok();
        debug_assert!(turned, "a clock outlives its sleepers");
    }
}
