//! Levenshtein distance in time that grows with the differences and not with the lengths' product
//! (Ukkonen 1985), from both ends at once (after Myers 1986), so that memory stays at a few rows.
//!
//! A diagonal holds all cells with the same number of reference items more than hypothesis items.
//! How far down it one gets with so many errors is one number; costs never fall along a diagonal,
//! so where the two fronts meet on one, their errors add up to the distance.

/// A place on a best path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Middle {
    /// Errors of the whole path.
    pub distance: usize,
    /// Items of the reference before it.
    pub reference: usize,
    /// Items of the hypothesis before it.
    pub hypothesis: usize,
}

/// About half of the errors lie before the place and half behind it. None when there are more
/// than `at_most`.
pub fn middle<T: Copy + Eq>(reference: &[T], hypothesis: &[T], at_most: usize) -> Option<Middle> {
    let backwards = |items: &[T]| -> Vec<T> { items.iter().rev().copied().collect() };
    let (turned, turned_hypothesis) = (backwards(reference), backwards(hypothesis));
    let mut forward = Front::new(reference, hypothesis);
    let mut backward = Front::new(&turned, &turned_hypothesis);
    loop {
        if forward.errors + backward.errors > at_most {
            return None;
        }
        if let Some(at) = forward.meets(&backward) {
            let hypothesis = forward.hypothesis_at(at);
            return Some(Middle {
                distance: forward.errors + backward.errors,
                reference: usize::try_from(forward.reached[at]).unwrap_or(0),
                hypothesis,
            });
        }
        if forward.errors <= backward.errors {
            forward.advance();
        } else {
            backward.advance();
        }
    }
}

/// Nothing is reached on this diagonal yet; low enough that one more is still nothing.
const NOWHERE: i32 = i32::MIN / 2;

/// How far each diagonal is reached with the same number of errors.
struct Front<'a, T> {
    reference: &'a [T],
    hypothesis: &'a [T],
    errors: usize,
    /// Items of the reference by diagonal. The first diagonal has `hypothesis.len()` items of the
    /// hypothesis more; a slot at either end is never reached.
    reached: Vec<i32>,
}

impl<'a, T: Copy + Eq> Front<'a, T> {
    fn new(reference: &'a [T], hypothesis: &'a [T]) -> Self {
        let mut front = Self {
            reference,
            hypothesis,
            errors: 0,
            reached: vec![NOWHERE; reference.len() + hypothesis.len() + 3],
        };
        let start = front.origin();
        front.reached[start] = front.slide(start, 0);
        front
    }

    /// The slot of the diagonal through the beginning.
    fn origin(&self) -> usize {
        self.hypothesis.len() + 1
    }

    fn range(&self) -> (usize, usize) {
        let first = self.origin().saturating_sub(self.errors).max(1);
        let last = (self.origin() + self.errors).min(self.reached.len() - 2);
        (first, last)
    }

    /// Goes on over equal items.
    fn slide(&self, at: usize, from: i32) -> i32 {
        let Ok(start) = usize::try_from(from) else {
            return from;
        };
        let other = start + self.origin() - at;
        let equal = self.reference[start..]
            .iter()
            .zip(&self.hypothesis[other..])
            .take_while(|(left, right)| left == right)
            .count();
        from + i32::try_from(equal).unwrap_or(i32::MAX)
    }

    fn hypothesis_at(&self, at: usize) -> usize {
        usize::try_from(self.reached[at]).unwrap_or(0) + self.origin() - at
    }

    /// One error more on every diagonal.
    fn advance(&mut self) {
        self.errors += 1;
        let (first, last) = self.range();
        let mut left = self.reached[first - 1];
        for at in first..=last {
            let here = self.reached[at];
            // Substituted, deleted (one diagonal up), inserted (one diagonal down).
            let further = (here + 1).max(left + 1).max(self.reached[at + 1]);
            // No further than the shorter of the two texts.
            let end = self
                .reference
                .len()
                .min((self.hypothesis.len() + at) - self.origin());
            let further = further.min(i32::try_from(end).unwrap_or(i32::MAX));
            left = here;
            self.reached[at] = self.slide(at, further);
        }
    }

    /// The slot where this front and one from the other end have passed each other.
    fn meets(&self, other: &Self) -> Option<usize> {
        let (first, last) = self.range();
        let (other_first, other_last) = other.range();
        // Slots add up to this on one diagonal.
        let sum = self.reference.len() + self.hypothesis.len() + 2;
        let first = first.max(sum.saturating_sub(other_last));
        let last = last.min(sum.saturating_sub(other_first));
        let whole = i32::try_from(self.reference.len()).unwrap_or(i32::MAX);
        (first..=last).find(|&at| self.reached[at] + other.reached[sum - at] >= whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The definition, one row at a time.
    fn by_table(reference: &[u32], hypothesis: &[u32]) -> usize {
        let mut row: Vec<usize> = (0..=hypothesis.len()).collect();
        for (line, item) in reference.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], line + 1);
            for (at, other) in hypothesis.iter().enumerate() {
                let cost = (diagonal + usize::from(item != other))
                    .min(row[at] + 1)
                    .min(row[at + 1] + 1);
                diagonal = std::mem::replace(&mut row[at + 1], cost);
            }
        }
        row[hypothesis.len()]
    }

    #[test]
    fn equal_texts_meet_without_an_error() {
        assert_eq!(
            middle(&[1, 2, 3], &[1, 2, 3], 0).map(|found| found.distance),
            Some(0)
        );
        assert_eq!(
            middle::<u32>(&[], &[], 0).map(|found| found.distance),
            Some(0)
        );
        assert_eq!(middle(&[1, 2], &[], 2).map(|found| found.distance), Some(2));
        assert_eq!(middle(&[1, 2], &[3], 1), None);
    }

    proptest! {
        #[test]
        fn the_fronts_meet_on_a_best_path(
            reference in vec(0_u32..4, 0..60),
            hypothesis in vec(0_u32..4, 0..60),
        ) {
            let found = middle(&reference, &hypothesis, usize::MAX).expect("no bound");
            prop_assert_eq!(found.distance, by_table(&reference, &hypothesis));
            let halves = by_table(&reference[..found.reference], &hypothesis[..found.hypothesis])
                + by_table(&reference[found.reference..], &hypothesis[found.hypothesis..]);
            prop_assert_eq!(halves, found.distance);
        }
    }
}
