//! Levenshtein distance by bits: Myers' algorithm in Hyyrö's block form, 64 items of the reference
//! a step. For texts that have little in common, where going by errors would take longer. The
//! reference goes block by block, so memory is one number per item of the hypothesis.

use std::collections::HashMap;
use std::hash::Hash;

/// The distance of two rows of anything.
pub fn distance<T: Copy + Eq + Hash>(reference: &[T], hypothesis: &[T]) -> usize {
    let Some(last) = reference.len().checked_sub(1) else {
        return hypothesis.len();
    };
    let mut numbers: HashMap<T, usize> = HashMap::new();
    let hypothesis: Vec<usize> = hypothesis
        .iter()
        .map(|item| {
            let next = numbers.len();
            *numbers.entry(*item).or_insert(next)
        })
        .collect();
    let mut places = vec![0_u64; numbers.len()];
    // A block's first row grows by one per column.
    let mut carries = vec![Carry::Plus; hypothesis.len()];
    for block in reference.chunks(64) {
        places.fill(0);
        for (at, item) in block.iter().enumerate() {
            if let Some(&number) = numbers.get(item) {
                places[number] |= 1 << at;
            }
        }
        let bottom = 1_u64 << (block.len() - 1);
        let mut column = Column { plus: !0, minus: 0 };
        for (number, carry) in hypothesis.iter().zip(&mut carries) {
            *carry = column.advance(places[*number], *carry, bottom);
        }
    }
    carries.iter().fold(last + 1, |score, carry| match carry {
        Carry::Plus => score + 1,
        Carry::None => score,
        Carry::Minus => score - 1,
    })
}

/// Change of the cost at a block's lower edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carry {
    Plus,
    None,
    Minus,
}

/// Vertical differences of one block of 64 rows, as bit sets.
#[derive(Clone)]
struct Column {
    plus: u64,
    minus: u64,
}

impl Column {
    fn advance(&mut self, places: u64, carry: Carry, bottom: u64) -> Carry {
        let enters_minus = u64::from(carry == Carry::Minus);
        let enters_plus = u64::from(carry == Carry::Plus);
        let vertical = places | self.minus;
        let equal = places | enters_minus;
        let diagonal = ((equal & self.plus).wrapping_add(self.plus) ^ self.plus) | equal;
        let mut plus = self.minus | !(diagonal | self.plus);
        let mut minus = self.plus & diagonal;
        let leaves = if plus & bottom != 0 {
            Carry::Plus
        } else if minus & bottom != 0 {
            Carry::Minus
        } else {
            Carry::None
        };
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
        fn the_distance_is_that_of_the_alignment(left in "[abc]{0,200}", right in "[abc]{0,200}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let (left, right) = (letters(&left), letters(&right));
            let errors = ErrorCounts::of(&align(&left, &right)).errors();
            prop_assert_eq!(distance(&left, &right), errors);
        }
    }
}
