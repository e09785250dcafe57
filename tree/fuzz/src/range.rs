//! The range proof: its decoder and its verifier.

use std::num::NonZeroUsize;

use hypha_tree::{Key, ProofError, RangeError, RangeProof, Root, Tree, ValueHash, verify_range};

use crate::{
    forgery::forge,
    model::{Leaf, Model},
    source::Source,
};

/// Leaves of a page, at most.
const PAGE: usize = 16;

/// Any bytes: what is decoded encodes to the same bytes.
pub fn range_decode(data: &[u8]) {
    if let Ok(proof) = RangeProof::decode(data) {
        assert_eq!(proof.encode(), data, "another encoding of the same proof");
    }
}

/// A claim about the leaves between two keys.
struct Claim {
    root: Root,
    from: Key,
    to: Key,
    leaves: Vec<Leaf>,
}

/// A tree, a range of it and its proof, all chosen by the bytes; then claim and proof are altered by what is left of
/// them. The verifier accepts what the model calls true, and says of each
/// claim that nothing could show why.
pub fn range_verify(data: &[u8]) {
    let mut source = Source::new(data);
    let model = Model::choose(&mut source);
    let tree = Tree::new().with(model.list());
    let (one, other) = (source.bound(), source.bound());
    let most = NonZeroUsize::MIN.saturating_add(source.below(PAGE));
    let page = tree.prove_range(one.min(other), one.max(other), most).expect("the bounds are in order");
    let honest = page.proof.encode();
    let mut claim = Claim { root: tree.root(), from: page.from, to: page.to, leaves: page.leaves };
    assert!(
        claim.leaves.len() <= most.get() && (claim.leaves.len() == most.get() || claim.to == one.max(other))
    );
    assert!(is_true(&model, &claim, &honest));
    check(&model, &claim, &honest);

    if source.byte() & 1 == 1 {
        alter_claim(&mut claim, &mut source);
    }
    check(&model, &claim, &forge(honest, &mut source));
}

fn is_true(model: &Model, claim: &Claim, proof: &[u8]) -> bool {
    claim.from <= claim.to
        && claim.root == model.root()
        && model.leaves.range(claim.from..=claim.to).eq(claim.leaves.iter().map(|(key, hash)| (key, hash)))
        && proof == model.prove_range(claim.from, claim.to)
}

/// Why no proof can show the claim, whatever the tree is: step 1 of the specification.
fn reason(claim: &Claim) -> Option<RangeError> {
    let Claim { root, from, to, leaves } = claim;
    if root.is_zero() {
        return Some(ProofError::ZeroRoot.into());
    }
    if from > to {
        return Some(RangeError::BoundsReversed);
    }
    leaves.iter().enumerate().find_map(|(at, (key, value_hash))| {
        let (before, index) = (at.checked_sub(1).map(|before| leaves[before].0), at as u64);
        match () {
            () if key.is_zero() => Some(ProofError::ZeroKey.into()),
            () if before == Some(*key) => Some(ProofError::KeyRepeated { key: *key }.into()),
            () if before > Some(*key) => Some(ProofError::KeysNotAscending { index }.into()),
            () if key < from || key > to => Some(RangeError::LeafOutOfRange { index }),
            () => value_hash.is_zero().then_some(RangeError::ZeroValueHash { index }),
        }
    })
}

fn check(model: &Model, claim: &Claim, proof: &[u8]) {
    let Claim { root, from, to, leaves } = claim;
    let verdict = verify_range(*root, *from, *to, leaves, proof);
    assert_eq!(verdict.is_ok(), is_true(model, claim, proof), "{verdict:?}");
    if let Some(reason) = reason(claim) {
        assert_eq!(verdict, Err(reason));
    }
    match RangeProof::decode(proof) {
        Ok(decoded) => assert_eq!(decoded.verify(*root, *from, *to, leaves), verdict),
        Err(error) => assert!(verdict.is_err(), "accepted, though not decoded: {error}"),
    }
    // The root that a proof gives is one that it shows.
    if let Err(RangeError::Proof(ProofError::RootMismatch { actual, .. })) = verdict {
        assert_eq!(verify_range(actual, *from, *to, leaves, proof), Ok(()));
    }
}

/// Another range, or another list of leaves.
fn alter_claim(claim: &mut Claim, source: &mut Source<'_>) {
    let (index, other) = (source.below(claim.leaves.len()), source.below(claim.leaves.len()));
    match source.below(9) {
        0 => claim.from = source.bound(),
        1 => claim.to = source.bound(),
        2 => std::mem::swap(&mut claim.from, &mut claim.to),
        3 => claim.leaves.insert(index, source.leaf()),
        4 => claim.root = Root::from([source.byte(); 32]),
        _ if claim.leaves.is_empty() => {}
        5 => drop(claim.leaves.drain(index..=index)),
        6 => claim.leaves[index].1 = ValueHash::from([source.byte(); 32]),
        7 => claim.leaves.swap(index, other),
        _ => claim.leaves.insert(index, claim.leaves[index]),
    }
}
