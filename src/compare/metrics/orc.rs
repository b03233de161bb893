//! ORC-WER: each turn of the reference goes to whichever of the hypothesis' speakers it costs least
//! with. What remains are errors of words alone; what cpWER has more is speech given to somebody
//! else (see `attribution`).
//!
//! The exact table has a dimension per speaker and serves texts of some sentences. For a meeting
//! turns are moved one by one from where cpWER puts them, each move counted at no more than it
//! saves, so the number is never below the exact one.

use std::ops::Range;

use super::alignment::{Step, align_numbers, distance};
use super::cp::{SpeakerErrors, cp};
use super::transcript::{Pair, Side};

/// Errors with turns where they cost least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Combination {
    /// Substitutions, deletions and insertions.
    pub errors: usize,
    /// Words of the reference.
    pub length: usize,
    /// Whether no combination has fewer errors; else one may.
    pub is_exact: bool,
}

impl Combination {
    /// Errors per word of the reference; none where that is empty.
    pub fn rate(&self) -> Option<f64> {
        (self.length > 0).then(|| self.errors as f64 / self.length as f64)
    }
}

/// Steps the exact table may take.
const TABLE_STEPS: usize = 1 << 24;

/// The optimal reference combination word errors: exact where the table is small.
pub fn orc(pair: &Pair) -> Combination {
    exact(pair, TABLE_STEPS).unwrap_or_else(|| from_above(pair, &cp(pair)))
}

/// The same for who has the pairing of speakers already.
pub fn orc_after(pair: &Pair, paired: &SpeakerErrors) -> Combination {
    exact(pair, TABLE_STEPS).unwrap_or_else(|| from_above(pair, paired))
}

/// By the table; none where it would take more steps.
pub fn exact(pair: &Pair, at_most: usize) -> Option<Combination> {
    let streams = pair.hypothesis.streams();
    let length = pair.reference.length();
    let cells = streams
        .iter()
        .try_fold(1_usize, |cells, stream| cells.checked_mul(stream.len() + 1))?;
    let steps = cells
        .checked_mul(length.max(1))?
        .checked_mul(streams.len().max(1))?;
    if steps > at_most {
        return None;
    }
    let mut axes = Vec::with_capacity(streams.len());
    let mut stride = 1;
    for stream in &streams {
        axes.push((stream.as_slice(), stride));
        stride *= stream.len() + 1;
    }
    // Every word of the hypothesis inserted, up to each cell.
    let at = |cell: usize, (stream, stride): (&[u32], usize)| cell / stride % (stream.len() + 1);
    let mut costs: Vec<usize> = (0..cells)
        .map(|cell| axes.iter().map(|&axis| at(cell, axis)).sum())
        .collect();
    for turn in &pair.reference.turns {
        // Without a speaker to go to, a turn is deleted.
        let moved = axes.iter().map(|&axis| along(&costs, axis, &turn.words));
        let best = moved.reduce(|one, other| {
            one.into_iter()
                .zip(other)
                .map(|(one, other)| one.min(other))
                .collect()
        });
        costs = best.unwrap_or_else(|| vec![costs[0] + turn.words.len()]);
    }
    Some(Combination {
        errors: costs[cells - 1],
        length,
        is_exact: true,
    })
}

/// The table after a turn's words went to one speaker.
fn along(costs: &[usize], (stream, stride): (&[u32], usize), words: &[u32]) -> Vec<usize> {
    let mut costs = costs.to_vec();
    let width = stream.len() + 1;
    for base in (0..costs.len()).filter(|cell| cell / stride % width == 0) {
        for word in words {
            let mut diagonal = costs[base];
            costs[base] += 1;
            for (at, other) in stream.iter().enumerate() {
                let cell = base + (at + 1) * stride;
                let cost = (diagonal + usize::from(word != other))
                    .min(costs[cell] + 1)
                    .min(costs[cell - stride] + 1);
                diagonal = std::mem::replace(&mut costs[cell], cost);
            }
        }
    }
    costs
}

/// Words of the hypothesis' row that the pairing leaves over, between turns of its speaker.
#[derive(Clone, Debug)]
struct Gap {
    /// Where in the row.
    run: Range<usize>,
    /// Turns of others that would lie here in the order of the reference.
    turns: Range<usize>,
}

/// What a turn came to under the pairing.
struct Placed {
    turn: usize,
    /// The speaker of the hypothesis that it is paired with.
    column: Option<usize>,
    deleted: usize,
    /// Words of the hypothesis that would be left over without it.
    kept: usize,
}

