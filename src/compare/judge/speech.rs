//! What was said, by whom and when.

use serde_json::json;

use super::Finding;
use super::heard::Heard;
use super::spoken::{Spoken, normalised_names};
use crate::compare::difference::{Difference, DifferenceKind, TextDifference};
use crate::compare::metrics::alignment::{ErrorCounts, Step};
use crate::compare::metrics::attribution::speaker_attribution_error;
use crate::compare::metrics::cp::SpeakerErrors;
use crate::compare::metrics::diarization::{Forgiveness, Speech, diarization};
use crate::compare::metrics::drift::drift;
use crate::compare::metrics::orc::orc_after;
use crate::compare::metrics::tcp::{COLLAR_S, tcp};
use crate::compare::metrics::{characters, speakers as speakers_metric};
use crate::model::Outcome;

pub(super) fn words(control: &Outcome, heard: &Heard<'_>) -> Finding {
    let words = heard.words();
    let counts = ErrorCounts::of(&words.steps);
    let names = normalised_names(control);
    let differences = changed_words(&words.steps, &words.left, &words.right);
    let facts_changed = words
        .steps
        .iter()
        .filter(|step| is_fact_changed(step, &words.left, &words.right, &names))
        .count();
    let equal = heard.is_same_text();
    let mut texts = Vec::new();
    if !equal {
        texts.push(TextDifference::by_word(
            "/words",
            &words.left_text,
            &words.right_text,
        ));
    }
    let character_errors = if equal {
        Some(0.0)
    } else {
        characters::error_rate_along(
            &texts_of(&words.left),
            &texts_of(&words.right),
            &words.steps,
        )
    };
    Finding {
        equal,
        broken: if counts.rate().is_none() {
            vec![OUT_OF_SILENCE.to_owned()]
        } else {
            Vec::new()
        },
        numbers: vec![
            ("wer", counts.rate()),
            ("facts_changed", Some(facts_changed as f64)),
            ("passage", Some(longest_passage(&words.steps) as f64)),
            ("cer", character_errors),
            ("errors", Some(counts.errors() as f64)),
        ],
        differences,
        texts,
        ..Finding::default()
    }
}

const OUT_OF_SILENCE: &str = "text out of silence";

/// By label: a speaker is a track, so who speaks under which label is known.
pub(super) fn speakers(heard: &Heard<'_>) -> Finding {
    let words = heard.words();
    let labelled = |words: &[Spoken], numbers: &[u32]| -> Vec<(i64, u32)> {
        let speakers = words.iter().map(|word| word.speaker);
        speakers.zip(numbers.iter().copied()).collect()
    };
    let counts = speakers_metric::pooled(&speakers_metric::identity_errors(
        &labelled(&words.left, &words.left_numbers),
        &labelled(&words.right, &words.right_numbers),
    ));
    let (pair, paired) = heard.by_speaker();
    let moved_turns = speaker_attribution_error(paired, &orc_after(pair, paired));
    let matched = words.matched();
    let moved: Vec<&(usize, usize)> = matched
        .iter()
        .filter(|(l, r)| words.left[*l].speaker != words.right[*r].speaker)
        .collect();
    let differences = moved.iter().map(|&&(l, r)| Difference {
        path: format!("/words/{l}/speaker"),
        kind: DifferenceKind::SpeakerChanged,
        control: Some(json!(words.left[l].speaker)),
        candidate: Some(json!(words.right[r].speaker)),
    });
    Finding {
        equal: counts.errors() == 0,
        numbers: vec![
            ("speaker_wer", counts.rate()),
            (
                "misattributed",
                Some(moved.len() as f64 / matched.len().max(1) as f64),
            ),
            // Words out of silence are nobody's that could be given to another.
            ("attribution_error", Some(moved_turns.unwrap_or(0.0))),
            (
                "label_permutation",
                Some(counts.errors().saturating_sub(paired.errors) as f64),
            ),
        ],
        differences: differences.collect(),
        ..Finding::default()
    }
}

/// Whatever the labels are.
pub(super) fn words_by_speaker(heard: &Heard<'_>) -> Finding {
    let words = heard.words();
    let (pair, paired) = heard.by_speaker();
    let timed = tcp(pair, COLLAR_S);
    let rate = SpeakerErrors::rate_or_silence;
    let (left, right) = (speech(&words.left), speech(&words.right));
    let forgiving = |collar: f64| {
        let forgiveness = Forgiveness {
            collar,
            overlap: false,
        };
        Some(diarization(&left, &right, forgiveness).rate())
    };
    Finding {
        equal: paired.errors == 0 && timed.errors == 0,
        broken: if rate(paired).is_none() {
            vec![OUT_OF_SILENCE.to_owned()]
        } else {
            Vec::new()
        },
        numbers: vec![
            ("cp_wer", rate(paired)),
            ("tcp_wer", rate(&timed)),
            ("der", forgiving(0.0)),
            ("der_collar", forgiving(DER_COLLAR_S)),
        ],
        ..Finding::default()
    }
}

/// Seconds around each boundary in which nobody can say who speaks; half of them on either side.
const DER_COLLAR_S: f64 = 0.5;
/// A pause between two words that does not end a speaker's speech, in seconds.
const PAUSE_S: f64 = 0.5;

