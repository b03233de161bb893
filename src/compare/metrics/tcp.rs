//! tcpWER: cpWER where a word can only be right, or another word's substitute, near the time at
//! which it was said. Words get their times from their segment by the number of characters, as in
//! `MeetEval`: an interval in the reference; in the hypothesis its centre, give or take the collar.

use super::cp::{SpeakerErrors, minimum_permutation};
use super::transcript::{Pair, Span};

/// Half a window's width in seconds, as people use it for meetings.
pub const COLLAR_S: f64 = 5.0;

/// The time-constrained minimum-permutation word errors; the collar is in seconds.
pub fn tcp(pair: &Pair, collar: f64) -> SpeakerErrors {
    let (reference, hypothesis) = (pair.reference.streams(), pair.hypothesis.streams());
    let spans = &pair.reference.spans;
    let windows: Vec<Vec<Span>> = pair
        .hypothesis
        .spans
        .iter()
        .map(|spans| {
            let window = |&(start, end): &Span| {
                let centre = f64::midpoint(end, start);
                (centre - collar, centre + collar)
            };
            spans.iter().map(window).collect()
        })
        .collect();
    minimum_permutation(&reference, &hypothesis, |row, column| {
        distance(
            Timed::new(&reference[row], &spans[row]),
            Timed::new(&hypothesis[column], &windows[column]),
        )
    })
}

/// Words with when each may have been said.
#[derive(Clone, Copy)]
struct Timed<'a> {
    words: &'a [u32],
    spans: &'a [Span],
}

impl<'a> Timed<'a> {
    fn new(words: &'a [u32], spans: &'a [Span]) -> Self {
        Self { words, spans }
    }
}

fn overlap(one: Span, other: Span) -> bool {
    one.0 < other.1 && one.1 > other.0
}

/// Levenshtein distance where only words that overlap in time may be paired. All words deleted and
/// inserted would cost both lengths; a pair of equal words saves two of that, a pair of others
/// one. So the best chain of pairs is looked for, and a word meets only those in its window:
/// linear in time where few words overlap, and in memory always.
fn distance(reference: Timed<'_>, hypothesis: Timed<'_>) -> usize {
    let windows = Windows::of(hypothesis.spans);
    // What the best chain saves with the first words of the hypothesis, as far as it is filled in;
    // with more of them it saves no less.
    let mut saved = vec![0_usize; hypothesis.words.len() + 1];
    let mut filled = 0;
    for (word, &span) in reference.words.iter().zip(reference.spans) {
        let (from, to) = windows.around(span);
        while filled < to {
            saved[filled + 1] = saved[filled];
            filled += 1;
        }
        let mut diagonal = saved.get(from).copied().unwrap_or(0);
        for at in from..to {
            let above = saved[at + 1];
            let mut best = above.max(saved[at]);
            if overlap(span, hypothesis.spans[at]) {
                best = best.max(diagonal + 1 + usize::from(*word == hypothesis.words[at]));
            }
            diagonal = above;
            saved[at + 1] = best;
        }
        let mut at = to;
        while from < to && at < filled && saved[at + 1] < saved[at] {
            saved[at + 1] = saved[at];
            at += 1;
        }
    }
    reference.words.len() + hypothesis.words.len() - saved[filled]
}

/// Where to look for what overlaps a span, in any order of spans.
struct Windows {
    latest_end_until: Vec<f64>,
    earliest_start_from: Vec<f64>,
}

impl Windows {
    fn of(spans: &[Span]) -> Self {
        let mut latest = f64::NEG_INFINITY;
        let mut earliest = f64::INFINITY;
        let latest_end_until = spans
            .iter()
            .map(|span| {
                latest = latest.max(span.1);
                latest
            })
            .collect();
        let mut earliest_start_from: Vec<f64> = spans
            .iter()
            .rev()
            .map(|span| {
                earliest = earliest.min(span.0);
                earliest
            })
            .collect();
        earliest_start_from.reverse();
        Self {
            latest_end_until,
            earliest_start_from,
        }
    }

    fn around(&self, (start, end): Span) -> (usize, usize) {
        let from = self
            .latest_end_until
            .partition_point(|&latest| latest <= start);
        let to = self
            .earliest_start_from
            .partition_point(|&earliest| earliest < end);
        (from, to.max(from))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The definition, every cell of the table.
    fn by_table(reference: Timed<'_>, hypothesis: Timed<'_>) -> usize {
        let mut row: Vec<usize> = (0..=hypothesis.words.len()).collect();
        for (line, (word, &span)) in reference.words.iter().zip(reference.spans).enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], line + 1);
            for at in 0..hypothesis.words.len() {
                let mut cost = row[at].min(row[at + 1]) + 1;
                if overlap(span, hypothesis.spans[at]) {
                    cost = cost.min(diagonal + usize::from(*word != hypothesis.words[at]));
                }
                diagonal = std::mem::replace(&mut row[at + 1], cost);
            }
        }
        row[hypothesis.words.len()]
    }

    proptest! {
        #[test]
        fn the_chain_costs_what_the_table_costs_whether_times_are_in_order_or_not(
            reference in vec((0_u32..4, 0.0..20.0, 0.0..2.0), 0..40),
            hypothesis in vec((0_u32..4, 0.0..20.0), 0..40),
            collar in 0.1..6.0,
            in_order in any::<bool>(),
        ) {
            let mut reference: Vec<(u32, f64, f64)> = reference;
            let mut hypothesis: Vec<(u32, f64)> = hypothesis;
            if in_order {
                reference.sort_by(|one, other| one.1.total_cmp(&other.1));
                hypothesis.sort_by(|one, other| one.1.total_cmp(&other.1));
            }
            let words: Vec<u32> = reference.iter().map(|word| word.0).collect();
            let spans: Vec<Span> = reference.iter().map(|word| (word.1, word.1 + word.2)).collect();
            let others: Vec<u32> = hypothesis.iter().map(|word| word.0).collect();
            let windows: Vec<Span> =
                hypothesis.iter().map(|word| (word.1 - collar, word.1 + collar)).collect();
            let (left, right) = (Timed::new(&words, &spans), Timed::new(&others, &windows));
            prop_assert_eq!(distance(left, right), by_table(left, right));
        }
    }
}
