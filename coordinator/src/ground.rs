//! What the next batch builds on: the head of the tree, as its notes tell it.

use alloy::primitives::{B256, U256};
use hypha_protocol::contracts::Resource;
use hypha_protocol::operations::Ground;

use crate::state::State;

impl Ground for State {
    fn has_note(&self, _: &Resource, id: B256) -> bool {
        self.notes.get(&id).is_some()
    }

    fn is_spent(&self, id: B256) -> bool {
        self.notes.get(&id).is_some_and(|note| note.spent.is_some())
    }

    fn is_domain(&self, domain_id: U256) -> bool {
        u64::try_from(domain_id).is_ok_and(|id| self.domains.contains(&id))
    }
}
