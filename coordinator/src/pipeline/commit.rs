//! In: a batch whose members are chosen. Out: its bytes, the next version of the tree and the intention to send it, in one
//! write. Sets `committed`.

use std::sync::Arc;

use alloy::primitives::{B256, Bytes};
use alloy::sol_types::SolCall;
use hypha_chain::submit::Submitter;
use hypha_protocol::batch::{BatchError, build_witness, verify_batch};
use hypha_protocol::contracts::IRootHub;
use hypha_protocol::operations::{Operation, OperationError, RequestError, Rules, encode_operations};
use hypha_protocol::status::Status;

use super::rollback::withdraw;
use super::weight::{gas_bound, is_too_heavy};
use crate::blocking::blocking;
use crate::config::BatchConfig;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::state::{State, Version};
use crate::store::{BatchBody, BatchRecord, BatchState, Extension, ProgressRecord, Update};

/// A batch whose members are chosen.
struct Chosen {
    batch: BatchRecord,
    operations: Vec<Arc<Operation>>,
    head: Version,
}

/// What it is then.
struct Built {
    batch: BatchRecord,
    body: BatchBody,
    calldata: Bytes,
    extension: Extension,
    /// Gas that its transaction does not exceed.
    gas: u64,
    too_heavy: bool,
}

/// Commits the batch that is chosen, if one is. Gives its index.
///
/// # Errors
/// [`CoordinatorError::OwnBatch`] when it fails the hub's own checks: nothing is written then. Otherwise when the store does
/// not take it.
pub async fn commit(context: &Context, submitter: &Submitter) -> Result<Option<u64>, CoordinatorError> {
    let Some(chosen) = chosen(&context.ledger.state()) else { return Ok(None) };
    let (index, count) = (chosen.batch.index, chosen.operations.len());
    let rules = context.hub_rules(context.ledger.state().hub_time);
    let (config, now) = (context.batch.clone(), context.now());
    match blocking(move || build(chosen, &rules, &config, now)).await? {
        Ok(built) if built.too_heavy && count > 1 => {
            shrink(context, submitter, index, count).await?;
            Ok(None)
        }
        Ok(built) => {
            write(context, submitter, built).await?;
            Ok(Some(index))
        }
        // A deadline went by, or a chain was registered, since the members were chosen: choose again.
        Err(BatchError::Operation(
            OperationError::DeadlinePassed { .. }
            | OperationError::UnknownDomain { .. }
            | OperationError::Request(RequestError::KnownDomain { .. }),
        )) => {
            withdraw(context, submitter, index).await?;
            Ok(None)
        }
        Err(error) => Err(CoordinatorError::OwnBatch { index, error }),
    }
}

/// Takes back a batch that is too large for a transaction; the next ones have at most half as many operations, and each one
/// that is delivered doubles that again.
pub(super) async fn shrink(
    context: &Context,
    submitter: &Submitter,
    index: u64,
    operations: usize,
) -> Result<(), CoordinatorError> {
    tracing::warn!(index, operations, "too large for a transaction: halved");
    context.ledger.observe(|state| state.most_operations = Some((operations / 2).max(1)));
    withdraw(context, submitter, index).await?;
    Ok(())
}

fn chosen(state: &State) -> Option<Chosen> {
    let batch = state.batches.values().find(|batch| batch.state == BatchState::Batched)?;
    let operations = state.operations_of(batch);
    Some(Chosen { batch: batch.clone(), operations, head: state.head().clone() })
}

/// The batch's bytes and the tree after it, verified as the hub will.
fn build(chosen: Chosen, rules: &Rules, config: &BatchConfig, now: u64) -> Result<Built, BatchError> {
    let Chosen { batch, operations, head } = chosen;
    let members: Vec<Operation> = operations.iter().map(|operation| operation.as_ref().clone()).collect();
    // What was packed once, alone, is packed again: only too many or none could fail, which the checks below name.
    let packed = encode_operations(&members).unwrap_or_default();
    let touches: Vec<_> = members.iter().flat_map(Operation::touches).collect();
    let witness = build_witness(&head.tree, &touches);
    let version = head.next(&touches, &packed);
    verify_batch(head.tree.root(), &packed, &witness, version.tree.root(), rules)?;
    let batch = BatchRecord {
        state: BatchState::Committed,
        root: version.root,
        batch_chain: version.batch_chain,
        committed_at: Some(now),
        ..batch
    };
    let body = BatchBody { operations: packed.into(), witness: witness.into() };
    let calldata = calldata(&batch, &body);
    let gas = gas_bound(&calldata, &body, &members);
    let too_heavy = is_too_heavy(config, &calldata, gas);
    Ok(Built { batch, body, calldata, extension: Extension { version, operations }, gas, too_heavy })
}

async fn write(context: &Context, submitter: &Submitter, built: Built) -> Result<(), CoordinatorError> {
    let Built { batch, body, calldata, extension, gas, .. } = built;
    let (now, hub) = (context.now(), context.hub.config.verifier);
    let intent = submitter.following_intent(&intent_id(&batch), hub, calldata, gas);
    tracing::info!(index = batch.index, operations = batch.operation_count(), root = %batch.root, "committed");
    context
        .ledger
        .update(|state, update| {
            move_members(state, update, &batch, Status::Committed, None, now);
            update.extend(&body, extension);
            update.batch(batch);
            update.also(intent);
            Ok(())
        })
        .await
}

/// Gives everything that a batch carries a status.
pub(super) fn move_members(
    state: &State,
    update: &mut Update,
    batch: &BatchRecord,
    status: Status,
    chain_id: Option<u64>,
    now: u64,
) {
    let progress = || ProgressRecord::in_batch(status, batch.index);
    for entry in state.requests_of(batch) {
        update.move_request(entry.at(progress()), chain_id, now);
    }
    for entry in state.members_of(batch) {
        update.progress(entry, progress(), chain_id, now);
    }
}

/// The call that takes a batch to the hub.
pub(super) fn calldata(batch: &BatchRecord, body: &BatchBody) -> Bytes {
    let call = IRootHub::applyBatchCall {
        batchIndex: batch.index,
        operations: body.operations.clone(),
        witness: body.witness.clone(),
        newRoot: batch.root,
    };
    call.abi_encode().into()
}

/// The name of a batch's transaction: two batches that ever had the same index, and two attempts at one, differ.
pub(crate) fn intent_id(batch: &BatchRecord) -> String {
    let chain: B256 = batch.batch_chain;
    format!("batch/{:020}/{chain}/{:010}", batch.index, batch.attempt)
}
