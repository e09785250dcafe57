//! Any number of versions, made, forked, read and let go in any order, beside a plain map for each.

use std::{collections::BTreeMap, sync::Arc};

use hypha_tree::{Key, Multiproof, Opening, Pages, Root, SnapshotHeader, Touch, Tree, ValueHash, verify};
use proptest::{prelude::*, sample::Index};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::{
    model::{self, Leaf, keys, leaves, value_hashes},
    random::Random,
};

/// Versions that are alive at one time, at most: one more only takes the place of another.
const MOST_ALIVE: usize = 8;
/// Leaves of a batch that is spread over the machine's cores.
const LARGE: std::ops::Range<usize> = 1_100..2_600;

/// What a version holds.
#[derive(Clone, Debug)]
struct Version {
    leaves: BTreeMap<Key, ValueHash>,
    root: Root,
}

impl Version {
    fn of(leaves: BTreeMap<Key, ValueHash>) -> Arc<Self> {
        Arc::new(Self { root: model::root(&leaves), leaves })
    }

    fn with(&self, batch: impl IntoIterator<Item = Leaf>) -> Arc<Self> {
        Self::of(self.leaves.iter().map(|(key, value_hash)| (*key, *value_hash)).chain(batch).collect())
    }
}

/// The leaves of one batch, in the order in which they count.
#[derive(Clone, Debug)]
enum Batch {
    Few(Vec<Leaf>),
    /// So many keys from a sequence that few seeds fix, so that later batches update what earlier ones brought.
    Many {
        seed: u8,
        size: usize,
        value_hash: ValueHash,
    },
}

impl Batch {
    fn leaves(&self) -> Vec<Leaf> {
        match self {
            Self::Few(leaves) => leaves.clone(),
            Self::Many { seed, size, value_hash } => {
                let mut random = Random::new(&format!("batch {seed}"));
                (0..*size).map(|_| (random.key(), *value_hash)).collect()
            }
        }
    }
}

/// One step; an index is that of a version that is alive.
#[derive(Clone, Debug)]
enum Step {
    /// A new version beside the one that it is made from, which may have others already.
    Fork(Index, Batch),
    /// A new version in the place of the one that it is made from.
    Move(Index, Batch),
    /// Another handle of the same version.
    Clone(Index),
    /// A handle is let go, of the newest version, the oldest or any between; the last one gives way to an empty tree.
    Drop(Index),
    /// The same leaves in a tree of its own, opened from the snapshot.
    Reopen(Index),
    /// A proof about keys, some of which get new values.
    Prove(Index, Vec<(Key, Option<ValueHash>)>),
}

/// The versions that are alive, in no particular order.
struct Model;

impl ReferenceStateMachine for Model {
    type State = Vec<Arc<Version>>;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self::State> {
        Just(vec![Version::of(BTreeMap::new())]).boxed()
    }

    fn transitions(_: &Self::State) -> BoxedStrategy<Step> {
        let many = (0u8..3, LARGE, value_hashes());
        let many = many.prop_map(|(seed, size, value_hash)| Batch::Many { seed, size, value_hash });
        let batch = prop_oneof![60 => leaves(24).prop_map(Batch::Few), 1 => many];
        let index = any::<Index>;
        let writes = prop::collection::vec((keys(), prop::option::of(value_hashes())), 1..12);
        prop_oneof![
            4 => (index(), batch.clone()).prop_map(|(index, batch)| Step::Fork(index, batch)),
            4 => (index(), batch).prop_map(|(index, batch)| Step::Move(index, batch)),
            1 => index().prop_map(Step::Clone),
            3 => index().prop_map(Step::Drop),
            1 => index().prop_map(Step::Reopen),
            4 => (index(), writes).prop_map(|(index, writes)| Step::Prove(index, writes)),
        ]
        .boxed()
    }

    fn preconditions(alive: &Self::State, step: &Step) -> bool {
        alive.len() < MOST_ALIVE || matches!(step, Step::Move(..) | Step::Drop(..) | Step::Prove(..))
    }

    fn apply(mut alive: Self::State, step: &Step) -> Self::State {
        let at = |index: &Index| index.index(alive.len());
        match step {
            Step::Fork(index, batch) => alive.push(alive[at(index)].with(batch.leaves())),
            Step::Move(index, batch) => {
                let at = at(index);
                alive[at] = alive[at].with(batch.leaves());
            }
            Step::Clone(index) | Step::Reopen(index) => alive.push(alive[at(index)].clone()),
            Step::Drop(index) => {
                alive.remove(at(index));
                if alive.is_empty() {
                    alive.push(Version::of(BTreeMap::new()));
                }
            }
            Step::Prove(..) => {}
        }
        alive
    }
}

