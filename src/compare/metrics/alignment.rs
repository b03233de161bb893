//! Which words of the reference are which words of the hypothesis, with the fewest errors
//! (Levenshtein), and the word error rate that follows.

use std::collections::HashMap;
use std::hash::Hash;

/// One step of an alignment; the numbers are positions in reference and hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The same word on both sides.
    Equal(usize, usize),
    /// Another word in its place.
    Substituted(usize, usize),
    /// Only in the reference.
    Deleted(usize),
    /// Only in the hypothesis.
    Inserted(usize),
}

/// How many steps of each sort an alignment has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounts {
    /// Equal words.
    pub hits: usize,
    /// Words that became another.
    pub substitutions: usize,
    /// Words that are missing.
    pub deletions: usize,
    /// Words that were added.
    pub insertions: usize,
}

impl ErrorCounts {
    /// Counts the steps.
    pub fn of(steps: &[Step]) -> Self {
        let mut counts = Self::default();
        for step in steps {
            match step {
                Step::Equal(..) => counts.hits += 1,
                Step::Substituted(..) => counts.substitutions += 1,
                Step::Deleted(_) => counts.deletions += 1,
                Step::Inserted(_) => counts.insertions += 1,
            }
        }
        counts
    }

    /// Adds another recording's counts: rates are pooled, never averaged.
    pub fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }

    /// All that is not a hit.
    pub const fn errors(self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// Length of the reference.
    pub const fn reference(self) -> usize {
        self.hits + self.substitutions + self.deletions
    }

    /// Errors per reference word. None when the reference is empty and the hypothesis is not:
    /// text out of silence has no rate.
    pub fn rate(self) -> Option<f64> {
        match (self.reference(), self.errors()) {
            (0, 0) => Some(0.0),
            (0, _) => None,
            (reference, errors) => Some(errors as f64 / reference as f64),
        }
    }
}

/// Above this many cells the table is split (Hirschberg), so memory stays at some megabytes.
const TABLE_CELLS: usize = 1 << 23;

/// The alignment with the fewest errors.
pub fn align<T: Eq + Hash>(reference: &[T], hypothesis: &[T]) -> Vec<Step> {
    let mut numbers = HashMap::new();
    let reference = numbered(&mut numbers, reference);
    let hypothesis = numbered(&mut numbers, hypothesis);
    let mut steps = Vec::with_capacity(reference.len().max(hypothesis.len()));
    align_into(&mut steps, (0, &reference), (0, &hypothesis));
    steps
}

/// Comparing numbers is cheaper than comparing words, and a long meeting compares millions.
fn numbered<'a, T: Eq + Hash>(numbers: &mut HashMap<&'a T, usize>, items: &'a [T]) -> Vec<usize> {
    items
        .iter()
        .map(|item| {
            let next = numbers.len();
            *numbers.entry(item).or_insert(next)
        })
        .collect()
}

/// A slice with the position it starts at.
type Part<'a> = (usize, &'a [usize]);

fn align_into(steps: &mut Vec<Step>, (r0, reference): Part, (h0, hypothesis): Part) {
    let head = common(reference.iter().zip(hypothesis));
    steps.extend((0..head).map(|at| Step::Equal(r0 + at, h0 + at)));
    let (r0, h0) = (r0 + head, h0 + head);
    let (reference, hypothesis) = (&reference[head..], &hypothesis[head..]);
    let tail = common(reference.iter().rev().zip(hypothesis.iter().rev()));
    let (r_end, h_end) = (reference.len() - tail, hypothesis.len() - tail);

    let (r_mid, h_mid) = (&reference[..r_end], &hypothesis[..h_end]);
    if r_mid.len() < 2 || (r_mid.len() + 1) * (h_mid.len() + 1) <= TABLE_CELLS {
        align_by_table(steps, (r0, r_mid), (h0, h_mid));
    } else {
        let half = r_mid.len() / 2;
        let split = best_split(&r_mid[..half], &r_mid[half..], h_mid);
        align_into(steps, (r0, &r_mid[..half]), (h0, &h_mid[..split]));
        align_into(
            steps,
            (r0 + half, &r_mid[half..]),
            (h0 + split, &h_mid[split..]),
        );
    }
    steps.extend((0..tail).map(|at| Step::Equal(r0 + r_end + at, h0 + h_end + at)));
}

fn common<'a>(pairs: impl Iterator<Item = (&'a usize, &'a usize)>) -> usize {
    pairs.take_while(|(left, right)| left == right).count()
}

/// Where to cut the hypothesis so that both halves together cost least. Two transcripts of one
/// meeting lie close to the diagonal, so a band around it is tried first (Ukkonen): a path that
/// costs no more than the band is wide cannot leave it.
fn best_split(first: &[usize], second: &[usize], hypothesis: &[usize]) -> usize {
    let second: Vec<usize> = second.iter().rev().copied().collect();
    let backwards: Vec<usize> = hypothesis.iter().rev().copied().collect();
    let reference = first.len() + second.len();
    let mut band = NARROW_BAND.max(reference.abs_diff(hypothesis.len()));
    loop {
        let forward = last_row(first, hypothesis, band);
        let backward = last_row(&second, &backwards, band);
        let cost = |at: usize| forward[at].saturating_add(backward[hypothesis.len() - at]);
        let split = (0..=hypothesis.len())
            .min_by_key(|&at| cost(at))
            .unwrap_or(0);
        if cost(split) <= band || band >= reference.max(hypothesis.len()) {
            return split;
        }
        band *= 2;
    }
}

const NARROW_BAND: usize = 256;
const OUTSIDE: usize = usize::MAX / 2;

