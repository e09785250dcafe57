//! In: an operation from a client. Out: a durable row in the journal. Sets `admitted`.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::Arc;

use alloy::primitives::B256;
use hypha_protocol::ids::resource_id;
use hypha_protocol::operations::{Operation, OperationError, check_operations, encode_operations};
use hypha_protocol::status::Status;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::context::Context;
use crate::mode::Mode;
use crate::refusal::Refusal;
use crate::state::State;
use crate::store::{Class, EventRecord, JournalRecord, LedgerError, ProgressRecord, Update, queries};

/// Operations that wait for the writer: as many as two writes take, so that a client never waits longer than for those.
const DESK_QUEUE: usize = 2 * GROUP;
/// Operations in one write: bounds how long a write and the memory change after it take.
const GROUP: usize = 256;
/// Signature checks at once where the system does not say how many processors there are.
const CHECKS_AT_ONCE: usize = 4;

/// An operation that is known now, newly or from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Content hash.
    pub id: B256,
    /// Its status now.
    pub status: Status,
}

/// A checked operation on its way to the writer.
pub struct Admission {
    id: B256,
    operation: Operation,
    packed: Vec<u8>,
    class: Class,
    reply: oneshot::Sender<Result<Admitted, Refusal>>,
}

/// Where operations are handed in.
pub struct Desk {
    writer: mpsc::Sender<Admission>,
    checks: Semaphore,
}

impl Desk {
    /// A desk, and what its writer reads from.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Admission>) {
        let (writer, admissions) = mpsc::channel(DESK_QUEUE);
        // One for each processor, each on a thread of its own: more would only fight for them.
        let checks = std::thread::available_parallelism().map_or(CHECKS_AT_ONCE, NonZero::get);
        (Self { writer, checks: Semaphore::new(checks) }, admissions)
    }
}

/// Admits an operation, once: the same again only gives its status, and stays in the class in which it came first.
///
/// # Errors
/// The first check that fails; the order is: known already, the operator's mode, room, form, rules and signatures, the tree, the
/// disk.
pub async fn admit(
    context: &Context,
    desk: &Desk,
    operation: Operation,
    class: Class,
) -> Result<Admitted, Refusal> {
    let id = operation.id();
    if let Some(status) = known(context, id).await? {
        return Ok(Admitted { id, status });
    }
    if context.mode.now().mode == Mode::Draining {
        return Err(Refusal::Draining);
    }
    let queued = context.ledger.state().queue_depth();
    if queued >= context.limits.queue {
        return Err(Refusal::QueueFull { queued });
    }
    let packed = check(context, desk, &operation).await?;
    let (reply, answer) = oneshot::channel();
    let admission = Admission { id, operation, packed, class, reply };
    desk.writer.try_send(admission).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Refusal::QueueFull { queued: DESK_QUEUE },
        mpsc::error::TrySendError::Closed(_) => Refusal::Ledger(LedgerError::ShuttingDown),
    })?;
    answer.await.unwrap_or(Err(Refusal::Ledger(LedgerError::ShuttingDown)))
}

async fn known(context: &Context, id: B256) -> Result<Option<Status>, LedgerError> {
    if let Some(entry) = context.ledger.state().entry_of(&id) {
        return Ok(Some(entry.progress.status));
    }
    let row = context.ledger.read(move |store| queries::progress(store, id)).await?;
    Ok(row.map(|progress| progress.status))
}

/// Every check that needs no tree. Gives the packed bytes.
async fn check(context: &Context, desk: &Desk, operation: &Operation) -> Result<Vec<u8>, Refusal> {
    let packed = encode_operations(std::slice::from_ref(operation))?;
    if packed.len() > context.batch.max_bytes {
        let (maximum, actual) = (context.batch.max_bytes, packed.len());
        return Err(OperationError::OperationsTooLong { maximum, actual }.into());
    }
    let deadline_floor = context.ledger.state().hub_time.saturating_add(context.batch.deadline_margin_s);
    let rules = context.hub_rules(deadline_floor);
    let _permit = desk.checks.acquire().await.map_err(|_| LedgerError::ShuttingDown)?;
    let checked = tokio::task::spawn_blocking(move || check_operations(&packed, &rules).map(|_| packed));
    Ok(checked.await.map_err(|_| LedgerError::ShuttingDown)??)
}

