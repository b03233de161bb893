//! What was said, by whom and when.

use serde_json::json;

use super::Finding;
use super::spoken::{Spoken, normalised_names, spoken};
use crate::compare::difference::{Difference, DifferenceKind, TextDifference};
use crate::compare::metrics::alignment::{ErrorCounts, Step, align};
use crate::compare::metrics::drift::drift;
use crate::compare::metrics::{characters, facts, normaliser, speakers as speakers_metric};
use crate::model::{Outcome, text_of};

pub(super) fn words(control: &Outcome, candidate: &Outcome) -> Finding {
    let (left_text, right_text) = (text_of(&control.words), text_of(&candidate.words));
    let (left, right) = (spoken(&control.words), spoken(&candidate.words));
    let steps = aligned(&left, &right);
    let counts = ErrorCounts::of(&steps);
    let names = normalised_names(control);
    let differences = changed_words(&steps, &left, &right);
    let facts_changed = steps
        .iter()
        .filter(|step| is_fact_changed(step, &left, &right, &names))
        .count();
    let equal = left_text == right_text;
    let mut texts = Vec::new();
    if !equal {
        texts.push(TextDifference::by_word("/words", &left_text, &right_text));
    }
    Finding {
        equal,
        broken: if counts.rate().is_none() {
            vec!["text out of silence".to_owned()]
        } else {
            Vec::new()
        },
        numbers: vec![
            ("wer", counts.rate()),
            ("facts_changed", Some(facts_changed as f64)),
            ("passage", Some(longest_passage(&steps) as f64)),
            (
                "cer",
                characters::error_rate(
                    &normaliser::norm_v1(&left_text),
                    &normaliser::norm_v1(&right_text),
                ),
            ),
            ("errors", Some(counts.errors() as f64)),
        ],
        differences,
        texts,
        ..Finding::default()
    }
}

pub(super) fn speakers(control: &Outcome, candidate: &Outcome) -> Finding {
    let (left, right) = (spoken(&control.words), spoken(&candidate.words));
    let labelled = |words: &[Spoken]| -> Vec<(String, String)> {
        words
            .iter()
            .map(|word| (word.speaker.to_string(), word.text.clone()))
            .collect()
    };
    let counts = speakers_metric::pooled(&speakers_metric::identity_errors(
        &labelled(&left),
        &labelled(&right),
    ));
    let matched = matched(&aligned(&left, &right));
    let moved: Vec<&(usize, usize)> = matched
        .iter()
        .filter(|(l, r)| left[*l].speaker != right[*r].speaker)
        .collect();
    let differences = moved.iter().map(|&&(l, r)| Difference {
        path: format!("/words/{l}/speaker"),
        kind: DifferenceKind::SpeakerChanged,
        control: Some(json!(left[l].speaker)),
        candidate: Some(json!(right[r].speaker)),
    });
    Finding {
        equal: counts.errors() == 0,
        numbers: vec![
            ("speaker_wer", counts.rate()),
            (
                "misattributed",
                Some(moved.len() as f64 / matched.len().max(1) as f64),
            ),
        ],
        differences: differences.collect(),
        ..Finding::default()
    }
}

pub(super) fn word_times(control: &Outcome, candidate: &Outcome) -> Finding {
    let (left, right) = (spoken(&control.words), spoken(&candidate.words));
    if left.is_empty() && right.is_empty() {
        return Finding::equal();
    }
    let matched = matched(&aligned(&left, &right));
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
            ("offset_s", Some(worst_offset(&matched, &left, &right))),
            ("disordered", Some(disordered as f64)),
            ("median_s", Some(starts.median_abs)),
            ("max_s", Some(starts.max_abs)),
        ],
        differences: differences.collect(),
        ..Finding::default()
    }
}

pub(super) fn aligned(left: &[Spoken], right: &[Spoken]) -> Vec<Step> {
    let texts =
        |words: &[Spoken]| -> Vec<String> { words.iter().map(|word| word.text.clone()).collect() };
    align(&texts(left), &texts(right))
}

pub(super) fn matched(steps: &[Step]) -> Vec<(usize, usize)> {
    let equal = |step: &Step| match step {
        Step::Equal(left, right) => Some((*left, *right)),
        Step::Substituted(..) | Step::Deleted(_) | Step::Inserted(_) => None,
    };
    steps.iter().filter_map(equal).collect()
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
    let is_fact = |word: &Spoken| {
        word.text.contains(char::is_numeric)
            || facts::is_negation(&word.text)
            || names.contains(&word.text)
    };
    let (l, r) = sides(step);
    !matches!(step, Step::Equal(..))
        && (l.is_some_and(|at| is_fact(&left[at])) || r.is_some_and(|at| is_fact(&right[at])))
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