fn from_above(pair: &Pair, paired: &SpeakerErrors) -> Combination {
    let streams = pair.hypothesis.streams();
    let mut errors = paired.errors;
    let mut gaps: Vec<Vec<Gap>> = vec![Vec::new(); streams.len()];
    let mut placed: Vec<Placed> = Vec::new();
    for &(row, column) in &paired.assignment {
        let stream = column.map_or(&[][..], |at| &streams[at]);
        let (turns, left_over) = place(&pair.reference, row, column, stream);
        placed.extend(turns);
        if let Some(column) = column {
            gaps[column] = left_over;
        }
    }
    placed.sort_unstable_by_key(|placed| placed.turn);
    for placed in placed
        .into_iter()
        .filter(|placed| placed.deleted > placed.kept)
    {
        let words = &pair.reference.turns[placed.turn].words;
        let mut best: Option<(usize, &mut Gap)> = None;
        for (stream, gaps) in gaps.iter_mut().enumerate() {
            let at = gaps.partition_point(|gap| gap.turns.end <= placed.turn);
            let Some(gap) = gaps
                .get_mut(at)
                .filter(|gap| gap.turns.contains(&placed.turn))
            else {
                continue;
            };
            let left = distance(words, &streams[stream][gap.run.clone()]);
            let saves = (gap.run.len() + placed.deleted).saturating_sub(left + placed.kept);
            if Some(stream) != placed.column && saves > best.as_ref().map_or(0, |best| best.0) {
                best = Some((saves, gap));
            }
        }
        if let Some((saves, gap)) = best {
            errors -= saves;
            gap.run = 0..0;
        }
    }
    Combination {
        errors,
        length: paired.length,
        is_exact: false,
    }
}

/// A speaker's turns against a row of the hypothesis, and what is left over of the row.
fn place(
    side: &Side,
    speaker: Option<usize>,
    column: Option<usize>,
    stream: &[u32],
) -> (Vec<Placed>, Vec<Gap>) {
    let mut turns: Vec<Placed> = Vec::new();
    let (mut words, mut nth_of) = (Vec::new(), Vec::new());
    for (turn, said) in side.turns.iter().enumerate() {
        if Some(said.speaker) != speaker {
            continue;
        }
        words.extend_from_slice(&said.words);
        nth_of.extend(std::iter::repeat_n(turns.len(), said.words.len()));
        turns.push(Placed {
            turn,
            column,
            deleted: 0,
            kept: 0,
        });
    }
    let mut gaps: Vec<Gap> = Vec::new();
    let (mut run, mut from) = (0..0, 0);
    let mut close = |run: &mut Range<usize>, turns: Range<usize>| {
        let run = std::mem::take(run);
        if !run.is_empty() && !turns.is_empty() {
            gaps.push(Gap { run, turns });
        }
    };
    for step in align_numbers(&words, stream) {
        match step {
            Step::Equal(left, _) | Step::Substituted(left, _) => {
                let placed = &mut turns[nth_of[left]];
                placed.kept += 1;
                close(&mut run, from..placed.turn);
                from = placed.turn + 1;
            }
            Step::Deleted(left) => turns[nth_of[left]].deleted += 1,
            Step::Inserted(right) if run.is_empty() => run = right..right + 1,
            Step::Inserted(right) => run.end = right + 1,
        }
    }
    close(&mut run, from..usize::MAX);
    (turns, gaps)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::transcript::Segment;
    use super::*;

    fn segments(turns: &[(usize, Vec<u8>)]) -> Vec<Segment> {
        let numbered = turns.iter().enumerate();
        numbered
            .map(|(at, (speaker, words))| Segment {
                speaker: speaker.to_string(),
                start: at as f64,
                end: at as f64 + 1.0,
                words: words.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }

    #[test]
    fn a_turn_given_to_somebody_else_costs_nothing() {
        let reference = segments(&[(0, vec![1, 2, 3]), (1, vec![4, 5]), (0, vec![6, 7])]);
        let hypothesis = segments(&[(0, vec![1, 2, 3]), (0, vec![4, 5]), (0, vec![6, 7])]);
        let pair = Pair::new(&reference, &hypothesis);
        assert_eq!(exact(&pair, usize::MAX).map(|found| found.errors), Some(0));
        assert_eq!(
            (cp(&pair).errors, from_above(&pair, &cp(&pair)).errors),
            (4, 0)
        );
    }

    proptest! {
        #[test]
        fn from_above_lies_between_the_exact_one_and_the_pairing(
            reference in vec((0_usize..3, vec(0_u8..5, 0..4)), 0..8),
            hypothesis in vec((0_usize..3, vec(0_u8..5, 0..4)), 0..8),
        ) {
            let pair = Pair::new(&segments(&reference), &segments(&hypothesis));
            let exact = exact(&pair, usize::MAX).expect("no bound").errors;
            let paired = cp(&pair);
            let above = from_above(&pair, &paired).errors;
            prop_assert!(exact <= above && above <= paired.errors, "{exact} {above} {paired:?}");
        }
    }
}
