//! The multiproof: its decoder and its verifiers.

use hypha_tree::{
    Key, Multiproof, ProofError, Touch, Tree, ValueHash, verify, verify_absence, verify_membership,
};

use crate::{forgery::forge, model::Model, source::Source, walk::walk};

/// Touches of one proof, at most.
const TOUCHES: usize = 12;

/// Any bytes: what is decoded encodes to the same bytes, and its parts agree with each other.
pub fn multiproof_decode(data: &[u8]) {
    let Ok(proof) = Multiproof::decode(data) else { return };
    assert_eq!(proof.encode(), data, "another encoding of the same proof");
    let foreign =
        proof.terminals().iter().filter(|terminal| terminal.kind == hypha_tree::TerminalKind::Foreign);
    assert_eq!(foreign.count(), proof.foreign_leaves().len());
    assert!(proof.siblings().flatten().all(|hash| hash != hypha_tree::EMPTY));
    let fixed = 12 + 2 * proof.terminals().len() + 64 * proof.foreign_leaves().len();
    let hashes = proof.siblings().flatten().count();
    assert_eq!(data.len(), fixed + proof.siblings().count().div_ceil(8) + 32 * hashes);
}

/// A tree, touches of it and their proof, all chosen by the bytes; then claims, root and proof are altered by what is
/// left of them. The verifier accepts what the model calls true and gives the walk's reason for all else; the decoder never
/// refuses what it accepts.
pub fn multiproof_verify(data: &[u8]) {
    let mut source = Source::new(data);
    let model = Model::choose(&mut source);
    let tree = Tree::new().with(model.list());
    let mut touches = choose_touches(&model, &mut source);
    let keys: Vec<Key> = touches.iter().map(|touch| touch.key).collect();
    let honest = tree.prove(&keys).encode();
    assert_eq!(tree.root(), model.root());
    check(&model, tree.root(), &touches, &honest);

    if source.byte() & 1 == 1 {
        alter_touches(&mut touches, &mut source);
    }
    let mut root: [u8; 32] = tree.root().into();
    if source.byte() & 7 == 7 {
        root[usize::from(source.byte() & 31)] ^= source.byte();
    }
    check(&model, root.into(), &touches, &forge(honest, &mut source));
}

/// The verdict about one key's value, and about its absence, is the model's.
pub fn membership(data: &[u8]) {
    let mut source = Source::new(data);
    let model = Model::choose(&mut source);
    let tree = Tree::new().with(model.list());
    let (key, other, value) = (source.key(), source.key(), source.value());
    let value = &value[..usize::from(source.byte() & 7 != 7)];
    let proven = if source.byte() & 7 == 7 { other } else { key };
    let proof = forge(tree.prove(&[proven]).encode(), &mut source);

    let canonical = proof == model.prove(&[key]);
    let held = model.leaves.get(&key);
    let is_member = canonical && !value.is_empty() && held == Some(&ValueHash::of(value));
    let is_absent = canonical && held.is_none();
    assert_eq!(verify_membership(tree.root(), key, value, &proof).is_ok(), is_member);
    assert_eq!(verify_absence(tree.root(), key, &proof).is_ok(), is_absent);
}

fn check(model: &Model, root: hypha_tree::Root, touches: &[Touch], proof: &[u8]) {
    let verdict = verify(root, touches, proof);
    assert_eq!(verdict.map(|step| step.new).ok(), model.judge(root, touches, proof), "{verdict:?}");
    assert_eq!(verdict.map(|step| step.new), walk(root, touches, proof));
    match Multiproof::decode(proof) {
        Ok(decoded) => assert_eq!(decoded.verify(root, touches), verdict),
        Err(error) => assert!(verdict.is_err(), "accepted, though not decoded: {error}"),
    }
    // The root that a proof gives is one that it shows.
    if let Err(ProofError::RootMismatch { actual, .. }) = verdict {
        assert!(verify(actual, touches, proof).is_ok());
    }
}

/// Touches that tell the truth, some of which write.
fn choose_touches(model: &Model, source: &mut Source<'_>) -> Vec<Touch> {
    let choices = 1 + source.below(TOUCHES);
    let mut touches: Vec<Touch> = (0..choices).map(|_| choose_touch(model, source)).collect();
    touches.sort_by_key(|touch| touch.key);
    touches.dedup_by_key(|touch| touch.key);
    touches
}

fn choose_touch(model: &Model, source: &mut Source<'_>) -> Touch {
    let known: Vec<Key> = model.leaves.keys().copied().collect();
    let member = known.get(source.below(2 * known.len())).copied();
    let key = member.unwrap_or_else(|| source.key());
    let new = (source.byte() & 1 == 1).then(|| source.value_hash());
    Touch { key, old: model.leaves.get(&key).copied(), new }
}

/// Makes one touch a lie, a repeated one, one out of order, one that is not proved, or one with zeros.
fn alter_touches(touches: &mut Vec<Touch>, source: &mut Source<'_>) {
    let (index, other) = (source.below(touches.len()), source.below(touches.len()));
    match source.below(9) {
        0 => touches[index].old = None,
        1 => touches[index].old = Some(source.value_hash()),
        2 => touches[index].old = Some(ValueHash::from([0; 32])),
        3 => touches[index].new = Some(ValueHash::from([0; 32])),
        4 => touches[index].key = source.key(),
        5 => touches[index].key = Key::from([0; 32]),
        6 => touches.swap(index, other),
        7 => touches.insert(index, touches[index]),
        _ => touches.truncate(index),
    }
}
