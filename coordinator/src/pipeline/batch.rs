//! In: requests in the hub's queue, in its order; admitted operations, in order of admission. Out: a row that names the members
//! of the next batch. Sets `batched`, and `rejected` for operations that can never be batched any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy::primitives::B256;
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{Operation, OperationError, Resource, packed_length, resolve};
use hypha_protocol::status::Status;
use hypha_tree::{Key, Touch};

use super::timing::{Cause, Decision, Waiting, decide};
use crate::api::problem::code_of;
use crate::config::BatchConfig;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::metrics;
use crate::refusal::Refusal;
use crate::requests::RequestEntry;
use crate::state::{Entry, State};
use crate::store::{BatchRecord, BatchState, Class, ProgressRecord, Rejection, Update};

/// Bytes of a batch before its first operation: the count.
const COUNT_BYTES: usize = 2;
/// How many urgent operations go into a batch for each normal one, while both wait.
const URGENT_FOR_EACH_NORMAL: usize = 3;

/// Chooses the next batch, when it is time for one (`timing.rs`). Gives its index.
///
/// # Errors
/// When the store does not take it.
pub async fn batch(context: &Context) -> Result<Option<u64>, CoordinatorError> {
    let now = context.now();
    let (decision, made) = context
        .ledger
        .update(|state, update| {
            if is_busy(state, &context.batch) {
                return Ok::<_, CoordinatorError>((Decision::Wait(Cause::InFlight), None));
            }
            let mut chosen = Chosen::within(state, &context.batch);
            chosen.choose_requests(state);
            chosen.choose_operations(state, update, context.hub_id(), now);
            let decision = decide(&context.batch, &state.pace, chosen.waiting(now));
            let is_made = matches!(decision, Decision::Make(_));
            Ok((decision, is_made.then(|| (put(state, update, &chosen, now), chosen.urgent_in_a_row))))
        })
        .await?;
    if let Some((_, urgent)) = made {
        context.ledger.observe(|state| state.urgent_in_a_row = urgent);
    }
    let index = made.map(|(index, _)| index);
    tell(context, decision, index);
    Ok(index)
}

/// Whether as many batches as may be are on their way to the hub, or one is about to be.
fn is_busy(state: &State, config: &BatchConfig) -> bool {
    let under_way = || state.batches.values().filter(|batch| batch.state < BatchState::Delivered);
    under_way().any(|batch| batch.state == BatchState::Batched) || under_way().count() >= config.max_in_flight
}

/// Logs and counts a decision; one to wait only when the one before was another.
fn tell(context: &Context, decision: Decision, index: Option<u64>) {
    let before = context.ledger.state().last_decision;
    if decision == before && index.is_none() {
        return;
    }
    context.ledger.observe(|state| state.last_decision = decision);
    match decision {
        Decision::Make(cause) => {
            tracing::info!(index, cause = cause.as_str(), "a batch is made");
            metrics::batch_decision("made", cause.as_str());
        }
        Decision::Wait(cause) => {
            tracing::debug!(cause = cause.as_str(), "what could be in a batch waits");
            metrics::batch_decision("waited", cause.as_str());
        }
    }
}

/// What one batch carries.
struct Chosen<'state> {
    config: &'state BatchConfig,
    /// Most operations.
    most: usize,
    /// Requests, and what resolves each.
    requests: Vec<(&'state RequestEntry, Arc<Operation>)>,
    entries: Vec<&'state Entry>,
    bytes: usize,
    /// The keys that are touched: none is touched twice in one batch.
    touched: BTreeSet<Key>,
    /// Of the urgent class since the last normal one, those of the batches before included.
    urgent_in_a_row: usize,
    /// Whether more would have fitted the tree, but not the batch.
    full: bool,
}

/// What can be done with a waiting operation.
enum Verdict {
    Ready,
    /// An input is not in the tree yet, a request that touches the same note comes first, a reorg of the hub took back the
    /// registration of a chain, or could still take back why it can never come.
    Waits,
    Never(Refusal),
}

