//! `hypha escape prove`: a proof from the hub's logs alone, in the form in which a contract wants it.

use std::path::PathBuf;

use alloy::primitives::{B256, Bytes};
use alloy::sol_types::SolCall;
use clap::Args;
use hypha_protocol::contracts::{IRootVerifier, Resource};
use hypha_protocol::ids::{
    nullifier_key, nullifier_of_id, resource_id, resource_key, resource_value, void_key,
};
use hypha_protocol::json::ResourceJson;
use hypha_protocol::tree::Key;
use serde::Serialize;

use super::super::prove::check;
use crate::deployment::{Deployed, Deployment};
use crate::exit::CliError;
use crate::forms::ProofView;
use crate::history::History;
use crate::output::{print, progress};
use crate::settings::{Common, Settings};

/// What every marker in the tree holds: a spent note's nullifier, and the key of a void request.
const MARK: &[u8] = b"1";

/// What the vaults of `contracts/examples` take.
mod vault {
    use hypha_protocol::contracts::Resource;

    alloy::sol! {
        struct Note {
            uint256 domainId;
            address owner;
            bytes32 kind;
            uint256 quantity;
            bytes32 data;
            bytes32 salt;
        }

        function withdraw(Note note, bytes32 root, bytes proof);
        function refund(uint64 number, bytes32 root, bytes proof);
    }

    impl From<&Resource> for Note {
        fn from(note: &Resource) -> Self {
            let Resource { domainId, owner, kind, quantity, data, salt } = note.clone();
            Self { domainId, owner, kind, quantity, data, salt }
        }
    }
}

/// Prove a note or a void request from the hub's logs, at the root that a chain holds now
///
/// Gives the proof as `hypha prove` does, with the note and the calldata for a vault: `withdraw(note, root, proof)` for a note,
/// `refund(number, root, proof)` for a void request. `cast send VAULT CALLDATA` sends it; anyone may.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha escape prove --note 0x… --chain 31339 --out proof.json
  hypha escape prove --void 31338/7 --chain 31338
  hypha escape prove --spent 0x… --chain 31338")]
pub(super) struct ProveArgs {
    /// Id of a note: that it was created
    #[arg(long, value_name = "ID", required_unless_present_any = ["void", "spent"], conflicts_with_all = ["void", "spent"])]
    note: Option<B256>,
    /// Chain and number of a request: whether it was void
    #[arg(long, value_name = "CHAIN/NUMBER", value_parser = request_name, conflicts_with = "spent")]
    void: Option<(u64, u64)>,
    /// Id of a note: whether it is spent
    #[arg(long, value_name = "ID")]
    spent: Option<B256>,
    /// At the root that this chain holds now
    #[arg(long, value_name = "CHAIN")]
    chain: u64,
    /// File to keep the proof in; otherwise it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// A proof, and what a contract wants with it.
#[derive(Debug, Serialize)]
struct Evidence {
    #[serde(flatten)]
    proof: ProofView,
    /// The note whose existence is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<ResourceJson>,
    /// A vault's `withdraw` or `refund` with this proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    calldata: Option<Bytes>,
}

/// Makes the proof, and prints or keeps it.
pub(super) async fn run(args: &ProveArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let deployment = Deployment::of(&settings)?;
    let place = deployment.chain(args.chain)?;
    let index = place.reader(&settings).await?.ask(IRootVerifier::indexCall {}).await?;
    let mut note = None;
    let hub = deployment.hub();
    let history = History::read(hub, &hub.reader(&settings).await?, Some(index), &mut |step| {
        let wanted = |one: &&Resource| args.note == Some(resource_id(one));
        note = note.take().or_else(|| step.operations.created().iter().find(wanted).cloned());
    })
    .await?;
    let evidence = args.evidence(place, &history, note)?;
    check(&evidence.proof)?;
    let text = serde_json::to_string_pretty(&evidence).map_err(|error| CliError::Failed(error.into()))?;
    let Some(path) = &args.out else {
        print(text);
        return Ok(());
    };
    std::fs::write(path, text + "\n")
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    let word = if evidence.proof.present { "present" } else { "absent" };
    progress(format!("{} is {word} at index {index}: {}", evidence.proof.key, path.display()));
    if settings.json {
        let (root, present) = (evidence.proof.root, evidence.proof.present);
        print(
            serde_json::json!({ "file": path, "present": present, "index": index.to_string(), "root": root }),
        );
    }
    Ok(())
}

impl ProveArgs {
    fn evidence(
        &self,
        place: &Deployed,
        history: &History,
        note: Option<Resource>,
    ) -> Result<Evidence, CliError> {
        let (key, value) = self.subject(history, note.as_ref())?;
        let proof = prove(place, history, key, value);
        let calldata = match (&note, self.void) {
            (Some(note), _) => Some(
                vault::withdrawCall { note: note.into(), root: proof.root, proof: proof.proof.clone() }
                    .abi_encode(),
            ),
            (None, Some((_, number))) if proof.present => {
                Some(vault::refundCall { number, root: proof.root, proof: proof.proof.clone() }.abi_encode())
            }
            _ => None,
        };
        Ok(Evidence {
            proof,
            note: note.as_ref().map(ResourceJson::from),
            calldata: calldata.map(Bytes::from),
        })
    }

