//! Greedy DI-cpWER: cpWER that forgives a diarizer for giving one speaker several labels. Each turn
//! of the hypothesis goes to whichever speaker of the reference it costs least with; turns are
//! moved one at a time until none gains, as `MeetEval` does: first with a substitution counted as a
//! deletion and an insertion, then with its own price.

use super::alignment::distance;
use super::matching::cheapest;
use super::orc::Combination;
use super::transcript::Pair;

/// Rounds at most; it settles after a few.
const ROUNDS: usize = 49;

/// The diarization-invariant concatenated minimum-permutation word errors, found greedily. Time
/// grows with the product of both lengths, so this is for texts of some thousand words.
pub fn greedy_di_cp(pair: &Pair) -> Combination {
    let streams = pair.reference.streams();
    let length = pair.reference.length();
    let turns: Vec<&[u32]> = pair
        .hypothesis
        .turns
        .iter()
        .map(|turn| turn.words.as_slice())
        .collect();
    let mut whose = first_guess(pair, &streams);
    let errors = if streams.is_empty() || turns.is_empty() {
        length + pair.hypothesis.length()
    } else {
        settle(&turns, &streams, &mut whose, 2);
        settle(&turns, &streams, &mut whose, 1)
    };
    Combination {
        errors,
        length,
        is_exact: false,
    }
}

/// Where cpWER puts each turn; who is paired with nobody goes to the nearest.
fn first_guess(pair: &Pair, streams: &[Vec<u32>]) -> Vec<usize> {
    let speakers = pair.hypothesis.streams();
    let size = speakers.len().max(streams.len());
    let none = Vec::new();
    let cost = |speaker: usize, stream: usize| {
        let words = speakers.get(speaker).unwrap_or(&none);
        distance(words, streams.get(stream).unwrap_or(&none))
    };
    let mut costs = vec![0; size * size];
    for (at, cell) in costs.iter_mut().enumerate() {
        *cell = cost(at / size, at % size);
    }
    let mut stream_of = vec![0; size];
    for (speaker, stream) in cheapest(size, size, |row, column| costs[row * size + column] as f64) {
        let nearest = || (0..streams.len()).min_by_key(|&to| costs[speaker * size + to]);
        stream_of[speaker] = if stream < streams.len() {
            stream
        } else {
            nearest().unwrap_or(0)
        };
    }
    let turns = pair.hypothesis.turns.iter();
    turns.map(|turn| stream_of[turn.speaker]).collect()
}

/// Costs of aligning what was said so far with each beginning of a row.
type Costs = Vec<usize>;

/// Moves turns until no move gains; the errors that are left.
fn settle(
    turns: &[&[u32]],
    streams: &[Vec<u32>],
    whose: &mut Vec<usize>,
    substitution: usize,
) -> usize {
    let mut errors = 0;
    for _ in 0..ROUNDS {
        let behind: Vec<Vec<Costs>> = streams
            .iter()
            .enumerate()
            .map(|(stream, words)| backwards(turns, whose, stream, words, substitution))
            .collect();
        let mut costs: Vec<usize> = behind.iter().map(|columns| columns[0][0]).collect();
        let mut passed = vec![0; streams.len()];
        let mut ahead: Vec<Costs> = streams
            .iter()
            .map(|words| (0..=words.len()).collect())
            .collect();
        let mut moved = Vec::with_capacity(turns.len());
        for (&turn, &current) in turns.iter().zip(whose.iter()) {
            let mut with_it = vec![0; streams.len()];
            let mut without = vec![0; streams.len()];
            let mut further = Vec::with_capacity(streams.len());
            for (stream, words) in streams.iter().enumerate() {
                let column = forward(ahead[stream].clone(), words, turn, substitution);
                let meet = |costs: &Costs, rest: &Costs| {
                    costs
                        .iter()
                        .zip(rest)
                        .map(|(one, other)| one + other)
                        .min()
                        .unwrap_or(0)
                };
                if stream == current {
                    with_it[stream] = costs[stream];
                    without[stream] = meet(&ahead[stream], &behind[stream][passed[stream] + 1]);
                } else {
                    with_it[stream] = meet(&column, &behind[stream][passed[stream]]);
                    without[stream] = costs[stream];
                }
                further.push(column);
            }
            // The substitution's price may make a turn cheaper than none.
            let gain =
                |stream: usize| with_it[stream].cast_signed() - without[stream].cast_signed();
            let mut best = (0..streams.len())
                .min_by_key(|&stream| gain(stream))
                .unwrap_or(current);
            if gain(best) == gain(current) {
                best = current;
            }
            ahead[best] = further.swap_remove(best);
            passed[current] += 1;
            if best != current {
                costs[best] = with_it[best];
                costs[current] = without[current];
            }
            moved.push(best);
        }
        errors = costs.iter().sum();
        if *whose == moved {
            break;
        }
        *whose = moved;
    }
    errors
}

/// For each of a stream's turns what it and all later ones cost with each end of the stream.
fn backwards(
    turns: &[&[u32]],
    whose: &[usize],
    stream: usize,
    words: &[u32],
    substitution: usize,
) -> Vec<Costs> {
    let turned: Vec<u32> = words.iter().rev().copied().collect();
    let mut column: Costs = (0..=words.len()).collect();
    let own = turns
        .iter()
        .zip(whose)
        .filter(|(_, whose)| **whose == stream);
    let mut columns: Vec<Costs> = vec![column.iter().rev().copied().collect()];
    for (turn, _) in own.rev() {
        let said: Vec<u32> = turn.iter().rev().copied().collect();
        column = forward(column, &turned, &said, substitution);
        columns.push(column.iter().rev().copied().collect());
    }
    columns.reverse();
    columns
}

fn forward(mut column: Costs, words: &[u32], turn: &[u32], substitution: usize) -> Costs {
    for said in turn {
        let mut diagonal = column[0];
        column[0] += 1;
        for (at, word) in words.iter().enumerate() {
            let cost = if word == said {
                diagonal
            } else {
                (diagonal + substitution)
                    .min(column[at] + 1)
                    .min(column[at + 1] + 1)
            };
            diagonal = std::mem::replace(&mut column[at + 1], cost);
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::super::transcript::Segment;
    use super::*;

    fn said(speaker: &str, at: f64, text: &str) -> Segment {
        Segment {
            speaker: speaker.to_owned(),
            start: at,
            end: at + 1.0,
            words: text.split(' ').map(str::to_owned).collect(),
        }
    }

    #[test]
    fn a_speaker_under_two_labels_is_forgiven() {
        let reference = [
            said("0", 0.0, "a"),
            said("0", 1.0, "b"),
            said("1", 2.0, "c"),
            said("1", 3.0, "d"),
        ];
        let hypothesis = [
            said("A", 0.0, "a"),
            said("B", 1.0, "b"),
            said("A", 2.0, "c"),
            said("B", 3.0, "d"),
        ];
        assert_eq!(greedy_di_cp(&Pair::new(&reference, &hypothesis)).errors, 0);
    }

    #[test]
    fn a_turn_that_is_half_anothers_is_not() {
        let reference = [
            said("A", 0.0, "a"),
            said("A", 1.0, "b"),
            said("B", 2.0, "c"),
            said("B", 3.0, "d"),
        ];
        let hypothesis = [said("A", 0.0, "a b"), said("A", 2.0, "b c d")];
        assert_eq!(greedy_di_cp(&Pair::new(&reference, &hypothesis)).errors, 1);
    }
}
