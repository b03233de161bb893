//! cpWER: every speaker's words in one row, and speakers of both sides paired so that the errors
//! are fewest. Labels do not count; `speakers` has the rate where they do.

use super::alignment::distance;
use super::matching::cheapest;
use super::transcript::Pair;

/// Errors under the best pairing of speakers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerErrors {
    /// Substitutions, deletions and insertions.
    pub errors: usize,
    /// Words of the reference.
    pub length: usize,
    /// How many more speakers the reference has.
    pub missed_speakers: usize,
    /// How many more speakers the hypothesis has.
    pub extra_speakers: usize,
    /// Speakers of the reference.
    pub scored_speakers: usize,
    /// Who is who, by index; one side is none where it has fewer speakers.
    pub assignment: Vec<(Option<usize>, Option<usize>)>,
}

impl SpeakerErrors {
    /// Errors per word of the reference; none where that is empty.
    pub fn rate(&self) -> Option<f64> {
        (self.length > 0).then(|| self.errors as f64 / self.length as f64)
    }

    /// Errors per word of the reference; two silent sides agree.
    pub fn rate_or_silence(&self) -> Option<f64> {
        if self.length == 0 && self.errors == 0 {
            return Some(0.0);
        }
        self.rate()
    }
}

/// The concatenated minimum-permutation word errors.
pub fn cp(pair: &Pair) -> SpeakerErrors {
    let (reference, hypothesis) = (pair.reference.streams(), pair.hypothesis.streams());
    minimum_permutation(&reference, &hypothesis, |row, column| {
        distance(&reference[row], &hypothesis[column])
    })
}

/// Pairs speakers so that the distances add up to the least. Only distances that can matter are
/// measured: one that is at least as great as the words two speakers do not share stands for
/// itself until a pairing chooses it.
pub(super) fn minimum_permutation(
    reference: &[Vec<u32>],
    hypothesis: &[Vec<u32>],
    distance: impl Fn(usize, usize) -> usize,
) -> SpeakerErrors {
    let (rows, columns) = (reference.len(), hypothesis.len());
    let size = rows.max(columns);
    let (left, right) = (counted(reference), counted(hypothesis));
    let mut exact = vec![false; size * size];
    let mut costs = vec![0; size * size];
    for at in 0..size * size {
        let (row, column) = (at / size, at % size);
        exact[at] = row >= rows || column >= columns;
        costs[at] = match (reference.get(row), hypothesis.get(column)) {
            (Some(words), Some(others)) => {
                words.len().max(others.len()) - shared(&left[row], &right[column])
            }
            (Some(words), None) | (None, Some(words)) => words.len(),
            (None, None) => 0,
        };
    }
    let pairs = loop {
        let pairs = cheapest(size, size, |row, column| costs[row * size + column] as f64);
        let guessed: Vec<(usize, usize)> = pairs
            .iter()
            .copied()
            .filter(|(row, column)| !exact[row * size + column])
            .collect();
        if guessed.is_empty() {
            break pairs;
        }
        for (row, column) in guessed {
            exact[row * size + column] = true;
            costs[row * size + column] = distance(row, column);
        }
    };
    SpeakerErrors {
        errors: pairs
            .iter()
            .map(|(row, column)| costs[row * size + column])
            .sum(),
        length: reference.iter().map(Vec::len).sum(),
        missed_speakers: rows.saturating_sub(columns),
        extra_speakers: columns.saturating_sub(rows),
        scored_speakers: rows,
        assignment: pairs
            .into_iter()
            .map(|(row, column)| {
                (
                    (row < rows).then_some(row),
                    (column < columns).then_some(column),
                )
            })
            .collect(),
    }
}

/// Each row's words with how often they occur, by word.
fn counted(rows: &[Vec<u32>]) -> Vec<Vec<(u32, usize)>> {
    let count = |words: &Vec<u32>| {
        let mut sorted = words.clone();
        sorted.sort_unstable();
        let runs = sorted.chunk_by(|one, other| one == other);
        runs.map(|run| (run[0], run.len())).collect()
    };
    rows.iter().map(count).collect()
}

/// How many words two rows have in common, whatever their order.
fn shared(left: &[(u32, usize)], right: &[(u32, usize)]) -> usize {
    let (mut l, mut r, mut sum) = (0, 0, 0);
    while l < left.len() && r < right.len() {
        match left[l].0.cmp(&right[r].0) {
            std::cmp::Ordering::Less => l += 1,
            std::cmp::Ordering::Greater => r += 1,
            std::cmp::Ordering::Equal => {
                sum += left[l].1.min(right[r].1);
                (l, r) = (l + 1, r + 1);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn permuted_labels_cost_nothing_and_a_speaker_too_many_his_words() {
        let reference = vec![vec![0, 1, 2], vec![3, 4]];
        let hypothesis = vec![vec![3, 4], vec![0, 1, 2], vec![5]];
        let found = minimum_permutation(&reference, &hypothesis, |row, column| {
            distance(&reference[row], &hypothesis[column])
        });
        assert_eq!(
            (found.errors, found.length, found.extra_speakers),
            (1, 5, 1)
        );
        let assignment = [(Some(0), Some(1)), (Some(1), Some(0)), (None, Some(2))];
        assert_eq!(found.assignment, assignment);
    }

    proptest! {
        #[test]
        fn guessing_first_finds_no_worse_pairing(
            reference in vec(vec(0_u32..5, 0..12), 0..5),
            hypothesis in vec(vec(0_u32..5, 0..12), 0..5),
        ) {
            let size = reference.len().max(hypothesis.len());
            let none = Vec::new();
            let cost = |row: usize, column: usize| {
                let side = |rows: &[Vec<u32>], at: usize| rows.get(at).unwrap_or(&none).clone();
                distance(&side(&reference, row), &side(&hypothesis, column))
            };
            let all = cheapest(size, size, |row, column| cost(row, column) as f64);
            let least: usize = all.into_iter().map(|(row, column)| cost(row, column)).sum();
            let found = minimum_permutation(&reference, &hypothesis, |row, column| {
                distance(&reference[row], &hypothesis[column])
            });
            prop_assert_eq!(found.errors, least);
        }
    }
}
