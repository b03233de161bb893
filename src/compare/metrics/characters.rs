//! Character error rate.

use super::Map;
use super::alignment::{Step, align_numbers, numbered};
use super::corridor::{self, Run};

/// Levenshtein distance in code points.
pub fn distance(reference: &str, hypothesis: &str) -> usize {
    let left: Vec<&str> = reference.split(' ').collect();
    let right: Vec<&str> = hypothesis.split(' ').collect();
    let mut numbers = Map::default();
    let left_numbers = numbered(&mut numbers, left.iter().copied());
    let right_numbers = numbered(&mut numbers, right.iter().copied());
    along(&left, &right, &align_numbers(&left_numbers, &right_numbers)).0
}

/// Errors per character of the reference; none when that is empty and the hypothesis is not.
pub fn error_rate(reference: &str, hypothesis: &str) -> Option<f64> {
    rate(distance(reference, hypothesis), reference.chars().count())
}

/// The same of words with one blank between them, whose alignment is there already.
pub fn error_rate_along(reference: &[&str], hypothesis: &[&str], steps: &[Step]) -> Option<f64> {
    let (errors, length) = along(reference, hypothesis, steps);
    rate(errors, length)
}

fn rate(errors: usize, length: usize) -> Option<f64> {
    match (length, errors) {
        (0, 0) => Some(0.0),
        (0, _) => None,
        (length, errors) => Some(errors as f64 / length as f64),
    }
}

/// The distance, and the length of the reference. Equal words are equal letters: a path that is good
/// enough to look no further than around it.
fn along(reference: &[&str], hypothesis: &[&str], steps: &[Step]) -> (usize, usize) {
    let mut numbers = Map::default();
    let left = Letters::of(reference, &mut numbers);
    let right = Letters::of(hypothesis, &mut numbers);
    let mut runs: Vec<Run> = Vec::new();
    let (mut open, mut last) = (None, (usize::MAX, usize::MAX));
    let mut close = |open: &mut Option<(usize, usize)>, last: (usize, usize)| {
        if let Some((l, r)) = open.take() {
            runs.push(Run {
                reference: left.starts[l],
                hypothesis: right.starts[r],
                length: left.starts[last.0] + reference[last.0].chars().count() - left.starts[l],
            });
        }
    };
    for step in steps {
        if let Step::Equal(l, r) = *step {
            open.get_or_insert((l, r));
            last = (l, r);
        } else {
            close(&mut open, last);
        }
    }
    close(&mut open, last);
    let errors = corridor::distance(&left.all, &right.all, &runs);
    (errors, left.all.len())
}

/// Code points of words with one blank between them, as small numbers.
struct Letters {
    all: Vec<u32>,
    /// Where each word begins.
    starts: Vec<usize>,
}

impl Letters {
    fn of(words: &[&str], numbers: &mut Map<char, u32>) -> Self {
        const ASCII: usize = 128;
        let mut number = |letter: char| {
            if letter.is_ascii() {
                return u32::from(letter);
            }
            let next = u32::try_from(ASCII + numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(letter).or_insert(next)
        };
        let length: usize = words.iter().map(|word| word.len() + 1).sum();
        let mut all = Vec::with_capacity(length);
        let mut starts = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            if at > 0 {
                all.push(number(' '));
            }
            starts.push(all.len());
            all.extend(word.chars().map(&mut number));
        }
        Self { all, starts }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::alignment::align;
    use super::*;

    #[test]
    fn kitten_and_sitting_are_three_apart() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn an_accent_is_one_character() {
        assert_eq!(distance("café", "cafe"), 1);
        assert_eq!(error_rate("", "thanks"), None);
    }

    #[test]
    fn no_words_are_no_letters() {
        assert_eq!(error_rate_along(&[], &[], &[]), Some(0.0));
        assert_eq!(error_rate_along(&[], &["a"], &[Step::Inserted(0)]), None);
    }

    proptest! {
        #[test]
        fn going_by_words_first_changes_no_distance(
            left in "[abé ]{0,200}",
            right in "[abé ]{0,200}",
        ) {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let steps = align(&letters(&left), &letters(&right));
            let errors = steps.iter().filter(|step| !matches!(step, Step::Equal(..))).count();
            prop_assert_eq!(distance(&left, &right), errors);
        }
    }
}
