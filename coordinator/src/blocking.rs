//! Work that must not hold up the runtime's own threads.

use crate::store::LedgerError;

/// Runs a job on a thread where it may take long. A panic in it goes on in the caller: it is a bug, and must not pass for a
/// shutdown.
///
/// # Errors
/// [`LedgerError::ShuttingDown`] when the runtime ends before the job began.
pub(crate) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LedgerError> {
    tokio::task::spawn_blocking(job).await.map_err(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => LedgerError::ShuttingDown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_goes_on_in_the_caller() {
        assert!(matches!(blocking(|| 7).await, Ok(7)));
        let caller = tokio::spawn(async { blocking(|| panic!("a bug")).await });
        assert!(caller.await.is_err_and(|ended| ended.is_panic()));
    }
}