impl<'state> Chosen<'state> {
    fn within(state: &State, config: &'state BatchConfig) -> Self {
        Self {
            config,
            most: state.most_operations.unwrap_or(config.max_operations).min(config.max_operations),
            requests: Vec::new(),
            entries: Vec::new(),
            bytes: COUNT_BYTES,
            touched: BTreeSet::new(),
            urgent_in_a_row: state.urgent_in_a_row,
            full: false,
        }
    }

    /// What of this says when the batch is made.
    fn waiting(&self, now: u64) -> Waiting {
        let oldest = self.entries.iter().map(|entry| entry.submitted_at).min();
        Waiting {
            request: !self.requests.is_empty(),
            urgent: self.entries.iter().any(|entry| entry.class == Class::Urgent),
            full: self.full,
            operations: self.entries.len(),
            oldest_ms: oldest.map_or(0, |oldest| now.saturating_sub(oldest)),
        }
    }

    /// Whether an operation touches a key that is touched already.
    fn touches_again(&self, touches: &[Touch]) -> bool {
        touches.iter().any(|touch| self.touched.contains(&touch.key))
    }

    /// Takes up the room of an operation, if there is so much. The first always goes in: whatever a request says, it is resolved.
    fn take_room(&mut self, bytes: usize, touches: &[Touch]) -> bool {
        let count = self.requests.len() + self.entries.len();
        let (bytes, keys) = (self.bytes + bytes, self.touched.len() + touches.len());
        let fits = count < self.most && bytes <= self.config.max_bytes && keys <= self.config.max_keys;
        if count > 0 && !fits {
            self.full = true;
            return false;
        }
        self.bytes = bytes;
        self.touched.extend(touches.iter().map(|touch| touch.key));
        true
    }

    /// Requests strictly in the order of the queue, as far as one batch can carry them: voids stand before what is executed, and
    /// no key is touched twice.
    fn choose_requests(&mut self, state: &'state State) {
        let mut has_executed = false;
        for entry in state.requests.waiting() {
            let operation = resolve(state, &entry.request);
            let is_executed = matches!(operation, Operation::Queued(_));
            let touches = operation.touches();
            if (has_executed && !is_executed) || self.touches_again(&touches) {
                return;
            }
            // What was read from packed bytes packs.
            let bytes = packed_length(&operation).unwrap_or(0);
            if !self.take_room(bytes, &touches) {
                return;
            }
            has_executed |= is_executed;
            self.requests.push((entry, Arc::new(operation)));
        }
    }

    /// What waits: [`URGENT_FOR_EACH_NORMAL`] operations of the urgent class, then one of the normal one, while of both one can go
    /// in; counted on from batch to batch, so that neither waits for all of the other however small batches are.
    fn choose_operations(&mut self, state: &'state State, update: &mut Update, hub: u64, now: u64) {
        let is_settled = state.is_settled(hub);
        let [mut urgent, mut normal] = Class::ALL.map(|class| state.waiting_in(class));
        loop {
            let next = match self.urgent_in_a_row < URGENT_FOR_EACH_NORMAL {
                true => urgent.next().or_else(|| normal.next()),
                false => normal.next().or_else(|| urgent.next()),
            };
            let Some(entry) = next else { break };
            match judge(state, entry, self.config) {
                Verdict::Waits => {}
                Verdict::Never(refusal) => {
                    if is_for_ever(state, &refusal, is_settled) && !is_requested(state, entry) {
                        reject(update, entry, &refusal, now);
                    }
                }
                Verdict::Ready => {
                    let touches = entry.operation.touches();
                    if self.touches_again(&touches) {
                        continue;
                    }
                    if !self.take_room(entry.size - COUNT_BYTES, &touches) {
                        return;
                    }
                    self.urgent_in_a_row = match entry.class {
                        Class::Urgent => self.urgent_in_a_row + 1,
                        Class::Normal => 0,
                    };
                    self.entries.push(entry);
                }
            }
        }
        self.full |= self.requests.len() + self.entries.len() == self.most;
    }
}

