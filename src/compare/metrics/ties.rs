//! Of alignments with equally few errors, the one that keeps certain words.
//!
//! `there 14 um` and `there um 14` are two errors apart whichever way they are aligned. Where two words were
//! changed for one another, a number is lost and a number is new; where one was put in and one left out,
//! it is still there.

use super::alignment::Step;

/// Errors with so many equal words between them, at most, are looked at together.
const NEAR: usize = 3;
/// Cells of a table, at most; where errors go on for longer, nothing is kept of them anyway.
const CELLS: usize = 1 << 16;
/// What an error counts; a window has fewer words to keep than that.
const ERROR: i64 = 1 << 20;

/// The same number of errors, with as many as possible of the words kept that `is_kept` names by their
/// place in the reference.
pub fn keep(
    steps: Vec<Step>,
    reference: &[u32],
    hypothesis: &[u32],
    is_kept: &dyn Fn(usize) -> bool,
) -> Vec<Step> {
    let errors: Vec<usize> = (0..steps.len())
        .filter(|at| !matches!(steps[*at], Step::Equal(..)))
        .collect();
    let mut changed: Vec<(usize, usize, Vec<Step>)> = Vec::new();
    for near in errors.chunk_by(|one, next| next - one <= NEAR + 1) {
        let (first, last) = (near[0], near[near.len() - 1]);
        if near.len() < 2 || !may_keep(&steps, near, (reference, hypothesis), is_kept) {
            continue;
        }
        let window = &steps[first..=last];
        let sides = Sides::of(window, reference, hypothesis);
        if (sides.reference.len() + 1) * (sides.hypothesis.len() + 1) <= CELLS {
            changed.push((first, last, sides.aligned(is_kept)));
        }
    }
    if changed.is_empty() {
        return steps;
    }
    let mut kept = Vec::with_capacity(steps.len() + changed.len());
    let mut from = 0;
    for (first, last, anew) in changed {
        kept.extend_from_slice(&steps[from..first]);
        kept.extend(anew);
        from = last + 1;
    }
    kept.extend_from_slice(&steps[from..]);
    kept
}

/// Whether a word to be kept is both lost and new among these errors.
fn may_keep(
    steps: &[Step],
    errors: &[usize],
    (reference, hypothesis): (&[u32], &[u32]),
    is_kept: &dyn Fn(usize) -> bool,
) -> bool {
    let new: Vec<u32> = errors
        .iter()
        .filter_map(|at| match steps[*at] {
            Step::Substituted(_, place) | Step::Inserted(place) => Some(hypothesis[place]),
            Step::Equal(..) | Step::Deleted(_) => None,
        })
        .collect();
    errors.iter().any(|at| match steps[*at] {
        Step::Substituted(place, _) | Step::Deleted(place) => {
            is_kept(place) && new.contains(&reference[place])
        }
        Step::Equal(..) | Step::Inserted(_) => false,
    })
}

/// What a window is about, with where both sides begin.
struct Sides<'a> {
    r0: usize,
    h0: usize,
    reference: &'a [u32],
    hypothesis: &'a [u32],
}

impl<'a> Sides<'a> {
    fn of(window: &[Step], reference: &'a [u32], hypothesis: &'a [u32]) -> Self {
        let place = |of: fn(&Step) -> Option<usize>| {
            let mut places = window.iter().filter_map(of);
            let first = places.next();
            first.map(|first| (first, places.next_back().unwrap_or(first) + 1))
        };
        let (r0, r1) = place(|step| match step {
            Step::Equal(at, _) | Step::Substituted(at, _) | Step::Deleted(at) => Some(*at),
            Step::Inserted(_) => None,
        })
        .unwrap_or((0, 0));
        let (h0, h1) = place(|step| match step {
            Step::Equal(_, at) | Step::Substituted(_, at) | Step::Inserted(at) => Some(*at),
            Step::Deleted(_) => None,
        })
        .unwrap_or((0, 0));
        Self {
            r0,
            h0,
            reference: &reference[r0..r1],
            hypothesis: &hypothesis[h0..h1],
        }
    }

