//! Which notes a transfer spends.

use alloy::primitives::U256;
use hypha_protocol::contracts::Resource;

use crate::exit::CliError;

/// Notes to spend, and what is left over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The notes, largest first.
    pub(crate) notes: Vec<Resource>,
    /// Units that go back to their owner; zero when the notes add up exactly.
    pub(crate) change: U256,
}

/// Picks at most `most` notes that add up to at least `quantity`: the largest first, so that the fewest are spent, and equal ones
/// in the order of their salt, so that the same notes give the same choice.
pub(crate) fn select(mut notes: Vec<Resource>, quantity: U256, most: usize) -> Result<Selection, CliError> {
    if quantity.is_zero() {
        return Err(CliError::Usage("the quantity is not to be zero".into()));
    }
    notes.sort_by_key(|note| (std::cmp::Reverse(note.quantity), note.salt));
    let mut sum = U256::ZERO;
    for count in 1..=notes.len().min(most) {
        // Two notes can hold more than a quantity can, and change is one note.
        sum = sum.checked_add(notes[count - 1].quantity).ok_or_else(|| {
            CliError::Failed(anyhow::anyhow!(
                "the notes add up to more than a quantity can hold: spend fewer at once"
            ))
        })?;
        if sum >= quantity {
            notes.truncate(count);
            return Ok(Selection { notes, change: sum - quantity });
        }
    }
    let why = if notes.len() > most {
        format!(
            "the {most} largest of {} notes hold {sum}, and one transfer here spends at most {most}",
            notes.len()
        )
    } else {
        format!("the unspent notes that fit ({}) hold {sum}", notes.len())
    };
    Err(CliError::Failed(anyhow::anyhow!("not enough for {quantity}: {why}")))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256};

    use super::*;

    /// What most tests ask for.
    fn select(notes: Vec<Resource>, quantity: U256) -> Result<Selection, CliError> {
        super::select(notes, quantity, 16)
    }

    fn note(quantity: u64, salt: u8) -> Resource {
        Resource {
            domainId: U256::from(1),
            owner: Address::repeat_byte(1),
            kind: B256::repeat_byte(2),
            quantity: U256::from(quantity),
            data: B256::ZERO,
            salt: B256::repeat_byte(salt),
        }
    }

    fn quantities(selection: &Selection) -> Vec<u64> {
        selection.notes.iter().map(|note| note.quantity.to()).collect()
    }

    #[test]
    fn the_largest_come_first_and_the_rest_is_change() {
        let selection = select(vec![note(5, 1), note(50, 2), note(20, 3)], U256::from(60)).unwrap();
        assert_eq!(quantities(&selection), [50, 20]);
        assert_eq!(selection.change, U256::from(10));
    }

    #[test]
    fn an_exact_sum_leaves_no_change() {
        let selection = select(vec![note(5, 1), note(5, 2)], U256::from(10)).unwrap();
        assert_eq!((quantities(&selection), selection.change), (vec![5, 5], U256::ZERO));
    }

    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_notes() {
        let one = select(vec![note(5, 1), note(5, 2), note(5, 3)], U256::from(7)).unwrap();
        let other = select(vec![note(5, 3), note(5, 1), note(5, 2)], U256::from(7)).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.notes[0].salt, B256::repeat_byte(1));
    }

    #[test]
    fn sixteen_notes_are_the_most() {
        let notes: Vec<Resource> = (1..=17).map(|salt| note(1, salt)).collect();
        assert_eq!(select(notes.clone(), U256::from(16)).unwrap().notes.len(), 16);
        let error = select(notes, U256::from(17)).unwrap_err().to_string();
        assert!(error.contains("at most 16"), "{error}");
    }

    #[test]
    fn too_little_zero_and_overflow_are_refused() {
        assert!(select(vec![], U256::from(1)).is_err());
        assert!(select(vec![note(3, 1)], U256::from(4)).unwrap_err().to_string().contains("hold 3"));
        assert!(matches!(select(vec![note(3, 1)], U256::ZERO), Err(CliError::Usage(_))));
        let huge = Resource { quantity: U256::MAX - U256::from(1), ..note(1, 1) };
        assert!(select(vec![huge.clone(), huge], U256::MAX).is_err());
    }
}
