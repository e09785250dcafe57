//! Puts the leaves of a batch in order.

use crate::{Key, ValueHash};

type Leaf = (Key, ValueHash);

/// Counts of so many parts fit the cache of a core.
const MOST_BITS_TO_PART_BY: u32 = 16;
/// Leaves for which the buffers stay, about 1.5 MB with all of them.
const LEAVES_KEPT: usize = 1 << 14;

/// Sorts one batch after another in the same buffers: to have the system give fresh memory takes longer than to sort.
#[derive(Default)]
pub(crate) struct Sorter {
    /// The start of each key, and the leaf's number.
    order: Vec<(u64, u32)>,
    /// Where each part of `order` ends.
    ends: Vec<u32>,
    sorted: Vec<Leaf>,
}

impl Sorter {
    /// Leaves in ascending order of key; of several with one key only the last.
    ///
    /// # Panics
    /// When there are 2^32 leaves or more.
    pub(crate) fn sort(&mut self, leaves: &[Leaf]) -> &[Leaf] {
        if self.sorted.capacity() > LEAVES_KEPT {
            *self = Self::default();
        }
        self.put_in_order(leaves);
        self.sorted.clear();
        self.sorted.reserve(leaves.len());
        for (_, number) in &self.order {
            let leaf = leaves[*number as usize];
            match self.sorted.last_mut() {
                Some(last) if last.0 == leaf.0 => *last = leaf,
                _ => self.sorted.push(leaf),
            }
        }
        &self.sorted
    }

    /// Orders the numbers of leaves by key, and those of one key as they came.
    ///
    /// Keys are hashes, nearly always: parted by as many leading bits as the count of leaves has, few stay together, and
    /// sorting those is little work. Other keys take hardly longer than if all were sorted at once.
    fn put_in_order(&mut self, leaves: &[Leaf]) {
        let count = u32::try_from(leaves.len()).expect("more keys than a tree can hold leaves");
        let bits = count.checked_ilog2().unwrap_or(0).clamp(1, MOST_BITS_TO_PART_BY);
        let part = |word: u64| (word >> (u64::BITS - bits)) as usize;
        // At first each number is where its part starts; it moves on as the part is filled.
        self.ends.clear();
        self.ends.resize((1 << bits) + 1, 0);
        leaves.iter().for_each(|(key, _)| self.ends[part(key.first_word()) + 1] += 1);
        for number in 1..self.ends.len() {
            self.ends[number] += self.ends[number - 1];
        }
        self.order.resize(leaves.len(), (0, 0));
        for ((key, _), number) in leaves.iter().zip(0..count) {
            let word = key.first_word();
            let end = &mut self.ends[part(word)];
            self.order[*end as usize] = (word, number);
            *end += 1;
        }
        let mut start = 0;
        for end in self.ends[..1 << bits].iter().map(|end| *end as usize) {
            self.order[start..end].sort_unstable_by(|(word, number), (other_word, other_number)| {
                let whole = || leaves[*number as usize].0.cmp(&leaves[*other_number as usize].0);
                word.cmp(other_word).then_with(whole).then(number.cmp(other_number))
            });
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keccak;

    #[test]
    fn leaves_are_sorted_and_the_last_of_equal_keys_counts() {
        let spread = |number: u32| keccak(&number.to_be_bytes());
        // All in one part: they differ only behind the bits that leaves are parted by.
        let crowded =
            |number: u32| std::array::from_fn(|byte| if byte < 20 { 7 } else { spread(number)[byte] });
        let mut sorter = Sorter::default();
        let mut check = |key: &dyn Fn(u32) -> [u8; 32], count: u32| {
            let leaf =
                |number: u32| (Key::from(key(number % (count / 3 + 1))), ValueHash::from(spread(!number)));
            let leaves: Vec<_> = (0..count).map(leaf).collect();
            let model: BTreeMap<_, _> = leaves.iter().copied().collect();
            assert_eq!(sorter.sort(&leaves), model.into_iter().collect::<Vec<_>>());
        };
        for count in [0, 1, 2, 3, 70_000, 100, 7] {
            check(&spread, count);
            check(&crowded, count);
        }
    }

    #[test]
    fn buffers_of_a_large_batch_do_not_stay() {
        let leaf = |number: u32| (Key::from(keccak(&number.to_be_bytes())), ValueHash::from([1; 32]));
        let mut sorter = Sorter::default();
        sorter.sort(&(0..100_000).map(leaf).collect::<Vec<_>>());
        sorter.sort(&[leaf(1)]);
        assert!(sorter.sorted.capacity() <= LEAVES_KEPT && sorter.order.capacity() <= LEAVES_KEPT);
    }
}
