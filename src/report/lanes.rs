//! Who speaks when on either side, on one axis of time, with the words that differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{charts, transcript::speaker_name};
use crate::{
    compare::metrics::alignment::Step,
    model::{Outcome, Word},
};

/// Both sides' lanes.
#[derive(Serialize)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    ticks: Vec<charts::Tick>,
    /// Seconds from one end to the other.
    length: f64,
}

/// One speaker of one side.
#[derive(Serialize)]
struct Lane {
    side: &'static str,
    speaker: String,
    words: usize,
    changed_words: usize,
    said: Vec<Stretch>,
    changed: Vec<Stretch>,
}

/// From where to where, in percent of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Stretch {
    x: f64,
    width: f64,
}

/// Words closer than that, in percent, are one stretch.
const GAP: f64 = 0.15;

/// Lanes of whoever speaks on either side; none where nobody does.
pub(super) fn lanes(control: &Outcome, candidate: &Outcome, steps: &[Step]) -> Option<Lanes> {
    let length = charts::length(control).max(charts::length(candidate));
    if length <= 0.0 || (control.words.is_empty() && candidate.words.is_empty()) {
        return None;
    }
    let (mut left, mut right) = (BTreeSet::new(), BTreeSet::new());
    for step in steps {
        match *step {
            Step::Equal(l, r) if control.words[l].speaker == candidate.words[r].speaker => {}
            Step::Equal(l, r) | Step::Substituted(l, r) => {
                left.insert(l);
                right.insert(r);
            }
            Step::Deleted(l) => {
                left.insert(l);
            }
            Step::Inserted(r) => {
                right.insert(r);
            }
        }
    }
    let of = |side, words: &[Word], changed: &BTreeSet<usize>| -> Vec<Lane> {
        let mut speakers: BTreeMap<i64, Vec<(usize, &Word)>> = BTreeMap::new();
        for (at, word) in words.iter().enumerate() {
            speakers.entry(word.speaker).or_default().push((at, word));
        }
        let lane = |(speaker, words): (i64, Vec<(usize, &Word)>)| {
            let told: Vec<&Word> = words
                .iter()
                .filter(|one| changed.contains(&one.0))
                .map(|one| one.1)
                .collect();
            Lane {
                side,
                speaker: speaker_name(control, speaker),
                words: words.len(),
                changed_words: told.len(),
                changed: stretches(told.into_iter(), length),
                said: stretches(words.into_iter().map(|one| one.1), length),
            }
        };
        speakers.into_iter().map(lane).collect()
    };
    let mut lanes = of("Control", &control.words, &left);
    lanes.extend(of("Candidate", &candidate.words, &right));
    Some(Lanes {
        lanes,
        ticks: charts::ticks(length),
        length,
    })
}

fn stretches<'a>(words: impl Iterator<Item = &'a Word>, length: f64) -> Vec<Stretch> {
    let percent = |seconds: f64| (seconds / length * 1000.0).round() / 10.0;
    let mut all: Vec<Stretch> = Vec::new();
    for word in words {
        let (from, to) = (percent(word.start), percent(word.end.max(word.start)));
        match all.last_mut() {
            Some(last) if from >= last.x && from - (last.x + last.width) <= GAP => {
                last.width = last.width.max(to - last.x);
            }
            _ => all.push(Stretch {
                x: from,
                width: (to - from).max(0.2),
            }),
        }
    }
    // Subtracting leaves digits that nobody sees.
    for one in &mut all {
        one.width = (one.width * 10.0).round() / 10.0;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{fixture::standup, metrics::alignment::align};

    fn of(control: &Outcome, candidate: &Outcome) -> Option<Lanes> {
        let texts = |words: &[Word]| -> Vec<String> {
            words
                .iter()
                .map(|word| word.text.trim().to_owned())
                .collect()
        };
        let steps = align(&texts(&control.words), &texts(&candidate.words));
        lanes(control, candidate, &steps)
    }

    #[test]
    fn what_is_close_together_is_one_stretch() {
        let word = |start, end| Word {
            text: "so".to_owned(),
            start,
            end,
            speaker: 0,
        };
        let words = [word(0.0, 10.0), word(10.1, 20.0), word(50.0, 50.0)];
        let at = |x, width| Stretch { x, width };
        assert_eq!(
            stretches(words.iter(), 100.0),
            [at(0.0, 20.0), at(50.0, 0.2)]
        );
    }

    #[test]
    fn a_word_of_somebody_else_is_marked_on_both_sides() {
        let control = standup();
        let mut candidate = control.clone();
        let other = candidate
            .words
            .iter()
            .map(|word| word.speaker)
            .max()
            .expect("somebody");
        let first = candidate
            .words
            .iter_mut()
            .find(|word| word.speaker != other);
        first.expect("another").speaker = other;
        let lanes = of(&control, &candidate).expect("they speak");
        let changed = |side| -> usize {
            let lanes = lanes.lanes.iter().filter(|lane| lane.side == side);
            lanes.map(|lane| lane.changed_words).sum()
        };
        assert_eq!((changed("Control"), changed("Candidate")), (1, 1));
        assert!(of(&Outcome::default(), &Outcome::default()).is_none());
    }
}
