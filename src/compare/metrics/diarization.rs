//! Diarization error rate (NIST): time in which speech is missed, made up, or somebody else's, over
//! the time of speech. Labels are paired so that they agree for longest.

use std::collections::HashMap;
use std::hash::Hash;

use super::matching::cheapest;

/// Somebody speaks: label, and from when to when in seconds.
pub type Speech<L> = (L, f64, f64);

/// What is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forgiveness {
    /// Seconds around each boundary of the reference, half of them on either side.
    pub collar: f64,
    /// Whether to leave out where several speak at once in the reference.
    pub overlap: bool,
}

/// Seconds of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Diarization {
    /// Speech of the reference; two at once count twice.
    pub total: f64,
    /// Nobody speaks in the hypothesis.
    pub missed: f64,
    /// Nobody speaks in the reference.
    pub false_alarm: f64,
    /// Somebody else speaks.
    pub confusion: f64,
}

impl Diarization {
    /// The error rate. Without speech in the reference it is 0 without errors and 1 with some.
    pub fn rate(&self) -> f64 {
        let errors = self.missed + self.false_alarm + self.confusion;
        if self.total > 0.0 {
            errors / self.total
        } else if errors > 0.0 {
            1.0
        } else {
            0.0
        }
    }
}

/// What is shorter is no speech, in seconds; pyannote's precision.
const SHORTEST: f64 = 1e-6;

/// Takes how long something lasts, and how often each label of either side speaks meanwhile.
type Visit<'a> = dyn FnMut(f64, &[usize], &[usize]) + 'a;

/// Measures who speaks when, from the first to the last boundary of either side.
pub fn diarization<L: Copy + Eq + Hash>(
    reference: &[Speech<L>],
    hypothesis: &[Speech<L>],
    forgiveness: Forgiveness,
) -> Diarization {
    let (left, rows) = numbered(reference);
    let (right, columns) = numbered(hypothesis);
    let moments = moments(&left, &right, forgiveness);
    let mut together = vec![0.0; rows * columns];
    let sweep = |visit: &mut Visit<'_>| {
        let mut speaking = [vec![0; rows], vec![0; columns]];
        let (mut collars, mut before) = (0_usize, moments.first().map_or(0.0, |first| first.at));
        for moment in &moments {
            let seconds = moment.at - before;
            let several = speaking[0].iter().sum::<usize>() > 1;
            if seconds > 0.0 && collars == 0 && !(forgiveness.overlap && several) {
                visit(seconds, &speaking[0], &speaking[1]);
            }
            before = moment.at;
            match moment.what {
                What::Collar if moment.begins => collars += 1,
                What::Collar => collars -= 1,
                What::Speech { side, label } if moment.begins => speaking[side][label] += 1,
                What::Speech { side, label } => speaking[side][label] -= 1,
            }
        }
    };
    sweep(&mut |seconds, left, right| {
        for (row, here) in left.iter().enumerate().filter(|(_, here)| **here > 0) {
            for (column, there) in right.iter().enumerate().filter(|(_, there)| **there > 0) {
                together[row * columns + column] += seconds * (here * there) as f64;
            }
        }
    });
    let paired: Vec<(usize, usize)> = cheapest(rows, columns, |row, column| {
        -together[row * columns + column]
    })
    .into_iter()
    .filter(|(row, column)| together[row * columns + column] > 0.0)
    .collect();
    let mut found = Diarization::default();
    sweep(&mut |seconds, left, right| {
        let (here, there) = (left.iter().sum::<usize>(), right.iter().sum::<usize>());
        let agreed: usize = paired
            .iter()
            .map(|&(row, column)| left[row].min(right[column]))
            .sum();
        found.total += seconds * here as f64;
        found.missed += seconds * here.saturating_sub(there) as f64;
        found.false_alarm += seconds * there.saturating_sub(here) as f64;
        found.confusion += seconds * (here.min(there) - agreed) as f64;
    });
    found
}

/// Speech with its labels numbered, and how many labels there are.
fn numbered<L: Copy + Eq + Hash>(speech: &[Speech<L>]) -> (Vec<(usize, f64, f64)>, usize) {
    let mut labels: HashMap<L, usize> = HashMap::new();
    let long = speech
        .iter()
        .filter(|(_, start, end)| end - start > SHORTEST);
    let numbered = long
        .map(|&(label, start, end)| {
            let next = labels.len();
            (*labels.entry(label).or_insert(next), start, end)
        })
        .collect();
    (numbered, labels.len())
}

/// Something begins or ends.
struct Moment {
    at: f64,
    begins: bool,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// Time that is left out.
    Collar,
    /// Somebody's speech; side 0 is the reference.
    Speech { side: usize, label: usize },
}

fn moments(
    left: &[(usize, f64, f64)],
    right: &[(usize, f64, f64)],
    forgiveness: Forgiveness,
) -> Vec<Moment> {
    let mut moments = Vec::with_capacity(2 * (left.len() + right.len()));
    let mut span = |start: f64, end: f64, what: What| {
        moments.extend([(start, true), (end, false)].map(|(at, begins)| Moment {
            at,
            begins,
            what,
        }));
    };
    for (side, speech) in [left, right].into_iter().enumerate() {
        for &(label, start, end) in speech {
            span(start, end, What::Speech { side, label });
            if side == 0 && forgiveness.collar > 0.0 {
                let half = 0.5 * forgiveness.collar;
                span(start - half, start + half, What::Collar);
                span(end - half, end + half, What::Collar);
            }
        }
    }
    moments.sort_by(|one, other| {
        one.at
            .total_cmp(&other.at)
            .then(other.begins.cmp(&one.begins))
    });
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_count_and_silence_does() {
        let reference = [("a", 0.0, 5.0), ("b", 5.0, 9.0)];
        let hypothesis = [("x", 5.0, 8.0), ("y", 0.0, 5.0)];
        let found = diarization(&reference, &hypothesis, Forgiveness::default());
        assert_eq!(
            (found.total, found.missed, found.confusion),
            (9.0, 1.0, 0.0)
        );
        assert!((found.rate() - 1.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn speech_out_of_silence_is_all_wrong() {
        let found = diarization(&[], &[("x", 0.0, 2.0)], Forgiveness::default());
        assert!((found.rate() - 1.0).abs() < 1e-12);
        assert!(diarization::<&str>(&[], &[], Forgiveness::default()).rate() <= 0.0);
    }
}
