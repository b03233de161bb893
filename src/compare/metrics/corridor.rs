//! Levenshtein distance of two long texts of which a good path is known, such as the one that goes
//! along their words when letters are counted. Only a corridor around that path is looked at, and
//! the corridor is as wide as is proved to hold a best path.
//!
//! The proof. Let a path leave the known one at one place and come back to it at a later one. A few letters
//! in a row that both sides have there, and that the hypothesis has nowhere else nearby, are on the known
//! path; who avoids that path has an error in them. So between the two places it costs at least as many
//! errors as there are such rows, and where the known path has no more, following that is no worse. Where
//! it has more, it has at most so many: the *width*, the most of any such stretch. And who goes further
//! away than the width and comes back pays for both ways, less what the known path drifts: more than
//! the width. So some best path is never further away than that.
//!
//! Nearby: who pays fewer errors than the known path is never further from it than twice those.

use super::alignment;
use super::bits::{self, BLOCK, GUESSED_SHARE};

/// Items that are the same on both sides, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where in the reference.
    pub reference: usize,
    /// Where in the hypothesis.
    pub hypothesis: usize,
    /// How many.
    pub length: usize,
}

/// The fewest errors between two rows of small numbers. `known` are runs that are equal on both sides, in
/// order; the better they are, the less there is to do. What they are does not change the answer.
pub fn distance(reference: &[u32], hypothesis: &[u32], known: &[Run]) -> usize {
    let width = width(reference, hypothesis, known);
    // Then a band around the diagonal is no wider.
    if width > reference.len().max(hypothesis.len()) / GUESSED_SHARE / 2 {
        return alignment::distance(reference, hypothesis);
    }
    let edges = edges(reference, hypothesis, known);
    bits::within(reference, hypothesis, |rows| {
        let (lowest, _) = edges[rows.start / BLOCK];
        let (_, highest) = edges[rows.end.div_ceil(BLOCK)];
        lowest.saturating_sub(width)..highest + width
    })
}

/// What lies between two runs, or before the first, or behind the last.
struct Gap<'a> {
    reference: &'a [u32],
    hypothesis: &'a [u32],
}

impl Gap<'_> {
    /// The fewest of a short gap; of a long one what replacing item by item costs.
    fn errors(&self) -> usize {
        const SHORT: usize = 1 << 12;
        if self.reference.len() * self.hypothesis.len() > SHORT {
            return self.reference.len().max(self.hypothesis.len());
        }
        alignment::distance(self.reference, self.hypothesis)
    }
}

