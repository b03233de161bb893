//! Levenshtein distance by bits: Myers' algorithm in Hyyrö's block form, 64 items of the reference
//! a step. For texts whose errors are so many that going by errors takes longer. The reference goes
//! block by block, so memory is one number per item of the hypothesis; and a path with so many
//! errors cannot leave a band around the diagonal (Ukkonen 1985), so nothing outside is looked at.
//! Where a good path is known, `corridor` finds a narrower one.

use std::ops::Range;

/// The distance of two rows of small numbers.
pub fn distance(reference: &[u32], hypothesis: &[u32]) -> usize {
    let longer = reference.len().max(hypothesis.len());
    let guess = longer / GUESSED_SHARE + reference.len().abs_diff(hypothesis.len()) + 64;
    let found = with_errors(reference, hypothesis, guess);
    if found <= guess {
        return found;
    }
    // A path that was found is a bound, if not the best.
    with_errors(reference, hypothesis, found)
}

/// One error in so many items is a usual transcript.
pub(super) const GUESSED_SHARE: usize = 18;

/// The cost of the best path that stays where paths with so many errors can be.
fn with_errors(reference: &[u32], hypothesis: &[u32], errors: usize) -> usize {
    // How much further one text may be than the other.
    let surplus = hypothesis.len().saturating_sub(reference.len());
    let lack = reference.len().saturating_sub(hypothesis.len());
    let spare = errors.saturating_sub(surplus + lack) / 2 + 1;
    let (behind, ahead) = (lack + spare, surplus + spare);
    within(reference, hypothesis, |rows| {
        rows.start.saturating_sub(behind)..rows.end + ahead
    })
}

/// Rows of a block.
pub(super) const BLOCK: usize = 64;

/// The cost of the best path that stays inside of a band. `columns` says for each block of rows of
/// the reference which part of the hypothesis the band covers; neither end may go back. What lies
/// beyond the last column is left out.
pub(super) fn within(
    reference: &[u32],
    hypothesis: &[u32],
    columns: impl Fn(Range<usize>) -> Range<usize>,
) -> usize {
    let greatest = reference.iter().chain(hypothesis).max().copied();
    let mut places = vec![0_u64; greatest.map_or(0, |greatest| greatest as usize + 1)];
    // A block's first row grows by one per column; so does what is outside the band.
    let mut carries = vec![PLUS; hypothesis.len()];
    let (mut start, mut at_start) = (0, 0);
    for (nth, block) in reference.chunks(BLOCK).enumerate() {
        let band = columns(nth * BLOCK..nth * BLOCK + block.len());
        let from = band.start.min(hypothesis.len());
        let to = band.end.min(hypothesis.len());
        at_start = carries[start..from].iter().copied().fold(at_start, further);
        start = from;
        for (at, &item) in block.iter().enumerate() {
            places[item as usize] |= 1 << at;
        }
        let bottom = block.len() - 1;
        let mut column = Column { plus: !0, minus: 0 };
        for (&item, carry) in hypothesis[from..to].iter().zip(&mut carries[from..to]) {
            *carry = column.advance(places[item as usize], *carry, bottom);
        }
        for &item in block {
            places[item as usize] = 0;
        }
        at_start += block.len();
    }
    carries[start..].iter().copied().fold(at_start, further)
}

/// Change of the cost at a block's lower edge, from one column to the next. A number and no enum:
/// which it is cannot be foretold, so the step below must not branch on it.
type Carry = u64;
const PLUS: Carry = 1;
const MINUS: Carry = 2;

/// The cost one column further.
const fn further(cost: usize, carry: Carry) -> usize {
    match carry {
        PLUS => cost + 1,
        MINUS => cost - 1,
        _ => cost,
    }
}

/// Vertical differences of one block of 64 rows, as bit sets.
struct Column {
    plus: u64,
    minus: u64,
}

impl Column {
    fn advance(&mut self, places: u64, carry: Carry, bottom: usize) -> Carry {
        let (enters_plus, enters_minus) = (carry & PLUS, carry >> 1);
        let vertical = places | self.minus;
        let equal = places | enters_minus;
        let diagonal = ((equal & self.plus).wrapping_add(self.plus) ^ self.plus) | equal;
        let mut plus = self.minus | !(diagonal | self.plus);
        let mut minus = self.plus & diagonal;
        let leaves = ((plus >> bottom) & 1) | (((minus >> bottom) & 1) << 1);
        plus = (plus << 1) | enters_plus;
        minus = (minus << 1) | enters_minus;
        self.plus = minus | !(vertical | plus);
        self.minus = plus & vertical;
        leaves
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::alignment::{ErrorCounts, align};
    use super::*;

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_alignment(left in "[abc]{0,300}", right in "[abc]{0,300}") {
            let letters = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
            let (left, right) = (letters(&left), letters(&right));
            let errors = ErrorCounts::of(&align(&left, &right)).errors();
            prop_assert_eq!(distance(&left, &right), errors);
            // A narrower band finds a path too, and never one that is too good.
            prop_assert!(with_errors(&left, &right, errors / 2) >= errors);
            prop_assert_eq!(with_errors(&left, &right, errors), errors);
        }
    }
}
