//! The table of fields and, under it, what differs in each.

use serde::Serialize;
use serde_json::Value;

use super::words::{self, Face};
use crate::compare::{
    Difference, DifferenceKind, FieldResult, FieldVerdict, Measured, TextChangeKind, TextDifference,
};

#[derive(Serialize)]
pub(super) struct Row {
    field: &'static str,
    label: &'static str,
    face: Face,
    strictness: &'static str,
    numbers: Vec<NumberView>,
    more_numbers: Vec<NumberView>,
    reason: String,
    why: String,
    has_detail: bool,
}

#[derive(Serialize)]
struct NumberView {
    name: String,
    value: String,
    limit: String,
    holds: bool,
}

#[derive(Serialize)]
pub(super) struct Detail {
    field: &'static str,
    label: &'static str,
    face: Face,
    reason: String,
    open: bool,
    texts: Vec<TextView>,
    differences: Vec<DifferenceView>,
    left_out: usize,
}

#[derive(Serialize)]
pub(super) struct TextView {
    path: String,
    runs: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
pub(super) struct DifferenceView {
    path: String,
    /// Where a run of the same difference ends; empty for a single one.
    to: String,
    kind: &'static str,
    control: String,
    candidate: String,
}

/// Differences shown under a field; the JSON report has all that were kept.
pub(super) const SHOWN: usize = 20;

/// Whether there is more to show than a line.
pub(super) fn has_detail(result: &FieldResult) -> bool {
    !result.differences.is_empty() || !result.texts.is_empty()
}

pub(super) fn row(result: &FieldResult) -> Row {
    // Of a match one number is enough at a glance; the others are a click away.
    let at_a_glance = if result.verdict == FieldVerdict::Match {
        1
    } else {
        usize::MAX
    };
    let (judged, info): (Vec<_>, Vec<_>) = result
        .measured
        .iter()
        .partition(|number| number.bound.is_some());
    let (shown, more) = judged.split_at(judged.len().min(at_a_glance));
    Row {
        field: result.field.as_str(),
        label: result.field.label(),
        face: words::of_field(result.verdict),
        strictness: words::strictness(result.strictness),
        numbers: shown.iter().copied().map(number_view).collect(),
        more_numbers: more.iter().copied().chain(info).map(number_view).collect(),
        reason: result.reason.clone(),
        why: result.why.clone(),
        has_detail: has_detail(result),
    }
}

fn number_view(number: &Measured) -> NumberView {
    NumberView {
        name: words::name(number),
        value: words::value(number),
        limit: words::limit(number.bound),
        holds: number.holds,
    }
}

pub(super) fn detail(result: &FieldResult) -> Detail {
    let mut shown: Vec<DifferenceView> = Vec::new();
    let mut told = 0;
    for difference in &result.differences {
        let view = difference_view(difference);
        let is_full = shown.len() == SHOWN;
        // A run of words given to another speaker is one thing to read.
        let run = shown.last_mut().filter(|last| {
            difference.kind == DifferenceKind::SpeakerChanged
                && (&last.control, &last.candidate) == (&view.control, &view.candidate)
        });
        match run {
            Some(run) => run.to = view.path,
            None if is_full => break,
            None => shown.push(view),
        }
        told += 1;
    }
    Detail {
        field: result.field.as_str(),
        label: result.field.label(),
        face: words::of_field(result.verdict),
        reason: result.reason.clone(),
        open: result.verdict == FieldVerdict::Differs,
        texts: result.texts.iter().map(text_view).collect(),
        differences: shown,
        left_out: result.differences_left_out + result.differences.len() - told,
    }
}

pub(super) fn text_view(text: &TextDifference) -> TextView {
    let run = |change: &crate::compare::TextChange| {
        let kind = match change.kind {
            TextChangeKind::Kept => "kept",
            TextChangeKind::Deleted => "deleted",
            TextChangeKind::Inserted => "inserted",
        };
        (kind, change.text.clone())
    };
    TextView {
        path: text.path.clone(),
        runs: text.changes.iter().map(run).collect(),
    }
}

pub(super) fn difference_view(difference: &Difference) -> DifferenceView {
    DifferenceView {
        path: difference.path.clone(),
        to: String::new(),
        kind: difference.kind.label(),
        control: excerpt(difference.control.as_ref()),
        candidate: excerpt(difference.candidate.as_ref()),
    }
}

/// JSON as it stands, cut where it would bury the rest.
pub(super) fn excerpt(value: Option<&Value>) -> String {
    const LETTERS: usize = 240;
    let text = match value {
        None => return String::new(),
        Some(value) => value.to_string(),
    };
    let cut: String = text.chars().take(LETTERS).collect();
    if cut.len() < text.len() {
        cut + "…"
    } else {
        text
    }
}