/// The path in pieces: what comes before each run, and the run. The last run is empty, at the end.
fn pieces<'a>(
    reference: &'a [u32],
    hypothesis: &'a [u32],
    known: &'a [Run],
) -> impl Iterator<Item = (Gap<'a>, Run)> + 'a {
    let end = Run {
        reference: reference.len(),
        hypothesis: hypothesis.len(),
        length: 0,
    };
    let mut at = (0_usize, 0_usize);
    known.iter().copied().chain([end]).map(move |run| {
        let gap = Gap {
            reference: &reference[at.0..run.reference],
            hypothesis: &hypothesis[at.1..run.hypothesis],
        };
        at = (run.reference + run.length, run.hypothesis + run.length);
        (gap, run)
    })
}

/// What is looked at for stretches with so many errors of the path at most, and for those with more.
/// The fewer there are, the nearer is what is nearby, and the fewer items tell a place from others.
const LEVELS: [Level; 3] = [
    Level {
        errors: 128,
        gram: 5,
    },
    Level {
        errors: 2048,
        gram: 8,
    },
    Level {
        errors: usize::MAX / 2,
        gram: 12,
    },
];

struct Level {
    errors: usize,
    /// Items in a row that are looked for as one.
    gram: usize,
}

/// The most errors of the path in any stretch in which they are more than the errors that avoiding
/// the path costs for certain.
fn width(reference: &[u32], hypothesis: &[u32], known: &[Run]) -> usize {
    let gaps: Vec<(usize, Run)> = pieces(reference, hypothesis, known)
        .map(|(gap, run)| (gap.errors(), run))
        .collect();
    let (mut width, mut settled) = (0, 0);
    for level in LEVELS {
        let repeated = repeated(hypothesis, level.gram, 2 * level.errors);
        let mut stretches = Stretches::new(settled);
        for &(errors, run) in &gaps {
            stretches.errors(errors);
            let end = run.hypothesis + run.length;
            let mut at = run.hypothesis;
            while at + level.gram <= end {
                if repeated[at] {
                    at += 1;
                } else {
                    stretches.unavoidable();
                    at += level.gram;
                }
            }
        }
        width = width.max(stretches.width);
        settled = level.errors;
    }
    width
}

/// Errors of the path, and errors of who avoids it, from the beginning up to each place.
struct Stretches {
    /// Stretches with no more errors of the path are of no interest.
    settled: usize,
    /// Errors of the path less errors of who avoids it, the least so far; never rises.
    least: Vec<i64>,
    errors: Vec<usize>,
    balance: i64,
    width: usize,
}

impl Stretches {
    fn new(settled: usize) -> Self {
        Self {
            settled,
            least: vec![0],
            errors: vec![0],
            balance: 0,
            width: 0,
        }
    }

    /// The path has so many errors here.
    fn errors(&mut self, count: usize) {
        self.balance += i64::try_from(count).unwrap_or(i64::MAX / 4);
        let so_far = self.so_far() + count;
        // The longest stretch that ends here and in which the path may have more errors. Of what is
        // unavoidable, the first and the last may lie in it by half.
        let begin = self
            .least
            .partition_point(|&least| least > self.balance + 1)
            .min(self.errors.len() - 1);
        let errors = so_far - self.errors[begin];
        if errors > self.settled {
            self.width = self.width.max(errors);
        }
        self.push(so_far);
    }

    /// Who avoids the path has an error here.
    fn unavoidable(&mut self) {
        self.balance -= 1;
        self.push(self.so_far());
    }

    fn so_far(&self) -> usize {
        self.errors.last().copied().unwrap_or(0)
    }

    fn push(&mut self, errors: usize) {
        let least = self.least.last().copied().unwrap_or(0);
        self.least.push(least.min(self.balance));
        self.errors.push(errors);
    }
}

/// For each place whether the items from there on may stand again nearby. Some that do not are said to.
fn repeated(text: &[u32], gram: usize, nearby: usize) -> Vec<bool> {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    const NOWHERE: usize = usize::MAX;
    let bits = (text.len() * 8)
        .next_power_of_two()
        .trailing_zeros()
        .clamp(8, 22);
    let leaving = (1..gram).fold(1_u64, |power, _| power.wrapping_mul(FACTOR));
    let mut last = vec![NOWHERE; 1 << bits];
    let mut repeated = vec![false; text.len()];
    let mut sum = 0_u64;
    for (at, &item) in text.iter().enumerate() {
        if let Some(first) = at.checked_sub(gram) {
            sum = sum.wrapping_sub(spread(text[first]).wrapping_mul(leaving));
        }
        sum = sum.wrapping_mul(FACTOR).wrapping_add(spread(item));
        let Some(begin) = (at + 1).checked_sub(gram) else {
            continue;
        };
        let mixed = (sum ^ (sum >> 29)).wrapping_mul(FACTOR) >> (64 - bits);
        let slot = usize::try_from(mixed).unwrap_or(0);
        let before = std::mem::replace(&mut last[slot], begin);
        if before != NOWHERE && begin - before <= nearby {
            (repeated[before], repeated[begin]) = (true, true);
        }
    }
    repeated
}

/// Neighbouring numbers far apart.
const fn spread(item: u32) -> u64 {
    (item as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The lowest and the highest column that the path can have at the first row of each block, and at the
/// end; between two runs it may be anywhere.
fn edges(reference: &[u32], hypothesis: &[u32], known: &[Run]) -> Vec<(usize, usize)> {
    let mut edges = vec![(usize::MAX, 0); reference.len().div_ceil(BLOCK) + 1];
    let mut widen = |row: usize, lowest: usize, highest: usize| {
        let edge = &mut edges[row / BLOCK];
        *edge = (edge.0.min(lowest), edge.1.max(highest));
    };
    let firsts = |from: usize, to: usize| (from.next_multiple_of(BLOCK)..=to).step_by(BLOCK);
    let mut at = (0_usize, 0_usize);
    for (_, run) in pieces(reference, hypothesis, known) {
        for row in firsts(at.0, run.reference) {
            widen(row, at.1, run.hypothesis);
        }
        for row in firsts(run.reference, run.reference + run.length) {
            let column = run.hypothesis + (row - run.reference);
            widen(row, column, column);
        }
        at = (run.reference + run.length, run.hypothesis + run.length);
    }
    if let Some(last) = edges.last_mut() {
        last.1 = hypothesis.len();
    }
    edges
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::alignment::{Step, align_numbers};
    use super::*;

    /// Runs of an alignment, one letter or more each.
    fn runs(steps: &[Step]) -> Vec<Run> {
        let equal = steps.iter().filter_map(|step| match step {
            Step::Equal(reference, hypothesis) => Some(Run {
                reference: *reference,
                hypothesis: *hypothesis,
                length: 1,
            }),
            Step::Substituted(..) | Step::Deleted(_) | Step::Inserted(_) => None,
        });
        let mut runs: Vec<Run> = Vec::new();
        for next in equal {
            match runs.last_mut() {
                Some(run)
                    if run.reference + run.length == next.reference
                        && run.hypothesis + run.length == next.hypothesis =>
                {
                    run.length += 1;
                }
                Some(_) | None => runs.push(next),
            }
        }
        runs
    }

    /// A text that says things again, and what somebody heard of it.
    fn heard() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
        let said = vec((0_usize..12, 0_u32..40), 200..700);
        let edits = vec((0.0_f64..1.0, 0_u8..4, 0_u32..40, 1_usize..60), 0..25);
        (said, edits).prop_map(|(said, edits)| {
            let mut reference: Vec<u32> = Vec::new();
            for (back, letter) in said {
                // Now and then the last half a hundred letters once more.
                if back == 0 && reference.len() > 60 {
                    reference.extend_from_within(reference.len() - 50..);
                } else {
                    reference.push(letter);
                }
            }
            let mut hypothesis = reference.clone();
            for (place, what, letter, count) in edits {
                let at = (place * hypothesis.len() as f64).floor();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an index"
                )]
                let at = at as usize;
                let until = (at + count).min(hypothesis.len());
                match what {
                    0 => drop(hypothesis.splice(at..until, [letter])),
                    1 => hypothesis.insert(at, letter),
                    2 => drop(hypothesis.splice(at..at, reference[..count].to_vec())),
                    _ => hypothesis[at..until].fill(letter),
                }
            }
            (reference, hypothesis)
        })
    }

    /// The same without the choice of a band around the diagonal, which hides what the proof says.
    fn in_the_corridor(reference: &[u32], hypothesis: &[u32], known: &[Run]) -> (usize, usize) {
        let width = width(reference, hypothesis, known);
        let edges = edges(reference, hypothesis, known);
        let found = bits::within(reference, hypothesis, |rows| {
            let (lowest, _) = edges[rows.start / BLOCK];
            let (_, highest) = edges[rows.end.div_ceil(BLOCK)];
            lowest.saturating_sub(width)..highest + width
        });
        (found, width)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(120))]
        #[test]
        fn the_corridor_holds_a_best_path(
            (reference, hypothesis) in heard(),
            kept in 0_usize..4,
        ) {
            let whole = bits::distance(&reference, &hypothesis);
            // A poorer path too: some runs of the best one are not told.
            let mut known = runs(&align_numbers(&reference, &hypothesis));
            if kept > 0 {
                let mut nth = 0;
                known.retain(|_| { nth += 1; nth % (kept + 1) != 0 });
            }
            prop_assert_eq!(in_the_corridor(&reference, &hypothesis, &known).0, whole);
            prop_assert_eq!(distance(&reference, &hypothesis, &known), whole);
            prop_assert_eq!(distance(&reference, &hypothesis, &[]), whole);
        }

        #[test]
        fn any_text_has_the_distance_of_the_whole_table(
            reference in vec(0_u32..3, 0..300),
            hypothesis in vec(0_u32..3, 0..300),
        ) {
            let whole = bits::distance(&reference, &hypothesis);
            let known = runs(&align_numbers(&reference, &hypothesis));
            prop_assert_eq!(in_the_corridor(&reference, &hypothesis, &known).0, whole);
        }
    }

    #[test]
    fn a_best_path_far_from_the_known_one_is_found() {
        // The same again and again, a little changed each time; the hypothesis lacks the first time.
        let mut time: Vec<u32> = (0..200).map(|at| at % 97).collect();
        let mut reference = Vec::new();
        for nth in 0..12_u32 {
            for at in 0..10 {
                time[usize::try_from(at * 20 + nth).expect("it is small")] = 100 + 10 * nth + at;
            }
            reference.extend_from_slice(&time);
        }
        let hypothesis = reference[200..].to_vec();
        let letter_by_letter: Vec<Run> = (0..hypothesis.len())
            .filter(|&at| reference[at] == hypothesis[at])
            .map(|at| Run {
                reference: at,
                hypothesis: at,
                length: 1,
            })
            .collect();
        assert_eq!(
            in_the_corridor(&reference, &hypothesis, &letter_by_letter).0,
            200
        );
    }

    #[test]
    fn a_long_text_with_few_errors_has_a_narrow_corridor() {
        let mut state = 7_u64;
        let mut draw = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            u32::try_from((state >> 33) % below).expect("it is small")
        };
        // Words of a language in which a few are said most of the time.
        let words: Vec<Vec<u32>> = (0..2000)
            .map(|_| (0..2 + draw(8)).map(|_| draw(20)).chain([30]).collect())
            .collect();
        let (mut reference, mut hypothesis) = (Vec::new(), Vec::new());
        for _ in 0..8000 {
            let commonness = u64::from(draw(40));
            let rank = draw(1 + 2000 * commonness / 40);
            let word = &words[rank as usize];
            reference.extend_from_slice(word);
            match draw(40) {
                0 => hypothesis.extend_from_slice(&words[draw(2000) as usize]),
                1 => {}
                _ => hypothesis.extend_from_slice(word),
            }
        }
        let known = runs(&align_numbers(&reference, &hypothesis));
        let (found, width) = in_the_corridor(&reference, &hypothesis, &known);
        assert_eq!(found, bits::distance(&reference, &hypothesis));
        assert!(width < found / 10, "{width} of {found}");
    }
}
