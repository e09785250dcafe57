//! What a tree must do at least, counted from its keys alone: it shares nothing with any engine.

use hypha_tree::Key;

/// The hashes of a version whose leaves have these `keys` and of which the leaves `touched` were written;
/// both ascend.
pub(crate) fn hashes(keys: &[Key], touched: &[Key]) -> u64 {
    hashes_below(keys, touched, 0)
}

fn hashes_below(keys: &[Key], touched: &[Key], depth: u16) -> u64 {
    match (keys, touched) {
        (_, []) => 0,
        ([_], _) => 1,
        _ => {
            let ((left, touched_left), (right, touched_right)) = halves(keys, touched, depth);
            1 + hashes_below(left, touched_left, depth + 1) + hashes_below(right, touched_right, depth + 1)
        }
    }
}

/// The siblings that a multiproof for the keys `touched`, all among `keys`, cannot do without: those of
/// subtrees that hold leaves, but none that is touched. Both ascend.
pub(crate) fn siblings(keys: &[Key], touched: &[Key]) -> u64 {
    siblings_below(keys, touched, 0)
}

fn siblings_below(keys: &[Key], touched: &[Key], depth: u16) -> u64 {
    match (keys, touched) {
        ([], _) => 0,
        (_, []) => 1,
        ([_], _) => 0,
        _ => {
            let ((left, touched_left), (right, touched_right)) = halves(keys, touched, depth);
            siblings_below(left, touched_left, depth + 1) + siblings_below(right, touched_right, depth + 1)
        }
    }
}

type Half<'keys> = (&'keys [Key], &'keys [Key]);

fn halves<'keys>(keys: &'keys [Key], touched: &'keys [Key], depth: u16) -> (Half<'keys>, Half<'keys>) {
    let split = |keys: &'keys [Key]| keys.split_at(keys.partition_point(|key| !key.bit(depth)));
    let ((left, right), (touched_left, touched_right)) = (split(keys), split(touched));
    ((left, touched_left), (right, touched_right))
}
