//! What the devnet tells: tables for people, the same as data for programs.

use serde::Serialize;

use crate::follow::timeline;
use crate::forms::{OperationView, Stage};
use crate::output::{Table, print};

/// The outcome of the demonstration, as `--json` writes it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// The chains at the end, hub first.
    pub(super) chains: Vec<ChainReport>,
    /// What was done.
    pub(super) transfers: Vec<TransferReport>,
    /// What was tried and refused.
    pub(super) refused: Vec<Refused>,
    /// What was asked of the chains' contracts.
    pub(super) checks: Vec<Check>,
}

/// One chain at the end.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChainReport {
    /// Its chain id.
    pub(super) chain_id: String,
    /// `hub` or `spoke`.
    pub(super) role: hypha_chain::Role,
    /// Its node.
    pub(super) rpc: String,
    /// The hub or spoke contract.
    pub(super) verifier: String,
    /// The number of the root that it holds.
    pub(super) index: String,
    /// That root.
    pub(super) root: String,
}

/// One operation.
#[derive(Debug, Serialize)]
pub(super) struct TransferReport {
    /// What it was meant to do.
    pub(super) what: String,
    /// Its id.
    pub(super) id: String,
    /// Its status word at the end.
    pub(super) status: String,
    /// What happened to it.
    pub(super) stages: Vec<Stage>,
}

/// One operation that the service refused, as it should.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    /// What was tried.
    pub(super) what: String,
    /// The code of the refusal.
    pub(super) code: String,
}

/// One question to a contract, which gave the answer that it should.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    /// The chain that was asked.
    pub(super) chain_id: String,
    /// What was asked.
    pub(super) what: String,
    /// `verifyProof` or `verifyAbsence`.
    pub(super) call: &'static str,
}

impl Report {
    /// Notes an operation that came to its end, and prints its timeline.
    pub(super) fn finished(&mut self, what: &str, view: OperationView) {
        print(format!("\n{what}\n{} {}\n{}\n", view.id, view.status, indent(&timeline(&view))));
        let OperationView { id, status, stages, .. } = view;
        self.transfers.push(TransferReport { what: what.to_owned(), id, status, stages });
    }

    /// Why the demonstration did not come out as it should; `None` when it did.
    pub(super) fn flaw(&self) -> Option<String> {
        let unfinished = self.transfers.iter().find(|transfer| transfer.status != "finalized");
        let apart = self
            .chains
            .windows(2)
            .any(|pair| (&pair[0].root, &pair[0].index) != (&pair[1].root, &pair[1].index));
        if let Some(transfer) = unfinished {
            Some(format!("{} is {}", transfer.id, transfer.status))
        } else if self.transfers.is_empty() || self.chains.is_empty() {
            Some("nothing was done".to_owned())
        } else if apart {
            Some("the chains hold different roots".to_owned())
        } else if self.refused.is_empty() {
            Some("the double spend was not refused".to_owned())
        } else {
            None
        }
    }

    /// The chains side by side.
    pub(super) fn chains(&self) -> Table {
        let mut table = Table::new(&["CHAIN", "ROLE", "INDEX", "ROOT"]);
        for chain in &self.chains {
            let role = if chain.role == hypha_chain::Role::Hub { "hub" } else { "spoke" };
            table.row([&chain.chain_id, role, &chain.index, &chain.root]);
        }
        table
    }
}

/// The lines of a table, set in by two blanks.
pub(super) fn indent(table: &Table) -> String {
    table.lines().iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(root: &str) -> ChainReport {
        ChainReport {
            chain_id: "1".into(),
            role: hypha_chain::Role::Spoke,
            rpc: String::new(),
            verifier: String::new(),
            index: "1".into(),
            root: root.into(),
        }
    }

    fn good() -> Report {
        let view = |status: &str| TransferReport {
            what: "x".into(),
            id: "0x1".into(),
            status: status.into(),
            stages: vec![],
        };
        Report {
            chains: vec![chain("a"), chain("a")],
            transfers: vec![view("finalized")],
            refused: vec![Refused { what: "x".into(), code: "input_spent".into() }],
            checks: vec![],
        }
    }

    #[test]
    fn each_flaw_is_seen() {
        assert_eq!(good().flaw(), None);
        let edits: [fn(&mut Report); 5] = [
            |report| report.chains.push(chain("b")),
            |report| report.chains.clear(),
            |report| report.transfers.clear(),
            |report| report.transfers[0].status = "delivered".into(),
            |report| report.refused.clear(),
        ];
        for edit in edits {
            let mut report = good();
            edit(&mut report);
            assert!(report.flaw().is_some(), "{report:?}");
        }
    }

    #[test]
    fn the_data_has_the_documented_fields() {
        let data = serde_json::to_value(good()).unwrap();
        assert_eq!(data["chains"][0]["chainId"], "1");
        assert_eq!(data["chains"][0]["role"], "spoke");
        assert_eq!(data["refused"][0]["code"], "input_spent");
        assert!(data["transfers"][0]["stages"].is_array());
    }
}
