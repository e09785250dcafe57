//! What happened to a hub or a spoke since it was born, as its logs say: what was changed and changed back leaves no other trace.

use std::collections::BTreeSet;

use alloy::primitives::Address;
use hypha_chain::Log;
use hypha_protocol::contracts::{IRootHub, IRootSpoke, IRootVerifier};

use super::checks::{Checks, listed};
use super::governance::IOwnable2Step;
use crate::exit::CliError;
use crate::history::{each_log, event};
use crate::reader::Reader;

/// All that the logs say.
#[derive(Default)]
pub(super) struct Past {
    /// Who may apply batches at any time.
    pub(super) sequencers: BTreeSet<Address>,
    is_born: bool,
    fact_verifiers: usize,
    brakes: BTreeSet<&'static str>,
}

impl Past {
    /// Reads the logs from a block on.
    pub(super) async fn read(reader: &Reader, from: u64) -> Result<Self, CliError> {
        let mut past = Self::default();
        each_log(reader, from, |log| past.take(log)).await?;
        Ok(past)
    }

    fn take(&mut self, log: &Log) -> Result<(), CliError> {
        if let Some(set) = event::<IRootHub::SequencerSet>(log)? {
            if set.allowed {
                self.sequencers.insert(set.sequencer);
            } else {
                self.sequencers.remove(&set.sequencer);
            }
        }
        // Only a constructor takes the ownership from nobody.
        self.is_born |= event::<IOwnable2Step::OwnershipTransferred>(log)?
            .is_some_and(|transferred| transferred.previousOwner.is_zero());
        self.fact_verifiers += usize::from(event::<IRootVerifier::FactVerifierSet>(log)?.is_some());
        let brakes = [
            ("frozen", event::<IRootSpoke::FrozenAt>(log)?.is_some()),
            ("withdrawn", event::<IRootSpoke::RootsWithdrawn>(log)?.is_some()),
            ("restored", event::<IRootSpoke::RootRestored>(log)?.is_some()),
            ("thawed", event::<IRootSpoke::Thawed>(log)?.is_some()),
        ];
        self.brakes.extend(brakes.into_iter().filter_map(|(word, happened)| happened.then_some(word)));
        Ok(())
    }

    /// That all of its life was read, and that nothing in it could have planted a root or a request.
    pub(super) fn check(&self, checks: &mut Checks) {
        check_birth(checks, self.is_born);
        checks.same("fact verifiers so far", 1, self.fact_verifiers);
        checks.same("freezes and thaws", listed::<&str>([]), listed(self.brakes.iter().copied()));
    }
}

/// That a contract's first logs are among those that were read: what came before the recorded block was not seen.
pub(super) fn check_birth(checks: &mut Checks, is_born: bool) {
    let word = |is_born| if is_born { "in the logs" } else { "before the recorded block" };
    checks.same("birth", word(true), word(is_born));
}
