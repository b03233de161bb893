//! Character error rate. Only the distance is needed, so Myers' bit-parallel algorithm in
//! Hyyrö's block form does: 64 characters a step, which makes hours of speech affordable.

use std::collections::HashMap;

/// Levenshtein distance in code points.
pub fn distance(reference: &str, hypothesis: &str) -> usize {
    let pattern: Vec<char> = reference.chars().collect();
    if pattern.is_empty() {
        return hypothesis.chars().count();
    }
    let blocks = pattern.len().div_ceil(64);
    let mut places: HashMap<char, Vec<u64>> = HashMap::new();
    for (at, &letter) in pattern.iter().enumerate() {
        places.entry(letter).or_insert_with(|| vec![0; blocks])[at / 64] |= 1 << (at % 64);
    }
    let nowhere = vec![0; blocks];
    let mut columns = vec![Column { plus: !0, minus: 0 }; blocks];
    let last_bit = 1_u64 << ((pattern.len() - 1) % 64);
    let mut score = pattern.len();
    for letter in hypothesis.chars() {
        let places = places.get(&letter).unwrap_or(&nowhere);
        // A word's first row grows by one per column.
        let mut carry = Carry::Plus;
        for (block, column) in columns.iter_mut().enumerate() {
            let bottom = if block + 1 == blocks {
                last_bit
            } else {
                1 << 63
            };
            carry = column.advance(places[block], carry, bottom);
        }
        match carry {
            Carry::Plus => score += 1,
            Carry::Minus => score -= 1,
            Carry::None => {}
        }
    }
    score
}

/// Errors per character of the reference; none when that is empty and the hypothesis is not.
pub fn error_rate(reference: &str, hypothesis: &str) -> Option<f64> {
    match (reference.chars().count(), distance(reference, hypothesis)) {
        (0, 0) => Some(0.0),
        (0, _) => None,
        (length, errors) => Some(errors as f64 / length as f64),
    }
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

    #[test]
    fn kitten_and_sitting_are_three_apart() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_alignment(left in "[abc]{0,200}", right in "[abc]{0,200}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let errors = ErrorCounts::of(&align(&letters(&left), &letters(&right))).errors();
            prop_assert_eq!(distance(&left, &right), errors);
        }
    }
}
