//! `hypha prove`: a proof of what a key holds, or of its absence, at a root that a chain holds.

use std::path::PathBuf;

use alloy::primitives::{B256, U256};
use clap::Args;
use hypha_protocol::ids::{nullifier_key, nullifier_of_id, resource_key};
use hypha_protocol::tree::{Key, Root, Touch, ValueHash, verify};

use crate::client::Client;
use crate::exit::CliError;
use crate::forms::ProofView;
use crate::output::{print, progress};
use crate::settings::{Common, Settings};

/// Fetch a proof of what a key holds, or that it is absent
///
/// The proof is checked here before it is given; `hypha verify --proof` asks the chain.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hypha prove --note 0x… --domain 31339 --chain 31339 --out proof.json
  hypha prove --spent 0x… --chain 31338
  hypha prove 0x<key> --index 7")]
pub(crate) struct ProveArgs {
    /// A key of the tree
    #[arg(value_name = "KEY", required_unless_present_any = ["note", "spent"])]
    key: Option<B256>,
    /// Id of a note: proves that it was created; needs --domain
    #[arg(long, value_name = "ID", requires = "domain", conflicts_with_all = ["key", "spent"])]
    note: Option<B256>,
    /// Chain that the note belongs to
    #[arg(long, value_name = "CHAIN")]
    domain: Option<u64>,
    /// Id of a note: proves that it is spent or unspent
    #[arg(long, value_name = "ID", conflicts_with = "key")]
    spent: Option<B256>,
    /// At the root that this chain holds now
    #[arg(long, value_name = "CHAIN")]
    chain: Option<u64>,
    /// At the root with this number
    #[arg(long, value_name = "N", conflicts_with = "chain")]
    index: Option<u64>,
    /// File to keep the proof in; otherwise it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Fetches the proof, checks it, and prints or keeps it.
pub(crate) async fn run(args: &ProveArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.common)?;
    let key = args.key()?;
    let proof = Client::new(&settings.api)?.proof(key, args.chain, args.index).await?;
    if proof.key != key {
        return Err(CliError::Disagreed(format!("the service proved the key {} instead", proof.key)));
    }
    check(&proof)?;
    let text = serde_json::to_string_pretty(&proof).map_err(|error| CliError::Failed(error.into()))?;
    let Some(path) = &args.out else {
        print(text);
        return Ok(());
    };
    std::fs::write(path, text + "\n")
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    let word = if proof.present { "present" } else { "absent" };
    progress(format!("{key} is {word} at index {}: {}", proof.index, path.display()));
    if settings.json {
        print(
            serde_json::json!({ "file": path, "present": proof.present, "index": proof.index, "root": proof.root }),
        );
    }
    Ok(())
}

impl ProveArgs {
    fn key(&self) -> Result<B256, CliError> {
        let word = |key: Key| B256::new(key.into());
        match (self.key, self.note, self.spent, self.domain) {
            (Some(key), ..) => Ok(key),
            (_, Some(id), _, Some(domain)) => Ok(word(resource_key(U256::from(domain), id))),
            (_, _, Some(id), _) => Ok(word(nullifier_key(nullifier_of_id(id)))),
            _ => Err(CliError::Usage("a KEY, --note or --spent is missing".into())),
        }
    }
}

/// Walks the proof against the root that it names.
pub(crate) fn check(proof: &ProofView) -> Result<(), CliError> {
    let held = match (&proof.value, proof.present) {
        (Some(value), true) => Some(ValueHash::of(value)),
        (None, true) => {
            return Err(CliError::Disagreed("the key is said to be present and no value is given".into()));
        }
        (_, false) => None,
    };
    let touch = Touch { key: Key::from(proof.key.0), old: held, new: None };
    verify(Root::from(proof.root.0), &[touch], &proof.proof)
        .map(|_| ())
        .map_err(|error| CliError::Disagreed(format!("the proof of {} does not hold: {error}", proof.key)))
}

#[cfg(test)]
mod tests {
    use hypha_protocol::tree::Tree;

    use super::*;

    fn proof(present: bool) -> ProofView {
        let held = Key::from([1; 32]);
        let tree = Tree::new().with([(held, ValueHash::of(b"1"))]);
        let key = if present { held } else { Key::from([2; 32]) };
        ProofView {
            key: B256::new(key.into()),
            index: "1".into(),
            root: B256::new(tree.root().into()),
            present,
            value: present.then(|| b"1".to_vec().into()),
            proof: tree.prove(&[key]).encode().into(),
            chain_id: None,
            verifier: None,
        }
    }

    #[test]
    fn honest_proofs_hold_and_altered_ones_do_not() {
        check(&proof(true)).unwrap();
        check(&proof(false)).unwrap();
        let lies = [
            ProofView { value: Some(b"2".to_vec().into()), ..proof(true) },
            ProofView { present: false, value: None, ..proof(true) },
            ProofView { present: true, value: Some(b"1".to_vec().into()), ..proof(false) },
            ProofView { root: B256::repeat_byte(7), ..proof(true) },
            ProofView { value: None, ..proof(true) },
        ];
        for lie in lies {
            assert!(matches!(check(&lie), Err(CliError::Disagreed(_))), "{lie:?}");
        }
    }
}
