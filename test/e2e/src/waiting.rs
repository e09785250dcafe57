//! Waiting for a condition, with a deadline.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// Time between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs a future on the one runtime of the test process.
pub fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime starts")).block_on(future)
}

/// Looks until `look` gives something, and gives that.
///
/// # Panics
/// When `deadline` passes first; `what` says what did not come.
pub fn wait_until<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < deadline, "{what}: not within {deadline:?}");
        block_on(async { tokio::time::sleep(LOOK_EVERY).await });
    }
}