pub(super) fn word_times(control: &Outcome, candidate: &Outcome, heard: &Heard<'_>) -> Finding {
    let words = heard.words();
    let (left, right) = (&words.left, &words.right);
    if left.is_empty() && right.is_empty() {
        return Finding::equal();
    }
    let matched = words.matched();
    let pairs = |of: fn(&Spoken) -> f64| -> Vec<(f64, f64)> {
        matched
            .iter()
            .map(|&(l, r)| (of(&left[l]), of(&right[r])))
            .collect()
    };
    let (Some(starts), Some(ends)) = (
        drift(&pairs(|word| word.start)),
        drift(&pairs(|word| word.end)),
    ) else {
        return Finding::not_comparable("no word is the same on both sides, so none has two times");
    };
    let disordered = disordered(&candidate.words).saturating_sub(disordered_of(control));
    let differences = matched
        .iter()
        .filter(|&&(l, r)| is_apart(left[l].start, right[r].start))
        .map(|&(l, r)| Difference {
            path: format!("/words/{l}/start"),
            kind: DifferenceKind::TimeChanged,
            control: Some(json!(left[l].start)),
            candidate: Some(json!(right[r].start)),
        });
    Finding {
        equal: starts.max_abs <= 0.0 && ends.max_abs <= 0.0,
        numbers: vec![
            ("p95_s", Some(starts.p95_abs)),
            ("p95_end_s", Some(ends.p95_abs)),
            ("offset_s", Some(worst_offset(&matched, left, right))),
            ("disordered", Some(disordered as f64)),
            ("median_s", Some(starts.median_abs)),
            ("max_s", Some(starts.max_abs)),
        ],
        differences: differences.collect(),
        ..Finding::default()
    }
}

/// Words lost, or put in, one after the other. In a long meeting the rate alone forgives a minute.
fn longest_passage(steps: &[Step]) -> usize {
    let longest = |is: fn(&Step) -> bool| {
        let runs = steps.split(|step| !is(step));
        runs.map(<[Step]>::len).max().unwrap_or(0)
    };
    longest(|step| matches!(step, Step::Deleted(_)))
        .max(longest(|step| matches!(step, Step::Inserted(_))))
}

fn texts_of(words: &[Spoken]) -> Vec<&str> {
    words.iter().map(|word| word.text.as_str()).collect()
}

fn sides(step: &Step) -> (Option<usize>, Option<usize>) {
    match step {
        Step::Equal(left, right) | Step::Substituted(left, right) => (Some(*left), Some(*right)),
        Step::Deleted(left) => (Some(*left), None),
        Step::Inserted(right) => (None, Some(*right)),
    }
}

fn changed_words(steps: &[Step], left: &[Spoken], right: &[Spoken]) -> Vec<Difference> {
    let changed = steps.iter().filter(|step| !matches!(step, Step::Equal(..)));
    changed
        .map(|step| {
            let (l, r) = sides(step);
            let path = format!("/words/{}", l.or(r).unwrap_or(0));
            Difference::between(
                path,
                l.map(|at| json!(left[at].text)),
                r.map(|at| json!(right[at].text)),
            )
        })
        .collect()
}

fn is_fact_changed(step: &Step, left: &[Spoken], right: &[Spoken], names: &[String]) -> bool {
    let (l, r) = sides(step);
    !matches!(step, Step::Equal(..))
        && (l.is_some_and(|at| left[at].is_fact(names))
            || r.is_some_and(|at| right[at].is_fact(names)))
}

/// Half a millisecond: below it times are the same, however they were computed.
fn is_apart(left: f64, right: f64) -> bool {
    (left - right).abs() > 0.0005
}

/// The track that is off most: one late track hides in a median over all.
fn worst_offset(matched: &[(usize, usize)], left: &[Spoken], right: &[Spoken]) -> f64 {
    let mut speakers: Vec<i64> = left.iter().map(|word| word.speaker).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let offset = |speaker: i64| {
        let pairs: Vec<(f64, f64)> = matched
            .iter()
            .filter(|(l, _)| left[*l].speaker == speaker)
            .map(|&(l, r)| (left[l].start, right[r].start))
            .collect();
        drift(&pairs).map_or(0.0, |drift| drift.median_signed.abs())
    };
    speakers.into_iter().map(offset).fold(0.0, f64::max)
}

/// When each speaker speaks, over the pauses between words.
fn speech(words: &[Spoken]) -> Vec<Speech<i64>> {
    let mut order: Vec<&Spoken> = words.iter().collect();
    order.sort_by(|one, other| {
        let speakers = one.speaker.cmp(&other.speaker);
        speakers.then(one.start.total_cmp(&other.start))
    });
    let mut all: Vec<Speech<i64>> = Vec::new();
    for word in order {
        match all.last_mut() {
            Some(last) if last.0 == word.speaker && word.start <= last.2 + PAUSE_S => {
                last.2 = last.2.max(word.end);
            }
            Some(_) | None => all.push((word.speaker, word.start, word.end)),
        }
    }
    all
}

fn disordered_of(outcome: &Outcome) -> usize {
    disordered(&outcome.words)
}

/// Words that start after their successor (captions cannot be made of those) or end before they
/// start.
fn disordered(words: &[crate::model::Word]) -> usize {
    words
        .windows(2)
        .filter(|pair| pair[0].start > pair[1].start)
        .count()
        + words.iter().filter(|word| word.end < word.start).count()
}
