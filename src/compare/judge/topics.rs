//! Number, places and texts of topics.

use serde_json::json;

use super::Finding;
use super::heard::Heard;
use super::prose::{broken, changed_facts};
use super::spoken::names;
use crate::compare::difference::{Difference, TextDifference};
use crate::compare::metrics::{matching, segmentation, similarity};
use crate::model::{Outcome, Topic};

/// Chunks of 300 words are cut by counting, so the same words make the same topics.
const SAME_WORDS: &str = "the same words were cut differently";

pub(super) fn count(control: &Outcome, candidate: &Outcome, heard: &Heard<'_>) -> Finding {
    let (left, right) = (control.topics.len(), candidate.topics.len());
    let equal = left == right;
    let mut finding = Finding {
        equal,
        numbers: vec![("count_difference", Some(left.abs_diff(right) as f64))],
        ..Finding::default()
    };
    if !equal {
        finding.differences.push(Difference::between(
            "/topics/length",
            Some(json!(left)),
            Some(json!(right)),
        ));
        if heard.is_same_text() {
            finding.broken.push(SAME_WORDS.to_owned());
        }
    }
    finding
}

pub(super) fn boundaries(control: &Outcome, candidate: &Outcome, heard: &Heard<'_>) -> Finding {
    let words: Vec<f64> = heard.words().left.iter().map(|word| word.start).collect();
    let starts = |outcome: &Outcome| -> Vec<f64> {
        outcome.topics.iter().map(|topic| topic.timestamp).collect()
    };
    let (left_starts, right_starts) = (starts(control), starts(candidate));
    if words.is_empty() {
        return match (left_starts.as_slice(), right_starts.as_slice()) {
            ([], []) => Finding::equal(),
            (_, _) => Finding::not_comparable("the control has no words to measure topics by"),
        };
    }
    let left = segmentation::project(&words, &left_starts);
    let right = segmentation::project(&words, &right_starts);
    let equal = left == right;
    let pk = segmentation::pk(&right, &left);
    let window_diff = segmentation::window_diff(&right, &left);
    // One topic on both sides is equal, even where the text is too short for a window.
    let or_equal = |value: Option<f64>| value.or(equal.then_some(0.0));
    let mut finding = Finding {
        equal,
        numbers: vec![
            ("pk", or_equal(pk)),
            ("window_diff", or_equal(window_diff)),
            (
                "boundary_similarity",
                segmentation::boundary_similarity(&right, &left),
            ),
        ],
        ..Finding::default()
    };
    if !equal {
        for at in 0..left_starts.len().max(right_starts.len()) {
            let (left, right) = (left_starts.get(at), right_starts.get(at));
            if left != right {
                let path = format!("/topics/{at}/timestamp");
                finding.differences.push(Difference::between(
                    path,
                    left.map(|s| json!(s)),
                    right.map(|s| json!(s)),
                ));
            }
        }
        if heard.is_same_text() {
            finding.broken.push(SAME_WORDS.to_owned());
        }
    }
    finding
}

pub(super) fn titles(control: &Outcome, candidate: &Outcome) -> Finding {
    texts(control, candidate, "title", |topic| &topic.title)
}

pub(super) fn summaries(control: &Outcome, candidate: &Outcome) -> Finding {
    texts(control, candidate, "summary", |topic| &topic.summary)
}

fn texts(control: &Outcome, candidate: &Outcome, name: &str, of: fn(&Topic) -> &String) -> Finding {
    let list = |outcome: &Outcome| -> Vec<String> {
        outcome
            .topics
            .iter()
            .map(|topic| of(topic).clone())
            .collect()
    };
    let (left, right) = (list(control), list(candidate));
    if left == right {
        return Finding {
            numbers: vec![("f1", Some(1.0)), ("mean_similarity", Some(1.0))],
            ..Finding::equal()
        };
    }
    let table = similarity::table(&borrowed(&left), &borrowed(&right));
    let matching = matching::best(&table);
    let names = names(control);
    let (mut differences, mut shown) = (Vec::new(), Vec::new());
    for &(l, r) in &matching.pairs {
        let path = format!("/topics/{l}/{name}");
        differences.extend(changed_facts(&path, &left[l], &right[r], &names));
        if left[l] != right[r] {
            shown.push(TextDifference::by_word(path, &left[l], &right[r]));
        }
    }
    let facts_changed = differences.len();
    let broken = broken(&differences);
    for at in (0..left.len()).filter(|at| matching.pairs.iter().all(|pair| pair.0 != *at)) {
        differences.push(Difference::between(
            format!("/topics/{at}/{name}"),
            Some(json!(left[at])),
            None,
        ));
    }
    for at in (0..right.len()).filter(|at| matching.pairs.iter().all(|pair| pair.1 != *at)) {
        differences.push(Difference::between(
            format!("/topics/{at}/{name}"),
            None,
            Some(json!(right[at])),
        ));
    }
    // A pair below a half is two texts, not one text said twice.
    let (_, _, f1) = matching.precision_recall_f1(0.5);
    let mean = matching.total / left.len().max(right.len()).max(1) as f64;
    Finding {
        broken,
        numbers: vec![
            ("f1", Some(f1)),
            ("mean_similarity", Some(mean)),
            ("inversions", Some(matching.inversions() as f64)),
            ("facts_changed", Some(facts_changed as f64)),
        ],
        differences,
        texts: shown,
        ..Finding::default()
    }
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
