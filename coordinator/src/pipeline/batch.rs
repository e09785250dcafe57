//! In: admitted operations, in order of admission. Out: a row that names the members of the next batch. Sets `batched`,
//! and `rejected` for what can never be batched any more.

use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::OperationError;
use hypha_protocol::status::Status;

use crate::api::problem::code_of;
use crate::config::BatchConfig;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::metrics;
use crate::refusal::Refusal;
use crate::state::{Entry, State};
use crate::store::{BatchRecord, BatchState, ProgressRecord, Rejection, Update};

/// Bytes of a batch before its first operation: the count.
const COUNT_BYTES: usize = 2;

/// Chooses the next batch when the one before is delivered and enough operations wait, or one has waited long enough. Gives
/// its index.
///
/// # Errors
/// When the store does not take it.
pub async fn batch(context: &Context) -> Result<Option<u64>, CoordinatorError> {
    let now = context.now();
    context
        .ledger
        .update(|state, update| {
            if state.batches.values().any(|batch| batch.state < BatchState::Delivered) {
                return Ok(None);
            }
            let chosen = choose(state, update, &context.batch, now);
            Ok(chosen.is_due(&context.batch, now).then(|| put(state, update, &chosen, now)))
        })
        .await
}

/// Operations for one batch.
#[derive(Default)]
struct Chosen<'state> {
    entries: Vec<&'state Entry>,
    bytes: usize,
    /// Keys they touch.
    keys: usize,
    /// Whether more would have fitted the tree, but not the batch.
    full: bool,
}

impl Chosen<'_> {
    fn is_due(&self, config: &BatchConfig, now: u64) -> bool {
        let oldest = self.entries.iter().map(|entry| entry.submitted_at).min();
        oldest.is_some_and(|oldest| self.full || now.saturating_sub(oldest) >= config.max_age_ms)
    }
}

/// What can be done with a waiting operation.
enum Verdict {
    Ready,
    /// An input is not in the tree yet.
    Waits,
    Never(Refusal),
}

fn choose<'state>(
    state: &'state State,
    update: &mut Update,
    config: &BatchConfig,
    now: u64,
) -> Chosen<'state> {
    let mut chosen = Chosen { bytes: COUNT_BYTES, ..Chosen::default() };
    let most = state.most_operations.unwrap_or(config.max_operations).min(config.max_operations);
    for entry in state.waiting() {
        match judge(state, entry, config) {
            Verdict::Waits => {}
            Verdict::Never(refusal) => reject(update, entry, &refusal, now),
            Verdict::Ready => {
                let bytes = chosen.bytes + entry.size - COUNT_BYTES;
                let keys = chosen.keys + entry.operation.key_count();
                if chosen.entries.len() == most || bytes > config.max_bytes || keys > config.max_keys {
                    chosen.full = true;
                    break;
                }
                (chosen.bytes, chosen.keys) = (bytes, keys);
                chosen.entries.push(entry);
            }
        }
    }
    chosen.full |= chosen.entries.len() == most;
    chosen
}

/// Claims keep the operations that wait free of conflicts among each other, so each is judged by the tree alone.
fn judge(state: &State, entry: &Entry, config: &BatchConfig) -> Verdict {
    let earliest = state.hub_time.saturating_add(config.deadline_margin_s);
    if let Some(deadline) = entry.operation.deadline().filter(|deadline| *deadline < earliest) {
        return Verdict::Never(OperationError::DeadlinePassed { deadline, timestamp: earliest }.into());
    }
    let created = entry.operation.created();
    if let Some(output) = created.iter().map(resource_id).find(|id| state.notes.get(id).is_some()) {
        return Verdict::Never(Refusal::OutputExists { output });
    }
    let mut verdict = Verdict::Ready;
    for input in entry.operation.input_ids() {
        match state.notes.get(&input) {
            Some(note) => {
                if let Some(origin) = note.spent {
                    return Verdict::Never(Refusal::InputSpent { input, by: origin.operation });
                }
            }
            None if state.promiser(&input).is_some() => verdict = Verdict::Waits,
            None => return Verdict::Never(Refusal::InputAbsent { input }),
        }
    }
    verdict
}

fn reject(update: &mut Update, entry: &Entry, refusal: &Refusal, now: u64) {
    let code = code_of(refusal).as_str();
    metrics::refused(code);
    tracing::info!(transfer = %entry.id, code, "rejected");
    let rejection = Rejection { code: code.to_owned(), detail: refusal.to_string() };
    update.progress(entry, ProgressRecord::rejected(rejection, now), None, now);
}

fn put(state: &State, update: &mut Update, chosen: &Chosen<'_>, now: u64) -> u64 {
    let index = state.head().index + 1;
    for entry in &chosen.entries {
        update.progress(entry, ProgressRecord::in_batch(Status::Batched, index), None, now);
    }
    metrics::batch(chosen.entries.len(), chosen.bytes);
    update.batch(BatchRecord {
        index,
        state: BatchState::Batched,
        members: chosen.entries.iter().map(|entry| entry.number).collect(),
        old_root: state.head().root,
        root: alloy::primitives::B256::ZERO,
        batch_chain: alloy::primitives::B256::ZERO,
        foreign: false,
        attempt: 0,
        batched_at: now,
        committed_at: None,
        delivered: None,
        final_at: None,
    });
    index
}
