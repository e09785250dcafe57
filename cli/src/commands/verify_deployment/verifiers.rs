//! The settings of fact verifier, hub and spokes.

use alloy::primitives::{Address, U256};
use hypha_protocol::contracts::{
    IAttestedFacts, IPausable, IRequestQueue, IRootHub, IRootSpoke, IRootVerifier,
};

use super::Ground;
use super::checks::{Checks, NO_ANSWER, ask, listed};
use super::governance::check_owner;
use super::past::Past;
use crate::deploy::record::Recorded;
use crate::exit::CliError;
use crate::reader::Reader;

/// Number of the set of attestors that a fact verifier is born with.
const FIRST_SET: u64 = 1;

/// The owner, and the one set of attestors.
pub(super) async fn check_facts(
    checks: &mut Checks,
    reader: &Reader,
    ground: &Ground<'_>,
) -> Result<(), CliError> {
    check_owner(checks, reader, ground.blueprint.owner).await?;
    checks.answer(reader, "set of attestors", IAttestedFacts::currentSetIdCall {}, FIRST_SET).await?;
    let plan = ground.plan;
    match ask(reader, IAttestedFacts::attestorsOfCall { setId: FIRST_SET }).await? {
        None => checks.written_alike("attestors", listed(&plan.attestors), NO_ANSWER),
        Some(set) => {
            checks.same("attestors", listed(&plan.attestors), listed(&set.attestors));
            checks.same("threshold", plan.threshold, set.threshold);
            checks.same("expiry", plan.attestors_expire_at, set.expiresAt);
        }
    }
    Ok(())
}

/// What the hub alone has, and what it has in common with spokes.
pub(super) async fn check_hub(
    checks: &mut Checks,
    reader: &Reader,
    ground: &Ground<'_>,
    recorded: &Recorded,
) -> Result<(), CliError> {
    let plan = ground.plan;
    let past = check_verifier(checks, reader, ground, recorded).await?;
    checks.answer(reader, "registrar", IRootHub::registrarCall {}, Address::ZERO).await?;
    let window = IRootHub::livenessWindowCall {};
    checks.answer(reader, "liveness window", window, plan.liveness_window_s).await?;
    let window = IRootHub::inclusionWindowCall {};
    checks.answer(reader, "inclusion window", window, plan.inclusion_window_s).await?;
    checks.same("sequencers", listed(&plan.sequencers), listed(&past.sequencers));
    check_spokes(checks, reader, ground).await
}

/// The hub knows the planned spokes and no others.
async fn check_spokes(checks: &mut Checks, reader: &Reader, ground: &Ground<'_>) -> Result<(), CliError> {
    let planned = listed(ground.plan.spokes.iter().map(|spoke| U256::from(spoke.chain_id)));
    let known = ask(reader, IRootHub::spokeChainsCall {}).await?;
    checks.same("spokes", planned, known.map_or_else(|| NO_ANSWER.to_owned(), listed));
    for spoke in &ground.blueprint.spokes {
        let question = IRootHub::spokeOfCall { chainId: U256::from(spoke.planned.chain_id) };
        checks.answer(reader, "registered spoke", question, spoke.verifier.address).await?;
    }
    Ok(())
}

/// What a spoke alone has, and what it has in common with the hub.
pub(super) async fn check_spoke(
    checks: &mut Checks,
    reader: &Reader,
    ground: &Ground<'_>,
    recorded: &Recorded,
) -> Result<(), CliError> {
    check_verifier(checks, reader, ground, recorded).await?;
    checks.answer(reader, "frozen from", IRootSpoke::frozenAtCall {}, u64::MAX).await?;
    checks.answer(reader, "attested", IRootSpoke::attestedCall {}, ground.site.planned.attested).await
}

async fn check_verifier(
    checks: &mut Checks,
    reader: &Reader,
    ground: &Ground<'_>,
    recorded: &Recorded,
) -> Result<Past, CliError> {
    let (plan, site, hub) = (ground.plan, ground.site, &ground.blueprint.hub);
    check_owner(checks, reader, ground.blueprint.owner).await?;
    checks.answer(reader, "hub chain", IRootVerifier::hubChainIdCall {}, plan.hub.chain_id).await?;
    checks.answer(reader, "hub", IRootVerifier::hubCall {}, hub.verifier.address).await?;
    checks.answer(reader, "fact verifier", IRootVerifier::factVerifierCall {}, site.facts.address).await?;
    let pauser = plan.pauser.unwrap_or_default();
    checks.answer(reader, "pauser", IPausable::pauserCall {}, pauser).await?;
    checks.answer(reader, "pause armed", IPausable::pauseArmedCall {}, !pauser.is_zero()).await?;
    checks.answer(reader, "paused until", IPausable::pausedUntilCall {}, 0).await?;
    checks.answer(reader, "pause", IPausable::pauseSecondsCall {}, plan.pause_seconds).await?;
    checks.answer(reader, "request fee", IRequestQueue::requestFeeCall {}, plan.request_fee_wei).await?;
    let most = IRequestQueue::maxRequestFeeCall {};
    checks.answer(reader, "greatest request fee", most, plan.max_request_fee_wei).await?;
    let past = Past::read(reader, recorded.block).await?;
    past.check(checks);
    Ok(past)
}