/// The handles, in the order of the model's versions.
struct Handles;

impl StateMachineTest for Handles {
    type SystemUnderTest = Vec<Tree>;
    type Reference = Model;

    fn init_test(_: &Vec<Arc<Version>>) -> Vec<Tree> {
        vec![Tree::new()]
    }

    fn apply(mut alive: Vec<Tree>, after: &Vec<Arc<Version>>, step: Step) -> Vec<Tree> {
        let at = |index: Index| index.index(alive.len());
        match step {
            Step::Fork(index, batch) => alive.push(alive[at(index)].with(batch.leaves())),
            Step::Move(index, batch) => {
                let at = at(index);
                alive[at] = alive[at].with(batch.leaves());
            }
            Step::Clone(index) => alive.push(alive[at(index)].clone()),
            Step::Reopen(index) => alive.push(reopen(&alive[at(index)])),
            Step::Drop(index) => {
                alive.remove(at(index));
                if alive.is_empty() {
                    alive.push(Tree::new());
                }
            }
            Step::Prove(index, writes) => check_transition(&alive[at(index)], &after[at(index)], &writes),
        }
        alive
    }

    fn check_invariants(alive: &Vec<Tree>, model: &Vec<Arc<Version>>) {
        assert_eq!(alive.len(), model.len());
        for (tree, version) in alive.iter().zip(model) {
            check_version(tree, version);
        }
    }

    fn teardown(alive: Vec<Tree>, model: Vec<Arc<Version>>) {
        let (last, version) = (alive.into_iter().next(), model.into_iter().next());
        check_memory(last.expect("one is alive"), &version.expect("one is alive"));
    }
}

/// The only version that is alive takes the memory that a tree made of its leaves takes.
fn check_memory(last: Tree, version: &Version) {
    let leaves = version.leaves.iter().map(|(key, value_hash)| (*key, *value_hash));
    let fresh = Tree::new().with(leaves);
    // What was let go counts until the next version is made, so each of both makes one more.
    let one_more = [(Key::from([0x33; 32]), ValueHash::of(b"one more"))];
    let (last, fresh) = (last.with(one_more), fresh.with(one_more));
    assert_eq!(last.allocated_bytes(), fresh.allocated_bytes());
}

fn reopen(tree: &Tree) -> Tree {
    let opening = Opening::new(SnapshotHeader::of(tree));
    let opening = Pages::of(tree).try_fold(opening, |opening, page| opening.page(&page));
    opening.and_then(Opening::finish).expect("a tree's own snapshot")
}

/// A version says in every way what its model says.
fn check_version(tree: &Tree, version: &Version) {
    assert_eq!(tree.root(), version.root);
    assert_eq!(tree.len(), version.leaves.len());
    assert_eq!(tree.is_empty(), version.leaves.is_empty());
    assert!(tree.iter().eq(version.leaves.iter().map(|(key, value_hash)| (*key, *value_hash))));
    let members = version.leaves.iter().step_by(1 + version.leaves.len() / 8);
    let reads: Vec<_> = members.map(|(key, _)| (*key, None)).collect();
    if !reads.is_empty() {
        check_transition(tree, version, &reads);
    }
}

/// Values, proof and next root are those of the model.
fn check_transition(tree: &Tree, version: &Version, writes: &[(Key, Option<ValueHash>)]) {
    let writes: BTreeMap<Key, Option<ValueHash>> = writes.iter().copied().collect();
    let touch = |(key, new): (&Key, &Option<ValueHash>)| Touch {
        key: *key,
        old: version.leaves.get(key).copied(),
        new: *new,
    };
    let touches: Vec<Touch> = writes.iter().map(touch).collect();
    assert!(touches.iter().all(|touch| tree.get(&touch.key) == touch.old));

    let proof = tree.prove(&writes.keys().copied().collect::<Vec<_>>()).encode();
    let step = verify(version.root, &touches, &proof).expect("an honest proof");
    let next = if touches.iter().all(|touch| touch.new.is_none()) {
        version.root
    } else {
        version.with(model::written(&touches)).root
    };
    assert_eq!((step.old, step.new), (version.root, next));
    assert_eq!(Multiproof::decode(&proof).map(|decoded| decoded.encode()), Ok(proof));
}

prop_state_machine! {
    #[test]
    fn versions_in_any_order_are_what_plain_maps_are(sequential 1..32 => Handles);
}
