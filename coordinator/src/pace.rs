//! What the hub has shown of its fees and its speed: by it `pipeline/timing.rs` says when a batch is made. Kept in memory alone:
//! after a restart it is learnt again.

use std::collections::VecDeque;

use hypha_chain::ports::Block;

/// Blocks whose base fees say what is usual.
const FEE_BLOCKS: usize = 64;
/// With fewer nothing is usual yet, and no fee is high.
const LEAST_FEE_BLOCKS: usize = 8;
/// The newest batch counts so much among those before it: a quarter.
const NEWEST_SHARE: u64 = 4;

/// Fees and speed of the hub, as far as seen.
#[derive(Debug, Default)]
pub struct Pace {
    /// Heights and base fees of the newest blocks that were looked at, the newest last.
    fees: VecDeque<(u64, u64)>,
    delivery_ms: Option<u64>,
}

impl Pace {
    /// A block of the hub was looked at. Those at its height and above are of another fork.
    pub fn observe(&mut self, block: &Block) {
        while self.fees.back().is_some_and(|(number, _)| *number >= block.number) {
            self.fees.pop_back();
        }
        self.fees.push_back((block.number, block.base_fee));
        if self.fees.len() > FEE_BLOCKS {
            self.fees.pop_front();
        }
    }

    /// Whether the newest base fee is more than so many percent above the median.
    pub fn is_dear(&self, percent: u64) -> bool {
        let Some((_, newest)) = self.fees.back() else { return false };
        if self.fees.len() < LEAST_FEE_BLOCKS {
            return false;
        }
        let mut fees: Vec<u64> = self.fees.iter().map(|(_, fee)| *fee).collect();
        let middle = fees.len() / 2;
        let median = *fees.select_nth_unstable(middle).1;
        u128::from(*newest) * 100 > u128::from(median) * u128::from(percent.saturating_add(100))
    }

    /// A batch was mined so many milliseconds after it was committed.
    pub fn delivered(&mut self, after_ms: u64) {
        let before = self.delivery_ms.unwrap_or(after_ms);
        self.delivery_ms = Some((before * (NEWEST_SHARE - 1) + after_ms) / NEWEST_SHARE);
    }

    /// Milliseconds from the commit of a batch until it is mined, of late.
    pub fn delivery_ms(&self) -> Option<u64> {
        self.delivery_ms
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    fn pace(fees: &[u64]) -> Pace {
        let mut pace = Pace::default();
        (1..).zip(fees).for_each(|(number, fee)| pace.observe(&block(number, *fee)));
        pace
    }

    fn block(number: u64, base_fee: u64) -> Block {
        Block { number, hash: B256::ZERO, parent: B256::ZERO, time: 0, base_fee }
    }

    #[test]
    fn a_fee_is_dear_above_the_median_of_late_blocks() {
        assert!(!pace(&[]).is_dear(0));
        assert!(!pace(&[10, 10, 10, 10, 10, 10, 90]).is_dear(0), "too few blocks to say");
        assert!(!pace(&[10; 8]).is_dear(0));
        let risen = [10, 10, 10, 10, 10, 10, 10, 12];
        assert!(pace(&risen).is_dear(19) && !pace(&risen).is_dear(20));
        assert!(!pace(&[0; 9]).is_dear(0), "a chain without fees");
    }

    #[test]
    fn what_was_dear_becomes_usual() {
        let mut pace = pace(&[10; FEE_BLOCKS]);
        for number in 1..=FEE_BLOCKS as u64 {
            pace.observe(&block(FEE_BLOCKS as u64 + number, 20));
            assert_eq!(pace.is_dear(10), number < FEE_BLOCKS as u64 / 2, "{number}");
        }
        assert_eq!(pace.fees.len(), FEE_BLOCKS);
    }

    #[test]
    fn a_block_seen_again_counts_once_and_a_fork_replaces_what_it_takes_back() {
        let mut pace = pace(&[10; 9]);
        (0..9).for_each(|_| pace.observe(&block(9, 50)));
        assert!(pace.is_dear(10), "one block of nine is dear");
        pace.observe(&block(3, 10));
        assert_eq!(pace.fees.len(), 3);
    }

    #[test]
    fn the_time_of_a_batch_follows_what_is_measured() {
        let mut pace = Pace::default();
        pace.delivered(1_000);
        assert_eq!(pace.delivery_ms(), Some(1_000));
        pace.delivered(2_000);
        assert_eq!(pace.delivery_ms(), Some(1_250));
        (0..30).for_each(|_| pace.delivered(2_000));
        assert!(pace.delivery_ms() > Some(1_990));
    }
}