/// Requests come first, so each operation that waits is judged by the tree alone. Claims keep those that were handed in free of conflicts
/// among each other, but not with one that came back because a reorg dropped somebody else's batch: of two the later one waits for the
/// next batch, where it is judged again.
fn judge(state: &State, entry: &Entry, config: &BatchConfig) -> Verdict {
    let earliest = state.hub_time.saturating_add(config.deadline_margin_s);
    if let Some(deadline) = entry.operation.deadline().filter(|deadline| *deadline < earliest) {
        return Verdict::Never(OperationError::DeadlinePassed { deadline, timestamp: earliest }.into());
    }
    let created = entry.operation.created();
    let (inputs, outputs) =
        (entry.operation.input_ids(), created.iter().map(resource_id).collect::<Vec<_>>());
    if let Some(output) = outputs.iter().find(|id| state.notes.get(id).is_some()) {
        return Verdict::Never(Refusal::OutputExists { output: *output });
    }
    let verdict = judge_inputs(state, &inputs);
    let comes_first = |id: &B256| state.requests.of_note(id).is_some();
    let is_known = |note: &Resource| u64::try_from(note.domainId).is_ok_and(|id| state.domains.contains(&id));
    match verdict {
        Verdict::Ready if inputs.iter().chain(&outputs).any(comes_first) => Verdict::Waits,
        Verdict::Ready if !created.iter().all(is_known) => Verdict::Waits,
        verdict => verdict,
    }
}

/// Whether no reorg can take back what a rejection would be for. The batch that spent an input may not be final, and what brought one into
/// being may come again after a reorg dropped it. A deadline stays over.
fn is_for_ever(state: &State, refusal: &Refusal, is_settled: bool) -> bool {
    let is_final = |index: u64| index <= state.final_index();
    match refusal {
        Refusal::InputSpent { input, .. } => {
            let spent = state.notes.get(input).and_then(|note| note.spent);
            spent.is_none_or(|origin| is_final(origin.index))
        }
        Refusal::OutputExists { output } => {
            state.notes.get(output).is_none_or(|note| is_final(note.created.index))
        }
        Refusal::InputAbsent { .. } => is_settled,
        _ => true,
    }
}

/// Whether a request for the same transfer is in the hub's queue, or was executed: when that is final, so is this
/// (`finalize.rs`). The two have one id, for the content is the same.
fn is_requested(state: &State, entry: &Entry) -> bool {
    let Some(input) = entry.operation.input_ids().first().copied() else { return false };
    let spent = state.notes.get(&input).and_then(|note| note.spent);
    spent.is_some_and(|origin| origin.operation == entry.id) || state.requests.asks_for(&entry.id, &input)
}

fn judge_inputs(state: &State, inputs: &[B256]) -> Verdict {
    let mut verdict = Verdict::Ready;
    for input in inputs.iter().copied() {
        match state.notes.get(&input) {
            Some(note) => {
                if let Some(origin) = note.spent {
                    return Verdict::Never(Refusal::InputSpent { input, by: origin.operation });
                }
            }
            None if state.is_promised(&input) => verdict = Verdict::Waits,
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
    let progress = || ProgressRecord::in_batch(Status::Batched, index);
    for (entry, operation) in &chosen.requests {
        update.move_request(entry.resolved(operation.clone(), progress()), None, now);
    }
    for entry in &chosen.entries {
        update.progress(entry, progress(), None, now);
    }
    metrics::batch(chosen.requests.len() + chosen.entries.len(), chosen.bytes);
    update.batch(BatchRecord {
        index,
        state: BatchState::Batched,
        requests: chosen.requests.iter().map(|(entry, _)| entry.name()).collect(),
        members: chosen.entries.iter().map(|entry| entry.number).collect(),
        old_root: state.head().root,
        root: B256::ZERO,
        batch_chain: B256::ZERO,
        foreign: false,
        attempt: 0,
        batched_at: now,
        committed_at: None,
        delivered: None,
        final_at: None,
    });
    index
}