/// Writes admissions, many in one write, and answers each after it is durable. Ends when no desk is left.
pub(crate) async fn write_admissions(context: Arc<Context>, mut admissions: mpsc::Receiver<Admission>) {
    let mut group = Vec::with_capacity(GROUP);
    while admissions.recv_many(&mut group, GROUP).await > 0 {
        let (held, now) = (context.mode.hold().await, context.now());
        let is_draining = held.mode == Mode::Draining;
        let verdicts = context
            .ledger
            .update(|state, update| {
                let mut written = Group { is_draining, ..Group::default() };
                let limit = context.limits.queue;
                let verdict = |admission: &Admission| written.take(state, update, admission, limit, now);
                Ok::<_, LedgerError>(group.iter().map(verdict).collect::<Vec<_>>())
            })
            .await;
        answer(group.drain(..), verdicts);
    }
}

fn answer(
    group: impl Iterator<Item = Admission>,
    verdicts: Result<Vec<Result<Admitted, Refusal>>, LedgerError>,
) {
    match verdicts {
        // A client that has gone does not read its answer; the row is there when it asks again.
        Ok(verdicts) => group.zip(verdicts).for_each(|(admission, verdict)| {
            admission.reply.send(verdict).ok();
        }),
        Err(error) => {
            tracing::error!(%error, "admissions not written");
            group.for_each(|admission| {
                admission.reply.send(Err(error.again().into())).ok();
            });
        }
    }
}

/// What the operations of one write claim and promise, before memory knows them.
#[derive(Default)]
struct Group {
    /// Nothing new is taken in. Checked again here, so that nothing is on its way in once a drain was answered.
    is_draining: bool,
    ids: BTreeSet<B256>,
    claims: HashMap<B256, B256>,
    promised: BTreeSet<B256>,
}

impl Group {
    fn take(
        &mut self,
        state: &State,
        update: &mut Update,
        admission: &Admission,
        limit: usize,
        now: u64,
    ) -> Result<Admitted, Refusal> {
        let id = admission.id;
        if let Some(entry) = state.entry_of(&id) {
            return Ok(Admitted { id, status: entry.progress.status });
        }
        if self.ids.contains(&id) {
            return Ok(Admitted { id, status: Status::Admitted });
        }
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        let queued = state.queue_depth() + self.ids.len();
        if queued >= limit {
            return Err(Refusal::QueueFull { queued });
        }
        self.check_inputs(state, &admission.operation)?;
        self.check_outputs(state, &admission.operation)?;
        self.remember(id, &admission.operation);
        let operation = admission.packed.clone().into();
        let record = JournalRecord { id, operation, submitted_at: now, class: admission.class };
        update.admit(&record, Arc::new(admission.operation.clone()), ProgressRecord::admitted());
        update.event(EventRecord::of(id, None, Status::Admitted.as_str(), now));
        Ok(Admitted { id, status: Status::Admitted })
    }

    fn check_inputs(&self, state: &State, operation: &Operation) -> Result<(), Refusal> {
        let inputs = operation.input_ids();
        let mut seen = BTreeSet::new();
        if let Some(input) = inputs.iter().copied().find(|input| !seen.insert(*input)) {
            return Err(Refusal::InputRepeated { input });
        }
        for input in inputs {
            let note = state.notes.get(&input);
            if let Some(origin) = note.and_then(|note| note.spent) {
                return Err(Refusal::InputSpent { input, by: origin.operation });
            }
            if let Some(by) = state.claimed_by(&input).or_else(|| self.claims.get(&input).copied()) {
                return Err(Refusal::InputClaimed { input, by });
            }
            if note.is_none() && !state.is_promised(&input) && !self.promised.contains(&input) {
                return Err(Refusal::InputAbsent { input });
            }
        }
        Ok(())
    }

    fn check_outputs(&self, state: &State, operation: &Operation) -> Result<(), Refusal> {
        for resource in operation.created() {
            let output = resource_id(&resource);
            let exists = state.notes.get(&output).is_some() || state.is_promised(&output);
            if exists || self.promised.contains(&output) {
                return Err(Refusal::OutputExists { output });
            }
        }
        Ok(())
    }

    fn remember(&mut self, id: B256, operation: &Operation) {
        self.ids.insert(id);
        self.claims.extend(operation.input_ids().into_iter().map(|input| (input, id)));
        self.promised.extend(operation.created().iter().map(resource_id));
    }
}