    /// The key that is asked about, and what it holds when it is there.
    fn subject(&self, history: &History, note: Option<&Resource>) -> Result<(Key, Vec<u8>), CliError> {
        match (note, self.void, self.spent) {
            (Some(note), ..) => Ok((resource_key(note.domainId, resource_id(note)), resource_value(note))),
            (_, Some((chain_id, number)), _) => Ok((void_key(chain_id, number), MARK.to_vec())),
            (_, _, Some(id)) => Ok((nullifier_key(nullifier_of_id(id)), MARK.to_vec())),
            _ => Err(CliError::Failed(anyhow::anyhow!(
                "there is no such note at index {}, which chain {} holds: a relayer has yet to bring a later one, or the request \
                 for it is not resolved (hypha escape apply)",
                history.replica.index(),
                self.chain
            ))),
        }
    }
}

/// What a key holds, or that it is absent.
fn prove(place: &Deployed, history: &History, key: Key, value: Vec<u8>) -> ProofView {
    let tree = history.replica.tree();
    let present = tree.get(&key).is_some();
    ProofView {
        key: B256::new(key.into()),
        index: history.replica.index().to_string(),
        root: B256::new(tree.root().into()),
        present,
        value: present.then(|| value.into()),
        proof: tree.prove(&[key]).encode().into(),
        chain_id: Some(place.chain_id.to_string()),
        verifier: Some(place.verifier),
    }
}

/// A request as its chain and its number.
fn request_name(text: &str) -> Result<(u64, u64), String> {
    let parts =
        text.split_once('/').and_then(|(chain, number)| Some((chain.parse().ok()?, number.parse().ok()?)));
    parts.filter(|(_, number)| *number > 0).ok_or_else(|| "CHAIN/NUMBER, for example 31338/7".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_its_chain_and_number() {
        assert_eq!(request_name("31338/7"), Ok((31338, 7)));
        for wrong in ["31338", "31338/0", "/7", "a/7", "1/2/3"] {
            assert!(request_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_calldata_is_that_of_the_vaults() {
        let selector = |signature: &str| alloy::primitives::keccak256(signature)[..4].to_vec();
        let note = "(uint256,address,bytes32,uint256,bytes32,bytes32)";
        assert_eq!(
            vault::withdrawCall::SELECTOR.to_vec(),
            selector(&format!("withdraw({note},bytes32,bytes)"))
        );
        assert_eq!(vault::refundCall::SELECTOR.to_vec(), selector("refund(uint64,bytes32,bytes)"));
    }
}
