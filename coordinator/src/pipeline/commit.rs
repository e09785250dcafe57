//! In: a batch whose members are chosen. Out: its bytes, the next version of the tree and the intention to send it, in one
//! write. Sets `committed`.

use std::sync::Arc;

use alloy::primitives::{B256, Bytes};
use alloy::sol_types::SolCall;
use hypha_chain::submit::Submitter;
use hypha_protocol::batch::{BatchError, build_witness, verify_batch};
use hypha_protocol::contracts::IRootHub;
use hypha_protocol::operations::{Operation, OperationError, Rules, encode_operations};
use hypha_protocol::status::Status;

use super::rollback::withdraw;
use crate::blocking::blocking;
use crate::context::Context;
use crate::error::CoordinatorError;
use crate::state::{State, Version};
use crate::store::{BatchBody, BatchRecord, BatchState, Extension, ProgressRecord, Update};

/// Commits the batch that is chosen, if one is. Gives its index.
///
/// # Errors
/// [`CoordinatorError::OwnBatch`] when it fails the hub's own checks: nothing is written then. Otherwise when the store does
/// not take it.
pub async fn commit(context: &Context, submitter: &Submitter) -> Result<Option<u64>, CoordinatorError> {
    let Some((batch, operations, head)) = chosen(&context.ledger.state()) else { return Ok(None) };
    let index = batch.index;
    let rules = context.hub_rules(context.ledger.state().hub_time);
    let members = operations.clone();
    match blocking(move || build(&head, &members, &rules)).await? {
        Ok((body, _)) if operations.len() > 1 && weight(&body) > context.batch.max_calldata_bytes => {
            shrink(context, index, operations.len()).await?;
            Ok(None)
        }
        Ok((body, version)) => {
            write(context, submitter, batch, body, Extension { version, operations }).await?;
            Ok(Some(index))
        }
        // A deadline went by since the members were chosen: choose again.
        Err(BatchError::Operation(OperationError::DeadlinePassed { .. })) => {
            withdraw(context, index).await?;
            Ok(None)
        }
        Err(error) => Err(CoordinatorError::OwnBatch { index, error }),
    }
}

/// Bytes of a batch's calldata, but for the few of its head.
fn weight(body: &BatchBody) -> usize {
    body.operations.len() + body.witness.len()
}

/// Takes back a batch that is too large for a transaction; the next ones have at most half as many operations, and each one
/// that is delivered doubles that again.
pub(super) async fn shrink(context: &Context, index: u64, operations: usize) -> Result<(), CoordinatorError> {
    tracing::warn!(index, operations, "too large for a transaction: halved");
    context.ledger.observe(|state| state.most_operations = Some((operations / 2).max(1)));
    withdraw(context, index).await?;
    Ok(())
}

fn chosen(state: &State) -> Option<(BatchRecord, Vec<Arc<Operation>>, Version)> {
    let batch = state.batches.values().find(|batch| batch.state == BatchState::Batched)?;
    let operation = |number| state.entries.get(number).map(|entry| entry.operation.clone());
    Some((batch.clone(), batch.members.iter().filter_map(operation).collect(), state.head().clone()))
}

/// The batch's bytes and the tree after it, verified as the hub will.
fn build(
    head: &Version,
    members: &[Arc<Operation>],
    rules: &Rules,
) -> Result<(BatchBody, Version), BatchError> {
    let members: Vec<Operation> = members.iter().map(|operation| operation.as_ref().clone()).collect();
    // What was packed once, alone, is packed again: only too many or none could fail, which the checks below name.
    let operations = encode_operations(&members).unwrap_or_default();
    let touches: Vec<_> = members.iter().flat_map(Operation::touches).collect();
    let witness = build_witness(&head.tree, &touches);
    let version = head.next(&touches, &operations);
    verify_batch(head.tree.root(), &operations, &witness, version.tree.root(), rules)?;
    Ok((BatchBody { operations: operations.into(), witness: witness.into() }, version))
}

async fn write(
    context: &Context,
    submitter: &Submitter,
    batch: BatchRecord,
    body: BatchBody,
    extension: Extension,
) -> Result<(), CoordinatorError> {
    let now = context.now();
    let batch = BatchRecord {
        state: BatchState::Committed,
        root: extension.version.root,
        batch_chain: extension.version.batch_chain,
        committed_at: Some(now),
        ..batch
    };
    let intent = submitter.intent(&intent_id(&batch), context.hub.config.verifier, calldata(&batch, &body));
    tracing::info!(index = batch.index, operations = batch.members.len(), root = %batch.root, "committed");
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

/// Gives every member of a batch a status.
pub(super) fn move_members(
    state: &State,
    update: &mut Update,
    batch: &BatchRecord,
    status: Status,
    chain_id: Option<u64>,
    now: u64,
) {
    for entry in batch.members.iter().filter_map(|number| state.entries.get(number)) {
        update.progress(entry, ProgressRecord::in_batch(status, batch.index), chain_id, now);
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
pub(super) fn intent_id(batch: &BatchRecord) -> String {
    let chain: B256 = batch.batch_chain;
    format!("batch/{:020}/{chain}/{:010}", batch.index, batch.attempt)
}
