//! Captions: their words, times and number.

use serde_json::json;

use super::Finding;
use super::heard::{Heard, matched, numbers};
use super::spoken::Spoken;
use crate::compare::difference::{Difference, TextDifference};
use crate::compare::metrics::alignment::{ErrorCounts, align_numbers};
use crate::compare::metrics::drift::drift;
use crate::compare::metrics::normaliser;
use crate::model::Outcome;

pub(super) fn captions(control: &Outcome, candidate: &Outcome, heard: &Heard<'_>) -> Finding {
    let (left, right) = match (&control.webvtt, &candidate.webvtt) {
        (None, None) => return Finding::equal(),
        (Some(left), Some(right)) => (left, right),
        (left, right) => {
            let some = |text: &Option<String>| text.as_ref().map(|text| json!(text.len()));
            return Finding::one_sided(
                Difference::between("/webvtt", some(left), some(right)),
                "captions",
            );
        }
    };
    let (Some(left_cues), Some(right_cues)) = (cues(left), cues(right)) else {
        let equal = left == right;
        let broken = if equal {
            Vec::new()
        } else {
            vec!["captions are not well formed".to_owned()]
        };
        return Finding {
            equal,
            broken,
            ..Finding::default()
        };
    };
    // Captions are made of the words, whose alignment is there already.
    let words = heard.words();
    let same = |cues: &[Spoken], words: &[Spoken]| {
        cues.len() == words.len()
            && cues
                .iter()
                .zip(words)
                .all(|(cue, word)| cue.text == word.text)
    };
    let anew;
    let steps = if same(&left_cues.words, &words.left) && same(&right_cues.words, &words.right) {
        &words.steps
    } else {
        let (left, right) = numbers(&left_cues.words, &right_cues.words);
        anew = align_numbers(&left, &right);
        &anew
    };
    let starts: Vec<(f64, f64)> = matched(steps)
        .iter()
        .map(|&(l, r)| (left_cues.words[l].start, right_cues.words[r].start))
        .collect();
    let equal = left == right;
    Finding {
        equal,
        numbers: vec![
            ("wer", ErrorCounts::of(steps).rate()),
            (
                "p95_s",
                drift(&starts).map_or(Some(0.0), |drift| Some(drift.p95_abs)),
            ),
            (
                "cues_difference",
                Some(left_cues.count.abs_diff(right_cues.count) as f64),
            ),
        ],
        texts: if equal {
            Vec::new()
        } else {
            vec![TextDifference::by_line("/webvtt", left, right)]
        },
        ..Finding::default()
    }
}

/// Captions taken apart.
struct Cues {
    count: usize,
    words: Vec<Spoken>,
}

/// Reads captions; none when they are not `WebVTT` as the legacy writes it.
fn cues(text: &str) -> Option<Cues> {
    let mut cues = Cues {
        count: 0,
        words: Vec::new(),
    };
    let mut lines = text.strip_prefix("WEBVTT\n")?.lines();
    let (mut start, mut end, mut speaker) = (0.0, 0.0, 0);
    while let Some(line) = lines.next() {
        if let Some((from, to)) = line.split_once(" --> ") {
            (start, end) = (seconds(from)?, seconds(to)?);
            cues.count += 1;
            let voice = lines.next()?.strip_prefix("<v Speaker")?;
            let (label, said) = voice.split_once('>')?;
            speaker = label.parse().ok()?;
            push_cue(&mut cues.words, said, speaker, (start, end));
        } else {
            // A line break inside a word goes on in the same cue.
            push_cue(&mut cues.words, line, speaker, (start, end));
        }
    }
    Some(cues)
}

fn push_cue(words: &mut Vec<Spoken>, said: &str, speaker: i64, (start, end): (f64, f64)) {
    for text in normaliser::norm_v1(said).split_whitespace() {
        words.push(Spoken {
            text: text.to_owned(),
            speaker,
            start,
            end,
        });
    }
}

/// `HH:MM:SS.mmm`
fn seconds(stamp: &str) -> Option<f64> {
    let mut parts = stamp.splitn(3, ':');
    let hours: f64 = parts.next()?.parse().ok()?;
    let minutes: f64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    Some(hours * 3600.0 + minutes * 60.0 + seconds)
}
