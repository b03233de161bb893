//! Which words of the reference are which words of the hypothesis, with the fewest errors
//! (Levenshtein), and the word error rate that follows.

use std::hash::Hash;

use super::Map;
use super::{bits, wavefront};

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

/// Up to this many cells one table is filled, whose ties always fall the same way.
const TABLE_CELLS: usize = 1 << 20;
/// What is cut smaller because the whole was too large need not be filled in tables of that size.
const PART_CELLS: usize = 1 << 12;

/// The alignment with the fewest errors. Memory stays at some megabytes however long the texts.
pub fn align<T: Eq + Hash>(reference: &[T], hypothesis: &[T]) -> Vec<Step> {
    let mut numbers = Map::default();
    let reference = numbered(&mut numbers, reference);
    let hypothesis = numbered(&mut numbers, hypothesis);
    align_numbers(&reference, &hypothesis)
}

/// The same for words that are numbers already.
pub fn align_numbers(reference: &[u32], hypothesis: &[u32]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(reference.len().max(hypothesis.len()));
    align_into(&mut steps, (0, reference), (0, hypothesis), TABLE_CELLS);
    steps
}

/// With more errors, going by bits is faster than going by errors.
const FEW_ERRORS: usize = 1024;

/// The fewest errors, without the steps. Small numbers take the least memory.
pub fn distance(reference: &[u32], hypothesis: &[u32]) -> usize {
    let head = common(reference.iter().zip(hypothesis));
    let (reference, hypothesis) = (&reference[head..], &hypothesis[head..]);
    let tail = common(reference.iter().rev().zip(hypothesis.iter().rev()));
    let reference = &reference[..reference.len() - tail];
    let hypothesis = &hypothesis[..hypothesis.len() - tail];
    wavefront::middle(reference, hypothesis, FEW_ERRORS).map_or_else(
        || bits::distance(reference, hypothesis),
        |found| found.distance,
    )
}

/// Comparing numbers is cheaper than comparing words, and a long meeting compares millions.
pub(in crate::compare) fn numbered<'a, T: Eq + Hash + ?Sized>(
    numbers: &mut Map<&'a T, u32>,
    items: impl IntoIterator<Item = &'a T>,
) -> Vec<u32> {
    items
        .into_iter()
        .map(|item| {
            let next = u32::try_from(numbers.len()).expect("fewer words than that");
            *numbers.entry(item).or_insert(next)
        })
        .collect()
}

/// A slice with the position it starts at.
type Part<'a> = (usize, &'a [u32]);

fn align_into(
    steps: &mut Vec<Step>,
    (r0, reference): Part,
    (h0, hypothesis): Part,
    table_cells: usize,
) {
    let head = common(reference.iter().zip(hypothesis));
    steps.extend((0..head).map(|at| Step::Equal(r0 + at, h0 + at)));
    let (r0, h0) = (r0 + head, h0 + head);
    let (reference, hypothesis) = (&reference[head..], &hypothesis[head..]);
    let tail = common(reference.iter().rev().zip(hypothesis.iter().rev()));
    let (r_end, h_end) = (reference.len() - tail, hypothesis.len() - tail);

    let (r_mid, h_mid) = (&reference[..r_end], &hypothesis[..h_end]);
    let fits = (r_mid.len() + 1) * (h_mid.len() + 1) <= table_cells;
    if fits || r_mid.len() < 2 || h_mid.len() < 2 {
        align_by_table(steps, (r0, r_mid), (h0, h_mid));
    } else {
        let cut = wavefront::middle(r_mid, h_mid, usize::MAX).expect("no bound is given");
        let (first, second) = r_mid.split_at(cut.reference);
        let (before, after) = h_mid.split_at(cut.hypothesis);
        align_into(steps, (r0, first), (h0, before), PART_CELLS);
        align_into(
            steps,
            (r0 + cut.reference, second),
            (h0 + cut.hypothesis, after),
            PART_CELLS,
        );
    }
    steps.extend((0..tail).map(|at| Step::Equal(r0 + r_end + at, h0 + h_end + at)));
}

fn common<'a, T: Eq + 'a>(pairs: impl Iterator<Item = (&'a T, &'a T)>) -> usize {
    pairs.take_while(|(left, right)| left == right).count()
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
        fn a_cut_text_costs_no_more_than_a_whole_one(
            reference in vec(0_u32..6, 2..80),
            hypothesis in vec(0_u32..6, 0..80),
        ) {
            let whole = ErrorCounts::of(&align_numbers(&reference, &hypothesis)).errors();
            let mut steps = Vec::new();
            align_into(&mut steps, (0, &reference), (0, &hypothesis), 1);
            prop_assert_eq!(ErrorCounts::of(&steps).errors(), whole);
            let rebuilt = steps.iter().filter_map(|step| match step {
                Step::Equal(left, _) | Step::Substituted(left, _) | Step::Deleted(left) => Some(*left),
                Step::Inserted(_) => None,
            });
            prop_assert!(rebuilt.eq(0..reference.len()));
            prop_assert_eq!(distance(&reference, &hypothesis), whole);
        }
    }
}