/// Costs of aligning the whole reference with each beginning of the hypothesis, as far as the
/// path stays in the band.
fn last_row(reference: &[usize], hypothesis: &[usize], band: usize) -> Vec<usize> {
    let mut row: Vec<usize> = (0..=hypothesis.len())
        .map(|at| if at <= band { at } else { OUTSIDE })
        .collect();
    for (line, word) in (1_usize..).zip(reference) {
        let from = line.saturating_sub(band).max(1);
        let to = hypothesis.len().min(line + band);
        if from > to + 1 {
            return vec![OUTSIDE; hypothesis.len() + 1];
        }
        let mut diagonal = row[from - 1];
        row[from - 1] = if line <= band { line } else { OUTSIDE };
        for at in from..=to {
            let cost = (diagonal + usize::from(*word != hypothesis[at - 1]))
                .min(row[at - 1] + 1)
                .min(row[at] + 1);
            diagonal = std::mem::replace(&mut row[at], cost);
        }
    }
    // What lies left of the band was last written by an earlier row.
    let left = reference.len().saturating_sub(band).min(row.len());
    row[..left].fill(OUTSIDE);
    row
}

fn align_by_table(steps: &mut Vec<Step>, (r0, reference): Part, (h0, hypothesis): Part) {
    let width = hypothesis.len() + 1;
    let mut cost = vec![0_u32; width * (reference.len() + 1)];
    for (at, cell) in cost[..width].iter_mut().enumerate() {
        *cell = u32::try_from(at).unwrap_or(u32::MAX);
    }
    for (line, word) in reference.iter().enumerate() {
        let (above, here) = cost[line * width..(line + 2) * width].split_at_mut(width);
        here[0] = above[0] + 1;
        for (at, other) in hypothesis.iter().enumerate() {
            here[at + 1] = (above[at] + u32::from(word != other))
                .min(above[at + 1] + 1)
                .min(here[at] + 1);
        }
    }

    let mut backwards = Vec::with_capacity(reference.len().max(hypothesis.len()));
    let (mut r, mut h) = (reference.len(), hypothesis.len());
    while r > 0 || h > 0 {
        let here = cost[r * width + h];
        let diagonal = (r > 0 && h > 0).then(|| cost[(r - 1) * width + h - 1]);
        if diagonal == Some(here) && reference[r - 1] == hypothesis[h - 1] {
            (r, h) = (r - 1, h - 1);
            backwards.push(Step::Equal(r0 + r, h0 + h));
        } else if diagonal.is_some_and(|cost| cost + 1 == here) {
            (r, h) = (r - 1, h - 1);
            backwards.push(Step::Substituted(r0 + r, h0 + h));
        } else if r > 0 && cost[(r - 1) * width + h] + 1 == here {
            r -= 1;
            backwards.push(Step::Deleted(r0 + r));
        } else {
            h -= 1;
            backwards.push(Step::Inserted(h0 + h));
        }
    }
    steps.extend(backwards.into_iter().rev());
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn counts(reference: &str, hypothesis: &str) -> ErrorCounts {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        ErrorCounts::of(&align(&words(reference), &words(hypothesis)))
    }

    #[test]
    fn a_lost_word_is_one_deletion() {
        let counts = counts("the launch is on monday", "the launch is monday");
        assert_eq!((counts.hits, counts.deletions, counts.errors()), (4, 1, 1));
    }

    #[test]
    fn text_out_of_silence_has_no_rate() {
        let steps = align(&[], &["thank", "you"]);
        assert_eq!(ErrorCounts::of(&steps).insertions, 2);
        assert_eq!(ErrorCounts::of(&steps).rate(), None);
    }

    #[test]
    fn a_long_meeting_is_split_without_costing_more_errors() {
        // Two texts without common ends, larger than one table; every seventh word differs.
        let reference: Vec<usize> = (0..4000).map(|at| at % 97).collect();
        let mut hypothesis = reference.clone();
        hypothesis
            .iter_mut()
            .step_by(7)
            .for_each(|word| *word = 1000);
        hypothesis.insert(0, 2000);
        hypothesis.push(2001);
        let steps = align(&reference, &hypothesis);
        assert!(reference.len() * hypothesis.len() > TABLE_CELLS);
        assert_eq!(ErrorCounts::of(&steps).errors(), 4000_usize.div_ceil(7) + 2);
    }

    proptest! {
        #[test]
        fn a_split_costs_no_more_than_the_whole(
            reference in vec(0_usize..6, 2..80),
            hypothesis in vec(0_usize..6, 0..80),
        ) {
            let whole = ErrorCounts::of(&align(&reference, &hypothesis)).errors();
            let (first, second) = reference.split_at(reference.len() / 2);
            let split = best_split(first, second, &hypothesis);
            let half = |left: &[usize], right: &[usize]| ErrorCounts::of(&align(left, right)).errors();
            let halves = half(first, &hypothesis[..split]) + half(second, &hypothesis[split..]);
            prop_assert_eq!(halves, whole);
        }

        #[test]
        fn inside_its_band_a_row_costs_what_the_alignment_costs(
            reference in vec(0_usize..4, 0..40),
            hypothesis in vec(0_usize..4, 0..40),
            band in 1_usize..40,
        ) {
            let cost = ErrorCounts::of(&align(&reference, &hypothesis)).errors();
            let banded = last_row(&reference, &hypothesis, band)[hypothesis.len()];
            if cost <= band {
                prop_assert_eq!(banded, cost);
            } else {
                prop_assert!(banded > band);
            }
        }
    }
}