    /// The fewest errors, then the most words kept.
    fn aligned(&self, is_kept: &dyn Fn(usize) -> bool) -> Vec<Step> {
        let (height, width) = (self.reference.len(), self.hypothesis.len() + 1);
        let kept: Vec<i64> = (0..height)
            .map(|at| i64::from(is_kept(self.r0 + at)))
            .collect();
        let mut cost = vec![0_i64; width * (height + 1)];
        for (at, cell) in cost[..width].iter_mut().enumerate() {
            *cell = ERROR * i64::try_from(at).unwrap_or(i64::MAX / ERROR);
        }
        let through = |line: usize, at: usize| {
            if self.reference[line] == self.hypothesis[at] {
                -kept[line]
            } else {
                ERROR
            }
        };
        for line in 0..height {
            let here = (line + 1) * width;
            cost[here] = cost[here - width] + ERROR;
            for at in 1..width {
                cost[here + at] = (cost[here - width + at - 1] + through(line, at - 1))
                    .min(cost[here - width + at] + ERROR)
                    .min(cost[here + at - 1] + ERROR);
            }
        }
        let mut backwards = Vec::with_capacity(height.max(width));
        let (mut r, mut h) = (height, width - 1);
        while r > 0 || h > 0 {
            let here = cost[r * width + h];
            if r > 0 && h > 0 && cost[(r - 1) * width + h - 1] + through(r - 1, h - 1) == here {
                (r, h) = (r - 1, h - 1);
                backwards.push(if self.reference[r] == self.hypothesis[h] {
                    Step::Equal(self.r0 + r, self.h0 + h)
                } else {
                    Step::Substituted(self.r0 + r, self.h0 + h)
                });
            } else if r > 0 && cost[(r - 1) * width + h] + ERROR == here {
                r -= 1;
                backwards.push(Step::Deleted(self.r0 + r));
            } else {
                h -= 1;
                backwards.push(Step::Inserted(self.h0 + h));
            }
        }
        backwards.reverse();
        backwards
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::compare::metrics::alignment::{ErrorCounts, align_numbers};

    fn lost(steps: &[Step], reference: &[u32], word: u32) -> usize {
        let is_lost = |step: &&Step| match step {
            Step::Substituted(at, _) | Step::Deleted(at) => reference[*at] == word,
            Step::Equal(..) | Step::Inserted(_) => false,
        };
        steps.iter().filter(is_lost).count()
    }

    #[test]
    fn a_word_heard_beside_a_number_does_not_cost_the_number() {
        // 9 is the number: there 14 um people / there um 14 people.
        let (reference, hypothesis) = ([1, 9, 2, 3], [1, 2, 9, 3]);
        let steps = align_numbers(&reference, &hypothesis);
        assert_eq!(lost(&steps, &reference, 9), 1);
        let kept = keep(steps, &reference, &hypothesis, &|at| reference[at] == 9);
        assert_eq!(lost(&kept, &reference, 9), 0);
        assert_eq!(ErrorCounts::of(&kept).errors(), 2);
    }

    #[test]
    fn numbers_that_change_places_are_still_changed() {
        // 14 apples 15 pears / 15 apples 14 pears, and 14 15 / 15 14.
        for (reference, hypothesis) in [
            (vec![8, 1, 9, 2], vec![9, 1, 8, 2]),
            (vec![1, 8, 9, 2], vec![1, 9, 8, 2]),
        ] {
            let steps = align_numbers(&reference, &hypothesis);
            let kept = keep(steps, &reference, &hypothesis, &|at| reference[at] > 7);
            assert!(lost(&kept, &reference, 8) + lost(&kept, &reference, 9) > 0);
        }
    }

    proptest! {
        #[test]
        fn it_costs_no_error_and_loses_no_more(
            reference in vec(0_u32..5, 0..60),
            hypothesis in vec(0_u32..5, 0..60),
        ) {
            let steps = align_numbers(&reference, &hypothesis);
            let (errors, before) = (ErrorCounts::of(&steps).errors(), lost(&steps, &reference, 0));
            let kept = keep(steps, &reference, &hypothesis, &|at| reference[at] == 0);
            prop_assert_eq!(ErrorCounts::of(&kept).errors(), errors);
            prop_assert!(lost(&kept, &reference, 0) <= before);
            let left = kept.iter().filter_map(|step| match step {
                Step::Equal(left, right) => {
                    assert_eq!(reference[*left], hypothesis[*right]);
                    Some(*left)
                }
                Step::Substituted(left, _) | Step::Deleted(left) => Some(*left),
                Step::Inserted(_) => None,
            });
            prop_assert!(left.eq(0..reference.len()));
            let right = kept.iter().filter_map(|step| match step {
                Step::Equal(_, right) | Step::Substituted(_, right) | Step::Inserted(right) => Some(*right),
                Step::Deleted(_) => None,
            });
            prop_assert!(right.eq(0..hypothesis.len()));
        }
    }
}
