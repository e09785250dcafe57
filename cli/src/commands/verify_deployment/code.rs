//! Address and code of a contract.

use alloy::primitives::keccak256;
use hypha_chain::BlockTag;

use super::checks::Checks;
use crate::deploy::blueprint::Part;
use crate::deploy::record::Recorded;
use crate::exit::CliError;
use crate::reader::{Reader, failure};

/// What a contract's code must be in words.
const AS_COMPILED: &str = "as compiled";

/// The address is the hash of the compiled code and the planned arguments, so that the constructor ran as planned; what stands there
/// is the compiled code, and still, to the last byte, what stood there when it was deployed.
pub(super) async fn check(
    checks: &mut Checks,
    reader: &Reader,
    part: &Part<'_>,
    recorded: &Recorded,
) -> Result<(), CliError> {
    checks.same("address", part.address, recorded.address);
    checks.same("arguments", &part.arguments, &recorded.arguments);
    let chain = reader.chain();
    let code = chain.code(recorded.address, BlockTag::Latest).await;
    let code = code.map_err(|error| failure(chain.id(), error))?;
    let verdict = part.artifact.compare(&code).err().unwrap_or_else(|| AS_COMPILED.to_owned());
    checks.same("code", AS_COMPILED.to_owned(), verdict);
    checks.same("code hash", recorded.code_hash, keccak256(&code));
    Ok(())
}
