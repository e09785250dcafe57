//! What a transaction offers for gas.

use serde::{Deserialize, Serialize};

/// EIP-1559 fees, wei a unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fees {
    /// Base fee and priority fee together, at most.
    pub(super) max: u64,
    /// Priority fee at most.
    pub(super) priority: u64,
}

impl Fees {
    /// Fees that stay sufficient while the base fee doubles; `None` when the cap does not even cover the base fee now.
    pub(super) fn first(base_fee: u64, priority: u64, cap: u64) -> Option<Self> {
        if base_fee >= cap {
            return None;
        }
        let max = base_fee.saturating_mul(2).saturating_add(priority).clamp(1, cap);
        Some(Self { max, priority: priority.min(max) })
    }

    /// Fees that replace these: both an eighth higher (nodes demand a tenth), or what the chain asks for now if that is
    /// more; `None` above the cap.
    pub(super) fn raised(self, base_fee: u64, priority: u64, cap: u64) -> Option<Self> {
        let eighth_more = |fee: u64| fee.saturating_add(fee / 8).saturating_add(1);
        let least = Self { max: eighth_more(self.max), priority: eighth_more(self.priority) };
        if least.max > cap {
            return None;
        }
        let now = base_fee.saturating_mul(2).saturating_add(priority);
        let max = now.clamp(least.max, cap);
        Some(Self { max, priority: priority.max(least.priority).min(max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_fees_cover_a_doubled_base_fee_within_the_cap() {
        assert_eq!(Fees::first(100, 3, 1_000), Some(Fees { max: 203, priority: 3 }));
        assert_eq!(Fees::first(100, 3, 150), Some(Fees { max: 150, priority: 3 }));
        assert_eq!(Fees::first(100, 500, 150), Some(Fees { max: 150, priority: 150 }));
        assert_eq!(Fees::first(100, 3, 100), None);
        assert_eq!(Fees::first(0, 0, 100), Some(Fees { max: 1, priority: 0 }));
    }

    #[test]
    fn raised_fees_both_rise_by_an_eighth_and_never_above_the_cap() {
        let fees = Fees { max: 800, priority: 80 };
        assert_eq!(fees.raised(100, 3, 10_000), Some(Fees { max: 901, priority: 91 }));
        assert_eq!(fees.raised(1_000, 200, 10_000), Some(Fees { max: 2_200, priority: 200 }));
        assert_eq!(fees.raised(1_000, 200, 901), Some(Fees { max: 901, priority: 200 }));
        assert_eq!(fees.raised(1_000, 200, 900), None);
        assert_eq!(Fees { max: 1, priority: 0 }.raised(0, 0, 10), Some(Fees { max: 2, priority: 1 }));
        assert_eq!(Fees { max: u64::MAX, priority: 1 }.raised(0, 0, 10), None);
    }
}
